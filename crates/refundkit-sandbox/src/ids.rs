//! Identifiers and dice, both derived from the seed and a counter: the same seed and requests give the same ids.

use serde::{Deserialize, Serialize};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID_CHARS: usize = 24;

/// Makes identifiers and draws, never the same one twice.
///
/// Object ids and request ids count separately, so that reads leave the ids of later objects alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ids {
    seed: u64,
    objects: u64,
    requests: u64,
    draws: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Ids {
        Ids { seed, objects: 0, requests: 0, draws: 0 }
    }

    /// A new object id, such as `re_` and 24 letters and digits.
    pub(crate) fn object(&mut self, prefix: &str) -> String {
        self.objects += 1;
        self.spell(prefix, 1, self.objects)
    }

    /// A new request id.
    pub(crate) fn request(&mut self) -> String {
        self.requests += 1;
        self.spell("req_", 2, self.requests)
    }

    /// A new number below `bound`; zero when the bound is zero.
    pub(crate) fn draw_below(&mut self, bound: u64) -> u64 {
        self.draws += 1;
        mix(mix(self.seed ^ (3 << 60)).wrapping_add(self.draws)).checked_rem(bound).unwrap_or(0)
    }

    fn spell(&self, prefix: &str, stream: u64, counter: u64) -> String {
        let mut state = mix(mix(self.seed ^ (stream << 60)).wrapping_add(counter));
        let mut id = String::with_capacity(prefix.len() + ID_CHARS);
        id.push_str(prefix);
        for _ in 0..ID_CHARS {
            state = mix(state);
            let position = usize::try_from(state % 62).unwrap_or(0);
            id.push(char::from(ALPHABET[position]));
        }
        id
    }
}

/// One step of SplitMix64: a bijection, so different inputs never collide.
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_spells_the_same_ids_and_another_seed_does_not() {
        let ids = |seed| {
            let mut ids = Ids::new(seed);
            (0..3).map(|_| ids.object("re_")).collect::<Vec<_>>()
        };
        assert_eq!(ids(7), ids(7));
        assert_ne!(ids(7), ids(8));
        assert_eq!(ids(7)[0].len(), 27);
    }

    #[test]
    fn reads_do_not_shift_the_ids_of_objects() {
        let mut quiet = Ids::new(1);
        let mut busy = Ids::new(1);
        busy.request();
        busy.draw_below(10);
        assert_eq!(quiet.object("ch_"), busy.object("ch_"));
    }
}
