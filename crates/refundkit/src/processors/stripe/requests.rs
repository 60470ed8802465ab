//! What is asked of Stripe: paths, queries, and the exact bytes of the request that makes a refund.
//!
//! Pure. How it is sent lives in `exchange`.

use form_urlencoded::Serializer;

use crate::{
    RefundReason, StripeConnect, TransactionId,
    processor::{PreparedRefund, RefundRequest},
    processors::{RefundQuery, stripe::ids},
};

/// The version of Stripe's API that RefundKit is written for, sent with every call: without it the account's own applies.
pub const API_VERSION: &str = "2026-10-28.endive";
/// The metadata key under which a refund at Stripe carries its id in RefundKit.
pub const REFUND_ID_METADATA_KEY: &str = "refundkit_refund_id";

/// The most refunds on a page, by Stripe's rule.
pub(super) const PAGE_MAX: u32 = 100;

/// One call, as it is sent in every try.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: reqwest::Method,
    /// The path without ids, for logs.
    pub(super) template: &'static str,
    /// The path and query.
    pub(super) target: String,
    pub(super) body: Option<String>,
    pub(super) idempotency_key: Option<String>,
    pub(super) api_version: String,
    pub(super) account: Option<String>,
}

impl Request {
    fn get(template: &'static str, target: String, account: Option<&str>) -> Self {
        Self {
            method: reqwest::Method::GET,
            template,
            target,
            body: None,
            idempotency_key: None,
            api_version: API_VERSION.to_owned(),
            account: account.map(str::to_owned),
        }
    }

    // A transaction id stands in a path as it is: its type admits nothing that would need encoding.

    pub(super) fn charge(id: &TransactionId, account: Option<&str>) -> Self {
        let query = form(&[("expand[]", "refunds")]);
        Self::get("/v1/charges/{id}", format!("/v1/charges/{id}?{query}"), account)
    }

    pub(super) fn payment_intent(id: &TransactionId, account: Option<&str>) -> Self {
        let query = form(&[("expand[]", "latest_charge"), ("expand[]", "latest_charge.refunds")]);
        Self::get("/v1/payment_intents/{id}", format!("/v1/payment_intents/{id}?{query}"), account)
    }

    /// None where the id cannot stand in a path.
    pub(super) fn refund(id: &str, account: Option<&str>) -> Option<Self> {
        Some(Self::get("/v1/refunds/{id}", format!("/v1/refunds/{}", ids::path_segment(id)?), account))
    }

    pub(super) fn refunds(query: &RefundQuery, account: Option<&str>) -> Self {
        let mut form = Serializer::new(String::new());
        if let Some(charge) = &query.charge {
            form.append_pair("charge", charge);
        }
        if let Some(from) = query.created_from {
            form.append_pair("created[gte]", &from.as_seconds().to_string());
        }
        if let Some(to) = query.created_to {
            form.append_pair("created[lte]", &to.as_seconds().to_string());
        }
        form.append_pair("limit", &query.limit.clamp(1, PAGE_MAX).to_string());
        if let Some(last) = &query.starting_after {
            form.append_pair("starting_after", last);
        }
        Self::get("/v1/refunds", format!("/v1/refunds?{}", form.finish()), account)
    }

    pub(super) fn own_account(account: Option<&str>) -> Self {
        Self::get("/v1/account", "/v1/account".to_owned(), account)
    }

    /// Reads one PaymentIntent of any, to see whether the key may.
    pub(super) fn one_payment_intent(account: Option<&str>) -> Self {
        Self::get("/v1/payment_intents", "/v1/payment_intents?limit=1".to_owned(), account)
    }

    /// Changes nothing of a refund that cannot exist, to see whether the key might change one: refused in any case, and the
    /// refusal says which permission is missing, if one is. Stripe's own ids have no `_` after their prefix.
    pub(super) fn touch_no_refund(account: Option<&str>) -> Self {
        Self {
            method: reqwest::Method::POST,
            body: Some(String::new()),
            ..Self::get("/v1/refunds/{id}", "/v1/refunds/re_refundkit_permission_check".to_owned(), account)
        }
    }

    pub(super) fn submit(prepared: &PreparedRefund) -> Self {
        Self {
            method: reqwest::Method::POST,
            template: "/v1/refunds",
            target: "/v1/refunds".to_owned(),
            body: Some(prepared.body.clone()),
            idempotency_key: Some(prepared.idempotency_key.clone()),
            api_version: prepared.api_version.clone(),
            account: prepared.account.clone(),
        }
    }

    /// None where the id cannot stand in a path.
    pub(super) fn cancel(id: &str, idempotency_key: &str, account: Option<&str>) -> Option<Self> {
        Some(Self {
            method: reqwest::Method::POST,
            template: "/v1/refunds/{id}/cancel",
            target: format!("/v1/refunds/{}/cancel", ids::path_segment(id)?),
            body: Some(String::new()),
            idempotency_key: Some(idempotency_key.to_owned()),
            api_version: API_VERSION.to_owned(),
            account: account.map(str::to_owned),
        })
    }
}

/// The reason that Stripe is told. None where it has no equivalent: the parameter is then omitted.
///
/// Never `fraudulent`, which would put the customer on the account's block lists.
pub const fn stripe_reason(reason: RefundReason) -> Option<&'static str> {
    match reason {
        RefundReason::DuplicateCharge => Some("duplicate"),
        RefundReason::ProductNotReceived
        | RefundReason::ProductDefective
        | RefundReason::WrongProduct
        | RefundReason::CustomerRequest
        | RefundReason::SizingIssue
        | RefundReason::ItemNotAsDescribed
        | RefundReason::OrderCancelled => Some("requested_by_customer"),
        RefundReason::SubscriptionCancelled
        | RefundReason::Other
        | RefundReason::AgentError
        | RefundReason::PriceChange
        | RefundReason::ReturnWindowClosing => None,
    }
}

