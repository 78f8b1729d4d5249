//! What callers say of consents, read; whatever is wrong is told at once.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use tandem_kernel::person::Address;
use tandem_platform::{Fault, Outcome, Violations, field};
use tandem_proto::convert;
use tandem_proto::relationship::v1::{self, contact_address};
use uuid::Uuid;

use crate::consent::contact::Contact;
use crate::consent::suppression::Reason;
use crate::consent::{ALL, Basis, Channel, Consent, Key, LINK, LONGEST_LINK, Proof, State, is_purpose};
use crate::{App, customer};

const MAX_TEXT_VERSION: usize = 128;
const MAX_SOURCE: usize = 128;
const MAX_PROOF: usize = 500;
const MAX_NOTE: usize = 200;
/// How far the clock of a caller may be ahead of this one.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);

/// One item of a batch.
pub(super) fn item(app: &App, given: v1::Consent) -> Result<Consent, Fault> {
    let mut v = Violations::new();
    let consent = consent(&mut v, app, given);
    v.finish()?;
    Ok(consent)
}

/// What one person said, with a fresh id.
pub(super) fn consent(v: &mut Violations, app: &App, given: v1::Consent) -> Consent {
    let now = app.clock.now();
    let customer = field::resource(v, "customer", customer::COLLECTION, &given.customer);
    let state = state(v, "state", given.state);
    v.check(state != State::Expired, "state", "EXPIRED follows from expire_time and is not recorded");
    let purpose = purpose(v, &given.purpose, state.refuses());
    let channel = channel(v, given.channel);
    let wide = channel != Channel::All || state.refuses() || v.has("channel");
    v.check(wide, "channel", "ALL is only for what is DENIED or WITHDRAWN");
    let basis = basis(v, given.legal_basis, state);
    let needs_text = state == State::Pending || (state == State::Granted && basis == Basis::Consent);
    let least = usize::from(needs_text);
    let text_version = field::text(v, "text_version", given.text_version, least..=MAX_TEXT_VERSION);
    let source = field::text(v, "source", given.source, 1..=MAX_SOURCE);
    let proof = proof(&mut v.nest("proof"), given.proof.unwrap_or_default());
    let at = at(v, given.time.as_ref(), now);
    let expires = expires(v, given.expire_time.as_ref(), state, at);
    Consent {
        id: app.ids.next(now),
        key: Key { customer, purpose, channel },
        state,
        basis,
        text_version,
        source,
        proof,
        at,
        expires,
        confirms: None,
        recorded: now,
        principal: String::new(),
    }
}

/// When something was said or happened: now, where nothing is said.
pub(super) fn at(v: &mut Violations, given: Option<&prost_types::Timestamp>, now: Timestamp) -> Timestamp {
    let read = given.and_then(|at| field::read(v, |found| convert::timestamp("time", at, found)));
    let at = read.unwrap_or(now);
    v.check(at <= now + AHEAD, "time", "must not be in the future");
    at.min(now)
}

fn expires(
    v: &mut Violations,
    given: Option<&prost_types::Timestamp>,
    state: State,
    at: Timestamp,
) -> Option<Timestamp> {
    let read = given.and_then(|end| field::read(v, |found| convert::timestamp("expire_time", end, found)));
    let ends = matches!(state, State::Granted | State::Pending);
    v.check(read.is_none() || ends, "expire_time", "is only for what is GRANTED or PENDING");
    v.check(read.is_none_or(|end| end > at), "expire_time", "must be after time");
    if state != State::Pending {
        return read.filter(|_| ends);
    }
    let most = at.checked_add(LONGEST_LINK).unwrap_or(Timestamp::MAX);
    v.check(read.is_none_or(|end| end <= most), "expire_time", "of PENDING must be within 30 days of time");
    Some(read.unwrap_or_else(|| at.checked_add(LINK).unwrap_or(Timestamp::MAX)))
}

/// A purpose; all of them where that is allowed.
pub(super) fn purpose(v: &mut Violations, given: &str, all: bool) -> String {
    let shape = "must be 1 to 64 of a-z 0-9 - _, beginning with a letter, such as newsletter";
    v.check(is_purpose(given), "purpose", shape);
    v.check(all || given != ALL, "purpose", "\"all\" is only for what refuses or suppresses");
    given.to_owned()
}

/// A channel, all of them among them.
pub(super) fn channel(v: &mut Violations, given: i32) -> Channel {
    let known = match v1::Channel::try_from(given) {
        Ok(v1::Channel::All) => Some(Channel::All),
        Ok(v1::Channel::Email) => Some(Channel::Email),
        Ok(v1::Channel::Sms) => Some(Channel::Sms),
        Ok(v1::Channel::Push) => Some(Channel::Push),
        Ok(v1::Channel::Post) => Some(Channel::Post),
        Ok(v1::Channel::Phone) => Some(Channel::Phone),
        Ok(v1::Channel::Whatsapp) => Some(Channel::Whatsapp),
        Ok(v1::Channel::Unspecified) | Err(_) => None,
    };
    v.check(known.is_some(), "channel", "must be a channel");
    known.unwrap_or(Channel::All)
}

fn state(v: &mut Violations, field: &str, given: i32) -> State {
    let known = match v1::ConsentState::try_from(given) {
        Ok(v1::ConsentState::Granted) => Some(State::Granted),
        Ok(v1::ConsentState::Denied) => Some(State::Denied),
        Ok(v1::ConsentState::Withdrawn) => Some(State::Withdrawn),
        Ok(v1::ConsentState::Pending) => Some(State::Pending),
        Ok(v1::ConsentState::Expired) => Some(State::Expired),
        Ok(v1::ConsentState::Unspecified) | Err(_) => None,
    };
    v.check(known.is_some(), field, "must be a state");
    known.unwrap_or(State::Denied)
}

