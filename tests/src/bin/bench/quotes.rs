//! The quote rows: pricing from memory beside a server that does nothing.

use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use prost::bytes::Bytes;
use tandem_proto::campaign::v1::{DecisionOutcome, IncentivesStatus, QuoteRequest, QuoteResponse};
use tandem_tests::process::Service;
use tonic::Code;

use crate::args::{Args, CAMPAIGNS, QUOTERS, Scale};
use crate::catalogue::{self, MATCHING};
use crate::echo::{self, EchoProcess};
use crate::load::{self, Calls, Target};
use crate::report::{Beside, Report, Target as Aim, figure};
use crate::world::World;
use crate::{Outcome, baskets, compressed};

const PLAIN: &str = "quote, 10 lines, 200 running campaigns, no customer";
const PERSONAL: &str = "quote with customer and 2 codes, both services";
const FOR_ORDERS: &str = "quote with customer and order, 20 offers that count customers";
const ECHO: &str = "bare tonic echo of the same sizes";

/// Quotes that are read in full before anything is measured.
const SAMPLES: usize = 200;
const ATTEMPTS: usize = 20;
const AGAIN: Duration = Duration::from_millis(100);
/// Past the poll of the catalogue.
pub const CATALOGUE_LAG: Duration = Duration::from_secs(3);

fn crowded(scale: &Scale) -> String {
    format!("quote, {} running campaigns", figure(f64::from(scale.crowd)))
}

/// Whether any of these rows is asked for.
pub fn wanted(args: &Args, scale: &Scale) -> bool {
    compressed::wanted(args)
        || [PLAIN, PERSONAL, FOR_ORDERS, &crowded(scale)].iter().any(|row| args.wants(row))
}

/// Measures the rows that are asked for; answers the service with the most campaigns, for what comes after.
pub async fn measure(world: &World, args: &Args, report: &mut Report, scale: &Scale) -> Outcome<Service> {
    eprintln!("campaign-svc with {CAMPAIGNS} running campaigns");
    let few = world.campaign("campaign").await;
    catalogue::set(few.channel(), CAMPAIGNS).await?;
    let crowd = crowded(scale);
    let many = match args.wants(&crowd) {
        true => Some(crowded_service(world, scale).await?),
        false => None,
    };
    tokio::time::sleep(CATALOGUE_LAG).await;

    let (anonymous, personal) = (baskets::anonymous(), baskets::personal(scale));
    let few_target = Target::connect(few.address(), baskets::PATH).await?;
    let sizes = checked(&few_target, &anonymous, 0).await?;
    let many_target = match &many {
        Some(many) => Some(Target::connect(many.address(), baskets::PATH).await?),
        None => None,
    };
    if let Some(target) = &many_target {
        checked(target, &anonymous, 0).await?;
    }
    if args.wants(PERSONAL) {
        checked(&few_target, &personal, 2).await?;
    }
    eprintln!("  a quote is {} bytes in, {} bytes out", sizes.request, sizes.answer);
    let echo = EchoProcess::start(sizes.answer)?;
    let echo_target = Target::connect(echo.address(), echo::PATH).await?;

    let echoed = Calls::again(vec![Bytes::from(vec![b'x'; sizes.request])]);
    let (anonymous, personal) = (Calls::again(anonymous), Calls::again(personal));
    let (mut echoes, mut plain, mut with_codes, mut in_crowd) = (vec![], vec![], vec![], vec![]);
    for round in 1..=args.rounds {
        eprintln!("quotes, round {round}");
        if args.wants(PLAIN) || args.wants(PERSONAL) {
            echoes.push(rate("echo", &echo_target, &echoed, scale).await?);
        }
        if args.wants(PLAIN) || args.wants(&crowd) {
            plain.push(rate(PLAIN, &few_target, &anonymous, scale).await?);
        }
        if let Some(target) = &many_target {
            in_crowd.push(rate(&crowd, target, &anonymous, scale).await?);
        }
        if args.wants(PERSONAL) {
            with_codes.push(rate(PERSONAL, &few_target, &personal, scale).await?);
        }
    }
    if args.wants(PLAIN) {
        report.add(
            PLAIN,
            "1/s",
            &plain,
            Beside { yardstick: ECHO, values: &echoes, target: Aim::Times(0.4) },
        );
    }
    if args.wants(PERSONAL) {
        let beside = Beside { yardstick: ECHO, values: &echoes, target: Aim::Times(0.12) };
        report.add(PERSONAL, "1/s", &with_codes, beside);
    }
    if args.wants(&crowd) {
        let yardstick = "the same with 200 running campaigns";
        report.add(crowd, "1/s", &in_crowd, Beside { yardstick, values: &plain, target: Aim::Times(0.7) });
    }
    for_orders(world, few.address(), args, report, scale).await?;
    compressed::measure(few.address(), args, report, scale).await?;
    Ok(many.unwrap_or(few))
}

