//! What this service makes of relationship-svc's events.

use std::collections::{BTreeMap, HashMap};
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

use super::{CONSUMER, Feedback, events, store};
use crate::App;

impl Follower for App {
    type News = Feedback;
    const CONSUMER: &'static str = CONSUMER;
    const PEER: &'static str = "relationship-svc";
    const WHAT: &'static str = "redemptions";
    const TYPES: &'static [&'static str] = &events::TYPES;

    fn core(&self) -> &Core {
        &self.core
    }

    fn tenants_per_transaction(&self) -> usize {
        self.config.relay.tenants_per_transaction
    }

    fn understand(event: &Event) -> Option<Feedback> {
        events::feedback(event)
    }

    fn set_aside(event: &Event, reason: &str) -> Recorded {
        events::set_aside(event, reason)
    }

    async fn save(&self, tx: &mut Tx, news: &[(&Tenant, &Feedback)], now: Timestamp) -> Outcome<()> {
        let mut rows: BTreeMap<(&Tenant, &str), Feedback> = BTreeMap::new();
        news.iter().for_each(|(tenant, one)| newest(&mut rows, tenant, one));
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
