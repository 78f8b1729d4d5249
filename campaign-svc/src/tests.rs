//! What the tests of every room stand on, and what holds for the schema as a whole.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tandem_platform::testing;
use tandem_proto::campaign::v1::campaign_service_client::CampaignServiceClient;
use tandem_proto::campaign::v1::objective_service_client::ObjectiveServiceClient;
use tandem_proto::campaign::v1::product_service_client::ProductServiceClient;
use tandem_proto::campaign::v1::{
    ArchiveCampaignRequest, Campaign, CancelCampaignRequest, CreateCampaignRequest, CreateObjectiveRequest,
    EndCampaignRequest, GetCampaignRequest, LaunchCampaignRequest, MarketingMix, Medium, Objective,
    ObjectiveMetric, Offer, PauseCampaignRequest, PlaceMix, Placement, PriceMix, PriceRule, ProductMix,
    PromotionMix, ResumeCampaignRequest, ScheduleCampaignRequest, price_rule,
};
use tandem_proto::common::v1::{Discount, Interval, Money, MoneyList, PercentDiscount, Scope, discount};
use tandem_proto::convert::to_timestamp;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::testing::{Channel, Harness};
use crate::{MIGRATIONS, campaign, catalogue, erased, objective, order, pricing, product, redemption};

#[tokio::test]
async fn both_engines_have_the_same_schema() {
    testing::parity(&MIGRATIONS).await;
}

#[tokio::test]
async fn a_database_of_an_earlier_release_comes_to_the_schema_that_a_new_one_begins_with() {
    testing::upgraded(&MIGRATIONS).await;
}

#[tokio::test]
async fn every_table_says_what_bounds_it() {
    testing::bounded(&MIGRATIONS, "campaign-svc", include_str!("../../docs/tables.md")).await;
}

#[tokio::test]
async fn every_statement_prepares_on_both_engines() {
    testing::engines(&MIGRATIONS, |db| async move {
        for statements in [
            &campaign::store::statements()[..],
            catalogue::store::STATEMENTS,
            erased::store::STATEMENTS,
            &objective::store::statements(),
            order::store::STATEMENTS,
            order::store::step::STATEMENTS,
            pricing::near::STATEMENTS,
            &product::store::statements(),
            redemption::store::STATEMENTS,
        ] {
            testing::prepare_all(&db, statements).await;
        }
    })
    .await;
}

/// A refusal as a program reads it: (code, reason).
pub fn refusal(status: &Status) -> (Code, String) {
    (status.code(), testing::reason(status))
}

pub use tandem_platform::testing::fields;

/// The subjects of a refusal's preconditions.
pub fn subjects(status: &Status) -> Vec<String> {
    testing::preconditions(status).into_iter().map(|(subject, _)| subject).collect()
}

/// A value in the metadata of a refusal.
pub fn metadata(status: &Status, key: &str) -> Option<String> {
    status.get_error_details().error_info()?.metadata.get(key).cloned()
}

/// The clients of one harness.
#[derive(Clone)]
pub struct Clients {
    pub objectives: ObjectiveServiceClient<Channel>,
    pub products: ProductServiceClient<Channel>,
    pub campaigns: CampaignServiceClient<Channel>,
}

impl Clients {
    pub fn of(harness: &Harness) -> Self {
        Self {
            objectives: ObjectiveServiceClient::new(harness.channel()),
            products: ProductServiceClient::new(harness.channel()),
            campaigns: CampaignServiceClient::new(harness.channel()),
        }
    }

    /// Creates the objective `id`.
    pub async fn objective(&mut self, id: &str) -> Objective {
        let request = CreateObjectiveRequest {
            objective: Some(an_objective()),
            objective_id: id.to_owned(),
            request_id: String::new(),
        };
        self.objectives.create_objective(request).await.unwrap().into_inner().objective.unwrap()
    }

    /// Drafts the campaign `id` under the objective `growth`, which must be there.
    pub async fn campaign(&mut self, id: &str, campaign: Campaign) -> Campaign {
        self.try_campaign(id, campaign).await.unwrap()
    }

