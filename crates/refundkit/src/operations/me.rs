//! Who am I.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Effect, Identity, Method, Operation, Scope};

/// Says whose key this is, where it works and what it may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct GetMe {}

impl Operation for GetMe {
    const NAME: &'static str = "get_me";
    const TAG: &'static str = "API keys";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/me";
    const SCOPE: Scope = Scope::Read;
    const EFFECT: Effect = Effect::Read;
    type Output = Identity;
}
