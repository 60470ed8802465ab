//! Settings of a server: each declared once, as a flag and an environment variable of the same name.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use clap::{Args, ValueEnum};
use secrecy::SecretString;

use crate::interfaces::network::TrustedProxies;

/// The settings of `refundkit serve`. `docs/configuration.md` explains each.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The address to listen on.
    #[arg(long, env = "REFUNDKIT_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// What this server does: with PostgreSQL, answering requests and following refunds can be processes of their own.
    #[arg(long, env = "REFUNDKIT_ROLE", value_enum, default_value_t = Role::All)]
    pub role: Role,

    /// Everything about data.
    #[command(flatten)]
    pub data: DataConfig,

    /// Everything about Stripe.
    #[command(flatten)]
    pub stripe: StripeConfig,

    /// How people, agents and Stripe reach this server, such as `https://refunds.example.com`; from the listener when nothing is said.
    /// Requests to other hosts are refused at `/mcp`.
    #[arg(long, env = "REFUNDKIT_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<PublicUrl>,

    /// The proxies whose `X-Forwarded-For` is believed: addresses and networks with commas between, such as `10.0.0.0/8`. Tries to
    /// sign in are counted by where they come from.
    #[arg(long, env = "REFUNDKIT_TRUSTED_PROXIES", value_name = "NETWORKS", default_value = "")]
    pub trusted_proxies: TrustedProxies,

    /// Requests a minute for each API key; 0 for no limit.
    #[arg(long, env = "REFUNDKIT_RATE_LIMIT", default_value_t = 600)]
    pub rate_limit: u32,

    /// How long a create waits for the processor, in milliseconds, before it answers 202 and goes on in the background.
    #[arg(long, env = "REFUNDKIT_SUBMIT_DEADLINE_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=30_000))]
    pub submit_deadline_ms: u64,

    /// Development: polling and retry schedules are divided by this.
    #[arg(long, env = "REFUNDKIT_SCHEDULE_SPEEDUP", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub schedule_speedup: u32,

    /// Where metrics are served to Prometheus: an address on this machine, or `off`.
    #[arg(long, env = "REFUNDKIT_METRICS_LISTEN", default_value = "127.0.0.1:9464", value_parser = parse_metrics_listen)]
    pub metrics_listen: MetricsListen,
}

/// The settings that say where Stripe is and how often it may be asked.
#[derive(Debug, Clone, Args)]
pub struct StripeConfig {
    /// Where Stripe is. Live keys are only ever sent to the real one.
    #[arg(long, env = "REFUNDKIT_STRIPE_API_BASE", default_value = "https://api.stripe.com")]
    pub stripe_api_base: String,

    /// Background calls to Stripe a second, for each connection and process (polls, re-fetches, comparing): 10 in test and 40 in
    /// live when nothing is said, 0 for no limit. Creates are never delayed by it.
    #[arg(long, env = "REFUNDKIT_STRIPE_RATE", value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub stripe_rate: Option<u32>,
}

/// What a server does. Several, with different roles, may share one PostgreSQL database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Answers requests, and submits the refunds that they ask for. Others follow them.
    Api,
    /// Follows refunds and clears old rows away. Answers nothing but whether it is healthy.
    Worker,
    /// Both.
    All,
}

impl Role {
    /// Whether requests are answered.
    pub const fn answers(self) -> bool {
        matches!(self, Self::Api | Self::All)
    }

    /// Whether refunds are followed.
    pub const fn works(self) -> bool {
        matches!(self, Self::Worker | Self::All)
    }
}

/// The settings that say where data is and how it is sealed.
#[derive(Debug, Clone, Args)]
pub struct DataConfig {
    /// The database: `sqlite://` and a path, or `postgres://user:password@host/database`. Give an address with a password by
    /// environment, not as a flag: flags show in the process list.
    #[arg(long, env = "REFUNDKIT_DATABASE_URL", hide_env_values = true, default_value = "sqlite://./.refundkit/refundkit.db", value_parser = parse_database_url)]
    pub database_url: DatabaseUrl,

    /// The key that seals credentials: 32 bytes as 64 hexadecimal digits. Give it by environment, not as a flag: flags show in the process list.
    #[arg(long, env = "REFUNDKIT_MASTER_KEY", hide_env_values = true)]
    pub master_key: Option<SecretString>,

    /// The file that holds the master key.
    #[arg(long, env = "REFUNDKIT_MASTER_KEY_FILE", conflicts_with = "master_key")]
    pub master_key_file: Option<PathBuf>,
}

/// Where the database is.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// A SQLite file.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// A PostgreSQL server.
    Postgres {
        /// Its address, with the password.
        url: SecretString,
    },
}

/// Parses `sqlite://path` or `postgres://…`. What is wrong is said without the address: it may hold a password.
pub fn parse_database_url(text: &str) -> Result<DatabaseUrl, String> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(DatabaseUrl::Postgres { url: SecretString::from(text) });
    }
    match text.strip_prefix("sqlite://") {
        Some("") => Err("the path is missing: sqlite://./refundkit.db".to_owned()),
        Some(path) => Ok(DatabaseUrl::Sqlite { path: PathBuf::from(path) }),
        None => Err(
            "expected sqlite:// and a path, such as sqlite://./.refundkit/refundkit.db, or postgres://user@host/database"
                .to_owned(),
        ),
    }
}

/// How the server is reached from outside: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// The address, without a slash at its end: paths can be put behind it.
    pub base: String,
    /// Host, and port where one was given.
    pub authority: String,
    /// Scheme, host and port, as browsers name an origin; with the port always.
    pub origin: String,
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected an address such as https://refunds.example.com, without a path".to_owned();
        let url: http::Uri = text.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else { return Err(wrong()) };
        let default_port = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return Err(wrong()),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let port = authority.port_u16().unwrap_or(default_port);
        Ok(PublicUrl {
            base: format!("{scheme}://{authority}"),
            authority: authority.to_string(),
            origin: format!("{scheme}://{}:{port}", authority.host()),
        })
    }
}

impl PublicUrl {
    /// Whether the way there is encrypted.
    pub fn is_https(&self) -> bool {
        self.base.starts_with("https://")
    }

    /// How a server is reached that listens here, when nothing else is said.
    pub fn of_listener(listener: SocketAddr) -> Self {
        let mut address = listener;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let base = format!("http://{address}");
        Self { authority: address.to_string(), origin: base.clone(), base }
    }
}

/// Where metrics are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsListen {
    /// Nowhere.
    Off,
    /// On this loopback address.
    On(SocketAddr),
}

fn parse_metrics_listen(text: &str) -> Result<MetricsListen, String> {
    if text == "off" {
        return Ok(MetricsListen::Off);
    }
    let address: SocketAddr =
        text.parse().map_err(|_| "expected an address such as 127.0.0.1:9464, or off".to_owned())?;
    if address.ip().is_loopback() {
        Ok(MetricsListen::On(address))
    } else {
        Err("metrics are served on loopback only; let a local agent collect them".to_owned())
    }
}

impl DataConfig {
    /// The file that holds the master key when nothing else is said: beside a SQLite database, or where one would be.
    pub fn default_master_key_file(&self) -> PathBuf {
        match &self.database_url {
            DatabaseUrl::Sqlite { path } => path.with_file_name("master.key"),
            DatabaseUrl::Postgres { .. } => PathBuf::from("./.refundkit/master.key"),
        }
    }
}
