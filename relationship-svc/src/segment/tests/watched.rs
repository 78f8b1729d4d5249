//! Entering and leaving watched segments, told once, whatever changes it; on both engines.

use std::sync::Arc;

use jiff::SignedDuration;
use tandem_kernel::clock::SystemIds;
use tandem_platform::testing;
use tandem_proto::common::v1::Date;
use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::{
    CreateSegmentRequest, Customer, DeleteSegmentRequest, ImportCustomersRequest, Segment as Message,
    Settings, UpdateCustomerRequest,
};
use tonic::Status;

use super::super::tasks;
use super::lists::{add, create_list, remove};
use super::ruled::{at_risk_after, ordered};
use super::{client, open_customers, update};
use crate::testing::{Harness, fields, import_customers, set};
use crate::{App, Config, MIGRATIONS};

pub async fn watch(harness: &Harness, id: &str, rule: &str) -> Result<Message, Status> {
    let segment = Message { rule: rule.to_owned(), watched: true, ..Message::default() };
    let request =
        CreateSegmentRequest { segment: Some(segment), segment_id: id.to_owned(), request_id: String::new() };
    client(harness).create_segment(request).await.map(|answer| answer.into_inner().segment.unwrap())
}

/// What was told since so many events, in order of customers: `+vip c1`.
async fn told(harness: &Harness, since: &mut usize) -> Vec<String> {
    tasks::pass(&harness.app).await.unwrap();
    let events = harness.events().await;
    let mut told: Vec<String> = Vec::new();
    for event in &events[*since..] {
        let sign = match event.r#type.rsplit('.').next() {
            Some("SegmentEntered") => "+",
            Some("SegmentLeft") => "-",
            _ => continue,
        };
        let payload = String::from_utf8_lossy(&event.payload.as_ref().unwrap().value).into_owned();
        let customer = payload.split("customers/").nth(1).unwrap_or_default();
        let id: String = customer.chars().take_while(char::is_ascii_alphanumeric).collect();
        told.push(format!("{sign}{} {id}", event.aggregate.trim_start_matches("segments/")));
    }
    *since = events.len();
    told.sort();
    told
}

async fn moves(harness: &Harness, id: &str, country: &str) {
    let customer =
        Customer { name: format!("customers/{id}"), country: country.to_owned(), ..Customer::default() };
    let request = UpdateCustomerRequest { customer: Some(customer), ..UpdateCustomerRequest::default() };
    CustomerServiceClient::new(harness.channel()).update_customer(request).await.unwrap();
}

#[tokio::test]
async fn who_enters_and_leaves_by_a_write_is_told_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        open_customers(&harness, 4).await;
        let mut since = 0;
        assert!(told(&harness, &mut since).await.is_empty(), "nothing is watched");
        watch(&harness, "austria", "customer.country == 'AT'").await.unwrap();
        assert_eq!(told(&harness, &mut since).await, ["+austria c0", "+austria c3"]);
        assert!(told(&harness, &mut since).await.is_empty(), "once");
        moves(&harness, "c0", "DE").await;
        moves(&harness, "c1", "AT").await;
        moves(&harness, "c2", "CH").await;
        assert_eq!(told(&harness, &mut since).await, ["+austria c1", "-austria c0"]);
        // There and back between two looks.
        moves(&harness, "c1", "DE").await;
        moves(&harness, "c1", "AT").await;
        assert!(told(&harness, &mut since).await.is_empty());
        let customer =
            Customer { name: "customers/new".to_owned(), country: "AT".to_owned(), ..Customer::default() };
        let message = ImportCustomersRequest { customers: vec![customer], update_mask: None };
        let mut people = CustomerServiceClient::new(harness.channel());
        import_customers(&mut people, vec![message]).await.unwrap();
        assert_eq!(told(&harness, &mut since).await, ["+austria new"]);
        let mut reader = harness.app.db.read().await.unwrap();
        assert_eq!(testing::count(&mut reader, "customer_look").await, 0, "nobody waits for the clock");
    })
    .await;
}

