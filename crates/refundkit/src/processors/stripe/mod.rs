//! Stripe: [`StripeProcessor`], which reads charges there and makes refunds once.
//!
//! This file puts it together and tells what became of each call. Keys are judged in `keys`, requests written in `requests`,
//! sent in `exchange`, repeated by `retry`, answers read in `answers` and `errors`; use without a server is `direct`,
//! notifications are [`webhook`]. What a refund may become is decided elsewhere.

mod answers;
mod direct;
mod errors;
mod exchange;
mod ids;
mod keys;
mod requests;
mod retry;
pub mod webhook;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use secrecy::SecretString;

use self::{
    answers::{
        AccountBody, AccountSettings, Answer, ChargeBody, ListBody, PartialCharge, PaymentIntentBody, Reference,
        RefundBody,
    },
    exchange::{Exchange, Reply, Wire},
    requests::{PAGE_MAX, Request},
};
pub use self::{
    direct::{DirectCancellation, DirectRefund, DirectRefundRequest, DirectRefundStatus, ValidatedTransaction},
    errors::permission_label,
    exchange::ANSWER_BYTES_MAX,
    ids::{NotAPayment, check_transaction_id},
    keys::{API_BASE, KEY_CHARACTERS_MAX, StripeKey},
    requests::{API_VERSION, REFUND_ID_METADATA_KEY, stripe_reason},
};
pub use crate::processors::http::{Carrier, NotCarried, Timeouts};
use crate::{
    Environment, Error, ErrorCode, ProcessorName, RefundId, StripeConnect, TransactionId,
    processor::{Charge, Outcome, PreparedRefund, ProcessorError, ProcessorErrorKind, ProcessorRefund, RefundRequest},
    processors::{CredentialReport, PaymentProcessor, RefundList, RefundQuery, http},
};

/// The most refunds of one charge that are read. A charge with more is an error, never half a list.
pub const REFUNDS_OF_A_CHARGE_MAX: u32 = 20 * PAGE_MAX;
/// How often a call is repeated unless said otherwise.
pub const RETRIES_DEFAULT: u32 = 2;
/// The most repeats that can be asked for.
pub const RETRIES_MAX: u32 = 10;
/// The longest idempotency key, by Stripe's rule.
pub const IDEMPOTENCY_KEY_CHARACTERS_MAX: usize = 255;

/// Stripe, as one account of it: reads charges, makes refunds once, and tells what became of them.
///
/// As a [`PaymentProcessor`] it reports facts to something that stores and decides. Its own methods are for programs that
/// refund without a RefundKit server:
///
/// ```no_run
/// use refundkit::{Amount, RefundReason, StripeProcessor, processors::stripe::DirectRefundRequest};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let stripe = StripeProcessor::new("sk_test_your_stripe_secret_key")?;
///
/// let transaction = stripe.validate_transaction(&"ch_1N4HbSKz9cXRvFYr".parse()?).await?;
/// assert!(transaction.valid, "paid and not fully refunded");
///
/// let refund = stripe
///     .process_refund(DirectRefundRequest::new(
///         transaction.transaction_id,
///         Amount::new(2500)?,
///         transaction.currency,
///         RefundReason::ProductDefective,
///     ))
///     .await?;
/// println!("{} is {}", refund.external_refund_id, refund.status);
/// # Ok(())
/// # }
/// ```
///
/// All processors of a program share their connections. Cheap to make and to clone.
#[derive(Clone)]
pub struct StripeProcessor {
    wire: Wire,
    connect: StripeConnect,
}

impl StripeProcessor {
    /// A processor for the account that the secret key belongs to. A key that Stripe could not accept is a
    /// `validation_error`.
    pub fn new(secret_key: impl Into<SecretString>) -> Result<Self, Error> {
        Self::builder(secret_key).build()
    }

    /// A processor with settings of its own.
    pub fn builder(secret_key: impl Into<SecretString>) -> StripeProcessorBuilder {
        StripeProcessorBuilder {
            secret_key: secret_key.into(),
            api_base: API_BASE.to_owned(),
            connect: StripeConnect::default(),
            environment: None,
            timeouts: Timeouts::DEFAULT,
            retries_max: RETRIES_DEFAULT,
            carrier: None,
        }
    }

