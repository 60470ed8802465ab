//! What Stripe answers: the shapes of its objects, and what RefundKit takes from them.
//!
//! Every field is optional here because Stripe leaves out, nulls and adds fields by method and version; what a fact cannot
//! do without is asked for by name, and an answer that lacks it is unreadable. Errors are read in `errors`.

use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    Currency, Timestamp,
    processor::{Charge, ProcessorRefund, ReportedStatus},
};

/// The longest name of an account that is kept, in characters.
const ACCOUNT_NAME_CHARACTERS_MAX: usize = 200;

/// An answer that arrived whole.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) request_id: Option<String>,
    /// `Stripe-Should-Retry`, where Stripe says.
    pub(super) should_retry: Option<bool>,
    /// `Retry-After`, in whole seconds.
    pub(super) retry_after_seconds: Option<u32>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The body as JSON of that shape; none when it is not.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body)
            .inspect_err(|error| tracing::debug!(line = error.line(), column = error.column(), "unreadable answer"))
            .ok()
    }
}

/// A field that Stripe fills with an id, or with the object when it is expanded.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Reference<T> {
    Id(String),
    Object(T),
}

/// An expanded object of which only the id matters.
#[derive(Debug, Deserialize)]
pub(super) struct Identified {
    id: String,
}

impl Reference<Identified> {
    pub(super) fn into_id(self) -> String {
        match self {
            Self::Id(id) => id,
            Self::Object(object) => object.id,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RefundBody {
    pub(super) id: Option<String>,
    object: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
    charge: Option<Reference<Identified>>,
    status: Option<String>,
    failure_reason: Option<String>,
    metadata: Option<MetadataBody>,
    created: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MetadataBody {
    refundkit_refund_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ChargeBody {
    id: Option<String>,
    object: Option<String>,
    payment_intent: Option<Reference<Identified>>,
    amount: Option<i64>,
    amount_captured: Option<i64>,
    currency: Option<String>,
    captured: Option<bool>,
    paid: Option<bool>,
    refunded: Option<bool>,
    disputed: Option<bool>,
    livemode: Option<bool>,
    transfer: Option<serde::de::IgnoredAny>,
    transfer_data: Option<serde::de::IgnoredAny>,
    payment_method_details: Option<serde_json::Value>,
    created: Option<i64>,
    refunds: Option<ListBody>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PaymentIntentBody {
    pub(super) object: Option<String>,
    pub(super) latest_charge: Option<Reference<ChargeBody>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListBody {
    data: Option<Vec<RefundBody>>,
    has_more: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AccountBody {
    pub(super) id: Option<String>,
    pub(super) settings: Option<AccountSettings>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AccountSettings {
    dashboard: Option<DashboardSettings>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DashboardSettings {
    display_name: Option<String>,
}

impl AccountSettings {
    /// What people call the account.
    pub(super) fn name(self) -> Option<String> {
        let name = self.dashboard?.display_name?;
        let name: String = name.trim().chars().take(ACCOUNT_NAME_CHARACTERS_MAX).collect();
        Some(name).filter(|name| !name.is_empty())
    }
}

/// Stripe's word for where a refund stands.
pub(super) fn reported_status(word: Option<String>) -> ReportedStatus {
    match word.as_deref() {
        Some("succeeded") => ReportedStatus::Completed,
        Some("pending") => ReportedStatus::Processing,
        Some("requires_action") => ReportedStatus::RequiresAction,
        Some("failed") => ReportedStatus::Failed,
        Some("canceled") => ReportedStatus::Canceled,
        _ => ReportedStatus::Unrecognised(word.unwrap_or_default()),
    }
}

impl RefundBody {
    /// The refund; none where it is not one, or lacks its id, amount or currency.
    pub(super) fn into_refund(self, request_id: Option<&str>) -> Option<ProcessorRefund> {
        if self.object.as_deref().is_some_and(|object| object != "refund") {
            return None;
        }
        Some(ProcessorRefund {
            id: self.id.filter(|id| !id.is_empty())?,
            charge: self.charge.map(Reference::into_id),
            amount: self.amount?,
            currency: currency(self.currency)?,
            status: reported_status(self.status),
            failure_reason: self.failure_reason,
            refund_id: self.metadata.and_then(|metadata| metadata.refundkit_refund_id?.parse().ok()),
            created_at: Timestamp::from_seconds(self.created.unwrap_or_default()),
            request_id: request_id.map(str::to_owned),
        })
    }
}

/// A charge with what of its refunds came along, and whether there are more.
pub(super) struct PartialCharge {
    pub(super) charge: Charge,
    pub(super) has_more_refunds: bool,
}

impl ChargeBody {
    /// The charge; none where it is not one, or lacks what money is decided by.
    pub(super) fn into_charge(self, request_id: Option<&str>) -> Option<PartialCharge> {
        if self.object.as_deref().is_some_and(|object| object != "charge") {
            return None;
        }
        let (refunds, has_more_refunds) = match self.refunds {
            Some(list) => list.into_refunds(request_id)?,
            None => (Vec::new(), true),
        };
        let charge = Charge {
            id: self.id.filter(|id| !id.is_empty())?,
            payment_intent: self.payment_intent.map(Reference::into_id),
            amount: self.amount,
            amount_captured: self.amount_captured?,
            currency: currency(self.currency)?,
            captured: self.captured?,
            paid: self.paid?,
            refunded: self.refunded?,
            disputed: self.disputed.unwrap_or_default(),
            livemode: self.livemode?,
            has_transfer: self.transfer.is_some() || self.transfer_data.is_some(),
            payment_method: self.payment_method_details.as_ref().and_then(payment_method),
            created_at: Timestamp::from_seconds(self.created.unwrap_or_default()),
            refunds,
        };
        Some(PartialCharge { charge, has_more_refunds })
    }
}

impl ListBody {
    /// The refunds of the page and whether there are more; none where one of them is unreadable, because a refund that is
    /// skipped is money that is forgotten.
    pub(super) fn into_refunds(self, request_id: Option<&str>) -> Option<(Vec<ProcessorRefund>, bool)> {
        let refunds = self.data?.into_iter().map(|refund| refund.into_refund(request_id)).collect::<Option<_>>()?;
        Some((refunds, self.has_more?))
    }
}

/// How a charge was paid, as people recognise it. Every method has a shape of its own, so what is not there is left out.
fn payment_method(details: &serde_json::Value) -> Option<String> {
    let kind = details["type"].as_str()?;
    let name = match (kind, details[kind]["brand"].as_str()) {
        ("card" | "card_present", Some("visa")) => "Visa".to_owned(),
        ("card" | "card_present", Some("mastercard")) => "Mastercard".to_owned(),
        ("card" | "card_present", Some("amex")) => "American Express".to_owned(),
        ("card" | "card_present", Some("discover")) => "Discover".to_owned(),
        ("card" | "card_present", Some("diners")) => "Diners Club".to_owned(),
        ("card" | "card_present", Some("jcb")) => "JCB".to_owned(),
        ("card" | "card_present", Some("unionpay")) => "UnionPay".to_owned(),
        ("card" | "card_present", _) => "Card".to_owned(),
        ("sepa_debit", _) => "SEPA direct debit".to_owned(),
        (other, _) => other.replace('_', " "),
    };
    Some(match details[kind]["last4"].as_str() {
        Some(last4) => format!("{name} •••• {last4}"),
        None => name,
    })
}

fn currency(code: Option<String>) -> Option<Currency> {
    code?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RefundId, RefundStatus, vectors};

    fn answer(body: &str) -> Answer {
        Answer { status: 200, body: body.as_bytes().to_vec(), ..Answer::default() }
    }

    fn refund(body: &str) -> Option<ProcessorRefund> {
        answer(body).json::<RefundBody>()?.into_refund(Some("req_1"))
    }

    fn charge(body: &str) -> Option<PartialCharge> {
        answer(body).json::<ChargeBody>()?.into_charge(None)
    }

    #[test]
    fn statuses_map_as_documented() {
        for (word, status) in vectors::read::<(Option<String>, RefundStatus)>("stripeStatuses") {
            assert_eq!(reported_status(word.clone()).status(), status, "{word:?}");
        }
        assert_eq!(reported_status(Some("new".to_owned())), ReportedStatus::Unrecognised("new".to_owned()));
    }

    #[test]
    fn a_refund_is_read_with_absent_null_expanded_and_new_fields() {
        let id = RefundId::from_bits(7);
        let read = refund(&format!(
            r#"{{"id":"re_1","object":"refund","amount":2500,"currency":"usd","charge":{{"id":"ch_1","object":"charge"}},
                "status":"failed","failure_reason":"expired_or_canceled_card","created":1700000000,"receipt_number":null,
                "metadata":{{"refundkit_refund_id":"{id}","order":"7"}},"invented":[1]}}"#
        ))
        .unwrap();
        assert_eq!((read.charge.as_deref(), read.refund_id), (Some("ch_1"), Some(id)));
        assert_eq!(
            (read.status, read.failure_reason.as_deref()),
            (ReportedStatus::Failed, Some("expired_or_canceled_card"))
        );
        assert_eq!((read.created_at.as_seconds(), read.request_id.as_deref()), (1_700_000_000, Some("req_1")));

        let bare =
            refund(r#"{"id":"pyr_1","amount":1,"currency":"eur","charge":"py_1","metadata":null,"status":null}"#)
                .unwrap();
        assert_eq!((bare.charge.as_deref(), bare.refund_id, bare.failure_reason), (Some("py_1"), None, None));
    }

    #[test]
    fn what_lacks_an_id_an_amount_or_a_currency_is_not_a_refund() {
        for body in [
            "",
            "null",
            "[]",
            "<html>",
            r#"{"id":"re_1"}"#,
            r#"{"id":"","amount":1,"currency":"usd"}"#,
            r#"{"id":"re_1","amount":1}"#,
            r#"{"id":"re_1","amount":1.5,"currency":"usd"}"#,
            r#"{"id":"re_1","amount":1,"currency":"dollars"}"#,
            r#"{"id":"ch_1","object":"charge","amount":1,"currency":"usd"}"#,
        ] {
            assert_eq!(refund(body), None, "{body}");
        }
    }

    #[test]
    fn a_charge_is_read_whole_or_not_at_all() {
        let whole = r#"{"id":"py_1","object":"charge","payment_intent":"pi_1","amount":5000,"amount_captured":5000,"currency":"eur",
            "captured":true,"paid":true,"refunded":false,"disputed":true,"livemode":false,"created":1700000000,"transfer_data":null,
            "refunds":{"object":"list","data":[{"id":"re_1","amount":10,"currency":"eur"}],"has_more":false}}"#;
        let read = charge(whole).unwrap();
        assert_eq!((read.charge.amount_captured, read.charge.disputed, read.charge.has_transfer), (5000, true, false));
        assert_eq!((read.charge.refunds.len(), read.has_more_refunds), (1, false));
        let unpaid = charge(&whole.replace(r#""amount_captured":5000"#, r#""amount_captured":0"#)).unwrap().charge;
        assert_eq!((unpaid.amount, unpaid.amount_captured), (Some(5000), 0));

        let destination = whole.replace(r#""transfer_data":null"#, r#""transfer_data":{"destination":"acct_1"}"#);
        assert!(charge(&destination).unwrap().charge.has_transfer);
        let unexpanded = whole.replace(r#""refunds":{"#, r#""other":{"#);
        assert!(charge(&unexpanded).unwrap().has_more_refunds);
        for field in ["id", "amount_captured", "currency", "captured", "paid", "refunded", "livemode"] {
            assert!(charge(&whole.replacen(&format!("\"{field}\":"), "\"x\":", 1)).is_none(), "{field}");
        }
    }

    #[test]
    fn how_a_charge_was_paid_is_told_as_people_recognise_it() {
        for (details, told) in [
            (r#"{"type":"card","card":{"brand":"visa","last4":"4242"}}"#, Some("Visa •••• 4242")),
            (r#"{"type":"card","card":{"brand":"newest","last4":"0001"}}"#, Some("Card •••• 0001")),
            (r#"{"type":"sepa_debit","sepa_debit":{"last4":"3000"}}"#, Some("SEPA direct debit •••• 3000")),
            (r#"{"type":"us_bank_account"}"#, Some("us bank account")),
            (r#"{"type":"card","card":"odd"}"#, Some("Card")),
            (r#""odd""#, None),
            ("{}", None),
        ] {
            assert_eq!(payment_method(&serde_json::from_str(details).unwrap()).as_deref(), told, "{details}");
        }
    }

    #[test]
    fn one_unreadable_refund_makes_the_list_unreadable() {
        let list = |body: &str| answer(body).json::<ListBody>()?.into_refunds(None);
        assert_eq!(list(r#"{"data":[],"has_more":false}"#), Some((Vec::new(), false)));
        assert_eq!(list(r#"{"data":[{"id":"re_1"}],"has_more":false}"#), None);
        assert_eq!(list(r#"{"data":[]}"#), None);
        assert_eq!(list("{}"), None);
    }
}
