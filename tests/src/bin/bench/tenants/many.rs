//! Very many tenants of whom nothing is heard: how long a start takes, and what the services use at rest.

use std::time::Instant;

use prost::Message;
use tandem_proto::campaign::v1::QuoteResponse;
use tandem_tests::database::Engine;
use tandem_tests::process::Service;

use super::{Crew, silent, stage};
use crate::args::{Args, QUOTERS, Scale};
use crate::ground::{Pair, started};
use crate::idle::Idle;
use crate::load::{self, Calls, PATIENCE, Target, said};
use crate::report::{Beside, Report, Target as Aim, figure};
use crate::{Outcome, baskets};

/// The stem of the databases' names.
pub(super) const NAME: &str = "many";
/// What each service may use at rest, in per cent of a core.
const IDLE_LIMIT: f64 = 10.0;
const SERVICES: [&str; 2] = ["relationship-svc", "campaign-svc"];

fn start_rows(scale: &Scale) -> [String; 2] {
    let tenants = figure(f64::from(scale.many_tenants));
    SERVICES.map(|service| format!("start to READY, {tenants} tenants, {service}"))
}

fn memory_rows(scale: &Scale) -> [String; 3] {
    let tenants = figure(f64::from(scale.many_tenants));
    let row = |what| format!("resident memory, {tenants} tenants, {what}");
    [row(SERVICES[0]), row(SERVICES[1]), row("campaign-svc once each was quoted")]
}

/// The names of the rows.
pub(super) fn rows(engine: Engine, scale: &Scale) -> Vec<String> {
    match engine {
        Engine::Postgres => {
            let (idle, memory) = (silent::idle_rows(scale.many_tenants), memory_rows(scale));
            start_rows(scale).into_iter().chain(memory).chain(idle).collect()
        }
        Engine::Sqlite => vec![],
    }
}

/// Measures the rows.
pub(super) async fn measure(crew: &Crew, args: &Args, report: &mut Report) -> Outcome {
    let scale = crew.scale;
    let mut pair = Pair::on(&crew.ground, NAME)?;
    let (mut idle, mut starts, mut resident) = (vec![], [vec![], vec![]], [vec![], vec![], vec![]]);
    for round in 1..=args.rounds {
        pair.stop().await?;
        for (service, starts) in [&mut pair.relationship, &mut pair.campaign].into_iter().zip(&mut starts) {
            let start = Instant::now();
            started(service)?;
            starts.push(start.elapsed().as_secs_f64());
        }
        tokio::time::sleep(crew.settle()).await;
        let looked = Idle::of(&crew.ground, &pair, scale.measure).await?;
        eprintln!("  round {round}, {} tenants: idle {}", scale.many_tenants, looked.shown());
        idle.push(looked);
        for (service, resident) in pair.services().into_iter().zip(&mut resident) {
            resident.push(mib(service));
        }
    }
    silent::report_idle(args, report, scale.many_tenants, (&idle, &[]), IDLE_LIMIT);
    for (name, starts) in start_rows(&scale).into_iter().zip(&starts) {
        if args.wants(&name) {
            report.add(name, "s", starts, Beside::nothing(Aim::None));
        }
    }
    let [first, second, quoted] = memory_rows(&scale);
    if args.wants(&quoted) {
        quote_each(&pair.campaign, &scale).await?;
        resident[2].push(mib(&pair.campaign));
    }
    for (name, resident) in [first, second, quoted].into_iter().zip(&resident) {
        if args.wants(&name) {
            report.add(name, "MiB", resident, Beside::nothing(Aim::None));
        }
    }
    Ok(())
}

/// A quote of every tenant, the last of them read.
async fn quote_each(service: &Service, scale: &Scale) -> Outcome {
    let requests = stage::quotes();
    let tenants = stage::tenants(scale.many_tenants)?;
    let target = Target::connect(service.address(), baskets::PATH).await?;
    let all = (0..tenants.len()).map(|index| requests[index % requests.len()].clone()).collect();
    let measured = load::run(&target, &Calls::once_of(tenants.clone(), all), QUOTERS, PATIENCE).await?;
    eprintln!("  a quote of each tenant: {}", measured.shown());
    if measured.ok != tenants.len() as u64 {
        return Err(format!("a quote of each tenant: {}", measured.shown()).into());
    }
    let quote = target.call_of(tenants.last(), requests[0].clone()).await;
    stage::discounted(&QuoteResponse::decode(quote.map_err(|status| format!("a quote: {}", said(&status)))?)?)
}

fn mib(service: &Service) -> f64 {
    service.resident_bytes() as f64 / (1024.0 * 1024.0)
}
