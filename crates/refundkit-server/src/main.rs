//! The `refundkit` command. What it can do lives in `cli`; here is what every process needs before that.

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use clap::Parser as _;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

mod cli;

use cli::{Cli, LogFormat};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    stay_small();
    // Fails only when there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return cli::report_usage(&cli::without_secrets(error)),
    };
    let json = cli.globals.json;
    start_logging(cli.globals.log_format, if cli.command.serves() { LevelFilter::INFO } else { LevelFilter::WARN });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(cli::run(cli)));
    result.unwrap_or_else(|error| cli::report(&error, json))
}

/// Keeps the system from handing out memory in pages of two megabytes, of which a program that is mostly idle uses little: it
/// resides in a third less without, and is no slower ([docs/performance.md]).
fn stay_small() {
    // Where that cannot be said, the program is larger and otherwise the same.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Sends log lines to stderr: stdout is for results. `REFUNDKIT_LOG` says which, such as `debug` or `refundkit=trace`.
fn start_logging(format: Option<LogFormat>, level: LevelFilter) {
    let on_terminal = io::stderr().is_terminal();
    // The library that speaks to agents tells of every request, and the request log does that already.
    let usual = || Targets::new().with_default(level).with_target("rmcp", LevelFilter::ERROR);
    let said = std::env::var("REFUNDKIT_LOG").ok().and_then(|said| said.parse::<Targets>().ok());
    let chosen = tracing_subscriber::registry().with(said.unwrap_or_else(usual));
    let lines = fmt::layer().with_writer(io::stderr);
    match format.unwrap_or(if on_terminal { LogFormat::Compact } else { LogFormat::Json }) {
        LogFormat::Compact => chosen.with(lines.compact().with_ansi(on_terminal)).init(),
        LogFormat::Json => chosen.with(lines.json().flatten_event(true)).init(),
    }
}
