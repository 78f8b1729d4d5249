//! The redeem rows: the same rows written by the service through its lanes and by pgbench one by one.

use std::sync::Arc;
use std::time::Duration;

use prost::bytes::Bytes;
use sqlx::PgPool;
use tandem_tests::process::{Kind, Service};

use crate::Outcome;
use crate::args::{Args, CALLERS, Scale};
use crate::audit::{Ledger, Writes, relay_lag};
use crate::load::{self, Calls, Measured, Target};
use crate::orders::{self, Codes, Orders};
use crate::people::{self, HOT, HOT_CODE};
use crate::pgbench::{CLIENTS, Pgbench, Sample};
use crate::report::{Beside, Report, Target as Aim, figure};
use crate::world::{PRODUCT, QUIET, World, YARDSTICK};

const PGBENCH: &str = "pgbench, best of 1, 16, 64 clients";
/// How long before its end a load is asked how far the relay is: while it is still under way.
const BEFORE_END: Duration = Duration::from_millis(100);

struct Rates {
    name: &'static str,
    codes: Codes,
    target: Aim,
}

const RATES: [Rates; 3] = [
    Rates { name: "redeem, one hot code, 256 callers", codes: Codes::Hot, target: Aim::Times(5.0) },
    Rates {
        name: "redeem, distinct codes over 100 incentives, 256 callers",
        codes: Codes::Many,
        target: Aim::Times(2.5),
    },
    Rates {
        name: "redeem, distinct codes of one incentive with a limit, 256 callers",
        codes: Codes::One,
        target: Aim::None,
    },
];
const SINGLE: &str = "redeem, single caller, p50 latency";

/// Whether any of these rows is asked for.
pub fn wanted(args: &Args) -> bool {
    RATES.iter().any(|row| args.wants(row.name)) || args.wants(SINGLE)
}

/// Both sides of the rows, ready.
pub struct Redeem {
    pgbench: Pgbench,
    orders: Orders,
    target: Target,
    product: PgPool,
    yardstick: PgPool,
    scale: Scale,
    /// What one redemption alone has written.
    one: Writes,
}

impl Redeem {
    /// Redeems each incentive once, then one code alone to see what that writes, and copies the database.
    pub async fn prepare(world: &mut World, scale: Scale) -> Outcome<Self> {
        let product = world.pool(PRODUCT).await?;
        let mut orders = Orders::new(scale, "o")?;
        let target = Target::connect(world.relationship.address(), orders::PATH).await?;
        for order in orders.one_of_each(0) {
            target.call(order).await.map_err(|status| format!("the first redemptions: {status:?}"))?;
        }
        world.stop_relationship().await?;
        let before = Writes::so_far(&product).await?;
        world.relationship.restart();
        let target = Target::connect(world.relationship.address(), orders::PATH).await?;
        target.call(orders.of(1, HOT_CODE.to_owned(), HOT)).await?;
        world.stop_relationship().await?;
        let one = Writes::so_far(&product).await?.since(&before);
        let sample = Sample::newest(&product).await?;
        eprintln!("  one redemption writes {}; {}", one.shown(), sample.shown());
        product.close().await;
        world.copy_for_yardstick().await?;
        world.relationship.restart();
        Ok(Self {
            pgbench: Pgbench::new(world, &sample, &scale)?,
            orders,
            target: Target::connect(world.relationship.address(), orders::PATH).await?,
            product: world.pool(PRODUCT).await?,
            yardstick: world.pool(YARDSTICK).await?,
            scale,
            one,
        })
    }

    /// Measures the rows that are asked for.
    pub async fn measure(&mut self, world: &World, args: &Args, report: &mut Report) -> Outcome {
        for row in RATES.iter().filter(|row| args.wants(row.name)) {
            eprintln!("{}", row.name);
            let (mut ours, mut theirs, mut lags) = (Vec::new(), Vec::new(), Vec::new());
            for round in 1..=args.rounds {
                theirs.push(self.classical(world, row.codes, round).await?);
                world.checkpoint().await?;
                let (measured, lag) = self.ours(row.codes, CALLERS).await?;
                eprintln!("  round {round}: {}, relay {lag:.3} s behind", measured.shown());
                ours.push(measured.rate());
                lags.push(lag);
            }
            let beside = Beside { yardstick: PGBENCH, values: &theirs, target: row.target };
            report.add(row.name, "1/s", &ours, beside);
            let worst = lags.iter().copied().fold(0.0, f64::max);
            report.add(format!("relay's lag: {}", row.name), "s", &[worst], Beside::nothing(Aim::Below(1.0)));
        }
        if args.wants(SINGLE) {
            self.single(world, args, report).await?;
        }
        Ok(())
    }

