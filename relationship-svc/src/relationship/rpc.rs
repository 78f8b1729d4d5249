//! Relationships as the contract words them.

use std::sync::Arc;

use tandem_platform::{Fault, Outcome, Violations, grpc};
use tandem_proto::common::v1::Money as MoneyMessage;
use tandem_proto::relationship::v1::relationship_service_server::RelationshipService;
use tandem_proto::relationship::v1::{self, GetRelationshipRequest, GetRelationshipResponse};
use tonic::{Request, Response, Status};

use super::{Relationship, Who, events, store};
use crate::consent::look::{Verdict, verdicts};
use crate::customer::store::CUSTOMERS;
use crate::interaction::rpc::who;
use crate::redemption::store::savings::{self, Savings};
use crate::{App, consent, customer, erasure};

/// Purposes of which it is said whether one may write.
const MAX_PURPOSES: usize = 20;

/// The service of the contract.
#[derive(Debug, Clone)]
pub struct Api(Arc<App>);

impl Api {
    /// Of this process.
    pub fn new(app: &Arc<App>) -> Self {
        Self(app.clone())
    }
}

#[tonic::async_trait]
impl RelationshipService for Api {
    async fn get_relationship(
        &self,
        request: Request<GetRelationshipRequest>,
    ) -> Result<Response<GetRelationshipResponse>, Status> {
        let (call, request) = (grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let who = who(&mut v, &request.customer, &request.guest_key);
        v.finish()?;
        let relationship = Some(relationship(&self.0, &call, who).await?);
        Ok(Response::new(GetRelationshipResponse { relationship }))
    }
}

async fn relationship(app: &App, call: &tandem_platform::Call, who: Who) -> Outcome<v1::Relationship> {
    let settings = app.tenancy.of(app, &call.tenant).await?;
    let mut reader = app.db.read().await?;
    let (mut who, mut stored) = (who.clone(), store::find(&mut reader, &call.tenant, &who).await?);
    if let (Who::Customer(_), Some(kept)) = (&who, stored.as_ref().and_then(|row| row.merged_into.clone())) {
        who = Who::Customer(kept);
        stored = store::find(&mut reader, &call.tenant, &who).await?;
    }
    let (customer, guest) = match &who {
        Who::Customer(id) => (Some(id.as_str()), ""),
        Who::Guest(key) => (None, key.as_str()),
    };
    if let Some(other) = stored.as_ref().and_then(|row| row.merged_into.as_ref()) {
        let (guest_key, claimed_by) = (guest.to_owned(), customer::name(other));
        return Ok(v1::Relationship { guest_key, claimed_by, ..v1::Relationship::default() });
    }
    let savings = savings::savings(&mut reader, &call.tenant, customer, guest).await?;
    let now = app.clock.now();
    let contacts = match customer {
        None => Vec::new(),
        Some(id) => {
            let found = CUSTOMERS.find(&mut reader, &call.tenant, id).await?;
            let Some(person) = found else {
                drop(reader);
                let fault = Fault::not_found(customer::name(id));
                return Err(erasure::explained(app, &call.tenant, id, fault).await);
            };
            verdicts(app, &mut reader, &call.tenant, &person, MAX_PURPOSES, now).await?
        }
    };
    drop(reader);
    let row = stored.unwrap_or_else(|| Relationship::new(who));
    let message = events::message(&row, &settings.stages, now);
    let contacts = contacts.into_iter().map(contact).collect();
    Ok(v1::Relationship { savings: Some(saved(savings)), contacts, ..message })
}

fn contact(one: Verdict) -> v1::Contact {
    let (allowed, refusal, suppression) = consent::events::verdict(one.verdict);
    v1::Contact {
        purpose: one.purpose,
        channel: consent::events::channel(one.channel).into(),
        allowed,
        refusal: refusal.into(),
        suppression: suppression.into(),
    }
}

fn saved(savings: Savings) -> v1::Savings {
    let messages = |amounts: Vec<_>| amounts.into_iter().map(MoneyMessage::from).collect();
    v1::Savings {
        redemptions: savings.redemptions,
        saved: messages(savings.saved),
        paid: messages(savings.paid),
        more: savings.more,
    }
}
