//! Notifications of RefundKit's: whether they are its own, and what they say; and how they are signed.
//!
//! Two signatures come with each: that of [Standard Webhooks](https://www.standardwebhooks.com), checked where it is there, and
//! `RefundKit-Signature`, of the form that Stripe's users know. Stripe's own notifications are the business of
//! `processors::stripe::webhook`, delivery is the server's.

#![expect(clippy::result_large_err, reason = "an error is made once a call, and callers match on its fields directly")]

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::{Environment, Error, ErrorCode, EventId, OrganizationId, Refund, Timestamp, refund::words};

/// How far a signature's time may be from now, in seconds, either way.
pub const TOLERANCE_SECONDS: i64 = 300;
/// The largest payload that is read, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;
/// The longest header that is read, in bytes.
pub const HEADER_BYTES_MAX: usize = 4096;
/// What secrets begin with.
const SECRET_PREFIX: &str = "whsec_";

words! {
    /// What a notification is about.
    WebhookEventType {
        /// A refund was asked for.
        Created = "refund.created",
        /// Any change without a name of its own.
        Updated = "refund.updated",
        /// The processor is executing it.
        Processing = "refund.processing",
        /// The processor executed it and expects it to arrive.
        Completed = "refund.completed",
        /// It will not reach the customer.
        Failed = "refund.failed",
        /// It was taken back.
        Cancelled = "refund.cancelled",
    }
}

/// A notification: what happened, and the refund as it was then. It may come more than once, and after a later one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct WebhookEvent {
    /// The event's id (`evt_…`), the same in every delivery of it.
    pub id: EventId,
    /// What it is about.
    #[serde(rename = "type")]
    pub event_type: WebhookEventType,
    /// The version of the payload's form.
    pub api_version: String,
    /// When it happened.
    pub created_at: Timestamp,
    /// The refund's environment.
    pub environment: Environment,
    /// The refund's organization.
    pub organization_id: OrganizationId,
    /// The refund as it was then. Read it again before acting on it: deliveries may overtake each other.
    pub data: Refund,
}

/// Checks that a notification is RefundKit's, and reads it.
///
/// `payload` is the body as it arrived, byte for byte; `header` finds a header by its lower-case name; `secrets` are all that
/// are valid now (`whsec_…`). `validation_error` for anything that is not to be believed.
///
/// ```
/// use refundkit::webhook;
///
/// # fn example(body: &[u8], headers: &std::collections::HashMap<String, String>) -> Result<(), refundkit::Error> {
/// let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()];
/// let event = webhook::verify(body, |name| headers.get(name).map(String::as_str), &secrets)?;
/// println!("{}: {} is {}", event.event_type, event.data.id, event.data.status);
/// # Ok(())
/// # }
/// # assert!(example(b"{}", &Default::default()).is_err());
/// ```
pub fn verify<'headers>(
    payload: &[u8],
    header: impl Fn(&str) -> Option<&'headers str>,
    secrets: &[SecretString],
) -> Result<WebhookEvent, Error> {
    verify_at(payload, header, secrets, TOLERANCE_SECONDS, now())
}

