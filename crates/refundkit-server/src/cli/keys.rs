//! `refundkit keys`: API keys of the caller's environment.

use std::process::ExitCode;

use clap::Subcommand;
use refundkit::{
    ApiKey, CreatedApiKey, KeyId, Page, RefundKit, Scope,
    operations::{CreateApiKey, api_keys::KeyName},
};

use super::{
    exit::Exit,
    output::{Output, clean, facts, page_footer, table, time},
    values,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the keys that are not revoked, newest first.
    #[command(after_help = "Example:\n  refundkit keys list")]
    List,
    /// Make a key in the environment of the key you use. It is shown this once.
    #[command(after_help = "\
Examples:
  refundkit keys create support-agent --scope write
  refundkit keys create backend --scope write --json | jq -r .key")]
    Create {
        /// What you call it.
        #[arg(value_parser = values::key_name)]
        name: KeyName,
        /// What it may do: read; write (also makes refunds); admin (everything).
        #[arg(long, value_parser = values::word(Scope::ALL, Scope::as_str))]
        scope: Scope,
    },
    /// Revoke a key at once. The last admin key of an environment cannot be revoked.
    #[command(after_help = "Example:\n  refundkit keys revoke key_01k9zzzzzzzzzzzzzzzzzzzzzz")]
    Revoke {
        /// The key's id (key_…), not the key.
        key: KeyId,
    },
}

pub(crate) async fn run(command: Command, client: &RefundKit, output: Output) -> anyhow::Result<ExitCode> {
    let keys = client.api_keys();
    match command {
        Command::List => output.show(&keys.list().await?, tell_list)?,
        Command::Create { name, scope } => {
            let created = keys.create(&CreateApiKey { name, scope }).await?;
            output.show(&created, tell_created)?;
        }
        Command::Revoke { key } => output.show(&keys.revoke(key).await?, tell_revoked)?,
    }
    Ok(Exit::Done.into())
}

fn tell_list(page: &Page<ApiKey>) -> String {
    let rows = page.data.iter().map(|key| {
        [
            key.id.to_string(),
            key.name.clone(),
            key.scope.to_string(),
            key.environment.to_string(),
            format!("{}…", key.prefix),
            time(key.created_at),
            key.last_used_at.map_or_else(|| "never".to_owned(), time),
        ]
    });
    table(["ID", "NAME", "SCOPE", "ENVIRONMENT", "KEY", "CREATED", "LAST USED"], rows) + &page_footer(&page.page)
}

fn tell_created(created: &CreatedApiKey) -> String {
    let lines = facts([
        ("id", Some(created.id.to_string())),
        ("name", Some(created.name.clone())),
        ("scope", Some(created.scope.to_string())),
        ("environment", Some(created.environment.to_string())),
        ("key", created.key.clone()),
    ]);
    match created.key {
        Some(_) => format!("{lines}\nKeep the key now: it is not stored and never shown again.\n"),
        None => format!(
            "{lines}\nThe key was shown when it was made and is not stored. Revoke this one and make another:\n  refundkit keys revoke {}\n",
            created.id
        ),
    }
}

fn tell_revoked(key: &ApiKey) -> String {
    format!("Revoked {} ({}, {}…).\n", key.id, clean(&key.name), clean(&key.prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_shown_once_with_the_warning() {
        let created: CreatedApiKey = serde_json::from_value(serde_json::json!({
            "id": "key_01k9zzzzzzzzzzzzzzzzzzzzzz", "name": "ci", "scope": "read", "environment": "test",
            "prefix": "rk_test_01234567", "key": "rk_test_0123456789abcdefghijABCDEFGHIJ_-",
            "createdAt": "2026-02-22T10:30:00.000Z",
        }))
        .unwrap();
        insta::assert_snapshot!(tell_created(&created), @"
          id           key_01k9zzzzzzzzzzzzzzzzzzzzzz
          name         ci
          scope        read
          environment  test
          key          rk_test_0123456789abcdefghijABCDEFGHIJ_-

        Keep the key now: it is not stored and never shown again.
        ");
        let repeated = CreatedApiKey { key: None, ..created };
        assert!(tell_created(&repeated).contains("refundkit keys revoke key_"));
    }
}
