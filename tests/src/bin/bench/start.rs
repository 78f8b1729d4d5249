//! From the start of campaign-svc to its first right quote, with a big catalogue, beside one client that reads the rows
//! of which the catalogue is made.
//!
//! Right is 95.00: the product's price less the running campaign's 5 %. Whatever else is answered than that the service
//! is not ready yet is wrong, and fails the row.

use std::time::{Duration, Instant};

use futures::{Stream, TryStreamExt};
use prost::Message;
use prost::bytes::Bytes;
use sqlx::{AssertSqlSafe, ColumnIndex, Connection, Decode, PgConnection, Row, SqliteConnection};
use tandem_proto::campaign::v1 as campaign;
use tandem_proto::campaign::v1::objective_service_client::ObjectiveServiceClient;
use tandem_proto::campaign::v1::product_service_client::ProductServiceClient;
use tandem_proto::campaign::v1::{PlaceMix, QuoteRequest, QuoteResponse};
use tandem_proto::common::v1::{Basket, Line, Scope};
use tandem_tests::database::Engine;
use tandem_tests::process::{Kind, Service};
use tonic::Code;

use crate::args::{Args, Scale};
use crate::catalogue::{self, GOODS, OFFER};
use crate::clones::{Copies, Series};
use crate::ground::{Ground, started};
use crate::load::{Target, said};
use crate::people::euros;
use crate::report::{Beside, Report, Target as Aim, figure};
use crate::world::{self, QUIET};
use crate::{Outcome, baskets};

const PRODUCTS: Series = Series { stem: "p", first: 1_000_000 };
/// Campaigns that reach no product.
const OTHERS: Series = Series { stem: "k", first: 100_000 };
const DATABASE: &str = "catalogue";
/// The tables of which a catalogue is made.
const TABLES: [&str; 4] = ["product", "price_history", "campaign", "mix_revision"];
/// How long a start may take.
const LIMIT: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(5);

fn name(engine: Engine, scale: &Scale) -> String {
    let [products, campaigns] = [scale.products, scale.crowd].map(|count| figure(f64::from(count)));
    let row = format!("start to first right quote, {products} products, {campaigns} campaigns");
    if engine == Engine::Sqlite { format!("SQLite: {row}") } else { row }
}

/// Measures the rows that are asked for.
pub async fn measure(args: &Args, report: &mut Report, scale: &Scale) {
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let name = name(engine, scale);
        if args.wants(&name) {
            eprintln!("{name}");
            let measured = on(engine, &name, args, report, scale).await;
            report.close([name], measured);
        }
    }
}

async fn on(engine: Engine, name: &str, args: &Args, report: &mut Report, scale: &Scale) -> Outcome {
    let ground = Ground::new(engine)?;
    let url = ground.database(DATABASE).await;
    let mut service = Service::start(Kind::Campaign, &url, &[QUIET]);
    stage(&service).await?;
    world::stop(&mut service).await?;
    fill(&ground, scale).await?;
    let last = PRODUCTS.name(scale.products - 1);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        let start = Instant::now();
        let bytes = read(&url).await?;
        theirs.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        started(&mut service)?;
        let ready = start.elapsed().as_secs_f64();
        first_right(&service, &last, start).await?;
        ours.push(start.elapsed().as_secs_f64());
        world::stop(&mut service).await?;
        let (ours, theirs) = (ours[ours.len() - 1], theirs[theirs.len() - 1]);
        eprintln!(
            "  round {round}: READY after {ready:.2} s, right after {ours:.2} s; {} MB are read in {theirs:.2} s",
            bytes / 1_000_000
        );
    }
    let yardstick = "one client reads the same rows";
    report.add(name, "s", &ours, Beside { yardstick, values: &theirs, target: Aim::AtMostTimes(2.0) });
    Ok(())
}

