//! `refundkit openapi`: the description of the HTTP API, as this binary serves it.

use std::process::ExitCode;

use super::{
    exit::Exit,
    output::{print, to_json},
};

/// Which description: there is one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  refundkit openapi > openapi.json")]
pub(crate) struct OpenapiArgs {}

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    print(&to_json(&refundkit_server::interfaces::openapi::document()))?;
    Ok(Exit::Done.into())
}
