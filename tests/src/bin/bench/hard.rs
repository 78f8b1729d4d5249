//! Quotes made to be hard: how much CPU the costliest takes that the contract admits, and what becomes of everybody
//! else's quotes meanwhile.
//!
//! Which one is the costliest is found out: every candidate is quoted, and the worst counts. Each has a place of its own
//! at which nothing else runs.

mod candidates;

use std::time::{Duration, Instant};

use prost::bytes::Bytes;
use tandem_proto::campaign::v1::objective_service_client::ObjectiveServiceClient;
use tandem_tests::database::Engine;
use tandem_tests::process::{Kind, Service};
use tonic::{Code, Status};

use crate::args::{Args, CAMPAIGNS, QUOTERS, Scale};
use crate::cpu::Meter;
use crate::ground::{Ground, started};
use crate::load::{self, Calls, Measured, Target};
use crate::report::{Beside, Report, Target as Aim};
use crate::world::QUIET;
use crate::{Outcome, baskets, catalogue, quotes};
use candidates::{Candidate, Family};

const ORDINARY: &str = "quote, 10 lines, 64 callers, p99 while 4 callers send the costliest";
const HARD_CALLERS: usize = 4;
/// What one quote may take, in milliseconds of CPU.
const CPU_LIMIT_MS: f64 = 100.0;
/// How long a candidate may take; as long as the service itself gives a call.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// How long the worst of a family is looked for.
const SEARCH_LIMIT: Duration = Duration::from_secs(90);
/// Quotes of each candidate while the worst is looked for.
const LOOKS: u32 = 2;
/// Quotes of the worst in each round, and where one takes more than a second.
const QUOTES: [u32; 2] = [5, 1];

fn name(family: Family) -> String {
    format!("the costliest quote, CPU: {}", family.name())
}

/// Measures the rows that are asked for.
pub async fn measure(args: &Args, report: &mut Report, scale: &Scale) {
    let ordinary = args.wants(ORDINARY);
    let families = Family::ALL.into_iter().filter(|family| ordinary || args.wants(&name(*family)));
    let families: Vec<_> = families.collect();
    if families.is_empty() {
        return;
    }
    let rows = families.iter().map(|family| name(*family)).filter(|name| args.wants(name));
    let mut rows: Vec<String> = rows.collect();
    rows.extend(ordinary.then(|| ORDINARY.to_owned()));
    let measured = all(&families, ordinary, args, report, scale).await;
    report.close(rows, measured);
}

async fn all(
    families: &[Family],
    ordinary: bool,
    args: &Args,
    report: &mut Report,
    scale: &Scale,
) -> Outcome {
    // Quotes come from memory: any database will do.
    let ground = Ground::new(Engine::Sqlite)?;
    let url = ground.database("hard").await;
    let mut service = Service::start(Kind::Campaign, &url, &[QUIET]);
    catalogue::set(service.channel(), CAMPAIGNS).await?;
    ObjectiveServiceClient::new(service.channel()).create_objective(catalogue::objective("hard")).await?;
    let mut costliest: Option<(f64, Candidate)> = None;
    for family in families {
        let found = search(*family, &mut service).await?;
        let name = name(*family);
        if args.wants(&name) {
            let measured = measure_worst(&name, &found, &service, args, report).await;
            report.close([name], measured);
        }
        if costliest.as_ref().is_none_or(|(cpu_ms, _)| found.cpu_ms > *cpu_ms) {
            costliest = Some((found.cpu_ms, found.candidate));
        }
    }
    match costliest.filter(|_| ordinary) {
        Some((_, candidate)) => beside(&candidate, &service, args, report, scale).await,
        None => Ok(()),
    }
}

/// The worst candidate of a family.
struct Found {
    candidate: Candidate,
    /// Of one quote.
    cpu_ms: f64,
    answered: bool,
}

