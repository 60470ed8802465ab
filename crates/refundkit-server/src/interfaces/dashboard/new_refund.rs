//! `/refunds/new`: a refund in three steps. The payment's id; what the processor says of it, how much and why; what will happen.
//!
//! The second step's form carries a number of its own. Each thing that is asked with it has one idempotency key, made from both:
//! a double click, a reload and a step back ask for the same refund, and another amount asks for another one.

use askama::Template;
use refundkit::{
    Amount, Currency, ErrorCode, ProcessorName, RefundId, RefundReason, RefundStatus, operations::CreateRefund,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep};

use super::{
    filters::{self, Choice},
    form::{Entered, Form, Posted},
    page::{self, Frame, Section, Shown},
    show::{self, Moment},
    typed::{parse_money, write_number},
    viewer::Viewer,
};
use crate::{
    error::Error,
    limits,
    operations::{LookAtTransaction, TransactionLook, looks::MemberRoom},
};

/// Characters of the number that a form has.
const FORM_ID_CHARACTERS: usize = 24;

#[derive(Template)]
#[template(path = "new_refund.html")]
struct NewRefundPage<'a> {
    frame: Frame<'a>,
    entered: Entered,
    payment: Option<Payment>,
    reasons: Vec<Choice>,
    /// The refund that explains why another was refused.
    explained_by: Option<String>,
    /// Whether it was refused only because it looks like a repeat.
    is_duplicate: bool,
    form_id: String,
}

#[derive(Template)]
#[template(path = "confirm_refund.html")]
struct ConfirmPage<'a> {
    frame: Frame<'a>,
    payment: Payment,
    /// The amount as it will be read, and as it was typed.
    amount: String,
    typed: String,
    reason: RefundReason,
    reason_name: String,
    is_again: bool,
    /// The refund that this one would repeat.
    repeats: Option<String>,
    /// The refund that this form made already.
    made: Option<String>,
    left_after: String,
    back: String,
    form_id: String,
    key: String,
}

/// A payment as the processor has it.
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own that the template asks")]
struct Payment {
    id: String,
    charge: String,
    amount: String,
    /// What was tried or authorized, where nothing was captured.
    asked: Option<String>,
    refunded: String,
    left: String,
    left_typed: String,
    currency: Currency,
    created: Moment,
    method: Option<String>,
    is_disputed: bool,
    /// Whether a refund of it failed before.
    has_failed: bool,
    is_refundable: bool,
    is_paid: bool,
    is_captured: bool,
    why: String,
    /// Whose limit holds, and how much of it is used; none where there is none.
    limit: Option<String>,
    refunds: Vec<Part>,
}

/// A refund of that payment, whoever made it.
struct Part {
    id: Option<String>,
    external: String,
    amount: String,
    status: &'static str,
    status_name: &'static str,
    created: Moment,
}

impl Payment {
    fn of(look: TransactionLook) -> Self {
        let TransactionLook { transaction, payment_method, policy, amount_asked, paid, captured, member, .. } = look;
        let (processor, currency) = (transaction.processor, transaction.currency);
        let money = |minor| show::money(processor, minor, currency);
        Self {
            id: transaction.transaction_id.to_string(),
            amount: money(transaction.amount),
            asked: amount_asked.filter(|_| !paid || !captured).map(money),
            refunded: money(transaction.refunded_amount),
            left: money(transaction.refundable_amount),
            left_typed: write_number(processor, policy.max_amount, currency),
            currency,
            created: Moment::from(transaction.created_at),
            method: payment_method,
            is_disputed: transaction.disputed,
            has_failed: transaction.refunds.iter().any(|refund| refund.status == RefundStatus::Failed),
            is_refundable: policy.eligible,
            is_paid: paid,
            is_captured: captured,
            why: if policy.eligible { format!("{} can be refunded.", money(policy.max_amount)) } else { policy.reason },
            limit: member.map(|room| limit_of(room, money)),
            refunds: transaction.refunds.iter().map(|part| Part::of(part, processor, currency)).collect(),
            charge: transaction.external_transaction_id,
        }
    }
}

/// What bounds the refunds of whoever looks, and whom to ask for more.
fn limit_of(room: MemberRoom, money: impl Fn(i64) -> String) -> String {
    match room.limit {
        None => "The owner has set no limit for members in this currency. Ask an admin or owner to make the refund."
            .to_owned(),
        Some(limit) => format!(
            "Your limit as a member is {} of one payment; {} of it is used. Ask an admin or owner for more.",
            money(limit.minor()),
            money(room.used)
        ),
    }
}

