//! Stripe's notifications: whether they are Stripe's, and what they say.
//!
//! An event is a hint to look at a refund again, never the truth about it: events arrive more than once and in any order. Its
//! delivery, storage and consequences live elsewhere.

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sha2::Sha256;

use crate::{
    Timestamp,
    processor::ProcessorRefund,
    processors::stripe::answers::{Identified, Reference, RefundBody},
};

/// How old a signature may be, in seconds, unless said otherwise: as in Stripe's own clients.
pub const TOLERANCE_SECONDS: i64 = 300;
/// The largest event that is read, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;
/// The longest `Stripe-Signature` header that is read, in bytes.
pub const SIGNATURE_HEADER_BYTES_MAX: usize = 4096;

/// Why an event is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// The body or the header is larger than is read.
    #[error(
        "The event is larger than {PAYLOAD_BYTES_MAX} bytes, or its signature header longer than {SIGNATURE_HEADER_BYTES_MAX}."
    )]
    TooLarge,
    /// The header has no timestamp, or no signature of the scheme `v1`.
    #[error("The Stripe-Signature header is not of the form t=…,v1=….")]
    MalformedSignature,
    /// No signature is of any of the secrets.
    #[error(
        "No signature matches: the event is not Stripe's, was changed on its way, or the webhook secret is another endpoint's."
    )]
    WrongSignature,
    /// The signature is right but old.
    #[error("The event was signed too long ago: it may be a replay, or this machine's clock is wrong.")]
    TooOld,
    /// The signature is right, but the body is not an event.
    #[error("The event is signed by Stripe but could not be read.")]
    Unreadable,
}

/// An event of Stripe's, in either of its forms: a snapshot that carries the object, or a thin one that only names it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StripeEvent {
    /// Its id (`evt_…`), the same in every delivery.
    pub id: String,
    /// What happened, in Stripe's word: `refund.updated`, `v1.refund.updated`.
    pub event_type: String,
    /// Whether it is about real money, where it says.
    pub livemode: Option<bool>,
    /// The connected account it is about, where it is about one.
    pub account: Option<String>,
    /// When it happened.
    pub created_at: Timestamp,
    /// The refund as it was then, where the event carries one.
    pub refund: Option<ProcessorRefund>,
    /// The charge concerned, where the event says: its own id for events about a charge, else the refund's or the dispute's.
    pub charge: Option<String>,
    /// The id of the object it is about.
    pub object_id: Option<String>,
    /// The idempotency key of the request that caused it: ties it to a call whose answer was lost.
    pub idempotency_key: Option<String>,
}

/// Checks that an event is Stripe's and reads it.
///
/// `payload` is the body as it arrived, byte for byte; `secrets` are all that are valid now (`whsec_…`). Signatures older than
/// `tolerance_seconds` are refused; ones from the future are not, as in Stripe's own clients.
///
/// ```
/// use refundkit::{Timestamp, processors::stripe::webhook};
///
/// let payload = br#"{"id":"evt_1","object":"event","type":"refund.updated","created":1700000000}"#;
/// let header = "t=1700000000,v1=fc29573a161a4257742d70218261efbdde04928fedbb09b62caf38f480485e3c";
/// let secrets = ["whsec_test".into()];
/// let now = Timestamp::from_seconds(1_700_000_010);
/// let event = webhook::verify(payload, header, &secrets, webhook::TOLERANCE_SECONDS, now)?;
/// assert_eq!(event.event_type, "refund.updated");
/// # Ok::<(), webhook::WebhookError>(())
/// ```
pub fn verify(
    payload: &[u8],
    signature_header: &str,
    secrets: &[SecretString],
    tolerance_seconds: i64,
    now: Timestamp,
) -> Result<StripeEvent, WebhookError> {
    if payload.len() > PAYLOAD_BYTES_MAX || signature_header.len() > SIGNATURE_HEADER_BYTES_MAX {
        return Err(WebhookError::TooLarge);
    }
    let signed = Signed::parse(signature_header).ok_or(WebhookError::MalformedSignature)?;
    if !secrets.iter().any(|secret| signed.is_by(secret, payload)) {
        return Err(WebhookError::WrongSignature);
    }
    if now.as_seconds().saturating_sub(signed.seconds) > tolerance_seconds {
        return Err(WebhookError::TooOld);
    }
    parse(payload).ok_or(WebhookError::Unreadable)
}

/// What a `Stripe-Signature` header says.
struct Signed<'a> {
    /// The timestamp as it was written: that text is what was signed.
    stamp: &'a str,
    seconds: i64,
    signatures: Vec<Vec<u8>>,
}

