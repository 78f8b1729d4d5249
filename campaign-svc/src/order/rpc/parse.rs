//! From the contract to commands, every violation at once.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use tandem_kernel::basket::TaxMode;
use tandem_kernel::money::Currency;
use tandem_platform::idempotency::Request;
use tandem_platform::{Call, Fault, Outcome, Violations, field, grpc};
use tandem_proto::campaign::v1::{
    CancelOrderRequest, CommitOrderRequest, ErrorReason, HoldOrderRequest, ReturnOrderLinesRequest,
    return_order_lines_request,
};
use tandem_proto::common::v1::{self, QuoteClaims, SealedShare};
use tandem_proto::convert;

use super::super::decide::{Begin, Command, Intent};
use super::super::refund::Shipping;
use super::super::{Code, Discount, Line, Person, Sold};
use crate::App;

/// The most lines of one return.
const MAX_RETURNED: usize = tandem_kernel::basket::MAX_LINES;

pub(super) fn hold(app: &App, call: &Call, mut given: HoldOrderRequest) -> Outcome<(Request, Command)> {
    let mut v = Violations::new();
    let request = request(&mut v, "HoldOrder", std::mem::take(&mut given.request_id), &given);
    let usual = SignedDuration::from_secs(app.config.order.hold_ttl_s.into());
    let ttl = field::hold_ttl(&mut v, given.ttl.as_ref(), usual);
    let order = field::order_id(&mut v, "order_id", given.order_id);
    v.check(!given.quote_token.is_empty(), "quote_token", "is required");
    v.finish()?;
    let intent = Intent::Hold { ttl };
    Ok((request, begin(app, call, order, given.quote_token, intent, None)?))
}

pub(super) fn commit(app: &App, call: &Call, mut given: CommitOrderRequest) -> Outcome<(Request, Command)> {
    let mut v = Violations::new();
    let request = request(&mut v, "CommitOrder", std::mem::take(&mut given.request_id), &given);
    let order = field::order_id(&mut v, "order_id", given.order_id);
    v.check(!given.quote_token.is_empty(), "quote_token", "is required");
    let replaces = (!given.replaces.is_empty()).then(|| field::order(&mut v, "replaces", &given.replaces));
    v.check(replaces.as_ref() != Some(&order), "replaces", "must be another order");
    v.finish()?;
    Ok((request, begin(app, call, order, given.quote_token, Intent::Commit, replaces)?))
}

pub(super) fn cancel(mut given: CancelOrderRequest) -> Outcome<(Request, Command)> {
    let mut v = Violations::new();
    let request = request(&mut v, "CancelOrder", std::mem::take(&mut given.request_id), &given);
    let order = field::order(&mut v, "name", &given.name);
    v.finish()?;
    Ok((request, Command::Cancel { order }))
}

pub(super) fn take_back(mut given: ReturnOrderLinesRequest) -> Outcome<(Request, Command)> {
    let mut v = Violations::new();
    let request = request(&mut v, "ReturnOrderLines", std::mem::take(&mut given.request_id), &given);
    let order = field::order(&mut v, "name", &given.name);
    let shipping = shipping(&mut v, given.shipping.clone());
    let least = usize::from(shipping == Shipping::None);
    let message = format!("must have {least} to {MAX_RETURNED} entries, has {}", given.lines.len());
    v.check((least..=MAX_RETURNED).contains(&given.lines.len()), "lines", message);
    let given = given.lines.into_iter().map(|line| (line.line_id, line.quantity));
    let lines = field::units(&mut v, "lines", given, MAX_RETURNED);
    v.finish()?;
    Ok((request, Command::Return { order, lines, shipping }))
}

/// How much of the shipping is to come back. The currency is the order's, which is not known here.
fn shipping(v: &mut Violations, given: Option<return_order_lines_request::Shipping>) -> Shipping {
    match given {
        None | Some(return_order_lines_request::Shipping::WholeShipping(false)) => Shipping::None,
        Some(return_order_lines_request::Shipping::WholeShipping(true)) => Shipping::Whole,
        Some(return_order_lines_request::Shipping::ShippingAmount(money)) => {
            let read = crate::field::read(v, |found| convert::money("shipping_amount", &money, found));
            v.check(read.is_none_or(|money| money.minor > 0), "shipping_amount", "must be above 0");
            read.map_or(Shipping::Whole, Shipping::Part)
        }
    }
}

