//! `refundkit refunds`: make them, read them, follow them.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use refundkit::{
    Amount, Currency, InitiatedBy, Metadata, MetadataValue, Options, Page, ProcessorName, Refund, RefundEvent,
    RefundId, RefundKit, RefundReason, RefundStage, RefundStatus, Timestamp, TransactionId,
    error::{Error, ErrorCode},
    event::{Actor, ActorType},
    money::write_amount,
    operations::{CancelRefund, CreateRefund, ListRefundEvents, ListRefunds},
    page::{Cursor, Limit, Offset},
};

use super::{
    exit::Exit,
    output::{Output, both_amounts, facts, note, page_footer, table, time},
    values,
    watch::{End, follow},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Refund a payment, once.
    #[command(after_help = "\
Examples:
  refundkit refunds create ch_3PqX2eLkdIwHu7ix0R8Jm1aB --reason product_defective
  refundkit refunds create pi_3PqX2eLkdIwHu7ix0R8Jm1aB --amount 2500 --currency usd --reason wrong_product --wait
  refundkit refunds create ch_3PqX2eLkdIwHu7ix0R8Jm1aB --reason order_cancelled --idempotency-key order-1042 --metadata order=1042")]
    Create(Box<CreateArgs>),
    /// Show one refund.
    #[command(after_help = "Example:\n  refundkit refunds get ref_01k9zzzzzzzzzzzzzzzzzzzzzz")]
    Get {
        /// The refund's id (ref_…).
        refund: RefundId,
    },
    /// List refunds, newest first.
    #[command(after_help = "\
Examples:
  refundkit refunds list --status pending
  refundkit refunds list --transaction pi_3PqX2eLkdIwHu7ix0R8Jm1aB
  refundkit refunds list --created-after 2026-02-01T00:00:00Z --limit 100 --json | jq '.data[].id'")]
    List(Box<ListArgs>),
    /// Take a refund back, where that is still possible. Card refunds at Stripe practically never can be.
    #[command(after_help = "Example:\n  refundkit refunds cancel ref_01k9zzzzzzzzzzzzzzzzzzzzzz")]
    Cancel {
        /// The refund's id (ref_…).
        refund: RefundId,
    },
    /// Follow a refund until it is completed, failed or cancelled, showing each change. With --json a line for each.
    #[command(after_help = "Example:\n  refundkit refunds watch ref_01k9zzzzzzzzzzzzzzzzzzzzzz --timeout 600")]
    Watch {
        /// The refund's id (ref_…).
        refund: RefundId,
        /// Give up after that many seconds, with exit code 6. Omitted: never.
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
        timeout: Option<u32>,
    },
    /// List what happened to a refund, oldest first: what, when, by whom and through what.
    #[command(after_help = "Example:\n  refundkit refunds events ref_01k9zzzzzzzzzzzzzzzzzzzzzz")]
    Events {
        /// The refund's id (ref_…).
        refund: RefundId,
        /// How many to a page, 1 to 100; 25 when nothing is said.
        #[arg(long, value_parser = values::limit)]
        limit: Option<Limit>,
        /// The nextCursor of the page before.
        #[arg(long, value_parser = values::cursor)]
        cursor: Option<Cursor>,
    },
}

/// What to refund.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// The payment: a Stripe charge (ch_…, py_…) or PaymentIntent (pi_…).
    transaction: TransactionId,
    /// Why the customer is refunded.
    #[arg(long, value_parser = values::word(RefundReason::ALL, RefundReason::as_str))]
    reason: RefundReason,
    /// How much, a whole number in the currency's smallest unit: 2500 is $25.00. Omitted: all that is left.
    #[arg(long, value_name = "UNITS", value_parser = values::amount, allow_negative_numbers = true)]
    amount: Option<Amount>,
    /// The payment's currency, as a check. Omitted: whatever the payment's is.
    #[arg(long, value_name = "CODE")]
    currency: Option<Currency>,
    /// The processor. Omitted: told from the payment's id.
    #[arg(long, value_parser = values::word(ProcessorName::ALL, ProcessorName::as_str))]
    processor: Option<ProcessorName>,
    /// A pair of your own, kept with the refund and sent to the processor; may be repeated. Values are text.
    #[arg(long, value_name = "KEY=VALUE", value_parser = values::pair)]
    metadata: Vec<(String, String)>,
    /// Refund although a refund of the same payment and amount exists already.
    #[arg(long)]
    allow_duplicate: bool,
    /// The key under which this is done once, however often the command is run. Omitted: one is made for this run.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Wait until the refund is completed, failed or cancelled, and show it then.
    #[arg(long)]
    wait: bool,
    /// How long --wait waits, in seconds.
    #[arg(long, requires = "wait", value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..))]
    timeout: u32,
}