impl<'a> Signed<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let (mut stamp, mut signatures) = (None, Vec::new());
        for (scheme, value) in header.split(',').filter_map(|item| item.trim().split_once('=')) {
            match scheme {
                "t" => stamp = stamp.or(Some(value)),
                "v1" => signatures.extend(hex::decode(value)),
                _ => {}
            }
        }
        let stamp = stamp.filter(|_| !signatures.is_empty())?;
        Some(Self { stamp, seconds: stamp.parse().ok()?, signatures })
    }

    /// Whether one of the signatures is of this secret; compared in constant time.
    fn is_by(&self, secret: &SecretString, payload: &[u8]) -> bool {
        let Ok(keyed) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return false };
        let mac = keyed.chain_update(self.stamp).chain_update(b".").chain_update(payload);
        self.signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EventBody {
    id: Option<String>,
    object: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    livemode: Option<bool>,
    account: Option<String>,
    context: Option<String>,
    created: Option<Created>,
    data: Option<Data>,
    related_object: Option<Reference<Identified>>,
    request: Option<Reference<Cause>>,
    reason: Option<Reason>,
}

/// Seconds in a snapshot event, RFC 3339 in a thin one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Created {
    Seconds(i64),
    Text(String),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    object: Option<serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reason {
    request: Option<Reference<Cause>>,
}

/// The request that caused an event; in old accounts only its id.
#[derive(Deserialize)]
struct Cause {
    idempotency_key: Option<String>,
}

/// Reads an event of either form; none where it is neither.
fn parse(payload: &[u8]) -> Option<StripeEvent> {
    let body: EventBody = serde_json::from_slice(payload).ok()?;
    if !matches!(body.object.as_deref(), Some("event" | "v2.core.event")) {
        return None;
    }
    let object = body.data.and_then(|data| data.object).unwrap_or_default();
    let text = |name: &str| object.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    let refund = match text("object").as_deref() {
        Some("refund") => {
            serde_json::from_value::<RefundBody>(object.clone()).ok().and_then(|refund| refund.into_refund(None))
        }
        _ => None,
    };
    let charge = match text("object").as_deref() {
        Some("charge") => text("id"),
        _ => object.get("charge").and_then(id_of),
    };
    let cause = body.request.or(body.reason.and_then(|reason| reason.request));
    Some(StripeEvent {
        id: body.id.filter(|id| !id.is_empty())?,
        event_type: body.event_type?,
        livemode: body.livemode,
        account: body.account.or(body.context),
        created_at: match body.created? {
            Created::Seconds(seconds) => Timestamp::from_seconds(seconds),
            Created::Text(text) => text.parse().ok()?,
        },
        refund,
        charge,
        object_id: text("id").or(body.related_object.map(Reference::into_id)),
        idempotency_key: match cause {
            Some(Reference::Object(cause)) => cause.idempotency_key,
            Some(Reference::Id(_)) | None => None,
        },
    })
}

