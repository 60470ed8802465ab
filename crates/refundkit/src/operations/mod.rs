//! The operations of the HTTP API, a file for each noun. Fields are the input; the doc comment is the description.

pub mod api_keys;
pub mod logs;
pub mod me;
pub mod policies;
pub mod processors;
pub mod refunds;
pub mod transactions;

pub use api_keys::{CreateApiKey, ListApiKeys, RevokeApiKey};
pub use logs::ListLogs;
pub use me::GetMe;
pub use policies::CheckPolicy;
pub use processors::{ConnectStripe, DisconnectStripe, ListProcessors, TestStripe};
pub use refunds::{CancelRefund, CreateRefund, GetRefund, ListRefundEvents, ListRefunds};
pub use transactions::GetTransaction;
