//! `refundkit organizations`: further organizations, made on the database itself.

use std::process::ExitCode;

use refundkit_server::{config::DataConfig, env::Env, setup};

use super::{
    output::Output,
    setup::{NewOrganization, open_existing, tell_made},
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    #[command(about = "Make a further organization, its owner and its keys")]
    Create(CreateArgs),
}

/// Makes a further organization in the database: its owner, and one admin key for each environment.
///
/// Organizations never see each other. A second Stripe account is a second organization. It may be made while a server runs.
///
/// Examples:
///   refundkit organizations create --organization "Acme Japan" --email owner@acme.example
///   refundkit organizations create --organization "Acme Japan" --email owner@acme.example --password-file ./password --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    organization: NewOrganization,
    #[command(flatten)]
    data: DataConfig,
}

pub(crate) async fn run(Command::Create(args): Command, output: Output) -> anyhow::Result<ExitCode> {
    let env = Env::default();
    let new = args.organization.checked(&env)?;
    let store = open_existing(&args.data).await?;
    let made = setup::further_organization(&store, &env, new.clone()).await;
    store.close().await;
    tell_made(&new, &made?, output)
}
