//! The commit rows: orders counted by campaign-svc, with codes also by relationship-svc, and by pgbench one by one.
//!
//! An order with a code is written twice by campaign-svc, before and after relationship-svc is asked. The yardstick
//! writes it once, with the smaller documents of an order without a code, and then redeems on another database.

use std::time::{Duration, Instant};

use prost::Message;
use prost::bytes::Bytes;
use sqlx::PgPool;
use tandem_proto::campaign::v1::{CommitOrderRequest, QuoteResponse};
use tandem_tests::process::Service;

use crate::args::{Args, CALLERS, CAMPAIGNS, Scale};
use crate::audit::{Book, Writes};
use crate::load::{Calls, Measured, Target, said};
use crate::orders::{self, Brought, Codes, Orders};
use crate::pgbench::Pgbench;
use crate::redeem::Redeem;
use crate::report::{Beside, Report, Target as Aim, median};
use crate::rounds::{self, Rounds};
use crate::scripts::{self, COMMIT, Sample};
use crate::way::Watched;
use crate::world::{ORDERS, ORDERS_YARDSTICK, World};
use crate::{Outcome, baskets, catalogue, quotes};

struct Rates {
    name: &'static str,
    with_code: bool,
    yardstick: &'static str,
    target: Aim,
}

const RATES: [Rates; 2] = [
    Rates {
        name: "commit without a code, 256 callers",
        with_code: false,
        yardstick: "pgbench, best of 1, 16, 64 clients",
        target: Aim::Times(2.5),
    },
    Rates {
        name: "commit with a code, both services, 256 callers",
        with_code: true,
        yardstick: "pgbench, the order and then the code, each at its best",
        target: Aim::Times(1.5),
    },
];
const WAY: &str = "an order's way into stage and RFM, at half the highest rate of commits, longest";
const FOLLOWED: &str = "commit without a code, 256 callers, followed by relationship-svc";
const SINGLE: &str = "quote + commit, 10 lines, single caller, p50 latency";

/// Whether any of these rows is asked for.
pub fn wanted(args: &Args) -> bool {
    RATES.iter().any(|row| args.wants(row.name)) || [SINGLE, WAY, FOLLOWED].iter().any(|row| args.wants(row))
}

/// Measures the rows that are asked for; answers the service, for what comes after.
pub async fn measure(
    world: &mut World,
    redeem: &mut Redeem,
    args: &Args,
    report: &mut Report,
) -> Outcome<Service> {
    let (service, mut commit) = Commit::prepare(world, args.scale()).await?;
    for row in RATES.iter().filter(|row| args.wants(row.name)) {
        eprintln!("{}", row.name);
        let mut rounds = Rounds::default();
        for round in 1..=args.rounds {
            let mut theirs = commit.pgbench.best(&world.server, COMMIT, round).await?;
            if row.with_code {
                let redeemed = redeem.pgbench.best(&world.server, Codes::Many.name(), round).await?;
                theirs = 1.0 / (1.0 / theirs + 1.0 / redeemed);
            }
            world.server.checkpoint().await?;
            rounds.add(theirs, commit.ours(row.with_code.then_some(&redeem.product)).await?);
        }
        rounds.report(report, row.name, row.yardstick, row.target);
    }
    if args.wants(SINGLE) {
        commit.single(world, &service, args, report).await?;
    }
    if args.wants(WAY) || args.wants(FOLLOWED) {
        commit.followed(world, &service, args, report).await?;
    }
    Ok(service)
}

/// Both sides of the rows, ready.
struct Commit {
    pgbench: Pgbench,
    product: PgPool,
    orders: Orders,
    target: Target,
    scale: Scale,
}

impl Commit {
    /// Commits one order for each campaign, then one alone to see what that writes, and copies the database.
    async fn prepare(world: &World, scale: Scale) -> Outcome<(Service, Self)> {
        let limited = catalogue::LIMITED;
        eprintln!("campaign-svc with {CAMPAIGNS} running campaigns and {limited} with limits");
        let mut service = world.campaign(ORDERS).await;
        catalogue::set(service.channel(), CAMPAIGNS).await?;
        catalogue::set_limited(service.channel()).await?;
        let product = world.server.pool(ORDERS).await?;
        let mut orders = Orders::new(scale, "c")?;
        let target = Target::connect(service.address(), orders::COMMIT).await?;
        for order in orders.commit_of_each(0) {
            target.call(order).await.map_err(|status| format!("the first commits: {}", said(&status)))?;
        }
        let with_code = orders.commit(1, 0, Some(Brought::of_many(0)));
        let with_code = Writes::of_one(&mut service, orders::COMMIT, None, with_code, &product).await?;
        eprintln!("  one commit with a code writes {}, and a redemption", with_code.shown());
        service.restart();
        let one = orders.commit(2, 0, None);
        let one = Writes::of_one(&mut service, orders::COMMIT, None, one, &product).await?;
        let sample = Sample::newest(&product, Book::Orders).await?;
        eprintln!("  one commit writes {}; {}", one.shown(), sample.shown());
        product.close().await;
        world.server.copy(ORDERS, ORDERS_YARDSTICK).await?;
        service.restart();
        let scripts = [scripts::order(&sample, &scale)];
        let commit = Self {
            pgbench: Pgbench::new(&world.server, ORDERS_YARDSTICK, &scripts, one, scale.measure).await?,
            product: world.server.pool(ORDERS).await?,
            orders,
            target: Target::connect(service.address(), orders::COMMIT).await?,
            scale,
        };
        Ok((service, commit))
    }

