//! `refundkit backup` and `restore`: a SQLite database as one file, and back.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::bail;
use refundkit_server::{
    backup::{self, BackupError},
    config::{DataConfig, DatabaseUrl},
    env::Env,
    store::backup::Counted,
};

use super::{
    output::{Output, clean, table, time},
    serve::advise,
};

/// Copies the SQLite database into one file, while servers work on it, and checks the copy.
///
/// The file is written whole or not at all, for its owner only, and never in another's place. The master key is not in it.
///
/// Examples:
///   refundkit backup /backups/refundkit-2026-11-23.db
///   refundkit backup backup.db --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct BackupArgs {
    /// The file to write. It must not exist.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    data: DataConfig,
}

/// Puts a backup where the SQLite database is. No server may be running; what was there stays beside it under a dated name.
///
/// Examples:
///   refundkit restore /backups/refundkit-2026-11-23.db
///   refundkit restore backup.db --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct RestoreArgs {
    /// The backup.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    data: DataConfig,
}

pub(crate) fn back_up(args: &BackupArgs, output: Output) -> anyhow::Result<ExitCode> {
    let DatabaseUrl::Sqlite { path } = &args.data.database_url else {
        bail!("the database is PostgreSQL: back it up with its own tools, such as `pg_dump --format=custom`");
    };
    let made = backup::back_up(path, &args.file, &Env::default())?;
    output.show(&made, |made| {
        format!(
            "{}\nBacked up {} as it was at {} to {} ({} bytes), and checked the copy.\n\n\
             The master key is not in it. Keep {} too, in another place: without it the Stripe keys in the\n\
             backup cannot be opened, and whoever has both has them.\n",
            rows(&made.tables),
            shown(path),
            time(made.taken_at),
            shown(&made.file),
            made.bytes,
            master_key(&args.data),
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn restore(args: &RestoreArgs, output: Output) -> anyhow::Result<ExitCode> {
    let DatabaseUrl::Sqlite { path } = &args.data.database_url else {
        bail!("the database is PostgreSQL: put a dump back with its own tools, such as `pg_restore`");
    };
    let restored = backup::restore(&args.file, path, &Env::default()).map_err(|error| match error {
        BackupError::Lock(error) => advise(error, "Stop it first: what it would write from now on would be lost"),
        error => error.into(),
    })?;
    output.show(&restored, |restored| {
        let replaced = restored.replaced.as_ref().map_or_else(
            || "There was no database before.".to_owned(),
            |replaced| format!("What was there before is kept as {}.", shown(replaced)),
        );
        format!(
            "{}\nRestored {} from {}, and checked it. {replaced}\n\n\
             Refunds made after the backup are at Stripe and not in this database: `refundkit reconcile` shows them. Look\n\
             at them before callers repeat requests from that time: their idempotency keys are not in it either.\n\
             The master key is not in a backup: {} must be the one from then.\n",
            rows(&restored.tables),
            shown(&restored.database),
            shown(&args.file),
            master_key(&args.data),
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

fn rows(tables: &[Counted]) -> String {
    table(["TABLE", "ROWS"], tables.iter().map(|counted| [counted.table.clone(), counted.rows.to_string()]))
}

/// Where the master key is kept.
pub(super) fn master_key(data: &DataConfig) -> String {
    match (&data.master_key, &data.master_key_file) {
        (Some(_), _) => "REFUNDKIT_MASTER_KEY".to_owned(),
        (None, Some(file)) => shown(file),
        (None, None) => shown(&data.default_master_key_file()),
    }
}

pub(super) fn shown(path: &Path) -> String {
    clean(&path.display().to_string()).into_owned()
}
