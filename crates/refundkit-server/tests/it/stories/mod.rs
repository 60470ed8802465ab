//! What happens to refunds, told from outside: over HTTP, with Stripe's answers and failures.

mod cancelling;
mod connections;
mod creating;
mod following;
mod instances;
mod keys;
mod news;
mod overview;
mod reading;
mod reconciling;
mod searching;
mod together;
mod trouble;