/// Which refunds to list.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only refunds of this status.
    #[arg(long, value_parser = values::word(RefundStatus::ALL, RefundStatus::as_str))]
    status: Option<RefundStatus>,
    /// Only refunds of this payment; either id of it finds them.
    #[arg(long, value_name = "ID")]
    transaction: Option<TransactionId>,
    /// Only refunds for this reason.
    #[arg(long, value_parser = values::word(RefundReason::ALL, RefundReason::as_str))]
    reason: Option<RefundReason>,
    /// Only refunds that came through this door.
    #[arg(long, value_parser = values::word(InitiatedBy::ALL, InitiatedBy::as_str))]
    initiated_by: Option<InitiatedBy>,
    /// Only refunds through this processor.
    #[arg(long, value_parser = values::word(ProcessorName::ALL, ProcessorName::as_str))]
    processor: Option<ProcessorName>,
    /// Only the refund with this id at the processor (re_…).
    #[arg(long, value_name = "ID")]
    external_refund_id: Option<TransactionId>,
    /// Only refunds of at least this amount, in the smallest unit.
    #[arg(long, value_name = "UNITS", value_parser = values::amount)]
    amount_min: Option<Amount>,
    /// Only refunds of at most this amount, in the smallest unit.
    #[arg(long, value_name = "UNITS", value_parser = values::amount)]
    amount_max: Option<Amount>,
    /// Only refunds created at or after this time (2026-02-22T10:30:00Z).
    #[arg(long, value_name = "TIME")]
    created_after: Option<Timestamp>,
    /// Only refunds created before this time.
    #[arg(long, value_name = "TIME")]
    created_before: Option<Timestamp>,
    /// How many to a page, 1 to 100; 25 when nothing is said.
    #[arg(long, value_parser = values::limit)]
    limit: Option<Limit>,
    /// The nextCursor of the page before, with the same filters.
    #[arg(long, value_parser = values::cursor, conflicts_with = "offset")]
    cursor: Option<Cursor>,
    /// How many to pass over. A cursor is better: it stays right while refunds arrive.
    #[arg(long, value_parser = values::offset)]
    offset: Option<Offset>,
}

pub(crate) async fn run(command: Command, client: &RefundKit, output: Output) -> anyhow::Result<ExitCode> {
    let refunds = client.refunds();
    let exit = match command {
        Command::Create(args) => create(*args, client, output).await?,
        Command::Get { refund } => {
            output.show(&refunds.get(refund).await?, tell)?;
            Exit::Done
        }
        Command::List(args) => {
            output.show(&refunds.list(&args.operation()).await?, tell_list)?;
            Exit::Done
        }
        Command::Cancel { refund } => cancel(refund, client, output).await?,
        Command::Watch { refund, timeout } => watch(refund, timeout, client, output).await?,
        Command::Events { refund, limit, cursor } => {
            let list = ListRefundEvents { id: refund, limit, cursor };
            output.show(&refunds.events(&list).await?, tell_events)?;
            Exit::Done
        }
    };
    Ok(exit.into())
}

async fn create(args: CreateArgs, client: &RefundKit, output: Output) -> anyhow::Result<Exit> {
    let (wait, patience) = (args.wait, Duration::from_secs(args.timeout.into()));
    let (create, options) = args.operation()?;
    let response = client.send_with(&create, options).await?;
    if response.replayed {
        note("This was done before under the same idempotency key; here is that refund as it is now.");
    }
    let mut refund = response.output;
    let mut exit = if response.status_code == 202 { Exit::Open } else { Exit::of_refund(&refund) };
    if wait {
        let end = follow(client, &mut refund, Some(patience), output, |_| Ok(())).await?;
        exit = end_of(end, &refund);
    }
    output.show(&refund, tell)?;
    Ok(exit)
}

