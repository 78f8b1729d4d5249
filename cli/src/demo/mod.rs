//! `tandem demo`: the main job told on a real shop's purchases.
//!
//! Both services start on SQLite. The shop imports its customers, opens an objective and a campaign with its whole mix,
//! gives codes to segments, sells every purchase of the log by committing its quote, adapts the mix half-way, takes some
//! orders back, and checks that the books of the till, of both services and of their events agree to the cent. Then it looks at
//! the people: where they stand, one who bought most often, two who are one, and one who is erased.

mod account;
mod books;
mod heard;
mod people;
mod purchases;
mod replay;
mod stage;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use jiff::Timestamp;
use tandem_kernel::clock::{Clock, SystemClock};
use tandem_kernel::money::Currency;
use tandem_proto::campaign::v1::campaign_service_client::CampaignServiceClient;
use tandem_proto::campaign::v1::event_service_client::EventServiceClient as CampaignEvents;
use tandem_proto::campaign::v1::objective_service_client::ObjectiveServiceClient;
use tandem_proto::campaign::v1::order_service_client::OrderServiceClient;
use tandem_proto::campaign::v1::pricing_service_client::PricingServiceClient;
use tandem_proto::campaign::v1::product_service_client::ProductServiceClient;
use tandem_proto::campaign::v1::{AdaptCampaignRequest, CompareMixRevisionsRequest};
use tandem_proto::common::v1 as common;
use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::event_service_client::EventServiceClient as RelationshipEvents;
use tandem_proto::relationship::v1::incentive_service_client::IncentiveServiceClient;
use tandem_proto::relationship::v1::segment_service_client::SegmentServiceClient;
use tandem_proto::relationship::v1::voucher_service_client::VoucherServiceClient;

use crate::connect::{Connection, Target};
use crate::failure::Failure;
use crate::{money, output, up};

/// Arguments of `tandem demo`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem demo
  tandem demo --purchases 500
  tandem demo --stay")]
pub struct Arguments {
    /// Leave the services running and print calls to try.
    #[arg(long)]
    stay: bool,
    /// Only so many purchases of the log.
    #[arg(long)]
    purchases: Option<usize>,
    /// Where the databases go; must be empty. Default: a fresh folder that is removed at the end.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// The shop's connections to both services.
#[derive(Debug, Clone)]
pub struct Shop {
    /// The shop's currency.
    pub currency: Currency,
    /// campaign-svc.
    pub objectives: ObjectiveServiceClient<Connection>,
    /// campaign-svc.
    pub products: ProductServiceClient<Connection>,
    /// campaign-svc.
    pub campaigns: CampaignServiceClient<Connection>,
    /// campaign-svc.
    pub pricing: PricingServiceClient<Connection>,
    /// campaign-svc.
    pub orders: OrderServiceClient<Connection>,
    /// campaign-svc.
    pub campaign_events: CampaignEvents<Connection>,
    /// relationship-svc.
    pub customers: CustomerServiceClient<Connection>,
    /// relationship-svc.
    pub segments: SegmentServiceClient<Connection>,
    /// relationship-svc.
    pub incentives: IncentiveServiceClient<Connection>,
    /// relationship-svc.
    pub vouchers: VoucherServiceClient<Connection>,
    /// relationship-svc.
    pub relationship_events: RelationshipEvents<Connection>,
}

impl Shop {
    async fn connect(target: &Target) -> Result<Self, Failure> {
        let (campaign, relationship) = (target.to_campaign().await?, target.to_relationship().await?);
        Ok(Self {
            currency: Currency::new("USD").map_err(|error| Failure::said(error.to_string()))?,
            objectives: ObjectiveServiceClient::new(campaign.clone()),
            products: ProductServiceClient::new(campaign.clone()),
            campaigns: CampaignServiceClient::new(campaign.clone()),
            pricing: PricingServiceClient::new(campaign.clone()),
            orders: OrderServiceClient::new(campaign.clone()),
            campaign_events: CampaignEvents::new(campaign),
            customers: CustomerServiceClient::new(relationship.clone()),
            segments: SegmentServiceClient::new(relationship.clone()),
            incentives: IncentiveServiceClient::new(relationship.clone()),
            vouchers: VoucherServiceClient::new(relationship.clone()),
            relationship_events: RelationshipEvents::new(relationship),
        })
    }

