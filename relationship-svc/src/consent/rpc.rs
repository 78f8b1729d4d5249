//! The consent service of the contract.

mod parse;
mod suppress;

use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::page::Listing;
use tandem_platform::resource::asked;
use tandem_platform::{Call, Fault, Kind, Outcome, Violations, field, grpc, service};
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1::consent_service_server::ConsentService;
use tandem_proto::relationship::v1::*;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::commands::{self, Confirm, Recorded};
use super::contact::{Reason, may_contact};
use super::link::{self, Confirmation, Unsubscribe};
use super::look::{holding, known};
use super::{Key, MAX_BATCH, State, events, store};
use crate::customer::store::CUSTOMERS;
use crate::{App, customer, erasure};

/// Rows read at once.
const CHUNK: usize = 500;

/// The service.
#[derive(Debug, Clone)]
pub struct Api(Arc<App>);

impl Api {
    /// Of this process.
    pub fn new(app: &Arc<App>) -> Self {
        Self(app.clone())
    }

    /// A record as the contract shows it, with the token of its link.
    fn shown(&self, call: &Call, consent: &super::Consent) -> (Option<Consent>, String) {
        let asks = consent.state == State::Pending;
        let token =
            if asks { link::confirmation(&self.0.links, &call.tenant, consent) } else { String::new() };
        (Some(events::message(consent)), token)
    }

    /// Nobody is known under the id: unknown, or erased.
    async fn unknown(&self, call: &Call, customer: &str) -> Fault {
        erasure::explained(&self.0, &call.tenant, customer, Fault::not_found(customer::name(customer))).await
    }

    /// Who counts for an id: the one whom they were merged into, else themselves.
    async fn called(&self, call: &Call, customer: &str) -> Outcome<String> {
        let into = customer::store::alias::into(&mut self.0.db.read().await?, &call.tenant, customer).await?;
        Ok(into.unwrap_or_else(|| customer.to_owned()))
    }

    async fn result(&self, call: &Call, customer: &str, recorded: Recorded) -> RecordConsentResult {
        match recorded {
            Recorded::Kept { consent, superseded } => {
                let (consent, token) = self.shown(call, &consent);
                RecordConsentResult { status: Some(field::item_ok()), consent, token, superseded }
            }
            Recorded::Unknown => {
                let fault = self.unknown(call, customer).await;
                RecordConsentResult { status: Some(field::item_status(fault)), ..Default::default() }
            }
        }
    }
}

#[tonic::async_trait]
impl ConsentService for Api {
    async fn record_consent(
        &self,
        request: Request<RecordConsentRequest>,
    ) -> Result<Response<RecordConsentResponse>, Status> {
        let mut write = asked::write(&self.0.core, request)?;
        let given = write.body.consent.take().unwrap_or_default();
        let consent = parse::consent(&mut write.v.nest("consent"), &self.0, given);
        let call = write.call.clone();
        let customer = consent.key.customer.clone();
        let recorded = match service::write(&self.0, write.asks(consent)?, commands::record).await {
            Err(fault) if fault.kind() == Kind::NotFound => {
                return Err(self.unknown(&call, &customer).await.into());
            }
            recorded => recorded?,
        };
        let RecordConsentResult { consent, token, superseded, .. } =
            self.result(&call, &customer, recorded).await;
        Ok(Response::new(RecordConsentResponse { consent, token, superseded }))
    }

    async fn record_consents(
        &self,
        request: Request<RecordConsentsRequest>,
    ) -> Result<Response<RecordConsentsResponse>, Status> {
        let mut write = asked::write(&self.0.core, request)?;
        let given = std::mem::take(&mut write.body.consents);
        let count = given.len();
        let message = format!("must have 1 to {MAX_BATCH} entries, has {count}");
        write.v.check((1..=MAX_BATCH).contains(&count), "consents", message);
        let read: Vec<Result<super::Consent, Fault>> =
            given.into_iter().take(MAX_BATCH).map(|one| parse::item(&self.0, one)).collect();
        let good: Vec<super::Consent> = read.iter().filter_map(|one| one.as_ref().ok().cloned()).collect();
        let call = write.call.clone();
        let recorded = service::write(&self.0, write.asks(good)?, commands::record_many).await?;
        let (mut recorded, mut results) = (recorded.into_iter(), Vec::new());
        for one in read {
            results.push(match one {
                Ok(consent) => {
                    let kept = recorded.next().unwrap_or(Recorded::Unknown);
                    self.result(&call, &consent.key.customer, kept).await
                }
                Err(fault) => {
                    RecordConsentResult { status: Some(field::item_status(fault)), ..Default::default() }
                }
            });
        }
        Ok(Response::new(RecordConsentsResponse { results }))
    }