    /// The mode of the key: whether this moves real money.
    pub const fn environment(&self) -> Environment {
        self.wire.key.environment()
    }

    /// Reads an object, or tells why it could not be read.
    async fn read<T>(
        &self,
        request: &Request,
        read: impl FnOnce(&Answer) -> Option<T> + Send,
    ) -> Result<T, ProcessorError> {
        read_reply(&self.wire.exchange(request).await, read)
    }

    /// Permissions that Stripe says a restricted key lacks, of those that refunds need. Silence proves nothing, and is not one.
    async fn missing_permissions(&self) -> Vec<String> {
        let account = self.connect.account.as_deref();
        let mut missing = Vec::new();
        for (request, permission) in [
            (Request::touch_no_refund(account), errors::WRITE_REFUNDS),
            (Request::one_payment_intent(account), errors::READ_PAYMENT_INTENTS),
        ] {
            let exchange = self.wire.exchange_once(&request).await;
            missing.extend(errors::missing_permission(&exchange.reply, permission));
        }
        missing
    }

    async fn list_all(&self, charge: &str, refunds: &mut Vec<ProcessorRefund>) -> Result<(), ProcessorError> {
        loop {
            let query = RefundQuery {
                charge: Some(charge.to_owned()),
                created_from: None,
                created_to: None,
                starting_after: refunds.last().map(|refund| refund.id.clone()),
                limit: PAGE_MAX,
            };
            let page = self.list_refunds(&query).await?;
            let is_last = !page.has_more;
            refunds.extend(page.refunds);
            if is_last {
                return Ok(());
            }
            if refunds.len() >= REFUNDS_OF_A_CHARGE_MAX as usize {
                let message = format!(
                    "Charge {charge} has more than {REFUNDS_OF_A_CHARGE_MAX} refunds, too many to account for."
                );
                return Err(errors::from_what_was_read(ProcessorErrorKind::Refused, None, &message));
            }
        }
    }
}

#[async_trait]
impl PaymentProcessor for StripeProcessor {
    fn name(&self) -> ProcessorName {
        ProcessorName::Stripe
    }

    async fn retrieve_charge(&self, transaction_id: &TransactionId) -> Result<Charge, ProcessorError> {
        let account = self.connect.account.as_deref();
        let mut partial = if ids::is_payment_intent(transaction_id) {
            match self.read(&Request::payment_intent(transaction_id, account), latest_charge).await? {
                Latest::Charge(charge) => *charge,
                Latest::Id(id) => self.read(&Request::charge(&id, account), charge).await?,
                Latest::None => return Err(nothing_paid(transaction_id)),
            }
        } else {
            let id = transaction_id.as_str();
            // An answer about another charge is no answer: it must never be refunded.
            self.read(&Request::charge(transaction_id, account), |answer| {
                charge(answer).filter(|read| read.charge.id == id)
            })
            .await?
        };
        if partial.has_more_refunds {
            self.list_all(&partial.charge.id, &mut partial.charge.refunds).await?;
        }
        Ok(partial.charge)
    }

    fn prepare_refund(&self, request: &RefundRequest) -> PreparedRefund {
        requests::prepare_refund(request, &self.connect)
    }

    async fn submit_refund(&self, prepared: &PreparedRefund) -> Outcome<ProcessorRefund> {
        retry::outcome(&self.wire.exchange(&Request::submit(prepared)).await, refund)
    }

    async fn retrieve_refund(&self, external_refund_id: &str) -> Result<ProcessorRefund, ProcessorError> {
        let request = Request::refund(external_refund_id, self.connect.account.as_deref())
            .ok_or_else(|| no_such_refund(external_refund_id))?;
        self.read(&request, refund).await
    }

    async fn find_refund(&self, charge: &str, refund_id: RefundId) -> Result<Option<ProcessorRefund>, ProcessorError> {
        let mut refunds = Vec::new();
        self.list_all(charge, &mut refunds).await?;
        Ok(refunds.into_iter().find(|refund| refund.refund_id == Some(refund_id)))
    }