    /// `redemptions` is the database that has to have one more for each order; without it orders bring no code.
    async fn ours(&mut self, redemptions: Option<&PgPool>) -> Outcome<(Measured, f64)> {
        let with_code = redemptions.is_some();
        let requests = self.orders.for_time(self.scale.load(), |orders| orders.any_commit(with_code));
        let calls = Calls::once(requests);
        let mut books = vec![(&self.product, Book::Orders)];
        books.extend(redemptions.map(|pool| (pool, Book::Redemptions)));
        rounds::measured(&self.target, &calls, CALLERS, &self.scale, &books).await
    }

    /// Commits alone, and then while relationship-svc takes every order in.
    async fn followed(
        &mut self,
        world: &mut World,
        service: &Service,
        args: &Args,
        report: &mut Report,
    ) -> Outcome {
        eprintln!("{WAY}");
        let (mut alone, mut followed, mut longest) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 1..=args.rounds {
            alone.push(self.ours(None).await?.0.rate());
        }
        world.relationship.restart_with("CAMPAIGN__ENDPOINT", &format!("http://{}", service.address()));
        let mut watched = Watched::create(world.relationship.channel(), self.scale.customers).await?;
        // Behind all that was committed before.
        watched.one(&self.target, &mut self.orders).await?;
        for _ in 1..=args.rounds {
            followed.push(self.ours(None).await?.0.rate());
            watched.one(&self.target, &mut self.orders).await?;
            let (half, target) = (median(&alone) / 2.0, self.target.clone());
            longest.push(watched.longest(&target, &mut self.orders, half, self.scale.measure).await?);
        }
        let beside = Beside { yardstick: "not followed", values: &alone, target: Aim::Times(0.9) };
        report.add(FOLLOWED, "1/s", &followed, beside);
        report.add(WAY, "s", &longest, Beside::nothing(Aim::Below(1.0)));
        Ok(())
    }

    async fn single(&self, world: &World, service: &Service, args: &Args, report: &mut Report) -> Outcome {
        eprintln!("{SINGLE}");
        tokio::time::sleep(quotes::CATALOGUE_LAG).await;
        let mut checkout = Checkout {
            quotes: Target::connect(service.address(), baskets::PATH).await?,
            commits: self.target.clone(),
            baskets: baskets::of_customers(&self.scale),
            made: 0,
        };
        quotes::checked(&checkout.quotes, &checkout.baskets, 0).await?;
        let books = [(&self.product, Book::Orders)];
        let mut p50s = Vec::new();
        for round in 1..=args.rounds {
            world.server.checkpoint().await?;
            let taken = rounds::audited(&books, async {
                let warm = checkout.run(self.scale.warm_up).await?;
                let measured = checkout.run(self.scale.measure).await?;
                Ok((warm.both_ms.len() as u64 + measured.both_ms.len() as u64, measured))
            });
            let taken = taken.await?;
            let (both, quote) = (median(&taken.both_ms), median(&taken.quote_ms));
            eprintln!("  round {round}: p50 {both:.2} ms, of the quote alone {quote:.2} ms");
            p50s.push(both);
        }
        report.add(SINGLE, "ms", &p50s, Beside::nothing(Aim::None));
        Ok(())
    }
}

/// What a customer does: a quote, and then an order of what was quoted.
struct Checkout {
    quotes: Target,
    commits: Target,
    baskets: Vec<Bytes>,
    made: usize,
}

/// How long each checkout took.
#[derive(Debug, Default)]
struct Taken {
    both_ms: Vec<f64>,
    quote_ms: Vec<f64>,
}

impl Checkout {
    /// One after the other, for so long.
    async fn run(&mut self, time: Duration) -> Outcome<Taken> {
        let ms = |since: Instant| since.elapsed().as_secs_f64() * 1_000.0;
        let mut taken = Taken::default();
        let end = Instant::now() + time;
        while Instant::now() < end {
            let basket = self.baskets[self.made % self.baskets.len()].clone();
            self.made += 1;
            let order_id = format!("q-{:010}", self.made);
            let start = Instant::now();
            let quote = self.quotes.call(basket).await?;
            taken.quote_ms.push(ms(start));
            let request = CommitOrderRequest {
                request_id: format!("r-{order_id}"),
                order_id,
                quote_token: QuoteResponse::decode(quote)?.quote_token,
                ..Default::default()
            };
            self.commits.call(Bytes::from(request.encode_to_vec())).await?;
            taken.both_ms.push(ms(start));
        }
        Ok(taken)
    }
}
