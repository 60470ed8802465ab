//! The `refundkit` command: what can be typed, a file for each noun.
//!
//! The client commands speak to a running server through the Rust SDK, as any other caller does: nothing here reads the
//! database or knows a rule.

#![expect(clippy::result_large_err, reason = "a command ends with its first error, and main reads its fields")]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};
use refundkit::{Error, RefundKit, client::RefundKitBuilder};
use secrecy::SecretString;

mod backup;
mod completions;
mod database;
mod dev;
mod doctor;
mod exit;
mod failure;
#[cfg(test)]
mod hints;
mod keys;
mod logs;
mod mcp;
mod openapi;
mod organizations;
mod output;
mod policies;
mod processors;
mod reconcile;
mod refunds;
mod sandbox;
mod secret_input;
mod serve;
mod setup;
mod stdio_lines;
mod transactions;
mod users;
mod values;
mod watch;

pub(crate) use failure::{report, report_usage};
use output::Output;

/// Refund infrastructure: the server, and the commands that speak to it.
#[derive(Debug, Parser)]
#[command(name = "refundkit", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_long_help = exit::EXPLAINED)]
#[command(after_help = "More, with exit codes and output rules: refundkit --help")]
pub(crate) struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub(crate) globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Globals {
    /// Print the API's data as JSON on stdout, and errors as JSON on stderr.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// How log lines on stderr look; `compact` on a terminal and `json` elsewhere when nothing is said.
    #[arg(long, global = true, env = "REFUNDKIT_LOG_FORMAT", value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,

    /// The server.
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Where the server is, and with which key to speak to it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArgs {
    /// Where the server is.
    #[arg(long, global = true, env = "REFUNDKIT_BASE_URL", value_name = "URL", default_value = refundkit::client::BASE_URL_DEFAULT)]
    base_url: String,

    /// The API key. Better from the environment or a file: what is typed here shows in the process list.
    #[arg(long, global = true, env = "REFUNDKIT_API_KEY", value_name = "KEY", hide_env_values = true)]
    api_key: Option<SecretString>,

    /// A file that holds the API key; it goes before the environment. `-` reads stdin.
    #[arg(long, global = true, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people.
    Compact,
    /// A JSON object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(about = "Run everything in one process, with something to refund: start here")]
    Dev(dev::DevArgs),
    #[command(about = "Run the server")]
    Serve(serve::ServeArgs),
    #[command(about = "Make the first organization, its owner and its keys")]
    Setup(setup::SetupArgs),
    /// Make further organizations, on the database itself.
    #[command(subcommand)]
    Organizations(organizations::Command),
    /// Let people in who lost their password, on the database itself.
    #[command(subcommand)]
    Users(users::Command),
    #[command(about = "Compare the refunds in the database with the processor's, and tell every difference")]
    Reconcile(reconcile::ReconcileArgs),
    #[command(about = "Copy the SQLite database into one file, while it is in use, and check the copy")]
    Backup(backup::BackupArgs),
    #[command(about = "Put a backup where the SQLite database is, and keep what was there")]
    Restore(backup::RestoreArgs),
    /// Move to another database.
    #[command(subcommand)]
    Database(database::Command),
    #[command(about = "Run the Stripe sandbox on its own")]
    Sandbox(sandbox::SandboxArgs),
    /// Make, read and follow refunds.
    #[command(subcommand)]
    Refunds(refunds::Command),
    /// Read payments at their processor.
    #[command(subcommand)]
    Transactions(transactions::Command),
    /// Ask what could be refunded.
    #[command(subcommand)]
    Policies(policies::Command),
    /// List, make and revoke API keys.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Connect, test and disconnect payment processors.
    #[command(subcommand)]
    Processors(processors::Command),
    #[command(about = "Give agents the refund tools: a server of the Model Context Protocol on stdin and stdout")]
    Mcp(mcp::McpArgs),
    /// List the calls made to the API, newest first.
    Logs(logs::LogsArgs),
    /// Check the server, the key and the processor, and say what to do next.
    #[command(after_help = "Example:\n  refundkit doctor --json")]
    Doctor,
    /// Print the description of the HTTP API (OpenAPI 3.1), as this binary serves it.
    Openapi(openapi::OpenapiArgs),
    /// Print the shell's completion script.
    Completions(completions::CompletionsArgs),
}

impl Command {
    /// Whether this is the server itself, whose log lines are wanted, rather than a command that speaks to one.
    pub(crate) const fn serves(&self) -> bool {
        matches!(self, Self::Dev(_) | Self::Serve(_) | Self::Sandbox(_))
    }
}

/// Does what was typed.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let Cli { globals, command } = cli;
    let output = Output { json: globals.json };
    let server = &globals.server;
    match command {
        Command::Dev(args) => dev::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Setup(args) => setup::run(args, output).await,
        Command::Organizations(command) => organizations::run(command, output).await,
        Command::Users(command) => users::run(command, output).await,
        Command::Reconcile(args) => reconcile::run(args, output).await,
        Command::Backup(args) => backup::back_up(&args, output),
        Command::Restore(args) => backup::restore(&args, output),
        Command::Database(command) => database::run(command, output).await,
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Refunds(command) => refunds::run(command, &server.client()?, output).await,
        Command::Transactions(command) => transactions::run(command, &server.client()?, output).await,
        Command::Policies(command) => policies::run(command, &server.client()?, output).await,
        Command::Keys(command) => keys::run(command, &server.client()?, output).await,
        Command::Processors(command) => processors::run(command, &server.client()?, output).await,
        Command::Mcp(args) => mcp::run(args, server).await,
        Command::Logs(args) => logs::run(args, &server.client()?, output).await,
        Command::Doctor => doctor::run(server, output).await,
        Command::Openapi(openapi::OpenapiArgs {}) => openapi::run(),
        Command::Completions(args) => completions::run(&args),
    }
}

