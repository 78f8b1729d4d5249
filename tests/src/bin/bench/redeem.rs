//! The redeem rows: the same rows written by the service through its lanes and by pgbench one by one.

use sqlx::PgPool;
use tandem_tests::process::{Kind, Service};

use crate::args::{Args, CALLERS, Scale};
use crate::audit::{Book, Writes};
use crate::load::{self, Calls, Measured, Target, said};
use crate::orders::{self, Brought, Codes, Orders};
use crate::pgbench::Pgbench;
use crate::report::{Beside, Report, Target as Aim};
use crate::rounds::{self, Rounds};
use crate::scripts::{self, Sample};
use crate::world::{PRODUCT, QUIET, World, YARDSTICK};
use crate::{Outcome, people};

const PGBENCH: &str = "pgbench, best of 1, 16, 64 clients";

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
    /// The yardstick.
    pub pgbench: Pgbench,
    /// relationship-svc's database.
    pub product: PgPool,
    orders: Orders,
    target: Target,
    scale: Scale,
}

impl Redeem {
    /// Redeems each incentive once, then one code alone to see what that writes, and copies the database.
    pub async fn prepare(world: &mut World, scale: Scale) -> Outcome<Self> {
        let product = world.server.pool(PRODUCT).await?;
        let mut orders = Orders::new(scale, "o")?;
        let target = Target::connect(world.relationship.address(), orders::REDEEM).await?;
        for order in orders.redemption_of_each(0) {
            target.call(order).await.map_err(|status| format!("the first redemptions: {}", said(&status)))?;
        }
        let one = orders.redemption(1, Brought::hot());
        let one = Writes::of_one(&mut world.relationship, orders::REDEEM, None, one, &product).await?;
        let sample = Sample::newest(&product, Book::Redemptions).await?;
        eprintln!("  one redemption writes {}; {}", one.shown(), sample.shown());
        product.close().await;
        world.server.copy(PRODUCT, YARDSTICK).await?;
        world.relationship.restart();
        let all = [Codes::Hot, Codes::Many, Codes::One];
        let scripts = all.map(|codes| scripts::redemption(codes, &sample, &scale));
        Ok(Self {
            pgbench: Pgbench::new(&world.server, YARDSTICK, &scripts, one, scale.measure).await?,
            product: world.server.pool(PRODUCT).await?,
            orders,
            target: Target::connect(world.relationship.address(), orders::REDEEM).await?,
            scale,
        })
    }

    /// Measures the rows that are asked for.
    pub async fn measure(&mut self, world: &World, args: &Args, report: &mut Report) -> Outcome {
        for row in RATES.iter().filter(|row| args.wants(row.name)) {
            eprintln!("{}", row.name);
            let mut rounds = Rounds::default();
            for round in 1..=args.rounds {
                let theirs = self.pgbench.best(&world.server, row.codes.name(), round).await?;
                world.server.checkpoint().await?;
                rounds.add(theirs, self.ours(row.codes, CALLERS).await?);
            }
            rounds.report(report, row.name, PGBENCH, row.target);
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
            world.server.checkpoint().await?;
            let timed = self.pgbench.run(Codes::Many.name(), 1, true).await?;
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

    async fn ours(&mut self, codes: Codes, callers: usize) -> Outcome<(Measured, f64)> {
        let calls =
            Calls::once(self.orders.for_time(self.scale.load(), |orders| orders.any_redemption(codes)));
        let books = [(&self.product, Book::Redemptions)];
        rounds::measured(&self.target, &calls, callers, &self.scale, &books).await
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
    let target = Target::connect(service.address(), orders::REDEEM).await?;
    let mut orders = Orders::new(scale, "s")?;
    for row in RATES.iter().filter(|row| args.wants(&name(row))) {
        let mut rates = Vec::new();
        for round in 1..=args.rounds {
            let calls = Calls::once(orders.for_time(scale.load(), |orders| orders.any_redemption(row.codes)));
            load::run(&target, &calls, CALLERS, scale.warm_up).await?;
            let measured = load::run(&target, &calls, CALLERS, scale.measure).await?;
            eprintln!("  round {round}: {}", measured.shown());
            rates.push(measured.rate());
        }
        report.add(name(row), "1/s", &rates, Beside::nothing(Aim::None));
    }
    Ok(())
}
