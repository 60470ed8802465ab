//! `refundkit sandbox`: the Stripe-compatible simulator on its own.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use refundkit_sandbox::{Sandbox, SandboxOptions, World};

use super::serve::{self, Stop};

/// Where the sandbox listens when nothing is said.
pub(crate) const LISTEN_DEFAULT: &str = "127.0.0.1:12111";

/// Simulates Stripe: charges, PaymentIntents, refunds, webhooks and faults, without any network.
///
/// Examples:
///   refundkit sandbox
///   refundkit sandbox --state-file ./sandbox.json --refund-delay-ms 500
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SandboxArgs {
    /// The address to listen on. Point Stripe's official clients, or `REFUNDKIT_STRIPE_API_BASE`, at it.
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN_DEFAULT)]
    listen: SocketAddr,
    /// Where to keep the state, so that a restart finds it. In memory only when absent.
    #[arg(long, value_name = "FILE")]
    state_file: Option<PathBuf>,
    /// Where ids come from: the same seed gives the same ids.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How long refunds take from one state to the next, in milliseconds.
    #[arg(long, default_value_t = 5000)]
    refund_delay_ms: u64,
    /// Begin without charges.
    #[arg(long)]
    empty: bool,
}

pub(crate) async fn run(args: SandboxArgs) -> anyhow::Result<ExitCode> {
    let listener = serve::listen(args.listen, "--listen").await?;
    let sandbox = Sandbox::open(SandboxOptions {
        seed: args.seed,
        state_file: args.state_file,
        refund_delay: Duration::from_millis(args.refund_delay_ms),
        world: if args.empty { World::Empty } else { World::Dev },
        ..SandboxOptions::default()
    })?;
    let mut stop = Stop::new()?;
    tracing::info!("Stripe sandbox on http://{}", listener.local_addr()?);
    sandbox.serve(listener, async move { stop.asked_for().await }).await?;
    Ok(ExitCode::SUCCESS)
}