/// Quotes every candidate; ends with the first that is not answered in time, which is bad enough.
async fn search(family: Family, service: &mut Service) -> Outcome<Found> {
    eprintln!("{}", family.name());
    let mut candidates = Vec::new();
    for (number, candidate) in candidates::of(family).into_iter().enumerate() {
        match candidate.launch(service.channel(), format!("{}{number}", family.stem())).await {
            Ok(()) => candidates.push(candidate),
            Err(refused) => eprintln!("  {}: the contract does not admit it: {refused}", candidate.name),
        }
    }
    tokio::time::sleep(quotes::CATALOGUE_LAG).await;
    let mut worst: Option<Found> = None;
    let end = Instant::now() + SEARCH_LIMIT;
    for candidate in candidates {
        if Instant::now() > end {
            eprintln!("  the others are not looked at: these took {SEARCH_LIMIT:?}");
            break;
        }
        let (cpu_ms, status) = cost(&candidate.quote(), service, LOOKS).await?;
        let answered = status != Some(Code::DeadlineExceeded);
        let said = status.map_or(String::new(), |code| format!(", answered with {code:?}"));
        eprintln!("  {}: {cpu_ms:.1} ms{said}", candidate.name);
        if worst.as_ref().is_none_or(|worst| cpu_ms > worst.cpu_ms) {
            worst = Some(Found { candidate, cpu_ms, answered });
        }
        if !answered {
            // It may still be at it.
            service.kill();
            started(service)?;
            tokio::time::sleep(quotes::CATALOGUE_LAG).await;
            break;
        }
    }
    worst.ok_or_else(|| "no candidate".into())
}

/// CPU of one of so many quotes, in milliseconds, and how the last was refused, if it was.
async fn cost(quote: &Bytes, service: &Service, quotes: u32) -> Outcome<(f64, Option<Code>)> {
    let target = Target::connect(service.address(), baskets::PATH).await?;
    let meter = Meter::of(&[service])?;
    for number in 1..=quotes {
        let answer = tokio::time::timeout(ANSWER_LIMIT, target.call(quote.clone())).await;
        let answer = answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
        let code = answer.err().map(|status| status.code());
        if number == quotes || code == Some(Code::DeadlineExceeded) {
            return Ok((meter.used().as_secs_f64() * 1_000.0 / f64::from(number), code));
        }
    }
    Err("no quote was asked for".into())
}

async fn measure_worst(
    name: &str,
    found: &Found,
    service: &Service,
    args: &Args,
    report: &mut Report,
) -> Outcome {
    let Found { candidate, cpu_ms, answered } = found;
    if !answered {
        return Err(format!(
            "no answer within {ANSWER_LIMIT:?} and {cpu_ms:.0} ms of CPU: {}",
            candidate.name
        )
        .into());
    }
    let quotes = QUOTES[usize::from(*cpu_ms > 1_000.0)];
    let mut values = Vec::new();
    for round in 1..=args.rounds {
        let (cpu_ms, _) = cost(&candidate.quote(), service, quotes).await?;
        eprintln!("  round {round}: {}: {cpu_ms:.1} ms", candidate.name);
        values.push(cpu_ms);
    }
    report.add(name, "ms", &values, Beside::nothing(Aim::Below(CPU_LIMIT_MS)));
    Ok(())
}

/// Ordinary quotes alone, and beside the costliest.
async fn beside(
    costliest: &Candidate,
    service: &Service,
    args: &Args,
    report: &mut Report,
    scale: &Scale,
) -> Outcome {
    eprintln!("{ORDINARY}: {}", costliest.name);
    let target = Target::connect(service.address(), baskets::PATH).await?;
    let hard_target = Target::connect(service.address(), baskets::PATH).await?;
    let anonymous = baskets::anonymous();
    quotes::checked(&target, &anonymous, 0).await?;
    let (ordinary, hard) = (Calls::again(anonymous), Calls::again(vec![costliest.quote()]));
    load::run(&target, &ordinary, QUOTERS, scale.warm_up).await?;
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        let measured = load::run(&target, &ordinary, QUOTERS, scale.measure).await?;
        alone.push(p99_ms(&measured)?);
        eprintln!("  round {round}, alone: {}", measured.shown());
        let begun = Instant::now();
        let (measured, hard) = tokio::join!(
            load::run(&target, &ordinary, QUOTERS, scale.measure),
            load::run(&hard_target, &hard, HARD_CALLERS, scale.measure),
        );
        let (measured, hard) = (measured?, hard?);
        eprintln!("  round {round}, beside: {}", measured.shown());
        eprintln!("  the costliest: {}, over after {:.1} s", hard.shown(), begun.elapsed().as_secs_f64());
        together.push(p99_ms(&measured)?);
    }
    let yardstick = "the same without";
    let beside = Beside { yardstick, values: &alone, target: Aim::AtMostTimes(5.0) };
    report.add(ORDINARY, "ms", &together, beside);
    Ok(())
}

/// Of quotes that are all answered.
fn p99_ms(measured: &Measured) -> Outcome<f64> {
    if measured.failed > 0 {
        return Err(format!("ordinary quotes were refused: {}", measured.shown()).into());
    }
    Ok(measured.latency.value_at_quantile(0.99) as f64 / 1_000.0)
}
