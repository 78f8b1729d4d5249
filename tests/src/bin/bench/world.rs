//! The cluster, the services and their databases.

use std::time::Duration;

use nix::sys::signal::Signal;
use sqlx::{AssertSqlSafe, PgPool};
use tandem_tests::postgres::{Cluster, Durability};
use tandem_tests::process::{Kind, Service};

use crate::Outcome;

/// relationship-svc's database.
pub const PRODUCT: &str = "relationship";
/// Its copy, for pgbench and COPY.
pub const YARDSTICK: &str = "yardstick";
/// The database of the campaign-svc that commits orders.
pub const ORDERS: &str = "orders";
/// Its copy, for pgbench.
pub const ORDERS_YARDSTICK: &str = "orders_yardstick";

/// That quotes are sealed with the key for development is known here.
pub const QUIET: (&str, &str) = ("LOG__FILTER", "error");

const STOP_LIMIT: Duration = Duration::from_secs(60);
/// Past the interval in which idle sessions hand in their counts.
const STATISTICS_LAG: Duration = Duration::from_millis(300);

/// A durable PostgreSQL.
#[derive(Debug)]
pub struct Server {
    /// It ends when dropped.
    pub cluster: Cluster,
}

impl Server {
    /// Starts one.
    pub fn start() -> Self {
        Self { cluster: Cluster::start(Durability::Durable) }
    }

    /// Makes an empty database and answers its URL.
    pub async fn database(&self, name: &str) -> String {
        self.cluster.database(name).await;
        self.url(name)
    }

    /// Of a database: both sides reach it over the Unix socket.
    pub fn url(&self, database: &str) -> String {
        let url = self.cluster.url();
        let server = url.rsplit_once('/').map_or(url, |(server, _)| server);
        format!("{server}/{database}?host={}", self.cluster.socket_folder().display())
    }

    /// Copies the database of a stopped service, file by file: the same schema, indexes, data and statistics.
    pub async fn copy(&self, from: &str, to: &str) -> Outcome {
        let pool = self.pool(from).await?;
        sqlx::raw_sql("VACUUM ANALYZE").execute(&pool).await?;
        pool.close().await;
        let server = self.pool("postgres").await?;
        let copy = format!("CREATE DATABASE {to} TEMPLATE {from}");
        sqlx::raw_sql(AssertSqlSafe(copy)).execute(&server).await?;
        server.close().await;
        Ok(())
    }

    /// Connections to one of the databases.
    pub async fn pool(&self, database: &str) -> Outcome<PgPool> {
        Ok(PgPool::connect(&self.url(database)).await?)
    }

    /// The port of the cluster.
    pub fn port(&self) -> Outcome<&str> {
        let (_, rest) = self.cluster.url().rsplit_once(':').ok_or("a URL with a port")?;
        Ok(rest.split('/').next().unwrap_or(rest))
    }

    /// The version of PostgreSQL.
    pub async fn version(&self) -> Outcome<String> {
        let pool = self.pool("postgres").await?;
        Ok(sqlx::query_scalar("SHOW server_version").fetch_one(&pool).await?)
    }

    /// Writes out what is dirty, so that no measurement pays for another.
    pub async fn checkpoint(&self) -> Outcome {
        let pool = self.pool("postgres").await?;
        sqlx::raw_sql("CHECKPOINT").execute(&pool).await?;
        pool.close().await;
        Ok(())
    }
}

/// A durable PostgreSQL and relationship-svc on it.
#[derive(Debug)]
pub struct World {
    /// The service; it goes before its database.
    pub relationship: Service,
    /// The server.
    pub server: Server,
}

impl World {
    /// Starts both.
    pub async fn start() -> Self {
        let server = Server::start();
        let url = server.database(PRODUCT).await;
        let relationship = Service::start(Kind::Relationship, &url, &[QUIET]);
        Self { relationship, server }
    }

    /// A campaign-svc with a database of its own that asks our relationship-svc.
    pub async fn campaign(&self, name: &str) -> Service {
        let endpoint = format!("http://{}", self.relationship.address());
        let url = self.server.database(name).await;
        Service::start(Kind::Campaign, &url, &[QUIET, ("RELATIONSHIP__ENDPOINT", &endpoint)])
    }
}

/// Ends a service in order: its sessions have handed in their statistics, and its database can be copied.
pub async fn stop(service: &mut Service) -> Outcome {
    service.signal(Signal::SIGTERM);
    service.wait(STOP_LIMIT).ok_or("a service did not stop")?;
    tokio::time::sleep(STATISTICS_LAG).await;
    Ok(())
}
