//! What the built binary says of itself against the documents: its commands, its exit codes, its API description.

use std::{collections::BTreeSet, process::Command};

use super::read;

/// The built binary; cargo says where it is.
const REFUNDKIT: Option<&str> = option_env!("CARGO_BIN_EXE_refundkit");

/// Collects the commands below `path` that do something, as people type them.
fn collect(path: &[String], found: &mut BTreeSet<String>) {
    let output = Command::new(REFUNDKIT.unwrap()).args(&path[1..]).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let below: Vec<_> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    if below.is_empty() {
        found.insert(path.join(" "));
    }
    for name in below {
        collect(&[path, &[name]].concat(), found);
    }
}

#[test]
fn every_command_is_documented_and_every_documented_command_exists() {
    let mut offered = BTreeSet::new();
    collect(&["refundkit".to_owned()], &mut offered);
    let documented: BTreeSet<_> = read("docs/cli.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `refundkit "))
        .filter_map(|rest| rest.split('`').next())
        .map(|command| format!("refundkit {command}"))
        .collect();
    assert_eq!(documented, offered, "left: docs/cli.md, right: the binary's own help");
}

#[test]
fn the_committed_api_description_is_what_the_binary_prints() {
    let output = Command::new(REFUNDKIT.unwrap()).arg("openapi").output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        read("docs/openapi.json") == printed,
        "docs/openapi.json is stale: cargo run -- openapi > docs/openapi.json, and look at the difference"
    );
}

#[test]
fn exit_codes_are_documented_as_the_binary_tells_them() {
    let output = Command::new(REFUNDKIT.unwrap()).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let told: Vec<_> = help
        .lines()
        .skip_while(|line| *line != "Exit codes:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(|line| line.trim().split_once("  ").expect("a code and its meaning"))
        .map(|(code, meaning)| format!("| {code} | {meaning} |"))
        .collect();
    assert!(told.len() > 3, "the help tells exit codes in another way now");
    let page = read("docs/cli.md");
    for row in told {
        assert!(page.contains(&row), "docs/cli.md has no row: {row}");
    }
}
