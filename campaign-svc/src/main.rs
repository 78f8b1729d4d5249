//! The program: serves, migrates, or shows its settings.

use std::path::PathBuf;
use std::process::ExitCode;

use campaign_svc::{Config, MIGRATIONS};
use clap::{Parser, Subcommand};
use tandem_platform::config::ConfigError;
use tandem_platform::lifecycle::{self, StopSignal};
use tandem_platform::{Db, log};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Operational marketing: objectives, products, campaigns, prices.
#[derive(Debug, Parser)]
#[command(
    name = "campaign-svc",
    version,
    after_help = "\
Examples:
  campaign-svc serve
  TANDEM_CAMPAIGN_DATABASE__URL=postgres://tandem@localhost/campaign campaign-svc migrate
  campaign-svc --config campaign.toml serve
  campaign-svc --config campaign.toml config

Every setting can be given in the file (see `config`) or in the environment, two underscores between section and key:
  TANDEM_CAMPAIGN_SERVER__LISTEN=127.0.0.1:7401"
)]
struct Cli {
    /// Settings in TOML, over the defaults and under the environment.
    #[arg(long, env = "TANDEM_CAMPAIGN_CONFIG", global = true)]
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

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode, ConfigError> {
    let config = Config::load(cli.config.as_deref())?;
    match cli.command {
        Command::Serve => serve(config),
        Command::Migrate => migrate(&config),
        Command::Config => {
            println!("{}", config.shown());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn serve(config: Config) -> Result<ExitCode, ConfigError> {
    log::init(&config.log)?;
    let stopped = lifecycle::block_on(async {
        let ready = |address| println!("campaign-svc listening on {address}");
        campaign_svc::run(config, StopSignal::of_process()?, ready).await
    })??;
    Ok(if stopped.orderly() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn migrate(config: &Config) -> Result<ExitCode, ConfigError> {
    log::init(&config.log)?;
    lifecycle::block_on(async {
        let db = Db::connect(&config.database).await?;
        db.migrate(&MIGRATIONS).await?;
        db.close().await;
        Ok(())
    })?
    .map_err(|fault: tandem_platform::Fault| {
        ConfigError::new(format!("the schema cannot be migrated: {fault:?}"))
    })?;
    Ok(ExitCode::SUCCESS)
}
