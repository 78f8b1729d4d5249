//! Sets a stage over gRPC, and makes the requests that are played on it. Everything is in euro unless it says so.

mod campaigns;
pub mod orders;
mod services;
mod vouchers;

use tandem_kernel::clock::{Clock, Ids, SystemClock, SystemIds};
use tandem_kernel::money;
use tandem_platform::config::ServerConfig;
use tandem_platform::seal;
use tandem_platform::secret::Secret;
use tandem_proto::common::v1::discount::Kind;
use tandem_proto::common::v1::{
    AmountDiscount, Basket, Discount, Line, Money, PercentDiscount, QuoteClaims, SealedCode, SealedLine,
    SealedShare,
};
use tandem_proto::convert::{seal_claims, to_timestamp};
use tandem_proto::relationship::v1::{
    HoldVouchersRequest, Incentive, PlainBasket, RedeemVouchersRequest, ReleaseHoldRequest, RollbackReason,
    RollbackRedemptionRequest, hold_vouchers_request, redeem_vouchers_request,
};
use uuid::Uuid;

pub use campaigns::Campaigns;
pub use services::{Pair, Twins, start_relationship};
pub use vouchers::{Answer, Relationship, Request, upserted};

/// An id that nobody else has.
pub fn fresh_id() -> Uuid {
    SystemIds.next(SystemClock.now())
}

/// So many seconds from now, which may be negative.
pub fn in_seconds(seconds: i64) -> prost_types::Timestamp {
    to_timestamp(SystemClock.now() + jiff::SignedDuration::from_secs(seconds))
}

/// Cents.
pub fn eur(minor: i64) -> Money {
    amount(minor, "EUR")
}

/// Minor units of any currency.
///
/// # Panics
/// Where there is no such currency.
pub fn amount(minor: i64, currency: &str) -> Money {
    let currency = money::Currency::new(currency).expect("a currency of ISO 4217");
    money::Money::new(minor, currency).into()
}

/// Cents of an amount; nothing where it is absent.
pub fn minor(money: Option<&Money>) -> i64 {
    money.map_or(0, |money| {
        let currency = money::Currency::new(&money.currency_code).expect("a currency of ISO 4217");
        money::Money::from_units_nanos(currency, money.units, money.nanos).expect("an exact amount").minor
    })
}

/// A share of the goods.
pub fn percent(rate_ppm: i32) -> Discount {
    Discount { kind: Some(Kind::Percent(PercentDiscount { rate_ppm })), ..Discount::default() }
}

/// So much off the order.
pub fn off(minor: i64) -> Discount {
    let off = AmountDiscount { amounts: vec![eur(minor)], ..AmountDiscount::default() };
    Discount { kind: Some(Kind::Amount(off)), ..Discount::default() }
}

/// For everyone, at any time, any number of times.
pub fn incentive(discount: Discount) -> Incentive {
    Incentive { discount: Some(discount), unlimited_uses_per_code: true, ..Incentive::default() }
}

/// A basket of (line, units, unit price in cents); the products are called like the lines.
pub fn basket(lines: &[(&str, i64, i64)]) -> Basket {
    let line = |(id, quantity, price): &(&str, i64, i64)| Line {
        id: (*id).to_owned(),
        product: format!("products/{id}"),
        quantity: *quantity,
        unit_price: Some(eur(*price)),
        ..Line::default()
    };
    Basket { currency_code: "EUR".to_owned(), lines: lines.iter().map(line).collect(), ..Basket::default() }
}

