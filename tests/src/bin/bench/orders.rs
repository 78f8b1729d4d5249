//! Orders to redeem and to commit, made in advance: each with a customer and a sealed token of its own.

use std::time::Duration;

use prost::Message;
use prost::bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tandem_kernel::clock::{Clock, SystemClock};
use tandem_kernel::seal::Keyring;
use tandem_platform::config::ServerConfig;
use tandem_platform::secret::Secret;
use tandem_proto::campaign::v1::CommitOrderRequest;
use tandem_proto::common::v1::{QuoteClaims, SealedCode, SealedLine, SealedOffer, SealedShare};
use tandem_proto::convert;
use tandem_proto::relationship::v1::{RedeemVouchersRequest, redeem_vouchers_request};

use crate::Outcome;
use crate::args::{INCENTIVES, Scale};
use crate::catalogue::{FIRST_LIMITED, LIMITED, OFFER};
use crate::people::{FIRST_CODE, HOT, HOT_CODE, ONE, customer_name, incentive_of};

/// The method that redeems.
pub const REDEEM: &str = "/tandem.relationship.v1.VoucherService/RedeemVouchers";
/// The method that commits.
pub const COMMIT: &str = "/tandem.campaign.v1.OrderService/CommitOrder";
/// What each code takes off, in minor units.
pub const AMOUNT: i64 = 450;
/// What each offer takes off, in minor units.
pub const OFFERED: i64 = 300;

const LINES: u32 = 3;
const LINE_PRICE: i64 = 3_000;
const SHIPPING: i64 = 490;
/// The fastest anybody hopes for: requests are made for so many calls a second.
pub const MOST_PER_SECOND: f64 = 40_000.0;
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

impl Codes {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot code",
            Self::Many => "many incentives",
            Self::One => "one incentive",
        }
    }
}

/// A code that an order brings, and its incentive.
#[derive(Debug, Clone)]
pub struct Brought {
    /// As typed.
    pub code: String,
    /// Its id.
    pub incentive: String,
}

impl Brought {
    /// The code everybody uses.
    pub fn hot() -> Self {
        Self { code: HOT_CODE.to_owned(), incentive: HOT.to_owned() }
    }

    /// One of the codes of many incentives; the first has the number 0.
    pub fn of_many(number: u32) -> Self {
        let number = FIRST_CODE + number;
        Self { code: format!("M{number}"), incentive: incentive_of(number) }
    }

    fn of_one(number: u32) -> Self {
        Self { code: format!("L{}", FIRST_CODE + number), incentive: ONE.to_owned() }
    }
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
        Ok(Self { keys: development_keys()?, scale, random: StdRng::seed_from_u64(11), made: 0, prefix })
    }

    /// More orders than can be sent in `time`.
    pub fn for_time(&mut self, time: Duration, mut make: impl FnMut(&mut Self) -> Bytes) -> Vec<Bytes> {
        let count = (time.as_secs_f64() * MOST_PER_SECOND) as usize;
        (0..count).map(|_| make(self)).collect()
    }

    /// Redeems a code by any customer.
    pub fn any_redemption(&mut self, codes: Codes) -> Bytes {
        let customer = self.any_customer();
        let brought = self.any_code(codes);
        self.redemption(customer, brought)
    }

    /// Commits an order of any customer with the offer of any campaign, and where asked with any of the many codes.
    pub fn any_commit(&mut self, with_code: bool) -> Bytes {
        let customer = self.any_customer();
        let campaign = self.random.random_range(0..LIMITED);
        let brought = with_code.then(|| self.any_code(Codes::Many));
        self.commit(customer, campaign, brought)
    }

    fn any_customer(&mut self) -> u32 {
        self.random.random_range(0..self.scale.customers)
    }

    fn any_code(&mut self, codes: Codes) -> Brought {
        match codes {
            Codes::Hot => Brought::hot(),
            Codes::Many => Brought::of_many(self.random.random_range(0..self.scale.many_codes)),
            Codes::One => Brought::of_one(self.random.random_range(0..self.scale.one_codes)),
        }
    }

    /// One redemption for each incentive, by one customer: the counters of all exist then.
    pub fn redemption_of_each(&mut self, customer: u32) -> Vec<Bytes> {
        let many = (0..INCENTIVES).map(Brought::of_many);
        let each = [Brought::hot(), Brought::of_one(0)].into_iter().chain(many);
        each.map(|brought| self.redemption(customer, brought)).collect()
    }

    /// One order for each campaign, by one customer: the counters of all exist then.
    pub fn commit_of_each(&mut self, customer: u32) -> Vec<Bytes> {
        (0..LIMITED).map(|campaign| self.commit(customer, campaign, None)).collect()
    }

    /// Redeems one code.
    pub fn redemption(&mut self, customer: u32, brought: Brought) -> Bytes {
        let offer = "campaigns/spring/offers/volume".to_owned();
        self.sale(customer, offer, Some(brought)).redemption(&self.keys)
    }

    /// Commits one order with the offer of a campaign; the first campaign has the number 0.
    pub fn commit(&mut self, customer: u32, campaign: u32, brought: Option<Brought>) -> Bytes {
        let offer = format!("campaigns/k{}/offers/{OFFER}", FIRST_LIMITED + campaign);
        self.sale(customer, offer, brought).commit(&self.keys)
    }

    fn sale(&mut self, customer: u32, offer: String, brought: Option<Brought>) -> Sale {
        let (tenant, order_id) = ("default".to_owned(), self.next_id());
        Sale { tenant, order_id, customer: customer_name(customer), offer, brought }
    }

    fn next_id(&mut self) -> String {
        self.made += 1;
        format!("{}-{:010}", self.prefix, self.made)
    }
}

