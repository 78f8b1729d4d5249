//! What this service makes of campaign-svc's events.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use tandem_platform::outbox::consumer::{self, Delivered, Follower};
use tandem_platform::outbox::{Cursor, Gap, Recorded};
use tandem_platform::{Call, Core, Fault, Outcome, Tenant, Tx, grpc};
use tandem_proto::campaign::v1 as wire;
use tandem_proto::campaign::v1::event_service_client::EventServiceClient;
use tandem_proto::campaign::v1::{SubscribeAllRequest, SubscribeAllResponse, TenantCursor};
use tandem_proto::common::v1::Event;

use super::commands::{self, What};
use super::order::Told;
use super::{orders, store};
use crate::relationship::Who;
use crate::{App, customer};

impl Follower for App {
    /// `None`: it is of nobody.
    type News = Option<Told>;
    const CONSUMER: &'static str = "order";
    const PEER: &'static str = "campaign-svc";
    const WHAT: &'static str = "orders";
    const TYPES: &'static [&'static str] = &orders::TYPES;

    fn core(&self) -> &Core {
        &self.core
    }

    fn tenants_per_transaction(&self) -> usize {
        self.config.relay.tenants_per_transaction
    }

    fn understand(event: &Event) -> Option<Self::News> {
        orders::told(event)
    }

    fn set_aside(event: &Event, reason: &str) -> Recorded {
        orders::set_aside(event, reason)
    }

    /// As what is sent by hand, tenant by tenant.
    async fn save(&self, tx: &mut Tx, news: &[(&Tenant, &Self::News)], now: Timestamp) -> Outcome<()> {
        let mut of: BTreeMap<&Tenant, Vec<Told>> = BTreeMap::new();
        for (tenant, news) in news {
            of.entry(tenant).or_default().extend(news.iter().cloned());
        }
        for (tenant, mut told) in of {
            self.hide_erased(tx, tenant, &mut told).await?;
            let told: Vec<What> = told.into_iter().map(What::Told).collect();
            let rules = self.tenancy.within(tx, tenant).await?.stages;
            commands::take(self, tx, tenant, &[&told], &rules, now).await?;
        }
        Ok(())
    }

    async fn open(&self, known: HashMap<Tenant, Cursor>) -> Outcome<BoxStream<'static, Outcome<Delivered>>> {
        let channel = self.campaign.channel().ok_or_else(|| Fault::internal("nobody is followed"))?;
        let said = consumer::said(known, &orders::TYPES, |cursors, types| SubscribeAllRequest {
            cursors: cursors.into_iter().map(|(tenant, cursor)| TenantCursor { tenant, cursor }).collect(),
            types,
        });
        let call = Call::system(Tenant::default().as_str());
        let mut outgoing = grpc::outgoing(&call, Duration::from_secs(1), stream::iter(said));
        // A stream without end has no time limit.
        outgoing.metadata_mut().remove("grpc-timeout");
        let mut client = EventServiceClient::new(channel);
        let told = client.subscribe_all(outgoing).await.map_err(Fault::from_peer)?.into_inner();
        Ok(told.map(|next| next.map_err(Fault::from_peer).and_then(delivered)).boxed())
    }
}

impl App {
    /// Orders of people who were erased, and are not known again, are the pseudonym's: campaign-svc may tell of them late.
    async fn hide_erased(&self, tx: &mut Tx, tenant: &Tenant, told: &mut [Told]) -> Outcome<()> {
        let of = |told: &Told| match &told.who {
            Who::Customer(id) => Some(id.clone()),
            Who::Guest(_) => None,
        };
        let mut ids: BTreeSet<String> = told.iter().filter_map(of).collect();
        let asked: Vec<String> = ids.iter().cloned().collect();
        for known in customer::store::known_ids(tx, tenant, &asked).await? {
            ids.remove(&known);
        }
        let hidden = |id: String| (self.people.pseudonym(tenant.as_str(), &id), id);
        let hidden: BTreeMap<String, String> = ids.into_iter().map(hidden).collect();
        let erased = store::erased(tx, tenant, hidden.keys().cloned().collect()).await?;
        for pseudonym in erased {
            let was = hidden.get(&pseudonym).map(|id| Who::Customer(id.clone()));
            let theirs = told.iter_mut().filter(|one| Some(&one.who) == was.as_ref());
            theirs.for_each(|one| one.who = Who::Customer(pseudonym.clone()));
        }
        Ok(())
    }
}

fn delivered(response: SubscribeAllResponse) -> Outcome<Delivered> {
    let gap = match response.gap() {
        wire::Gap::Unspecified => None,
        wire::Gap::Expired => Some(Gap::Expired),
        wire::Gap::Unreadable => Some(Gap::Unreadable),
    };
    let TenantCursor { tenant, cursor } = response.reached.unwrap_or_default();
    let (Some(tenant), Ok(cursor)) = (Tenant::parse(&tenant), cursor.parse::<Cursor>()) else {
        return Err(Fault::internal("a cursor of campaign-svc is not one"));
    };
    Ok(Delivered { tenant, cursor, event: response.event, gap })
}
