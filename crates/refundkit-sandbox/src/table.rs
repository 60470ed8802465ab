//! Two small collections: rows in the order they were made, and things that become due.
//!
//! Both serialize as plain lists, so the state file stays readable.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A row that knows its own id.
pub(crate) trait Row {
    fn id(&self) -> &str;
}

/// Rows by id and by age.
#[derive(Debug, Clone)]
pub(crate) struct Table<T> {
    rows: BTreeMap<u64, T>,
    positions: BTreeMap<String, u64>,
    next_position: u64,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { rows: BTreeMap::new(), positions: BTreeMap::new(), next_position: 0 }
    }
}

impl<T: Row> Table<T> {
    /// Adds a row; a row with the same id is replaced by the newer one.
    pub(crate) fn insert(&mut self, row: T) {
        self.remove(row.id());
        self.positions.insert(row.id().to_owned(), self.next_position);
        self.rows.insert(self.next_position, row);
        self.next_position += 1;
    }

    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.rows.get(self.positions.get(id)?)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.rows.get_mut(self.positions.get(id)?)
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<T> {
        let position = self.positions.remove(id)?;
        self.rows.remove(&position)
    }

    pub(crate) fn oldest(&self) -> Option<&T> {
        self.rows.values().next()
    }

    pub(crate) fn remove_oldest(&mut self) {
        if let Some((_, row)) = self.rows.pop_first() {
            self.positions.remove(row.id());
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Where a row stands in time; larger is newer.
    pub(crate) fn position(&self, id: &str) -> Option<u64> {
        self.positions.get(id).copied()
    }

    /// One row with its place in time.
    pub(crate) fn entry(&self, id: &str) -> Option<(u64, &T)> {
        let position = self.position(id)?;
        Some((position, self.rows.get(&position)?))
    }

    /// Rows with their place in time, oldest first.
    pub(crate) fn entries(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.rows.iter().map(|(position, row)| (*position, row))
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.rows.values()
    }
}

impl<T: Serialize> Serialize for Table<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.values())
    }
}

impl<'de, T: Row + Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = Table::default();
        for row in Vec::<T>::deserialize(deserializer)? {
            table.insert(row);
        }
        Ok(table)
    }
}

/// Things that become due, soonest first, and in the order they were added when due together.
#[derive(Debug, Clone)]
pub(crate) struct Schedule<T> {
    entries: BTreeMap<(i64, u64), T>,
    next_number: u64,
}

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Schedule { entries: BTreeMap::new(), next_number: 0 }
    }
}

impl<T> Schedule<T> {
    pub(crate) fn add(&mut self, due_at_ms: i64, entry: T) {
        self.entries.insert((due_at_ms, self.next_number), entry);
        self.next_number += 1;
    }

    /// Takes out the next entry that is due, with the instant it was due at.
    pub(crate) fn pop_due(&mut self, now_ms: i64) -> Option<(i64, T)> {
        let first = self.entries.first_entry()?;
        if first.key().0 > now_ms {
            return None;
        }
        let ((due_at_ms, _), entry) = first.remove_entry();
        Some((due_at_ms, entry))
    }

    /// Takes out the last entry that fits: what was just put off is found at once.
    pub(crate) fn remove_where(&mut self, fits: impl Fn(&T) -> bool) -> Option<T> {
        let key = *self.entries.iter().rfind(|(_, entry)| fits(entry))?.0;
        self.entries.remove(&key)
    }

    pub(crate) fn next_due_at_ms(&self) -> Option<i64> {
        self.entries.first_key_value().map(|((due_at_ms, _), _)| *due_at_ms)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl<T: Serialize> Serialize for Schedule<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.entries.iter().map(|((due_at_ms, _), entry)| (due_at_ms, entry)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Schedule<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut schedule = Schedule::default();
        for (due_at_ms, entry) in Vec::<(i64, T)>::deserialize(deserializer)? {
            schedule.add(due_at_ms, entry);
        }
        Ok(schedule)
    }
}