    async fn confirm_consent(
        &self,
        request: Request<ConfirmConsentRequest>,
    ) -> Result<Response<ConfirmConsentResponse>, Status> {
        let mut write = asked::write(&self.0.core, request)?;
        let proof = parse::proof(&mut write.v.nest("proof"), write.body.proof.take().unwrap_or_default());
        let token = std::mem::take(&mut write.body.token);
        write.v.check(!token.is_empty(), "token", "is required");
        let asked = write.asks(())?;
        let confirmation = Confirmation::open(&self.0.links, &token, self.0.clock.now())?;
        let asked = asked.map(|()| Confirm { confirmation, proof });
        let grant = service::write(&self.0, asked, commands::confirm).await?;
        Ok(Response::new(ConfirmConsentResponse { consent: Some(events::message(&grant)) }))
    }

    async fn list_consents(
        &self,
        request: Request<ListConsentsRequest>,
    ) -> Result<Response<ListConsentsResponse>, Status> {
        let (call, body) = (grpc::call(&request)?, request.into_inner());
        Ok(Response::new(self.list(&call, body).await?))
    }

    async fn check_contact(
        &self,
        request: Request<CheckContactRequest>,
    ) -> Result<Response<CheckContactResponse>, Status> {
        let (call, body) = (grpc::call(&request)?, request.into_inner());
        Ok(Response::new(self.check(&call, body).await?))
    }

    async fn suppress(
        &self,
        request: Request<SuppressRequest>,
    ) -> Result<Response<SuppressResponse>, Status> {
        Ok(Response::new(suppress::suppress(&self.0, request).await?))
    }

    async fn list_suppressions(
        &self,
        request: Request<ListSuppressionsRequest>,
    ) -> Result<Response<ListSuppressionsResponse>, Status> {
        Ok(Response::new(suppress::list(&self.0, request).await?))
    }

    async fn clear_suppression(
        &self,
        request: Request<ClearSuppressionRequest>,
    ) -> Result<Response<ClearSuppressionResponse>, Status> {
        Ok(Response::new(suppress::clear(&self.0, request).await?))
    }

    async fn issue_unsubscribe_token(
        &self,
        request: Request<IssueUnsubscribeTokenRequest>,
    ) -> Result<Response<IssueUnsubscribeTokenResponse>, Status> {
        let (call, body) = (grpc::call(&request)?, request.into_inner());
        Ok(Response::new(self.issue(&call, &body).await?))
    }

    async fn unsubscribe(
        &self,
        request: Request<UnsubscribeRequest>,
    ) -> Result<Response<UnsubscribeResponse>, Status> {
        let mut write = asked::write(&self.0.core, request)?;
        let token = std::mem::take(&mut write.body.token);
        write.v.check(!token.is_empty(), "token", "is required");
        let call = write.call.clone();
        let asked = write.asks(())?;
        let link = Unsubscribe::open(&self.0.links, &call.tenant, &token)?;
        let asked = asked.map(|()| link);
        let row = service::write(&self.0, asked, commands::suppress::unsubscribe).await?;
        Ok(Response::new(UnsubscribeResponse { suppression: Some(events::suppression(&row)) }))
    }
}

impl Api {
    async fn check(&self, call: &Call, body: CheckContactRequest) -> Outcome<CheckContactResponse> {
        let now = self.0.clock.now();
        let mut v = Violations::new();
        let (customer, contact) = parse::contact(&mut v, &body);
        v.finish()?;
        let customer = self.called(call, &customer).await?;
        let mut reader = self.0.db.read().await?;
        let verdict = match CUSTOMERS.find(&mut reader, &call.tenant, &customer).await? {
            Some(person) => {
                let known = known(&self.0, &mut reader, &call.tenant, &person, contact).await?;
                may_contact(now, contact, &known)
            }
            None => match self.unknown(call, &customer).await {
                fault if fault.reason() == erasure::ERASED => Err(Reason::Erased),
                fault => return Err(fault),
            },
        };
        let (allowed, refusal, suppression) = events::verdict(verdict);
        Ok(CheckContactResponse {
            allowed,
            refusal: refusal.into(),
            suppression: suppression.into(),
            check_time: Some(to_timestamp(now)),
        })
    }

