//! Calls spread over many tenants: quotes beside the same of one tenant, redemptions and orders beside pgbench, which
//! writes the same rows for as many.

use std::sync::Arc;

use prost::Message;
use prost::bytes::Bytes;
use tandem_proto::campaign::v1::QuoteResponse;
use tandem_tests::database::Engine;
use tandem_tests::process::Service;
use tonic::metadata::AsciiMetadataValue;

use super::Crew;
use super::stage::{self, Orders};
use crate::args::{Args, CALLERS, QUOTERS, Scale};
use crate::audit::{Book, Writes};
use crate::ground::started;
use crate::load::{self, Calls, PATIENCE, Target, said};
use crate::orders::{self, MOST_PER_SECOND};
use crate::pgbench::Pgbench;
use crate::report::{Beside, Report, Target as Aim, figure};
use crate::rounds::{self, Rounds};
use crate::scripts::{self, Sample};
use crate::world::Server;
use crate::{Outcome, baskets};

fn over(scale: &Scale) -> String {
    format!("spread over {} tenants", figure(f64::from(scale.tenants)))
}

fn quote_row(scale: &Scale) -> String {
    format!("quote, {}", over(scale))
}

/// The names of the rows.
pub(super) fn quote_rows(engine: Engine, scale: &Scale) -> Vec<String> {
    match engine {
        Engine::Postgres => vec![quote_row(scale)],
        Engine::Sqlite => vec![],
    }
}

/// The names of the rows.
pub(super) fn write_rows(engine: Engine, scale: &Scale) -> Vec<String> {
    match engine {
        Engine::Postgres => SIDES.iter().map(|side| side.row(scale)).collect(),
        Engine::Sqlite => vec![],
    }
}

/// Measures the row of quotes.
pub(super) async fn quotes(crew: &mut Crew, args: &Args, report: &mut Report) -> Outcome {
    let (scale, name) = (crew.scale, quote_row(&crew.scale));
    eprintln!("{name}");
    crew.crowd.start()?;
    tokio::time::sleep(crew.settle()).await;
    let target = Target::connect(crew.crowd.campaign.address(), baskets::PATH).await?;
    let requests = stage::quotes();
    let tenants = stage::tenants(scale.tenants)?;
    for tenant in &tenants {
        let quote = target.call_of(Some(tenant), requests[0].clone()).await;
        stage::discounted(&QuoteResponse::decode(
            quote.map_err(|status| format!("a quote: {}", said(&status)))?,
        )?)?;
    }
    let one = Calls::again_of(vec![stage::tenant(0)?], requests.clone());
    let all = Calls::again_of(tenants, requests);
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 1..=args.rounds {
        theirs.push(quoted("one tenant", &target, &one, &scale).await?);
        ours.push(quoted("many tenants", &target, &all, &scale).await?);
    }
    let beside = Beside { yardstick: "the same of one tenant", values: &theirs, target: Aim::Times(0.7) };
    report.add(name, "1/s", &ours, beside);
    Ok(())
}

async fn quoted(whose: &str, target: &Target, calls: &Arc<Calls>, scale: &Scale) -> Outcome<f64> {
    load::run(target, calls, QUOTERS, scale.warm_up).await?;
    let measured = load::run(target, calls, QUOTERS, scale.measure).await?;
    eprintln!("  {whose}: {}", measured.shown());
    Ok(measured.rate())
}

/// One of the rows of writes.
struct Side {
    name: &'static str,
    path: &'static str,
    book: Book,
    script: &'static str,
    make: fn(&mut Orders, u32) -> Bytes,
}

const SIDES: [Side; 2] = [
    Side {
        name: "redeem",
        path: orders::REDEEM,
        book: Book::Redemptions,
        script: scripts::REDEEM,
        make: Orders::redemption,
    },
    Side {
        name: "commit without a code",
        path: orders::COMMIT,
        book: Book::Orders,
        script: scripts::COMMIT,
        make: |orders, tenant| orders.commit(tenant, false),
    },
];