/// A product at 100.00, 5 % off it, and a campaign about nothing.
async fn stage(service: &Service) -> Outcome {
    let product = campaign::Product {
        name: format!("products/{}", PRODUCTS.name(0)),
        prices: vec![campaign::ListPrice { place: String::new(), price: Some(euros(100, 0)) }],
        ..catalogue::product(0)
    };
    let request = campaign::BatchUpsertProductsRequest { products: vec![product], ..Default::default() };
    let answer = ProductServiceClient::new(service.channel()).batch_upsert_products(request).await?;
    catalogue::upserted(&answer.into_inner())?;
    let objective = catalogue::objective("start");
    ObjectiveServiceClient::new(service.channel()).create_objective(objective).await?;
    let of = |category: &str| {
        let scope = Scope { categories: vec![category.to_owned()], ..Default::default() };
        let mut discount = catalogue::percent(50_000, 1);
        discount.scope = Some(scope);
        let offer = campaign::Offer { id: OFFER.to_owned(), discount: Some(discount), ..Default::default() };
        catalogue::running("start", vec![offer], PlaceMix::default())
    };
    catalogue::launched(service.channel(), "five".to_owned(), of(GOODS)).await?;
    catalogue::launched(service.channel(), OTHERS.name(0), of(&OTHERS.name(0))).await
}

/// Copies the product and the campaign about nothing until there are so many.
async fn fill(ground: &Ground, scale: &Scale) -> Outcome {
    let mut store = ground.store(DATABASE).await?;
    let mut rows = 0;
    for table in TABLES {
        let (column, series, count) = match table {
            "product" => ("id", PRODUCTS, scale.products - 1),
            "price_history" => ("product", PRODUCTS, scale.products - 1),
            "campaign" => ("id", OTHERS, scale.crowd - 2),
            _ => ("campaign", OTHERS, scale.crowd - 2),
        };
        let condition = format!("one.tenant = 'default' AND one.{column} = '{}'", series.name(0));
        rows +=
            store.copy(&Copies { table, condition, count, series: Some(series), instead: vec![] }).await?;
    }
    eprintln!("  {rows} rows were copied");
    store.tidy().await
}

/// Asks until the answer is right.
async fn first_right(service: &Service, product: &str, start: Instant) -> Outcome {
    let line = Line {
        id: "1".to_owned(),
        product: format!("products/{product}"),
        quantity: 1,
        ..Default::default()
    };
    let basket = Basket { currency_code: "EUR".to_owned(), lines: vec![line], ..Default::default() };
    let request = QuoteRequest { basket: Some(basket), ..Default::default() };
    let request = Bytes::from(request.encode_to_vec());
    let target = Target::connect(service.address(), baskets::PATH).await?;
    while start.elapsed() < LIMIT {
        match target.call(request.clone()).await {
            Ok(quote) => return right(&QuoteResponse::decode(quote)?),
            Err(status) if status.code() == Code::Unavailable => tokio::time::sleep(AGAIN).await,
            Err(status) => return Err(format!("a wrong answer: {}", said(&status)).into()),
        }
    }
    Err(format!("no answer within {LIMIT:?}").into())
}

fn right(quote: &QuoteResponse) -> Outcome {
    let total = quote.totals.as_ref().and_then(|totals| totals.total.clone()).unwrap_or_default();
    match total == euros(95, 0) {
        true => Ok(()),
        false => Err(format!("the first quote is wrong: not 95.00 but {total:?}").into()),
    }
}

/// Every value of every row, as one client gets them; answers how many bytes these are.
async fn read(url: &str) -> Outcome<u64> {
    let sql = TABLES.map(|table| AssertSqlSafe(format!("SELECT * FROM {table} WHERE tenant = 'default'")));
    let mut bytes = 0;
    // The same on either engine, whose rows are of different types.
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await?;
        for sql in sql {
            bytes += sizes(sqlx::query(sql).fetch(&mut connection)).await?;
        }
    } else {
        let mut connection = PgConnection::connect(url).await?;
        for sql in sql {
            bytes += sizes(sqlx::query(sql).fetch(&mut connection)).await?;
        }
    }
    Ok(bytes)
}

async fn sizes<R>(mut rows: impl Stream<Item = Result<R, sqlx::Error>> + Unpin) -> Outcome<u64>
where
    R: Row,
    usize: ColumnIndex<R>,
    for<'r> Option<Vec<u8>>: Decode<'r, R::Database>,
{
    let mut bytes = 0;
    while let Some(row) = rows.try_next().await? {
        for column in 0..row.len() {
            let value: Option<Vec<u8>> = row.try_get_unchecked(column)?;
            bytes += value.map_or(0, |value| value.len() as u64);
        }
    }
    Ok(bytes)
}
