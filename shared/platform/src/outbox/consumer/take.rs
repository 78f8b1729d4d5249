//! Taking events in.

use std::collections::{BTreeMap, HashMap};

use futures::stream::BoxStream;
use jiff::Timestamp;
use tandem_proto::common::v1::Event;
use uuid::Uuid;

use super::super::{Batch, Cursor, Gap, Recorded, append};
use super::aside;
use crate::call::{Call, Tenant};
use crate::db::Tx;
use crate::fault::Outcome;
use crate::service::Core;
use crate::transact;

/// What a service makes of another one's events.
pub trait Follower: Send + Sync + 'static {
    /// What an event says.
    type News: Clone + Send + Sync + 'static;
    /// Under which it is remembered how far it has come. Constant.
    const CONSUMER: &'static str;
    /// Who tells: "relationship-svc".
    const PEER: &'static str;
    /// What is followed, in the words of the log: "redemptions".
    const WHAT: &'static str;
    /// The events that are followed.
    const TYPES: &'static [&'static str];

    /// The platform's part of the service.
    fn core(&self) -> &Core;

    /// Tenants whose events one transaction takes in.
    fn tenants_per_transaction(&self) -> usize;

    /// What `event` says; `None` where it is not understood.
    fn understand(event: &Event) -> Option<Self::News>;

    /// The service's own event: `event` was set aside.
    fn set_aside(event: &Event, reason: &str) -> Recorded;

    /// Stores what was told, in the order in which it was. What is told a second time under another id is for the service to
    /// notice.
    fn save(
        &self,
        tx: &mut Tx,
        news: &[(&Tenant, &Self::News)],
        now: Timestamp,
    ) -> impl Future<Output = Outcome<()>> + Send;

    /// Opens the stream of all tenants' events behind these cursors.
    fn open(
        &self,
        known: HashMap<Tenant, Cursor>,
    ) -> impl Future<Output = Outcome<BoxStream<'static, Outcome<Delivered>>>> + Send;
}

/// Why an event is set aside: of a newer peer, or a defect of ours.
pub const NOT_UNDERSTOOD: &str = "it is not understood: update this service, then try again";
/// Why: something about it does not go into the database.
const REFUSED: &str = "the database refuses it: the log says what, at the time of setting aside";

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
struct News<N> {
    tenant: Tenant,
    /// Not understood: nothing.
    told: Vec<(Uuid, Event, Option<N>)>,
    upto: Cursor,
    /// The cursor before is worth nothing any more.
    expired: bool,
}

/// Takes in what is `delivered` and moves each tenant's cursor behind it; what was taken in before counts as nothing. A
/// transaction carries only so many tenants. Where the database refuses one, tenants and then events are tried each by itself,
/// and what is refused alone is set aside. Must run where its caller going away does not stop it.
pub async fn take_in<F: Follower>(follower: &F, delivered: Vec<Delivered>) -> Outcome<Taken> {
    let (news, missed) = by_tenant::<F>(delivered);
    let mut taken = Taken { missed, ..Taken::default() };
    for together in news.chunks(follower.tenants_per_transaction().max(1)) {
        taken.set_aside += take_in_apart(follower, together).await?;
    }
    Ok(taken)
}

/// Groups by tenant, in the order of their names; answers also how many gaps there are.
fn by_tenant<F: Follower>(delivered: Vec<Delivered>) -> (Vec<News<F::News>>, u64) {
    let mut news: BTreeMap<Tenant, News<F::News>> = BTreeMap::new();
    let mut missed = 0;
    for Delivered { tenant, cursor, event, gap } in delivered {
        let own = news.entry(tenant.clone()).or_insert_with(|| News {
            tenant: tenant.clone(),
            told: Vec::new(),
            upto: cursor,
            expired: false,
        });
        if let Some(gap) = gap {
            let (what, peer) = (F::WHAT, F::PEER);
            tracing::error!(%tenant, ?gap, what, peer, "news were missed: the peer cannot tell of them any more");
            own.expired |= gap == Gap::Expired;
            missed += 1;
        }
        own.upto = cursor;
        own.told.extend(event.and_then(understood::<F>));
    }
    (news.into_values().collect(), missed)
}

