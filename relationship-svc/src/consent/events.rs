//! Consents and suppressions as the contract shows them, in answers and in events.

use tandem_platform::outbox::Recorded;
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1;

use super::suppression::{Reason, Suppression};
use super::{Basis, Channel, Consent, Proof, State, contact};
use crate::customer;

/// Something was recorded. Events never say what shows it.
pub fn recorded(consent: &Consent, superseded: bool) -> Recorded {
    let payload = v1::ConsentRecorded { consent: Some(without_proof(consent)), superseded };
    told("tandem.relationship.v1.ConsentRecorded", consent, &payload)
}

/// Something is over.
pub fn expired(consent: &Consent) -> Recorded {
    let payload = v1::ConsentExpired { consent: Some(without_proof(consent)) };
    told("tandem.relationship.v1.ConsentExpired", consent, &payload)
}

/// An address is not written to.
pub fn suppressed(row: &Suppression) -> Recorded {
    let payload = v1::AddressSuppressed { suppression: Some(suppression(row)) };
    Recorded::new("tandem.relationship.v1.AddressSuppressed", name(row), version(row), &payload)
}

/// It may be again.
pub fn cleared(row: &Suppression) -> Recorded {
    let payload = v1::SuppressionCleared { suppression: Some(suppression(row)) };
    Recorded::new("tandem.relationship.v1.SuppressionCleared", name(row), version(row), &payload)
}

/// Records are never changed: each has one version.
fn told<M: prost::Message>(type_: &'static str, consent: &Consent, payload: &M) -> Recorded {
    Recorded::new(type_, format!("consents/{}", consent.id), 1, payload)
}

fn name(row: &Suppression) -> String {
    format!("suppressions/{}", hash(row))
}

/// Ascends with every change, as its times do.
fn version(row: &Suppression) -> i64 {
    row.suppressed.max(row.cleared).map_or(0, |at| at.as_microsecond())
}

fn hash(row: &Suppression) -> String {
    let (key, hash) = (row.key.clone(), row.place.address.clone());
    tandem_kernel::person::Hashed { key, hash }.text()
}

/// As the contract shows it where what shows it is nobody's business.
pub fn without_proof(consent: &Consent) -> v1::Consent {
    v1::Consent { proof: None, ..message(consent) }
}

/// As the contract has it.
pub fn message(consent: &Consent) -> v1::Consent {
    v1::Consent {
        id: consent.id.to_string(),
        customer: customer::name(&consent.key.customer),
        purpose: consent.key.purpose.clone(),
        channel: channel(consent.key.channel).into(),
        state: state(consent.state).into(),
        legal_basis: basis(consent.basis).into(),
        text_version: consent.text_version.clone(),
        source: consent.source.clone(),
        proof: (!consent.proof.is_empty()).then(|| proof(&consent.proof)),
        time: Some(to_timestamp(consent.at)),
        expire_time: consent.expires.map(to_timestamp),
        confirms: consent.confirms.map(|id| id.to_string()).unwrap_or_default(),
        record_time: Some(to_timestamp(consent.recorded)),
        principal: consent.principal.clone(),
    }
}

fn proof(proof: &Proof) -> v1::ConsentProof {
    v1::ConsentProof {
        reference: proof.reference.clone(),
        client_address: proof.client_address.clone(),
        user_agent: proof.user_agent.clone(),
    }
}

/// As the contract has it.
pub fn suppression(row: &Suppression) -> v1::Suppression {
    v1::Suppression {
        address_hash: hash(row),
        key_id: row.key.clone(),
        channel: channel(row.place.channel).into(),
        purpose: row.place.purpose.clone(),
        reason: reason(row.place.reason).into(),
        suppress_time: row.suppressed.map(to_timestamp),
        clear_time: row.cleared.map(to_timestamp),
        note: row.note.clone(),
        principal: row.principal.clone(),
    }
}

/// As the contract has it.
pub fn channel(channel: Channel) -> v1::Channel {
    match channel {
        Channel::All => v1::Channel::All,
        Channel::Email => v1::Channel::Email,
        Channel::Sms => v1::Channel::Sms,
        Channel::Push => v1::Channel::Push,
        Channel::Post => v1::Channel::Post,
        Channel::Phone => v1::Channel::Phone,
        Channel::Whatsapp => v1::Channel::Whatsapp,
    }
}

/// As the contract has it.
pub fn state(state: State) -> v1::ConsentState {
    match state {
        State::Granted => v1::ConsentState::Granted,
        State::Denied => v1::ConsentState::Denied,
        State::Withdrawn => v1::ConsentState::Withdrawn,
        State::Pending => v1::ConsentState::Pending,
        State::Expired => v1::ConsentState::Expired,
    }
}

fn basis(basis: Basis) -> v1::LegalBasis {
    match basis {
        Basis::None => v1::LegalBasis::Unspecified,
        Basis::Consent => v1::LegalBasis::Consent,
        Basis::Contract => v1::LegalBasis::Contract,
        Basis::LegitimateInterest => v1::LegalBasis::LegitimateInterest,
        Basis::LegalObligation => v1::LegalBasis::LegalObligation,
    }
}

/// As the contract has it.
pub fn reason(reason: Reason) -> v1::SuppressionReason {
    match reason {
        Reason::Bounce => v1::SuppressionReason::Bounce,
        Reason::Complaint => v1::SuppressionReason::Complaint,
        Reason::Manual => v1::SuppressionReason::Manual,
        Reason::Unsubscribe => v1::SuppressionReason::Unsubscribe,
        Reason::Erasure => v1::SuppressionReason::Erasure,
    }
}

/// Whether somebody may be written to, why not, and where their address is suppressed for which reason.
pub fn verdict(verdict: Result<(), contact::Reason>) -> (bool, v1::ContactRefusal, v1::SuppressionReason) {
    let suppression = match verdict {
        Err(contact::Reason::Suppressed(why)) => reason(why),
        _ => v1::SuppressionReason::Unspecified,
    };
    (verdict.is_ok(), verdict.err().map_or(v1::ContactRefusal::Unspecified, refusal), suppression)
}

fn refusal(reason: contact::Reason) -> v1::ContactRefusal {
    match reason {
        contact::Reason::Erased => v1::ContactRefusal::Erased,
        contact::Reason::Suppressed(_) => v1::ContactRefusal::Suppressed,
        contact::Reason::NoConsent => v1::ContactRefusal::NoConsent,
        contact::Reason::Denied => v1::ContactRefusal::Denied,
        contact::Reason::Withdrawn => v1::ContactRefusal::Withdrawn,
        contact::Reason::Pending => v1::ContactRefusal::Pending,
        contact::Reason::Expired => v1::ContactRefusal::Expired,
        contact::Reason::NoAddress => v1::ContactRefusal::NoAddress,
    }
}
