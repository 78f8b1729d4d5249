//! `tandem completion`: the completion script of a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::failure::Failure;

/// Arguments of `tandem completion`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tandem completion bash > /etc/bash_completion.d/tandem")]
pub struct Arguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    clap_complete::generate(
        arguments.shell,
        &mut crate::Arguments::command(),
        "tandem",
        &mut std::io::stdout(),
    );
    Ok(())
}