/// Which states a list shows.
pub(super) fn states(v: &mut Violations, given: &[i32]) -> Vec<State> {
    v.check(given.len() <= 5, "states", "must have at most 5 entries");
    given.iter().take(5).enumerate().map(|(place, one)| state(v, &format!("states[{place}]"), *one)).collect()
}

fn basis(v: &mut Violations, given: i32, state: State) -> Basis {
    let known = match v1::LegalBasis::try_from(given) {
        Ok(v1::LegalBasis::Unspecified) => Some(Basis::None),
        Ok(v1::LegalBasis::Consent) => Some(Basis::Consent),
        Ok(v1::LegalBasis::Contract) => Some(Basis::Contract),
        Ok(v1::LegalBasis::LegitimateInterest) => Some(Basis::LegitimateInterest),
        Ok(v1::LegalBasis::LegalObligation) => Some(Basis::LegalObligation),
        Err(_) => None,
    };
    let Some(basis) = known else {
        v.add("legal_basis", "must be a legal basis");
        return Basis::None;
    };
    match state {
        State::Granted => v.check(basis != Basis::None, "legal_basis", "is required of what is GRANTED"),
        State::Pending => {
            v.check(basis == Basis::Consent, "legal_basis", "of PENDING must be CONSENT: it is asked for")
        }
        _ => v.check(basis == Basis::None, "legal_basis", "is only for what is GRANTED or PENDING"),
    };
    basis
}

/// What shows it.
pub(super) fn proof(v: &mut Violations, given: v1::ConsentProof) -> Proof {
    let address = given.client_address.trim();
    let known = address.is_empty() || address.parse::<IpAddr>().is_ok();
    v.check(known, "client_address", "must be an IP address");
    Proof {
        client_address: if known { address.to_owned() } else { String::new() },
        reference: field::text(v, "reference", given.reference, 0..=MAX_PROOF),
        user_agent: field::text(v, "user_agent", given.user_agent, 0..=MAX_PROOF),
    }
}

/// Whom somebody wants to write to, what for and how.
pub(super) fn contact<'b>(v: &mut Violations, body: &'b v1::CheckContactRequest) -> (String, Contact<'b>) {
    let customer = field::resource(v, "customer", customer::COLLECTION, &body.customer);
    purpose(v, &body.purpose, false);
    let channel = channel(v, body.channel);
    let one = channel != Channel::All || v.has("channel");
    v.check(one, "channel", "must be one channel");
    (customer, Contact { purpose: &body.purpose, channel, transactional: body.transactional })
}

/// An address.
pub(super) fn address(v: &mut Violations, given: Option<&v1::ContactAddress>) -> Option<Address> {
    use contact_address::Address as Given;
    let Some(given) = given.and_then(|given| given.address.as_ref()) else {
        v.add("address", "is required");
        return None;
    };
    let (field, read) = match given {
        Given::Email(text) => ("address.email", Address::email(text)),
        Given::Phone(text) => ("address.phone", Address::phone(text)),
        Given::Device(text) => ("address.device", Address::device(text)),
    };
    read.map_err(|error| v.add(field, error.to_string())).ok()
}

/// The channels that are meant: one that the address has, or all that it has.
pub(super) fn channels(v: &mut Violations, given: i32, address: Option<&Address>) -> Vec<Channel> {
    let channel = channel(v, given);
    let has = address.map(Channel::of).unwrap_or_default();
    if channel == Channel::All {
        return has.to_vec();
    }
    v.check(
        address.is_none() || has.contains(&channel),
        "channel",
        "is none by which this address is reached",
    );
    vec![channel]
}

/// Why an address is suppressed.
pub(super) fn reason(v: &mut Violations, field: &str, given: i32) -> Reason {
    let known = match v1::SuppressionReason::try_from(given) {
        Ok(v1::SuppressionReason::Bounce) => Some(Reason::Bounce),
        Ok(v1::SuppressionReason::Complaint) => Some(Reason::Complaint),
        Ok(v1::SuppressionReason::Manual) => Some(Reason::Manual),
        Ok(v1::SuppressionReason::Unsubscribe) => Some(Reason::Unsubscribe),
        Ok(v1::SuppressionReason::Erasure) => Some(Reason::Erasure),
        Ok(v1::SuppressionReason::Unspecified) | Err(_) => None,
    };
    v.check(known.is_some(), field, "must be a reason");
    known.unwrap_or(Reason::Manual)
}

/// What is said by hand: it outlives the address and must not have it in it.
pub(super) fn note(v: &mut Violations, given: String, least: usize, address: Option<&Address>) -> String {
    let says = address.is_some_and(|address| given.to_lowercase().contains(&address.text().to_lowercase()));
    v.check(!says, "note", "must not have the address in it: it is kept when the address may not be");
    field::text(v, "note", given, least..=MAX_NOTE)
}

/// Where a page goes on.
pub(super) fn place(at: &str, id: &str) -> Outcome<(Timestamp, Uuid)> {
    let at = at.parse().ok().and_then(|at| Timestamp::from_microsecond(at).ok());
    at.zip(Uuid::try_parse(id).ok()).ok_or_else(Fault::invalid_page_token)
}
