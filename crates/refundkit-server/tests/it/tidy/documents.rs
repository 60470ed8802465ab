//! The documents against the code: links that lead somewhere, and lists that are complete on both sides.

use std::{collections::BTreeSet, fs};

use refundkit::{ErrorCode, InitiatedBy, RefundEventType, RefundReason, RefundStage, RefundStatus};
use serde_json::Value;

use super::{File, assert_none, files, has_extension, read, root, rust_files};

fn documents() -> Vec<File> {
    files().into_iter().filter(|file| has_extension(&file.path, "md")).collect()
}

/// The lines outside fenced blocks, and the fenced blocks with their language.
fn split(text: &str) -> (Vec<&str>, Vec<(&str, String)>) {
    let (mut prose, mut blocks) = (Vec::new(), Vec::new());
    let mut open: Option<(&str, String)> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(language), None) => open = Some((language.trim(), String::new())),
            (None, Some((language, mut body))) => {
                body.push_str(line);
                body.push('\n');
                open = Some((language, body));
            }
            (None, None) => prose.push(line),
        }
    }
    (prose, blocks)
}

/// The targets of the links in prose: what stands between `](` and `)`.
fn links(prose: &[&str]) -> Vec<String> {
    let targets = |line: &str| -> Vec<String> {
        line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
    };
    prose.iter().flat_map(|line| targets(line)).collect()
}

/// A heading as the anchor that GitHub makes of it.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            _ if letter.is_alphanumeric() => Some(letter.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for file in documents() {
        for link in links(&split(&file.text).0) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((link.as_str(), ""));
            let here = root().join(&file.path);
            let target = if path.is_empty() { here } else { here.parent().unwrap().join(path) };
            if !target.exists() {
                broken.push(format!("{}: {link}", file.path));
            } else if !heading.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                let (prose, _) = split(&text);
                if !prose.iter().any(|line| line.starts_with('#') && anchor(line) == heading) {
                    broken.push(format!("{}: {link} (no such heading)", file.path));
                }
            }
        }
    }
    assert_none(&broken, "these links lead nowhere:");
}

#[test]
fn json_in_documents_is_json() {
    let mut broken = Vec::new();
    for file in documents() {
        for (language, body) in split(&file.text).1 {
            if language == "json"
                && let Err(error) = serde_json::from_str::<Value>(&body)
            {
                broken.push(format!("{}: {error}: {}", file.path, body.lines().next().unwrap_or_default()));
            }
        }
    }
    assert_none(&broken, "these examples cannot be parsed:");
}

#[test]
fn every_error_code_has_its_page_and_every_page_its_code() {
    let codes: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    let pages: BTreeSet<_> = fs::read_dir(root().join("docs/errors"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|page| page != "README")
        .collect();
    assert_eq!(pages, codes, "left: pages of docs/errors, right: ErrorCode::ALL");
    let index = read("docs/errors/README.md");
    for code in &codes {
        assert!(index.contains(&format!("[`{code}`]({code}.md)")), "docs/errors/README.md does not link {code}");
        assert!(
            read(&format!("docs/errors/{code}.md")).starts_with(&format!("# `{code}`\n")),
            "{code}.md has another title"
        );
    }
}

#[test]
fn error_pages_show_the_error_they_are_about() {
    for code in ErrorCode::ALL {
        let page = read(&format!("docs/errors/{code}.md"));
        let (_, blocks) = split(&page);
        let shown: Vec<_> = blocks.iter().filter(|(language, _)| *language == "json").collect();
        assert!(!shown.is_empty() || is_the_clients_own(*code), "docs/errors/{code}.md shows no example");
        for (_, body) in shown {
            let example: Value = serde_json::from_str(body).unwrap();
            let error: refundkit::ErrorBody = serde_json::from_value(example["error"].clone())
                .unwrap_or_else(|error| panic!("docs/errors/{code}.md: {error}"));
            assert_eq!(error.code, *code);
            assert!(example["data"].is_null(), "docs/errors/{code}.md: a failure has no data");
        }
    }
}

/// Raised in the caller's process; no server ever answers them.
fn is_the_clients_own(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::NetworkError | ErrorCode::Timeout)
}

#[test]
fn the_reference_knows_every_word_of_the_api() {
    let reference = read("docs/reference.md");
    let words = RefundStatus::ALL
        .iter()
        .map(|word| word.as_str())
        .chain(RefundStage::ALL.iter().map(|word| word.as_str()))
        .chain(RefundReason::ALL.iter().map(|word| word.as_str()))
        .chain(RefundEventType::ALL.iter().map(|word| word.as_str()))
        .chain(InitiatedBy::ALL.iter().map(|word| word.as_str()))
        .chain(ErrorCode::ALL.iter().map(|word| word.as_str()));
    let missing: Vec<_> = words.filter(|word| !reference.contains(&format!("`{word}`"))).map(str::to_owned).collect();
    assert_none(&missing, "docs/reference.md does not mention:");
}

/// What follows `= ` and ends at `;` on a line that declares the constant of that name.
fn declared<'a>(line: &'a str, constant: &str) -> Option<&'a str> {
    line.trim().strip_prefix("const ")?.strip_prefix(constant)?.split_once("= ")?.1.strip_suffix(';')
}

#[test]
fn the_reference_has_every_operation_and_no_other() {
    let reference = read("docs/reference.md");
    let mut routes = BTreeSet::new();
    for file in rust_files().iter().filter(|file| file.path.starts_with("crates/refundkit/src/operations/")) {
        let mut method = String::new();
        for line in file.text.lines() {
            if let Some(value) = declared(line, "METHOD") {
                method = value.trim_start_matches("Method::").to_ascii_uppercase();
            } else if let Some(value) = declared(line, "PATH") {
                routes.insert(format!("{method} {}", value.trim_matches('"')));
            }
        }
    }
    assert!(routes.len() > 10, "the operations are declared in another way now: {routes:?}");
    let documented: BTreeSet<_> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("### `"))
        .filter_map(|rest| rest.split('`').next())
        .filter(|heading| heading.contains(" /v1/"))
        .map(str::to_owned)
        .collect();
    assert_eq!(documented, routes, "left: headings of docs/reference.md, right: the operations");
}

/// The names of settings in a text: `REFUNDKIT_` and what follows in capitals.
fn settings(text: &str) -> BTreeSet<String> {
    text.match_indices("REFUNDKIT_")
        .map(|(start, _)| {
            text[start..].chars().take_while(|letter| letter.is_ascii_uppercase() || *letter == '_').collect::<String>()
        })
        .filter(|name| name.len() > "REFUNDKIT_".len() && !name.ends_with('_'))
        .collect()
}

#[test]
fn every_setting_is_documented_and_every_documented_setting_exists() {
    let documented = settings(&read("docs/configuration.md"));
    let mut used = BTreeSet::new();
    for file in rust_files().iter().filter(|file| file.path.starts_with("crates/") && file.path.contains("/src/")) {
        used.append(&mut settings(&file.text));
    }
    assert_eq!(documented, used, "left: docs/configuration.md, right: the code");
}
