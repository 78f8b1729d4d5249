//! Calls of every kind that go on while something is broken, and what must be true of what their callers were told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tandem_proto::campaign::v1::{
    CommitOrderRequest, CreateProductRequest, GetProductRequest, ListPrice, Product, QuoteRequest,
};
use tandem_proto::relationship::v1::{GetIncentiveRequest, RedeemVouchersRequest};
use tandem_tests::answer::{Tally, named};
use tandem_tests::database::Database;
use tandem_tests::stage::orders::{Orders, Quotes, Shop, Step, is_settled};
use tandem_tests::stage::{Campaigns, Relationship, basket, eur, incentive, percent, quoted, redeem_quote};
use tokio::task::JoinSet;
use tonic::{Request, Status};

/// Callers of each kind of call.
const CALLERS: usize = 2;
/// How long a caller waits for an answer.
const GRANTED: Duration = Duration::from_secs(2);
/// How long a caller rests after a failure.
const REST: Duration = Duration::from_millis(20);
/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(30);
/// Calls of each kind that must have been answered, before the fault and after it.
const ENOUGH: usize = 10;
/// Time-outs of the services, shorter than in production, so that faults outlast them without taking long.
const SETTINGS: &[(&str, &str)] = &[
    ("DATABASE__LOCK_TIMEOUT_MS", "150"),
    ("DATABASE__ACQUIRE_TIMEOUT_MS", "500"),
    ("DATABASE__STATEMENT_TIMEOUT_MS", "1000"),
];

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A price, from memory.
    Quote,
    /// A resource, from the database.
    Read,
    /// A product is made.
    Create,
    /// A code is redeemed.
    Redeem,
    /// An order with a code is committed.
    Commit,
}

/// What reads.
pub const READS: &[Kind] = &[Kind::Quote, Kind::Read];
/// What writes.
pub const WRITES: &[Kind] = &[Kind::Create, Kind::Redeem, Kind::Commit];
const ALL: &[Kind] = &[Kind::Quote, Kind::Read, Kind::Create, Kind::Redeem, Kind::Commit];

/// Something that breaks.
pub trait Fault {
    /// Breaks it.
    async fn begin(&mut self);

    /// Breaks it further, again and again until every kind of write has failed.
    async fn again(&mut self) {}

    /// Mends it.
    async fn end(&mut self);
}

/// What is expected while it is broken, and afterwards.
pub struct Expected {
    /// The only answers to calls that failed, as [`named`] names them.
    pub failures: &'static [&'static str],
    /// What never fails.
    pub goes_on: &'static [Kind],
    /// Every kind of write succeeds within so long of the mend.
    pub recovers_within: Duration,
}

/// Both services on these databases, with time-outs that these tests outlast.
pub async fn shop(relationship: Database, campaign: Database) -> Shop {
    let shop = Shop::tuned(relationship, campaign, 1, Default::default(), SETTINGS).await;
    shop.codes(&["MIXED"], 0).await;
    let caller = shop.relationship(0);
    caller.incentive("direct", incentive(percent(100_000))).await;
    caller.codes("direct", &["DIRECT"], 0).await;
    shop
}

