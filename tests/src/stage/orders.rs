//! Orders on the stage: replicas of both services, a network between them, and the calls of OrderService.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tandem_kernel::seal::Keyring;
use tandem_platform::config::ServerConfig;
use tandem_platform::seal;
use tandem_platform::secret::Secret;
use tandem_proto::campaign::v1::order_service_client::OrderServiceClient;
use tandem_proto::campaign::v1::{
    Campaign, CancelOrderRequest, CommitOrderRequest, GetOrderRequest, HoldOrderRequest, MarketingMix,
    Objective, ObjectiveMetric, Offer, Order, PriceMix, ProductMix, ReturnOrderLinesRequest,
    ReturnedOrderLine,
};
use tandem_proto::common::v1::{Interval, Limits, QuoteClaims, SealedOffer, SealedShare};
use tandem_proto::convert::seal_claims;
use tokio::task::JoinSet;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use super::services::start_relationship;
use super::{Campaigns, Relationship, in_seconds, incentive, percent, quoted};
use crate::books::Books;
use crate::database::{Database, Engine};
use crate::process::{Kind, Service};
use crate::proxy::Proxy;

/// The offer that every order here has.
pub const OFFER: &str = "campaigns/spring/offers/ten";
/// What the offer takes off each order, in cents.
pub const OFF: i64 = 500;
/// What each code takes off, in cents.
pub const CODE_OFF: i64 = 300;

const SETTLE_LIMIT: Duration = Duration::from_secs(60);

/// Both services, in so many replicas each, and what is between them.
#[derive(Debug)]
pub struct Shop {
    /// Replicas of relationship-svc.
    pub relationships: Vec<Service>,
    /// Replicas of campaign-svc; each asks the relationship-svc of the same place.
    pub campaigns: Vec<Service>,
    /// Between the first of each.
    pub network: Proxy,
    /// By which relationship-svc hears of campaign-svc's orders, where it does.
    pub stream: Option<Proxy>,
    /// Of relationship-svc.
    pub relationship_database: Database,
    /// Of campaign-svc.
    pub campaign_database: Database,
    quotes: Quotes,
}

/// Makes quotes as campaign-svc would seal them.
#[derive(Debug, Clone)]
pub struct Quotes(Arc<Keyring>);

/// A write that may have to be repeated.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// HoldOrder.
    Hold(HoldOrderRequest),
    /// CommitOrder.
    Commit(CommitOrderRequest),
    /// CancelOrder.
    Cancel(CancelOrderRequest),
    /// ReturnOrderLines.
    Return(ReturnOrderLinesRequest),
}

impl Shop {
    /// One replica of each, on databases of their own.
    pub async fn open(engine: Engine, limits: Limits) -> Self {
        Self::with_replicas(engine, 1, limits).await
    }

    /// The campaign "spring" runs with its offer "ten" under `limits`.
    ///
    /// # Panics
    /// Where the stage cannot be set.
    pub async fn with_replicas(engine: Engine, replicas: usize, limits: Limits) -> Self {
        let (relationship_database, campaign_database) =
            (Database::new(engine).await, Database::new(engine).await);
        Self::on(relationship_database, campaign_database, replicas, limits).await
    }

    /// The same on these databases.
    ///
    /// # Panics
    /// Where the stage cannot be set.
    pub async fn on(
        relationship_database: Database,
        campaign_database: Database,
        replicas: usize,
        limits: Limits,
    ) -> Self {
        Self::tuned(relationship_database, campaign_database, replicas, limits, &[]).await
    }

    /// The same with further `settings` of both services.
    ///
    /// # Panics
    /// Where the stage cannot be set.
    pub async fn tuned(
        relationship_database: Database,
        campaign_database: Database,
        replicas: usize,
        limits: Limits,
        settings: &[(&str, &str)],
    ) -> Self {
        Self::told(relationship_database, campaign_database, (replicas, None), limits, settings).await
    }

    /// One replica of each, where relationship-svc hears of the orders by a network of its own. It is there before
    /// campaign-svc.
    ///
    /// # Panics
    /// Where the stage cannot be set.
    pub async fn following(engine: Engine, replicas: usize) -> Self {
        let (relationship_database, campaign_database) =
            (Database::new(engine).await, Database::new(engine).await);
        let free = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a free port");
        let heard = (replicas, Some(free.to_string()));
        Self::told(relationship_database, campaign_database, heard, Limits::default(), &[]).await
    }

