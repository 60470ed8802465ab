//! `refundkit transactions`: payments as their processor has them now.

use std::process::ExitCode;

use clap::Subcommand;
use refundkit::{RefundKit, Transaction, TransactionId};

use super::{
    exit::Exit,
    output::{Output, both_amounts, facts, table, time},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a payment: what was captured, what is refunded, and what is left.
    #[command(after_help = "Example:\n  refundkit transactions get ch_3PqX2eLkdIwHu7ix0R8Jm1aB")]
    Get {
        /// The payment: a Stripe charge (ch_…, py_…) or PaymentIntent (pi_…).
        transaction: TransactionId,
    },
}

pub(crate) async fn run(command: Command, client: &RefundKit, output: Output) -> anyhow::Result<ExitCode> {
    let Command::Get { transaction } = command;
    output.show(&client.transactions().get(transaction).await?, tell)?;
    Ok(Exit::Done.into())
}

fn tell(transaction: &Transaction) -> String {
    let amount = |minor| both_amounts(transaction.processor, minor, transaction.currency);
    let charge = &transaction.external_transaction_id;
    let other_id = (charge != transaction.transaction_id.as_str()).then(|| charge.clone());
    let head = facts([
        ("payment", Some(transaction.transaction_id.to_string())),
        ("charge", other_id),
        ("captured", Some(amount(transaction.amount))),
        ("refunded", Some(amount(transaction.refunded_amount))),
        ("left", Some(amount(transaction.refundable_amount))),
        ("disputed", transaction.disputed.then(|| "yes; the processor decides whether it still refunds".to_owned())),
        ("not refundable", transaction.invalid_reason.clone()),
        ("environment", Some(transaction.environment.to_string())),
        ("created", Some(time(transaction.created_at))),
    ]);
    if transaction.refunds.is_empty() {
        return head;
    }
    let rows = transaction.refunds.iter().map(|refund| {
        [
            refund.refund_id.map_or_else(|| "made elsewhere".to_owned(), |id| id.to_string()),
            refund.external_refund_id.clone().unwrap_or_else(|| "-".to_owned()),
            amount(refund.amount),
            refund.status.to_string(),
            time(refund.created_at),
        ]
    });
    format!("{head}\n{}", table(["REFUND", "AT PROCESSOR", "AMOUNT", "STATUS", "CREATED"], rows))
}
