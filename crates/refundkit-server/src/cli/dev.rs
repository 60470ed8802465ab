//! `refundkit dev`: everything in one process, with something to refund, for the first minute and for development.
//!
//! Server, Stripe sandbox and a SQLite file; the data lives in one folder and is found again. One refund is made from end
//! to end through the same API as any other, and its timeline is shown.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use refundkit::{
    Amount, ConnectionStatus, Environment, Refund, RefundEvent, RefundKit, RefundReason, Scope, TransactionId, api_key,
    client::Options,
    money::write_amount,
    operations::{ConnectStripe, CreateRefund, ListRefundEvents, ListRefunds},
    page::Limit,
};
use refundkit_sandbox::{DEV_CHARGES, DEV_SECRET_KEY, Method, Request, Sandbox, SandboxOptions, World};
use refundkit_server::{
    accounts,
    app::App,
    config::{Config, DataConfig, DatabaseUrl, MetricsListen, Role, StripeConfig},
    interfaces::network::TrustedProxies,
    server::Server,
    server_lock,
    setup::{self, FirstOrganization},
    store::{StoreError, Tenant, api_keys, api_keys::NewApiKey, organizations, sessions, users},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    output, sandbox,
    serve::{self, Stop},
};

/// Who signs in to the dashboard.
const OWNER: &str = "owner@localhost";
/// The length of the owner's password.
const PASSWORD_CHARACTERS: usize = 20;
/// The charge that is refunded on the first start.
const FIRST_CHARGE: &str = "ch_1SandboxFirstRefund";
/// A day of following becomes two minutes, so that a refund that fails later is seen to fail.
const SPEEDUP_DEFAULT: u32 = 720;
/// How long the first refund may take to settle before its timeline is shown as it is.
const SETTLE_WAIT: Duration = Duration::from_secs(3);

/// Runs everything in one process: server, Stripe sandbox and SQLite, with charges to refund. Test money only.
///
/// Makes one refund from end to end on the first start and shows its timeline. Data, keys and the sandbox's state stay in
/// the data folder; a second start finds them and makes no new refund. Needs no network.
///
/// Examples:
///   refundkit dev
///   refundkit dev --listen 127.0.0.1:9000 --data-dir /tmp/refundkit
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct DevArgs {
    /// The address of the server.
    #[arg(long, env = "REFUNDKIT_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The address of the Stripe sandbox.
    #[arg(long, value_name = "ADDRESS", default_value = sandbox::LISTEN_DEFAULT)]
    sandbox_listen: SocketAddr,
    /// Where data, keys and the sandbox's state are kept.
    #[arg(long, value_name = "FOLDER", default_value = "./.refundkit")]
    data_dir: PathBuf,
    /// Polling and retry schedules are divided by this.
    #[arg(long, env = "REFUNDKIT_SCHEDULE_SPEEDUP", default_value_t = SPEEDUP_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    schedule_speedup: u32,
}

pub(crate) async fn run(args: DevArgs) -> anyhow::Result<ExitCode> {
    if !args.listen.ip().is_loopback() || !args.sandbox_listen.ip().is_loopback() {
        bail!("dev listens on this machine only (127.0.0.1); use `refundkit serve` for anything else");
    }
    let listener = serve::listen(args.listen, "--listen").await?;
    let sandbox_listener = serve::listen(args.sandbox_listen, "--sandbox-listen").await?;
    let addresses = Addresses {
        server: format!("http://{}", listener.local_addr()?),
        sandbox: format!("http://{}", sandbox_listener.local_addr()?),
    };

    let config = config(&args, &addresses);
    // Two that write one sandbox would lose each other's refunds: the database's lock is the folder's.
    let _alone = server_lock::take(&config.data.database_url)
        .map_err(|error| serve::advise(error, "Stop it, or choose another folder with --data-dir"))?;
    let app = serve::open(&config, listener.local_addr()?).await?;
    let stop_sandbox = CancellationToken::new();
    let sandbox = Sandbox::open(SandboxOptions {
        state_file: Some(args.data_dir.join("sandbox.json")),
        world: World::Dev,
        ..SandboxOptions::default()
    })?;
    let serving_sandbox = {
        let (stopped, sandbox) = (stop_sandbox.clone().cancelled_owned(), sandbox.clone());
        tokio::spawn(async move { sandbox.serve(sandbox_listener, stopped).await })
    };
    let key = api_key(&app, &args.data_dir.join("dev-key")).await?;
    let password = password(&app, &args.data_dir.join("dev-password")).await?;
    let mut stop = Stop::new()?;
    let server = Server::start(app, listener);

    let client = RefundKit::builder()
        .api_key(key.expose_secret())
        .base_url(&addresses.server)
        .client_name("cli", env!("CARGO_PKG_VERSION"))
        .build()?;
    connect(&client).await?;
    send_webhooks(&client, &sandbox).await?;
    let shown = first_refund(&client).await?;
    output::print(&welcome(&addresses, &key, &password, &shown))?;

    stop.asked_for().await;
    output::print("Stopping: finishing what is under way. Once more to stop at once.\n")?;
    tokio::select! {
        () = server.stop() => {}
        () = stop.asked_for() => bail!("stopped at once; what was under way is taken up again after the next start"),
    }
    stop_sandbox.cancel();
    serving_sandbox.await??;
    output::print("Stopped. The next start finds everything as it is.\n")?;
    Ok(ExitCode::SUCCESS)
}