    async fn list_refunds(&self, query: &RefundQuery) -> Result<RefundList, ProcessorError> {
        let request = Request::refunds(query, self.connect.account.as_deref());
        self.read(&request, |answer| {
            let (refunds, has_more) = answer.json::<ListBody>()?.into_refunds(answer.request_id.as_deref())?;
            // A page that promises more without naming where to go on would be read for ever.
            if has_more && refunds.is_empty() { None } else { Some(RefundList { refunds, has_more }) }
        })
        .await
    }

    async fn cancel_refund(&self, external_refund_id: &str, idempotency_key: &str) -> Outcome<ProcessorRefund> {
        let account = self.connect.account.as_deref();
        let Some(request) = Request::cancel(external_refund_id, idempotency_key, account) else {
            return Outcome::Refused(no_such_refund(external_refund_id));
        };
        match retry::outcome(&self.wire.exchange(&request).await, refund) {
            Outcome::Refused(error) if errors::is_odd_refusal_to_cancel(&error) => {
                Outcome::Refused(ProcessorError { kind: ProcessorErrorKind::NotCancellable, ..error })
            }
            other => other,
        }
    }

    /// Refunds must be readable; that they may be made, no harmless call proves. That they may not, a restricted key is told.
    async fn verify_credentials(&self) -> Result<CredentialReport, ProcessorError> {
        self.list_refunds(&RefundQuery { limit: 1, ..RefundQuery::default() }).await?;
        // Restricted keys may seldom read the account: what they refund with is proven all the same.
        let request = Request::own_account(self.connect.account.as_deref());
        let account = read_reply(&self.wire.exchange_once(&request).await, Answer::json::<AccountBody>);
        let AccountBody { id, settings } = account.unwrap_or_default();
        let missing_permissions =
            if self.wire.key.is_restricted() { self.missing_permissions().await } else { Vec::new() };
        Ok(CredentialReport {
            account: id,
            account_name: settings.and_then(AccountSettings::name),
            missing_permissions,
        })
    }
}

impl fmt::Debug for StripeProcessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripeProcessor")
            .field("key", &self.wire.key)
            .field("api_base", &self.wire.api_base.as_str())
            .field("connect", &self.connect)
            .finish_non_exhaustive()
    }
}

/// The latest charge of a PaymentIntent.
enum Latest {
    Charge(Box<PartialCharge>),
    Id(TransactionId),
    None,
}

fn latest_charge(answer: &Answer) -> Option<Latest> {
    let intent: PaymentIntentBody = answer.json()?;
    if intent.object.as_deref().is_some_and(|object| object != "payment_intent") {
        return None;
    }
    Some(match intent.latest_charge {
        None => Latest::None,
        Some(Reference::Id(id)) => Latest::Id(id.parse().ok()?),
        Some(Reference::Object(charge)) => Latest::Charge(Box::new(charge.into_charge(answer.request_id.as_deref())?)),
    })
}

fn charge(answer: &Answer) -> Option<PartialCharge> {
    answer.json::<ChargeBody>()?.into_charge(answer.request_id.as_deref())
}

fn refund(answer: &Answer) -> Option<ProcessorRefund> {
    answer.json::<RefundBody>()?.into_refund(answer.request_id.as_deref())
}

fn read_reply<T>(exchange: &Exchange, read: impl FnOnce(&Answer) -> Option<T>) -> Result<T, ProcessorError> {
    match &exchange.reply {
        Reply::Answered(answer) if answer.is_success() => read(answer).ok_or_else(|| errors::unreadable(answer)),
        reply => Err(errors::processor_error(reply)),
    }
}

/// What Stripe says of a refund it does not have, for an id that cannot be asked about.
fn no_such_refund(id: &str) -> ProcessorError {
    let message = format!("No such refund: '{id}'");
    errors::from_what_was_read(ProcessorErrorKind::NotFound, Some("resource_missing"), &message)
}

fn nothing_paid(id: &TransactionId) -> ProcessorError {
    let message = format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
    errors::from_what_was_read(ProcessorErrorKind::Refused, None, &message)
}