impl Part {
    fn of(refund: &refundkit::TransactionRefund, processor: ProcessorName, currency: Currency) -> Self {
        Self {
            id: refund.refund_id.map(|id| id.to_string()),
            external: refund.external_refund_id.clone().unwrap_or_else(|| "not listed yet".to_owned()),
            amount: show::money(processor, refund.amount, currency),
            status: refund.status.as_str(),
            status_name: show::status(refund.status),
            created: Moment::from(refund.created_at),
        }
    }
}

/// `GET /refunds/new?transactionId=…`.
pub(super) async fn show(viewer: Viewer) -> Shown {
    // An address may be anybody's: it fills in what can be seen, and never the number that makes two forms one request.
    let form = Form::of_query(viewer.address.split_once('?').map_or("", |(_, query)| query));
    let form = form.with_only(&["transactionId", "amount", "reason"]);
    let Some(id) = form.given("transactionId") else {
        return page::html(&page_of(&viewer, Entered::of(form, None), None));
    };
    match look(&viewer, id).await {
        Ok(look) => {
            let payment = Payment::of(look);
            let form = form.or("amount", &payment.left_typed);
            page::html(&page_of(&viewer, Entered::of(form, None), Some(payment)))
        }
        Err(error) => {
            let status = error.status();
            page::html_with(status, &page_of(&viewer, form.again(error), None))
        }
    }
}

/// `POST /refunds/new/confirm`: shows what will happen.
pub(super) async fn confirm(Posted { viewer, form }: Posted) -> Shown {
    match check(&viewer, &form).await {
        Ok((look, wanted)) => page::html(&confirm_page(&viewer, &form, look, &wanted)),
        Err(error) => again(&viewer, form, error).await,
    }
}

/// `POST /refunds/new`: makes it, once.
pub(super) async fn create(Posted { viewer, form }: Posted) -> Shown {
    let Some(key) = form.given("idempotencyKey").map(str::to_owned) else {
        return confirm(Posted { viewer, form }).await;
    };
    let made = match read(&form) {
        Ok(wanted) if key != key_of(form.get("formId"), &wanted.input) => Err(not_confirmed()),
        Ok(wanted) => ask(&viewer, &key, &wanted).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(id) => page::to(&format!("/refunds/{id}")),
        Err(error) => again(&viewer, form, error).await,
    }
}

/// What somebody wants, read from the form.
struct Wanted {
    amount: Amount,
    currency: Currency,
    reason: RefundReason,
    is_again: bool,
    input: Value,
}

/// Reads the form: what is wrong with it is said here, before anything is asked.
fn read(form: &Form) -> Result<Wanted, Error> {
    let Some(id) = form.given("transactionId") else {
        return Err(Error::validation("transactionId", "The payment is missing."));
    };
    let currency: Currency =
        form.get("currency").parse().map_err(|_| Error::validation("amount", "The currency is missing."))?;
    let amount = parse_money(ProcessorName::Stripe, form.get("amount"), currency)
        .map_err(|wrong| Error::validation("amount", wrong))?;
    let reason: RefundReason =
        form.get("reason").parse().map_err(|_| Error::validation("reason", "Choose why the customer is refunded."))?;
    let is_again = form.is_ticked("allowDuplicate");
    let mut input = json!({ "transactionId": id, "amount": amount, "currency": currency, "reason": reason });
    if is_again {
        input["allowDuplicate"] = true.into();
    }
    Ok(Wanted { amount, currency, reason, is_again, input })
}

/// Reads the form, and whether the payment has that much left.
async fn check(viewer: &Viewer, form: &Form) -> Result<(TransactionLook, Wanted), Error> {
    let wanted = read(form)?;
    let key = form.given("formId").map(|form_id| key_of(form_id, &wanted.input));
    let look = look_for(viewer, form.get("transactionId"), Some((wanted.amount, key))).await?;
    if look.transaction.currency != wanted.currency {
        return Err(Error::validation("amount", format!("The payment is in {}.", look.transaction.currency)));
    }
    if !look.policy.eligible {
        return Err(Error::validation("amount", look.policy.reason));
    }
    Ok((look, wanted))
}

async fn look(viewer: &Viewer, id: &str) -> Result<TransactionLook, Error> {
    look_for(viewer, id, None).await
}

/// The same for one who wants to refund so much of it, under this key.
async fn look_for(
    viewer: &Viewer,
    id: &str,
    wanted: Option<(Amount, Option<String>)>,
) -> Result<TransactionLook, Error> {
    let mut input = json!({ "transactionId": id });
    if let Some((amount, key)) = wanted {
        input["amount"] = amount.minor().into();
        if let Some(key) = key {
            input["idempotencyKey"] = key.into();
        }
    }
    viewer.ask::<LookAtTransaction>(input).await
}

