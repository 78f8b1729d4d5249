//! One tenant's settings at two processes: set, seen, lost sight of.

use jiff::SignedDuration;
use tandem_kernel::clock::{FixedClock, SystemIds};
use tandem_proto::common::v1::Money;

use super::*;
use crate::call::Call;
use crate::db::Db;
use crate::db::tests::test_migrations;
use crate::fault::Violations;
use crate::idempotency::Request;
use crate::resource::{Field, Touch};
use crate::testing::{self, second_handle};

/// What a tenant of the tests may set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Own {
    colour: Option<String>,
    days: Option<u32>,
}

const FIELDS: &[Field<Own>] =
    &[("colour", |to, from| to.colour.clone_from(&from.colour)), ("days", |to, from| to.days = from.days)];

impl Maps for Own {}

impl Document for Own {
    const NAME: &'static str = "settings/test";

    type InForce = (String, u32);

    fn over(&self, defaults: &Self) -> Self {
        let colour = self.colour.clone().or_else(|| defaults.colour.clone());
        Self { colour, days: self.days.or(defaults.days) }
    }

    fn in_force(self) -> (String, u32) {
        (self.colour.unwrap_or_default(), self.days.unwrap_or_default())
    }
}

/// One process.
struct Process {
    core: Core,
    clock: Arc<FixedClock>,
    tenancy: Tenancy<Own>,
}

impl Process {
    fn new(db: &Db) -> Self {
        let clock = Arc::new(FixedClock::at(Timestamp::from_second(1_750_000_000).unwrap()));
        let core = Core::new("test", second_handle(db), clock.clone(), Arc::new(SystemIds)).unwrap();
        let defaults = Own { colour: Some("grey".to_owned()), days: Some(7) };
        Self { core, clock, tenancy: Tenancy::new(defaults) }
    }

    async fn of(&self, tenant: &str) -> Outcome<(String, u32)> {
        self.tenancy.of(&self.core, &Tenant::parse(tenant).unwrap()).await.map(|of| (*of).clone())
    }

    async fn sees(&self, colour: &str, days: u32) {
        assert_eq!(self.of("a").await.unwrap(), (colour.to_owned(), days));
    }

    /// Looks as the task does.
    async fn look(&self) {
        self.tenancy.0.look(&self.core).await.unwrap();
    }

    async fn set(&self, tenant: &str, mask: &[&str], given: Own, etag: &str) -> Outcome<Settings<Own>> {
        let paths = mask.iter().map(|path| (*path).to_owned()).collect();
        let mask = prost_types::FieldMask { paths };
        let known: Vec<_> = FIELDS.iter().map(|(field, _)| *field).collect();
        let mask = grpc::field_mask(&mut Violations::new(), Some(&mask), &known, &[]);
        let touch = Touch { id: Own::NAME.to_owned(), etag: etag.to_owned() };
        let id = self.core.ids.next(self.core.clock.now()).to_string();
        let asked = Asked {
            call: Call::system(tenant),
            request: Request::new("UpdateSettings", &id, &Money::default()),
            what: Change::new(touch, FIELDS, mask, given),
        };
        let event =
            |settings: &Settings<Own>| settings.told("tandem.test.v1.SettingsUpdated", &Money::default());
        self.tenancy.update(&self.core, asked, event, &[]).await
    }

    async fn paint(&self, colour: &str) -> Settings<Own> {
        let given = Own { colour: Some(colour.to_owned()), ..Own::default() };
        self.set("a", &["colour"], given, "").await.unwrap()
    }

    fn later(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }
}

#[tokio::test]
async fn what_is_not_set_is_the_default_and_what_is_cleared_is_again() {
    testing::engines(test_migrations(), |db| async move {
        let process = Process::new(&db);
        process.sees("grey", 7).await;
        let never = process.tenancy.stored(&process.core, &Tenant::parse("a").unwrap()).await.unwrap();
        assert_eq!((never.version, never.updated), (0, None));
        assert_eq!(process.paint("red").await.version, 1);
        process.sees("red", 7).await;
        let both = Own { colour: Some("blue".to_owned()), days: Some(9) };
        let stored = process.set("a", &["days"], both, &grpc::etag(1)).await.unwrap();
        assert_eq!((stored.version, stored.updated), (2, Some(process.core.clock.now())));
        process.sees("red", 9).await;
        process.set("a", &["colour"], Own::default(), "").await.unwrap();
        process.sees("grey", 9).await;
        assert_eq!(process.of("b").await.unwrap(), ("grey".to_owned(), 7), "others are left alone");
    })
    .await;
}

