//! The command line of a service: serves, migrates, or shows its settings.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use super::{Program, Settings, run};
use crate::config::ConfigError;
use crate::lifecycle::{self, StopSignal, readiness};
use crate::log;

#[derive(Debug, Parser)]
struct Cli {
    /// Settings in TOML, over the defaults and under the environment.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Command {
    /// Serves until SIGTERM or SIGINT. Migrates SQLite; waits for a PostgreSQL schema that is current.
    Serve,
    /// Brings the database's schema up to date, and ends.
    Migrate,
    /// Prints the settings in force as JSON, keys and passwords left out, and ends.
    Config,
}

/// The whole program. `version` is its own.
pub fn main<P: Program>(version: &'static str) -> ExitCode {
    let matches = command::<P>(version).get_matches();
    let ended = match Cli::from_arg_matches(&matches) {
        Ok(cli) => execute::<P>(cli),
        Err(error) => error.exit(),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("{}: {error}", P::NAME);
        ExitCode::FAILURE
    })
}

fn command<P: Program>(version: &'static str) -> clap::Command {
    let (name, prefix) = (P::NAME, P::Settings::ENV_PREFIX);
    let short = name.trim_end_matches("-svc");
    let listen = P::Settings::default().common().server.listen;
    let examples = format!(
        "\
Examples:
  {name} serve
  {prefix}DATABASE__URL=postgres://tandem@localhost/{short} {name} migrate
  {name} --config {short}.toml serve
  {name} --config {short}.toml config

Every setting can be given in the file (see `config`) or in the environment, two underscores between section and key:
  {prefix}SERVER__LISTEN={listen}"
    );
    let file = format!("{prefix}CONFIG");
    Cli::command()
        .name(name)
        .about(P::ABOUT)
        .version(version)
        .after_help(examples)
        .mut_arg("config", |argument| argument.env(file))
}

fn execute<P: Program>(cli: Cli) -> Result<ExitCode, ConfigError> {
    let settings = P::Settings::load(cli.config.as_deref())?;
    match cli.command {
        Command::Serve => serve::<P>(settings),
        Command::Migrate => migrate::<P>(&settings),
        Command::Config => {
            println!("{}", settings.shown());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn serve<P: Program>(settings: P::Settings) -> Result<ExitCode, ConfigError> {
    log::init(settings.common().log)?;
    let stopped = lifecycle::block_on(async {
        let ready = |address| println!("{} listening on {address}", P::NAME);
        run::<P>(settings, None, StopSignal::of_process()?, ready).await
    })??;
    Ok(if stopped.orderly() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn migrate<P: Program>(settings: &P::Settings) -> Result<ExitCode, ConfigError> {
    log::init(settings.common().log)?;
    let database = settings.common().database;
    lifecycle::block_on(readiness::migrate(database, P::MIGRATIONS, readiness::URL))??;
    Ok(ExitCode::SUCCESS)
}
