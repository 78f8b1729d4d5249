//! Taking events in.

use std::collections::{BTreeMap, HashMap};

use tandem_platform::outbox::{Cursor, Gap, consumer};
use tandem_platform::{Core, Outcome, Tenant, transact};
use tandem_proto::common::v1::Event;
use uuid::Uuid;

use super::{CONSUMER, Feedback, aside, events, store};
use crate::App;

/// What is told of one tenant.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// Whose.
    pub tenant: Tenant,
    /// How far this tenant has been told with it.
    pub cursor: Cursor,
    /// What happened; `None` where only the cursor moves.
    pub event: Option<Event>,
    /// Something before the cursor is missing.
    pub gap: Option<Gap>,
}

/// What became of some deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Events that were set aside.
    pub set_aside: u64,
    /// Gaps that were told of.
    pub missed: u64,
}

/// The news of one tenant.
#[derive(Debug, Clone)]
struct News {
    tenant: Tenant,
    /// Not understood: no feedback.
    told: Vec<(Uuid, Event, Option<Feedback>)>,
    upto: Cursor,
    /// The cursor before is worth nothing any more.
    expired: bool,
}

/// Takes in what is `delivered` and moves each tenant's cursor behind it; what was taken in before counts as nothing. A
/// transaction carries at most `relay.tenants_per_transaction` tenants. Where the database refuses one, tenants and then
/// events are tried each by itself, and what is refused alone is set aside. Must run where its caller going away does not
/// stop it.
pub async fn take_in(app: &App, delivered: Vec<Delivered>) -> Outcome<Taken> {
    let (news, missed) = by_tenant(delivered);
    let mut taken = Taken { missed, ..Taken::default() };
    for together in news.chunks(app.config.relay.tenants_per_transaction) {
        taken.set_aside += take_in_apart(app, together).await?;
    }
    Ok(taken)
}

/// Groups by tenant, in the order of their names; answers also how many gaps there are.
fn by_tenant(delivered: Vec<Delivered>) -> (Vec<News>, u64) {
    let mut news: BTreeMap<Tenant, News> = BTreeMap::new();
    let mut missed = 0;
    for Delivered { tenant, cursor, event, gap } in delivered {
        let own = news.entry(tenant.clone()).or_insert_with(|| News {
            tenant: tenant.clone(),
            told: Vec::new(),
            upto: cursor,
            expired: false,
        });
        if let Some(gap) = gap {
            tracing::error!(%tenant, ?gap, "redemptions were missed: the peer cannot tell of them any more");
            own.expired |= gap == Gap::Expired;
            missed += 1;
        }
        own.upto = cursor;
        own.told.extend(event.and_then(understood));
    }
    (news.into_values().collect(), missed)
}

/// An event without an id of its own cannot even be set aside: it is logged and passed.
fn understood(event: Event) -> Option<(Uuid, Event, Option<Feedback>)> {
    if !events::TYPES.contains(&event.r#type.as_str()) {
        return None;
    }
    let Ok(id) = Uuid::parse_str(&event.id) else {
        tracing::error!(event = event.id, "an event of relationship-svc has no id and does not count");
        return None;
    };
    let feedback = events::feedback(&event);
    Some((id, event, feedback))
}

/// Takes these in together or, where that is refused, each by itself; answers how many events were set aside.
async fn take_in_apart(core: &Core, news: &[News]) -> Outcome<u64> {
    let fault = match write(core, news, None).await {
        Ok(set_aside) => return Ok(set_aside),
        Err(fault) if fault.is_statement_error() => fault,
        Err(fault) => return Err(fault),
    };
    let mut set_aside = 0;
    match news {
        [one] if one.told.len() <= 1 => {
            tracing::error!(tenant = %one.tenant, ?fault, "what relationship-svc tells cannot be stored");
            set_aside += write(core, news, Some(aside::REFUSED)).await?;
        }
        [one] => {
            for (id, event, feedback) in &one.told {
                let upto = Cursor::of(event);
                let told = vec![(*id, event.clone(), feedback.clone())];
                let part = News { tenant: one.tenant.clone(), told, upto, expired: false };
                set_aside += Box::pin(take_in_apart(core, &[part])).await?;
            }
            let rest = News { told: Vec::new(), ..one.clone() };
            set_aside += write(core, &[rest], None).await?;
        }
        _ => {
            for one in news {
                set_aside += Box::pin(take_in_apart(core, std::slice::from_ref(one))).await?;
            }
        }
    }
    Ok(set_aside)
}

/// One transaction. With `refused` everything it tells is set aside for that reason.
async fn write(core: &Core, news: &[News], refused: Option<&str>) -> Outcome<u64> {
    let now = core.clock.now();
    let ids: Vec<(&Tenant, Uuid)> =
        news.iter().flat_map(|one| one.told.iter().map(|(id, ..)| (&one.tenant, *id))).collect();
    let passed = news.iter().filter(|one| one.upto > Cursor::START);
    let passed: Vec<(&Tenant, Cursor)> = passed.map(|one| (&one.tenant, one.upto)).collect();
    transact!(core.db, |tx| {
        for one in news {
            if one.expired {
                consumer::reset(tx, CONSUMER, &one.tenant).await?;
            }
        }
        let fresh = consumer::first_time(tx, CONSUMER, &ids, now).await?;
        let mut rows: BTreeMap<(&Tenant, &str), Feedback> = BTreeMap::new();
        let mut set_aside = 0;
        for one in news {
            for (id, event, feedback) in &one.told {
                match feedback {
                    _ if !fresh.contains(id) => {}
                    Some(feedback) if refused.is_none() => newest(&mut rows, &one.tenant, feedback),
                    _ => {
                        let reason = refused.unwrap_or(aside::NOT_UNDERSTOOD);
                        aside::set(core, tx, &one.tenant, (*id, event), reason, now).await?;
                        set_aside += 1;
                    }
                }
            }
        }
        let rows: Vec<(&Tenant, &Feedback)> = rows.iter().map(|((tenant, _), row)| (*tenant, row)).collect();
        store::save(tx, &rows, now).await?;
        consumer::advance(tx, CONSUMER, &passed, now).await?;
        Ok(set_aside)
    })
}

/// Keeps the newest of what is told of a redemption. The total of its order is told once, with the first event.
fn newest<'n>(
    rows: &mut BTreeMap<(&'n Tenant, &'n str), Feedback>,
    tenant: &'n Tenant,
    feedback: &'n Feedback,
) {
    let row = rows.entry((tenant, &feedback.redemption)).or_insert_with(|| feedback.clone());
    let order_total = feedback.order_total.or(row.order_total);
    if feedback.version >= row.version {
        *row = feedback.clone();
    }
    row.order_total = order_total;
}

/// Follow redemptions for the next while? Only one replica does.
pub async fn lead(core: &Core, holder: Uuid, lease: jiff::SignedDuration) -> Outcome<bool> {
    let now = core.clock.now();
    transact!(core.db, |tx| { store::lease(tx, CONSUMER, holder, now + lease, now).await })
}

/// Leaves it to another replica.
pub async fn resign(core: &Core, holder: Uuid) -> Outcome<()> {
    transact!(core.db, |tx| { store::unlease(tx, CONSUMER, holder).await })
}

/// How far the redemptions of each tenant have been taken in.
pub async fn cursors(core: &Core) -> Outcome<HashMap<Tenant, Cursor>> {
    consumer::load_cursors(&mut core.db.read().await?, CONSUMER).await
}