impl ServerArgs {
    fn client(&self) -> Result<RefundKit, Error> {
        self.client_with(refundkit::client::MAX_RETRIES_DEFAULT, refundkit::client::TIMEOUT_DEFAULT)
    }

    fn client_with(&self, max_retries: u32, timeout: Duration) -> Result<RefundKit, Error> {
        let builder = self.builder()?.client_name("cli", env!("CARGO_PKG_VERSION"));
        builder.max_retries(max_retries).timeout(timeout).build()
    }

    fn builder(&self) -> Result<RefundKitBuilder, Error> {
        let api_key = match (&self.api_key_file, &self.api_key) {
            (Some(file), _) => secret_input::from_file(file)?,
            (None, Some(key)) => key.clone(),
            (None, None) => SecretString::default(),
        };
        Ok(RefundKit::builder().api_key(api_key).base_url(&self.base_url))
    }
}

/// The error about a wrong argument, without the value where that may hold a password: an address that is mistyped still does.
pub(crate) fn without_secrets(mut error: clap::Error) -> clap::Error {
    use clap::error::{ContextKind, ContextValue};
    let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    if ["--database-url", "--to", "--master-key"].iter().any(|secret| argument.contains(secret)) {
        error.insert(ContextKind::InvalidValue, ContextValue::String("…".to_owned()));
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_mistyped_database_address_does_not_show_its_password() {
        for line in [
            "refundkit serve --database-url postgress://u:secretpw@h/d",
            "refundkit database copy --to mysql://u:secretpw@h/d",
        ] {
            let error = without_secrets(parse(line).unwrap_err()).render().to_string();
            assert!(error.contains("expected") && !error.contains("secretpw"), "{error}");
        }
    }

    #[test]
    fn usage_errors_exit_with_2_and_help_with_0() {
        assert_eq!(parse("refundkit refunds create").unwrap_err().exit_code(), 2);
        assert_eq!(parse("refundkit refunds create --help").unwrap_err().exit_code(), 0);
    }

    #[test]
    fn no_key_is_shown_in_help_or_debug_output() {
        let cli = parse("refundkit --api-key rk_test_secretsecret doctor").unwrap();
        assert!(!format!("{cli:?}").contains("secretsecret"));
        let help = Cli::command().render_long_help().to_string();
        assert!(help.contains("REFUNDKIT_API_KEY") && !help.contains("REFUNDKIT_API_KEY="), "{help}");
    }

    #[test]
    fn every_command_shows_an_example() {
        for (command, help) in leaf_helps(&Cli::command(), "") {
            assert!(help.contains("Example"), "{command} has no example:\n{help}");
        }
    }

    fn leaf_helps(command: &clap::Command, above: &str) -> Vec<(String, String)> {
        let path = format!("{above} {}", command.get_name());
        let below: Vec<_> = command.get_subcommands().flat_map(|sub| leaf_helps(sub, &path)).collect();
        if below.is_empty() { vec![(path, command.clone().render_long_help().to_string())] } else { below }
    }
}