/// Calls of every kind go on under `fault`: they fail only as `expected`, recover by themselves, and nothing that was
/// acknowledged is lost.
pub async fn goes_on(shop: &Shop, mut fault: impl Fault, expected: Expected) {
    let mix = Mix::start(shop);
    mix.more_done(ALL, ENOUGH).await;
    fault.begin().await;
    let before = WRITES.iter().map(|kind| mix.count(*kind).failed()).collect::<Vec<_>>();
    let failing = || WRITES.iter().zip(&before).all(|(kind, before)| mix.count(*kind).failed() > *before + 1);
    let end = Instant::now() + LIMIT;
    while !failing() {
        assert!(Instant::now() < end, "writes go on under the fault: {:?}", mix.counts);
        fault.again().await;
        tokio::time::sleep(REST).await;
    }
    mix.more_done(expected.goes_on, ENOUGH).await;
    fault.end().await;
    let mended = Instant::now();
    mix.more_done(ALL, ENOUGH).await;
    let calls = mix.stop().await;

    let failed = calls.iter().filter(|call| call.answer.is_err());
    let tally = Tally::of(failed.clone().map(|call| &call.answer));
    let unexpected = tally.0.keys().filter(|name| !expected.failures.contains(&name.as_str()));
    assert_eq!(unexpected.count(), 0, "{tally:?}");
    for call in failed {
        assert!(!expected.goes_on.contains(&call.kind), "{:?} failed: {:?}", call.kind, call.answer);
    }
    for kind in WRITES {
        let done = calls.iter().filter(|call| call.kind == *kind && call.answer.is_ok());
        let first = done.map(|call| call.ended).filter(|ended| *ended > mended).min();
        let after = first.expect("it has recovered") - mended;
        assert!(after < expected.recovers_within, "{kind:?} recovered after {after:?}");
    }
    nothing_is_lost(shop, calls).await;
}

/// One call.
#[derive(Debug)]
struct Call {
    kind: Kind,
    id: String,
    asked: Asked,
    answer: Result<(), Status>,
    ended: Instant,
}

/// What was asked.
#[derive(Debug, Clone)]
enum Asked {
    Quote(QuoteRequest),
    Read(GetIncentiveRequest),
    Create(CreateProductRequest),
    Redeem(RedeemVouchersRequest),
    Commit(CommitOrderRequest),
}

#[derive(Debug, Default)]
struct Count {
    done: AtomicUsize,
    failed: AtomicUsize,
}

