//! `tandem up`: both services in one process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use tandem_platform::clock::Movable;
use tandem_platform::config::{ConfigError, LogConfig};
use tandem_platform::lifecycle::{StopSignal, Stopped, readiness};
use tandem_platform::log;
use tandem_platform::secret::Address;
use tandem_platform::shell::{self, Common, Program, Settings};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::connect::Target;
use crate::failure::Failure;

/// Arguments of `tandem up`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem up
  tandem up --data /var/lib/tandem --campaign-listen 127.0.0.1:9001
  tandem up --campaign-database postgres://tandem@db/campaign --relationship-database postgres://tandem@db/relationship
  tandem up --data ./stage --clock 2026-01-01T00:00:00Z       (then: tandem clock advance 30d)

Every other setting is the services' own, from their files and from the environment: TANDEM_CAMPAIGN_… and
TANDEM_RELATIONSHIP_…. A flag goes before the environment, the environment before a file.")]
pub struct Arguments {
    /// Where the SQLite databases are, `data` where nothing else is said; made where missing.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Settings of campaign-svc in TOML.
    #[arg(long, env = "TANDEM_CAMPAIGN_CONFIG", value_name = "FILE")]
    campaign_config: Option<PathBuf>,
    /// Settings of relationship-svc in TOML.
    #[arg(long, env = "TANDEM_RELATIONSHIP_CONFIG", value_name = "FILE")]
    relationship_config: Option<PathBuf>,
    /// Database of campaign-svc instead of SQLite. PostgreSQL is migrated at start.
    #[arg(long, value_name = "ADDRESS")]
    campaign_database: Option<Address>,
    /// Database of relationship-svc instead of SQLite. PostgreSQL is migrated at start.
    #[arg(long, value_name = "ADDRESS")]
    relationship_database: Option<Address>,
    /// Address of campaign-svc, 127.0.0.1:7401 where nothing else is said; port 0 is a free one.
    #[arg(long, value_name = "ADDRESS")]
    campaign_listen: Option<SocketAddr>,
    /// Address of relationship-svc, 127.0.0.1:7402 where nothing else is said; port 0 is a free one.
    #[arg(long, value_name = "ADDRESS")]
    relationship_listen: Option<SocketAddr>,
    /// Starts both on a clock that says this, runs on, and is moved forward by `tandem clock`: for demonstrations and tests, on
    /// this machine alone, and with data of their own, which must not have seen a later time.
    #[arg(long, value_name = "WHEN")]
    clock: Option<jiff::Timestamp>,
}

/// What the addresses of the databases are called by whoever gave them.
#[derive(Debug, Clone, Copy)]
struct Words {
    campaign_database: &'static str,
    relationship_database: &'static str,
}

impl Default for Words {
    fn default() -> Self {
        Self { campaign_database: readiness::URL, relationship_database: readiness::URL }
    }
}

/// Both services, running.
pub struct Pair {
    /// Where they are.
    pub target: Target,
    stops: Vec<mpsc::Sender<()>>,
    services: JoinSet<Result<Stopped, ConfigError>>,
    scratch: Option<PathBuf>,
}

/// Runs both services until a signal.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    let folder = arguments.data.clone().unwrap_or_else(|| PathBuf::from("data"));
    let (campaign, relationship) = settings(&arguments, &folder).map_err(said)?;
    let clock = arguments.clock.map(|at| movable(at, &campaign, &relationship)).transpose().map_err(said)?;
    let here = [(&campaign.database, "campaign"), (&relationship.database, "relationship")];
    let here = here.into_iter().any(|(database, name)| database.url == sqlite(&folder, name));
    if here {
        std::fs::create_dir_all(&folder)
            .map_err(|error| Failure::at(format!("--data {}", folder.display()), error))?;
    } else if arguments.data.is_some() {
        return Err(Failure::said(
            "--data is where SQLite databases would be, and both databases are elsewhere",
        ));
    }
    log::init(&campaign.log).map_err(said)?;
    let databases = [campaign.database.url.clone(), relationship.database.url.clone()];
    let given = |flag: &Option<Address>, name| if flag.is_some() { name } else { readiness::URL };
    let words = Words {
        campaign_database: given(&arguments.campaign_database, "--campaign-database"),
        relationship_database: given(&arguments.relationship_database, "--relationship-database"),
    };
    let pair = Pair::start(campaign, relationship, clock, words, None).await?;
    println!("campaign-svc      {}", pair.target.campaign);
    println!("relationship-svc  {}", pair.target.relationship);
    println!("databases         {}, {}", databases[0], databases[1]);
    if let Some(at) = arguments.clock {
        println!("clock             from {at}, moved by `tandem clock`");
    }
    println!("Ctrl-C stops both.");
    pair.until_stopped().await
}

fn said(error: ConfigError) -> Failure {
    Failure::said(error.to_string())
}

/// One clock for both, where no other machine can move it.
fn movable(
    at: jiff::Timestamp,
    campaign: &campaign_svc::Config,
    relationship: &relationship_svc::Config,
) -> Result<Movable, ConfigError> {
    let named = |error: ConfigError| ConfigError::new(format!("--clock: {error}"));
    for (service, server) in
        [(campaign_svc::App::NAME, &campaign.server), (relationship_svc::App::NAME, &relationship.server)]
    {
        Movable::only_here(service, server).map_err(named)?;
    }
    Movable::starting(at).map_err(named)
}