/// Measures the rows of redemptions and orders.
pub(super) async fn writes(crew: &mut Crew, args: &Args, report: &mut Report) -> Outcome {
    let server = crew.ground.server()?;
    let databases = crew.crowd.databases();
    let mut spread = Spread {
        tenants: stage::tenants(crew.scale.tenants)?,
        orders: Orders::new("s")?,
        server,
        scale: crew.scale,
    };
    let mut prepared = Vec::new();
    let services = [&mut crew.crowd.relationship, &mut crew.crowd.campaign];
    for ((side, database), service) in SIDES.iter().zip(&databases).zip(services) {
        prepared.push(spread.prepare(side, database, service).await?);
    }
    crew.crowd.start()?;
    tokio::time::sleep(crew.settle()).await;
    let services = [&crew.crowd.relationship, &crew.crowd.campaign];
    for (index, side) in SIDES.iter().enumerate() {
        if args.wants(&side.row(&crew.scale)) {
            let address = services[index].address();
            spread.measure(side, &databases[index], address, &mut prepared[index], args, report).await?;
        }
    }
    Ok(())
}

/// What both sides of each row share.
struct Spread<'a> {
    tenants: Vec<AsciiMetadataValue>,
    orders: Orders,
    server: &'a Server,
    scale: Scale,
}

impl Side {
    fn row(&self, scale: &Scale) -> String {
        format!("{}, {}, {CALLERS} callers", self.name, over(scale))
    }
}

impl Spread<'_> {
    /// One call of each tenant, then one alone to see what that writes, and the database is copied.
    async fn prepare(&mut self, side: &Side, database: &str, service: &mut Service) -> Outcome<Pgbench> {
        started(service)?;
        let each = self.calls(side, self.tenants.len());
        let target = Target::connect(service.address(), side.path).await?;
        let first = load::run(&target, &each, CALLERS, PATIENCE).await?;
        if first.ok != self.tenants.len() as u64 {
            return Err(format!("the first call of each tenant: {}", first.shown()).into());
        }
        let pool = self.server.pool(database).await?;
        let (one, tenant) = ((side.make)(&mut self.orders, 0), Some(&self.tenants[0]));
        let one = Writes::of_one(service, side.path, tenant, one, &pool).await?;
        let sample = Sample::newest(&pool, side.book).await?;
        eprintln!("  {}: writes {}; {}", side.name, one.shown(), sample.shown());
        pool.close().await;
        let yardstick = format!("{database}_yardstick");
        self.server.copy(database, &yardstick).await?;
        let script = scripts::of_tenants(side.book, &sample, self.scale.tenants);
        Pgbench::new(self.server, &yardstick, &[script], one, self.scale.measure).await
    }

    async fn measure(
        &mut self,
        side: &Side,
        database: &str,
        address: &str,
        pgbench: &mut Pgbench,
        args: &Args,
        report: &mut Report,
    ) -> Outcome {
        let name = side.row(&self.scale);
        eprintln!("{name}");
        let mut rounds = Rounds::default();
        let pool = self.server.pool(database).await?;
        let target = Target::connect(address, side.path).await?;
        for round in 1..=args.rounds {
            let theirs = pgbench.best(self.server, side.script, round).await?;
            self.server.checkpoint().await?;
            let count = (self.scale.load().as_secs_f64() * MOST_PER_SECOND) as usize;
            let (calls, books) = (self.calls(side, count), [(&pool, side.book)]);
            rounds.add(theirs, rounds::measured(&target, &calls, CALLERS, &self.scale, &books).await?);
        }
        rounds.report(report, &name, "pgbench, best of 1, 16, 64 clients", Aim::Times(1.0));
        Ok(())
    }

    /// So many, for all tenants in turn.
    fn calls(&mut self, side: &Side, count: usize) -> Arc<Calls> {
        let requests = self.orders.in_turn(self.scale.tenants, count, side.make);
        Calls::once_of(self.tenants.clone(), requests)
    }
}
