//! Rules of stages that a tenant sets: they hold at once, rows follow part by part, and each change is told once.

use jiff::SignedDuration;
use prost::Message;
use tandem_platform::db::{Instant, Statement};
use tandem_platform::{Tenant, on_engine, testing, transact};
use tandem_proto::relationship::v1::relationship_service_client::RelationshipServiceClient;
use tandem_proto::relationship::v1::{self, GetRelationshipRequest, Settings, StageChanged};

use super::super::store::sweep;
use super::super::{Relationship, Stage, StageRules, Who, commands, store, tasks};
use super::days;
use crate::testing::{Harness, of_tenant, set};
use crate::{MIGRATIONS, erasure};

const GUEST: &str = "0123456789abcdef";

fn at_risk_after(days: i32) -> Settings {
    let stage_rules = v1::StageRules { at_risk_days: Some(days), ..v1::StageRules::default() };
    Settings { stage_rules: Some(stage_rules), ..Settings::default() }
}

fn guest(number: usize) -> Who {
    Who::Guest(format!("{number:016}"))
}

/// These have ordered once, now, of which was told.
async fn order(harness: &Harness, tenant: &str, people: impl IntoIterator<Item = Who>) {
    let (tenant, now) = (Tenant::parse(tenant).unwrap(), harness.app.clock.now());
    let rows = people.into_iter().map(|who| {
        let mut row = Relationship::new(who);
        row.ordered(now);
        row.tell(&StageRules::default(), now);
        row
    });
    let rows: Vec<_> = rows.collect();
    transact!(harness.app.db, |tx| {
        store::insert(&rows.iter().collect::<Vec<_>>())?.run(tx, &tenant).await
    })
    .unwrap();
}

/// Whose stage was told of as changed to what, in order of tenants and people.
async fn told(harness: &Harness) -> Vec<(String, String, v1::Stage)> {
    let changes = harness.events().await.into_iter().filter(|event| event.r#type.ends_with("StageChanged"));
    let changes = changes.map(|event| {
        let change = StageChanged::decode(event.payload.unwrap().value.as_slice()).unwrap();
        (event.tenant, event.aggregate, change.to_stage())
    });
    let mut changes: Vec<_> = changes.collect();
    changes.sort();
    changes
}

async fn stands(harness: &Harness, tenant: &'static str) -> v1::Stage {
    let request = GetRelationshipRequest { guest_key: GUEST.to_owned(), ..GetRelationshipRequest::default() };
    let mut client = RelationshipServiceClient::new(harness.channel());
    let answer = client.get_relationship(of_tenant(tenant, request)).await.unwrap();
    answer.into_inner().relationship.unwrap().stage()
}

async fn row(harness: &Harness, tenant: &str, who: &Who) -> Relationship {
    let mut reader = harness.app.db.read().await.unwrap();
    store::find(&mut reader, &Tenant::parse(tenant).unwrap(), who).await.unwrap().unwrap()
}

async fn sweeps(harness: &Harness) -> i64 {
    testing::count(&mut harness.app.db.read().await.unwrap(), "relationship_sweep").await
}

#[tokio::test]
async fn two_tenants_stand_by_rules_of_their_own() {
    testing::engines(&MIGRATIONS, |db| async move {
        let (harness, ada) = (Harness::new(db), Who::Guest(GUEST.to_owned()));
        for tenant in ["default", "shop-7"] {
            order(&harness, tenant, [ada.clone()]).await;
        }
        set(&harness, "shop-7", at_risk_after(10)).await.unwrap();
        assert_eq!(tasks::sweep(&harness.app).await.unwrap(), 0, "nobody stands elsewhere yet");
        let due = row(&harness, "shop-7", &ada).await.next_change;
        assert_eq!(due, Some(harness.app.clock.now() + days(10)));
        harness.clock.advance(days(10));
        assert_eq!(stands(&harness, "default").await, v1::Stage::FirstPurchase);
        assert_eq!(stands(&harness, "shop-7").await, v1::Stage::AtRisk);
        assert_eq!(tasks::sweep(&harness.app).await.unwrap(), 1);
        let name = format!("guests/{GUEST}/relationship");
        assert_eq!(told(&harness).await, [("shop-7".to_owned(), name, v1::Stage::AtRisk)]);
    })
    .await;
}

#[tokio::test]
async fn other_rules_turn_stages_without_a_call_and_each_change_is_told_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        let another = Harness::new(testing::second_handle(&db));
        another.clock.advance(SignedDuration::from_millis(1));
        let later = |time: SignedDuration| [&harness.clock, &another.clock].map(|clock| clock.advance(time));
        let ada = Who::Customer("ada".to_owned());
        order(&harness, "default", [ada.clone()]).await;
        later(days(20));
        assert_eq!(tasks::sweep(&harness.app).await.unwrap(), 0);
        set(&harness, "default", at_risk_after(10)).await.unwrap();
        let (one, two) = tokio::join!(tasks::sweep(&harness.app), tasks::sweep(&another.app));
        assert_eq!(one.unwrap() + two.unwrap(), 1, "whatever the replicas");
        assert_eq!(row(&harness, "default", &ada).await.told, Stage::AtRisk);
        later(SignedDuration::from_mins(3));
        assert_eq!(tasks::sweep(&another.app).await.unwrap(), 0, "nobody was judged by the old ones");
        assert_eq!(sweeps(&harness).await, 0);
        // And back: what was told of is taken back, and the clock changes it when it would have.
        set(&harness, "default", at_risk_after(90)).await.unwrap();
        assert_eq!(tasks::sweep(&another.app).await.unwrap(), 1);
        let row = row(&harness, "default", &ada).await;
        assert_eq!((row.told, row.next_change), (Stage::FirstPurchase, Some(row.dates[0] + days(90))));
        let stages: Vec<_> = told(&harness).await.into_iter().map(|(.., stage)| stage).collect();
        assert_eq!(stages, [v1::Stage::FirstPurchase, v1::Stage::AtRisk], "sorted: each once");
    })
    .await;
}

