//! `refundkit users`: the way back in for people, on the database itself.

use std::{path::PathBuf, process::ExitCode};

use refundkit_server::{accounts, config::DataConfig, env::Env, setup};
use secrecy::ExposeSecret as _;

use super::{
    output::{Output, clean},
    setup::{new_password, open_existing},
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    #[command(about = "Give somebody a new password, and end the sessions that the old one began")]
    ResetPassword(ResetArgs),
}

/// Gives a person a new password and signs the person out everywhere.
///
/// It works on the database itself, so that it helps who can no longer sign in; a server may run meanwhile.
///
/// Examples:
///   refundkit users reset-password --email owner@acme.example
///   refundkit users reset-password --email owner@acme.example --password-file ./password --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ResetArgs {
    /// The person's e-mail address.
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// A file that holds the new password (at least 12 characters). Without it, one is made and shown.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    data: DataConfig,
}

pub(crate) async fn run(Command::ResetPassword(args): Command, output: Output) -> anyhow::Result<ExitCode> {
    let email = accounts::checked_email("email", &args.email).map_err(|error| error.seen_before_sending())?;
    let password = new_password(args.password_file.as_deref(), &Env::default())?;
    let store = open_existing(&args.data).await?;
    let reset = setup::reset_password(&store, &email, password.clone()).await;
    store.close().await;
    reset?;
    let shown = serde_json::json!({ "email": email, "password": password.expose_secret() });
    output.show(&shown, |_| {
        format!(
            "User      {}\nPassword  {}\n\nThe password before is worth nothing any more, and whoever was signed in with it is signed out.\n",
            clean(&email),
            password.expose_secret()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}
