//! `refundkit setup`: the first organization, its owner, and one admin key for each environment; and what the commands that make
//! organizations and people on the database have in common.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use refundkit_server::{
    accounts,
    config::{DataConfig, DatabaseUrl},
    env::Env,
    setup::{self, FirstOrganization, Made},
    store::Store,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::output::Output;

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
    #[command(flatten)]
    organization: NewOrganization,
    #[command(flatten)]
    data: DataConfig,
}

/// An organization to make, and who owns it.
#[derive(Debug, clap::Args)]
pub(crate) struct NewOrganization {
    /// The organization's name.
    #[arg(long, value_name = "NAME")]
    organization: String,
    /// The owner's e-mail address.
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// A file that holds the owner's password (at least 12 characters). Without it, one is made and shown.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(crate) async fn run(args: SetupArgs, output: Output) -> anyhow::Result<ExitCode> {
    let env = Env::default();
    let first = args.organization.checked(&env)?;
    let (store, _vault) = setup::open(&args.data).await?;
    let made = setup::first_organization(&store, &env, first.clone()).await;
    store.close().await;
    tell_made(&first, &made?, output)
}

impl NewOrganization {
    /// The organization as it is to be made: a name, an address, a password.
    pub(crate) fn checked(&self, env: &Env) -> anyhow::Result<FirstOrganization> {
        let name = accounts::checked_name("--organization", &self.organization);
        let email = accounts::checked_email("--email", &self.email);
        Ok(FirstOrganization {
            name: name.map_err(|error| error.seen_before_sending())?,
            email: email.map_err(|error| error.seen_before_sending())?,
            password: new_password(self.password_file.as_deref(), env)?,
        })
    }
}

/// The password in this file, or one that is made.
pub(crate) fn new_password(file: Option<&Path>, env: &Env) -> anyhow::Result<SecretString> {
    let Some(path) = file else { return Ok(SecretString::from(env.random_text(PASSWORD_CHARACTERS_MADE))) };
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let password = SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned());
    accounts::check_new_password("--password-file", &password).map_err(|error| error.seen_before_sending())?;
    Ok(password)
}

/// Opens the database that is there; makes none.
pub(crate) async fn open_existing(data: &DataConfig) -> anyhow::Result<Store> {
    if let DatabaseUrl::Sqlite { path } = &data.database_url
        && !path.exists()
    {
        bail!("there is no database at {}; `refundkit setup` makes one", path.display());
    }
    Ok(setup::open(data).await?.0)
}

/// Tells what was made. Keys and password are told this once.
pub(crate) fn tell_made(new: &FirstOrganization, made: &Made, output: Output) -> anyhow::Result<ExitCode> {
    let FirstOrganization { name, email, password } = new;
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
