//! From the contract to commands, every violation at once.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tandem_kernel::basket::{Basket, MAX_LINES};
use tandem_kernel::code::Typed;
use tandem_kernel::money::Currency;
use tandem_platform::idempotency::Request;
use tandem_platform::{Call, Fault, Outcome, Violations, field, grpc};
use tandem_proto::common::v1::{self as common, QuoteClaims, SealedCode, SealedLine};
use tandem_proto::convert;
use tandem_proto::relationship::v1::{self, hold_vouchers_request, redeem_vouchers_request};

use super::super::guesses::Leave;
use super::super::quote::spread_payment;
use super::super::{
    CardReturns, Command, Intent, MAX_CODES, Membership, Person, Plain, Quote, QuotedCode, Reason, Refusal,
    Refused, RollBack, Share, Take, What,
};
use crate::{App, segment};

const MAX_CLIENT_CHARS: usize = 128;

pub(super) fn validate(request: v1::ValidateVouchersRequest) -> Outcome<(Plain, Person)> {
    let mut v = Violations::new();
    let person = person(&mut v, &request.customer, &request.guest_key);
    let client_id = client_id(&mut v, request.client_id);
    let plain = match &request.plain {
        Some(given) => plain(&mut v, given, client_id),
        None => {
            v.add("plain", "is required");
            None
        }
    };
    finish(v, plain).map(|plain| (plain, person))
}

pub(super) async fn redeem(
    app: &Arc<App>,
    call: &Call,
    mut given: v1::RedeemVouchersRequest,
) -> Outcome<(Request, Command)> {
    let mut v = Violations::new();
    let client_id = client_id(&mut v, std::mem::take(&mut given.client_id));
    let request = request(&mut v, "RedeemVouchers", std::mem::take(&mut given.request_id), &given);
    let order = order_id(&mut v, given.order_id);
    let replaces = replaced(&mut v, given.replaces_order_id, &order);
    let person = person(&mut v, &given.customer, &given.guest_key);
    let brought = match given.what {
        None => Brought::Nothing,
        Some(redeem_vouchers_request::What::QuoteToken(token)) => Brought::Token(token),
        Some(redeem_vouchers_request::What::Plain(given)) => Brought::Plain(plain(&mut v, &given, client_id)),
    };
    let (what, person) = what(app, call, v, brought, &order, &given.order_digest, person).await?;
    let (partial, conclusive) = (given.partial, given.conclusive);
    let of_order = given.of_order;
    let take = Take { order, intent: Intent::Redeem, what, person, partial, conclusive, replaces, of_order };
    Ok((request, Command::Take(take)))
}

pub(super) async fn hold(
    app: &Arc<App>,
    call: &Call,
    mut given: v1::HoldVouchersRequest,
) -> Outcome<(Request, Command)> {
    let mut v = Violations::new();
    let client_id = client_id(&mut v, std::mem::take(&mut given.client_id));
    let request = request(&mut v, "HoldVouchers", std::mem::take(&mut given.request_id), &given);
    let order = order_id(&mut v, given.order_id);
    let person = person(&mut v, &given.customer, &given.guest_key);
    let usual = SignedDuration::from_secs(app.config.redemption.hold_ttl_s.into());
    let ttl = field::hold_ttl(&mut v, given.ttl.as_ref(), usual);
    let brought = match given.what {
        None => {
            v.add("quote_token", "either quote_token or plain is required");
            Brought::Nothing
        }
        Some(hold_vouchers_request::What::QuoteToken(token)) => Brought::Token(token),
        Some(hold_vouchers_request::What::Plain(given)) => Brought::Plain(plain(&mut v, &given, client_id)),
    };
    let (what, person) = what(app, call, v, brought, &order, &given.order_digest, person).await?;
    let (partial, conclusive) = (given.partial, given.conclusive);
    let (intent, replaces, of_order) = (Intent::Hold { ttl }, None, given.of_order);
    let take = Take { order, intent, what, person, partial, conclusive, replaces, of_order };
    Ok((request, Command::Take(take)))
}

