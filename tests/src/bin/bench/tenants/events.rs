//! How fast campaign-svc takes in what was redeemed while it was away: the redemptions of many tenants, and as many of
//! one.

use std::time::{Duration, Instant};

use sqlx::PgPool;
use tandem_tests::database::Engine;

use super::Crew;
use super::stage::{self, Orders};
use crate::Outcome;
use crate::args::{Args, Scale};
use crate::ground::{Pair, started};
use crate::load::{self, Calls, Target};
use crate::orders::REDEEM;
use crate::report::{Beside, Report, Target as Aim, figure};

/// Few, so that about as many events share a transaction where they are of one tenant as where they are of many.
const CALLERS: usize = 8;
/// How long the redemptions may take, and then the taking in.
const LIMIT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(25);

fn row(scale: &Scale) -> String {
    format!("events taken in, {} tenants", figure(f64::from(scale.tenants)))
}

/// The names of the rows.
pub(super) fn rows(engine: Engine, scale: &Scale) -> Vec<String> {
    match engine {
        Engine::Postgres => vec![row(scale)],
        Engine::Sqlite => vec![],
    }
}

/// Measures the row.
pub(super) async fn measure(crew: &mut Crew, args: &Args, report: &mut Report) -> Outcome {
    let (scale, name) = (crew.scale, row(&crew.scale));
    eprintln!("{name}");
    let server = crew.ground.server()?;
    let mut orders = Orders::new("e")?;
    let (mut alone, mut crowd) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        let pairs = [(&mut crew.alone, &mut alone, 1), (&mut crew.crowd, &mut crowd, scale.tenants)];
        for (pair, rates, tenants) in pairs {
            let [_, campaign] = pair.databases();
            let pool = server.pool(&campaign).await?;
            let rate = taken_in(pair, &pool, &mut orders, tenants, scale.events).await;
            pool.close().await;
            let rate = rate?;
            eprintln!("  round {round}, {tenants} tenants: {rate:.0} events a second");
            rates.push(rate);
            pair.stop().await?;
        }
    }
    let yardstick = "as many of one tenant";
    report.add(name, "1/s", &crowd, Beside { yardstick, values: &alone, target: Aim::Times(0.8) });
    Ok(())
}

async fn taken_in(
    pair: &mut Pair,
    pool: &PgPool,
    orders: &mut Orders,
    tenants: u32,
    events: usize,
) -> Outcome<f64> {
    started(&mut pair.relationship)?;
    let requests = orders.in_turn(tenants, events, Orders::redemption);
    let calls = Calls::once_of(stage::tenants(tenants)?, requests);
    let target = Target::connect(pair.relationship.address(), REDEEM).await?;
    let before = known(pool).await?;
    let redeemed = load::run(&target, &calls, CALLERS, LIMIT).await?;
    if redeemed.ok != events as u64 {
        return Err(format!("{events} redemptions were wanted: {}", redeemed.shown()).into());
    }
    started(&mut pair.campaign)?;
    let limit = Instant::now() + LIMIT;
    let mut begun = Instant::now();
    loop {
        let now = Instant::now();
        let taken = known(pool).await? - before;
        if taken >= i64::try_from(events)? {
            return Ok(events as f64 / begun.elapsed().as_secs_f64());
        }
        if taken == 0 {
            begun = now;
        }
        if now > limit {
            return Err(format!("{taken} of {events} events were taken in within {LIMIT:?}").into());
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn known(pool: &PgPool) -> Outcome<i64> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM redemption_feedback").fetch_one(pool).await?)
}
