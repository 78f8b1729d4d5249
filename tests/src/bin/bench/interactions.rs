//! Recording interactions, beside COPY of the same rows that are there already, and asking how somebody stands.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use hdrhistogram::Histogram;
use sqlx::{AssertSqlSafe, PgPool};
use tandem_kernel::clock::{Clock, SystemClock};
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1::interaction_service_client::InteractionServiceClient;
use tandem_proto::relationship::v1::relationship_service_client::RelationshipServiceClient;
use tandem_proto::relationship::v1::{
    GetRelationshipRequest, Interaction, InteractionType, RecordInteractionsRequest,
};
use tokio::task::JoinSet;

use crate::Outcome;
use crate::args::{Args, Scale};
use crate::people::{customer_name, euros};
use crate::report::{Beside, Report, Target};
use crate::world::{PRODUCT, World, YARDSTICK};

const RECORD: &str = "record interactions in batches of 500, a third orders, RFM and stage kept";
const STAND: &str = "GetRelationship at 1,000/s, p99";

const PER_CALL: u32 = 500;
const SIDE_BY_SIDE: usize = 8;
const PER_SECOND: u32 = 1_000;
/// Of what is recorded, orders are rows of a table of their own.
const TABLES: [&str; 2] = ["interaction", "customer_order"];

/// Whether any of these rows is asked for.
pub fn wanted(args: &Args) -> bool {
    args.wants(RECORD) || args.wants(STAND)
}

/// Measures both rows.
pub async fn measure(world: &World, args: &Args, report: &mut Report, scale: &Scale) -> Outcome {
    eprintln!("{RECORD}");
    let (product, yardstick) = (world.server.pool(PRODUCT).await?, world.server.pool(YARDSTICK).await?);
    let count = scale.generated / 4;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        sqlx::raw_sql("TRUNCATE interaction, customer_order, relationship").execute(&product).await?;
        sqlx::raw_sql("TRUNCATE interaction, customer_order").execute(&yardstick).await?;
        world.server.checkpoint().await?;
        let recorded = f64::from(count) / record(world, count, scale.customers).await?;
        let files = unload(world, &product, round).await?;
        world.server.checkpoint().await?;
        let copied = f64::from(count) / copy(&yardstick, &files).await?;
        counted(&product, count).await?;
        counted(&yardstick, count).await?;
        eprintln!("  round {round}: recorded {recorded:.0}/s, COPY {copied:.0}/s");
        ours.push(recorded);
        theirs.push(copied);
    }
    let yardstick = "COPY into the same tables with their indexes";
    report.add(RECORD, "1/s", &ours, Beside { yardstick, values: &theirs, target: Target::Times(0.3) });
    let mut late = Vec::new();
    for _ in 1..=args.rounds {
        late.push(stand(world, scale).await?);
    }
    report.add(STAND, "ms", &late, Beside::nothing(Target::Below(20.0)));
    Ok(())
}

/// Seconds until everything is durable.
async fn record(world: &World, count: u32, customers: u32) -> Outcome<f64> {
    let now = SystemClock.now();
    let thing = |n: u32| {
        let order = n.is_multiple_of(3);
        Interaction {
            event_id: if order { String::new() } else { format!("event-{n}") },
            r#type: if order { InteractionType::Order } else { InteractionType::Visit }.into(),
            event_time: Some(to_timestamp(now - jiff::SignedDuration::from_mins(i64::from(n % 500_000)))),
            customer: customer_name(n.wrapping_mul(7_919) % customers),
            amount: order.then(|| euros(20, 50)),
            order_id: if order { format!("order-{n}") } else { String::new() },
            ..Interaction::default()
        }
    };
    let calls: Vec<RecordInteractionsRequest> = (0..count.div_ceil(PER_CALL))
        .map(|call| RecordInteractionsRequest {
            interactions: (call * PER_CALL..((call + 1) * PER_CALL).min(count)).map(thing).collect(),
        })
        .collect();
    let start = Instant::now();
    let sent = calls.into_iter().map(|call| {
        let mut client = InteractionServiceClient::new(world.relationship.channel());
        async move { client.record_interactions(call).await }
    });
    let answers: Vec<_> = stream::iter(sent).buffer_unordered(SIDE_BY_SIDE).try_collect().await?;
    let seconds = start.elapsed().as_secs_f64();
    let created =
        answers.iter().flat_map(|answer| &answer.get_ref().results).filter(|one| one.created).count();
    match u32::try_from(created) {
        Ok(created) if created == count => Ok(seconds),
        _ => Err(format!("{created} of {count} interactions were recorded").into()),
    }
}

/// In the order in which they were stored, not in that of an index.
async fn unload(world: &World, product: &PgPool, round: u32) -> Outcome<Vec<(&'static str, String)>> {
    let mut files = Vec::new();
    for table in TABLES {
        let file = world.server.cluster.socket_folder().join(format!("{table}{round}.copy"));
        let file = file.display().to_string();
        let unload = format!("COPY (SELECT * FROM {table} ORDER BY ctid) TO '{file}'");
        sqlx::raw_sql(AssertSqlSafe(unload)).execute(product).await?;
        files.push((table, file));
    }
    Ok(files)
}

async fn copy(yardstick: &PgPool, files: &[(&str, String)]) -> Outcome<f64> {
    let mut connection = yardstick.acquire().await?;
    let start = Instant::now();
    for (table, file) in files {
        let copy = format!("COPY {table} FROM '{file}'");
        sqlx::raw_sql(AssertSqlSafe(copy)).execute(&mut *connection).await?;
    }
    Ok(start.elapsed().as_secs_f64())
}

async fn counted(pool: &PgPool, count: u32) -> Outcome {
    let sql = "SELECT (SELECT count(*) FROM interaction) + (SELECT count(*) FROM customer_order)";
    let found: i64 = sqlx::query_scalar(sql).fetch_one(pool).await?;
    if found == i64::from(count) { Ok(()) } else { Err(format!("{found} of {count} rows are stored").into()) }
}

/// The 99th percentile of calls that begin when it is their time, whether others are answered or not, in milliseconds.
async fn stand(world: &World, scale: &Scale) -> Outcome<f64> {
    let client = RelationshipServiceClient::new(world.relationship.channel());
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    let calls = u32::try_from(scale.load().as_secs()).unwrap_or(1) * PER_SECOND;
    let mut asked = JoinSet::new();
    for n in 0..calls {
        let due = ticks.tick().await;
        let mut client = client.clone();
        let customer = customer_name(n.wrapping_mul(104_729) % scale.customers);
        asked.spawn(async move {
            let request = GetRelationshipRequest { customer, guest_key: String::new() };
            client.get_relationship(request).await.map(|_| due.elapsed())
        });
    }
    let mut times = Histogram::<u64>::new(3)?;
    while let Some(answer) = asked.join_next().await {
        let time = answer??;
        times.record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))?;
    }
    Ok(times.value_at_quantile(0.99) as f64 / 1_000.0)
}
