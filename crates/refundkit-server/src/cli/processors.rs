//! `refundkit processors`: the organization's accounts at payment processors.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use refundkit::{
    ConnectionStatus, Page, ProcessorConnection, ProcessorName, RefundKit, StripeConnect,
    operations::{ConnectStripe, DisconnectStripe},
    processors::stripe::permission_label,
};
use secrecy::SecretString;

use super::{
    exit::Exit,
    output::{Output, facts, page_footer, table, time},
    secret_input, values,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the connections of the environment of your key.
    #[command(after_help = "Example:\n  refundkit processors list")]
    List,
    /// Connect a processor, or replace its connection in place; what is not given is kept.
    #[command(after_help = "\
The processor's key is never an argument. It comes from --secret-key-file, from the environment variable
STRIPE_SECRET_KEY, or from stdin: a prompt on a terminal, else a pipe. It is tried with calls that change nothing
before it is saved, then sealed and never shown again.

Stripe's notifications make changes known at once. Make an endpoint in Stripe for the webhook URL that is
shown here, and save its signing secret with --webhook-secret (from STRIPE_WEBHOOK_SECRET, a prompt or a
pipe) or --webhook-secret-file. A secret that is replaced stays valid for 24 hours.

Examples:
  refundkit processors connect stripe
  refundkit processors connect stripe --secret-key-file ./stripe.key
  refundkit processors connect stripe --keep-key --webhook-secret
  refundkit processors connect stripe --keep-key --account acct_1032D82eZvKYlo2C --reverse-transfer true")]
    Connect(ConnectArgs),
    /// Try the saved key with calls that change nothing.
    #[command(after_help = "Example:\n  refundkit processors test")]
    Test {
        /// The processor.
        #[arg(default_value = "stripe", value_parser = values::word(ProcessorName::ALL, ProcessorName::as_str))]
        processor: ProcessorName,
    },
    /// Disconnect a processor: no new refunds; the open ones are followed to their end.
    #[command(after_help = "Example:\n  refundkit processors disconnect stripe")]
    Disconnect {
        /// The processor.
        #[arg(value_parser = values::word(ProcessorName::ALL, ProcessorName::as_str))]
        processor: ProcessorName,
        /// Disconnect although refunds are open.
        #[arg(long)]
        force: bool,
    },
}

/// What to connect, and how.
#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// The processor.
    #[arg(value_parser = values::word(ProcessorName::ALL, ProcessorName::as_str))]
    processor: ProcessorName,
    /// A file that holds the processor's secret or restricted key; `-` reads stdin.
    #[arg(long, value_name = "FILE")]
    secret_key_file: Option<PathBuf>,
    /// Keep the key that is saved and change the settings only.
    #[arg(long, conflicts_with = "secret_key_file")]
    keep_key: bool,
    /// Save the webhook endpoint's signing secret too: from STRIPE_WEBHOOK_SECRET, or asked for.
    #[arg(long, conflicts_with = "webhook_secret_file")]
    webhook_secret: bool,
    /// A file that holds the webhook endpoint's signing secret; `-` reads stdin.
    #[arg(long, value_name = "FILE")]
    webhook_secret_file: Option<PathBuf>,
    /// Stripe Connect: the account that calls are made for (acct_…); "" for the key's own again.
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Stripe Connect: whether the transfer to the connected account is taken back in proportion.
    #[arg(long, value_name = "BOOL")]
    reverse_transfer: Option<bool>,
    /// Stripe Connect: whether the application fee is given back in proportion.
    #[arg(long, value_name = "BOOL")]
    refund_application_fee: Option<bool>,
    /// Replace the key although it cannot read the refunds that are open.
    #[arg(long)]
    force: bool,
}

pub(crate) async fn run(command: Command, client: &RefundKit, output: Output) -> anyhow::Result<ExitCode> {
    let processors = client.processors();
    let connection = match command {
        Command::List => {
            output.show(&processors.list().await?, tell_list)?;
            return Ok(Exit::Done.into());
        }
        Command::Connect(args) => match args.processor {
            ProcessorName::Stripe => processors.connect_stripe(&args.operation()?).await?,
        },
        Command::Test { processor: ProcessorName::Stripe } => processors.test_stripe().await?,
        Command::Disconnect { processor: ProcessorName::Stripe, force } => {
            let force = force.then_some(true);
            let connection = processors.disconnect_stripe(&DisconnectStripe { force }).await?;
            output.show(&connection, tell)?;
            return Ok(Exit::Done.into());
        }
    };
    output.show(&connection, tell)?;
    Ok(if connection.status == ConnectionStatus::Active { Exit::Done } else { Exit::Refused }.into())
}

