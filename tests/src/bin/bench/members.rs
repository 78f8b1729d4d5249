//! Who is in a segment of a million customers: counted beside the statement that one would write by hand, streamed beside
//! COPY of the ids. Both answers are compared.

use std::time::Instant;

use futures::TryStreamExt;
use sqlx::{Connection, PgConnection};
use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::segment_service_client::SegmentServiceClient;
use tandem_proto::relationship::v1::{
    CountSegmentRequest, CreateCustomerRequest, CreateSegmentRequest, Customer, Segment,
    StreamSegmentMembersRequest,
};
use tandem_tests::database::Engine;
use tandem_tests::process::{Kind, Service};

use crate::Outcome;
use crate::args::{Args, Scale};
use crate::clones::{Copies, Series};
use crate::ground::{Ground, started};
use crate::report::{Beside, Report, Target, figure};
use crate::world::{self, QUIET};

const CUSTOMERS: Series = Series { stem: "c", first: 10_000_000 };
const DATABASE: &str = "members";
/// Every fourth is in Austria, every third is a VIP, and half of them began before.
const RULE: &str = "customer.country == 'AT' && 'vip' in customer.tags && customer.age_days > 30";
/// The same, by hand.
const BY_HAND: &str = "SELECT count(*) FROM customer
    WHERE tenant = 'default' AND country = 'AT' AND tags ? 'vip'
      AND COALESCE(since, created) < now() - interval '31 days'";
const IDS: &str = "COPY (SELECT id FROM customer WHERE tenant = 'default' ORDER BY id) TO STDOUT";
/// A count takes no longer.
const LIMIT_MS: f64 = 300.0;

fn names(scale: &Scale) -> [String; 3] {
    let customers = figure(f64::from(scale.people));
    [
        format!("count a segment of three clauses, {customers} customers"),
        format!("the same, how long, {customers} customers"),
        format!("stream {customers} members"),
    ]
}

/// Measures the rows that are asked for.
pub async fn measure(args: &Args, report: &mut Report, scale: &Scale) {
    let names = names(scale);
    if names.iter().any(|name| args.wants(name)) {
        eprintln!("{}", names[0]);
        let measured = rows(&names, args, report, scale).await;
        report.close(names, measured);
    }
}

async fn rows(names: &[String; 3], args: &Args, report: &mut Report, scale: &Scale) -> Outcome {
    let ground = Ground::new(Engine::Postgres)?;
    let url = ground.database(DATABASE).await;
    let mut service = Service::start(Kind::Relationship, &url, &[QUIET]);
    stage(&service).await?;
    world::stop(&mut service).await?;
    fill(&ground, scale).await?;
    started(&mut service)?;
    let mut connection = PgConnection::connect(&url).await?;
    let mut segments = SegmentServiceClient::new(service.channel());
    let (mut counts, mut by_hand, mut streams, mut copies) = (vec![], vec![], vec![], vec![]);
    for round in 1..=args.rounds {
        let start = Instant::now();
        let hand: i64 = sqlx::query_scalar(BY_HAND).fetch_one(&mut connection).await?;
        by_hand.push(start.elapsed().as_secs_f64() * 1_000.0);
        let request = CountSegmentRequest { name: "segments/three".to_owned(), ..Default::default() };
        let start = Instant::now();
        let count = segments.count_segment(request).await?.into_inner();
        counts.push(start.elapsed().as_secs_f64() * 1_000.0);
        if (count.members, count.customers) != (hand, i64::from(scale.people)) {
            return Err(format!("{count:?} where by hand {hand} are found").into());
        }
        let start = Instant::now();
        let mut ids = 0;
        let mut copy = connection.copy_out_raw(IDS).await?;
        while let Some(block) = copy.try_next().await? {
            ids += block.iter().filter(|byte| **byte == b'\n').count();
        }
        drop(copy);
        copies.push(ids as f64 / start.elapsed().as_secs_f64());
        let start = Instant::now();
        let streamed = streamed(&mut segments).await?;
        streams.push(streamed as f64 / start.elapsed().as_secs_f64());
        if streamed != ids {
            return Err(format!("{streamed} members where {ids} ids are copied").into());
        }
        eprintln!("  round {round}: {hand} of {} counted, {ids} streamed", scale.people);
    }
    world::stop(&mut service).await?;
    let [count, long, stream] = names;
    let yardstick = "the same, by hand";
    report.add(
        count,
        "ms",
        &counts,
        Beside { yardstick, values: &by_hand, target: Target::AtMostTimes(1.5) },
    );
    report.add(long, "ms", &counts, Beside::nothing(Target::Below(LIMIT_MS)));
    let yardstick = "COPY of the ids";
    report.add(stream, "ids/s", &streams, Beside { yardstick, values: &copies, target: Target::Times(0.5) });
    Ok(())
}

/// Reads all members; answers how many.
async fn streamed(segments: &mut SegmentServiceClient<tonic::transport::Channel>) -> Outcome<usize> {
    let request = StreamSegmentMembersRequest { name: "segments/all".to_owned() };
    let mut blocks = segments.stream_segment_members(request).await?.into_inner();
    let mut count = 0;
    while let Some(block) = blocks.message().await? {
        count += block.customers.len();
    }
    Ok(count)
}

/// Two segments, and the customer of whom the others are copies.
async fn stage(service: &Service) -> Outcome {
    for (id, rule) in [("three", RULE), ("all", "true")] {
        let segment = Segment { rule: rule.to_owned(), ..Segment::default() };
        let request = CreateSegmentRequest {
            segment: Some(segment),
            segment_id: id.to_owned(),
            ..CreateSegmentRequest::default()
        };
        SegmentServiceClient::new(service.channel()).create_segment(request).await?;
    }
    let customer = Customer {
        display_name: "Ada Lovelace".to_owned(),
        email: format!("{}@example.org", CUSTOMERS.name(0)),
        locale: "de-AT".to_owned(),
        country: "DE".to_owned(),
        attributes: [("channel".to_owned(), "shop".to_owned())].into(),
        tags: vec!["early".to_owned(), "newsletter".to_owned()],
        ..Customer::default()
    };
    let request = CreateCustomerRequest {
        customer: Some(customer),
        customer_id: CUSTOMERS.name(0),
        ..CreateCustomerRequest::default()
    };
    CustomerServiceClient::new(service.channel()).create_customer(request).await?;
    Ok(())
}

/// Copies the customer until there are so many.
async fn fill(ground: &Ground, scale: &Scale) -> Outcome {
    let mut store = ground.store(DATABASE).await?;
    let instead = vec![
        ("country", "(ARRAY['AT', 'CH', 'DE', 'FR'])[1 + copy % 4]".to_owned()),
        ("tags", "CASE WHEN copy % 3 = 0 THEN one.tags || '[\"vip\"]'::jsonb ELSE one.tags END".to_owned()),
        ("since", "one.created - (copy % 2) * interval '1 year'".to_owned()),
    ];
    let condition = format!("one.tenant = 'default' AND one.id = '{}'", CUSTOMERS.name(0));
    let copies =
        Copies { table: "customer", condition, count: scale.people - 1, series: Some(CUSTOMERS), instead };
    let rows = store.copy(&copies).await?;
    eprintln!("  {rows} customers were copied");
    store.tidy().await
}
