//! `tandem up`: both services in one process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use tandem_platform::config::ConfigError;
use tandem_platform::lifecycle::{StopSignal, Stopped};
use tandem_platform::log;
use tandem_platform::shell::{self, Settings};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::connect::Target;
use crate::failure::Failure;

/// Arguments of `tandem up`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem up
  tandem up --data /var/lib/tandem --campaign-listen 127.0.0.1:9001
  tandem up --campaign-database postgres://tandem@db/campaign --relationship-database postgres://tandem@db/relationship

Every other setting is the services' own, from the environment: TANDEM_CAMPAIGN_… and TANDEM_RELATIONSHIP_….")]
pub struct Arguments {
    /// Where the SQLite databases are; made where missing.
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// Database of campaign-svc instead of SQLite. PostgreSQL is migrated at start.
    #[arg(long)]
    campaign_database: Option<String>,
    /// Database of relationship-svc instead of SQLite. PostgreSQL is migrated at start.
    #[arg(long)]
    relationship_database: Option<String>,
    /// Address of campaign-svc.
    #[arg(long, default_value = "127.0.0.1:7401")]
    campaign_listen: SocketAddr,
    /// Address of relationship-svc.
    #[arg(long, default_value = "127.0.0.1:7402")]
    relationship_listen: SocketAddr,
}

/// Both services, running.
pub struct Pair {
    /// Where they are.
    pub target: Target,
    stops: Vec<mpsc::Sender<()>>,
    services: JoinSet<Result<Stopped, ConfigError>>,
    scratch: Option<PathBuf>,
}

/// Runs both services until interrupted.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    let settings = |error: ConfigError| Failure::said(error.to_string());
    let mut campaign = campaign_svc::Config::load(None).map_err(settings)?;
    let mut relationship = relationship_svc::Config::load(None).map_err(settings)?;
    std::fs::create_dir_all(&arguments.data).map_err(|error| Failure::at(arguments.data.display(), error))?;
    campaign.server.listen = arguments.campaign_listen;
    relationship.server.listen = arguments.relationship_listen;
    campaign.database.url =
        arguments.campaign_database.unwrap_or_else(|| sqlite(&arguments.data, "campaign"));
    relationship.database.url =
        arguments.relationship_database.unwrap_or_else(|| sqlite(&arguments.data, "relationship"));
    log::init(&campaign.log).map_err(settings)?;
    let pair = Pair::start(campaign, relationship, None).await?;
    println!("campaign-svc      {}", pair.target.campaign);
    println!("relationship-svc  {}", pair.target.relationship);
    println!("data              {}", arguments.data.display());
    println!("Ctrl-C stops both.");
    pair.until_stopped().await
}

fn sqlite(folder: &Path, name: &str) -> String {
    format!("sqlite:{}", folder.join(format!("{name}.db")).display())
}

impl Pair {
    /// Both services on SQLite in `data`, or in a fresh folder that goes with them. They listen on their usual ports
    /// where they are to stay, else on free ones.
    pub async fn for_demo(data: Option<PathBuf>, stay: bool) -> Result<Self, Failure> {
        let scratch = data.is_none().then(fresh_folder);
        let folder = data.or_else(|| scratch.clone()).unwrap_or_default();
        std::fs::create_dir_all(&folder).map_err(|error| Failure::at(folder.display(), error))?;
        if std::fs::read_dir(&folder)?.next().is_some() {
            return Err(Failure::at(folder.display(), "the demo needs an empty folder"));
        }
        let mut campaign = campaign_svc::Config::default();
        let mut relationship = relationship_svc::Config::default();
        if !stay {
            campaign.server.listen.set_port(0);
            relationship.server.listen.set_port(0);
        }
        campaign.database.url = sqlite(&folder, "campaign");
        relationship.database.url = sqlite(&folder, "relationship");
        // A shop that replays a year in seconds would rather wait than sell without its customers' codes.
        campaign.relationship.timeout_ms = 2_000;
        campaign.server.lame_duck_ms = 0;
        relationship.server.lame_duck_ms = 0;
        campaign.log.filter = "error".to_owned();
        log::init(&campaign.log).map_err(|error| Failure::said(error.to_string()))?;
        Self::start(campaign, relationship, scratch).await
    }