/// The key for development, as both services have it without settings.
pub fn development_keys() -> Outcome<Keyring> {
    Ok(tandem_platform::seal::keyring(&Secret::default(), &ServerConfig::default())?)
}

/// One order: three lines, an offer, and the code.
#[derive(Debug, Clone)]
pub struct Sale {
    /// Whose business it is.
    pub tenant: String,
    /// Its request_id is "r-" and this.
    pub order_id: String,
    /// "customers/{customer}", or empty.
    pub customer: String,
    /// "campaigns/{campaign}/offers/{offer}".
    pub offer: String,
    /// The code.
    pub brought: Option<Brought>,
}

impl Sale {
    /// Redeems the code.
    pub fn redemption(self, keys: &Keyring) -> Bytes {
        let request = RedeemVouchersRequest {
            request_id: format!("r-{}", self.order_id),
            order_id: self.order_id.clone(),
            customer: self.customer.clone(),
            what: Some(redeem_vouchers_request::What::QuoteToken(convert::seal_claims(&claims(self), keys))),
            ..Default::default()
        };
        Bytes::from(request.encode_to_vec())
    }

    /// Commits the order.
    pub fn commit(self, keys: &Keyring) -> Bytes {
        let request = CommitOrderRequest {
            request_id: format!("r-{}", self.order_id),
            order_id: self.order_id.clone(),
            quote_token: convert::seal_claims(&claims(self), keys),
            ..Default::default()
        };
        Bytes::from(request.encode_to_vec())
    }
}

/// What campaign-svc would have sealed.
fn claims(Sale { tenant, order_id, customer, offer, brought }: Sale) -> QuoteClaims {
    let now = SystemClock.now();
    let by_code = if brought.is_some() { AMOUNT } else { 0 };
    let lines = i64::from(LINES);
    let line = |number: u32| SealedLine {
        id: format!("line-{number}"),
        product: format!("products/p{}", 100 + number),
        quantity: 1,
        list_minor: LINE_PRICE,
        initial_minor: LINE_PRICE,
        final_minor: LINE_PRICE - (OFFERED + by_code) / lines,
        ..Default::default()
    };
    let shares = |minor| (0..LINES).map(|line| SealedShare { line, minor: minor / lines }).collect();
    let code = |Brought { code, incentive }| SealedCode {
        code,
        incentive: format!("incentives/{incentive}"),
        version: 1,
        amount_minor: AMOUNT,
        shares: shares(AMOUNT),
        ..Default::default()
    };
    QuoteClaims {
        tenant,
        order_id,
        order_digest: vec![7; 32].into(),
        customer,
        currency_code: "EUR".to_owned(),
        issue_time: Some(convert::to_timestamp(now)),
        expire_time: Some(convert::to_timestamp(now + TOKEN_LIFE)),
        list_minor: LINE_PRICE * lines,
        total_minor: LINE_PRICE * lines - OFFERED - by_code + SHIPPING,
        lines: (0..LINES).map(line).collect(),
        offers: vec![SealedOffer {
            offer,
            revision: 1,
            amount_minor: OFFERED,
            shares: shares(OFFERED),
            ..Default::default()
        }],
        codes: brought.into_iter().map(code).collect(),
        shipping_minor: SHIPPING,
        place: "DE/shops/web".to_owned(),
        tax_mode: 1,
        ..Default::default()
    }
}
