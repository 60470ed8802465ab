//! What happens to refunds, told from outside: over HTTP, with Stripe's answers and failures.

mod cancelling;
mod creating;
mod following;
mod instances;
mod keys;
mod news;
mod reading;
mod reconciling;
mod together;
mod trouble;