pub(super) fn release(mut given: v1::ReleaseHoldRequest) -> Outcome<(Request, Command)> {
    let mut v = Violations::new();
    let request = request(&mut v, "ReleaseHold", std::mem::take(&mut given.request_id), &given);
    let order = order_id(&mut v, given.order_id);
    v.finish()?;
    Ok((request, Command::Release { order, of_order: given.of_order }))
}

pub(super) fn roll_back(mut given: v1::RollbackRedemptionRequest) -> Outcome<(Request, Command)> {
    let mut v = Violations::new();
    let request = request(&mut v, "RollbackRedemption", std::mem::take(&mut given.request_id), &given);
    let reason = match given.reason() {
        v1::RollbackReason::Cancelled => Some(Reason::Cancelled),
        v1::RollbackReason::Returned => Some(Reason::Returned),
        v1::RollbackReason::Mistake => Some(Reason::Mistake),
        v1::RollbackReason::Unspecified => {
            v.add("reason", "must be CANCELLED, RETURNED or MISTAKE");
            None
        }
    };
    let order = order_id(&mut v, given.order_id);
    v.check(given.lines.len() <= MAX_LINES, "lines", "must have at most 500 entries");
    let units = given.lines.iter().map(|line| (line.line_id.clone(), line.quantity));
    let lines = field::units(&mut v, "lines", units, MAX_LINES);
    let code = Typed::read(&given.code);
    v.check(
        code.is_some() || given.code.is_empty(),
        "code",
        "must not be blank: empty is all of the order's",
    );
    let cards = given.gift_cards.map(|cards| card_returns(&mut v, cards));
    let of_order = given.of_order;
    let asked = |reason| Command::RollBack(RollBack { order, lines, reason, code, cards, of_order });
    finish(v, reason).map(|reason| (request, asked(reason)))
}

fn card_returns(v: &mut Violations, given: v1::GiftCardReturns) -> CardReturns {
    let most = format!("must have at most {MAX_CODES} entries");
    v.check(given.returns.len() <= MAX_CODES, "gift_cards.returns", most);
    let mut returns = Vec::new();
    for (index, card) in given.returns.into_iter().take(MAX_CODES).enumerate() {
        let mut v = v.nest(format!("gift_cards.returns[{index}]"));
        let code = Typed::read(&card.code);
        v.check(code.is_some(), "code", "is required");
        v.check(card.amount.is_some(), "amount", "is required");
        let read = |amount| field::read(&mut v, |found| convert::money("amount", &amount, found));
        let amount = card.amount.and_then(read);
        v.check(amount.is_none_or(|amount| amount.minor > 0), "amount", "must be above 0");
        returns.extend(code.zip(amount));
    }
    CardReturns { returns, no_lines: given.no_lines }
}

/// What a call brings along, before it is opened.
enum Brought {
    Nothing,
    Token(String),
    Plain(Option<Plain>),
}

/// Ends the reading: violations first, then what the token says.
async fn what(
    app: &Arc<App>,
    call: &Call,
    mut v: Violations,
    brought: Brought,
    order: &str,
    order_digest: &str,
    person: Person,
) -> Outcome<(What, Person)> {
    let with_token = matches!(brought, Brought::Token(_));
    v.check(with_token || order_digest.is_empty(), "order_digest", "only together with quote_token");
    match brought {
        Brought::Nothing => {
            v.finish()?;
            Ok((What::Held, person))
        }
        Brought::Plain(plain) => {
            let mut plain = finish(v, plain)?;
            add_segments(app, call, &mut plain, &person).await?;
            Ok((What::Plain(Box::new(plain)), person))
        }
        Brought::Token(token) => {
            v.finish()?;
            let (quote, person) = quote(app, call, &token, order, order_digest, person)?;
            Ok((What::Quote(Box::new(quote)), person))
        }
    }
}