fn request(v: &mut Violations, method: &'static str, id: String, body: &impl prost::Message) -> Request {
    grpc::request_id(v, &id);
    Request::new(method, &id, body)
}

/// Opens a quote and sees that it is meant for this order.
fn begin(
    app: &App,
    call: &Call,
    order: String,
    token: String,
    intent: Intent,
    replaces: Option<String>,
) -> Outcome<Command> {
    let invalid =
        || Fault::precondition(ErrorReason::QuoteTokenInvalid, "the quote_token is not one of ours");
    let claims = convert::open_claims(&token, &app.keys).map_err(|_| invalid())?;
    let mismatch = |message| Fault::precondition(ErrorReason::QuoteTokenMismatch, message);
    if claims.tenant != call.tenant.as_str() {
        return Err(mismatch("the quote is of another tenant"));
    }
    if !claims.order_id.is_empty() && claims.order_id != order {
        return Err(mismatch("the quote is of another order"));
    }
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let customer = claims.customer.strip_prefix("customers/").unwrap_or(&claims.customer);
    let person = Person { customer: known(customer), guest: known(&claims.guest_key) };
    let sold = sold(claims).ok_or_else(invalid)?;
    let sold = Arc::new(sold);
    Ok(Command::Begin(Box::new(Begin { order, intent, person, sold, token, replaces })))
}

/// What a quote of ours says; `None` where it is none.
fn sold(claims: QuoteClaims) -> Option<Sold> {
    let lines = claims.lines.into_iter().map(|line| Line {
        rule: (!line.price_rule.is_empty()).then_some((line.price_rule, line.revision)),
        product: line.product.strip_prefix("products/").map(str::to_owned).unwrap_or(line.product),
        id: line.id,
        quantity: line.quantity,
        list: line.list_minor,
        initial: line.initial_minor,
        last: line.final_minor,
        tax_rate_ppm: line.tax_rate_ppm,
        back: 0,
    });
    let offers = claims.offers.into_iter().map(|offer| Discount {
        source: offer.offer,
        revision: offer.revision,
        amount: offer.amount_minor,
        shipping: offer.shipping_minor,
        shares: shares(&offer.shares),
        segments: offer.segments,
    });
    let codes = claims.codes.into_iter().map(|code| Code {
        code: code.code,
        tender: code.tender,
        discount: Discount {
            source: code.incentive,
            revision: code.version,
            amount: code.amount_minor,
            shipping: code.shipping_minor,
            shares: shares(&code.shares),
            segments: Vec::new(),
        },
    });
    Some(Sold {
        currency: Currency::new(&claims.currency_code).ok()?,
        place: claims.place,
        attributes: claims.limit_attributes,
        digest: claims.order_digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        issued: instant(claims.issue_time?)?,
        lapses: instant(claims.expire_time?)?,
        list: claims.list_minor,
        total: claims.total_minor,
        shipping: claims.shipping_minor,
        lines: lines.collect(),
        offers: offers.collect(),
        codes: codes.collect(),
        tax_mode: match v1::TaxMode::try_from(claims.tax_mode) {
            Ok(v1::TaxMode::Exclusive) => TaxMode::Exclusive,
            _ => TaxMode::Inclusive,
        },
        due: claims.due_minor,
        refunds: Vec::new(),
        explanation: claims.explanation.map(|sealed| STANDARD_NO_PAD.encode(sealed)),
        charges: Vec::new(),
    })
}

fn shares(given: &[SealedShare]) -> Vec<(usize, i64)> {
    given.iter().filter_map(|share| Some((usize::try_from(share.line).ok()?, share.minor))).collect()
}

fn instant(at: prost_types::Timestamp) -> Option<Timestamp> {
    convert::timestamp("", &at, &mut Vec::new())
}
