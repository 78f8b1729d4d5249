//! What services and their database use while nobody calls.

use std::time::Duration;

use tandem_tests::process::Service;

use crate::Outcome;
use crate::cpu::Meter;
use crate::ground::{Ground, Pair};
use crate::world::Server;

/// Per cents of one core.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    /// relationship-svc.
    pub relationship: f64,
    /// campaign-svc.
    pub campaign: f64,
    /// The connections of both; nothing on SQLite, which runs inside the services.
    pub connections: [f64; 2],
}

impl Idle {
    /// Looks on for so long.
    pub async fn of(ground: &Ground, pair: &Pair, time: Duration) -> Outcome<Self> {
        let of_service = |service: &Service| Meter::of(&[service]);
        let (relationship, campaign) = (of_service(&pair.relationship)?, of_service(&pair.campaign)?);
        let mut connections = Vec::new();
        if let Ground::Postgres(server) = ground {
            for database in pair.databases() {
                connections.push(Meter::of_processes(&backends(server, &database).await?)?);
            }
        }
        tokio::time::sleep(time).await;
        let percent = |index: usize| connections.get(index).map_or(0.0, Meter::percent);
        Ok(Self {
            relationship: relationship.percent(),
            campaign: campaign.percent(),
            connections: [percent(0), percent(1)],
        })
    }

    /// A line for people.
    pub fn shown(&self) -> String {
        let [relationship, campaign] = self.connections;
        format!(
            "relationship-svc {:.2} % and its connections {relationship:.2} %, campaign-svc {:.2} % and {campaign:.2} %",
            self.relationship, self.campaign
        )
    }
}

/// The server's processes that serve a database.
async fn backends(server: &Server, database: &str) -> Outcome<Vec<u32>> {
    let sql = "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'";
    let pool = server.pool("postgres").await?;
    let pids: Vec<i32> = sqlx::query_scalar(sql).bind(database).fetch_all(&pool).await?;
    pool.close().await;
    Ok(pids.into_iter().map(i32::cast_unsigned).collect())
}