async fn cancel(id: RefundId, client: &RefundKit, output: Output) -> anyhow::Result<Exit> {
    let response = client.send(&CancelRefund { id }).await?;
    output.show(&response.output, tell)?;
    if response.status_code == 202 {
        note("The processor has not answered. The request is remembered and will be repeated.");
        return Ok(Exit::Open);
    }
    Ok(Exit::Done)
}

async fn watch(id: RefundId, timeout: Option<u32>, client: &RefundKit, output: Output) -> anyhow::Result<Exit> {
    let mut refund = client.refunds().get(id).await?;
    output.show_line(&refund, tell_change)?;
    let patience = timeout.map(|seconds| Duration::from_secs(seconds.into()));
    let end = follow(client, &mut refund, patience, output, |refund| output.show_line(refund, tell_change)).await?;
    Ok(end_of(end, &refund))
}

fn end_of(end: End, refund: &Refund) -> Exit {
    match end {
        End::Settled => Exit::of_refund(refund),
        End::GaveUp => {
            note(&format!("Not settled yet; it goes on by itself. Look again: refundkit refunds watch {}", refund.id));
            Exit::Open
        }
    }
}

impl CreateArgs {
    fn operation(self) -> Result<(CreateRefund, Options), Error> {
        let metadata = metadata(self.metadata)?;
        let create = CreateRefund {
            amount: self.amount,
            currency: self.currency,
            processor: self.processor,
            metadata: (!metadata.is_empty()).then_some(metadata),
            allow_duplicate: self.allow_duplicate.then_some(true),
            ..CreateRefund::new(self.transaction, self.reason)
        };
        Ok((create, Options { idempotency_key: self.idempotency_key, ..Options::default() }))
    }
}

fn metadata(pairs: Vec<(String, String)>) -> Result<Metadata, Error> {
    let refused = |message: String| {
        let mut error = Error::new(ErrorCode::ValidationError, message);
        error.field = Some("metadata".to_owned());
        error
    };
    let mut map = BTreeMap::new();
    for (key, value) in pairs {
        if let Some(twice) = map.insert(key.clone(), MetadataValue::Text(value)) {
            return Err(refused(format!("--metadata gives `{key}` twice, once as `{twice}`.")));
        }
    }
    Metadata::new(map).map_err(|error| refused(format!("--metadata is not usable: {error}.")))
}

impl ListArgs {
    fn operation(self) -> ListRefunds {
        ListRefunds {
            status: self.status,
            processor: self.processor,
            transaction_id: self.transaction,
            reason: self.reason,
            initiated_by: self.initiated_by,
            external_refund_id: self.external_refund_id,
            amount_min: self.amount_min,
            amount_max: self.amount_max,
            created_after: self.created_after,
            created_before: self.created_before,
            limit: self.limit,
            cursor: self.cursor,
            offset: self.offset,
        }
    }
}

/// Where a refund stands, in one or two of the API's words.
pub(crate) fn standing(refund: &Refund) -> String {
    match refund.stage {
        RefundStage::Settled | RefundStage::AwaitingProcessor => refund.status.to_string(),
        stage => format!("{} ({stage})", refund.status),
    }
}

/// What that means, in a sentence.
fn meaning(refund: &Refund) -> String {
    match (refund.stage, refund.status) {
        (RefundStage::Queued, _) => "Not sent to the processor yet; it will be, without anybody's help.".to_owned(),
        (RefundStage::Submitting, _) => "On its way to the processor.".to_owned(),
        (RefundStage::OutcomeUnknown, _) => {
            "Sent, but there was no answer: it may have happened. Do not make another one; RefundKit finds out."
                .to_owned()
        }
        (RefundStage::RequiresAction, _) => {
            "The customer has to do something first; the processor asks them.".to_owned()
        }
        (RefundStage::AwaitingProcessor, _) => "The processor is working on it.".to_owned(),
        (RefundStage::Settled, RefundStatus::Failed) => {
            let failure = refund.failure.as_ref();
            let why = failure.map_or_else(String::new, |failure| format!(": {} ({})", failure.message, failure.code));
            format!("It did not reach the customer{why}")
        }
        (RefundStage::Settled, RefundStatus::Cancelled) => "Taken back before it was executed.".to_owned(),
        (RefundStage::Settled, _) => "The processor executed it and expects it to arrive.".to_owned(),
    }
}

