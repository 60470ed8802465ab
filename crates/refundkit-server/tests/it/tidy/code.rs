//! Rules for source files.

use super::{File, assert_none, files, rust_files};

/// Lines of a source file. Past it, a file usually holds two ideas.
const LINES_MAX: usize = 500;
/// Lines of a test file: cases are flat, and read one at a time.
const TEST_LINES_MAX: usize = 600;
/// Longer files, each with the reason why cutting it would not help.
const LONG_FOR_A_REASON: &[(&str, &str)] = &[];

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

#[test]
fn files_are_short_enough_to_hold_one_idea() {
    let long: Vec<_> = rust_files()
        .iter()
        .filter(|file| !LONG_FOR_A_REASON.iter().any(|(path, _)| *path == file.path))
        .filter_map(|file| {
            let (lines, max) =
                (file.text.lines().count(), if is_test(&file.path) { TEST_LINES_MAX } else { LINES_MAX });
            (lines > max).then(|| format!("{}: {lines} lines, at most {max}", file.path))
        })
        .collect();
    assert_none(&long, "cut these by idea, or give a reason in LONG_FOR_A_REASON:");
}

#[test]
fn files_open_by_saying_what_lives_in_them() {
    let silent: Vec<_> =
        rust_files().iter().filter(|file| !file.text.starts_with("//!")).map(|file| file.path.clone()).collect();
    assert_none(&silent, "these do not begin with `//!`:");
}

#[test]
fn only_the_store_speaks_sql() {
    let sql = ["\"SELECT ", "INSERT INTO ", "DELETE FROM ", "CREATE TABLE ", "PRAGMA ", "BEGIN IMMEDIATE", "sqlx::"];
    let speaks = |line: &str| {
        sql.iter().any(|words| line.contains(words)) || (line.contains("UPDATE ") && line.contains(" SET "))
    };
    let mut found = Vec::new();
    for file in rust_files() {
        let in_source = file.path.contains("/src/") && !is_test(&file.path);
        if in_source && file.path.starts_with("crates/") && !file.path.starts_with("crates/refundkit-server/src/store/")
        {
            found.extend(marked(&file, speaks));
        }
    }
    assert_none(&found, "SQL belongs under crates/refundkit-server/src/store:");
}

#[test]
fn nothing_unfinished_is_left_lying_around() {
    let words = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("d", "bg!("),
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("XX", "X"),
        concat!("#[ig", "nore"),
        concat!(".on", "ly("),
        concat!(".sk", "ip()"),
    ];
    let mut found = Vec::new();
    for file in files() {
        if ["rs", "ts", "mjs", "js", "py", "sh", "toml"]
            .iter()
            .any(|extension| super::has_extension(&file.path, extension))
            || file.path.starts_with("scripts/")
        {
            found.extend(marked(&file, |line| words.iter().any(|word| line.contains(word))));
        }
    }
    assert_none(&found, "finish it, or open an issue and delete it:");
}

#[test]
fn the_project_stands_alone() {
    let outside = [concat!("/wo", "rk/"), concat!("../sha", "red"), concat!("/fa", "rm/"), concat!("/ro", "ot/")];
    let found: Vec<_> =
        files().iter().flat_map(|file| marked(file, |line| outside.iter().any(|place| line.contains(place)))).collect();
    assert_none(&found, "these lines mention places that are no part of the project:");
}

/// The lines that a rule is about, as `path:line: text`.
fn marked(file: &File, concerns: impl Fn(&str) -> bool) -> Vec<String> {
    file.lines()
        .filter(|(_, line)| concerns(line))
        .map(|(number, line)| format!("{}:{number}: {}", file.path, line.trim()))
        .collect()
}
