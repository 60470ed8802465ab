//! Stripe's ids: which are plainly not payments, and how an id stands in a URL.
//!
//! Prefixes are no contract of Stripe's. They choose the endpoint and help people who paste the wrong id; everything
//! that is not plainly something else is asked of Stripe.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::TransactionId;

/// An id that names something other than a payment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NotAPayment {
    /// What it is instead. Does not repeat the id.
    pub message: String,
    /// Where to find the payment, in one sentence.
    pub hint: String,
}

const NAME_A_PAYMENT: &str = "Pass the charge (ch_… or py_…) or the PaymentIntent (pi_…) that was paid.";
const SEE_PAYMENT_INTENT: &str = "Pass its `payment_intent` (pi_…).";
const SEE_CHARGE: &str = "Pass its `charge` (ch_… or py_…).";
const SEE_INVOICE: &str = "Pass the PaymentIntent (pi_…) of the invoice that was paid.";

/// Prefix, what it names, where the payment is.
const OTHER_IDS: &[(&str, &str, &str)] = &[
    ("re_", "a refund", SEE_CHARGE),
    ("pyr_", "a refund", SEE_CHARGE),
    ("ref_", "a refund in RefundKit", "Pass its `transactionId`."),
    ("du_", "a dispute", SEE_CHARGE),
    ("dp_", "a dispute", SEE_CHARGE),
    ("cs_", "a Checkout Session", SEE_PAYMENT_INTENT),
    ("plink_", "a payment link", NAME_A_PAYMENT),
    ("in_", "an invoice", SEE_INVOICE),
    ("ii_", "an invoice item", SEE_INVOICE),
    ("sub_", "a subscription", SEE_INVOICE),
    ("si_", "a subscription item", SEE_INVOICE),
    ("seti_", "a SetupIntent, which moves no money", NAME_A_PAYMENT),
    ("pm_", "a payment method", NAME_A_PAYMENT),
    ("src_", "a payment source", NAME_A_PAYMENT),
    ("tok_", "a card token", NAME_A_PAYMENT),
    ("card_", "a card", NAME_A_PAYMENT),
    ("ba_", "a bank account", NAME_A_PAYMENT),
    ("cus_", "a customer", NAME_A_PAYMENT),
    ("acct_", "an account", NAME_A_PAYMENT),
    ("txn_", "a balance transaction", "Pass its `source` (ch_… or py_…)."),
    ("po_", "a payout", NAME_A_PAYMENT),
    ("tr_", "a transfer", "Pass its `source_transaction` (ch_… or py_…)."),
    ("fee_", "an application fee", SEE_CHARGE),
    ("prod_", "a product", NAME_A_PAYMENT),
    ("price_", "a price", NAME_A_PAYMENT),
    ("evt_", "an event", NAME_A_PAYMENT),
    ("req_", "a request", NAME_A_PAYMENT),
    ("sk_", "a secret key", "Never send a key as an id; if this one is real, roll it."),
    ("rk_", "a secret key", "Never send a key as an id; if this one is real, roll it."),
    ("whsec_", "a webhook secret", "Never send a secret as an id; if this one is real, roll it."),
    ("pk_", "a publishable key", NAME_A_PAYMENT),
];

/// Refuses an id that plainly names something else than a payment. What passes may still be unknown to Stripe.
pub fn check_transaction_id(id: &TransactionId) -> Result<(), NotAPayment> {
    match OTHER_IDS.iter().find(|(prefix, ..)| id.as_str().starts_with(prefix)) {
        None => Ok(()),
        Some((_, noun, hint)) => {
            Err(NotAPayment { message: format!("This is {noun}, not a payment."), hint: (*hint).to_owned() })
        }
    }
}

/// Whether an id names a PaymentIntent.
pub(super) fn is_payment_intent(id: &TransactionId) -> bool {
    id.as_str().starts_with("pi_")
}

const OUTSIDE_A_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-');

/// An id as one segment of a path. None where it could not stand alone there: the empty id would name the whole list, and
/// dots another place.
pub(super) fn path_segment(id: &str) -> Option<String> {
    if matches!(id, "" | "." | "..") { None } else { Some(utf8_percent_encode(id, OUTSIDE_A_SEGMENT).to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors;

    #[test]
    fn what_may_be_a_payment_passes() {
        for id in ["ch_1N4HbSKz9cXRvFYr", "py_1N4HbSKz", "pi_3N4HbSKz", "ch_invalid", "order-17", "CH_1", "pix_1", "1"]
        {
            assert_eq!(check_transaction_id(&id.parse().unwrap()), Ok(()), "{id}");
        }
    }

    #[derive(serde::Deserialize)]
    struct Given {
        id: TransactionId,
        message: Option<String>,
        hint: Option<String>,
    }

    #[test]
    fn what_is_plainly_something_else_is_refused_and_told_where_the_payment_is() {
        for given in vectors::read::<Given>("transactionIds") {
            let refusal = check_transaction_id(&given.id).err();
            let (message, hint) = refusal.map(|refusal| (refusal.message, refusal.hint)).unzip();
            assert_eq!((message, hint), (given.message, given.hint), "{}", given.id);
        }
    }

    #[test]
    fn no_prefix_hides_another_or_a_payment() {
        for (position, (prefix, ..)) in OTHER_IDS.iter().enumerate() {
            assert!(!["ch_", "py_", "pi_"].contains(prefix));
            assert!(OTHER_IDS[..position].iter().all(|(earlier, ..)| !prefix.starts_with(earlier)), "{prefix}");
        }
    }

    #[test]
    fn an_id_cannot_leave_its_segment() {
        assert_eq!(path_segment("re_1-A").as_deref(), Some("re_1-A"));
        assert_eq!(path_segment("a/../b?c#d%").as_deref(), Some("a%2F%2E%2E%2Fb%3Fc%23d%25"));
        for id in ["", ".", ".."] {
            assert_eq!(path_segment(id), None);
        }
    }
}