/// An event without an id of its own cannot even be set aside: it is logged and passed.
fn understood<F: Follower>(event: Event) -> Option<(Uuid, Event, Option<F::News>)> {
    if !F::TYPES.contains(&event.r#type.as_str()) {
        return None;
    }
    let Ok(id) = Uuid::parse_str(&event.id) else {
        tracing::error!(event = event.id, peer = F::PEER, "an event has no id and does not count");
        return None;
    };
    let news = F::understand(&event);
    Some((id, event, news))
}

/// Takes these in together or, where that is refused, each by itself; answers how many events were set aside.
async fn take_in_apart<F: Follower>(follower: &F, news: &[News<F::News>]) -> Outcome<u64> {
    let fault = match write(follower, news, None).await {
        Ok(set_aside) => return Ok(set_aside),
        Err(fault) if fault.is_statement_error() => fault,
        Err(fault) => return Err(fault),
    };
    let mut set_aside = 0;
    match news {
        [one] if one.told.len() <= 1 => {
            tracing::error!(tenant = %one.tenant, peer = F::PEER, ?fault, "what is told cannot be stored");
            set_aside += write(follower, news, Some(REFUSED)).await?;
        }
        [one] => {
            for (id, event, news) in &one.told {
                let upto = Cursor::of(event);
                let told = vec![(*id, event.clone(), news.clone())];
                let part = News { tenant: one.tenant.clone(), told, upto, expired: false };
                set_aside += Box::pin(take_in_apart(follower, &[part])).await?;
            }
            let rest =
                News { tenant: one.tenant.clone(), told: Vec::new(), upto: one.upto, expired: one.expired };
            set_aside += write(follower, &[rest], None).await?;
        }
        _ => {
            for one in news {
                set_aside += Box::pin(take_in_apart(follower, std::slice::from_ref(one))).await?;
            }
        }
    }
    Ok(set_aside)
}

/// One transaction. With `refused` everything it tells is set aside for that reason.
async fn write<F: Follower>(follower: &F, news: &[News<F::News>], refused: Option<&str>) -> Outcome<u64> {
    let core = follower.core();
    let now = core.clock.now();
    let ids: Vec<(&Tenant, Uuid)> =
        news.iter().flat_map(|one| one.told.iter().map(|(id, ..)| (&one.tenant, *id))).collect();
    let passed = news.iter().filter(|one| one.upto > Cursor::START);
    let passed: Vec<(&Tenant, Cursor)> = passed.map(|one| (&one.tenant, one.upto)).collect();
    transact!(core.db, |tx| {
        for one in news {
            if one.expired {
                super::reset(tx, F::CONSUMER, &one.tenant).await?;
            }
        }
        let mut fresh = super::first_time(tx, F::CONSUMER, &ids, now).await?;
        let (mut rows, mut set_aside) = (Vec::new(), 0);
        for one in news {
            for (id, event, news) in &one.told {
                match news {
                    // Once, though it is delivered twice.
                    _ if !fresh.remove(id) => {}
                    Some(news) if refused.is_none() => rows.push((&one.tenant, news)),
                    _ => {
                        let reason = refused.unwrap_or(NOT_UNDERSTOOD);
                        set::<F>(core, tx, &one.tenant, (*id, event), reason, now).await?;
                        set_aside += 1;
                    }
                }
            }
        }
        follower.save(tx, &rows, now).await?;
        super::advance(tx, F::CONSUMER, &passed, now).await?;
        Ok(set_aside)
    })
}

/// Sets an event aside and tells of it.
async fn set<F: Follower>(
    core: &Core,
    tx: &mut Tx,
    tenant: &Tenant,
    event: (Uuid, &Event),
    reason: &str,
    now: Timestamp,
) -> Outcome<()> {
    tracing::error!(%tenant, event = %event.0, peer = F::PEER, reason, "an event was set aside");
    aside::set(tx, F::CONSUMER, tenant, event, reason, now).await?;
    let call = Call::system(tenant.as_str());
    let mut batch = Batch::new(&call, core.ids.as_ref(), now);
    batch.push(F::set_aside(event.1, reason));
    append(tx, batch).await
}