/// What it costs to look at what a customer has had, and at what his order takes itself: beside the same customers without an
/// order, under the same offers without limits.
async fn for_orders(
    world: &World,
    unlimited: &str,
    args: &Args,
    report: &mut Report,
    scale: &Scale,
) -> Outcome {
    if !args.wants(FOR_ORDERS) {
        return Ok(());
    }
    let service = world.campaign("counting").await;
    catalogue::set_counting(service.channel(), CAMPAIGNS).await?;
    tokio::time::sleep(CATALOGUE_LAG).await;
    let (for_orders, without) = (baskets::of_orders(scale), baskets::of_customers(scale));
    let counting = Target::connect(service.address(), baskets::PATH).await?;
    let unlimited = Target::connect(unlimited, baskets::PATH).await?;
    checked(&counting, &for_orders, 0).await?;
    checked(&unlimited, &without, 0).await?;
    let (for_orders, without) = (Calls::again(for_orders), Calls::again(without));
    let yardstick = "the same customers without order and limits";
    let (mut counted, mut beside) = (vec![], vec![]);
    for _ in 1..=args.rounds {
        beside.push(rate(yardstick, &unlimited, &without, scale).await?);
        counted.push(rate(FOR_ORDERS, &counting, &for_orders, scale).await?);
    }
    report.add(FOR_ORDERS, "1/s", &counted, Beside { yardstick, values: &beside, target: Aim::Times(0.5) });
    Ok(())
}

async fn crowded_service(world: &World, scale: &Scale) -> Outcome<Service> {
    eprintln!("campaign-svc with {} running campaigns", scale.crowd);
    let service = world.campaign("crowded").await;
    catalogue::set(service.channel(), scale.crowd).await?;
    Ok(service)
}

async fn rate(name: &str, target: &Target, calls: &Arc<Calls>, scale: &Scale) -> Outcome<f64> {
    load::run(target, calls, QUOTERS, scale.warm_up).await?;
    let measured = load::run(target, calls, QUOTERS, scale.measure).await?;
    eprintln!("  {name}: {}", measured.shown());
    Ok(measured.rate())
}

/// The answer; one that came without the peer, because the machine was busy otherwise, is asked for again.
async fn answered(target: &Target, request: &Bytes) -> Outcome<Bytes> {
    let mut answer = target.call(request.clone()).await;
    for _ in 1..ATTEMPTS {
        if !answer.as_ref().is_err_and(|status| status.code() == Code::Unavailable) {
            break;
        }
        tokio::time::sleep(AGAIN).await;
        answer = target.call(request.clone()).await;
    }
    Ok(answer?)
}

/// Of a quote, on average.
pub struct Sizes {
    request: usize,
    answer: usize,
}

/// Reads some answers in full: every matching offer is decided on, and so many codes apply.
pub async fn checked(target: &Target, requests: &[Bytes], codes: usize) -> Outcome<Sizes> {
    let mut sizes = Sizes { request: 0, answer: 0 };
    let mut applied = 0;
    for request in requests.iter().take(SAMPLES) {
        let bytes = answered(target, request).await?;
        sizes.request += request.len();
        sizes.answer += bytes.len();
        let quote = QuoteResponse::decode(bytes)?;
        let is_offer = |source: &str| source.starts_with("campaigns/");
        let offers = quote.decisions.iter().filter(|decision| is_offer(&decision.source)).count();
        let counts = |outcome: i32| outcome == i32::from(DecisionOutcome::Applied);
        let accepted =
            quote.decisions.iter().filter(|one| !is_offer(&one.source) && counts(one.outcome)).count();
        let request = QuoteRequest::decode(request.clone())?;
        let asked =
            if request.customer.is_empty() { IncentivesStatus::NotAsked } else { IncentivesStatus::Included };
        if offers != MATCHING as usize || accepted != codes || quote.incentives_status != i32::from(asked) {
            return Err(format!("not the quote to measure: {request:?} was answered with {quote:?}").into());
        }
        applied += quote.decisions.iter().filter(|decision| counts(decision.outcome)).count();
    }
    let samples = requests.len().min(SAMPLES);
    eprintln!(
        "  {MATCHING} offers reach each basket, on average {} offers and codes apply",
        applied / samples
    );
    Ok(Sizes { request: sizes.request / samples, answer: sizes.answer / samples })
}
