//! Orders without codes, on both engines: one transaction, no remote call. What two services do together is told in the
//! crate `tests`.

mod equal;
mod explain;
mod give_back;
mod hold;
mod late;
mod life;
mod limits;
mod over;
mod own;
pub mod quotes;
mod refusals;
mod replace;
mod segments;
mod stuck;
mod tenants;
mod values;

use jiff::{SignedDuration, Timestamp};
use prost::Message;
use tandem_kernel::clock::Clock;
use tandem_platform::Db;
use tandem_platform::testing::{engines, postgres};
use tandem_proto::campaign::v1::campaign_service_client::CampaignServiceClient;
use tandem_proto::campaign::v1::order_service_client::OrderServiceClient;
use tandem_proto::campaign::v1::{self as api, *};
use tandem_proto::common::v1::{self as common, QuoteClaims, SealedLine, SealedOffer, SealedShare};
use tandem_proto::convert::{seal_claims, to_timestamp};
use tonic::Status;
use tonic_types::StatusExt;

use crate::pricing::tests::api::{draft, euros, launch, mix, offer, percent};
use crate::testing::{Channel, Harness};
use crate::{Config, MIGRATIONS};

/// A service with the running campaign "spring" and its offer "ten".
pub struct Shop {
    pub harness: Harness,
}

/// Limits of so many uses.
pub fn uses(max_uses: i64) -> common::Limits {
    common::Limits { max_uses: Some(max_uses), ..common::Limits::default() }
}

/// A budget of so many cents.
pub fn budget(minor: i64, overrun: common::Overrun) -> common::Limits {
    common::Limits { budgets: vec![euros(minor)], overrun: overrun.into(), ..common::Limits::default() }
}

impl Shop {
    /// The offer has these limits.
    pub async fn open(db: Db, limits: common::Limits) -> Self {
        // Nobody listens there: orders without codes ask nobody.
        let mut config = Config::default();
        config.relationship.endpoint = "http://127.0.0.1:1".into();
        Self::configured(db, limits, config).await
    }

    async fn configured(db: Db, limits: common::Limits, config: Config) -> Self {
        let harness = Harness::with(db, config);
        let offer = api::Offer { limits: Some(limits), ..offer("ten", percent(100_000)) };
        draft(&harness, "spring", &[], mix(vec![offer], vec![])).await;
        launch(&harness, "spring").await;
        Self { harness }
    }

    pub fn orders(&self) -> OrderServiceClient<Channel> {
        OrderServiceClient::new(self.harness.channel())
    }

    pub fn now(&self) -> Timestamp {
        self.harness.clock.now()
    }

    /// What a quote of 3 units at 10.00 each seals, with `off` cents off by the offer.
    pub fn claims(&self, customer: &str, off: i64) -> QuoteClaims {
        let now = self.now();
        QuoteClaims {
            tenant: "default".to_owned(),
            order_digest: vec![u8::try_from(off % 251).unwrap(); 32].into(),
            customer: if customer.is_empty() { String::new() } else { format!("customers/{customer}") },
            currency_code: "EUR".to_owned(),
            issue_time: Some(to_timestamp(now)),
            expire_time: Some(to_timestamp(now + SignedDuration::from_mins(15))),
            list_minor: 3_000,
            total_minor: 3_000 - off,
            lines: vec![SealedLine {
                id: "a".to_owned(),
                product: "products/mug".to_owned(),
                quantity: 3,
                list_minor: 3_000,
                initial_minor: 3_000,
                final_minor: 3_000 - off,
                ..SealedLine::default()
            }],
            offers: vec![SealedOffer {
                offer: "campaigns/spring/offers/ten".to_owned(),
                revision: 1,
                amount_minor: off,
                shares: vec![SealedShare { line: 0, minor: off }],
                ..SealedOffer::default()
            }],
            place: "AT".to_owned(),
            ..QuoteClaims::default()
        }
    }

    pub fn seal(&self, claims: &QuoteClaims) -> String {
        seal_claims(claims, &self.harness.app.keys)
    }

