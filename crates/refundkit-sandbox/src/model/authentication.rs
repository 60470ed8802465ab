//! Who asks, and whether they may: keys, connected accounts, and the permissions of restricted keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Model, Place};
use crate::errors::StripeError;
use crate::request::{Method, Request};

/// A request's key, resolved to the books it opens.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) place: Place,
    secret: String,
    missing_permissions: Vec<String>,
}

impl Model {
    /// Finds the caller, or says what is wrong with their key.
    pub(crate) fn authenticate(&self, request: &Request) -> Result<Caller, StripeError> {
        let secret = request.authorization.as_deref().and_then(secret_of).ok_or_else(StripeError::no_api_key)?;
        let api_key = self.api_keys.get(&secret).ok_or_else(|| StripeError::invalid_api_key(&masked(&secret)))?;
        if api_key.expired {
            return Err(StripeError::expired_api_key(&masked(&secret)));
        }
        let account = match request.stripe_account.as_deref() {
            Some(account) if account != api_key.account => {
                let profile = self.accounts.get(account).map(|account| &account.profile);
                if profile.and_then(|profile| profile.platform.as_ref()) != Some(&api_key.account) {
                    return Err(StripeError::no_access_to_account(&masked(&secret), account));
                }
                account.to_owned()
            }
            _ => api_key.account.clone(),
        };
        Ok(Caller {
            place: Place { account, livemode: api_key.livemode },
            missing_permissions: api_key.missing_permissions.clone(),
            secret,
        })
    }
}

/// Refuses a restricted key that lacks the endpoint's right.
pub(crate) fn check_permission(caller: &Caller, method: Method, segments: &[&str]) -> Result<(), StripeError> {
    match permission_for(method, segments) {
        Some(permission) if caller.missing_permissions.iter().any(|missing| missing == permission) => {
            Err(StripeError::missing_permission(&masked(&caller.secret), &caller.place.account, permission))
        }
        _ => Ok(()),
    }
}

/// The right an endpoint asks of a restricted key.
fn permission_for(method: Method, segments: &[&str]) -> Option<&'static str> {
    let reads = method == Method::Get;
    Some(match *segments.first()? {
        "charges" | "refunds" | "disputes" | "test_helpers" => {
            if reads {
                "rak_charge_read"
            } else {
                "rak_charge_write"
            }
        }
        "payment_intents" => {
            if reads {
                "rak_payment_intent_read"
            } else {
                "rak_payment_intent_write"
            }
        }
        "webhook_endpoints" => {
            if reads {
                "rak_webhook_read"
            } else {
                "rak_webhook_write"
            }
        }
        "account" => "rak_accounts_kyc_basic_read",
        "balance" => "rak_balance_read",
        "events" => "rak_event_read",
        _ => return None,
    })
}

/// The key in `Bearer <key>`, or the user in `Basic base64(<key>:)`.
fn secret_of(authorization: &str) -> Option<String> {
    let (scheme, rest) = authorization.split_once(' ')?;
    let secret = if scheme.eq_ignore_ascii_case("bearer") {
        rest.trim().to_owned()
    } else if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
        decoded.split(':').next()?.to_owned()
    } else {
        return None;
    };
    (!secret.is_empty()).then_some(secret)
}

/// The key as Stripe repeats it: its kind, stars, and the last four characters.
fn masked(secret: &str) -> String {
    let kind_ends = ["_test_", "_live_"].iter().find_map(|mode| secret.find(mode).map(|at| at + mode.len()));
    let (kind, rest) = secret.split_at(kind_ends.unwrap_or(0));
    let hidden = rest.chars().count().saturating_sub(4);
    if hidden < 4 {
        return format!("{kind}{}", "*".repeat(rest.chars().count()));
    }
    let last: String = rest.chars().skip(hidden).collect();
    format!("{kind}{}{last}", "*".repeat(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_key_shows_its_kind_and_four_characters() {
        assert_eq!(masked("sk_test_abcdefghAso0"), "sk_test_********Aso0");
        assert_eq!(masked("rk_live_short"), "rk_live_*****");
        assert_eq!(masked("nonsense-key"), "********-key");
    }

    #[test]
    fn keys_are_read_from_both_schemes() {
        assert_eq!(secret_of("Bearer sk_test_1").as_deref(), Some("sk_test_1"));
        assert_eq!(secret_of("Basic c2tfdGVzdF8xOg==").as_deref(), Some("sk_test_1"));
        assert_eq!(secret_of("Digest x"), None);
        assert_eq!(secret_of("Bearer "), None);
    }
}