impl ConnectArgs {
    fn operation(self) -> anyhow::Result<ConnectStripe> {
        let secret_key = match (&self.secret_key_file, self.keep_key) {
            (_, true) => None,
            (Some(file), false) => Some(secret_input::from_file(file)?),
            (None, false) => Some(from_environment_or_prompt(
                "STRIPE_SECRET_KEY",
                "--secret-key-file",
                "Stripe's secret or restricted key (not shown):",
            )?),
        };
        let webhook_secret = match (&self.webhook_secret_file, self.webhook_secret) {
            (Some(file), _) => Some(secret_input::from_file(file)?),
            (None, true) => Some(from_environment_or_prompt(
                "STRIPE_WEBHOOK_SECRET",
                "--webhook-secret-file",
                "The webhook endpoint's signing secret (not shown):",
            )?),
            (None, false) => None,
        };
        let connect = StripeConnect {
            account: self.account,
            reverse_transfer: self.reverse_transfer,
            refund_application_fee: self.refund_application_fee,
        };
        let connect = (connect != StripeConnect::default()).then_some(connect);
        Ok(ConnectStripe { secret_key, webhook_secret, connect, force: self.force.then_some(true) })
    }
}

/// A secret from where it may stand: a variable, else a prompt or a pipe.
fn from_environment_or_prompt(variable: &str, file_flag: &str, question: &str) -> anyhow::Result<SecretString> {
    Ok(match std::env::var(variable) {
        Ok(secret) if !secret.is_empty() => SecretString::from(secret),
        _ => secret_input::from_prompt(question, variable, file_flag)?,
    })
}

fn tell_list(page: &Page<ProcessorConnection>) -> String {
    if page.data.is_empty() {
        return "No processor is connected. Connect one:\n  refundkit processors connect stripe\n".to_owned();
    }
    let rows = page.data.iter().map(|connection| {
        [
            connection.id.to_string(),
            connection.processor.to_string(),
            connection.environment.to_string(),
            connection.status.to_string(),
            connection.secret_key_hint.clone(),
            connection.account.clone().unwrap_or_else(|| "-".to_owned()),
            time(connection.updated_at),
        ]
    });
    let head = ["CONNECTION", "PROCESSOR", "ENVIRONMENT", "STATUS", "KEY", "ACCOUNT", "UPDATED"];
    table(head, rows) + &page_footer(&page.page)
}

fn tell(connection: &ProcessorConnection) -> String {
    let connect = connection.connect.as_ref();
    let yes_or_no = |value: Option<bool>| value.map(|yes| if yes { "yes" } else { "no" }.to_owned());
    facts([
        ("connection", Some(connection.id.to_string())),
        ("processor", Some(connection.processor.to_string())),
        ("environment", Some(connection.environment.to_string())),
        ("status", Some(standing(connection.status))),
        ("key", Some(connection.secret_key_hint.clone())),
        ("account", account(connection)),
        ("missing", missing_permissions(connection)),
        ("webhook URL", Some(connection.webhook_url.clone())),
        ("webhook secret", Some(connection.webhook_secret_hint.clone().unwrap_or_else(no_webhook_secret))),
        ("on behalf of", connect.and_then(|connect| connect.account.clone())),
        ("reverse transfer", yes_or_no(connect.and_then(|connect| connect.reverse_transfer))),
        ("refund fee", yes_or_no(connect.and_then(|connect| connect.refund_application_fee))),
        ("updated", Some(time(connection.updated_at))),
    ])
}

fn account(connection: &ProcessorConnection) -> Option<String> {
    match (&connection.account_name, &connection.account) {
        (Some(name), Some(id)) => Some(format!("{name} ({id})")),
        (name, id) => name.clone().or_else(|| id.clone()),
    }
}

/// Permissions that the key lacks, as Stripe's Dashboard calls them.
fn missing_permissions(connection: &ProcessorConnection) -> Option<String> {
    let named = connection.missing_permissions.iter().map(|permission| match permission_label(permission) {
        Some(label) => format!("{label} ({permission})"),
        None => permission.clone(),
    });
    Some(named.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
}

fn no_webhook_secret() -> String {
    "none: changes are found by polling; --webhook-secret saves one".to_owned()
}

fn standing(status: ConnectionStatus) -> String {
    match status {
        ConnectionStatus::Active => "active".to_owned(),
        ConnectionStatus::Invalid => "invalid: the processor refuses the key; connect again with a good one".to_owned(),
        ConnectionStatus::Disconnected => {
            "disconnected: no new refunds; the open ones are followed to their end".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn the_processors_key_is_never_an_argument() {
        for line in [
            "connect stripe sk_test_4242",
            "connect stripe --secret-key sk_test_4242",
            "connect sk_test_4242",
            "connect stripe --keep-key --webhook-secret whsec_4242",
        ] {
            let words = ["refundkit", "processors"].into_iter().chain(line.split_whitespace());
            assert_eq!(Cli::try_parse_from(words).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn settings_can_change_while_the_key_is_kept() {
        let words = ["refundkit", "processors", "connect", "stripe", "--keep-key", "--reverse-transfer", "false"];
        let crate::cli::Command::Processors(Command::Connect(args)) = Cli::try_parse_from(words).unwrap().command
        else {
            panic!("another command");
        };
        let sent = serde_json::to_value(args.operation().unwrap()).unwrap();
        assert_eq!(sent, serde_json::json!({ "connect": { "reverseTransfer": false } }));
    }
}
