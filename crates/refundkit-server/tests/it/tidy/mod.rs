//! The house rules as tests: what the code, the documents and the dependencies must look like.
//!
//! They read the files of the repository and ask cargo; nothing is compiled and no server is started here. A rule that has a
//! reason to be broken has a list beside it, with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it finds something")]

mod code;
mod commands;
mod dependencies;
mod documents;
mod habits;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders that hold what is made or fetched, not what is written; so do hidden ones, but for these.
const NOT_OURS: &[&str] = &["target", "node_modules"];
const HIDDEN_AND_OURS: &[&str] = &[".ci", ".github"];

/// A text file of the repository.
struct File {
    /// From the root of the repository, with `/`.
    path: String,
    text: String,
}

impl File {
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this crate is in crates/").to_owned()
}

/// The text of one file, named from the root of the repository.
fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every text file of the repository.
fn files() -> Vec<File> {
    let mut found = Vec::new();
    collect(&root(), &root(), &mut found);
    found.sort_by(|left, right| left.path.cmp(&right.path));
    assert!(found.len() > 20, "this walks the wrong folder: {}", root().display());
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            if is_ours(&name.to_string_lossy()) {
                collect(root, &entry.path(), found);
            }
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            let path = entry.path().strip_prefix(root).unwrap().to_str().expect("paths are UTF-8").to_owned();
            found.push(File { path, text });
        }
    }
}

fn is_ours(folder: &str) -> bool {
    if folder.starts_with('.') { HIDDEN_AND_OURS.contains(&folder) } else { !NOT_OURS.contains(&folder) }
}

fn rust_files() -> Vec<File> {
    files().into_iter().filter(|file| has_extension(&file.path, "rs")).collect()
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// Fails with every finding at once, so that one run shows all there is to mend.
fn assert_none(findings: &[String], rule: &str) {
    assert!(findings.is_empty(), "{rule}\n  {}\n", findings.join("\n  "));
}
