//! Services on the stage.

use tonic::transport::Channel;

use super::{Campaigns, Relationship};
use crate::database::{Database, Engine};
use crate::process::{Kind, Service};

/// That the key for development is used is no news here.
const QUIET: (&str, &str) = ("LOG__FILTER", "error");
/// Settings of every relationship-svc here: tests guess more often than customers.
const RELATIONSHIP: &[(&str, &str)] = &[QUIET, ("REDEMPTION__GUESSES_PER_MINUTE", "1000000")];

/// Connections of one caller's process to one service: one connection carries a limited number of calls at once.
const CONNECTIONS: usize = 4;

/// Two processes of relationship-svc on one PostgreSQL.
#[derive(Debug)]
pub struct Twins {
    /// One.
    pub first: Service,
    /// The other.
    pub second: Service,
    /// Theirs.
    pub database: Database,
}

impl Twins {
    /// On a database of their own.
    pub async fn start() -> Self {
        Self::on(Database::new(Engine::Postgres).await)
    }

    /// On `database`.
    pub fn on(database: Database) -> Self {
        let start = || start_relationship(database.url(), &[]);
        Self { first: start(), second: start(), database }
    }

    /// Callers that go to the two in turn.
    pub fn callers(&self) -> Vec<Relationship> {
        (0..CONNECTIONS)
            .flat_map(|_| [Relationship::of(&self.first), Relationship::of(&self.second)])
            .collect()
    }
}

/// Starts relationship-svc on a database as these tests need it.
pub fn start_relationship(database: &str, settings: &[(&str, &str)]) -> Service {
    Service::start(Kind::Relationship, database, &[RELATIONSHIP, settings].concat())
}

/// Both services.
#[derive(Debug)]
pub struct Pair {
    /// relationship-svc.
    pub relationship: Service,
    /// campaign-svc.
    pub campaign: Service,
    /// Of relationship-svc.
    pub relationship_database: Database,
    /// Of campaign-svc.
    pub campaign_database: Database,
}

impl Pair {
    /// Each on a database of its own. A quote waits `timeout_ms` for the customer's incentives.
    pub async fn start(engine: Engine, timeout_ms: u64) -> Self {
        let (relationship_database, campaign_database) =
            (Database::new(engine).await, Database::new(engine).await);
        let relationship = start_relationship(relationship_database.url(), &[]);
        let endpoint = format!("http://{}", relationship.address());
        let timeout = timeout_ms.to_string();
        let settings = [
            QUIET,
            ("RELATIONSHIP__ENDPOINT", endpoint.as_str()),
            ("RELATIONSHIP__TIMEOUT_MS", timeout.as_str()),
        ];
        let campaign = Service::start(Kind::Campaign, campaign_database.url(), &settings);
        Self { relationship, campaign, relationship_database, campaign_database }
    }

    /// Callers of both.
    pub fn callers(&self) -> (Campaigns, Relationship) {
        (Campaigns::of(&self.campaign), Relationship::of(&self.relationship))
    }

    /// A connection to campaign-svc.
    pub fn channel(&self) -> Channel {
        self.campaign.channel()
    }
}