    async fn issue(
        &self,
        call: &Call,
        body: &IssueUnsubscribeTokenRequest,
    ) -> Outcome<IssueUnsubscribeTokenResponse> {
        let mut v = Violations::new();
        let customer = field::resource(&mut v, "customer", customer::COLLECTION, &body.customer);
        let purpose = parse::purpose(&mut v, &body.purpose, true);
        let channel = parse::channel(&mut v, body.channel);
        v.check(channel.needs_profile(), "channel", "must be EMAIL, SMS, PHONE or WHATSAPP");
        v.finish()?;
        let customer = self.called(call, &customer).await?;
        let found = CUSTOMERS.find(&mut self.0.db.read().await?, &call.tenant, &customer).await?;
        let Some(person) = found else { return Err(self.unknown(call, &customer).await) };
        let hashes = channel
            .address(&person.profile)
            .map(|address| self.0.people.hashes(call.tenant.as_str(), &address));
        let hashed = hashes.and_then(|hashes| hashes.into_iter().next()).ok_or_else(|| {
            let message = format!("{} has no address for this channel", customer::name(&customer));
            Fault::precondition(ErrorReason::AddressUnknown, message)
        })?;
        let link = Unsubscribe::new(&call.tenant, &customer, &purpose, channel, hashed);
        Ok(IssueUnsubscribeTokenResponse { token: link.token(&self.0.links)? })
    }

    async fn list(&self, call: &Call, body: ListConsentsRequest) -> Outcome<ListConsentsResponse> {
        let mut v = Violations::new();
        let size = grpc::page_size(&mut v, body.page_size) as usize;
        let asked = field::resource(&mut v, "customer", customer::COLLECTION, &body.customer);
        let states = parse::states(&mut v, &body.states);
        v.finish()?;
        let customer = self.called(call, &asked).await?;
        let words: Vec<&str> = states.iter().map(|state| state.name()).collect();
        let filter = format!("{} {}", body.current, words.join(","));
        let listing = Listing {
            tenant: call.tenant.as_str(),
            list: "ListConsents",
            parent: &asked,
            filter: &filter,
            ..Listing::default()
        };
        let resumed = listing.resume(&body.page_token).map_err(|_| Fault::invalid_page_token())?;
        let before = match resumed.as_deref() {
            None => (Timestamp::MAX, Uuid::max()),
            Some([at, id]) => parse::place(at, id)?,
            Some(_) => return Err(Fault::invalid_page_token()),
        };
        let wanted = |state: State| states.is_empty() || states.contains(&state);
        let found = if body.current {
            self.holding(call, &customer, before, wanted).await?
        } else {
            self.history(call, &customer, before, size, wanted).await?
        };
        let consents = grpc::fitting(found.iter().take(size).map(events::message));
        let last = grpc::cut(&found, consents.len());
        let token =
            last.map(|last| listing.token(&[last.at.as_microsecond().to_string(), last.id.to_string()]));
        Ok(ListConsentsResponse { consents, next_page_token: token.unwrap_or_default() })
    }

    /// One more than `size` of what a person said, newest first, if there are so many.
    async fn history(
        &self,
        call: &Call,
        customer: &str,
        mut before: (Timestamp, Uuid),
        size: usize,
        wanted: impl Fn(State) -> bool,
    ) -> Outcome<Vec<super::Consent>> {
        let mut reader = self.0.db.read().await?;
        let mut found = Vec::new();
        loop {
            let rows = store::newest(&mut reader, &call.tenant, customer, before, CHUNK).await?;
            let last = rows.len() < CHUNK;
            before = rows.last().map_or(before, |row| (row.at, row.id));
            found.extend(rows.into_iter().filter(|row| wanted(row.state)));
            if last || found.len() > size {
                return Ok(found);
            }
        }
    }

    /// What holds now, newest first: each with the state that it has.
    async fn holding(
        &self,
        call: &Call,
        customer: &str,
        before: (Timestamp, Uuid),
        wanted: impl Fn(State) -> bool,
    ) -> Outcome<Vec<super::Consent>> {
        let now = self.0.clock.now();
        let mut reader = self.0.db.read().await?;
        let said = store::current(&mut reader, &call.tenant, vec![customer.to_owned()]).await?;
        let mut found = Vec::new();
        let keys: Vec<&Key> = said.iter().map(|(key, _)| key).collect();
        for key in keys {
            let Some((state, mark)) = holding(&said, key).state(now) else { continue };
            let record = store::find(&mut reader, &call.tenant, mark.record).await?;
            // A refusal for all is told where it was said.
            let own = record.filter(|record| {
                (&record.key.purpose, record.key.channel) == (&key.purpose, key.channel) && wanted(state)
            });
            // It may still be called another one's who was merged into them.
            found.extend(own.map(|record| super::Consent { state, key: key.clone(), ..record }));
        }
        found.retain(|one| (one.at, one.id) < before);
        found.sort_unstable_by_key(|one| std::cmp::Reverse((one.at, one.id)));
        Ok(found)
    }
}