/// The id in a field that holds an id or the object.
fn id_of(value: &serde_json::Value) -> Option<String> {
    value.as_str().or_else(|| value.get("id")?.as_str()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RefundId, processor::ReportedStatus};

    const SIGNED_AT: i64 = 1_700_000_000;
    const PAYLOAD: &[u8] = br#"{"id":"evt_1","object":"event","type":"refund.updated","created":1700000000}"#;
    // Made with Python's hmac: hmac.new(secret, b"1700000000." + PAYLOAD, sha256).hexdigest().
    const BY_WHSEC_TEST: &str = "fc29573a161a4257742d70218261efbdde04928fedbb09b62caf38f480485e3c";

    fn verified(header: &str, secrets: &[&str], seconds_later: i64) -> Result<StripeEvent, WebhookError> {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| (*secret).into()).collect();
        verify(PAYLOAD, header, &secrets, TOLERANCE_SECONDS, Timestamp::from_seconds(SIGNED_AT + seconds_later))
    }

    #[test]
    fn any_signature_of_any_valid_secret_is_enough() {
        for header in [
            format!("t={SIGNED_AT},v1={BY_WHSEC_TEST}"),
            format!("t={SIGNED_AT}, v0=00, v1=aabb, v1={BY_WHSEC_TEST}, v2=zz"),
        ] {
            assert_eq!(verified(&header, &["whsec_test"], 0).unwrap().id, "evt_1");
            assert_eq!(verified(&header, &["whsec_old", "whsec_test"], 0).unwrap().id, "evt_1");
        }
    }

    #[test]
    fn what_is_not_signed_by_a_valid_secret_is_refused() {
        let right = format!("t={SIGNED_AT},v1={BY_WHSEC_TEST}");
        for (header, secrets) in [
            (right.as_str(), &["whsec_other"] as &[&str]),
            (&right, &[]),
            (&right.replace("v1=fc", "v1=fd"), &["whsec_test"]),
            (&right.replace("485e3c", "485e"), &["whsec_test"]),
            (&right.replace("t=1700000000", "t=1700000001"), &["whsec_test"]),
            (&right.replace("t=1700000000", "t=+1700000000"), &["whsec_test"]),
        ] {
            assert_eq!(verified(header, secrets, 0), Err(WebhookError::WrongSignature), "{header}");
        }
        let secrets = ["whsec_test".into()];
        let changed = [PAYLOAD, b" "].concat();
        let now = Timestamp::from_seconds(SIGNED_AT);
        assert_eq!(verify(&changed, &right, &secrets, TOLERANCE_SECONDS, now), Err(WebhookError::WrongSignature));
    }

    #[test]
    fn a_header_of_another_form_is_malformed() {
        for header in ["", "t=1700000000", "v1=aa", "t=x,v1=aa", "t=1700000000,v0=aa", "t=1700000000,v1=xyz", "garbage"]
        {
            assert_eq!(verified(header, &["whsec_test"], 0), Err(WebhookError::MalformedSignature), "{header}");
        }
        let long = "v1=aa,".repeat(SIGNATURE_HEADER_BYTES_MAX);
        assert_eq!(verified(&long, &["whsec_test"], 0), Err(WebhookError::TooLarge));
    }

    #[test]
    fn only_old_signatures_are_refused() {
        let header = format!("t={SIGNED_AT},v1={BY_WHSEC_TEST}");
        assert!(verified(&header, &["whsec_test"], 300).is_ok());
        assert_eq!(verified(&header, &["whsec_test"], 301), Err(WebhookError::TooOld));
        assert!(verified(&header, &["whsec_test"], -86_400).is_ok());
    }

    #[test]
    fn a_snapshot_of_a_refund_carries_it_and_the_key_of_its_request() {
        let id = RefundId::from_bits(7);
        let event = parse(
            format!(
                r#"{{"id":"evt_1","object":"event","type":"refund.failed","created":1700000000,"livemode":false,"account":"acct_1",
                "request":{{"id":"req_1","idempotency_key":"key-1"}},"data":{{"object":{{"id":"re_1","object":"refund",
                "amount":2500,"currency":"usd","charge":"ch_1","status":"failed","failure_reason":"declined",
                "metadata":{{"refundkit_refund_id":"{id}"}}}}}}}}"#
            )
            .as_bytes(),
        )
        .unwrap();
        assert_eq!((event.event_type.as_str(), event.livemode), ("refund.failed", Some(false)));
        assert_eq!((event.account.as_deref(), event.idempotency_key.as_deref()), (Some("acct_1"), Some("key-1")));
        assert_eq!((event.charge.as_deref(), event.object_id.as_deref()), (Some("ch_1"), Some("re_1")));
        let refund = event.refund.unwrap();
        assert_eq!((refund.status, refund.refund_id), (ReportedStatus::Failed, Some(id)));
    }

    #[test]
    fn a_snapshot_of_a_charge_names_the_charge_and_no_refund() {
        let event = parse(
            br#"{"id":"evt_1","object":"event","type":"charge.refunded","created":1,"request":"req_old",
            "data":{"object":{"id":"ch_1","object":"charge","amount_refunded":5}}}"#,
        )
        .unwrap();
        assert_eq!((event.charge.as_deref(), event.refund, event.idempotency_key), (Some("ch_1"), None, None));
        let dispute = parse(
            br#"{"id":"evt_2","object":"event","type":"charge.dispute.created","created":1,"request":null,
            "data":{"object":{"id":"du_1","object":"dispute","charge":{"id":"ch_2"}}}}"#,
        )
        .unwrap();
        assert_eq!((dispute.charge.as_deref(), dispute.object_id.as_deref()), (Some("ch_2"), Some("du_1")));
    }

    #[test]
    fn a_thin_event_names_its_object() {
        let event = parse(
            br#"{"id":"evt_t","object":"v2.core.event","type":"v1.refund.updated","created":"2026-02-22T10:30:00.000Z",
            "livemode":true,"context":"acct_9","related_object":{"id":"re_1","type":"refund","url":"/v1/refunds/re_1"},
            "reason":{"type":"request","request":{"id":"req_1","idempotency_key":"key-2"}}}"#,
        )
        .unwrap();
        assert_eq!((event.object_id.as_deref(), event.account.as_deref()), (Some("re_1"), Some("acct_9")));
        assert_eq!((event.created_at.as_seconds(), event.idempotency_key.as_deref()), (1_771_756_200, Some("key-2")));
        assert_eq!((event.livemode, event.refund), (Some(true), None));
    }

    #[test]
    fn what_is_signed_but_no_event_is_unreadable() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"id":"evt_1","object":"charge","type":"x","created":1}"#,
            r#"{"object":"event","type":"x","created":1}"#,
        ] {
            assert_eq!(parse(body.as_bytes()), None, "{body}");
        }
    }
}