struct Addresses {
    server: String,
    sandbox: String,
}

fn config(args: &DevArgs, addresses: &Addresses) -> Config {
    Config {
        listen: args.listen,
        data: DataConfig {
            database_url: DatabaseUrl::Sqlite { path: args.data_dir.join("refundkit.db") },
            master_key: None,
            master_key_file: Some(args.data_dir.join("master.key")),
        },
        stripe: StripeConfig { stripe_api_base: addresses.sandbox.clone(), stripe_rate: None },
        public_url: None,
        trusted_proxies: TrustedProxies::default(),
        rate_limit: 0,
        submit_deadline_ms: 10_000,
        schedule_speedup: args.schedule_speedup,
        metrics_listen: MetricsListen::Off,
        role: Role::All,
    }
}

/// The test admin key of this folder: made with the organization, or anew when its file was lost.
async fn api_key(app: &App, path: &Path) -> anyhow::Result<SecretString> {
    match fs::read_to_string(path) {
        Ok(text) if is_known(app, text.trim()).await? => return Ok(SecretString::from(text.trim().to_owned())),
        Ok(_) => fs::remove_file(path).with_context(|| format!("cannot replace {}", path.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    let organization = organizations::find_first(&mut *app.store.read().await?).await?;
    let key = match organization {
        None => {
            let password = SecretString::from(app.env.random_text(PASSWORD_CHARACTERS));
            let first = FirstOrganization { name: "Dev".to_owned(), email: OWNER.to_owned(), password };
            setup::first_organization(&app.store, &app.env, first).await?.test_key
        }
        Some(organization_id) => {
            let key = app.env.new_api_key(Environment::Test);
            let new = NewApiKey {
                id: app.env.new_key_id(),
                name: "dev".to_owned(),
                scope: Scope::Admin,
                prefix: key.chars().take(api_key::KEY_PREFIX_CHARACTERS).collect(),
                hash: api_key::hash_api_key(&key),
                created_at: app.env.now(),
            };
            let tenant = Tenant { organization_id, environment: Environment::Test };
            app.store
                .write::<_, StoreError, _>(move |connection| {
                    Box::pin(async move { api_keys::insert(connection, tenant, &new).await })
                })
                .await?;
            SecretString::from(key)
        }
    };
    setup::write_private(path, key.expose_secret().as_bytes())?;
    Ok(key)
}

async fn is_known(app: &App, key: &str) -> anyhow::Result<bool> {
    let mut connection = app.store.read().await?;
    Ok(api_keys::find_by_hash(&mut connection, &api_key::hash_api_key(key)).await?.is_some())
}

/// How to sign in to the dashboard.
enum Password {
    /// With the password of this folder.
    Kept(SecretString),
    /// With the one that the owner chose since.
    Chosen,
    /// As somebody else: the owner was removed.
    Removed,
}

/// The owner's password of this folder: made anew when its file is missing, as in a folder from before there was a dashboard.
async fn password(app: &App, path: &Path) -> anyhow::Result<Password> {
    let Some((owner, hash)) = users::find_by_email(&mut *app.store.read().await?, OWNER).await? else {
        return Ok(Password::Removed);
    };
    match fs::read_to_string(path) {
        Ok(text) => {
            let kept = SecretString::from(text.trim());
            let is_kept = accounts::is_password(app, kept.clone(), Some(hash)).await?;
            return Ok(if is_kept { Password::Kept(kept) } else { Password::Chosen });
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    let password = SecretString::from(app.env.random_text(PASSWORD_CHARACTERS));
    let hash = accounts::hash_password(password.clone()).await.map_err(anyhow::Error::msg)?;
    app.store
        .write::<_, StoreError, _>(move |connection| {
            Box::pin(async move {
                users::update_password(connection, owner.id, &hash).await?;
                sessions::delete_of_user(connection, owner.id, None).await
            })
        })
        .await?;
    // Written last: a file that is there is true.
    setup::write_private(path, password.expose_secret().as_bytes())?;
    Ok(Password::Kept(password))
}

/// Connects the sandbox as a person would connect Stripe, unless that was done before.
async fn connect(client: &RefundKit) -> anyhow::Result<()> {
    let connections = client.processors().list().await?;
    if connections.data.iter().all(|connection| connection.status != ConnectionStatus::Active) {
        let connect = ConnectStripe { secret_key: Some(DEV_SECRET_KEY.into()), ..ConnectStripe::default() };
        client.processors().connect_stripe(&connect).await?;
    }
    Ok(())
}

/// Tells the sandbox where to send its notifications, as a person would tell Stripe, unless it sends them there already.
async fn send_webhooks(client: &RefundKit, sandbox: &Sandbox) -> anyhow::Result<()> {
    /// How the endpoint is recognised that an earlier start made, at another port.
    const DESCRIPTION: &str = "refundkit dev";
    let ask = async |method, path: &str, form: &[(&str, &str)]| {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::new(method, path, &body).with_api_key(DEV_SECRET_KEY);
        let answer = sandbox.apply(&request).await?;
        let read: Value = serde_json::from_str(&answer.body)?;
        if answer.status == 200 { Ok(read) } else { bail!("the sandbox refuses a webhook endpoint: {read}") }
    };
    let connections = client.processors().list().await?.data;
    let Some(connection) = connections.first() else { return Ok(()) };
    let endpoints = ask(Method::Get, "/v1/webhook_endpoints", &[]).await?;
    let ours = |endpoint: &&Value| endpoint["description"] == DESCRIPTION;
    for endpoint in endpoints["data"].as_array().into_iter().flatten().filter(ours) {
        if endpoint["url"] == connection.webhook_url.as_str() && connection.webhook_secret_hint.is_some() {
            return Ok(());
        }
        let path = format!("/v1/webhook_endpoints/{}", endpoint["id"].as_str().unwrap_or_default());
        ask(Method::Delete, &path, &[]).await?;
    }
    let form = [
        ("url", connection.webhook_url.as_str()),
        ("description", DESCRIPTION),
        ("enabled_events[]", "refund.*"),
        ("enabled_events[]", "charge.refunded"),
    ];
    let made = ask(Method::Post, "/v1/webhook_endpoints", &form).await?;
    let webhook_secret = made["secret"].as_str().map(SecretString::from);
    client.processors().connect_stripe(&ConnectStripe { webhook_secret, ..ConnectStripe::default() }).await?;
    Ok(())
}

struct Shown {
    refund: Refund,
    events: Vec<RefundEvent>,
    /// How long it took, when it was made just now.
    took: Option<Duration>,
}

/// Makes the first refund, or finds it where an earlier start made it.
async fn first_refund(client: &RefundKit) -> anyhow::Result<Shown> {
    let charge: TransactionId = FIRST_CHARGE.parse()?;
    let earlier = ListRefunds { transaction_id: Some(charge.clone()), limit: Limit::new(1), ..ListRefunds::default() };
    let (mut refund, started) = match client.refunds().list(&earlier).await?.data.into_iter().next() {
        Some(refund) => (refund, None),
        None => {
            let started = Instant::now();
            let mut create = CreateRefund::new(charge, RefundReason::CustomerRequest);
            create.amount = Amount::new(4200).ok();
            let options = Options::default().idempotency_key("dev-first-refund");
            (client.refunds().create_with(&create, options).await?, Some(started))
        }
    };
    let took = started.map(|started| started.elapsed());
    let waited = Instant::now();
    while refund.settled_at.is_none() && waited.elapsed() < SETTLE_WAIT {
        tokio::time::sleep(Duration::from_millis(50)).await;
        refund = client.refunds().get(refund.id).await?;
    }
    let list = ListRefundEvents { id: refund.id, limit: None, cursor: None };
    let events = client.refunds().events(&list).await?.data;
    Ok(Shown { refund, events, took })
}

/// What a newcomer reads first.
fn welcome(addresses: &Addresses, key: &SecretString, password: &Password, shown: &Shown) -> String {
    let Shown { refund, events, took } = shown;
    let mut text = String::new();
    let heading = match took {
        Some(took) => format!("One refund, from end to end, in {} ms:", took.as_millis()),
        None => "The refund that an earlier start made:".to_owned(),
    };
    let amount = write_amount(refund.processor, refund.amount.minor(), refund.currency);
    let _ =
        write!(text, "\nRefundKit {} · test money, on this machine only\n\n{heading}\n\n", env!("CARGO_PKG_VERSION"));
    for event in events {
        let _ = writeln!(
            text,
            "  {}  {:<18}  {}",
            event.created_at,
            event.event_type.as_str(),
            output::clean(event.message.as_deref().unwrap_or_default())
        );
    }
    let external = refund.external_refund_id.as_deref().unwrap_or("not accepted yet");
    let _ = write!(
        text,
        "\n  {amount} of {FIRST_CHARGE}: {} ({} · {})\n\n",
        refund.status,
        refund.id,
        output::clean(external)
    );
    let (server, sandbox, key) = (&addresses.server, &addresses.sandbox, key.expose_secret());
    let program = program();
    let sign_in = match password {
        Password::Kept(password) => format!("{OWNER}, password {}", password.expose_secret()),
        Password::Chosen => format!("{OWNER}, with the password that you chose"),
        Password::Removed => format!("{OWNER} was removed; sign in as another owner"),
    };
    let _ = write!(
        text,
        "  Dashboard       {server}   ({sign_in})\n  Server          {server}\n  Reference       {server}/docs\n  Stripe sandbox  {sandbox}   (key {DEV_SECRET_KEY})\n  API key         {key}   (test, admin)\n\n\
         Paste next, in another terminal:\n\n  export REFUNDKIT_BASE_URL={server} REFUNDKIT_API_KEY={key}\n\n  \
         curl -s $REFUNDKIT_BASE_URL/v1/refunds -H \"Authorization: Bearer $REFUNDKIT_API_KEY\" \\\n    \
         -H 'Content-Type: application/json' -H 'Idempotency-Key: order-1001' \\\n    \
         -d '{{\"transactionId\":\"ch_1N4HbSKz9cXRvFYr\",\"amount\":2500,\"reason\":\"product_defective\"}}'\n\n  \
         {program} refunds create ch_1SandboxPending --reason other --wait\n  \
         {program} refunds list\n  \
         {program} doctor\n  \
         export REFUNDKIT_STRIPE_API_BASE={sandbox}   # for StripeProcessor, which needs no server\n\nTo refund:\n\n"
    );
    for charge in DEV_CHARGES.iter().filter(|charge| charge.id != FIRST_CHARGE) {
        let amount = charge
            .currency
            .parse()
            .map(|currency| write_amount(refund.processor, charge.amount, currency))
            .unwrap_or_default();
        let _ = writeln!(text, "  {:<27} {amount:>14}   {}", charge.id, charge.shows);
    }
    text.push_str("\nServing until Ctrl-C.\n");
    text
}

/// How this program was called, so that what is shown can be pasted.
fn program() -> String {
    let called = std::env::args().next().unwrap_or_else(|| "refundkit".to_owned());
    let here = std::env::current_dir().ok();
    let relative =
        here.and_then(|here| Path::new(&called).strip_prefix(here).ok().map(|path| path.display().to_string()));
    relative.unwrap_or(called)
}
