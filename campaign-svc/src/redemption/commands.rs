//! Taking events in.

use std::collections::HashMap;

use tandem_platform::outbox::{Cursor, consumer};
use tandem_platform::{Outcome, Tenant, transact};
use tandem_proto::common::v1::Event;
use uuid::Uuid;

use super::{Feedback, events, store};
use crate::App;

/// The name under which the redemptions of a tenant are followed.
pub fn consumer_of(tenant: &Tenant) -> String {
    format!("redemption/{tenant}")
}

/// Takes in what `delivered` tells and moves the cursor behind it, in one transaction; what was taken in before counts
/// as nothing. Must run where its caller going away does not stop it.
pub async fn take_in(app: &App, tenant: &Tenant, delivered: &[Event], upto: Cursor) -> Outcome<()> {
    let now = app.clock.now();
    let consumer = consumer_of(tenant);
    let told: Vec<(Uuid, Feedback)> = delivered.iter().filter_map(understood).collect();
    let ids: Vec<Uuid> = told.iter().map(|(id, _)| *id).collect();
    transact!(app.db, |tx| {
        let fresh = consumer::first_time(tx, &consumer, &ids, now).await?;
        let mut news: HashMap<&str, Feedback> = HashMap::new();
        for (_, feedback) in told.iter().filter(|(id, _)| fresh.contains(id)) {
            let newest = news.entry(&feedback.redemption).or_insert_with(|| feedback.clone());
            // The total of the order is told once, with the first event.
            let order_total = feedback.order_total.or(newest.order_total);
            if feedback.version >= newest.version {
                *newest = feedback.clone();
            }
            newest.order_total = order_total;
        }
        let mut news: Vec<Feedback> = news.into_values().collect();
        news.sort_unstable_by(|a, b| a.redemption.cmp(&b.redemption));
        store::save(tx, tenant, &news, now).await?;
        consumer::advance(tx, &consumer, upto, now).await
    })
}

/// An event that nobody can read is logged and passed: the stream must go on.
fn understood(event: &Event) -> Option<(Uuid, Feedback)> {
    let id = Uuid::parse_str(&event.id).ok();
    let told = id.zip(events::feedback(event));
    if told.is_none() && events::TYPES.contains(&event.r#type.as_str()) {
        tracing::error!(
            event = event.id,
            "an event of relationship-svc is not understood and does not count"
        );
    }
    told
}

/// Follow the redemptions of `tenant` for the next while? Only one replica does.
pub async fn lead(app: &App, tenant: &Tenant, holder: Uuid, lease: jiff::SignedDuration) -> Outcome<bool> {
    let now = app.clock.now();
    let consumer = consumer_of(tenant);
    transact!(app.db, |tx| { store::lease(tx, &consumer, holder, now + lease, now).await })
}

/// Leaves it to another replica.
pub async fn resign(app: &App, tenant: &Tenant, holder: Uuid) -> Outcome<()> {
    let consumer = consumer_of(tenant);
    transact!(app.db, |tx| { store::unlease(tx, &consumer, holder).await })
}

/// How far the redemptions of `tenant` have been taken in.
pub async fn cursor(app: &App, tenant: &Tenant) -> Outcome<Option<Cursor>> {
    consumer::load_cursor(&mut app.db.read().await?, &consumer_of(tenant)).await
}