    pub async fn commit(&self, order: &str, customer: &str, off: i64) -> Result<Order, Status> {
        self.commit_as(order, &format!("commit-{order}"), &self.claims(customer, off)).await
    }

    pub async fn commit_as(&self, order: &str, request: &str, claims: &QuoteClaims) -> Result<Order, Status> {
        let request = CommitOrderRequest {
            order_id: order.to_owned(),
            quote_token: self.seal(claims),
            request_id: request.to_owned(),
            replaces: String::new(),
        };
        Ok(self.orders().commit_order(request).await?.into_inner().order.unwrap())
    }

    pub async fn replace(&self, order: &str, old: &str, off: i64) -> Result<Order, Status> {
        let request = CommitOrderRequest {
            order_id: order.to_owned(),
            quote_token: self.seal(&self.claims("7", off)),
            request_id: format!("replace-{old}-by-{order}"),
            replaces: format!("orders/{old}"),
        };
        Ok(self.orders().commit_order(request).await?.into_inner().order.unwrap())
    }

    pub async fn hold(&self, order: &str, customer: &str, off: i64) -> Result<Order, Status> {
        let at = self.now().as_second();
        let request = HoldOrderRequest {
            order_id: order.to_owned(),
            quote_token: self.seal(&self.claims(customer, off)),
            ttl: None,
            request_id: format!("hold-{order}-{at}"),
        };
        Ok(self.orders().hold_order(request).await?.into_inner().order.unwrap())
    }

    pub async fn cancel(&self, order: &str) -> Result<Order, Status> {
        let request =
            CancelOrderRequest { name: format!("orders/{order}"), request_id: format!("cancel-{order}") };
        Ok(self.orders().cancel_order(request).await?.into_inner().order.unwrap())
    }

    pub async fn take_back(&self, order: &str, request: &str, units: i64) -> Result<Order, Status> {
        let request = ReturnOrderLinesRequest {
            name: format!("orders/{order}"),
            lines: vec![ReturnedOrderLine { line_id: "a".to_owned(), quantity: units }],
            request_id: request.to_owned(),
            ..Default::default()
        };
        Ok(self.orders().return_order_lines(request).await?.into_inner().order.unwrap())
    }

    pub async fn get(&self, order: &str) -> Result<Order, Status> {
        let request = GetOrderRequest { name: format!("orders/{order}") };
        Ok(self.orders().get_order(request).await?.into_inner().order.unwrap())
    }

    /// Uses and money that the rows of an owner have counted, and what is held of both.
    pub async fn counted(&self, owner: &str) -> [i64; 4] {
        let mut reader = self.harness.app.db.read().await.unwrap();
        let rows = tandem_platform::counters::of_owner(&mut reader, &self.harness.call.tenant, owner, "");
        let mut counted = [0; 4];
        for (key, tally) in rows.await.unwrap() {
            let at = usize::from(key.kind == tandem_kernel::limits::CounterKind::Budget);
            (counted[at], counted[at + 2]) = (tally.used, tally.held);
        }
        counted
    }

    /// What the offer has counted; its campaign must say the same.
    pub async fn taken(&self) -> [i64; 4] {
        let taken = self.counted("campaigns/spring/offers/ten").await;
        assert_eq!(taken, self.counted("campaigns/spring").await, "offer and campaign");
        taken
    }

    pub async fn pause(&self) {
        let request =
            PauseCampaignRequest { name: "campaigns/spring".to_owned(), ..PauseCampaignRequest::default() };
        CampaignServiceClient::new(self.harness.channel()).pause_campaign(request).await.unwrap();
    }
}

pub use tandem_platform::testing::reason;

/// The refusal of a call that must be refused.
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    reason(&answer.unwrap_err())
}

