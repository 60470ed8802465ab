//! The vectors that this crate and the TypeScript SDK are both held to, for the tests. The file is `vectors.json` beside `src`.

use serde::de::DeserializeOwned;

/// The cases of one section.
pub(crate) fn read<T: DeserializeOwned>(section: &str) -> Vec<T> {
    let mut all: serde_json::Value = serde_json::from_str(include_str!("../vectors.json")).unwrap();
    let cases: Vec<T> = serde_json::from_value(all[section].take()).unwrap();
    assert!(!cases.is_empty(), "{section}");
    cases
}
