//! `refundkit database`: moving to another database.

use std::process::ExitCode;

use anyhow::bail;
use refundkit_server::{
    config::{DataConfig, DatabaseUrl, parse_database_url},
    server_lock,
    store::copy::{self, Copied},
};
use serde::Serialize;

use super::{
    backup::{master_key, shown},
    output::{Output, table},
    serve::advise,
};

/// Characters of a digest that people compare.
const DIGEST_CHARACTERS_SHOWN: usize = 16;

/// Move to another database.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    #[command(about = "Copy a SQLite database into an empty PostgreSQL database, and compare every row")]
    Copy(CopyArgs),
}

/// Copies a SQLite database into an empty PostgreSQL database, compares every row, and only then lets the copy stand.
///
/// No server may be running. Whatever goes wrong, the target stays empty and the SQLite file is as it was.
///
/// Examples:
///   refundkit database copy --to postgres://refundkit@db.example/refundkit
///   REFUNDKIT_COPY_TO=postgres://refundkit:password@db.example/refundkit refundkit database copy --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CopyArgs {
    /// The PostgreSQL database, which must be empty. Give an address with a password by environment, not as a flag: flags show in
    /// the process list.
    #[arg(long, env = "REFUNDKIT_COPY_TO", value_name = "URL", hide_env_values = true, value_parser = parse_database_url)]
    to: DatabaseUrl,
    #[command(flatten)]
    data: DataConfig,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    rows: u64,
    tables: Vec<Copied>,
}

pub(crate) async fn run(command: Command, output: Output) -> anyhow::Result<ExitCode> {
    let Command::Copy(args) = command;
    let (DatabaseUrl::Sqlite { path }, DatabaseUrl::Postgres { url }) = (&args.data.database_url, &args.to) else {
        bail!(
            "a copy goes from a SQLite database (REFUNDKIT_DATABASE_URL) to a PostgreSQL database (--to postgres://…)"
        );
    };
    if !path.exists() {
        bail!("there is no database at {}", shown(path));
    }
    let _alone = server_lock::take(&args.data.database_url)
        .map_err(|error| advise(error, "Stop it first: what it would write from now on would not be copied"))?;
    let tables = copy::copy(path, url).await?;
    let copied = Shown { rows: tables.iter().map(|copied| copied.rows).sum(), tables };
    output.show(&copied, |copied| {
        let rows = copied.tables.iter().map(|one| {
            let digest = one.sha256.chars().take(DIGEST_CHARACTERS_SHOWN).collect();
            [one.table.clone(), one.rows.to_string(), digest]
        });
        format!(
            "{}\nCopied {} rows from {} and read them all back: counts and digests are equal.\n\n\
             From now on give every server the new REFUNDKIT_DATABASE_URL, and start none on the file again: each\n\
             database would know only its own refunds. The master key stays as it is and is not in the database:\n\
             give every server {} (REFUNDKIT_MASTER_KEY or REFUNDKIT_MASTER_KEY_FILE).\n",
            table(["TABLE", "ROWS", "SHA-256"], rows),
            copied.rows,
            shown(path),
            master_key(&args.data),
        )
    })?;
    Ok(ExitCode::SUCCESS)
}