/// What campaign-svc would have sealed for an order over three units at 100.00 each, with (code, incentive, cents off).
/// Empty order: for any one order.
///
/// # Panics
/// Never with amounts below 300.00 together.
pub fn quoted(order: &str, customer: &str, codes: &[(&str, &str, i64)]) -> QuoteClaims {
    let off: i64 = codes.iter().map(|(_, _, minor)| minor).sum();
    let line = SealedLine {
        id: "1".to_owned(),
        product: "products/1".to_owned(),
        quantity: 3,
        list_minor: 30_000,
        initial_minor: 30_000,
        final_minor: 30_000 - off,
        ..SealedLine::default()
    };
    let sealed = |(code, incentive, minor): &(&str, &str, i64)| SealedCode {
        code: (*code).to_owned(),
        incentive: format!("incentives/{incentive}"),
        version: 1,
        amount_minor: *minor,
        shares: vec![SealedShare { line: 0, minor: *minor }],
        ..SealedCode::default()
    };
    QuoteClaims {
        tenant: "default".to_owned(),
        order_id: order.to_owned(),
        order_digest: vec![7; 32].into(),
        customer: customer.to_owned(),
        currency_code: "EUR".to_owned(),
        issue_time: Some(in_seconds(0)),
        expire_time: Some(in_seconds(900)),
        list_minor: 30_000,
        total_minor: 30_000 - off,
        lines: vec![line],
        codes: codes.iter().map(sealed).collect(),
        ..QuoteClaims::default()
    }
}

/// Seals with the key for development, which both services take where no other is set.
///
/// # Panics
/// Never.
pub fn sealed(claims: &QuoteClaims) -> String {
    let keys = seal::keyring(&Secret::default(), &ServerConfig::default()).expect("the key for development");
    seal_claims(claims, &keys)
}

/// Redeems what a quote promised.
pub fn redeem_quote(order: &str, claims: &QuoteClaims) -> RedeemVouchersRequest {
    RedeemVouchersRequest {
        order_id: order.to_owned(),
        what: Some(redeem_vouchers_request::What::QuoteToken(sealed(claims))),
        customer: claims.customer.clone(),
        guest_key: claims.guest_key.clone(),
        request_id: format!("redeem-{order}"),
        ..RedeemVouchersRequest::default()
    }
}

/// Redeems codes on a basket.
pub fn redeem_plain(order: &str, basket: Basket, codes: &[&str]) -> RedeemVouchersRequest {
    RedeemVouchersRequest {
        order_id: order.to_owned(),
        what: Some(redeem_vouchers_request::What::Plain(plain(basket, codes))),
        request_id: format!("redeem-{order}"),
        ..RedeemVouchersRequest::default()
    }
}

/// Redeems what the order holds.
pub fn redeem_held(order: &str) -> RedeemVouchersRequest {
    RedeemVouchersRequest {
        order_id: order.to_owned(),
        request_id: format!("redeem-{order}"),
        ..RedeemVouchersRequest::default()
    }
}

/// Holds what a quote promised for so many seconds.
pub fn hold_quote(order: &str, claims: &QuoteClaims, seconds: i64) -> HoldVouchersRequest {
    HoldVouchersRequest {
        order_id: order.to_owned(),
        what: Some(hold_vouchers_request::What::QuoteToken(sealed(claims))),
        customer: claims.customer.clone(),
        guest_key: claims.guest_key.clone(),
        ttl: Some(prost_types::Duration { seconds, nanos: 0 }),
        request_id: format!("hold-{order}"),
        ..HoldVouchersRequest::default()
    }
}

/// Gives the hold of an order back.
pub fn release(order: &str) -> ReleaseHoldRequest {
    ReleaseHoldRequest { order_id: order.to_owned(), request_id: format!("release-{order}"), of_order: false }
}

/// Takes a whole order back as cancelled.
pub fn roll_back(order: &str) -> RollbackRedemptionRequest {
    RollbackRedemptionRequest {
        order_id: order.to_owned(),
        reason: RollbackReason::Cancelled.into(),
        request_id: format!("rollback-{order}"),
        ..RollbackRedemptionRequest::default()
    }
}

/// A basket with codes.
pub fn plain(basket: Basket, codes: &[&str]) -> PlainBasket {
    let codes = codes.iter().map(|code| (*code).to_owned()).collect();
    PlainBasket { basket: Some(basket), codes, ..PlainBasket::default() }
}
