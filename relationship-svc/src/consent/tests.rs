//! The rules of consents and suppressions, on both engines.

mod contact;
mod links;
mod record;
mod rules;
mod suppressing;

use jiff::Timestamp;
use tandem_platform::Db;
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1::consent_service_client::ConsentServiceClient;
use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::*;
use tonic::Status;

use crate::Config;
use crate::testing::{Channel as Wire, Harness};

pub(crate) type Client = ConsentServiceClient<Wire>;

pub(crate) fn client(harness: &Harness) -> Client {
    ConsentServiceClient::new(harness.channel())
}

/// The same database under other settings. The ids of a test begin anew with each: so many are passed over.
pub(crate) fn under(db: &Db, config: Config) -> Harness {
    let harness = Harness::with(db.clone(), config);
    for _ in 0..1_000 {
        harness.app.ids.next(harness.app.clock.now());
    }
    harness
}

/// A customer with an e-mail address and a telephone.
pub(crate) async fn customer(harness: &Harness, id: &str) {
    let customer = Customer {
        name: format!("customers/{id}"),
        display_name: format!("Ms {id} Lovelace"),
        email: format!("{id}@Example.org"),
        phone: "+43 660 1234567".to_owned(),
        ..Customer::default()
    };
    let request = CreateCustomerRequest { customer: Some(customer), ..Default::default() };
    CustomerServiceClient::new(harness.channel()).create_customer(request).await.unwrap();
}

/// So many seconds from noon of the harness.
pub(crate) fn at(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(to_timestamp(Timestamp::from_second(1_782_907_200 + seconds).unwrap()))
}

/// What `ada` says of the newsletter by e-mail, so many seconds from noon.
pub(crate) fn said(state: ConsentState, seconds: i64) -> Consent {
    let grants = matches!(state, ConsentState::Granted | ConsentState::Pending);
    Consent {
        customer: "customers/ada".to_owned(),
        purpose: "newsletter".to_owned(),
        channel: Channel::Email.into(),
        state: state.into(),
        legal_basis: if grants { LegalBasis::Consent } else { LegalBasis::Unspecified }.into(),
        text_version: if grants { "2026-01" } else { "" }.to_owned(),
        source: "web-form".to_owned(),
        time: at(seconds),
        ..Consent::default()
    }
}

pub(crate) fn proof(reference: &str) -> Option<ConsentProof> {
    Some(ConsentProof { reference: reference.to_owned(), ..ConsentProof::default() })
}

pub(crate) async fn record(client: &mut Client, consent: Consent) -> Result<RecordConsentResponse, Status> {
    let request = RecordConsentRequest { consent: Some(consent), request_id: String::new() };
    client.record_consent(request).await.map(tonic::Response::into_inner)
}

/// Whether `ada` may be written to of the newsletter by e-mail, and if not why.
pub(crate) async fn check(client: &mut Client, transactional: bool) -> CheckContactResponse {
    let request = CheckContactRequest {
        customer: "customers/ada".to_owned(),
        purpose: "newsletter".to_owned(),
        channel: Channel::Email.into(),
        transactional,
    };
    client.check_contact(request).await.unwrap().into_inner()
}

pub(crate) async fn refusal(client: &mut Client) -> ContactRefusal {
    check(client, false).await.refusal()
}

async fn list(client: &mut Client, current: bool) -> Vec<Consent> {
    let request = ListConsentsRequest {
        customer: "customers/ada".to_owned(),
        current,
        ..ListConsentsRequest::default()
    };
    client.list_consents(request).await.unwrap().into_inner().consents
}
