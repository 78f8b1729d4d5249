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

/// A durable PostgreSQL and relationship-svc on it.
#[derive(Debug)]
pub struct World {
    /// The service; it goes before its database.
    pub relationship: Service,
    /// The cluster.
    pub cluster: Cluster,
}

impl World {
    /// Starts both.
    pub async fn start() -> Self {
        let cluster = Cluster::start(Durability::Durable);
        let url = database(&cluster, PRODUCT).await;
        let relationship = Service::start(Kind::Relationship, &url, &[QUIET]);
        Self { relationship, cluster }
    }

    /// A campaign-svc with a database of its own that asks our relationship-svc.
    pub async fn campaign(&self, name: &str) -> Service {
        let endpoint = format!("http://{}", self.relationship.address());
        let url = database(&self.cluster, name).await;
        Service::start(Kind::Campaign, &url, &[QUIET, ("RELATIONSHIP__ENDPOINT", &endpoint)])
    }

    /// Copies the database of a stopped service, file by file: the same schema, indexes, data and statistics.
    pub async fn copy_for_yardstick(&self, product: &str, yardstick: &str) -> Outcome {
        let pool = self.pool(product).await?;
        sqlx::raw_sql("VACUUM ANALYZE").execute(&pool).await?;
        pool.close().await;
        let server = self.pool("postgres").await?;
        let copy = format!("CREATE DATABASE {yardstick} TEMPLATE {product}");
        sqlx::raw_sql(AssertSqlSafe(copy)).execute(&server).await?;
        server.close().await;
        Ok(())
    }

    /// Connections to one of the databases.
    pub async fn pool(&self, database: &str) -> Outcome<PgPool> {
        Ok(PgPool::connect(&over_socket(&self.cluster, database)).await?)
    }

    /// The port of the cluster.
    pub fn port(&self) -> Outcome<&str> {
        let (_, rest) = self.cluster.url().rsplit_once(':').ok_or("a URL with a port")?;
        Ok(rest.split('/').next().unwrap_or(rest))
    }

    /// The version of PostgreSQL.
    pub async fn postgres_version(&self) -> Outcome<String> {
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

/// Ends a service in order: its sessions have handed in their statistics, and its database can be copied.
pub async fn stop(service: &mut Service) -> Outcome {
    service.signal(Signal::SIGTERM);
    service.wait(STOP_LIMIT).ok_or("a service did not stop")?;
    tokio::time::sleep(STATISTICS_LAG).await;
    Ok(())
}

async fn database(cluster: &Cluster, name: &str) -> String {
    cluster.database(name).await;
    over_socket(cluster, name)
}

/// Both sides reach the database over the Unix socket.
fn over_socket(cluster: &Cluster, database: &str) -> String {
    let server = cluster.url().rsplit_once('/').map_or(cluster.url(), |(server, _)| server);
    format!("{server}/{database}?host={}", cluster.socket_folder().display())
}
