//! Time and randomness: the only place that asks the world for either. Everything else takes them as values.

use std::sync::{Mutex, PoisonError};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use refundkit::{
    ConnectionId, Environment, EventId, InvitationId, KeyId, OrganizationId, RefundId, RequestId, Timestamp, UserId,
    api_key,
};
use tokio::time::Instant;

/// The clock and the randomness of this process. Cheap to share; ids made by one `Env` sort in the order they were made.
#[derive(Debug, Default)]
pub struct Env {
    source: Source,
    last_id: Mutex<IdClock>,
}

/// Where time and randomness come from.
#[derive(Debug, Default)]
enum Source {
    /// The machine.
    #[default]
    World,
    /// A simulation: the runtime's clock, which it can stop and move, and a seed.
    Simulation { began: Instant, began_at: Timestamp, random: Box<Mutex<StdRng>> },
}

#[derive(Debug, Default)]
struct IdClock {
    millis: u64,
    counter: u16,
}

/// Ids made within one millisecond, before the clock is pushed ahead.
const IDS_PER_MILLISECOND: u16 = 1 << 12;

macro_rules! new_ids {
    ($($function:ident -> $id:ident),+ $(,)?) => { $(
        #[doc = concat!("Makes a new [`", stringify!($id), "`].")]
        pub fn $function(&self) -> $id { $id::from_bits(self.id_bits()) }
    )+ };
}

impl Env {
    /// An `Env` for a simulation: its clock begins at this time and goes as the runtime's does, its randomness is the seed's.
    pub fn simulated(seed: u64, began_at: Timestamp) -> Self {
        let random = Box::new(Mutex::new(StdRng::seed_from_u64(seed)));
        Self { source: Source::Simulation { began: Instant::now(), began_at, random }, last_id: Mutex::default() }
    }

    /// The time, to the millisecond.
    pub fn now(&self) -> Timestamp {
        match &self.source {
            Source::World => {
                #[expect(clippy::disallowed_methods, reason = "this is the one place that asks for the time")]
                let now = jiff::Timestamp::now();
                Timestamp::from_millis(now.as_millisecond())
            }
            Source::Simulation { began, began_at, .. } => {
                began_at.plus_millis(i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX))
            }
        }
    }

    new_ids! {
        new_organization_id -> OrganizationId,
        new_key_id -> KeyId,
        new_connection_id -> ConnectionId,
        new_refund_id -> RefundId,
        new_event_id -> EventId,
        new_request_id -> RequestId,
        new_user_id -> UserId,
        new_invitation_id -> InvitationId,
    }

    /// Makes a new API key for an environment: its prefix and 32 random URL-safe characters.
    pub fn new_api_key(&self, environment: Environment) -> String {
        let random = self.random_text(api_key::KEY_RANDOM_CHARACTERS);
        format!("{}{random}", environment.key_prefix())
    }

    /// Random letters and digits.
    pub fn random_text(&self, characters: usize) -> String {
        const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let random = |below| match &self.source {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that asks for randomness")]
            Source::World => rand::rng().random_range(0..below),
            Source::Simulation { random, .. } => {
                random.lock().unwrap_or_else(PoisonError::into_inner).random_range(0..below)
            }
        };
        (0..characters).map(|_| char::from(ALPHABET[random(ALPHABET.len())])).collect()
    }

    /// Random bytes.
    pub fn random_bytes<const N: usize>(&self) -> [u8; N] {
        match &self.source {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that asks for randomness")]
            Source::World => rand::random(),
            Source::Simulation { random, .. } => random.lock().unwrap_or_else(PoisonError::into_inner).random(),
        }
    }

    /// The bits of a UUIDv7 that is larger than all before it, also when the clock stands or goes back.
    fn id_bits(&self) -> u128 {
        let now = u64::try_from(self.now().as_millis()).unwrap_or_default();
        let (millis, counter) = {
            let mut last = self.last_id.lock().unwrap_or_else(PoisonError::into_inner);
            if now > last.millis {
                *last = IdClock { millis: now, counter: 0 };
            } else if last.counter + 1 < IDS_PER_MILLISECOND {
                last.counter += 1;
            } else {
                *last = IdClock { millis: last.millis + 1, counter: 0 };
            }
            (last.millis, last.counter)
        };
        let random = u128::from(u64::from_be_bytes(self.random_bytes()) >> 2);
        (u128::from(millis) << 80) | (7 << 76) | (u128::from(counter) << 64) | (0b10 << 62) | random
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_process_sort_in_the_order_they_were_made() {
        let env = Env::default();
        let ids: Vec<_> = (0..20_000).map(|_| env.new_refund_id().to_string()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn new_keys_have_the_documented_form() {
        let key = Env::default().new_api_key(Environment::Live);
        assert_eq!(api_key::api_key_environment(&key), Some(Environment::Live));
    }
}
