//! The services at rest on the databases of a year, beside the same on empty ones.
//!
//! campaign-svc's has offers limited by day, each of which was used up on every day, the orders of the year, and as many
//! claims of its last week; relationship-svc's the same of incentives and redemptions. One real order with a code is
//! made over gRPC, and copied.

use std::time::{Duration, Instant};

use futures::TryStreamExt;
use prost::bytes::Bytes;
use tandem_proto::campaign::v1 as campaign;
use tandem_proto::campaign::v1::objective_service_client::ObjectiveServiceClient;
use tandem_proto::common::v1::{Limits, Recurrence};
use tandem_proto::relationship::v1 as relationship;
use tandem_proto::relationship::v1::incentive_service_client::IncentiveServiceClient;
use tandem_proto::relationship::v1::voucher_service_client::VoucherServiceClient;
use tandem_tests::database::Engine;

use crate::Outcome;
use crate::args::{Args, Scale};
use crate::catalogue::{self, OFFER};
use crate::clones::{Copies, Series, Store};
use crate::ground::{Ground, Pair, databases};
use crate::idle::Idle;
use crate::load::{Target, said};
use crate::orders::{self, Brought, COMMIT, Sale};
use crate::people;
use crate::report::{Beside, Report, Target as Aim, figure};

/// The orders.
const ORDERS: Series = Series { stem: "y", first: 1_000_000 };
/// The campaigns with a limited offer, and the limited incentives.
const LIMITED: Series = Series { stem: "k", first: 100_000 };
const CODE: &str = "YEAR0000";
const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);
/// Claims are kept for seven days: none of these is swept away while somebody looks.
const WEEK: Duration = Duration::from_secs(6 * 24 * 3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// How long the counters of a year may become fewer.
const SWEEP_LIMIT: Duration = Duration::from_secs(120);
/// Next to nothing is used: it takes longer to see how much that is.
const LONGER: u32 = 3;
/// So long they have to stay as many.
const SETTLE: Duration = Duration::from_secs(5);

/// What is copied in one table, with the columns that tell when.
struct Kept {
    table: &'static str,
    condition: String,
    over: Duration,
    instants: &'static [&'static str],
    /// The column that gets an id of its own, in SQL.
    id: Option<(&'static str, String)>,
}

fn names(engine: Engine, scale: &Scale) -> [String; 2] {
    let [offers, orders] = [scale.limited, scale.orders].map(|count| figure(f64::from(count)));
    let row = |service, limited, kept| {
        let row = format!("idle CPU on a year, {service}: {offers} {limited}, {orders} {kept}");
        if engine == Engine::Sqlite { format!("SQLite: {row}") } else { row }
    };
    [
        row("relationship-svc", "incentives by day", "redemptions"),
        row("campaign-svc", "offers by day", "orders"),
    ]
}

/// Measures the rows that are asked for. Both engines are made ready at the same time: most of it is waiting.
pub async fn measure(args: &Args, report: &mut Report, scale: &Scale) {
    let wanted = |engine: &Engine| names(*engine, scale).iter().any(|name| args.wants(name));
    let engines = [Engine::Postgres, Engine::Sqlite].into_iter().filter(wanted);
    let years = engines.map(async |engine| (engine, Year::prepare(engine, scale).await));
    let years = futures::future::join_all(years).await;
    if years.iter().any(|(_, year)| year.is_ok()) {
        tokio::time::sleep(scale.sweep).await;
    }
    for (engine, year) in years {
        let measured = match year {
            Ok(year) => year.measure(args, report, scale).await,
            Err(error) => Err(error),
        };
        report.close(names(engine, scale).into_iter().filter(|name| args.wants(name)), measured);
    }
}

/// Both pairs of services, at rest. They go before their databases.
struct Year {
    engine: Engine,
    year: Pair,
    empty: Pair,
    ground: Ground,
}

impl Year {
    async fn prepare(engine: Engine, scale: &Scale) -> Outcome<Self> {
        eprintln!("{engine:?}: a year");
        let ground = Ground::new(engine)?;
        let mut year = Pair::new(&ground, "year").await?;
        stage(&year).await?;
        year.stop().await?;
        let [relationship, campaign] = databases("year");
        redemptions(ground.store(&relationship).await?, scale).await?;
        orders_of_a_year(ground.store(&campaign).await?, scale).await?;
        year.start()?;
        let empty = Pair::new(&ground, "empty").await?;
        Ok(Self { engine, year, empty, ground })
    }

    async fn measure(&self, args: &Args, report: &mut Report, scale: &Scale) -> Outcome {
        self.swept().await?;
        let (mut full, mut nothing) = (Vec::new(), Vec::new());
        for round in 1..=args.rounds {
            // At the same time: what else the machine does is the same for both.
            let looks =
                [&self.year, &self.empty].map(|pair| Idle::of(&self.ground, pair, scale.measure * LONGER));
            let looks = futures::future::try_join_all(looks).await?;
            for (look, (name, seen)) in looks.iter().zip([("a year", &mut full), ("empty", &mut nothing)]) {
                eprintln!("  round {round}, {:?}, {name}: {}", self.engine, look.shown());
                seen.push([look.relationship + look.connections[0], look.campaign + look.connections[1]]);
            }
        }
        let names = names(self.engine, scale);
        for (index, name) in names.iter().enumerate().filter(|(_, name)| args.wants(name)) {
            let of = |seen: &[[f64; 2]]| seen.iter().map(|both| both[index]).collect::<Vec<_>>();
            let yardstick = "on an empty database";
            let beside = Beside { yardstick, values: &of(&nothing), target: Aim::AtMostTimes(1.2) };
            report.add(name, "% of a core", &of(&full), beside);
        }
        Ok(())
    }

    /// Lets the services forget what is over, if they do: a year in production has been swept every day.
    async fn swept(&self) -> Outcome {
        let end = Instant::now() + SWEEP_LIMIT;
        let mut before = None;
        loop {
            let mut counters = 0;
            for database in databases("year") {
                counters += self.ground.store(&database).await?.count("counter").await?;
            }
            if before == Some(counters) || Instant::now() > end {
                eprintln!("  {counters} counters are kept");
                return Ok(());
            }
            before = Some(counters);
            tokio::time::sleep(SETTLE).await;
        }
    }
}

/// One use a day.
fn once_a_day() -> Limits {
    Limits { max_uses: Some(1), recurrence: Recurrence::Day.into(), ..Default::default() }
}

/// One order with a code, which uses up an offer and an incentive for today.
async fn stage(pair: &Pair) -> Outcome {
    let (campaigns, vouchers) = (pair.campaign.channel(), pair.relationship.channel());
    let objective = catalogue::objective("year");
    ObjectiveServiceClient::new(campaigns.clone()).create_objective(objective).await?;
    let offer = campaign::Offer {
        id: OFFER.to_owned(),
        discount: Some(catalogue::percent(50_000, 1)),
        limits: Some(once_a_day()),
        ..Default::default()
    };
    let running = catalogue::running("year", vec![offer], campaign::PlaceMix::default());
    catalogue::launched(campaigns, LIMITED.name(0), running).await?;
    let incentive = people::create_incentive(&LIMITED.name(0), once_a_day());
    IncentiveServiceClient::new(vouchers.clone()).create_incentive(incentive).await?;
    let voucher = relationship::Voucher {
        code: CODE.to_owned(),
        incentive: format!("incentives/{}", LIMITED.name(0)),
        ..Default::default()
    };
    let message = relationship::ImportVouchersRequest { vouchers: vec![voucher], ..Default::default() };
    let imported =
        VoucherServiceClient::new(vouchers).import_vouchers(futures::stream::iter([message])).await?;
    imported.into_inner().try_for_each(|_| std::future::ready(Ok(()))).await?;
    let target = Target::connect(pair.campaign.address(), COMMIT).await?;
    let order = target.call(order()?).await;
    order.map_err(|status| format!("the order to be copied: {}", said(&status)))?;
    // The redemption is told to campaign-svc.
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(())
}

fn order() -> Outcome<Bytes> {
    let sale = Sale {
        tenant: "default".to_owned(),
        order_id: ORDERS.name(0),
        customer: String::new(),
        offer: format!("campaigns/{}/offers/{OFFER}", LIMITED.name(0)),
        brought: Some(Brought { code: CODE.to_owned(), incentive: LIMITED.name(0) }),
    };
    Ok(sale.commit(&orders::development_keys()?))
}

async fn redemptions(mut store: Store, scale: &Scale) -> Outcome {
    let kept = [
        Kept {
            table: "redemption",
            condition: format!("one.order_id = '{}'", ORDERS.name(0)),
            over: YEAR,
            instants: &["created", "updated"],
            id: Some(("id", store.fresh_id())),
        },
        // campaign-svc asks under a request_id of its own.
        Kept {
            condition: "one.request_id LIKE 'order-%'".to_owned(),
            id: Some(("request_id", format!("'order-' || ({} + copy)", ORDERS.first))),
            ..claims()
        },
    ];
    let owner = format!("one.owner = '{}'", LIMITED.name(0));
    let definitions = [
        ("incentive", format!("one.id = '{}'", LIMITED.name(0))),
        ("incentive_revision", format!("one.incentive = '{}'", LIMITED.name(0))),
    ];
    filled(&mut store, &kept, &owner, &definitions, scale).await?;
    store.tidy().await
}

async fn orders_of_a_year(mut store: Store, scale: &Scale) -> Outcome {
    let kept = [
        Kept {
            table: "sales_order",
            condition: format!("one.id = '{}'", ORDERS.name(0)),
            over: YEAR,
            instants: &["created", "updated", "committed"],
            id: Some(("holder", store.fresh_id())),
        },
        claims(),
    ];
    let owner = format!("one.owner LIKE 'campaigns/{}%'", LIMITED.name(0));
    let definitions = [
        ("campaign", format!("one.id = '{}'", LIMITED.name(0))),
        ("mix_revision", format!("one.campaign = '{}'", LIMITED.name(0))),
    ];
    filled(&mut store, &kept, &owner, &definitions, scale).await?;
    store.tidy().await
}

/// Of the order.
fn claims() -> Kept {
    Kept {
        table: "request_claim",
        condition: format!("one.request_id = 'r-{}'", ORDERS.name(0)),
        over: WEEK,
        instants: &["created"],
        id: None,
    }
}

/// Copies what is kept of an order, and what its limits have counted: on each day, by each offer or incentive.
async fn filled(
    store: &mut Store,
    kept: &[Kept],
    owner: &str,
    definitions: &[(&str, String)],
    scale: &Scale,
) -> Outcome {
    let mut rows = 0;
    for Kept { table, condition, over, instants, id } in kept {
        let each = *over / scale.orders;
        let instants = instants.iter().map(|column| (*column, store.earlier(column, each)));
        let instead = instants.chain(id.clone()).collect();
        let condition = format!("one.tenant = 'default' AND {condition}");
        let (count, series) = (scale.orders - 1, Some(ORDERS));
        let copied = store.copy(&Copies { table, condition, count, series, instead }).await?;
        if copied != u64::from(count) {
            return Err(format!("{copied} rows of {table} were copied, {count} were wanted").into());
        }
        rows += copied;
    }
    // The counters, and whatever else a service keeps by owner and period.
    let counting = store.tables_with(&["tenant", "owner", "period"]).await?;
    let mut counted = 0;
    for table in &counting {
        let days = Copies {
            table,
            condition: format!("one.tenant = 'default' AND {owner} AND one.period LIKE 'd%'"),
            count: scale.days - 1,
            series: None,
            instead: vec![
                ("period", format!("'d' || {}", store.earlier_day())),
                ("changed", store.earlier("changed", DAY)),
            ],
        };
        counted += store.copy(&days).await?;
    }
    if counted == 0 {
        return Err("no counter has a day to be copied".into());
    }
    rows += counted;
    let counting = counting.iter().map(|table| (table.as_str(), owner));
    for (table, condition) in definitions.iter().map(|(table, id)| (*table, id.as_str())).chain(counting) {
        let condition = format!("one.tenant = 'default' AND {condition}");
        let (count, series) = (scale.limited - 1, Some(LIMITED));
        rows += store.copy(&Copies { table, condition, count, series, instead: vec![] }).await?;
    }
    eprintln!("  {rows} rows were copied");
    Ok(())
}
