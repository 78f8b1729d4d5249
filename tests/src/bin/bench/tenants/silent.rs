//! What tenants cost of whom nothing is heard: a commit with a code by somebody else, and the services at rest.

use std::time::{Duration, Instant};

use tandem_tests::database::Engine;

use super::stage::{self, Orders};
use super::{Crew, named};
use crate::Outcome;
use crate::args::{Args, Scale};
use crate::cpu::Meter;
use crate::ground::Pair;
use crate::idle::Idle;
use crate::load::{Target, said};
use crate::orders::COMMIT;
use crate::report::{Beside, Report, Target as Aim, figure, median};

const SAME: &str = "the same with one tenant";
/// What each service may use at rest, in per cent of a core.
const IDLE_LIMIT: f64 = 3.0;

fn commit_rows(engine: Engine, scale: &Scale) -> [String; 2] {
    let tenants = figure(f64::from(scale.tenants));
    let row = format!("commit with a code, {tenants} silent tenants, single caller");
    ["p50 latency", "CPU of both services"].map(|what| named(engine, format!("{row}, {what}")))
}

/// relationship-svc, campaign-svc, and what PostgreSQL does for them.
pub(super) fn idle_rows(tenants: u32) -> [String; 3] {
    let row = format!("idle CPU, {} tenants", figure(f64::from(tenants)));
    ["relationship-svc", "campaign-svc", "PostgreSQL for both"].map(|who| format!("{row}, {who}"))
}

/// The names of the rows.
pub(super) fn rows(engine: Engine, scale: &Scale) -> Vec<String> {
    let mut rows = commit_rows(engine, scale).to_vec();
    if engine == Engine::Postgres {
        rows.extend(idle_rows(scale.tenants));
    }
    rows
}

/// The rounds of one of the pairs.
#[derive(Debug, Default)]
struct Seen {
    idle: Vec<Idle>,
    p50_ms: Vec<f64>,
    cpu_ms: Vec<f64>,
}

/// Measures the rows.
pub(super) async fn measure(crew: &mut Crew, args: &Args, report: &mut Report) -> Outcome {
    let [latency, cpu] = commit_rows(crew.engine, &crew.scale);
    let commits = args.wants(&latency) || args.wants(&cpu);
    let (settle, scale, engine) = (crew.settle(), crew.scale, crew.engine);
    let mut orders = Orders::new("i")?;
    let (mut alone, mut crowd) = (Seen::default(), Seen::default());
    let mut problem = Ok(());
    for round in 1..=args.rounds {
        let pairs = [(&mut crew.alone, &mut alone, 1), (&mut crew.crowd, &mut crowd, scale.tenants)];
        for (pair, seen, tenants) in pairs {
            pair.start()?;
            tokio::time::sleep(settle).await;
            if engine == Engine::Postgres {
                let idle = Idle::of(&crew.ground, pair, scale.measure).await?;
                eprintln!("  round {round}, {tenants} tenants: idle {}", idle.shown());
                seen.idle.push(idle);
            }
            if commits && problem.is_ok() {
                problem = committed(pair, &mut orders, &scale, seen).await;
            }
            pair.stop().await?;
        }
    }
    if engine == Engine::Postgres {
        report_idle(args, report, scale.tenants, (&crowd.idle, &alone.idle), IDLE_LIMIT);
    }
    problem?;
    let beside = |values| Beside { yardstick: SAME, values, target: Aim::AtMostTimes(1.3) };
    if args.wants(&latency) {
        report.add(latency, "ms", &crowd.p50_ms, beside(&alone.p50_ms));
    }
    if args.wants(&cpu) {
        report.add(cpu, "ms", &crowd.cpu_ms, beside(&alone.cpu_ms));
    }
    Ok(())
}

/// The rows of [`idle_rows`]; the second of the looks is with one tenant, where there was one.
pub(super) fn report_idle(
    args: &Args,
    report: &mut Report,
    tenants: u32,
    (idle, alone): (&[Idle], &[Idle]),
    limit: f64,
) {
    let of: [fn(&Idle) -> f64; 3] =
        [|idle| idle.relationship, |idle| idle.campaign, |idle| idle.connections.iter().sum()];
    let targets = [Aim::Below(limit), Aim::Below(limit), Aim::None];
    for ((name, of), target) in idle_rows(tenants).into_iter().zip(of).zip(targets) {
        if args.wants(&name) {
            let [values, beside] = [idle, alone].map(|looks| looks.iter().map(of).collect::<Vec<_>>());
            let yardstick = if beside.is_empty() { "" } else { SAME };
            report.add(name, "% of a core", &values, Beside { yardstick, values: &beside, target });
        }
    }
}

/// Commits one order after the other, of the first tenant.
async fn committed(pair: &Pair, orders: &mut Orders, scale: &Scale, seen: &mut Seen) -> Outcome {
    let target = Target::connect(pair.campaign.address(), COMMIT).await?;
    one_by_one(&target, orders, scale.warm_up).await?;
    let meter = Meter::of(&pair.services())?;
    let took_ms = one_by_one(&target, orders, scale.measure).await?;
    let cpu_ms = meter.used().as_secs_f64() * 1_000.0 / took_ms.len() as f64;
    let p50_ms = median(&took_ms);
    eprintln!("  {}: {} commits, p50 {p50_ms:.2} ms, {cpu_ms:.2} ms of CPU each", pair.name, took_ms.len());
    seen.p50_ms.push(p50_ms);
    seen.cpu_ms.push(cpu_ms);
    Ok(())
}

/// At least one; answers how long each took, in milliseconds.
async fn one_by_one(target: &Target, orders: &mut Orders, time: Duration) -> Outcome<Vec<f64>> {
    let tenant = stage::tenant(0)?;
    let end = Instant::now() + time;
    let mut took_ms = Vec::new();
    while took_ms.is_empty() || Instant::now() < end {
        let order = orders.commit(0, true);
        let start = Instant::now();
        target
            .call_of(Some(&tenant), order)
            .await
            .map_err(|status| format!("a commit: {}", said(&status)))?;
        took_ms.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(took_ms)
}
