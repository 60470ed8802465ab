//! What an operation is: a struct whose fields are the input, and a few facts about it.
//!
//! Servers route by these facts, clients send by them, and the API description is derived from them. What an operation
//! does lives in the server.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::refund::words;

words! {
    /// What a key may do; each scope includes the ones before it.
    Scope {
        /// Read refunds, transactions, policies and events.
        Read = "read",
        /// Create and cancel refunds.
        Write = "write",
        /// Everything else: keys, processors, logs.
        Admin = "admin",
    }
}

/// The HTTP method of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET: the input travels in path and query.
    Get,
    /// POST: the input travels in path and JSON body.
    Post,
    /// PUT: as POST.
    Put,
    /// DELETE: the input travels in path and query.
    Delete,
}

impl Method {
    /// The method's name in HTTP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// Whether the input that is not in the path travels in a JSON body.
    pub const fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put)
    }
}

/// What an operation does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Changes something; a repeat with the same `Idempotency-Key` changes nothing more.
    WriteOnce,
    /// Changes something; a repeat changes nothing more by its nature.
    WriteIdempotent,
}

/// One operation of the API. The doc comment of the struct is its description.
pub trait Operation: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Its name, verb and noun: the `operationId` of the API description.
    const NAME: &'static str;
    /// The noun it belongs to, as a heading of the reference.
    const TAG: &'static str;
    /// Its HTTP method.
    const METHOD: Method;
    /// Its path; `{field}` is filled from the field of that name.
    const PATH: &'static str;
    /// What a key must be allowed to do.
    const SCOPE: Scope;
    /// What it does to the world.
    const EFFECT: Effect;
    /// What it answers.
    type Output: Serialize + DeserializeOwned + JsonSchema + Send;
}

/// Gives an operation a method for each field that may be left out, so that it can be written in one expression and may grow.
macro_rules! setters {
    ($name:ident { $($field:ident: $type:ty,)+ }) => {
        impl $name {
            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](", stringify!($name), "::", stringify!($field), ").")]
                #[must_use]
                pub fn $field(mut self, value: $type) -> Self {
                    self.$field = Some(value);
                    self
                }
            )+
        }
    };
}
pub(crate) use setters;