#[tokio::test]
async fn who_enters_and_leaves_by_another_rule_is_told_and_by_the_end_of_watching_nobody() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        open_customers(&harness, 1_100).await;
        let mut since = 0;
        watch(&harness, "some", "customer.id in ['c7', 'c1099']").await.unwrap();
        assert_eq!(told(&harness, &mut since).await, ["+some c1099", "+some c7"]);
        let named = |rule: &str, watched| Message {
            name: "segments/some".to_owned(),
            rule: rule.to_owned(),
            watched,
            ..Message::default()
        };
        update(&mut client(&harness), named("customer.id in ['c7', 'c8']", true), &["rule"]).await.unwrap();
        assert_eq!(told(&harness, &mut since).await, ["+some c8", "-some c1099"]);
        update(&mut client(&harness), named("", false), &["watched"]).await.unwrap();
        assert!(told(&harness, &mut since).await.is_empty());
        update(&mut client(&harness), named("", true), &["watched"]).await.unwrap();
        assert_eq!(told(&harness, &mut since).await, ["+some c7", "+some c8"], "it begins anew");
        let delete = DeleteSegmentRequest { name: "segments/some".to_owned(), ..Default::default() };
        client(&harness).delete_segment(delete).await.unwrap();
        assert!(told(&harness, &mut since).await.is_empty());
        harness.clock.advance(SignedDuration::from_secs(61));
        assert!(told(&harness, &mut since).await.is_empty());
        let mut reader = harness.app.db.read().await.unwrap();
        for table in ["segment_watched_member", "customer_look", "segment_sweep"] {
            assert_eq!(testing::count(&mut reader, table).await, 0, "{table}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_enters_and_leaves_by_the_clock_is_told() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        open_customers(&harness, 2).await;
        let mut since = 0;
        watch(&harness, "second", "now.day == 2").await.unwrap();
        watch(&harness, "known", "customer.age_days >= 2").await.unwrap();
        assert!(told(&harness, &mut since).await.is_empty());
        let begun = harness.app.clock.now();
        for (hours, wanted) in [
            (11, &[][..]),
            (12, &["+second c0", "+second c1"]),
            (35, &[]),
            (36, &["-second c0", "-second c1"]),
            (47, &[]),
            (48, &["+known c0", "+known c1"]),
            // 2 August.
            (31 * 24 + 20, &["+second c0", "+second c1"]),
        ] {
            harness.clock.set(begun + SignedDuration::from_hours(hours));
            assert_eq!(told(&harness, &mut since).await, wanted, "after {hours} hours");
        }
        let refused = watch(&harness, "hourly", "now.hour == 3").await.unwrap_err();
        assert_eq!(fields(&refused), ["segment.watched"]);
    })
    .await;
}

#[tokio::test]
async fn a_birthday_begins_and_ends_with_the_day_where_the_customer_is() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let person = |id: &str, zone: &str, day| Customer {
            name: format!("customers/{id}"),
            time_zone: zone.to_owned(),
            birthday: Some(Date { year: 0, month: 7, day }),
            ..Customer::default()
        };
        let customers = vec![
            person("kiritimati", "Pacific/Kiritimati", 2),
            person("angeles", "America/Los_Angeles", 2),
            person("tenants", "", 2),
            Customer { country: "TO".to_owned(), ..person("tonga", "", 2) },
            person("later", "", 3),
            Customer { name: "customers/unknown".to_owned(), ..Customer::default() },
        ];
        let message = ImportCustomersRequest { customers, update_mask: None };
        let mut people = CustomerServiceClient::new(harness.channel());
        import_customers(&mut people, vec![message]).await.unwrap();
        let mut since = 0;
        watch(&harness, "today", "days_to_birthday == 0").await.unwrap();
        // It is noon of 1 July in UTC, and two in the morning of the 2nd in Kiritimati.
        assert_eq!(told(&harness, &mut since).await, ["+today kiritimati", "+today tonga"]);
        let begun = harness.app.clock.now();
        for (hours, wanted) in [
            (11, &[][..]),
            (12, &["+today tenants"]),
            (19, &["+today angeles"]),
            (22, &["-today kiritimati"]),
            (23, &["-today tonga"]),
            (36, &["+today later", "-today tenants"]),
            (43, &["-today angeles"]),
        ] {
            harness.clock.set(begun + SignedDuration::from_hours(hours));
            assert_eq!(told(&harness, &mut since).await, wanted, "after {hours} hours");
        }
        let mut reader = harness.app.db.read().await.unwrap();
        assert_eq!(
            testing::count(&mut reader, "customer_look").await,
            5,
            "nobody waits whose birthday is unknown"
        );
    })
    .await;
}