/// The request that makes a refund: charge, amount, reason, metadata in the order given, then what the connection says.
pub(super) fn prepare_refund(request: &RefundRequest, connect: &StripeConnect) -> PreparedRefund {
    let mut form = Serializer::new(String::new());
    form.append_pair("charge", &request.charge);
    form.append_pair("amount", &request.amount.to_string());
    if let Some(reason) = stripe_reason(request.reason) {
        form.append_pair("reason", reason);
    }
    for (key, value) in &request.metadata {
        form.append_pair(&format!("metadata[{key}]"), value);
    }
    for (name, said) in
        [("reverse_transfer", connect.reverse_transfer), ("refund_application_fee", connect.refund_application_fee)]
    {
        if let Some(said) = said {
            form.append_pair(name, if said { "true" } else { "false" });
        }
    }
    PreparedRefund {
        idempotency_key: request.idempotency_key.clone(),
        body: form.finish(),
        api_version: API_VERSION.to_owned(),
        account: connect.account.clone(),
        amount: request.amount.minor(),
        currency: request.currency,
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Amount, Metadata, Timestamp, vectors};

    fn request(reason: RefundReason, metadata: &[(&str, &str)]) -> RefundRequest {
        RefundRequest {
            charge: "ch_1".to_owned(),
            amount: Amount::new(2500).unwrap(),
            currency: "usd".parse().unwrap(),
            reason,
            metadata: metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            idempotency_key: "key-1".to_owned(),
        }
    }

    #[test]
    fn reasons_map_as_documented() {
        let reasons = vectors::read::<(RefundReason, Option<String>)>("stripeReasons");
        assert_eq!(reasons.len(), RefundReason::ALL.len());
        for (reason, expected) in reasons {
            assert_eq!(stripe_reason(reason), expected.as_deref(), "{reason}");
        }
    }

    #[derive(serde::Deserialize)]
    struct Written {
        charge: String,
        amount: Amount,
        reason: RefundReason,
        metadata: Metadata,
        body: String,
    }

    #[test]
    fn refunds_are_written_as_everywhere() {
        for written in vectors::read::<Written>("stripeBodies") {
            let metadata = written.metadata.iter().map(|(key, value)| (key.to_owned(), value.to_string())).collect();
            let request = RefundRequest {
                charge: written.charge,
                amount: written.amount,
                metadata,
                ..request(written.reason, &[])
            };
            assert_eq!(prepare_refund(&request, &StripeConnect::default()).body, written.body);
        }
    }

    #[test]
    fn the_bytes_of_a_refund_are_these() {
        let metadata = [("refundkit_refund_id", "ref_1"), ("order", "A&B=ü 7"), ("a", "")];
        let prepared = prepare_refund(&request(RefundReason::ProductDefective, &metadata), &StripeConnect::default());
        assert_eq!(
            prepared.body,
            "charge=ch_1&amount=2500&reason=requested_by_customer&metadata%5Brefundkit_refund_id%5D=ref_1\
             &metadata%5Border%5D=A%26B%3D%C3%BC+7&metadata%5Ba%5D="
        );
        assert_eq!((prepared.idempotency_key.as_str(), prepared.api_version.as_str()), ("key-1", API_VERSION));
        assert_eq!((prepared.account, prepared.amount, prepared.currency.as_str()), (None, 2500, "usd"));
    }

    #[test]
    fn a_reason_without_equivalent_is_omitted_and_connect_says_who_pays() {
        let connect = StripeConnect {
            account: Some("acct_1".to_owned()),
            reverse_transfer: Some(true),
            refund_application_fee: Some(false),
        };
        let prepared = prepare_refund(&request(RefundReason::Other, &[]), &connect);
        assert_eq!(prepared.body, "charge=ch_1&amount=2500&reverse_transfer=true&refund_application_fee=false");
        assert_eq!(prepared.account.as_deref(), Some("acct_1"));
    }

    #[test]
    fn reads_name_what_they_want() {
        let id = |id: &str| id.parse::<TransactionId>().unwrap();
        assert_eq!(Request::charge(&id("py_1"), None).target, "/v1/charges/py_1?expand%5B%5D=refunds");
        assert_eq!(
            Request::payment_intent(&id("pi_1"), None).target,
            "/v1/payment_intents/pi_1?expand%5B%5D=latest_charge&expand%5B%5D=latest_charge.refunds"
        );
        let query = RefundQuery {
            charge: Some("ch_1".to_owned()),
            created_from: Some(Timestamp::from_millis(1_700_000_000_999)),
            created_to: Some(Timestamp::from_seconds(1_700_000_060)),
            starting_after: Some("re_9".to_owned()),
            limit: 1000,
        };
        let target = Request::refunds(&query, None).target;
        assert_eq!(
            target,
            "/v1/refunds?charge=ch_1&created%5Bgte%5D=1700000000&created%5Blte%5D=1700000060&limit=100&starting_after=re_9"
        );
        assert_eq!(Request::refunds(&RefundQuery::default(), None).target, "/v1/refunds?limit=1");
    }

    #[test]
    fn only_posts_carry_an_idempotency_key() {
        assert_eq!(Request::refund("re_1", None).unwrap().idempotency_key, None);
        let cancel = Request::cancel("re_1", "key-2", Some("acct_1")).unwrap();
        assert_eq!(cancel.target, "/v1/refunds/re_1/cancel");
        assert_eq!(cancel.idempotency_key.as_deref(), Some("key-2"));
        assert!(Request::refund("", None).is_none() && Request::cancel("..", "k", None).is_none());
    }
}