#[tokio::test]
async fn each_change_is_one_version_and_one_event_and_what_changes_nothing_is_none() {
    testing::engines(test_migrations(), |db| async move {
        let process = Process::new(&db);
        let early = process.set("a", &["days"], Own::default(), &grpc::etag(0)).await.unwrap();
        assert_eq!(early.version, 0, "nothing is cleared where nothing is set");
        assert_eq!(process.paint("red").await, process.paint("red").await);
        let stale = process.set("a", &["days"], Own::default(), &grpc::etag(0)).await.unwrap_err();
        assert_eq!(stale.reason(), "ETAG_MISMATCH");
        let told = testing::events(&db).await;
        let told: Vec<_> =
            told.iter().map(|event| (event.aggregate.as_str(), event.aggregate_version)).collect();
        assert_eq!(told, [("settings/test", 1)]);
    })
    .await;
}

#[tokio::test]
async fn another_process_reads_while_nobody_vouches_for_what_it_keeps() {
    testing::engines(test_migrations(), |db| async move {
        let (one, other) = (Process::new(&db), Process::new(&db));
        other.sees("grey", 7).await;
        one.paint("red").await;
        other.sees("red", 7).await;
        other.look().await;
        one.paint("blue").await;
        other.later(6);
        other.sees("blue", 7).await;
    })
    .await;
}

#[tokio::test]
async fn another_process_sees_a_change_with_its_next_look_and_reads_nothing_until_then() {
    testing::engines(test_migrations(), |db| async move {
        let (one, other) = (Process::new(&db), Process::new(&db));
        other.sees("grey", 7).await;
        other.look().await;
        one.paint("red").await;
        other.sees("grey", 7).await;
        other.later(4);
        other.sees("grey", 7).await;
        other.look().await;
        other.sees("red", 7).await;
        // A transaction may be told of a while after it began, and clocks differ.
        one.later(-50);
        one.paint("blue").await;
        other.look().await;
        other.sees("blue", 7).await;
    })
    .await;
}

#[tokio::test]
async fn after_a_minute_it_is_read_again_although_the_looks_found_nothing() {
    testing::engines(test_migrations(), |db| async move {
        let (one, other) = (Process::new(&db), Process::new(&db));
        other.sees("grey", 7).await;
        one.later(-3_600);
        one.paint("red").await;
        other.later(61);
        other.tenancy.0.look(&other.core).await.unwrap();
        other.of("b").await.unwrap();
        other.look().await;
        other.sees("grey", 7).await;
        assert!(
            other.core.tasks.finish_background(Duration::from_secs(60)).await,
            "it was read beside the call"
        );
        other.sees("red", 7).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_kept_serves_while_the_database_is_away_and_a_tenant_of_whom_nothing_is_kept_is_refused() {
    testing::engines(test_migrations(), |db| async move {
        let process = Process::new(&db);
        process.paint("red").await;
        process.look().await;
        db.close().await;
        process.sees("red", 7).await;
        process.later(600);
        process.sees("red", 7).await;
        assert!(process.tenancy.0.look(&process.core).await.is_err());
        assert!(process.of("b").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn an_older_version_never_takes_the_place_of_a_newer() {
    testing::engines(test_migrations(), |db| async move {
        let process = Process::new(&db);
        let first = process.paint("red").await;
        process.paint("blue").await;
        process.look().await;
        process.tenancy.0.put(&Tenant::parse("a").unwrap(), &first);
        process.sees("blue", 7).await;
    })
    .await;
}

#[tokio::test]
async fn a_thousand_tenants_are_seen_by_one_look() {
    testing::engines(test_migrations(), |db| async move {
        let (one, other) = (Process::new(&db), Process::new(&db));
        let names: Vec<String> = (0..1_000).map(|number| format!("t{number}")).collect();
        for name in &names {
            assert_eq!(other.of(name).await.unwrap().1, 7);
            one.set(name, &["days"], Own { days: Some(8), ..Own::default() }, "").await.unwrap();
        }
        other.look().await;
        // So that nothing else can be read.
        db.close().await;
        for name in &names {
            assert_eq!(other.of(name).await.unwrap().1, 8);
        }
    })
    .await;
}

#[tokio::test]
async fn nobody_looks_where_nobody_has_asked_for_a_minute() {
    testing::engines(test_migrations(), |db| async move {
        let process = Process::new(&db);
        db.close().await;
        process.look().await;
    })
    .await;
}

#[tokio::test]
async fn of_many_who_set_something_first_each_makes_a_version() {
    testing::engines(test_migrations(), |db| async move {
        let (one, other) = (Process::new(&db), Process::new(&db));
        let colours = ["red", "blue", "green", "black", "white", "pink"];
        let set = |(index, colour): (usize, &'static str)| {
            let process = if index % 2 == 0 { &one } else { &other };
            process.paint(colour)
        };
        let stored = futures::future::join_all(colours.into_iter().enumerate().map(set)).await;
        let mut versions: Vec<i64> = stored.iter().map(|stored| stored.version).collect();
        versions.sort_unstable();
        assert!(versions.into_iter().eq(1..=6));
        let last = stored.iter().max_by_key(|stored| stored.version).unwrap();
        one.later(6);
        one.sees(last.own.colour.as_deref().unwrap(), 7).await;
        other.sees(last.own.colour.as_deref().unwrap(), 7).await;
    })
    .await;
}
