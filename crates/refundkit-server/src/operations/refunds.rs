//! Reading several refunds at once.

use std::borrow::Cow;

use refundkit::{Effect, Method, Operation, RefundId, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AskedRefund;

/// Reads refunds by their ids, with who asked for them, in the order of the ids; those that do not exist are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadRefunds {
    /// The refunds' ids (`ref_…`), at most 100.
    pub ids: RefundIds,
}

impl Operation for ReadRefunds {
    const NAME: &'static str = "read_refunds";
    const TAG: &'static str = "Refunds";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "";
    const SCOPE: Scope = Scope::Read;
    const EFFECT: Effect = Effect::Read;
    type Output = Vec<AskedRefund>;
}

/// At most 100 ids of refunds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RefundIds(Vec<RefundId>);

/// The most ids: as many as the longest page has rows.
pub const REFUND_IDS_MAX: usize = refundkit::page::LIMIT_MAX as usize;

impl RefundIds {
    /// Accepts at most 100.
    pub fn new(ids: Vec<RefundId>) -> Option<Self> {
        (ids.len() <= REFUND_IDS_MAX).then_some(Self(ids))
    }

    /// The ids.
    pub fn as_slice(&self) -> &[RefundId] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for RefundIds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?)
            .ok_or_else(|| serde::de::Error::custom(format_args!("must not be more than {REFUND_IDS_MAX} ids")))
    }
}

impl JsonSchema for RefundIds {
    fn schema_name() -> Cow<'static, str> {
        "RefundIds".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let id = RefundId::json_schema(generator);
        schemars::json_schema!({ "type": "array", "items": id, "maxItems": REFUND_IDS_MAX })
    }
}