/// Asks for the refund. Where the same form is being worked on already, its answer is waited for: that is a double click.
async fn ask(viewer: &Viewer, key: &str, wanted: &Wanted) -> Result<RefundId, Error> {
    let (began, mut pause) = (Instant::now(), limits::DOUBLE_PAUSE);
    loop {
        let made = viewer.ask_once::<CreateRefund>(Some(key.to_owned()), wanted.input.clone()).await;
        match made {
            Err(error)
                if error.code() == ErrorCode::IdempotencyKeyInUse && began.elapsed() < limits::DOUBLE_WAIT_MAX =>
            {
                sleep(pause).await;
                pause *= 2;
            }
            Err(error) => return Err(error),
            Ok(made) => return Ok(made.output.id),
        }
    }
}

/// The second step again, with what was typed and why it was refused; the first where the payment cannot be read.
async fn again(viewer: &Viewer, form: Form, error: Error) -> Shown {
    let status = error.status();
    let payment = match form.given("transactionId") {
        Some(id) => look(viewer, id).await.ok().map(Payment::of),
        None => None,
    };
    let explained_by = error.body(viewer.request_id).refund_id.map(|id| id.to_string());
    let is_duplicate = error.code() == ErrorCode::RefundAlreadyProcessed;
    let error = if is_duplicate { as_duplicate(&error) } else { error };
    let shown = NewRefundPage { explained_by, is_duplicate, ..page_of(viewer, form.again(error), payment) };
    page::html_with(status, &shown)
}

/// The same refusal, with a hint for people: what to send is a box here.
fn as_duplicate(error: &Error) -> Error {
    Error::new(ErrorCode::RefundAlreadyProcessed, error.to_string())
        .hint("Look at that refund first. If the customer is really owed the same amount once more, say so below.")
}

fn page_of(viewer: &Viewer, entered: Entered, payment: Option<Payment>) -> NewRefundPage<'_> {
    let form_id = match entered.value("formId") {
        "" => viewer.app.env.random_text(FORM_ID_CHARACTERS),
        known => known.to_owned(),
    };
    NewRefundPage {
        frame: Frame { title: "New refund", section: Section::Refunds, viewer },
        entered,
        payment,
        reasons: filters::reasons(),
        explained_by: None,
        is_duplicate: false,
        form_id,
    }
}

fn confirm_page<'a>(viewer: &'a Viewer, form: &Form, look: TransactionLook, wanted: &Wanted) -> ConfirmPage<'a> {
    let processor = look.transaction.processor;
    let left = look.transaction.refundable_amount.saturating_sub(wanted.amount.minor());
    let form_id = form.given("formId").map_or_else(|| viewer.app.env.random_text(FORM_ID_CHARACTERS), str::to_owned);
    // What this form made already is no other refund: sent again, it leads there.
    let is_other = |id: &RefundId| !wanted.is_again && look.made != Some(*id);
    let repeats = look.duplicate_of.filter(is_other).map(|id| id.to_string());
    // What would be a repeat can be confirmed only as one that is meant.
    let mut input = wanted.input.clone();
    if repeats.is_some() {
        input["allowDuplicate"] = true.into();
    }
    let back = form_urlencoded::Serializer::new(String::new())
        .append_pair("transactionId", form.get("transactionId"))
        .append_pair("amount", form.get("amount"))
        .append_pair("reason", form.get("reason"))
        .finish();
    ConfirmPage {
        frame: Frame { title: "Confirm the refund", section: Section::Refunds, viewer },
        amount: show::money(processor, wanted.amount.minor(), wanted.currency),
        typed: write_number(processor, wanted.amount.minor(), wanted.currency),
        reason: wanted.reason,
        reason_name: show::reason(wanted.reason),
        is_again: wanted.is_again,
        repeats,
        made: look.made.map(|id| id.to_string()),
        left_after: if left > 0 { show::money(processor, left, wanted.currency) } else { "Nothing".to_owned() },
        back: format!("/refunds/new?{back}"),
        key: key_of(&form_id, &input),
        form_id,
        payment: Payment::of(look),
    }
}

/// A form whose key is not that of what it asks: it is not the one that was shown to be confirmed.
fn not_confirmed() -> Error {
    Error::validation("idempotencyKey", "This is not what was shown to be confirmed. Nothing was done.")
        .hint("Check what is written here, and confirm it again.")
}

/// The idempotency key of one thing that is asked with a form.
fn key_of(form_id: &str, input: &Value) -> String {
    let digest = hex::encode(Sha256::digest(format!("{form_id} {input}")));
    format!("dashboard_{digest}")
}
