//! Databases of either engine for services that are stopped and started again, and both services on them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tandem_tests::database::Engine;
use tandem_tests::process::{Kind, Service};
use tempfile::TempDir;

use crate::clones::Store;
use crate::world::{self, QUIET, Server};
use crate::{Failure, Outcome};

/// How long a service may take until it says that it is ready.
pub const READY_LIMIT: Duration = Duration::from_secs(90);

/// Where databases are.
#[derive(Debug)]
pub enum Ground {
    /// On a durable server of its own.
    Postgres(Server),
    /// Files in a folder.
    Sqlite(TempDir),
}

impl Ground {
    /// Without a database.
    pub fn new(engine: Engine) -> Outcome<Self> {
        Ok(match engine {
            Engine::Postgres => Self::Postgres(Server::start()),
            Engine::Sqlite => Self::Sqlite(tempfile::tempdir()?),
        })
    }

    /// The server.
    pub fn server(&self) -> Outcome<&Server> {
        match self {
            Self::Postgres(server) => Ok(server),
            Self::Sqlite(_) => Err("SQLite has no server".into()),
        }
    }

    /// Makes an empty database and answers its URL.
    pub async fn database(&self, name: &str) -> String {
        match self {
            Self::Postgres(server) => server.database(name).await,
            Self::Sqlite(_) => self.url(name),
        }
    }

    /// Of a database.
    pub fn url(&self, name: &str) -> String {
        match self {
            Self::Postgres(server) => server.url(name),
            Self::Sqlite(folder) => format!("sqlite:{}", file(folder, name).display()),
        }
    }

    /// Copies the database of a stopped service.
    pub async fn copy(&self, from: &str, to: &str) -> Outcome {
        match self {
            Self::Postgres(server) => server.copy(from, to).await,
            Self::Sqlite(folder) => {
                // What is in the log only moves into the file first.
                Store::open(&self.url(from)).await?.tidy().await?;
                std::fs::copy(file(folder, from), file(folder, to))?;
                Ok(())
            }
        }
    }

    /// A database, past its service.
    pub async fn store(&self, name: &str) -> Outcome<Store> {
        Store::open(&self.url(name)).await
    }
}

fn file(folder: &TempDir, name: &str) -> PathBuf {
    folder.path().join(format!("{name}.db"))
}

/// Both services, each on a database of its own: `{name}_relationship` and `{name}_campaign`.
#[derive(Debug)]
pub struct Pair {
    /// relationship-svc.
    pub relationship: Service,
    /// campaign-svc.
    pub campaign: Service,
    /// The stem of the names of the databases.
    pub name: &'static str,
}

impl Pair {
    /// On empty databases.
    pub async fn new(ground: &Ground, name: &'static str) -> Outcome<Self> {
        for database in databases(name) {
            ground.database(&database).await;
        }
        Self::on(ground, name)
    }

    /// On copies of the databases of another pair that is stopped.
    pub async fn copy_of(ground: &Ground, other: &str, name: &'static str) -> Outcome {
        for (from, to) in databases(other).iter().zip(&databases(name)) {
            ground.copy(from, to).await?;
        }
        Ok(())
    }

    /// On databases that are there.
    pub fn on(ground: &Ground, name: &'static str) -> Outcome<Self> {
        let [relationship, campaign] = databases(name).map(|database| ground.url(&database));
        let start = |kind, database: &str, settings: &[(&str, &str)]| {
            Service::start_within(kind, database, settings, READY_LIMIT).ok_or_else(not_ready)
        };
        let relationship = start(Kind::Relationship, &relationship, &[QUIET])?;
        let endpoint = format!("http://{}", relationship.address());
        let settings = [QUIET, ("RELATIONSHIP__ENDPOINT", endpoint.as_str())];
        let campaign = start(Kind::Campaign, &campaign, &settings)?;
        Ok(Self { relationship, campaign, name })
    }

    /// Both, the one that asks last.
    pub fn services(&self) -> [&Service; 2] {
        [&self.relationship, &self.campaign]
    }

    /// The names of its databases: relationship-svc's, campaign-svc's.
    pub fn databases(&self) -> [String; 2] {
        databases(self.name)
    }

    /// Stops both in order, where they run.
    pub async fn stop(&mut self) -> Outcome {
        for service in [&mut self.campaign, &mut self.relationship] {
            if service.wait(Duration::from_millis(15)).is_none() {
                world::stop(service).await?;
            }
        }
        Ok(())
    }

    /// Starts both again.
    pub fn start(&mut self) -> Outcome {
        started(&mut self.relationship)?;
        started(&mut self.campaign)
    }
}

/// Starts a stopped service again.
pub fn started(service: &mut Service) -> Outcome {
    let limit = Instant::now() + READY_LIMIT;
    while !service.restart_within(limit.saturating_duration_since(Instant::now())) {
        if Instant::now() >= limit {
            return Err(not_ready());
        }
        // Somebody's connection has its port for a moment.
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

fn not_ready() -> Failure {
    format!("not ready within {READY_LIMIT:?}").into()
}

/// The names of the databases: relationship-svc's, campaign-svc's.
pub fn databases(name: &str) -> [String; 2] {
    [format!("{name}_relationship"), format!("{name}_campaign")]
}
