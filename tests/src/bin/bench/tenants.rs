//! The rows about many tenants: what those cost who are silent, and whether calls of many are as fast as of one.
//!
//! One tenant's stage is set over gRPC; the others are copies of its rows in both databases. The same tenant, alone in a
//! copy of the databases, is the yardstick.

mod events;
mod many;
mod silent;
mod spread;
pub mod stage;

use std::time::Duration;

use tandem_tests::database::Engine;

use crate::Outcome;
use crate::args::{Args, Scale};
use crate::ground::{Ground, Pair};
use crate::report::Report;
use stage::TENANTS;

/// Past the first moments of a service: leases are taken, streams are open, caches are filled.
const SETTLE: Duration = Duration::from_secs(5);

/// Measures the rows that are asked for.
pub async fn measure(args: &Args, report: &mut Report, scale: &Scale) {
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let parts = [
            silent::rows(engine, scale),
            events::rows(engine, scale),
            spread::quote_rows(engine, scale),
            spread::write_rows(engine, scale),
            many::rows(engine, scale),
        ];
        let parts = parts.map(|rows| rows.into_iter().filter(|row| args.wants(row)).collect::<Vec<_>>());
        if parts.iter().all(Vec::is_empty) {
            continue;
        }
        let mut crew = match Crew::gather(engine, scale, !parts[4].is_empty()).await {
            Ok(crew) => crew,
            Err(error) => {
                report.close(parts.concat(), Err(error));
                continue;
            }
        };
        for (part, rows) in parts.into_iter().enumerate() {
            if rows.is_empty() {
                continue;
            }
            let measured = match part {
                0 => silent::measure(&mut crew, args, report).await,
                1 => events::measure(&mut crew, args, report).await,
                2 => spread::quotes(&mut crew, args, report).await,
                3 => spread::writes(&mut crew, args, report).await,
                _ => many::measure(&crew, args, report).await,
            };
            report.close(rows, measured);
            // Whatever became of it, the next part begins with services that stand still.
            if let Err(error) = crew.stop().await {
                eprintln!("  {error}");
            }
        }
    }
}

/// The services, stopped while nobody measures. They go before their databases.
struct Crew {
    engine: Engine,
    scale: Scale,
    /// With one tenant.
    alone: Pair,
    /// With many.
    crowd: Pair,
    ground: Ground,
}

impl Crew {
    async fn gather(engine: Engine, scale: &Scale, with_many: bool) -> Outcome<Self> {
        eprintln!("{engine:?}: one tenant, and {} of its kind", scale.tenants);
        let ground = Ground::new(engine)?;
        let mut alone = Pair::new(&ground, "alone").await?;
        stage::set(&alone).await?;
        // Events get their positions, and are followed.
        tokio::time::sleep(Duration::from_secs(1)).await;
        alone.stop().await?;
        copies(&ground, "crowd", scale.tenants).await?;
        if with_many {
            copies(&ground, many::NAME, scale.many_tenants).await?;
        }
        let mut crowd = Pair::on(&ground, "crowd")?;
        crowd.stop().await?;
        Ok(Self { engine, scale: *scale, alone, crowd, ground })
    }

    async fn stop(&mut self) -> Outcome {
        self.alone.stop().await?;
        self.crowd.stop().await
    }

    fn settle(&self) -> Duration {
        SETTLE.min(self.scale.measure)
    }
}

/// Copies the databases of the one tenant, and the tenant in them until there are so many.
async fn copies(ground: &Ground, name: &'static str, tenants: u32) -> Outcome {
    Pair::copy_of(ground, "alone", name).await?;
    let mut rows = 0;
    for database in crate::ground::databases(name) {
        let mut store = ground.store(&database).await?;
        rows += store.copy_tenant(TENANTS, tenants - 1).await?;
        store.tidy().await?;
    }
    eprintln!("  {tenants} tenants: {rows} rows were copied");
    Ok(())
}

/// Rows on SQLite say so.
fn named(engine: Engine, row: String) -> String {
    match engine {
        Engine::Postgres => row,
        Engine::Sqlite => format!("SQLite: {row}"),
    }
}