    async fn single(&mut self, world: &World, args: &Args, report: &mut Report) -> Outcome {
        eprintln!("{SINGLE}");
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 1..=args.rounds {
            world.checkpoint().await?;
            let timed = self.asserted(Codes::Many, 1, true).await?;
            eprintln!("  round {round}: pgbench, 1 client: p50 {:.3} ms, {:.0}/s", timed.p50_ms, timed.rate);
            theirs.push(timed.p50_ms);
            let (measured, _) = self.ours(Codes::Many, 1).await?;
            eprintln!("  round {round}: {}", measured.shown());
            ours.push(measured.latency.value_at_quantile(0.5) as f64 / 1_000.0);
        }
        let yardstick = "pgbench, p50 of 1 client";
        report.add(SINGLE, "ms", &ours, Beside { yardstick, values: &theirs, target: Aim::AtMostTimes(2.5) });
        Ok(())
    }

    /// The best of all numbers of clients.
    async fn classical(&mut self, world: &World, codes: Codes, round: u32) -> Outcome<f64> {
        let mut best: f64 = 0.0;
        let mut shown = Vec::new();
        for clients in CLIENTS {
            world.checkpoint().await?;
            let timed = self.asserted(codes, clients, false).await?;
            shown.push(format!("{} ({clients})", figure(timed.rate)));
            best = best.max(timed.rate);
        }
        eprintln!("  round {round}: pgbench {} /s", shown.join(", "));
        Ok(best)
    }

    /// Runs pgbench and sees that each transaction wrote what one redemption writes.
    async fn asserted(
        &mut self,
        codes: Codes,
        clients: u32,
        latency: bool,
    ) -> Outcome<crate::pgbench::Timed> {
        let before = Writes::so_far(&self.yardstick).await?;
        let timed = self.pgbench.run(codes, clients, self.scale.measure.as_secs(), latency)?;
        let mut wrote = Ok(());
        for _ in 0..20 {
            // Sessions hand in their counts as they end, which may be a moment after pgbench has.
            wrote =
                Writes::so_far(&self.yardstick).await?.since(&before).must_be(timed.transactions, &self.one);
            if wrote.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        wrote.map_err(|error| format!("the yardstick is not the same work: {error}"))?;
        Ok(timed)
    }

    async fn ours(&mut self, codes: Codes, callers: usize) -> Outcome<(Measured, f64)> {
        let before = Ledger::now(&self.product).await?;
        let time = self.scale.warm_up + self.scale.measure;
        let calls = Calls::once(self.orders.for_time(codes, time));
        let warm = load::run(&self.target, &calls, callers, self.scale.warm_up).await?;
        let lag = async {
            tokio::time::sleep(self.scale.measure.saturating_sub(BEFORE_END)).await;
            relay_lag(&self.product).await
        };
        let (measured, lag) = tokio::join!(load::run(&self.target, &calls, callers, self.scale.measure), lag);
        let measured = measured?;
        Ledger::now(&self.product).await?.must_have(warm.ok + measured.ok, &before)?;
        Ok((measured, lag?))
    }
}

/// The same rows on SQLite, without yardstick.
pub async fn on_sqlite(args: &Args, report: &mut Report, scale: Scale) -> Outcome {
    let name = |row: &Rates| format!("SQLite: {}", row.name);
    if !RATES.iter().any(|row| args.wants(&name(row))) {
        return Ok(());
    }
    eprintln!("relationship-svc on SQLite");
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite:{}", folder.path().join("relationship.db").display());
    let service = Service::start(Kind::Relationship, &url, &[QUIET]);
    people::set(service.channel(), &scale).await?;
    let target = Target::connect(service.address(), orders::PATH).await?;
    let mut orders = Orders::new(scale, "s")?;
    for row in RATES.iter().filter(|row| args.wants(&name(row))) {
        let mut rates = Vec::new();
        for round in 1..=args.rounds {
            let requests: Vec<Bytes> = orders.for_time(row.codes, scale.warm_up + scale.measure);
            let calls: Arc<Calls> = Calls::once(requests);
            load::run(&target, &calls, CALLERS, scale.warm_up).await?;
            let measured = load::run(&target, &calls, CALLERS, scale.measure).await?;
            eprintln!("  round {round}: {}", measured.shown());
            rates.push(measured.rate());
        }
        report.add(name(row), "1/s", &rates, Beside::nothing(Aim::None));
    }
    Ok(())
}