    async fn told(
        relationship_database: Database,
        campaign_database: Database,
        (replicas, campaign_at): (usize, Option<String>),
        limits: Limits,
        settings: &[(&str, &str)],
    ) -> Self {
        let stream = match &campaign_at {
            Some(address) => Some(Proxy::to(address).await),
            None => None,
        };
        let heard = stream.as_ref().map(Proxy::endpoint);
        let told = heard.iter().map(|endpoint| ("CAMPAIGN__ENDPOINT", endpoint.as_str()));
        let told: Vec<(&str, &str)> = told.chain(settings.iter().copied()).collect();
        let relationships: Vec<Service> =
            (0..replicas).map(|_| start_relationship(relationship_database.url(), &told)).collect();
        let network = Proxy::to(relationships[0].address()).await;
        let mut campaigns = Vec::new();
        for (place, relationship) in relationships.iter().enumerate() {
            let endpoint = match place {
                0 => network.endpoint(),
                _ => format!("http://{}", relationship.address()),
            };
            let own = [
                ("LOG__FILTER", "error"),
                ("RELATIONSHIP__ENDPOINT", endpoint.as_str()),
                ("ORDER__TIMEOUT_MS", "1000"),
                ("ORDER__RETRY_MS", "1500"),
            ];
            let listen = campaign_at.iter().filter(|_| place == 0).map(|at| ("SERVER__LISTEN", at.as_str()));
            let settings: Vec<(&str, &str)> =
                own.into_iter().chain(settings.iter().copied()).chain(listen).collect();
            campaigns.push(Service::start(Kind::Campaign, campaign_database.url(), &settings));
        }
        let keys =
            seal::keyring(&Secret::default(), &ServerConfig::default()).expect("the key for development");
        let quotes = Quotes(Arc::new(keys));
        let shop = Self {
            relationships,
            campaigns,
            network,
            stream,
            relationship_database,
            campaign_database,
            quotes,
        };
        shop.set(limits).await;
        shop
    }

    async fn set(&self, limits: Limits) {
        let caller = Campaigns::of(&self.campaigns[0]);
        let objective = Objective {
            display_name: "More orders".to_owned(),
            metric: ObjectiveMetric::Orders.into(),
            target_count: 100,
            ..Objective::default()
        };
        caller.objective("more", objective).await;
        let offer = Offer {
            id: "ten".to_owned(),
            titles: [(String::new(), "Ten".to_owned())].into(),
            discount: Some(percent(100_000)),
            limits: Some(limits),
            ..Offer::default()
        };
        let campaign = Campaign {
            display_name: "Spring".to_owned(),
            objective: "objectives/more".to_owned(),
            window: Some(Interval { start_time: Some(in_seconds(-60)), end_time: Some(in_seconds(86_400)) }),
            mix: Some(MarketingMix {
                product: Some(ProductMix { categories: vec!["goods".to_owned()], ..ProductMix::default() }),
                price: Some(PriceMix { offers: vec![offer], ..PriceMix::default() }),
                ..MarketingMix::default()
            }),
            ..Campaign::default()
        };
        caller.campaign("spring", campaign).await;
        caller.launch("spring").await;
    }

    /// Makes codes, each of an incentive of its own, of so many uses.
    ///
    /// # Panics
    /// Where they are refused.
    pub async fn codes(&self, codes: &[&str], max_uses: i64) {
        let relationship = self.relationship(0);
        for code in codes {
            relationship.incentive(&of(code), incentive(percent(100_000))).await;
            relationship.codes(&of(code), &[code], max_uses).await;
        }
    }

    /// A caller of one relationship-svc.
    pub fn relationship(&self, replica: usize) -> Relationship {
        Relationship::of(&self.relationships[replica])
    }

    /// A caller of one campaign-svc.
    pub fn orders(&self, replica: usize) -> Orders {
        Orders(OrderServiceClient::new(self.campaigns[replica].channel()))
    }

    /// A caller of whatever answers at `endpoint`.
    ///
    /// # Panics
    /// Where it is no address.
    pub fn orders_at(&self, endpoint: &str) -> Orders {
        let endpoint = Endpoint::from_shared(endpoint.to_owned()).expect("an address of our own");
        Orders(OrderServiceClient::new(endpoint.connect_lazy()))
    }

    /// What makes quotes of its own accord.
    pub fn quotes(&self) -> Quotes {
        self.quotes.clone()
    }

    /// See [`Quotes::commit`].
    pub fn commit(&self, order: &str, codes: &[&str]) -> Step {
        self.quotes().commit(order, codes)
    }

    /// See [`Quotes::replace`].
    pub fn replace(&self, order: &str, old: &str, codes: &[&str]) -> Step {
        self.quotes().replace(order, old, codes)
    }

    /// See [`Quotes::hold`].
    pub fn hold(&self, order: &str, codes: &[&str]) -> Step {
        self.quotes().hold(order, codes)
    }