#[tokio::test]
async fn an_order_counts_its_offers_and_their_campaign_once() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        let order = shop.commit("o1", "7", 300).await.unwrap();
        assert_eq!((order.name.as_str(), order.state()), ("orders/o1", OrderState::Committed));
        assert_eq!((order.total, order.discount), (Some(euros(2_700)), Some(euros(300))));
        assert_eq!(order.lines[0].discounts[0].source, "campaigns/spring/offers/ten");
        assert_eq!(shop.taken().await, [1, 300, 0, 0]);
        let again = shop.commit("o1", "7", 300).await.unwrap();
        assert_eq!(again.version, 1);
        let otherwise = shop.commit_as("o1", "another", &shop.claims("7", 300)).await.unwrap();
        assert_eq!(otherwise.version, 1, "another request for the same order gets the one there is");
        assert_eq!(shop.taken().await, [1, 300, 0, 0]);
        assert_eq!(shop.get("o1").await.unwrap(), again);
    })
    .await;
}

#[tokio::test]
async fn the_same_request_gets_the_answer_it_was_given_whatever_came_after() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        let first = shop.commit("o1", "7", 300).await.unwrap();
        shop.take_back("o1", "r1", 1).await.unwrap();
        assert_eq!(shop.commit("o1", "7", 300).await.unwrap(), first);
        assert_eq!(shop.get("o1").await.unwrap().state(), OrderState::PartiallyReturned);
        let other = shop.commit_as("o2", "commit-o1", &shop.claims("7", 300)).await;
        assert_eq!(refused(other), "REQUEST_ID_REUSED");
    })
    .await;
}

#[tokio::test]
async fn orders_are_listed_newest_first_page_by_page() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        for number in 0..5 {
            let customer = if number % 2 == 0 { "7" } else { "8" };
            shop.commit(&format!("o{number}"), customer, 100).await.unwrap();
            shop.harness.clock.advance(SignedDuration::from_secs(1));
        }
        let list = async |customer: &str, page_size: i32, page_token: String| {
            let customer = customer.to_owned();
            let request = ListOrdersRequest { customer, page_size, page_token, ..Default::default() };
            let page = shop.orders().list_orders(request).await.unwrap().into_inner();
            let names: Vec<String> = page.orders.into_iter().map(|order| order.name).collect();
            (names, page.next_page_token)
        };
        let (first, token) = list("", 3, String::new()).await;
        assert_eq!(first, ["orders/o4", "orders/o3", "orders/o2"]);
        assert_eq!(list("", 3, token.clone()).await.0, ["orders/o1", "orders/o0"]);
        assert_eq!(list("customers/7", 50, String::new()).await.0, ["orders/o4", "orders/o2", "orders/o0"]);
        let other =
            ListOrdersRequest { state: OrderState::Held.into(), page_token: token, ..Default::default() };
        assert_eq!(refused(shop.orders().list_orders(other).await), "INVALID_PAGE_TOKEN");
    })
    .await;
}

#[tokio::test]
async fn a_page_of_large_orders_ends_before_it_is_more_than_every_client_reads() {
    engines(&MIGRATIONS, |db| async move {
        const ORDERS: usize = 40;
        let shop = Shop::open(db, common::Limits::default()).await;
        let line = |number: usize| SealedLine {
            id: format!("{number:064}"),
            product: format!("products/{number:064}"),
            quantity: 1,
            list_minor: 1_000_000,
            initial_minor: 1_000_000,
            final_minor: 1_000_000,
            ..SealedLine::default()
        };
        let claims = QuoteClaims {
            list_minor: 500_000_000,
            total_minor: 500_000_000,
            lines: (0..500).map(line).collect(),
            offers: Vec::new(),
            ..shop.claims("7", 0)
        };
        for number in 0..ORDERS {
            shop.commit_as(&format!("o{number}"), &format!("r{number}"), &claims).await.unwrap();
        }
        let (mut seen, mut page_token, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let request = ListOrdersRequest { page_size: 1_000, page_token, ..Default::default() };
            let page = shop.orders().list_orders(request).await.unwrap().into_inner();
            assert!(page.encoded_len() < 4 * 1024 * 1024, "{} bytes", page.encoded_len());
            pages += 1;
            seen.extend(page.orders.into_iter().map(|order| order.name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert!(pages > 1 && pages < ORDERS, "{pages} pages");
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), ORDERS, "each once");
    })
    .await;
}
