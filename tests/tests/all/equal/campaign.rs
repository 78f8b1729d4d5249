//! What marketing writes at campaign-svc.

use tandem_proto::campaign::v1::*;
use tandem_proto::common::v1::Interval;
use tandem_tests::stage::{eur, in_seconds, percent};

use super::Stage;

/// Each write of the services of objectives, products and campaigns.
pub async fn writes(stage: &mut Stage) {
    objectives(stage).await;
    products(stage).await;
    campaigns(stage).await;
    let update = UpdateSettingsRequest {
        settings: Some(Settings { campaign_max_days: Some(90), ..Settings::default() }),
        request_id: id("settings"),
        ..UpdateSettingsRequest::default()
    };
    stage.twenty("tandem.campaign.v1.SettingsService/UpdateSettings", &update).await;
}

fn id(text: &str) -> String {
    format!("r-{text}")
}

async fn objectives(stage: &mut Stage) {
    let objective = |display_name: &str| Objective {
        name: "objectives/equal".to_owned(),
        display_name: display_name.to_owned(),
        metric: ObjectiveMetric::Orders.into(),
        target_count: 10,
        ..Objective::default()
    };
    let create = CreateObjectiveRequest {
        objective: Some(objective("One")),
        objective_id: "equal".to_owned(),
        request_id: id("create"),
    };
    stage.twenty("CreateObjective", &create).await;
    // The server draws the id: every caller hears the same one.
    let drawn = CreateObjectiveRequest {
        objective: Some(Objective { name: String::new(), ..objective("Drawn") }),
        objective_id: String::new(),
        request_id: id("drawn"),
    };
    stage.twenty("CreateObjective", &drawn).await;
    let update = UpdateObjectiveRequest {
        objective: Some(objective("Two")),
        request_id: id("update"),
        ..UpdateObjectiveRequest::default()
    };
    stage.twenty("UpdateObjective", &update).await;
    let archive = ArchiveObjectiveRequest {
        name: "objectives/equal".to_owned(),
        request_id: id("archive"),
        ..ArchiveObjectiveRequest::default()
    };
    stage.twenty("ArchiveObjective", &archive).await;
}

async fn products(stage: &mut Stage) {
    let product = |id: &str, price: i64| Product {
        name: format!("products/{id}"),
        display_name: id.to_owned(),
        categories: vec!["equal".to_owned()],
        prices: vec![ListPrice { place: String::new(), price: Some(eur(price)) }],
        ..Product::default()
    };
    let create = CreateProductRequest {
        product: Some(product("equal", 100)),
        product_id: "equal".to_owned(),
        request_id: id("create"),
    };
    stage.twenty("CreateProduct", &create).await;
    let update = UpdateProductRequest {
        product: Some(product("equal", 200)),
        request_id: id("update"),
        ..UpdateProductRequest::default()
    };
    stage.twenty("UpdateProduct", &update).await;
    let batch = BatchUpsertProductsRequest {
        products: vec![product("equal", 300), product("another", 300)],
        request_id: id("batch"),
        update_mask: None,
    };
    stage.twenty("BatchUpsertProducts", &batch).await;
    let archive = ArchiveProductRequest {
        name: "products/equal".to_owned(),
        request_id: id("archive"),
        ..ArchiveProductRequest::default()
    };
    stage.twenty("ArchiveProduct", &archive).await;
}

fn mix() -> MarketingMix {
    let offer = Offer {
        id: "ten".to_owned(),
        titles: [(String::new(), "Ten".to_owned())].into(),
        discount: Some(percent(100_000)),
        ..Offer::default()
    };
    MarketingMix {
        price: Some(PriceMix { offers: vec![offer], ..PriceMix::default() }),
        product: Some(ProductMix { categories: vec!["equal".to_owned()], ..ProductMix::default() }),
        ..MarketingMix::default()
    }
}

fn campaign(name: &str, begins: i64) -> Campaign {
    Campaign {
        name: format!("campaigns/{name}"),
        display_name: name.to_owned(),
        objective: "objectives/more".to_owned(),
        window: Some(Interval {
            start_time: Some(in_seconds(begins)),
            end_time: Some(in_seconds(begins + 86_400)),
        }),
        mix: Some(mix()),
        ..Campaign::default()
    }
}

async fn campaigns(stage: &mut Stage) {
    for (name, begins) in [("draft", 60), ("soon", 3_600), ("now", -60)] {
        let create = CreateCampaignRequest {
            campaign: Some(campaign(name, begins)),
            campaign_id: name.to_owned(),
            request_id: id(&format!("create-{name}")),
        };
        stage.twenty("CreateCampaign", &create).await;
    }
    let update = UpdateCampaignRequest {
        campaign: Some(campaign("draft", 120)),
        request_id: id("update"),
        ..UpdateCampaignRequest::default()
    };
    stage.twenty("UpdateCampaign", &update).await;
    step(stage, "DeleteCampaign", "draft").await;
    step(stage, "ScheduleCampaign", "soon").await;
    step(stage, "CancelCampaign", "soon").await;
    step(stage, "LaunchCampaign", "now").await;
    let adapt = AdaptCampaignRequest {
        name: "campaigns/now".to_owned(),
        mix: Some(mix()),
        reason: "it goes well".to_owned(),
        request_id: id("adapt"),
        ..AdaptCampaignRequest::default()
    };
    stage.twenty("AdaptCampaign", &adapt).await;
    step(stage, "PauseCampaign", "now").await;
    step(stage, "ResumeCampaign", "now").await;
    step(stage, "EndCampaign", "now").await;
    step(stage, "ArchiveCampaign", "now").await;
}

/// The requests of all steps look the same on the wire.
async fn step(stage: &mut Stage, method: &str, campaign: &str) {
    let request = LaunchCampaignRequest {
        name: format!("campaigns/{campaign}"),
        request_id: id(method),
        ..LaunchCampaignRequest::default()
    };
    stage.twenty(method, &request).await;
}