    /// Both sides, once no step is open any more.
    ///
    /// # Panics
    /// Where one is open for longer than a minute, or they do not agree.
    pub async fn books(&self) -> Books {
        let end = Instant::now() + SETTLE_LIMIT;
        loop {
            let books = self.read().await;
            if books.are_closed() {
                books.agree();
                return books;
            }
            assert!(Instant::now() < end, "orders stay open: {:?}", books.orders);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Both sides as they are.
    pub async fn read(&self) -> Books {
        Books::read(self.campaign_database.url(), self.relationship_database.url()).await
    }
}

impl Quotes {
    /// What a quote of 3 units at 100.00 seals, with the offer and these codes.
    pub fn claims(&self, customer: &str, codes: &[&str]) -> QuoteClaims {
        let incentives: Vec<String> = codes.iter().map(|code| of(code)).collect();
        let codes = codes.iter().zip(&incentives).map(|(code, of)| (*code, of.as_str(), CODE_OFF));
        let claims = quoted("", customer, &codes.collect::<Vec<_>>());
        let offer = SealedOffer {
            offer: OFFER.to_owned(),
            revision: 1,
            amount_minor: OFF,
            shares: vec![SealedShare { line: 0, minor: OFF }],
            ..SealedOffer::default()
        };
        let mut digest = incentives.concat().into_bytes();
        digest.resize(32, 0);
        QuoteClaims {
            order_digest: digest.into(),
            total_minor: claims.total_minor - OFF,
            offers: vec![offer],
            ..claims
        }
    }

    /// Sealed.
    pub fn token(&self, customer: &str, codes: &[&str]) -> String {
        seal_claims(&self.claims(customer, codes), &self.0)
    }

    /// Any claims, sealed.
    pub fn seal(&self, claims: &QuoteClaims) -> String {
        seal_claims(claims, &self.0)
    }

    /// CommitOrder of a quote with these codes.
    pub fn commit(&self, order: &str, codes: &[&str]) -> Step {
        Step::Commit(CommitOrderRequest {
            order_id: order.to_owned(),
            quote_token: self.token("customers/ada", codes),
            request_id: format!("commit-{order}"),
            replaces: String::new(),
        })
    }

    /// CommitOrder of a quote with these codes, in the place of another order.
    pub fn replace(&self, order: &str, old: &str, codes: &[&str]) -> Step {
        match self.commit(order, codes) {
            Step::Commit(commit) => {
                Step::Commit(CommitOrderRequest { replaces: format!("orders/{old}"), ..commit })
            }
            other => other,
        }
    }

    /// HoldOrder of a quote with these codes.
    pub fn hold(&self, order: &str, codes: &[&str]) -> Step {
        Step::Hold(HoldOrderRequest {
            order_id: order.to_owned(),
            quote_token: self.token("customers/ada", codes),
            ttl: None,
            request_id: format!("hold-{order}"),
        })
    }
}

/// Id of a code's incentive.
fn of(code: &str) -> String {
    format!("of-{}", code.to_lowercase())
}

/// CancelOrder.
pub fn cancel(order: &str) -> Step {
    Step::Cancel(CancelOrderRequest {
        name: format!("orders/{order}"),
        request_id: format!("cancel-{order}"),
    })
}

/// ReturnOrderLines of so many units of the one line.
pub fn take_back(order: &str, request_id: &str, units: i64) -> Step {
    Step::Return(ReturnOrderLinesRequest {
        name: format!("orders/{order}"),
        lines: vec![ReturnedOrderLine { line_id: "1".to_owned(), quantity: units }],
        request_id: request_id.to_owned(),
        ..Default::default()
    })
}

/// A caller of OrderService. Clones share the connection.
#[derive(Debug, Clone)]
pub struct Orders(pub OrderServiceClient<Channel>);

impl Orders {
    /// Sends a write once.
    ///
    /// # Errors
    /// As the service says.
    ///
    /// # Panics
    /// Where an answer has no order.
    pub async fn send(&self, step: &Step) -> Result<Order, Status> {
        let mut client = self.0.clone();
        let order = match step.clone() {
            Step::Hold(request) => client.hold_order(request).await?.into_inner().order,
            Step::Commit(request) => client.commit_order(request).await?.into_inner().order,
            Step::Cancel(request) => client.cancel_order(request).await?.into_inner().order,
            Step::Return(request) => client.return_order_lines(request).await?.into_inner().order,
        };
        Ok(order.expect("an answer has an order"))
    }

    /// Sends a write once, meanwhile.
    pub fn send_meanwhile(&self, step: &Step) -> JoinSet<Result<Order, Status>> {
        let (orders, step, mut call) = (self.clone(), step.clone(), JoinSet::new());
        call.spawn(async move { orders.send(&step).await });
        call
    }

    /// Sends a write until it is done or refused by a rule.
    ///
    /// # Errors
    /// The refusal.
    ///
    /// # Panics
    /// Where it is neither within a minute.
    pub async fn insist(&self, step: &Step) -> Result<Order, Status> {
        let end = Instant::now() + SETTLE_LIMIT;
        loop {
            match self.send(step).await {
                Err(status) if !is_settled(&status) => {
                    assert!(Instant::now() < end, "{step:?}: {status:?}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                settled => return settled,
            }
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// As the service says.
    ///
    /// # Panics
    /// Where an answer has no order.
    pub async fn get(&self, order: &str) -> Result<Order, Status> {
        let request = GetOrderRequest { name: format!("orders/{order}") };
        let answer = self.0.clone().get_order(request).await?.into_inner();
        Ok(answer.order.expect("an answer has an order"))
    }
}

/// Whether a failure is the last word.
pub fn is_settled(status: &Status) -> bool {
    use tonic::Code;
    matches!(status.code(), Code::FailedPrecondition | Code::NotFound | Code::InvalidArgument)
}
