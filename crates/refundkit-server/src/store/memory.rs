//! What nearly every request asks for and hardly anything changes (whose key this is, which connection an environment has),
//! remembered for as long as it certainly has not changed.
//!
//! A SQLite file has one server, so this process makes every such change: its writer counts them, after the commit and before whoever
//! asked for the change hears of it. What was read under an older count is forgotten. Commands beside the server make new rows only;
//! whatever else is committed from outside is counted before the next group is written. At PostgreSQL another instance may have
//! changed it, so that nothing is remembered there.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::limits;

/// The tables whose changes are counted. Tables without a rowid cannot be: SQLite tells of no change to them.
pub(super) const COUNTED_TABLES: [&str; 3] = ["organizations", "api_keys", "connections"];

/// How often what can be remembered has changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes(Arc<AtomicU64>);

impl Changes {
    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn now(&self) -> Age {
        Age(Some(self.0.load(Ordering::SeqCst)))
    }
}

/// The count of changes at a moment. Taken before what is remembered under it is read, so that no change can slip in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(Option<u64>);

impl Age {
    /// Where others make changes too.
    pub(super) const UNKNOWN: Self = Self(None);
}

/// What was read, by what it was asked by.
#[derive(Debug)]
pub struct Memory<K, V>(Mutex<Remembered<K, V>>);

#[derive(Debug)]
struct Remembered<K, V> {
    age: Age,
    values: HashMap<K, V>,
}

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Remembered { age: Age::UNKNOWN, values: HashMap::new() }))
    }
}

impl<K, V> Remembered<K, V> {
    fn forget_before(&mut self, age: Age) {
        if self.age < age {
            self.values.clear();
            self.age = age;
        }
    }
}

impl<K: Eq + Hash, V: Clone> Memory<K, V> {
    /// What was kept at this age.
    pub fn recall(&self, age: Age, key: &K) -> Option<V> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.forget_before(age);
        if age == Age::UNKNOWN || remembered.age != age { None } else { remembered.values.get(key).cloned() }
    }

    /// Keeps what was read after this age was taken.
    pub fn keep(&self, age: Age, key: K, value: V) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.forget_before(age);
        if remembered.values.len() >= limits::REMEMBERED_MAX {
            remembered.values.clear();
        }
        if age != Age::UNKNOWN && remembered.age == age {
            remembered.values.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_change_is_neither_told_nor_kept_after_it() {
        let (changes, memory) = (Changes::default(), Memory::default());
        let before = changes.now();
        memory.keep(before, "key", 1);
        assert_eq!(memory.recall(before, &"key"), Some(1));
        changes.count();
        assert_eq!(memory.recall(changes.now(), &"key"), None);
        memory.keep(changes.now(), "key", 2);
        // A reader that was slower than the change.
        memory.keep(before, "key", 1);
        assert_eq!(memory.recall(changes.now(), &"key"), Some(2));
    }

    #[test]
    fn where_others_make_changes_nothing_is_remembered() {
        let memory = Memory::default();
        memory.keep(Age::UNKNOWN, "key", 1);
        assert_eq!(memory.recall(Age::UNKNOWN, &"key"), None);
    }
}