/// Opens a quote and sees that it is meant for this call.
fn quote(
    app: &App,
    call: &Call,
    token: &str,
    order: &str,
    order_digest: &str,
    person: Person,
) -> Outcome<(Quote, Person)> {
    let invalid = || Refused::whole(Refusal::QuoteTokenInvalid);
    let claims = convert::open_claims(token, &app.keys).map_err(|_| invalid())?;
    let mismatch = |message: &'static str| Refused::because(Refusal::QuoteTokenMismatch, message);
    if claims.tenant != call.tenant.as_str() {
        return Err(mismatch("the quote is of another tenant").into());
    }
    if !claims.order_id.is_empty() && claims.order_id != order {
        return Err(mismatch("the quote is of another order").into());
    }
    if !order_digest.is_empty() && !is_hexadecimal_of(order_digest, &claims.order_digest) {
        return Err(mismatch("the quote is of another basket").into());
    }
    let sealed_customer = claims.customer.strip_prefix("customers/").unwrap_or(&claims.customer);
    let other = |given: &Option<String>, sealed: &str| given.as_deref().is_some_and(|given| given != sealed);
    if other(&person.customer, sealed_customer) || other(&person.guest, &claims.guest_key) {
        return Err(mismatch("the quote is of another customer").into());
    }
    if claims.degraded {
        return Err(Refused::whole(Refusal::QuoteDegraded).into());
    }
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let person = Person { customer: known(sealed_customer), guest: known(&claims.guest_key) };
    let quote = opened(claims).ok_or_else(invalid)?;
    Ok((quote, person))
}

/// What redeeming needs of the claims; `None` where they are not what a quote of ours says.
fn opened(claims: QuoteClaims) -> Option<Quote> {
    let currency = Currency::new(&claims.currency_code).ok()?;
    let (lines, shipping) = (claims.lines, claims.shipping_minor);
    let off_shipping: i64 = claims.offers.iter().map(|offer| offer.shipping_minor).sum::<i64>()
        + claims.codes.iter().filter(|code| !code.tender).map(|code| code.shipping_minor).sum::<i64>();
    let codes = claims.codes.into_iter().map(|sealed| code(sealed, &lines, shipping - off_shipping));
    Some(Quote {
        currency,
        issued: instant(claims.issue_time?)?,
        expires: instant(claims.expire_time?)?,
        place: claims.place,
        attributes: claims.limit_attributes,
        total: claims.total_minor,
        codes: codes.collect::<Option<_>>()?,
    })
}

fn code(sealed: SealedCode, lines: &[SealedLine], shipping: i64) -> Option<QuotedCode> {
    let incentive = tandem_kernel::id::parse("incentives", &sealed.incentive).ok()?.to_owned();
    let (shares, of_shipping) = if sealed.tender {
        let costs = lines.iter().map(|line| (line.id.clone(), line.quantity, line.final_minor));
        spread_payment(sealed.amount_minor, costs, shipping)
    } else {
        let share =
            |line: &SealedLine| Share { line: line.id.clone(), quantity: line.quantity, amount: 0, back: 0 };
        let mut shares: Vec<Share> = lines.iter().map(share).collect();
        for given in &sealed.shares {
            shares.get_mut(usize::try_from(given.line).ok()?)?.amount = given.minor;
        }
        (shares, sealed.shipping_minor)
    };
    Some(QuotedCode {
        code: sealed.code,
        incentive,
        version: sealed.version,
        amount: sealed.amount_minor,
        lines: shares,
        shipping: of_shipping,
        tender: sealed.tender,
        segments: sealed.segments,
    })
}

fn instant(at: prost_types::Timestamp) -> Option<Timestamp> {
    convert::timestamp("", &at, &mut Vec::new())
}

fn is_hexadecimal_of(text: &str, bytes: &[u8]) -> bool {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.eq_ignore_ascii_case(text)
}

fn finish<T>(v: Violations, value: Option<T>) -> Outcome<T> {
    v.finish()?;
    value.ok_or_else(|| Fault::internal("a request was neither read nor refused"))
}

/// What makes the call the same as its repetition; `body` is the request without its request_id.
fn request(v: &mut Violations, method: &'static str, id: String, body: &impl prost::Message) -> Request {
    grpc::request_id(v, &id);
    Request::new(method, &id, body)
}

fn order_id(v: &mut Violations, id: String) -> String {
    field::order_id(v, "order_id", id)
}