#[tokio::test]
async fn a_watched_list_tells_who_is_put_on_it_and_taken_off() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        open_customers(&harness, 3).await;
        create_list(&harness, "friends", true).await.unwrap();
        let mut since = 0;
        add(&harness, "friends", &["c2", "c0"]).await.unwrap();
        assert_eq!(told(&harness, &mut since).await, ["+friends c0", "+friends c2"]);
        add(&harness, "friends", &["c2"]).await.unwrap();
        remove(&harness, "friends", &["c0", "c1"]).await.unwrap();
        assert_eq!(told(&harness, &mut since).await, ["-friends c0"]);
    })
    .await;
}

#[tokio::test]
async fn who_enters_and_leaves_by_other_settings_is_told_without_a_write() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        open_customers(&harness, 2).await;
        ordered(&harness, "c1", 20).await;
        watch(&harness, "quiet", "relationship.stage == 'AT_RISK'").await.unwrap();
        watch(&harness, "second", "now.day == 2").await.unwrap();
        let mut since = 0;
        assert!(told(&harness, &mut since).await.is_empty());
        set(&harness, "default", at_risk_after(10)).await.unwrap();
        assert_eq!(told(&harness, &mut since).await, ["+quiet c1"]);
        let zone = Settings { time_zone: "Pacific/Kiritimati".to_owned(), ..Settings::default() };
        set(&harness, "default", zone).await.unwrap();
        assert_eq!(told(&harness, &mut since).await, ["+second c0", "+second c1"], "it is 2 July there");
        set(&harness, "default", at_risk_after(30)).await.unwrap();
        assert_eq!(told(&harness, &mut since).await, ["-quiet c1"]);
        set(&harness, "default", Settings { restored_days: Some(3), ..Settings::default() }).await.unwrap();
        let mut reader = harness.app.db.read().await.unwrap();
        let rested = harness.app.clock.now() - SignedDuration::from_secs(60);
        let open = super::super::store::watch::sweeps(&mut reader, rested).await.unwrap();
        assert!(open.is_empty(), "of other settings no segment knows");
    })
    .await;
}

#[tokio::test]
async fn two_processes_tell_it_once() {
    testing::postgres(&MIGRATIONS, |database| async move {
        let one = Harness::new(database.db.clone());
        let ids = Arc::new(SystemIds);
        let other = App::new(database.another().await, one.clock.clone(), ids, Config::default()).unwrap();
        open_customers(&one, 500).await;
        watch(&one, "austria", "customer.country == 'AT'").await.unwrap();
        for round in 0..5 {
            for at in 0..20 {
                moves(&one, &format!("c{at}"), if round % 2 == 0 { "AT" } else { "DE" }).await;
            }
            let (first, second) = tokio::join!(tasks::pass(&one.app), tasks::pass(&other));
            first.unwrap();
            second.unwrap();
            // Events are read in the order of their moments.
            one.clock.advance(SignedDuration::from_secs(1));
        }
        let mut in_it = std::collections::BTreeMap::new();
        let mut since = 0;
        let _ = told(&one, &mut since).await;
        for event in one.events().await {
            let change = match event.r#type.rsplit('.').next() {
                Some("SegmentEntered") => 1,
                Some("SegmentLeft") => -1,
                _ => continue,
            };
            let payload = String::from_utf8_lossy(&event.payload.unwrap().value).into_owned();
            let id: String = payload
                .split("customers/")
                .nth(1)
                .unwrap_or_default()
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            let sum = in_it.entry(id).or_insert(0);
            *sum += change;
            assert!((0..=1).contains(sum), "told twice");
        }
        assert_eq!(in_it.values().sum::<i32>(), 20 + (20..500).filter(|at| at % 3 == 0).count() as i32);
    })
    .await;
}
