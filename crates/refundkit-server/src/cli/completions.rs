//! `refundkit completions`: the script that teaches a shell the commands.

use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, exit::Exit, output::print};

/// Which shell.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  refundkit completions bash > ~/.local/share/bash-completion/completions/refundkit")]
pub(crate) struct CompletionsArgs {
    /// The shell that will read it.
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    // Into memory first: the generator panics when its writer fails, and a closed pipe is no reason to.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "refundkit", &mut script);
    print(&String::from_utf8(script)?)?;
    Ok(Exit::Done.into())
}
