//! Making codes, beside COPY of rows that are there already.

use std::time::Instant;

use sqlx::{AssertSqlSafe, PgPool};
use tandem_proto::relationship::v1::GenerateVouchersRequest;
use tandem_proto::relationship::v1::voucher_service_client::VoucherServiceClient;

use crate::Outcome;
use crate::args::{Args, Scale};
use crate::people;
use crate::report::{Beside, Report, Target, figure};
use crate::world::{PRODUCT, World, YARDSTICK};

/// The longest it may take, whatever COPY does.
const LIMIT_S: f64 = 30.0;

fn names(scale: &Scale) -> [String; 2] {
    let generate = format!("generate {} codes, durable", figure(f64::from(scale.generated)));
    [generate.clone(), format!("{generate}, time")]
}

/// Whether any of these rows is asked for.
pub fn wanted(args: &Args, scale: &Scale) -> bool {
    names(scale).iter().any(|row| args.wants(row))
}

/// Measures both rows.
pub async fn measure(world: &World, args: &Args, report: &mut Report, scale: &Scale) -> Outcome {
    let [rate, time] = names(scale);
    eprintln!("{rate}");
    let (product, yardstick) = (world.server.pool(PRODUCT).await?, world.server.pool(YARDSTICK).await?);
    let count = f64::from(scale.generated);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        let incentive = format!("generated{round}");
        people::incentive(world.relationship.channel(), &incentive).await?;
        world.server.checkpoint().await?;
        let made = generate(world, &incentive, scale.generated).await?;
        written(&product, &incentive, scale.generated).await?;
        let file =
            world.server.cluster.socket_folder().join(format!("{incentive}.copy")).display().to_string();
        // In the order in which they were stored, not in that of an index.
        let unload =
            format!("COPY (SELECT * FROM voucher WHERE incentive = '{incentive}' ORDER BY ctid) TO '{file}'");
        sqlx::raw_sql(AssertSqlSafe(unload)).execute(&product).await?;
        world.server.checkpoint().await?;
        let copied = copy(&yardstick, &file).await?;
        written(&yardstick, &incentive, scale.generated).await?;
        eprintln!("  round {round}: generated in {made:.2} s, COPY took {copied:.2} s");
        ours.push(made);
        theirs.push(copied);
    }
    let per_second = |seconds: &[f64]| seconds.iter().map(|seconds| count / seconds).collect::<Vec<_>>();
    let (our_rates, their_rates) = (per_second(&ours), per_second(&theirs));
    let yardstick = "COPY into the same table with its indexes";
    report.add(
        rate,
        "1/s",
        &our_rates,
        Beside { yardstick, values: &their_rates, target: Target::Times(0.5) },
    );
    report.add(time, "s", &ours, Beside { yardstick, values: &theirs, target: Target::Below(LIMIT_S) });
    Ok(())
}

async fn generate(world: &World, incentive: &str, quantity: u32) -> Outcome<f64> {
    let mut client = VoucherServiceClient::new(world.relationship.channel());
    let request = GenerateVouchersRequest {
        incentive: format!("incentives/{incentive}"),
        quantity: i64::from(quantity),
        request_id: format!("generate-{incentive}"),
        ..Default::default()
    };
    let start = Instant::now();
    let mut progress = client.generate_vouchers(request).await?.into_inner();
    let mut done = 0;
    while let Some(block) = progress.message().await? {
        done = block.done;
    }
    let seconds = start.elapsed().as_secs_f64();
    if done == i64::from(quantity) {
        Ok(seconds)
    } else {
        Err(format!("{done} of {quantity} codes were made").into())
    }
}

async fn copy(yardstick: &PgPool, file: &str) -> Outcome<f64> {
    let mut connection = yardstick.acquire().await?;
    let start = Instant::now();
    sqlx::raw_sql(AssertSqlSafe(format!("COPY voucher FROM '{file}'"))).execute(&mut *connection).await?;
    Ok(start.elapsed().as_secs_f64())
}

async fn written(pool: &PgPool, incentive: &str, quantity: u32) -> Outcome {
    let sql = "SELECT count(*) FROM voucher WHERE tenant = 'default' AND incentive = $1";
    let found: i64 = sqlx::query_scalar(sql).bind(incentive).fetch_one(pool).await?;
    if found == i64::from(quantity) {
        Ok(())
    } else {
        Err(format!("{found} of {quantity} codes are stored").into())
    }
}
