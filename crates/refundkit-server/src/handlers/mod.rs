//! What the operations do, a file for each noun: load, decide, record, answer. The rules are in `refundkit_core`.

pub mod api_keys;
pub mod askers;
pub mod logs;
pub mod looks;
pub mod me;
pub mod members;
pub mod notifications;
pub mod organizations;
pub mod overview;
pub mod pages;
pub mod policies;
pub mod processors;
pub mod refunds;
pub mod search;
pub mod transactions;
