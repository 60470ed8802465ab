//! What becomes of refunds when everything goes wrong at once: the real handlers, workers and rows, on a clock that the simulation
//! moves, with the sandbox's model where Stripe is. Processes die between any two steps, commits fail, Stripe answers late, twice,
//! wrongly or never, people refund by hand, callers repeat themselves. Afterwards the books must agree to the cent.
//!
//! A seed is a whole story, and tells it the same way every time. One that fails is printed; it becomes a test with a name here.
//!
//! * `story`: what happens in a story, drawn from its seed.
//! * `life`: one life of the server's process, from start to death or end.
//! * `stripe`: the sandbox's model as a carrier of requests.
//! * `caller`: who asks for refunds, and what they were told.
//! * `twice`: workers that do every job twice.
//! * `verdict`: what must hold at the end.

mod caller;
mod life;
mod story;
mod stripe;
mod twice;
mod verdict;

pub(crate) use verdict::all_refunds;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// Stories told when nobody asks for more.
const STORIES: u64 = 250;
/// Threads that tell them.
const TELLERS: usize = 2;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text}")))
}

/// `REFUNDKIT_SIMULATION_STORIES=100000` tells more, `REFUNDKIT_SIMULATION_SEED=7` begins elsewhere.
#[test]
fn whatever_dies_nothing_is_refunded_twice_lost_or_misreported() {
    let stories = number("REFUNDKIT_SIMULATION_STORIES").unwrap_or(STORIES);
    let first = number("REFUNDKIT_SIMULATION_SEED").unwrap_or(1);
    let next = AtomicU64::new(first);
    let told = Mutex::new(story::Told::default());
    let broken = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..TELLERS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + stories || broken.lock().unwrap().len() >= 5 {
                        return;
                    }
                    match catch_unwind(AssertUnwindSafe(|| story::tell(seed))) {
                        Ok(Ok(one)) => told.lock().unwrap().add(&one),
                        Ok(Err(wrong)) => broken.lock().unwrap().push(format!("seed {seed}: {wrong}")),
                        Err(_) => broken.lock().unwrap().push(format!("seed {seed}: it panicked")),
                    }
                }
            });
        }
    });
    let (told, broken) = (told.into_inner().unwrap(), broken.into_inner().unwrap());
    println!("{told:?}");
    assert!(
        broken.is_empty(),
        "{}\nOne story: REFUNDKIT_SIMULATION_SEED=… REFUNDKIT_SIMULATION_STORIES=1",
        broken.join("\n")
    );
    // A simulation in which nothing goes wrong proves nothing.
    assert!(told.deaths * 2 > stories && told.refunds > stories && told.made > stories, "{told:?}");
}

#[test]
fn a_story_is_told_the_same_way_every_time() {
    for seed in [3, 4, 5] {
        assert_eq!(story::tell(seed).unwrap(), story::tell(seed).unwrap(), "seed {seed}");
    }
}
