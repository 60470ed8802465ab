//! `refundkit setup`: the first organization, its owner, and one admin key for each environment.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use refundkit_server::{
    config::DataConfig,
    env::Env,
    setup::{self, FirstOrganization},
};
use secrecy::{ExposeSecret as _, SecretString};

use super::output::Output;

/// The shortest password that is taken.
const PASSWORD_CHARACTERS_MIN: usize = 12;
/// The longest password that is taken.
const PASSWORD_CHARACTERS_MAX: usize = 200;
/// The length of a password that is made.
const PASSWORD_CHARACTERS_MADE: usize = 20;

/// Makes the database if there is none, the first organization, its owner, and one admin key for each environment.
///
/// Examples:
///   refundkit setup --organization Acme --email owner@acme.example
///   refundkit setup --organization Acme --email owner@acme.example --password-file ./password --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SetupArgs {
    /// The organization's name.
    #[arg(long, value_name = "NAME")]
    organization: String,
    /// The owner's e-mail address.
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// A file that holds the owner's password (at least 12 characters). Without it, one is made and shown.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    data: DataConfig,
}

pub(crate) async fn run(args: SetupArgs, output: Output) -> anyhow::Result<ExitCode> {
    let (name, email) = (args.organization.trim().to_owned(), args.email.trim().to_owned());
    if name.is_empty() || name.chars().any(char::is_control) {
        bail!("--organization must be a name");
    }
    let parts = email.split_once('@');
    if parts.is_none_or(|(local, host)| local.is_empty() || host.is_empty()) || email.contains(char::is_whitespace) {
        bail!("--email must be an e-mail address");
    }
    let env = Env::default();
    let password = match &args.password_file {
        None => SecretString::from(env.random_text(PASSWORD_CHARACTERS_MADE)),
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned())
        }
    };
    let length = password.expose_secret().chars().count();
    if !(PASSWORD_CHARACTERS_MIN..=PASSWORD_CHARACTERS_MAX).contains(&length) {
        bail!("the password must have {PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters");
    }
    let (store, _vault) = setup::open(&args.data).await?;
    let first = FirstOrganization { name: name.clone(), email: email.clone(), password: password.clone() };
    let made = setup::first_organization(&store, &env, first).await;
    store.close().await;
    let made = made?;
    let shown = serde_json::json!({
        "organizationId": made.organization_id,
        "ownerEmail": email,
        "ownerPassword": password.expose_secret(),
        "testKey": made.test_key.expose_secret(),
        "liveKey": made.live_key.expose_secret(),
    });
    output.show(&shown, |_| {
        format!(
            "Organization    {name} ({})\nOwner           {email}\nPassword        {}\nTest admin key  {}\nLive admin key  {}\n\n\
             Keep these: the keys and the password are not shown again.\n\
             Next: `refundkit serve`, and connect Stripe with `refundkit processors connect stripe`.\n",
            made.organization_id,
            password.expose_secret(),
            made.test_key.expose_secret(),
            made.live_key.expose_secret(),
        )
    })?;
    Ok(ExitCode::SUCCESS)
}