/// As [`verify`], with another tolerance and at another time.
pub fn verify_at<'headers>(
    payload: &[u8],
    header: impl Fn(&str) -> Option<&'headers str>,
    secrets: &[SecretString],
    tolerance_seconds: i64,
    now: Timestamp,
) -> Result<WebhookEvent, Error> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(refused("payload", &format!("The payload is larger than {PAYLOAD_BYTES_MAX} bytes."), None));
    }
    let usable = |secret: &SecretString| {
        secret.expose_secret().strip_prefix(SECRET_PREFIX).is_some_and(|random| !random.is_empty())
    };
    if secrets.is_empty() || !secrets.iter().all(usable) {
        let hint = "It is shown when the webhook endpoint is made, and when its secret is rotated.";
        return Err(refused("secret", "The webhook secret must begin with whsec_.", Some(hint)));
    }
    let header = |name: &str| header(name).filter(|text| text.len() <= HEADER_BYTES_MAX);
    let signed = Signed::standard(&header).or_else(|| Signed::own(&header)).ok_or_else(|| {
        let hint =
            "Pass all headers of the request; proxies must keep webhook-id, webhook-timestamp and webhook-signature.";
        refused("headers", "The request carries no signature of RefundKit.", Some(hint))
    })?;
    if !secrets.iter().any(|secret| signed.is_by(secret, payload)) {
        let message =
            "No signature matches: the notification is not of this endpoint, or its body was changed on the way.";
        let hint = "Verify the raw body, with the secret of the endpoint that it came to.";
        return Err(refused(signed.scheme.header(), message, Some(hint)));
    }
    if now.as_seconds().abs_diff(signed.seconds) > tolerance_seconds.unsigned_abs() {
        let message = "The signature is too old or from the future: a replay, or a clock that is wrong.";
        return Err(refused(signed.scheme.header(), message, None));
    }
    serde_json::from_slice(payload).map_err(|_| {
        let message = "The notification is signed but could not be read as an event.";
        refused("payload", message, Some("The server may be newer than this crate: update the crate."))
    })
}

/// What is sent with a notification, for one secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signature {
    /// One entry of `webhook-signature`: `v1,<base64>`. Several are separated by spaces.
    pub standard: String,
    /// One entry of `RefundKit-Signature`, after `t=<seconds>`: `v1=<hex>`. Several are separated by commas.
    pub own: String,
}

/// Signs a notification: what a server sends, and what a test of a receiver needs. `id` and `sent_at` are what `webhook-id` and
/// `webhook-timestamp` say. `validation_error` for a secret that is not `whsec_` and base64.
///
/// ```
/// use refundkit::{Timestamp, webhook};
///
/// let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into();
/// let sent_at = Timestamp::from_seconds(1_614_265_330);
/// let signature = webhook::sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", sent_at, br#"{"test": 2432232314}"#)?;
/// assert_eq!(signature.standard, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
/// # Ok::<(), refundkit::Error>(())
/// ```
pub fn sign(secret: &SecretString, id: &str, sent_at: Timestamp, payload: &[u8]) -> Result<Signature, Error> {
    let seconds = sent_at.as_seconds();
    let mac = |scheme: Scheme, before: String| {
        let keyed = scheme.keyed(secret).ok_or_else(|| {
            refused("secret", "The webhook secret must be whsec_ and what follows it in base64.", None)
        })?;
        Ok::<_, Error>(keyed.chain_update(before).chain_update(payload).finalize().into_bytes())
    };
    Ok(Signature {
        standard: format!("v1,{}", BASE64_STANDARD.encode(mac(Scheme::Standard, format!("{id}.{seconds}."))?)),
        own: format!("v1={}", hex::encode(mac(Scheme::Own, format!("{seconds}."))?)),
    })
}

#[derive(Debug, Clone, Copy)]
enum Scheme {
    Standard,
    Own,
}

impl Scheme {
    const fn header(self) -> &'static str {
        match self {
            Self::Standard => "webhook-signature",
            Self::Own => "refundkit-signature",
        }
    }

    /// The MAC under the key that a secret stands for: its random part, or the whole text.
    fn keyed(self, secret: &SecretString) -> Option<Hmac<Sha256>> {
        let text = secret.expose_secret();
        let random = text.strip_prefix(SECRET_PREFIX)?;
        let key = match self {
            Self::Standard => BASE64_STANDARD.decode(random).ok().filter(|key| !key.is_empty())?,
            Self::Own => text.as_bytes().to_vec(),
        };
        Hmac::new_from_slice(&key).ok()
    }
}

/// A signature as headers say it.
struct Signed {
    scheme: Scheme,
    seconds: i64,
    /// What is signed before the payload.
    before: String,
    signatures: Vec<Vec<u8>>,
}

