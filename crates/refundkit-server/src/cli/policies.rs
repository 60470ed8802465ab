//! `refundkit policies`: what could be refunded. Asking reserves and promises nothing.

use std::process::ExitCode;

use clap::Subcommand;
use refundkit::{Amount, PolicyDecision, ProcessorName, RefundKit, TransactionId, operations::CheckPolicy};

use super::{
    exit::Exit,
    output::{Output, both_amounts, facts, time},
    values,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say whether a payment could be refunded now and how much of it. Exits with 3 when it could not.
    #[command(after_help = "\
Examples:
  refundkit policies check ch_3PqX2eLkdIwHu7ix0R8Jm1aB
  refundkit policies check pi_3PqX2eLkdIwHu7ix0R8Jm1aB --amount 2500")]
    Check {
        /// The payment: a Stripe charge (ch_…, py_…) or PaymentIntent (pi_…).
        transaction: TransactionId,
        /// How much, in the currency's smallest unit (2500 is $25.00). Omitted: anything at all.
        #[arg(long, value_name = "UNITS", value_parser = values::amount, allow_negative_numbers = true)]
        amount: Option<Amount>,
    },
}

pub(crate) async fn run(command: Command, client: &RefundKit, output: Output) -> anyhow::Result<ExitCode> {
    let Command::Check { transaction, amount } = command;
    let decision = client.policies().check(&CheckPolicy { transaction_id: transaction, amount }).await?;
    output.show(&decision, tell)?;
    Ok(if decision.eligible { Exit::Done } else { Exit::Refused }.into())
}

fn tell(decision: &PolicyDecision) -> String {
    facts([
        ("refundable", Some(if decision.eligible { "yes" } else { "no" }.to_owned())),
        ("because", Some(decision.reason.clone())),
        // A decision does not name its processor; as long as there is one, it is that one.
        ("at most", Some(both_amounts(ProcessorName::Stripe, decision.max_amount, decision.currency))),
        ("until", decision.deadline.map(time)),
        ("also", (!decision.conditions.is_empty()).then(|| decision.conditions.join("; "))),
    ])
}