/// The order that `order` replaces; empty is none.
fn replaced(v: &mut Violations, id: String, order: &str) -> Option<String> {
    if id.is_empty() {
        return None;
    }
    let replaced = field::order_id(v, "replaces_order_id", id);
    v.check(replaced != order, "replaces_order_id", "must be another order than order_id");
    Some(replaced)
}

fn person(v: &mut Violations, customer: &str, given: &str) -> Person {
    let customer = field::optional_resource(v, "customer", "customers", customer);
    Person { customer, guest: guest_key(v, given) }
}

/// The key that stands for a guest; empty is none.
pub fn guest_key(v: &mut Violations, given: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let shaped = given.is_empty() || ((16..=128).contains(&given.len()) && given.bytes().all(plain));
    v.check(shaped, "guest_key", "must be 16 to 128 characters of base64url");
    (!given.is_empty()).then(|| given.to_owned())
}

/// What was typed as codes: at least `least` entries, at most [`MAX_CODES`] that are not empty. What can be no code is for the
/// decision to say.
pub fn codes(v: &mut Violations, field: &str, given: &[String], least: usize) -> Vec<Typed> {
    let typed: Vec<Typed> = given.iter().filter_map(|code| Typed::read(code)).take(MAX_CODES + 1).collect();
    let fits = given.len() >= least && typed.len() <= MAX_CODES;
    v.check(fits, field, format!("must be {least} to {MAX_CODES} codes"));
    typed
}

/// By which the shopper is told apart from others; no part of what is asked for.
pub fn client_id(v: &mut Violations, given: String) -> String {
    field::text(v, "client_id", given, 0..=MAX_CLIENT_CHARS)
}

fn plain(v: &mut Violations, given: &v1::PlainBasket, client_id: String) -> Option<Plain> {
    let mut v = v.nest("plain");
    let basket = basket(&mut v, given.basket.as_ref());
    let codes = codes(&mut v, "codes", &given.codes, 1);
    let place = place(&mut v, given.place.clone());
    let (segments, leave) = (Membership::In(Vec::new()), Leave::default());
    Some(Plain { basket: basket?, codes, place, segments, client_id, leave })
}

fn basket(v: &mut Violations, given: Option<&common::Basket>) -> Option<Basket> {
    v.check(given.is_some(), "basket", "is required");
    field::read(v, |problems| convert::basket("basket", given?, problems))
}

/// Where an order is placed.
pub fn place(v: &mut Violations, given: String) -> String {
    let place = field::text(v, "place", given, 0..=128);
    field::place(v, "place", place)
}

/// ListUsableVouchers, read.
pub(super) struct Usable {
    /// Where codes are tried; it has none of its own.
    pub plain: Plain,
    pub person: Person,
    pub customer: String,
    pub with_others: bool,
    pub size: usize,
}

pub(super) fn usable(given: v1::ListUsableVouchersRequest) -> Outcome<Usable> {
    let mut v = Violations::new();
    let customer = field::resource(&mut v, "customer", "customers", &given.customer);
    let basket = basket(&mut v, given.basket.as_ref());
    let place = place(&mut v, given.place);
    let size = grpc::page_size(&mut v, given.page_size) as usize;
    let basket = finish(v, basket)?;
    let plain = Plain {
        basket,
        codes: Vec::new(),
        place,
        segments: Membership::In(Vec::new()),
        client_id: String::new(),
        leave: Leave::Every,
    };
    let person = Person { customer: Some(customer.clone()), guest: None };
    Ok(Usable { plain, person, customer, with_others: given.include_unusable, size })
}

/// The segments that the customer is in; nobody is in none.
pub(super) async fn add_segments(app: &App, call: &Call, plain: &mut Plain, person: &Person) -> Outcome<()> {
    let Some(id) = &person.customer else { return Ok(()) };
    let mut reader = app.db.read().await?;
    let now = app.clock.now();
    let found = app.catalogues.customers(&mut reader, &call.tenant, vec![id.clone()], now).await?;
    drop(reader);
    plain.segments =
        Membership::In(segment::commands::judged(app, &call.tenant, found, id.clone(), Vec::new()).await?);
    Ok(())
}