/// The settings of both: flags, over the environment, over their files, over what `up` takes for granted.
fn settings(
    arguments: &Arguments,
    folder: &Path,
) -> Result<(campaign_svc::Config, relationship_svc::Config), ConfigError> {
    let mut campaign = campaign_svc::Config::default();
    let mut relationship = relationship_svc::Config::default();
    campaign.database.url = sqlite(folder, "campaign");
    relationship.database.url = sqlite(folder, "relationship");
    // Whatever it is afterwards was said by somebody.
    campaign.relationship.endpoint = Address::default();
    let mut campaign = campaign.overridden(arguments.campaign_config.as_deref())?;
    let mut relationship = relationship.overridden(arguments.relationship_config.as_deref())?;
    if campaign.relationship.endpoint != Address::default() {
        return Err(ConfigError::new(format!(
            "relationship.endpoint = {:?}: `tandem up` starts a relationship-svc of its own; unset \
             TANDEM_CAMPAIGN_RELATIONSHIP__ENDPOINT, or run campaign-svc by itself",
            campaign.relationship.endpoint
        )));
    }
    if relationship.campaign.endpoint != Address::default() {
        return Err(ConfigError::new(format!(
            "campaign.endpoint = {:?}: `tandem up` starts a campaign-svc of its own; unset \
             TANDEM_RELATIONSHIP_CAMPAIGN__ENDPOINT, or run relationship-svc by itself",
            relationship.campaign.endpoint
        )));
    }
    if relationship.log != campaign.log && relationship.log != LogConfig::default() {
        return Err(ConfigError::new(
            "TANDEM_RELATIONSHIP_LOG__…: both services write one log here, as TANDEM_CAMPAIGN_LOG__… says",
        ));
    }
    if relationship.seal_keys != campaign.seal_keys {
        return Err(ConfigError::new("seal_keys: both services need the same, or neither any"));
    }
    for (database, flag) in [
        (&mut campaign.database, &arguments.campaign_database),
        (&mut relationship.database, &arguments.relationship_database),
    ] {
        database.url = flag.clone().unwrap_or_else(|| database.url.clone());
    }
    campaign.server.listen = arguments.campaign_listen.unwrap_or(campaign.server.listen);
    relationship.server.listen = arguments.relationship_listen.unwrap_or(relationship.server.listen);
    Ok((campaign, relationship))
}

fn sqlite(folder: &Path, name: &str) -> Address {
    format!("sqlite:{}", folder.join(format!("{name}.db")).display()).into()
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
        Self::start(campaign, relationship, None, Words::default(), scratch).await
    }

    /// Each is told where the other is: relationship-svc before that is there, so campaign-svc's port is chosen first.
    async fn start(
        mut campaign: campaign_svc::Config,
        mut relationship: relationship_svc::Config,
        clock: Option<Movable>,
        words: Words,
        scratch: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        let listen = &mut campaign.server.listen;
        if listen.port() == 0 {
            listen.set_port(std::net::TcpListener::bind(*listen)?.local_addr()?.port());
        }
        let scheme = if campaign.server.tls.is_some() { "https" } else { "http" };
        relationship.campaign.endpoint = format!("{scheme}://{}", campaign.server.listen).into();
        let mut services = JoinSet::new();
        let (stop_relationship, at) = serve::<relationship_svc::App>(
            relationship,
            clock.clone(),
            words.relationship_database,
            &mut services,
        )
        .await?;
        campaign.relationship.endpoint = at.clone();
        let (stop_campaign, campaign_at) =
            serve::<campaign_svc::App>(campaign, clock, words.campaign_database, &mut services).await?;
        let target = Target {
            campaign: campaign_at,
            relationship: at,
            tenant: "default".to_owned(),
            tls_ca: None,
            tls_server_name: None,
            tls_certificate: None,
            tls_key: None,
        };
        Ok(Self { target, stops: vec![stop_campaign, stop_relationship], services, scratch })
    }

    /// Waits for SIGINT or SIGTERM, or for a service to end by itself, and stops the rest.
    pub async fn until_stopped(mut self) -> Result<(), Failure> {
        let mut signal = StopSignal::of_process().map_err(said)?;
        tokio::select! {
            () = signal.next() => {}
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
    std::env::temp_dir().join(format!("tandem-demo-{}", crate::request_id::fresh()))
}

/// Starts one of the two and waits until it answers: how it is stopped, and where it is.
async fn serve<P: Program>(
    settings: P::Settings,
    clock: Option<Movable>,
    database_words: &str,
    services: &mut JoinSet<Result<Stopped, ConfigError>>,
) -> Result<(mpsc::Sender<()>, Address), Failure> {
    let named = |error: ConfigError| Failure::said(format!("{}: {error}", P::NAME));
    let Common { server, database, .. } = settings.common();
    let scheme = if server.tls.is_some() { "https" } else { "http" };
    // An operator who types `up` means "and have it ready": in Kubernetes `migrate` is a job of its own.
    readiness::migrate(database, P::MIGRATIONS, database_words).await.map_err(named)?;
    let (stop, signal) = StopSignal::manual();
    let (ready, at) = oneshot::channel();
    let service = shell::run::<P>(settings, clock, signal, |address| _ = ready.send(address));
    services.spawn(service.instrument(tracing::info_span!("service", name = P::NAME)));
    if let Ok(address) = at.await {
        return Ok((stop, format!("{scheme}://{address}").into()));
    }
    match services.join_next().await {
        Some(Ok(Err(error))) => Err(named(error)),
        other => Err(Failure::said(format!("{} ended before it was ready: {other:?}", P::NAME))),
    }
}
