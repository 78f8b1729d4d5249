//! Events that a service could not take in: listed, and tried again. Both services say so in messages of the same fields.

use tandem_proto::campaign::v1::feedback_service_client::FeedbackServiceClient as OfCampaign;
use tandem_proto::campaign::v1::{
    ListSetAsideEventsRequest, ListSetAsideEventsResponse, RetrySetAsideEventsRequest,
    RetrySetAsideEventsResponse, SetAsideEvent,
};
use tandem_proto::relationship::v1 as relationship;
use tandem_proto::relationship::v1::feedback_service_client::FeedbackServiceClient as OfRelationship;

use super::Service;
use crate::connect::{Connection, Target};
use crate::failure::Failure;
use crate::output::{self, Format};

/// The one that is asked.
enum Feedback {
    Campaign(OfCampaign<Connection>),
    Relationship(OfRelationship<Connection>),
}

impl Feedback {
    async fn at(service: Service, target: &Target) -> Result<Self, Failure> {
        Ok(match service {
            Service::Campaign => Self::Campaign(OfCampaign::new(target.to_campaign().await?)),
            Service::Relationship => Self::Relationship(OfRelationship::new(target.to_relationship().await?)),
        })
    }

    fn package(&self) -> &'static str {
        match self {
            Self::Campaign(_) => "tandem.campaign.v1",
            Self::Relationship(_) => "tandem.relationship.v1",
        }
    }

    async fn list(
        &mut self,
        request: ListSetAsideEventsRequest,
    ) -> Result<ListSetAsideEventsResponse, Failure> {
        Ok(match self {
            Self::Campaign(client) => client.list_set_aside_events(request).await?.into_inner(),
            Self::Relationship(client) => {
                let ListSetAsideEventsRequest { page_size, page_token } = request;
                let request = relationship::ListSetAsideEventsRequest { page_size, page_token };
                let page = client.list_set_aside_events(request).await?.into_inner();
                let events = page.events.into_iter().map(same).collect();
                ListSetAsideEventsResponse { events, next_page_token: page.next_page_token }
            }
        })
    }

    async fn retry(
        &mut self,
        request: RetrySetAsideEventsRequest,
    ) -> Result<RetrySetAsideEventsResponse, Failure> {
        Ok(match self {
            Self::Campaign(client) => client.retry_set_aside_events(request).await?.into_inner(),
            Self::Relationship(client) => {
                let request = relationship::RetrySetAsideEventsRequest { event_ids: request.event_ids };
                let tried = client.retry_set_aside_events(request).await?.into_inner();
                let still_set_aside = tried.still_set_aside.into_iter().map(same).collect();
                RetrySetAsideEventsResponse { taken_in: tried.taken_in, still_set_aside }
            }
        })
    }
}

fn same(one: relationship::SetAsideEvent) -> SetAsideEvent {
    SetAsideEvent { event: one.event, reason: one.reason, set_aside_time: one.set_aside_time }
}

/// Lists them, of the caller's tenant.
pub async fn list(service: Service, target: &Target, format: Format) -> Result<(), Failure> {
    let mut client = Feedback::at(service, target).await?;
    let mut page_token = String::new();
    loop {
        let page = client.list(ListSetAsideEventsRequest { page_size: 0, page_token }).await?;
        print(client.package(), &page.events, format)?;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(());
        }
    }
}

/// Tries them again; ends with a failure where something stays set aside.
pub async fn retry(
    event_ids: Vec<String>,
    service: Service,
    target: &Target,
    format: Format,
) -> Result<(), Failure> {
    let mut client = Feedback::at(service, target).await?;
    let mut tried = RetrySetAsideEventsResponse::default();
    let mut page_token = String::new();
    loop {
        // A page at a time, so that no call is long, and what stays set aside is passed.
        let mut wanted = event_ids.clone();
        if event_ids.is_empty() {
            let page = client.list(ListSetAsideEventsRequest { page_size: 100, page_token }).await?;
            wanted = page.events.into_iter().filter_map(|one| Some(one.event?.id)).collect();
            page_token = page.next_page_token;
        } else {
            page_token = String::new();
        }
        if !wanted.is_empty() {
            let these = client.retry(RetrySetAsideEventsRequest { event_ids: wanted }).await?;
            tried.taken_in.extend(these.taken_in);
            tried.still_set_aside.extend(these.still_set_aside);
        }
        if page_token.is_empty() {
            break;
        }
    }
    match format {
        Format::Json => {
            let name = format!("{}.RetrySetAsideEventsResponse", client.package());
            println!("{}", output::json(&name, &tried)?);
        }
        Format::Table => {
            println!("{} taken in", tried.taken_in.len());
            print(client.package(), &tried.still_set_aside, format)?;
        }
    }
    match tried.still_set_aside.len() {
        0 => Ok(()),
        still => Err(Failure::said(format!("{still} still cannot be taken in"))),
    }
}

fn print(package: &str, events: &[SetAsideEvent], format: Format) -> Result<(), Failure> {
    for one in events {
        match format {
            Format::Json => println!("{}", output::json(&format!("{package}.SetAsideEvent"), one)?),
            Format::Table => {
                let event = one.event.clone().unwrap_or_default();
                let since = output::time(one.set_aside_time.as_ref());
                println!("{}  {since:<27}  {}  {}", event.id, event.aggregate, one.reason);
            }
        }
    }
    Ok(())
}
