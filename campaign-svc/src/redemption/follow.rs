//! What this service makes of relationship-svc's events.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use tandem_platform::outbox::consumer::{self, Delivered, Follower};
use tandem_platform::outbox::{Cursor, Gap, Recorded};
use tandem_platform::{Call, Core, Fault, Outcome, Tenant, Tx, grpc};
use tandem_proto::common::v1::Event;
use tandem_proto::relationship::v1 as wire;
use tandem_proto::relationship::v1::event_service_client::EventServiceClient;
use tandem_proto::relationship::v1::{SubscribeAllRequest, SubscribeAllResponse, TenantCursor};

use super::{CONSUMER, Feedback, News, events, store};
use crate::erased::{Erasure, Heard};
use crate::{App, erased};

impl Follower for App {
    type News = News;
    const CONSUMER: &'static str = CONSUMER;
    const PEER: &'static str = "relationship-svc";
    const WHAT: &'static str = "redemptions and erasures";
    const TYPES: &'static [&'static str] = &events::TYPES;

    fn core(&self) -> &Core {
        &self.core
    }

    fn tenants_per_transaction(&self) -> usize {
        self.config.relay.tenants_per_transaction
    }

    fn understand(event: &Event) -> Option<News> {
        events::news(event)
    }

    fn set_aside(event: &Event, reason: &str) -> Recorded {
        events::set_aside(event, reason)
    }

    async fn save(&self, tx: &mut Tx, news: &[(&Tenant, &News)], now: Timestamp) -> Outcome<()> {
        let mut rows: Rows<'_> = BTreeMap::new();
        for (tenant, one) in news {
            match one {
                News::Redeemed(feedback) => newest(&mut rows, tenant, feedback),
                News::Erased(heard) => self.begin(tx, tenant, heard, now).await?,
            }
        }
        self.hide_erased(tx, &mut rows).await?;
        let rows: Vec<(&Tenant, &Feedback)> = rows.iter().map(|((tenant, _), row)| (*tenant, row)).collect();
        store::save(tx, &rows, now).await
    }

    async fn open(&self, known: HashMap<Tenant, Cursor>) -> Outcome<BoxStream<'static, Outcome<Delivered>>> {
        let said = consumer::said(known, &events::TYPES, |cursors, types| SubscribeAllRequest {
            cursors: cursors.into_iter().map(|(tenant, cursor)| TenantCursor { tenant, cursor }).collect(),
            types,
        });
        let call = Call::system(Tenant::default().as_str());
        let mut outgoing = grpc::outgoing(&call, Duration::from_secs(1), stream::iter(said));
        // A stream without end has no time limit.
        outgoing.metadata_mut().remove("grpc-timeout");
        let mut client = EventServiceClient::new(self.relationship.channel());
        let told = client.subscribe_all(outgoing).await.map_err(Fault::from_peer)?.into_inner();
        Ok(told.map(|next| next.map_err(Fault::from_peer).and_then(delivered)).boxed())
    }
}

/// What is told of each redemption.
type Rows<'n> = BTreeMap<(&'n Tenant, &'n str), Feedback>;

impl App {
    /// Writes down that somebody is to be taken out of everything here.
    async fn begin(&self, tx: &mut Tx, tenant: &Tenant, heard: &Heard, now: Timestamp) -> Outcome<()> {
        match Erasure::begin(&self.known, tenant, heard, now) {
            Some(erasure) => erased::store::begin(tx, tenant, &erasure).await,
            None => {
                let pseudonym = &heard.pseudonym;
                tracing::error!(%tenant, pseudonym, "an erasure is heard of too late: nobody says any more whose it is");
                Ok(())
            }
        }
    }

    /// Redemptions of people who were erased are the pseudonym's, whenever they are told of: relationship-svc tells of some while
    /// it is still at it.
    async fn hide_erased(&self, tx: &mut Tx, rows: &mut Rows<'_>) -> Outcome<()> {
        let named = rows.iter().filter(|(_, row)| !row.customer.is_empty());
        let customers: BTreeSet<(&Tenant, String)> =
            named.map(|((tenant, _), row)| (*tenant, row.customer.clone())).collect();
        let asked = customers.iter().map(|(tenant, customer)| (*tenant, customer.as_str())).collect();
        let found = erased::among(&self.known, tx, asked).await?;
        for ((tenant, _), row) in rows.iter_mut().filter(|_| !found.is_empty()) {
            if let Some(known) = found.get(&(*tenant, row.customer.as_str())).cloned() {
                row.customer = known.pseudonym;
            }
        }
        Ok(())
    }
}

/// Keeps the newest of what is told of a redemption. The total of its order is told once, with the first event.
fn newest<'n>(rows: &mut Rows<'n>, tenant: &'n Tenant, feedback: &'n Feedback) {
    let row = rows.entry((tenant, &feedback.redemption)).or_insert_with(|| feedback.clone());
    let order_total = feedback.order_total.or(row.order_total);
    if feedback.version >= row.version {
        *row = feedback.clone();
    }
    row.order_total = order_total;
}

fn delivered(response: SubscribeAllResponse) -> Outcome<Delivered> {
    let gap = match response.gap() {
        wire::Gap::Unspecified => None,
        wire::Gap::Expired => Some(Gap::Expired),
        wire::Gap::Unreadable => Some(Gap::Unreadable),
    };
    let TenantCursor { tenant, cursor } = response.reached.unwrap_or_default();
    let (Some(tenant), Ok(cursor)) = (Tenant::parse(&tenant), cursor.parse::<Cursor>()) else {
        return Err(Fault::internal("a cursor of relationship-svc is not one"));
    };
    Ok(Delivered { tenant, cursor, event: response.event, gap })
}