fn tell(refund: &Refund) -> String {
    let charge = &refund.external_transaction_id;
    let metadata = refund.metadata.as_ref().filter(|metadata| !metadata.is_empty());
    facts([
        ("refund", Some(refund.id.to_string())),
        ("status", Some(standing(refund))),
        ("", Some(meaning(refund))),
        ("amount", Some(both_amounts(refund.processor, refund.amount.minor(), refund.currency))),
        ("payment", Some(refund.transaction_id.to_string())),
        ("charge", (charge != refund.transaction_id.as_str()).then(|| charge.clone())),
        ("reason", Some(refund.reason.to_string())),
        ("at processor", refund.external_refund_id.as_ref().map(|id| format!("{id} ({})", refund.processor))),
        ("metadata", metadata.map(tell_metadata)),
        ("made by", Some(format!("{}, environment {}", refund.initiated_by, refund.environment))),
        ("created", Some(time(refund.created_at))),
        ("settled", refund.settled_at.map(time)),
    ])
}

fn tell_metadata(metadata: &Metadata) -> String {
    metadata.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
}

fn tell_change(refund: &Refund) -> String {
    let standing = standing(refund);
    table_line(&[time(refund.updated_at), format!("{standing:26}"), meaning(refund)])
}

fn table_line(cells: &[String]) -> String {
    super::output::clean(&cells.join("  ")).into_owned() + "\n"
}

fn tell_list(page: &Page<Refund>) -> String {
    if page.data.is_empty() {
        return "No refunds.\n".to_owned();
    }
    let rows = page.data.iter().map(|refund| {
        [
            refund.id.to_string(),
            standing(refund),
            write_amount(refund.processor, refund.amount.minor(), refund.currency),
            refund.transaction_id.to_string(),
            refund.reason.to_string(),
            time(refund.created_at),
        ]
    });
    table(["REFUND", "STATUS", "AMOUNT", "PAYMENT", "REASON", "CREATED"], rows) + &page_footer(&page.page)
}

fn tell_events(page: &Page<RefundEvent>) -> String {
    let rows = page.data.iter().map(|event| {
        [
            time(event.created_at),
            event.event_type.to_string(),
            match event.from_status {
                Some(from) if from != event.to_status => format!("{from} -> {}", event.to_status),
                _ => event.to_status.to_string(),
            },
            tell_actor(&event.actor),
            event.attempt.map_or_else(|| "-".to_owned(), |attempt| attempt.to_string()),
            event.processor_request_id.clone().unwrap_or_else(|| "-".to_owned()),
            event.message.clone().unwrap_or_default(),
        ]
    });
    table(["TIME", "EVENT", "STATUS", "BY", "ATTEMPT", "PROCESSOR REQUEST", "MESSAGE"], rows) + &page_footer(&page.page)
}

