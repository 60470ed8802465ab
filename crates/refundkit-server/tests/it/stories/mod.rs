//! What happens to refunds, told from outside: over HTTP, with Stripe's answers and failures.

mod cancelling;
mod creating;
mod following;
mod instances;
mod keys;
mod reading;
mod trouble;
