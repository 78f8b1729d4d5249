//! campaign-svc.

mod definitions;
mod quotes;
mod settings;

use prost_types::FieldMask;
use tandem_proto::campaign::v1::price_rule::Change;
use tandem_proto::campaign::v1::{
    AdaptCampaignRequest, ArchiveObjectiveRequest, BatchQuoteRequest, Campaign, CreateCampaignRequest,
    CreateObjectiveRequest, CreateProductRequest, DecisionReason, ExplainOfferRequest, GetMixRevisionRequest,
    GetProductRequest, LaunchCampaignRequest, ListCampaignsRequest, ListPrice, ListProductsRequest,
    MarketingMix, Medium, Objective, ObjectiveMetric, Offer, PauseCampaignRequest, PlaceMix, Placement,
    PriceMix, PriceRule, Product, ProductMix, PromotionMix, QuoteRequest, ScheduleCampaignRequest,
    SubscribeRequest, UpdateCampaignRequest, UpdateObjectiveRequest, UpdateProductRequest,
};
use tandem_proto::common::v1::discount::Kind;
use tandem_proto::common::v1::{
    Basket, Discount, GiftCardTender, Interval, Line, Money, PointsReward, Scope,
};
use tandem_tests::database::Engine;
use tandem_tests::stage::{Campaigns, Pair, amount, basket, eur, in_seconds, incentive, off, percent};
use tonic::Code;

use super::{Asked, Expected, Table, invalid, platform, raw};

const DAY: i64 = 24 * 60 * 60;
const PEER_MS: u64 = 5_000;

fn window(start: i64, end: i64) -> Option<Interval> {
    Some(Interval { start_time: Some(in_seconds(start)), end_time: Some(in_seconds(end)) })
}

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
}

fn offer(id: &str, discount: Discount) -> Offer {
    Offer { id: id.to_owned(), discount: Some(discount), ..Offer::default() }
}

/// About something, and with these offers.
fn mix(offers: Vec<Offer>) -> MarketingMix {
    MarketingMix {
        product: Some(ProductMix { categories: vec!["all".to_owned()], ..ProductMix::default() }),
        price: Some(PriceMix { offers, ..PriceMix::default() }),
        ..MarketingMix::default()
    }
}

fn campaign(mix: MarketingMix, window: Option<Interval>) -> Campaign {
    Campaign {
        display_name: "Spring".to_owned(),
        objective: "objectives/orders".to_owned(),
        window,
        mix: Some(mix),
        ..Campaign::default()
    }
}

fn create(campaign: Campaign) -> CreateCampaignRequest {
    CreateCampaignRequest { campaign: Some(campaign), campaign_id: "fresh".to_owned(), ..Default::default() }
}

async fn set_stage(caller: &Campaigns) {
    let objective = |name: &str| Objective {
        display_name: name.to_owned(),
        metric: ObjectiveMetric::Orders.into(),
        target_count: 10,
        window: window(0, 90 * DAY),
        ..Objective::default()
    };
    caller.objective("orders", objective("Orders")).await;
    caller.objective("closed", objective("Closed")).await;
    for n in 0..4 {
        let prices = vec![ListPrice { place: "AT".to_owned(), price: Some(eur(1_000)) }];
        caller
            .product(
                &format!("p{n}"),
                Product { display_name: format!("P{n}"), prices, ..Product::default() },
            )
            .await;
    }
    let all = || mix(vec![offer("ten", percent(100_000))]);
    caller.campaign("running", campaign(all(), window(60, 30 * DAY))).await;
    caller.launch("running").await;
    caller.campaign("draft", campaign(all(), window(60, 30 * DAY))).await;
    caller.campaign("bare", campaign(MarketingMix::default(), window(60, 30 * DAY))).await;
    caller.campaign("past", campaign(all(), window(-30 * DAY, -DAY))).await;
    let archive = ArchiveObjectiveRequest { name: "objectives/closed".to_owned(), ..Default::default() };
    caller.objectives.clone().archive_objective(archive).await.expect("nothing names it");
}

async fn every_row(engine: Engine) {
    let pair = Pair::start(engine, PEER_MS).await;
    let (caller, _) = pair.callers();
    set_stage(&caller).await;
    let mut table = Table::of(Asked::Campaign, pair.campaign_database.url()).await;
    quotes::quotes(&caller, &mut table).await;
    definitions::definitions(&caller, &mut table).await;
    definitions::mixes(&caller, &mut table).await;
    definitions::states(&caller, &mut table).await;
    definitions::masks_etags_pages_and_ids(&caller, &mut table).await;
    settings::settings(&pair, &mut table).await;
    table.done();
    quotes::codes_in_quotes(&pair).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_campaign_svc_refuses_it_refuses_precisely_and_changes_nothing_on_sqlite() {
    every_row(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_campaign_svc_refuses_it_refuses_precisely_and_changes_nothing_on_postgres() {
    every_row(Engine::Postgres).await;
}