#[tokio::test]
async fn what_says_no_other_rules_goes_through_nobody() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        set(&harness, "default", Settings { restored_days: Some(3), ..at_risk_after(90) }).await.unwrap();
        assert_eq!(sweeps(&harness).await, 0, "90 is as ever");
    })
    .await;
}

#[tokio::test]
async fn whom_somebody_has_judged_meanwhile_by_the_rules_from_before_is_put_right() {
    testing::engines(&MIGRATIONS, |db| async move {
        let (harness, ada) = (Harness::new(db), guest(1));
        order(&harness, "default", [ada.clone()]).await;
        harness.clock.advance(days(20));
        set(&harness, "default", at_risk_after(10)).await.unwrap();
        assert_eq!(tasks::sweep(&harness.app).await.unwrap(), 1);
        let mut late = row(&harness, "default", &ada).await;
        late.tell(&StageRules::default(), harness.app.clock.now());
        transact!(harness.app.db, |tx| { store::update(&[&late])?.run(tx, &Tenant::default()).await })
            .unwrap();
        assert_eq!(tasks::sweep(&harness.app).await.unwrap(), 0, "not yet: there may be others");
        harness.clock.advance(SignedDuration::from_mins(3));
        assert_eq!(tasks::sweep(&harness.app).await.unwrap(), 1);
        assert_eq!(row(&harness, "default", &ada).await.told, Stage::AtRisk);
    })
    .await;
}

#[tokio::test]
async fn a_process_that_dies_on_the_way_is_gone_on_with_and_tells_nothing_twice() {
    testing::engines(&MIGRATIONS, |db| async move {
        const PEOPLE: usize = 1_200;
        let harness = Harness::new(db.clone());
        order(&harness, "default", (0..PEOPLE).map(guest)).await;
        harness.clock.advance(days(20));
        set(&harness, "default", at_risk_after(10)).await.unwrap();
        let some = commands::step(&harness.app, &Tenant::default()).await.unwrap().unwrap();
        assert!(some > 0 && some < PEOPLE / 2, "{some} at once");
        let died_at = harness.app.clock.now();
        drop(harness);
        let next = Harness::new(testing::second_handle(&db));
        next.clock.advance(died_at.duration_since(next.app.clock.now()) + SignedDuration::from_secs(1));
        assert_eq!(some + tasks::sweep(&next.app).await.unwrap(), PEOPLE);
        next.clock.advance(SignedDuration::from_mins(3));
        assert_eq!(tasks::sweep(&next.app).await.unwrap(), 0);
        let told = told(&next).await;
        assert_eq!(told.len(), PEOPLE);
        assert!(told.windows(2).all(|pair| pair[0].1 != pair[1].1), "each once");
        assert_eq!(sweeps(&next).await, 0);
    })
    .await;
}

#[tokio::test]
async fn nobody_hears_where_a_pseudonym_stands_and_who_is_erased_is_no_place() {
    const ERASED: Statement = Statement::same(
        "INSERT INTO erasure (tenant, pseudonym, principal, erased) VALUES ('default', 'hidden', 'desk', $1)",
    );
    testing::engines(&MIGRATIONS, |db| async move {
        let (harness, tenant) = (Harness::new(db), Tenant::default());
        let people = ["abe", "ada", "hidden"].map(|id| Who::Customer(id.to_owned()));
        order(&harness, "default", people).await;
        harness.clock.advance(days(20));
        let now = harness.app.clock.now();
        set(&harness, "default", at_risk_after(10)).await.unwrap();
        transact!(harness.app.db, |tx| {
            on_engine!(tx, ERASED, |sql, conn| {
                sqlx::query(sql).bind(Instant(now)).execute(conn).await.map(|_| ())
            })?;
            sweep::reached("c/ada").run(tx, &tenant).await?;
            for write in erasure::store::forget_relationship("ada", "hidden") {
                write.run(tx, &tenant).await?;
            }
            let place = sweep::lock(tx, &tenant, now).await?.unwrap();
            assert_eq!(place.after, "c/abe");
            sweep::begin(now).run(tx, &tenant).await
        })
        .unwrap();
        assert_eq!(tasks::sweep(&harness.app).await.unwrap(), 1);
        let names: Vec<_> = told(&harness).await.into_iter().map(|(_, name, _)| name).collect();
        assert_eq!(names, ["customers/abe/relationship"]);
    })
    .await;
}