impl Count {
    fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    fn failed(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Callers that go on until they are told to stop.
struct Mix {
    stop: Arc<AtomicBool>,
    counts: Arc<[Count; ALL.len()]>,
    callers: JoinSet<Vec<Call>>,
}

impl Mix {
    fn start(shop: &Shop) -> Self {
        let mut mix = Self { stop: Arc::default(), counts: Arc::default(), callers: JoinSet::new() };
        for (kind, caller) in ALL.iter().flat_map(|kind| (0..CALLERS).map(move |caller| (*kind, caller))) {
            let (counts, stop, asks) = (mix.counts.clone(), mix.stop.clone(), Caller::of(shop));
            mix.callers.spawn(async move {
                let mut calls = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let id = format!("{kind:?}-{caller}-{}", calls.len()).to_lowercase();
                    let asked = asks.ask(kind, &id);
                    let answer = asks.send(&asked).await;
                    let count = &counts[kind as usize];
                    let told = if answer.is_ok() { &count.done } else { &count.failed };
                    told.fetch_add(1, Ordering::Relaxed);
                    // Readers rest always: they are not what is tried.
                    if answer.is_err() || READS.contains(&kind) {
                        tokio::time::sleep(REST).await;
                    }
                    calls.push(Call { kind, id, asked, answer, ended: Instant::now() });
                }
                calls
            });
        }
        mix
    }

    fn count(&self, kind: Kind) -> &Count {
        &self.counts[kind as usize]
    }

    /// Waits until so many more calls of each of `kinds` have been done.
    async fn more_done(&self, kinds: &[Kind], more: usize) {
        let wanted: Vec<usize> = kinds.iter().map(|kind| self.count(*kind).done() + more).collect();
        let end = Instant::now() + LIMIT;
        while kinds.iter().zip(&wanted).any(|(kind, wanted)| self.count(*kind).done() < *wanted) {
            assert!(Instant::now() < end, "{:?}", self.counts);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn stop(self) -> Vec<Call> {
        self.stop.store(true, Ordering::Relaxed);
        self.callers.join_all().await.into_iter().flatten().collect()
    }
}

#[derive(Clone)]
struct Caller {
    campaigns: Campaigns,
    relationship: Relationship,
    orders: Orders,
    quotes: Quotes,
}

impl Caller {
    fn of(shop: &Shop) -> Self {
        Self {
            campaigns: Campaigns::of(&shop.campaigns[0]),
            relationship: shop.relationship(0),
            orders: shop.orders(0),
            quotes: shop.quotes(),
        }
    }

    /// A call of a kind; a token in it is sealed once, for a repeat must say the same.
    fn ask(&self, kind: Kind, id: &str) -> Asked {
        match kind {
            Kind::Quote => {
                let basket = Some(basket(&[("1", 1, 10_000)]));
                Asked::Quote(QuoteRequest { basket, ..QuoteRequest::default() })
            }
            Kind::Read => Asked::Read(GetIncentiveRequest { name: "incentives/direct".to_owned() }),
            Kind::Create => Asked::Create(CreateProductRequest {
                product: Some(product(id)),
                product_id: id.to_owned(),
                request_id: id.to_owned(),
            }),
            Kind::Redeem => {
                let claims = quoted(id, "customers/ada", &[("DIRECT", "direct", 100)]);
                Asked::Redeem(redeem_quote(id, &claims))
            }
            Kind::Commit => match self.quotes.commit(id, &["MIXED"]) {
                Step::Commit(request) => Asked::Commit(request),
                other => panic!("{other:?} is no commit"),
            },
        }
    }

    async fn send(&self, asked: &Asked) -> Result<(), Status> {
        match asked.clone() {
            Asked::Quote(request) => self.campaigns.pricing.clone().quote(granted(request)).await.map(drop),
            Asked::Read(request) => {
                self.relationship.incentives.clone().get_incentive(granted(request)).await.map(drop)
            }
            Asked::Create(request) => {
                self.campaigns.products.clone().create_product(granted(request)).await.map(drop)
            }
            Asked::Redeem(request) => {
                self.relationship.vouchers.clone().redeem_vouchers(granted(request)).await.map(drop)
            }
            Asked::Commit(request) => self.orders.0.clone().commit_order(granted(request)).await.map(drop),
        }
    }

    /// Repeats a write under its own request_id until it is done or refused by a rule.
    async fn insist(&self, call: &Call) -> Result<(), Status> {
        let end = Instant::now() + LIMIT;
        loop {
            match self.send(&call.asked).await {
                Err(status) if !is_settled(&status) => {
                    assert!(Instant::now() < end, "{}: {}", call.id, named(&status));
                    tokio::time::sleep(REST).await;
                }
                settled => return settled,
            }
        }
    }
}

fn granted<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(GRANTED);
    request
}

fn product(id: &str) -> Product {
    Product {
        display_name: id.to_owned(),
        categories: vec!["mixed".to_owned()],
        prices: vec![ListPrice { place: String::new(), price: Some(eur(1_000)) }],
        ..Product::default()
    }
}

/// Every write is done when it is repeated, counts once, and both sides agree.
async fn nothing_is_lost(shop: &Shop, calls: Vec<Call>) {
    let caller = Caller::of(shop);
    let writes: Vec<Call> = calls.into_iter().filter(|call| WRITES.contains(&call.kind)).collect();
    for call in &writes {
        caller.insist(call).await.expect("a repeat is done");
    }
    let end = Instant::now() + LIMIT;
    let mut books = shop.read().await;
    while !books.are_closed() {
        assert!(Instant::now() < end, "orders stay open: {:?}", books.orders);
        tokio::time::sleep(REST).await;
        books = shop.read().await;
    }
    // Codes that are redeemed past campaign-svc are of orders that it does not know.
    let wrong = books.wrong().into_iter().filter(|line| !line.contains("for order redeem-"));
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<String>::new());
    for Call { kind, id, .. } in &writes {
        match kind {
            Kind::Create => {
                let request = GetProductRequest { name: format!("products/{id}") };
                let read = caller.campaigns.products.clone().get_product(request).await;
                read.expect("a product that was made is there");
            }
            Kind::Redeem => assert_eq!(books.ledger.of_order(id).len(), 1, "{id}"),
            _ => assert_eq!(books.orders[id].state, "COMMITTED", "{id}"),
        }
    }
}