    async fn start(
        mut campaign: campaign_svc::Config,
        relationship: relationship_svc::Config,
        scratch: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        let mut services = JoinSet::new();
        let (stop_relationship, stop) = StopSignal::manual();
        migrate(&relationship.database, &relationship_svc::MIGRATIONS).await?;
        let (ready, relationship_at) = oneshot::channel();
        services.spawn(shell::run::<relationship_svc::App>(relationship, stop, |address| {
            _ = ready.send(address)
        }));
        let relationship_at = started(relationship_at, &mut services).await?;
        campaign.relationship.endpoint = format!("http://{relationship_at}");
        let (stop_campaign, stop) = StopSignal::manual();
        migrate(&campaign.database, &campaign_svc::MIGRATIONS).await?;
        let (ready, campaign_at) = oneshot::channel();
        services.spawn(shell::run::<campaign_svc::App>(campaign, stop, |address| _ = ready.send(address)));
        let campaign_at = started(campaign_at, &mut services).await?;
        let target = Target {
            campaign: format!("http://{campaign_at}"),
            relationship: format!("http://{relationship_at}"),
            tenant: "default".to_owned(),
        };
        Ok(Self { target, stops: vec![stop_campaign, stop_relationship], services, scratch })
    }

    /// Waits for an interrupt, or for a service to end by itself, and stops the rest.
    pub async fn until_stopped(mut self) -> Result<(), Failure> {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            ended = self.services.join_next() => {
                let why = ended.map_or_else(String::new, |ended| format!("{ended:?}"));
                self.stop().await?;
                return Err(Failure::said(format!("a service ended by itself: {why}")));
            }
        }
        self.stop().await
    }

    /// Stops both in order.
    pub async fn stop(mut self) -> Result<(), Failure> {
        for stop in &self.stops {
            // A service that has ended already needs no word.
            let _ = stop.send(()).await;
        }
        while let Some(ended) = self.services.join_next().await {
            ended
                .map_err(|error| Failure::said(error.to_string()))?
                .map_err(|error| Failure::said(error.to_string()))?;
        }
        if let Some(scratch) = &self.scratch {
            std::fs::remove_dir_all(scratch).map_err(|error| Failure::at(scratch.display(), error))?;
        }
        Ok(())
    }
}

fn fresh_folder() -> PathBuf {
    std::env::temp_dir().join(format!("tandem-demo-{}", crate::vouchers::fresh_request_id()))
}

/// An operator who types `up` means "and have it ready": in Kubernetes `migrate` is a job of its own.
async fn migrate(
    config: &tandem_platform::config::DatabaseConfig,
    migrations: &tandem_platform::db::Migrations,
) -> Result<(), Failure> {
    let failed = |fault: tandem_platform::Fault| Failure::said(format!("{}: {fault:?}", config.url));
    let db = tandem_platform::Db::connect(config).await.map_err(failed)?;
    let migrated = db.migrate(migrations).await.map_err(failed);
    db.close().await;
    migrated
}

async fn started(
    ready: oneshot::Receiver<SocketAddr>,
    services: &mut JoinSet<Result<Stopped, ConfigError>>,
) -> Result<SocketAddr, Failure> {
    tokio::select! {
        address = ready => address.map_err(|_| Failure::said("a service ended before it was ready")),
        ended = services.join_next() => match ended {
            Some(Ok(Err(error))) => Err(Failure::said(error.to_string())),
            other => Err(Failure::said(format!("a service ended before it was ready: {other:?}"))),
        },
    }
}
