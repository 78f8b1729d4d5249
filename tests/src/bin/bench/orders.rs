//! Orders to redeem, made in advance: each with a customer and a sealed token of its own.

use std::time::Duration;

use prost::Message;
use prost::bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tandem_kernel::clock::{Clock, SystemClock};
use tandem_kernel::seal::Keyring;
use tandem_platform::config::ServerConfig;
use tandem_proto::common::v1::{QuoteClaims, SealedCode, SealedLine, SealedOffer, SealedShare};
use tandem_proto::convert;
use tandem_proto::relationship::v1::{RedeemVouchersRequest, redeem_vouchers_request};

use crate::Outcome;
use crate::args::{INCENTIVES, Scale};
use crate::people::{FIRST_CODE, FIRST_INCENTIVE, HOT, HOT_CODE, ONE, customer_name, incentive_of};

/// The method.
pub const PATH: &str = "/tandem.relationship.v1.VoucherService/RedeemVouchers";
/// What each code takes off, in minor units.
pub const AMOUNT: i64 = 450;

const LINES: u32 = 3;
const LINE_PRICE: i64 = 3_000;
/// The fastest anybody hopes for: requests are made for so many calls a second.
const MOST_PER_SECOND: f64 = 40_000.0;
const TOKEN_LIFE: Duration = Duration::from_secs(15 * 60);

/// Which codes the orders bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    /// All the same.
    Hot,
    /// Any of the codes of many incentives.
    Many,
    /// Any of the codes of one incentive.
    One,
}

/// Makes orders; no two alike.
pub struct Orders {
    keys: Keyring,
    scale: Scale,
    random: StdRng,
    made: u64,
    /// Tells the orders of this run from any other's.
    prefix: &'static str,
}

impl Orders {
    /// Sealed with the key for development, as both services have it without settings.
    pub fn new(scale: Scale, prefix: &'static str) -> Outcome<Self> {
        let keys = tandem_platform::seal::keyring("", &ServerConfig::default())?;
        Ok(Self { keys, scale, random: StdRng::seed_from_u64(11), made: 0, prefix })
    }

    /// More orders than can be redeemed in `time`.
    pub fn for_time(&mut self, codes: Codes, time: Duration) -> Vec<Bytes> {
        let count = (time.as_secs_f64() * MOST_PER_SECOND) as usize;
        (0..count).map(|_| self.any(codes)).collect()
    }

    fn any(&mut self, codes: Codes) -> Bytes {
        let customer = self.random.random_range(0..self.scale.customers);
        let (code, incentive) = match codes {
            Codes::Hot => (HOT_CODE.to_owned(), HOT.to_owned()),
            Codes::Many => {
                let number = FIRST_CODE + self.random.random_range(0..self.scale.many_codes);
                (format!("M{number}"), incentive_of(number))
            }
            Codes::One => {
                let number = FIRST_CODE + self.random.random_range(0..self.scale.one_codes);
                (format!("L{number}"), ONE.to_owned())
            }
        };
        self.of(customer, code, &incentive)
    }

    /// One order for each incentive, by one customer: the counters of all exist then.
    pub fn one_of_each(&mut self, customer: u32) -> Vec<Bytes> {
        let mut orders = vec![
            self.of(customer, HOT_CODE.to_owned(), HOT),
            self.of(customer, format!("L{FIRST_CODE}"), ONE),
        ];
        for number in 0..INCENTIVES {
            let incentive = format!("m{}", FIRST_INCENTIVE + number);
            orders.push(self.of(customer, format!("M{}", FIRST_CODE + number), &incentive));
        }
        orders
    }

    /// One order of one code.
    pub fn of(&mut self, customer: u32, code: String, incentive: &str) -> Bytes {
        self.made += 1;
        let order_id = format!("{}-{:010}", self.prefix, self.made);
        let claims = claims(&order_id, customer_name(customer), code, incentive);
        let request = RedeemVouchersRequest {
            request_id: format!("r-{order_id}"),
            order_id,
            customer: claims.customer.clone(),
            what: Some(redeem_vouchers_request::What::QuoteToken(convert::seal_claims(&claims, &self.keys))),
            ..Default::default()
        };
        Bytes::from(request.encode_to_vec())
    }
}

/// What campaign-svc would have sealed: three lines, an offer, and the code.
fn claims(order: &str, customer: String, code: String, incentive: &str) -> QuoteClaims {
    let now = SystemClock.now();
    let line = |number: u32| SealedLine {
        id: format!("line-{number}"),
        product: format!("products/p{}", 100 + number),
        quantity: 1,
        list_minor: LINE_PRICE,
        initial_minor: LINE_PRICE,
        final_minor: LINE_PRICE - 100 - AMOUNT / i64::from(LINES),
        ..Default::default()
    };
    let shares = |minor| (0..LINES).map(|line| SealedShare { line, minor }).collect();
    QuoteClaims {
        tenant: "default".to_owned(),
        order_id: order.to_owned(),
        order_digest: vec![7; 32].into(),
        customer,
        currency_code: "EUR".to_owned(),
        issue_time: Some(convert::to_timestamp(now)),
        expire_time: Some(convert::to_timestamp(now + TOKEN_LIFE)),
        list_minor: LINE_PRICE * i64::from(LINES),
        total_minor: (LINE_PRICE - 100) * i64::from(LINES) - AMOUNT + 490,
        lines: (0..LINES).map(line).collect(),
        offers: vec![SealedOffer {
            offer: "campaigns/spring/offers/volume".to_owned(),
            revision: 1,
            amount_minor: 100 * i64::from(LINES),
            shares: shares(100),
            ..Default::default()
        }],
        codes: vec![SealedCode {
            code,
            incentive: format!("incentives/{incentive}"),
            version: 1,
            amount_minor: AMOUNT,
            shares: shares(AMOUNT / i64::from(LINES)),
            ..Default::default()
        }],
        shipping_minor: 490,
        place: "DE/shops/web".to_owned(),
        tax_mode: 1,
        ..Default::default()
    }
}
