//! The calls to campaign-svc.

use std::time::{Duration, Instant};

use tandem_proto::campaign::v1::campaign_service_client::CampaignServiceClient;
use tandem_proto::campaign::v1::event_service_client::EventServiceClient;
use tandem_proto::campaign::v1::objective_service_client::ObjectiveServiceClient;
use tandem_proto::campaign::v1::pricing_service_client::PricingServiceClient;
use tandem_proto::campaign::v1::product_service_client::ProductServiceClient;
use tandem_proto::campaign::v1::{
    Campaign, CreateCampaignRequest, CreateObjectiveRequest, CreateProductRequest, LaunchCampaignRequest,
    Objective, Product, QuoteRequest, QuoteResponse,
};
use tonic::transport::Channel;

use crate::process::Service;

/// How long a change may take until a quote shows it; the contract says a second, a busy machine needs more.
const REFRESH_LIMIT: Duration = Duration::from_secs(10);

const POLL: Duration = Duration::from_millis(20);

/// A caller of campaign-svc. Clones share the connection.
#[derive(Debug, Clone)]
pub struct Campaigns {
    /// The connection.
    pub channel: Channel,
    /// Objectives.
    pub objectives: ObjectiveServiceClient<Channel>,
    /// Products.
    pub products: ProductServiceClient<Channel>,
    /// Campaigns.
    pub campaigns: CampaignServiceClient<Channel>,
    /// Quotes.
    pub pricing: PricingServiceClient<Channel>,
    /// Events.
    pub events: EventServiceClient<Channel>,
}

impl Campaigns {
    /// Over a connection of its own to `service`.
    pub fn of(service: &Service) -> Self {
        let channel = service.channel();
        Self {
            objectives: ObjectiveServiceClient::new(channel.clone()),
            products: ProductServiceClient::new(channel.clone()),
            campaigns: CampaignServiceClient::new(channel.clone()),
            pricing: PricingServiceClient::new(channel.clone()),
            events: EventServiceClient::new(channel.clone()),
            channel,
        }
    }

    /// Makes an objective.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn objective(&self, id: &str, objective: Objective) {
        let request = CreateObjectiveRequest {
            objective: Some(objective),
            objective_id: id.to_owned(),
            ..CreateObjectiveRequest::default()
        };
        self.objectives.clone().create_objective(request).await.expect("an objective is made");
    }

    /// Makes a product.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn product(&self, id: &str, product: Product) {
        let request = CreateProductRequest {
            product: Some(product),
            product_id: id.to_owned(),
            ..CreateProductRequest::default()
        };
        self.products.clone().create_product(request).await.expect("a product is made");
    }

    /// Makes a campaign, as a draft.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn campaign(&self, id: &str, campaign: Campaign) {
        let request = CreateCampaignRequest {
            campaign: Some(campaign),
            campaign_id: id.to_owned(),
            ..CreateCampaignRequest::default()
        };
        self.campaigns.clone().create_campaign(request).await.expect("a campaign is made");
    }

    /// Launches a campaign.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn launch(&self, id: &str) -> Campaign {
        let request = LaunchCampaignRequest { name: format!("campaigns/{id}"), ..Default::default() };
        let answer = self.campaigns.clone().launch_campaign(request).await.expect("a campaign is launched");
        answer.into_inner().campaign.expect("a campaign")
    }

    /// A quote.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn quote(&self, request: QuoteRequest) -> QuoteResponse {
        self.pricing.clone().quote(request).await.expect("a quote").into_inner()
    }

    /// Waits until `request` can be priced: new products reach quotes a moment after they are made.
    ///
    /// # Panics
    /// Where that takes too long; with the last refusal.
    pub async fn until_priced(&self, request: QuoteRequest) {
        let end = Instant::now() + REFRESH_LIMIT;
        while let Err(refused) = self.pricing.clone().quote(request.clone()).await {
            assert!(Instant::now() < end, "not within {REFRESH_LIMIT:?}: {refused}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// The first quote of which `shown` is true: changes reach quotes a moment after they are made.
    ///
    /// # Panics
    /// Where none comes in time; with the last one.
    pub async fn quote_when(
        &self,
        request: QuoteRequest,
        shown: impl Fn(&QuoteResponse) -> bool,
    ) -> QuoteResponse {
        let end = Instant::now() + REFRESH_LIMIT;
        loop {
            let quote = self.quote(request.clone()).await;
            if shown(&quote) {
                return quote;
            }
            assert!(Instant::now() < end, "not within {REFRESH_LIMIT:?}: {quote:#?}");
            tokio::time::sleep(POLL).await;
        }
    }
}
