//! `refundkit doctor`: goes the way that a refund goes, stops where it is blocked, and says what to do there.

use std::{fmt::Write as _, process::ExitCode, time::Duration};

use refundkit::{ConnectionStatus, Error, Identity, ProcessorConnection, RefundKit, Scope, client::check_ready};
use serde::Serialize;

use super::{
    ServerArgs,
    exit::Exit,
    output::{Output, clean},
};

/// How long one check may take: a person is waiting.
const PATIENCE: Duration = Duration::from_secs(10);
const KEYS_COME_FROM: &str = "Set REFUNDKIT_API_KEY, or use --api-key-file. `refundkit dev` and `refundkit setup` show the first keys; `refundkit keys create` makes more.";

#[derive(Debug, Serialize)]
struct Diagnosis {
    healthy: bool,
    checks: Vec<Check>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    name: &'static str,
    result: Finding,
    message: String,
    /// What to do about it.
    next: Option<String>,
    #[serde(skip)]
    exit: Exit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Finding {
    Ok,
    Wrong,
    NotChecked,
}

pub(crate) async fn run(server: &ServerArgs, output: Output) -> anyhow::Result<ExitCode> {
    let checks = examine(server).await;
    let worst = checks.iter().find(|check| check.result == Finding::Wrong).map_or(Exit::Done, |check| check.exit);
    let diagnosis = Diagnosis { healthy: worst == Exit::Done, checks };
    output.show(&diagnosis, tell)?;
    Ok(worst.into())
}

/// The checks in their order. Each needs the one before, so the first that fails ends the examination.
async fn examine(server: &ServerArgs) -> Vec<Check> {
    let mut checks = Vec::new();
    match check_ready(&server.base_url, PATIENCE).await {
        Ok(()) => checks.push(Check::ok("server", format!("ready at {}", server.base_url))),
        Err(error) => {
            let next = "Start it with `refundkit dev` or `refundkit serve`, or give its address with --base-url or REFUNDKIT_BASE_URL.";
            checks.push(Check::wrong("server", &error, next));
            return checks;
        }
    }
    let (client, identity) = match identify(server).await {
        Ok(identified) => identified,
        Err(error) => {
            checks.push(Check::wrong("api key", &error, KEYS_COME_FROM));
            return checks;
        }
    };
    let limits = if identity.scope == Scope::Read { "; it cannot make refunds" } else { "" };
    let words = format!("{}…, environment {}, scope {}{limits}", identity.prefix, identity.environment, identity.scope);
    checks.push(Check::ok("api key", words));
    let connection = match find_connection(&client).await {
        Ok(connection) => connection,
        Err(error) => {
            checks.push(Check::wrong("processor", &error, "Look at `refundkit processors list`."));
            return checks;
        }
    };
    checks.push(connected(connection.as_ref()));
    if checks.iter().all(|check| check.result == Finding::Ok) {
        checks.push(try_credential(&client, identity.scope).await);
    }
    checks
}

async fn identify(server: &ServerArgs) -> Result<(RefundKit, Identity), Error> {
    let client = server.client_with(0, PATIENCE)?;
    let identity = client.me().await?;
    Ok((client, identity))
}

/// The connection that refunds are made through, or the one that comes nearest to it.
async fn find_connection(client: &RefundKit) -> Result<Option<ProcessorConnection>, Error> {
    let mut connections = client.processors().list().await?.data;
    connections.sort_by_key(|connection| connection.status != ConnectionStatus::Active);
    Ok(connections.into_iter().next())
}

fn connected(connection: Option<&ProcessorConnection>) -> Check {
    const NAME: &str = "processor";
    let wrong = |message: String, next: &str| Check {
        name: NAME,
        result: Finding::Wrong,
        message,
        next: Some(next.to_owned()),
        exit: Exit::Refused,
    };
    let Some(connection) = connection else {
        return wrong("none is connected".to_owned(), "Connect one: refundkit processors connect stripe");
    };
    let words = format!("{} {}, key {}", connection.processor, connection.status, connection.secret_key_hint);
    match connection.status {
        ConnectionStatus::Active => Check::ok(NAME, words),
        ConnectionStatus::Invalid => {
            wrong(words, "The processor refuses the key. Give a good one: refundkit processors connect stripe")
        }
        ConnectionStatus::Disconnected => wrong(words, "Connect it again: refundkit processors connect stripe"),
    }
}

async fn try_credential(client: &RefundKit, scope: Scope) -> Check {
    const NAME: &str = "processor key";
    if scope != Scope::Admin {
        return Check {
            name: NAME,
            result: Finding::NotChecked,
            message: "trying it needs an admin key".to_owned(),
            next: None,
            exit: Exit::Done,
        };
    }
    match client.processors().test_stripe().await {
        Ok(connection) if connection.status == ConnectionStatus::Active => {
            let account = connection.account.map_or_else(String::new, |account| format!(" for account {account}"));
            Check::ok(NAME, format!("{} accepts it{account}", connection.processor))
        }
        Ok(connection) => connected(Some(&connection)),
        Err(error) => {
            Check::wrong(NAME, &error, "Give the processor's current key: refundkit processors connect stripe")
        }
    }
}

impl Check {
    const fn ok(name: &'static str, message: String) -> Self {
        Self { name, result: Finding::Ok, message, next: None, exit: Exit::Done }
    }

    /// What went wrong, and what to do: the error's own hint where it has one.
    fn wrong(name: &'static str, error: &Error, next: &str) -> Self {
        let next = error.hint.as_deref().filter(|_| error.status_code.is_some()).unwrap_or(next).to_owned();
        let exit = Exit::of_error(error);
        Self { name, result: Finding::Wrong, message: error.message.clone(), next: Some(next), exit }
    }
}

fn tell(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    for check in &diagnosis.checks {
        let mark = match check.result {
            Finding::Ok => "ok   ",
            Finding::Wrong => "WRONG",
            Finding::NotChecked => "-    ",
        };
        let _ = writeln!(text, "{mark}  {:13}  {}", check.name, clean(&check.message));
        if let Some(next) = &check.next {
            let _ = writeln!(text, "       {:13}  -> {}", "", clean(next));
        }
    }
    text.push_str(if diagnosis.healthy {
        "\nNothing is in the way of refunds.\n"
    } else {
        "\nRefunds cannot be made until this is mended.\n"
    });
    text
}

#[cfg(test)]
mod tests {
    use refundkit::ErrorCode;

    use super::*;

    #[test]
    fn what_is_wrong_comes_with_what_to_do() {
        let error = Error::new(ErrorCode::NetworkError, "RefundKit was not reached at 127.0.0.1:8080: refused.");
        let checks = vec![
            Check::ok("server", "ready at http://127.0.0.1:8080".to_owned()),
            Check::wrong("api key", &error, "Set REFUNDKIT_API_KEY."),
        ];
        insta::assert_snapshot!(tell(&Diagnosis { healthy: false, checks }), @"
        ok     server         ready at http://127.0.0.1:8080
        WRONG  api key        RefundKit was not reached at 127.0.0.1:8080: refused.
                              -> Set REFUNDKIT_API_KEY.

        Refunds cannot be made until this is mended.
        ");
    }

    #[test]
    fn without_an_active_connection_no_refund_can_be_made() {
        assert_eq!((connected(None).result, connected(None).exit), (Finding::Wrong, Exit::Refused));
    }
}
