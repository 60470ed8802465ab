//! What the workspace may depend on, and what the published crate must never pull in.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use super::{assert_none, files, read, root};

/// Licences that ask for no more than their text and a notice.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// One TLS library and one cryptography provider (rustls with ring): two providers in one tree panic at the first handshake.
const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys", "aws-lc-fips-sys"];

/// What a user of the published crate never has to build.
const NOT_FOR_USERS: &[&str] = &[
    "axum",
    "rusqlite",
    "sqlx",
    "libsqlite3-sys",
    "rmcp",
    "clap",
    "refundkit-core",
    "refundkit-server",
    "refundkit-sandbox",
];

fn cargo(arguments: &[&str]) -> String {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(program).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The names of what a crate pulls into its users' builds, with these features and no others.
fn tree(crate_name: &str, features: &str) -> BTreeSet<String> {
    let listed = cargo(&[
        "tree",
        "--locked",
        "-p",
        crate_name,
        "--no-default-features",
        "--features",
        features,
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != crate_name)
        .map(str::to_owned)
        .collect()
}

fn host() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = String::from_utf8(Command::new(rustc).arg("-vV").output().unwrap().stdout).unwrap();
    version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host").to_owned()
}

/// Every package that is built on this machine, the workspace's own included.
fn packages() -> Vec<Value> {
    let described =
        cargo(&["metadata", "--locked", "--format-version", "1", "--all-features", "--filter-platform", &host()]);
    let mut described: Value = serde_json::from_str(&described).unwrap();
    let Value::Array(packages) = described["packages"].take() else { panic!("cargo metadata lists packages") };
    packages
}

#[test]
fn the_published_crate_stays_light() {
    for features in ["", "client", "processors", "client,processors"] {
        let names = tree("refundkit", features);
        let heavy: Vec<_> = NOT_FOR_USERS.iter().filter(|name| names.contains(**name)).collect();
        assert!(heavy.is_empty(), "refundkit with features `{features}` pulls in {heavy:?}");
    }
    let bare = tree("refundkit", "");
    for name in ["tokio", "reqwest", "rustls"] {
        assert!(!bare.contains(name), "the vocabulary alone needs no {name}");
    }
}

#[test]
fn the_rules_depend_on_the_vocabulary_and_serde_only() {
    let core = packages().into_iter().find(|package| package["name"] == "refundkit-core").unwrap();
    let direct: BTreeSet<_> = core["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
        .collect();
    for name in &direct {
        assert!(["refundkit", "serde"].contains(&name.as_str()), "refundkit-core depends on {name}");
    }
    let vocabulary = core["dependencies"].as_array().unwrap().iter().find(|one| one["name"] == "refundkit").unwrap();
    assert_eq!(vocabulary["uses_default_features"], false, "the rules need no client");
    assert_eq!(vocabulary["features"], serde_json::json!(["exhaustive"]), "the rules need no client and no processor");
}

#[test]
fn everything_comes_from_crates_io() {
    let mut foreign = Vec::new();
    for file in files().iter().filter(|file| file.path.ends_with("Cargo.lock")) {
        for (number, line) in file.lines() {
            if let Some(source) = line.strip_prefix("source = ")
                && source != "\"registry+https://github.com/rust-lang/crates.io-index\""
            {
                foreign.push(format!("{}:{number}: {source}", file.path));
            }
        }
    }
    assert_none(&foreign, "only crates.io is a source:");
}

#[test]
fn there_is_one_tls_library_and_one_provider() {
    let lock = read("Cargo.lock");
    let banned: Vec<_> = BANNED
        .iter()
        .filter(|name| lock.lines().any(|line| line == format!("name = \"{name}\"")))
        .map(|name| (*name).to_owned())
        .collect();
    assert_none(&banned, "Cargo.lock has what docs/dependencies.md passes over:");
}

#[test]
fn every_licence_is_on_the_list() {
    let mut refused = Vec::new();
    for package in packages() {
        let (name, licence) = (package["name"].as_str().unwrap(), package["license"].as_str().unwrap_or(""));
        if !allowed(licence) {
            refused.push(format!("{name}: {licence:?}"));
        }
    }
    assert_none(&refused, "these licences are not on the list:");
}

/// Whether one can meet the expression with licences of the list: every part joined by AND, one of those joined by OR.
fn allowed(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], "").replace(" / ", " OR ").replace('/', " OR ");
    plain.split(" AND ").all(|part| part.split(" OR ").any(|licence| LICENCES.contains(&licence.trim())))
}

#[test]
fn licence_expressions_are_read_as_they_are_meant() {
    for (expression, expected) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("GPL-3.0-only OR MIT", true),
        ("GPL-3.0-only", false),
        ("MIT AND GPL-3.0-only", false),
        ("", false),
    ] {
        assert_eq!(allowed(expression), expected, "{expression:?}");
    }
}

#[test]
fn every_direct_dependency_has_its_reason_written_down() {
    let manifest = read("Cargo.toml");
    let reasons = read("docs/dependencies.md");
    let listed = manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let silent: Vec<_> = listed
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.trim())
        .filter(|name| !name.starts_with('#') && !name.starts_with("refundkit"))
        .filter(|name| !reasons.contains(&format!("`{name}`")))
        .map(str::to_owned)
        .collect();
    assert_none(&silent, "docs/dependencies.md says nothing of:");
}
