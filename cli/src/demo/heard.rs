//! What both services told: their events from the oldest on, read as any other service would read them.

use std::collections::{BTreeSet, HashSet};
use std::pin::pin;
use std::time::Duration;

use futures::{Stream, StreamExt};
use prost::Message;
use tandem_proto::campaign::v1 as campaign;
use tandem_proto::common::v1::Event;
use tandem_proto::relationship::v1 as relationship;
use tokio::time::Instant;
use tonic::Status;

use super::Shop;
use crate::failure::Failure;
use crate::money;

/// How long to wait for an event that is still missing.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing may come before that was all.
const SILENCE: Duration = Duration::from_millis(500);

/// Events by their kind, in the order they were told. Amounts in minor units.
#[derive(Debug, Default)]
pub struct Heard {
    /// Orders as they were committed.
    pub committed: Vec<campaign::Order>,
    /// Orders as they were when cancelled.
    pub cancelled: Vec<campaign::Order>,
    /// Orders as they were after a return, and what of offers came back with it.
    pub returned: Vec<(campaign::Order, i64)>,
    /// Names of orders that relationship-svc refused, perhaps for a while only.
    pub refused: BTreeSet<String>,
    /// Limits of offers and campaigns that were nearly reached.
    pub thresholds: Vec<campaign::OfferThresholdReached>,
    /// Redemptions as they were made.
    pub redeemed: Vec<relationship::Redemption>,
    /// Redemptions as they were after a rollback, and what came back with it.
    pub rolled_back: Vec<(relationship::Redemption, i64)>,
}

impl Heard {
    /// Listens to both services until each has told as many events as are expected, and nothing more comes.
    pub async fn listen(shop: &Shop, of_campaign: usize, of_relationship: usize) -> Result<Self, Failure> {
        let types = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let request = campaign::SubscribeRequest {
            types: types(&["tandem.campaign.v1.Order", "tandem.campaign.v1.OfferThresholdReached"]),
            ..Default::default()
        };
        let stream = shop.campaign_events.clone().subscribe(request).await?.into_inner();
        let ours = all(stream.map(|response| response.map(|response| response.event)), of_campaign);
        let request = relationship::SubscribeRequest {
            types: types(&[
                "tandem.relationship.v1.VoucherRedeemed",
                "tandem.relationship.v1.RedemptionRolledBack",
            ]),
            ..Default::default()
        };
        let stream = shop.relationship_events.clone().subscribe(request).await?.into_inner();
        let theirs = all(stream.map(|response| response.map(|response| response.event)), of_relationship);
        let (ours, theirs) = futures::try_join!(ours, theirs)?;
        let mut heard = Self::default();
        for event in ours.iter().chain(&theirs) {
            heard.hear(event)?;
        }
        Ok(heard)
    }

    /// What came back by rollbacks of codes, or of gift cards as well.
    pub fn rolled_back(&self, cards_too: bool) -> i64 {
        let wanted = self.rolled_back.iter().filter(|(one, _)| cards_too || !one.tender);
        wanted.map(|(_, returned)| *returned).sum()
    }

    fn hear(&mut self, event: &Event) -> Result<(), Failure> {
        match event.r#type.as_str() {
            "tandem.campaign.v1.OrderCommitted" => {
                self.committed.extend(read::<campaign::OrderCommitted>(event)?.order);
            }
            "tandem.campaign.v1.OrderCancelled" => {
                self.cancelled.extend(read::<campaign::OrderCancelled>(event)?.order);
            }
            "tandem.campaign.v1.OrderLinesReturned" => {
                let told: campaign::OrderLinesReturned = read(event)?;
                let returned = money::minor(told.returned.as_ref());
                self.returned.extend(told.order.map(|order| (order, returned)));
            }
            "tandem.campaign.v1.OrderRefused" => {
                let order = read::<campaign::OrderRefused>(event)?.order;
                self.refused.extend(order.map(|order| order.name));
            }
            "tandem.campaign.v1.OfferThresholdReached" => self.thresholds.push(read(event)?),
            "tandem.relationship.v1.VoucherRedeemed" => {
                self.redeemed.extend(read::<relationship::VoucherRedeemed>(event)?.redemption);
            }
            "tandem.relationship.v1.RedemptionRolledBack" => {
                let told: relationship::RedemptionRolledBack = read(event)?;
                let returned = money::minor(told.returned.as_ref());
                self.rolled_back.extend(told.redemption.map(|redemption| (redemption, returned)));
            }
            other => return Err(Failure::said(format!("nobody expected {other} of {}", event.aggregate))),
        }
        Ok(())
    }
}

/// The message that an event's type names.
fn read<M: Message + Default>(event: &Event) -> Result<M, Failure> {
    let payload = event.payload.as_ref().map_or(&[][..], |payload| payload.value.as_slice());
    M::decode(payload).map_err(|error| Failure::at(&event.r#type, error))
}

/// Events come at least once: each counts once.
async fn all(
    stream: impl Stream<Item = Result<Option<Event>, Status>>,
    expected: usize,
) -> Result<Vec<Event>, Failure> {
    let mut stream = pin!(stream);
    let (mut events, mut ids) = (Vec::new(), HashSet::new());
    let mut last = Instant::now();
    loop {
        let patience = if events.len() < expected { PATIENCE } else { SILENCE };
        match tokio::time::timeout_at(last + patience, stream.next()).await {
            Err(_) => return Ok(events),
            Ok(None) => return Err(Failure::said("a service ended its stream of events")),
            Ok(Some(response)) => {
                // Without an event it only moves the cursor.
                if let Some(event) = response?
                    && ids.insert(event.id.clone())
                {
                    last = Instant::now();
                    events.push(event);
                }
            }
        }
    }
}
