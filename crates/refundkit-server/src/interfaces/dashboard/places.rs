//! Places for what goes on for a while in the dashboard: so many in the process, and so many of them for one person.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use refundkit::UserId;

/// Places of one kind.
#[derive(Debug, Clone)]
pub struct Places {
    most: usize,
    most_of_one: usize,
    taken: Arc<Mutex<HashMap<UserId, usize>>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    taken: Arc<Mutex<HashMap<UserId, usize>>>,
    of: UserId,
}

impl Places {
    /// So many places, and so many of them for one person.
    pub fn new(most: usize, most_of_one: usize) -> Self {
        Self { most, most_of_one, taken: Arc::default() }
    }

    /// Takes a place for a person; none when all are taken, or as many as one person may have.
    pub fn take(&self, of: UserId) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(&of).copied().unwrap_or_default();
        if own >= self.most_of_one || taken.values().sum::<usize>() >= self.most {
            return None;
        }
        taken.insert(of, own.saturating_add(1));
        Some(Place { taken: Arc::clone(&self.taken), of })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.of) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                taken.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_takes_some_places_and_leaves_the_others_to_others() {
        let places = Places::new(3, 2);
        let (ada, bob, eve) = (UserId::from_bits(1), UserId::from_bits(2), UserId::from_bits(3));
        let first = places.take(ada).unwrap();
        let _second = places.take(ada).unwrap();
        assert!(places.take(ada).is_none(), "as many as one may have");
        let _third = places.take(bob).unwrap();
        assert!(places.take(eve).is_none(), "all are taken");
        drop(first);
        assert!(places.take(eve).is_some());
        assert!(places.take(ada).is_some());
    }
}