impl Signed {
    fn standard<'a>(header: &impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let (id, stamp) = (header("webhook-id")?, header("webhook-timestamp")?);
        let signatures = header("webhook-signature")?
            .split(' ')
            .filter_map(|entry| BASE64_STANDARD.decode(entry.strip_prefix("v1,")?).ok())
            .collect();
        Some(Self { scheme: Scheme::Standard, seconds: seconds(stamp)?, before: format!("{id}.{stamp}."), signatures })
    }

    fn own<'a>(header: &impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let entries = || header("refundkit-signature").into_iter().flat_map(|text| text.split(','));
        let values = |name: &'static str| {
            entries().filter_map(move |entry| entry.trim().split_once('=').filter(|(key, _)| *key == name))
        };
        let (_, stamp) = values("t").next()?;
        let signatures = values("v1").filter_map(|(_, value)| hex::decode(value).ok()).collect();
        Some(Self { scheme: Scheme::Own, seconds: seconds(stamp)?, before: format!("{stamp}."), signatures })
    }

    /// Whether one of the signatures is of this secret; compared in constant time.
    fn is_by(&self, secret: &SecretString, payload: &[u8]) -> bool {
        let Some(keyed) = self.scheme.keyed(secret) else { return false };
        let mac = keyed.chain_update(&self.before).chain_update(payload);
        self.signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
    }
}

fn seconds(stamp: &str) -> Option<i64> {
    let plain = (1..=12).contains(&stamp.len()) && stamp.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| stamp.parse().ok()).flatten()
}

fn refused(field: &str, message: &str, hint: Option<&str>) -> Error {
    Error {
        field: Some(field.to_owned()),
        hint: hint.map(str::to_owned),
        ..Error::new(ErrorCode::ValidationError, message)
    }
}

#[expect(clippy::disallowed_methods, reason = "a receiver has no Env to ask")]
fn now() -> Timestamp {
    Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::vectors;

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        payload: String,
        headers: BTreeMap<String, String>,
        secrets: Vec<SecretString>,
        now: i64,
        result: String,
    }

    impl Vector {
        fn verified(&self) -> Result<WebhookEvent, Error> {
            let header = |name: &str| {
                self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
            };
            let now = Timestamp::from_seconds(self.now);
            verify_at(self.payload.as_bytes(), header, &self.secrets, TOLERANCE_SECONDS, now)
        }
    }

    #[test]
    fn notifications_are_believed_when_they_are_signed_fresh_and_whole() {
        for vector in vectors::read::<Vector>("webhooks") {
            let words = match vector.result.as_str() {
                "event" => {
                    assert_eq!(vector.verified().unwrap().event_type, WebhookEventType::Completed, "{}", vector.name);
                    continue;
                }
                "wrong_signature" => "No signature matches",
                "no_signature" => "carries no signature",
                "wrong_time" => "too old or from the future",
                "unreadable" => "could not be read as an event",
                "wrong_secret" => "must begin with whsec_",
                other => panic!("{other}"),
            };
            let error = vector.verified().unwrap_err();
            assert!(error.message.contains(words), "{}: {error}", vector.name);
            assert_eq!((error.code, error.status_code), (ErrorCode::ValidationError, None));
        }
    }

    #[test]
    fn what_is_signed_here_is_believed_here() {
        let vector =
            vectors::read::<Vector>("webhooks").into_iter().find(|vector| vector.name == "both forms").unwrap();
        let sent_at = Timestamp::from_seconds(vector.now);
        let signature =
            sign(&vector.secrets[0], &vector.headers["webhook-id"], sent_at, vector.payload.as_bytes()).unwrap();
        assert_eq!(signature.standard, vector.headers["webhook-signature"]);
        assert_eq!(format!("t={},{}", vector.now, signature.own), vector.headers["RefundKit-Signature"]);
        assert_eq!(sign(&"sk_test_abc".into(), "evt_1", sent_at, b"{}").unwrap_err().field.as_deref(), Some("secret"));
    }
}