    /// Minor units of the shop's currency.
    pub fn money(&self, minor: i64) -> common::Money {
        money::from_minor(minor, self.currency)
    }
}

/// Tells the story.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    let pair = up::Pair::for_demo(arguments.data.clone(), arguments.stay).await?;
    let told = tell(&arguments, &pair).await;
    if told.is_ok() && arguments.stay {
        print_calls(&pair.target);
        pair.until_stopped().await?;
    } else {
        pair.stop().await?;
    }
    told
}

async fn tell(arguments: &Arguments, pair: &up::Pair) -> Result<(), Failure> {
    let mut log = purchases::read()?;
    log.truncate(arguments.purchases.unwrap_or(log.len()));
    let known = purchases::customers(&log);
    let shop = Shop::connect(&pair.target).await?;
    let now = SystemClock.now();

    println!("The stage");
    stage::import_customers(&shop, &known).await?;
    println!("  {} of them are collectors", stage::open_segment(&shop).await?);
    stage::launch_campaign(&shop, now).await?;
    println!("  {} launched for {}", stage::CAMPAIGN, stage::OBJECTIVE);
    stage::open_incentives(&shop).await?;
    let codes = Arc::new(stage::assign_codes(&shop, &known).await?);

    println!("\nThe purchases");
    let mut account = account::Account::new()?;
    let bar = output::progress(log.len() as u64, "purchases");
    let began = Instant::now();
    let (first, second) = log.split_at(log.len() / 2);
    replay::purchases(&shop, first, &codes, &mut account, &bar).await?;
    bar.suspend(|| println!("  half-way: collectors hardly need the discount, so the mix is adapted"));
    adapt(&shop, now).await?;
    replay::purchases(&shop, second, &codes, &mut account, &bar).await?;
    let took = began.elapsed();
    bar.finish_and_clear();
    replay::returns(&shop, &mut account).await?;

    println!("\nThe account");
    account.print(&shop, took);
    println!("\nThe books");
    books::reconcile(&account, &shop).await?;
    people::tell(&shop, &pair.target, &account, known.len()).await?;
    println!("every sum agrees");
    Ok(())
}

/// Halves what collectors get without a code, and shows what that changed.
async fn adapt(shop: &Shop, now: Timestamp) -> Result<(), Failure> {
    let start = now - jiff::SignedDuration::from_hours(1);
    let request = AdaptCampaignRequest {
        name: stage::CAMPAIGN.to_owned(),
        mix: Some(stage::mix(shop.currency, start, 25_000)),
        reason: "Collectors come back without it".to_owned(),
        ..AdaptCampaignRequest::default()
    };
    shop.campaigns.clone().adapt_campaign(request).await?;
    let request =
        CompareMixRevisionsRequest { campaign: stage::CAMPAIGN.to_owned(), from_revision: 1, to_revision: 2 };
    for difference in shop.campaigns.clone().compare_mix_revisions(request).await?.into_inner().differences {
        println!("  {}: {} → {}", difference.path, difference.from_value, difference.to_value);
    }
    Ok(())
}

fn print_calls(target: &Target) {
    let host = |address: &str| address.trim_start_matches("http://").to_owned();
    let (campaign, relationship) = (host(target.campaign.reveal()), host(target.relationship.reveal()));
    println!(
        "\nBoth services stay up until Ctrl-C. Calls to try:
  grpcurl -plaintext {relationship} list
  grpcurl -plaintext -d '{{\"name\":\"{}\"}}' {campaign} tandem.campaign.v1.ObjectiveService/GetObjectiveProgress
  TOKEN=$(grpcurl -plaintext -d '{{\"place\":\"{}\",\"basket\":{{\"currencyCode\":\"USD\",\"lines\":[{{\"id\":\"1\",\
\"product\":\"products/cd\",\"quantity\":4}}]}}}}' {campaign} tandem.campaign.v1.PricingService/Quote | jq -r .quoteToken)
  grpcurl -plaintext -d '{{\"orderId\":\"mine\",\"quoteToken\":\"'$TOKEN'\",\"requestId\":\"mine\"}}' \
{campaign} tandem.campaign.v1.OrderService/CommitOrder",
        stage::OBJECTIVE,
        stage::PLACE,
    );
}