    pub async fn try_campaign(&mut self, id: &str, campaign: Campaign) -> Result<Campaign, Status> {
        let request = CreateCampaignRequest {
            campaign: Some(campaign),
            campaign_id: id.to_owned(),
            request_id: String::new(),
        };
        Ok(self.campaigns.create_campaign(request).await?.into_inner().campaign.unwrap())
    }

    pub async fn read(&mut self, id: &str) -> Campaign {
        let request = GetCampaignRequest { name: campaign::name(id) };
        self.campaigns.get_campaign(request).await.unwrap().into_inner().campaign.unwrap()
    }

    /// Takes a step with the campaign `id`.
    pub async fn step(&mut self, id: &str, step: campaign::Move) -> Result<Campaign, Status> {
        use campaign::Move;
        let (name, etag, request_id) = (campaign::name(id), String::new(), String::new());
        let campaigns = &mut self.campaigns;
        macro_rules! call {
            ($method:ident, $request:ident) => {
                campaigns.$method($request { name, etag, request_id }).await?.into_inner().campaign
            };
        }
        let campaign = match step {
            Move::Schedule => call!(schedule_campaign, ScheduleCampaignRequest),
            Move::Launch => call!(launch_campaign, LaunchCampaignRequest),
            Move::Pause => call!(pause_campaign, PauseCampaignRequest),
            Move::Resume => call!(resume_campaign, ResumeCampaignRequest),
            Move::End => call!(end_campaign, EndCampaignRequest),
            Move::Cancel => call!(cancel_campaign, CancelCampaignRequest),
            Move::Archive => call!(archive_campaign, ArchiveCampaignRequest),
        };
        Ok(campaign.unwrap())
    }
}

/// 1,000 orders.
pub fn an_objective() -> Objective {
    Objective {
        display_name: "Growth".to_owned(),
        metric: ObjectiveMetric::Orders.into(),
        target_count: 1_000,
        ..Objective::default()
    }
}

/// A complete campaign for `growth`: 20 % off two kinds of goods, from a day after the harness's noon for 30 days.
pub fn a_campaign(now: Timestamp) -> Campaign {
    Campaign {
        display_name: "Spring".to_owned(),
        objective: "objectives/growth".to_owned(),
        window: Some(days(now, 1, 31)),
        mix: Some(a_mix()),
        ..Campaign::default()
    }
}

/// From so many to so many days after `now`.
pub fn days(now: Timestamp, from: i64, to: i64) -> Interval {
    let at = |days: i64| Some(to_timestamp(now + SignedDuration::from_hours(24 * days)));
    Interval { start_time: at(from), end_time: at(to) }
}

/// All four parts of a mix.
pub fn a_mix() -> MarketingMix {
    MarketingMix {
        product: Some(ProductMix { products: vec!["products/p1".to_owned()], ..ProductMix::default() }),
        price: Some(PriceMix {
            price_rules: vec![PriceRule {
                id: "cut".to_owned(),
                change: Some(price_rule::Change::Amounts(MoneyList { amounts: vec![eur(2, 50)] })),
                scope: Some(Scope { categories: vec!["garden".to_owned()], ..Scope::default() }),
                ..PriceRule::default()
            }],
            offers: vec![percent("twenty", 200_000)],
            margin_floor_ppm: 0,
        }),
        place: Some(PlaceMix { countries: vec!["AT".to_owned()], ..PlaceMix::default() }),
        promotion: Some(PromotionMix {
            placements: vec![Placement {
                id: "radio".to_owned(),
                medium: Medium::Classical.into(),
                channel: tandem_proto::campaign::v1::Channel::Radio.into(),
                planned_spend: Some(eur(1_200, 0)),
                message: "Listen".to_owned(),
                ..Placement::default()
            }],
        }),
    }
}

/// So much off everything.
pub fn percent(id: &str, rate_ppm: i32) -> Offer {
    Offer {
        id: id.to_owned(),
        titles: BTreeMap::from([(String::new(), format!("Offer {id}"))]),
        discount: Some(Discount {
            kind: Some(discount::Kind::Percent(PercentDiscount { rate_ppm })),
            ..Discount::default()
        }),
        ..Offer::default()
    }
}

/// Euros and cents.
pub fn eur(units: i64, cents: i32) -> Money {
    Money { currency_code: "EUR".to_owned(), units, nanos: cents * 10_000_000 }
}