fn tell_actor(actor: &Actor) -> String {
    if actor.actor_type == ActorType::System {
        return "refundkit".to_owned();
    }
    let through = actor.through.map(|door| door.to_string());
    let key = actor.key_id.map(|id| id.to_string());
    [through, key, actor.client.clone()].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::Cli;

    fn refund(change: &Value) -> Refund {
        let mut refund = json!({
            "id": "ref_01k9zzzzzzzzzzzzzzzzzzzzzz", "organizationId": "org_01k9zzzzzzzzzzzzzzzzzzzzzz",
            "environment": "test", "transactionId": "pi_1", "externalTransactionId": "ch_1",
            "externalRefundId": "re_1", "amount": 2500, "currency": "usd", "reason": "product_defective",
            "status": "completed", "stage": "settled", "processor": "stripe", "metadata": { "order": "7\u{1b}[2J" },
            "initiatedBy": "cli", "failure": null, "createdAt": "2026-02-22T10:30:00.000Z",
            "updatedAt": "2026-02-22T10:30:01.000Z", "settledAt": "2026-02-22T10:30:01.000Z", "returnId": null,
            "approvalId": null, "disputeRiskScore": null, "splitFromId": null, "storeCreditId": null,
        });
        for (name, value) in change.as_object().unwrap() {
            refund[name] = value.clone();
        }
        serde_json::from_value(refund).unwrap()
    }

    fn create_args(line: &str) -> CreateArgs {
        let words = ["refundkit", "refunds", "create"].into_iter().chain(line.split_whitespace());
        match Cli::try_parse_from(words).unwrap().command {
            crate::cli::Command::Refunds(Command::Create(args)) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_typed_is_what_is_sent() {
        let args = create_args(
            "pi_1 --reason wrong_product --amount 2500 --currency USD --metadata order=7 --metadata gift=true --allow-duplicate --idempotency-key k1",
        );
        let (create, options) = args.operation().unwrap();
        assert_eq!(options.idempotency_key.as_deref(), Some("k1"));
        assert_eq!(
            serde_json::to_value(create).unwrap(),
            json!({
                "transactionId": "pi_1", "reason": "wrong_product", "amount": 2500, "currency": "usd",
                "metadata": { "gift": "true", "order": "7" }, "allowDuplicate": true,
            })
        );
        let (least, _) = create_args("ch_1 --reason other").operation().unwrap();
        assert_eq!(serde_json::to_value(least).unwrap(), json!({ "transactionId": "ch_1", "reason": "other" }));
    }

    #[test]
    fn decimals_unknown_words_and_impossible_ids_are_usage_errors() {
        for line in [
            "ch_1 --reason other --amount 25.00",
            "ch_1 --reason other --amount -5",
            "ch_1 --reason because",
            "ch/1 --reason other",
            "ch_1 --reason other --currency dollars",
            "ch_1 --reason other --timeout 5",
        ] {
            let words = ["refundkit", "refunds", "create"].into_iter().chain(line.split_whitespace());
            assert_eq!(Cli::try_parse_from(words).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn metadata_outside_the_limits_is_refused_before_anything_is_sent() {
        for line in ["--metadata order=7 --metadata order=8", "--metadata refundkit_x=1", "--metadata a[b]=1"] {
            let error = create_args(&format!("ch_1 --reason other {line}")).operation().unwrap_err();
            assert_eq!((error.code, error.status_code), (ErrorCode::ValidationError, None), "{line}");
        }
    }

    #[test]
    fn a_refund_is_told_in_lines() {
        insta::assert_snapshot!(tell(&refund(&json!({}))), @r"
          refund        ref_01k9zzzzzzzzzzzzzzzzzzzzzz
          status        completed
                        The processor executed it and expects it to arrive.
          amount        25.00 USD (2500)
          payment       pi_1
          charge        ch_1
          reason        product_defective
          at processor  re_1 (stripe)
          metadata      order=7\u{1b}[2J
          made by       cli, environment test
          created       2026-02-22 10:30:00 UTC
          settled       2026-02-22 10:30:01 UTC
        ");
    }

    #[test]
    fn a_change_is_told_in_a_line() {
        let unknown = refund(&json!({ "status": "pending", "stage": "outcome_unknown", "settledAt": null }));
        insta::assert_snapshot!(tell_change(&unknown), @"2026-02-22 10:30:01 UTC  pending (outcome_unknown)   Sent, but there was no answer: it may have happened. Do not make another one; RefundKit finds out.");
        let failure = json!({ "code": "expired_or_canceled_card", "message": "The card has expired." });
        let failed = refund(&json!({ "status": "failed", "failure": failure }));
        insta::assert_snapshot!(tell_change(&failed), @"2026-02-22 10:30:01 UTC  failed                      It did not reach the customer: The card has expired. (expired_or_canceled_card)");
    }

    #[test]
    fn a_list_is_a_table_with_the_way_on() {
        let page = Page {
            data: vec![
                refund(&json!({})),
                refund(&json!({ "status": "pending", "stage": "queued", "amount": 500, "currency": "jpy" })),
            ],
            page: refundkit::PageInfo { has_more: true, next_cursor: Some("abc.1".to_owned()) },
        };
        insta::assert_snapshot!(tell_list(&page), @"
        REFUND                          STATUS            AMOUNT     PAYMENT  REASON             CREATED
        ref_01k9zzzzzzzzzzzzzzzzzzzzzz  completed         25.00 USD  pi_1     product_defective  2026-02-22 10:30:00 UTC
        ref_01k9zzzzzzzzzzzzzzzzzzzzzz  pending (queued)  500 JPY    pi_1     product_defective  2026-02-22 10:30:00 UTC

        There are more: the same command with --cursor abc.1
        ");
    }
}