/// Settings of a [`StripeProcessor`].
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct StripeProcessorBuilder {
    secret_key: SecretString,
    api_base: String,
    connect: StripeConnect,
    environment: Option<Environment>,
    timeouts: Timeouts,
    retries_max: u32,
    carrier: Option<Arc<dyn Carrier>>,
}

impl fmt::Debug for StripeProcessorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripeProcessorBuilder").field("api_base", &self.api_base).finish_non_exhaustive()
    }
}

impl StripeProcessorBuilder {
    /// What carries requests in place of the network, for simulations.
    pub fn carrier(mut self, carrier: Arc<dyn Carrier>) -> Self {
        self.carrier = Some(carrier);
        self
    }

    /// Where Stripe is, for a sandbox: `https://api.stripe.com` unless said. Live keys go nowhere else.
    pub fn api_base(mut self, url: impl Into<String>) -> Self {
        self.api_base = url.into();
        self
    }

    /// How refunds are made on Stripe Connect.
    pub fn connect(mut self, connect: StripeConnect) -> Self {
        self.connect = connect;
        self
    }

    /// The environment the key must belong to. Without it, the key decides.
    pub const fn environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// How long to wait for Stripe.
    pub const fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// How often a call is repeated that was not answered, or was turned away for a moment: 2 unless said, at most 10. Every
    /// repeat sends the same bytes under the same key.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.retries_max = retries.min(RETRIES_MAX);
        self
    }

    /// Checks the settings: `validation_error` for a key, an address or an account that cannot be one,
    /// `environment_mismatch` for a key of the other mode.
    pub fn build(self) -> Result<StripeProcessor, Error> {
        let key = StripeKey::parse(self.secret_key)?;
        if let Some(expected) = self.environment {
            key.check_environment(expected)?;
        }
        let api_base = keys::parse_api_base(&self.api_base)?;
        key.check_destination(&api_base)?;
        if self.connect.account.as_deref().is_some_and(|account| !is_account_id(account)) {
            let message = "The connected account must be an id such as acct_1N4HbSKz9cXRvFYr.";
            let field = Some("connect.account".to_owned());
            return Err(Error { field, ..Error::new(ErrorCode::ValidationError, message) });
        }
        let timeouts = self.timeouts.consistent();
        let wire = Wire {
            client: http::client(&timeouts)?,
            carrier: self.carrier,
            key,
            api_base,
            timeouts,
            retries_max: self.retries_max,
        };
        Ok(StripeProcessor { wire, connect: self.connect })
    }
}

fn is_account_id(text: &str) -> bool {
    text.strip_prefix("acct_")
        .is_some_and(|rest| (1..=64).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_prints_no_key() {
        let processor = StripeProcessor::new("sk_test_51Habcdefghijkl4242").unwrap();
        let printed = format!("{processor:?}");
        assert!(printed.contains("sk_test_***") && !printed.contains("51H") && !printed.contains("4242"), "{printed}");
        assert!(!format!("{:?}", StripeProcessor::builder("sk_test_51Habcdefghijkl4242")).contains("51H"));
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let refused = |builder: StripeProcessorBuilder| builder.build().unwrap_err().code;
        let test = || StripeProcessor::builder("sk_test_51Habc");
        let live = || StripeProcessor::builder("sk_live_51Habc");
        assert_eq!(refused(live().environment(Environment::Test)), ErrorCode::EnvironmentMismatch);
        assert_eq!(refused(test().environment(Environment::Live)), ErrorCode::EnvironmentMismatch);
        assert_eq!(refused(live().api_base("http://127.0.0.1:1")), ErrorCode::ValidationError);
        assert_eq!(refused(test().api_base("not a url")), ErrorCode::ValidationError);
        let connect = StripeConnect { account: Some("acct_1\r\nX: y".to_owned()), ..StripeConnect::default() };
        assert_eq!(refused(test().connect(connect)), ErrorCode::ValidationError);
        assert_eq!(live().environment(Environment::Live).build().unwrap().environment(), Environment::Live);
    }
}
