//! A shop with two products, a segment, a campaign with a full mix, and an incentive that serves it.

use tandem_proto::campaign::v1::{
    Campaign, Channel, MarketingMix, Medium, Objective, ObjectiveMetric, Offer, PlaceMix, Placement,
    PriceMix, PriceRule, Product, ProductMix, PromotionMix, QuoteRequest, price_rule,
};
use tandem_proto::campaign::v1::{ListPrice, QuoteResponse};
use tandem_proto::common::v1::{Basket, Interval, Limits, Line, Scope, Stage};
use tandem_proto::relationship::v1::{Customer, Incentive};
use tandem_tests::database::Engine;
use tandem_tests::stage::{Campaigns, Pair, Relationship, eur, in_seconds, incentive, minor, off, percent};

/// Long enough that a busy machine is not a peer that is down.
const PEER_MS: u64 = 5_000;
const DAY: i64 = 24 * 60 * 60;

pub struct Shop {
    pub pair: Pair,
    pub campaigns: Campaigns,
    pub relationship: Relationship,
}

/// Shirts at 40.00 and mugs at 10.00; 10 % off shirts for members as an offer of the campaign "spring", mugs at 9.00 by
/// its price rule; 5.00 off the order for a code of the incentive "welcome".
pub async fn shop(engine: Engine) -> Shop {
    let pair = Pair::start(engine, PEER_MS).await;
    let (campaigns, relationship) = pair.callers();
    relationship.segment("members", r#""member" in customer.tags"#).await;
    let customer = |id: &str, tags: &[&str]| Customer {
        name: format!("customers/{id}"),
        country: "AT".to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..Customer::default()
    };
    relationship
        .make_customers(vec![
            customer("ada", &["member"]),
            customer("bob", &["member"]),
            customer("eve", &[]),
        ])
        .await;

    let objective = Objective {
        display_name: "Spring turnover".to_owned(),
        metric: ObjectiveMetric::Revenue.into(),
        target_money: Some(eur(100_000)),
        window: Some(Interval { start_time: Some(in_seconds(-DAY)), end_time: Some(in_seconds(60 * DAY)) }),
        ..Objective::default()
    };
    campaigns.objective("turnover", objective).await;
    campaigns.product("shirt", product("Shirt", "apparel", 4_000, 1_500)).await;
    campaigns.product("mug", product("Mug", "kitchen", 1_000, 200)).await;
    let campaign = Campaign {
        display_name: "Spring".to_owned(),
        objective: "objectives/turnover".to_owned(),
        window: Some(Interval { start_time: Some(in_seconds(60)), end_time: Some(in_seconds(30 * DAY)) }),
        time_zone: "Europe/Vienna".to_owned(),
        budgets: vec![eur(500_000)],
        mix: Some(mix(100_000)),
        ..Campaign::default()
    };
    campaigns.campaign("spring", campaign).await;

    let limits = Limits { budgets: vec![eur(10_000)], max_uses_per_customer: Some(5), ..Limits::default() };
    let mut discount = off(500);
    discount.stage = Stage::Order.into();
    let welcome =
        Incentive { campaign: "campaigns/spring".to_owned(), limits: Some(limits), ..incentive(discount) };
    relationship.incentive("welcome", welcome).await;
    relationship.codes("welcome", &["WELCOME-1", "WELCOME-2"], 10).await;
    campaigns.until_priced(ask("ada", "", &[])).await;
    Shop { pair, campaigns, relationship }
}

fn product(name: &str, category: &str, price: i64, cost: i64) -> Product {
    Product {
        display_name: name.to_owned(),
        categories: vec![category.to_owned()],
        prices: vec![ListPrice { place: String::new(), price: Some(eur(price)) }],
        unit_costs: vec![eur(cost)],
        tax_rate_ppm: 200_000,
        ..Product::default()
    }
}

/// A full mix whose offer takes so much off shirts.
pub fn mix(offer_ppm: i32) -> MarketingMix {
    let apparel = Scope { categories: vec!["apparel".to_owned()], ..Scope::default() };
    let mut discount = percent(offer_ppm);
    discount.scope = Some(apparel);
    let offer = Offer {
        id: "shirts".to_owned(),
        titles: [
            (String::new(), "Shirts for less".to_owned()),
            ("de".to_owned(), "Hemden günstiger".to_owned()),
        ]
        .into(),
        discount: Some(discount),
        segments: vec!["segments/members".to_owned()],
        ..Offer::default()
    };
    let rule = PriceRule {
        id: "mugs".to_owned(),
        scope: Some(Scope { products: vec!["products/mug".to_owned()], ..Scope::default() }),
        change: Some(price_rule::Change::RatePpm(100_000)),
        ..PriceRule::default()
    };
    let placement = |id: &str, medium: Medium, channel: Channel, spend: i64| Placement {
        id: id.to_owned(),
        medium: medium.into(),
        channel: channel.into(),
        planned_spend: Some(eur(spend)),
        message: "Spring is here".to_owned(),
        ..Placement::default()
    };
    MarketingMix {
        product: Some(ProductMix {
            products: vec!["products/shirt".to_owned(), "products/mug".to_owned()],
            categories: vec!["apparel".to_owned()],
            featured_products: vec!["products/shirt".to_owned()],
        }),
        price: Some(PriceMix { price_rules: vec![rule], offers: vec![offer], margin_floor_ppm: 50_000 }),
        place: Some(PlaceMix { countries: vec!["AT".to_owned()], ..PlaceMix::default() }),
        promotion: Some(PromotionMix {
            placements: vec![
                placement("mail", Medium::Digital, Channel::Email, 10_000),
                placement("poster", Medium::Classical, Channel::Outdoor, 50_000),
            ],
        }),
    }
}

/// Three shirts and a mug in Austria at list prices.
pub fn ask(customer: &str, order: &str, codes: &[&str]) -> QuoteRequest {
    let line = |id: &str, product: &str, quantity: i64| Line {
        id: id.to_owned(),
        product: format!("products/{product}"),
        quantity,
        ..Line::default()
    };
    QuoteRequest {
        basket: Some(Basket {
            currency_code: "EUR".to_owned(),
            lines: vec![line("1", "shirt", 3), line("2", "mug", 1)],
            ..Basket::default()
        }),
        place: "AT".to_owned(),
        customer: format!("customers/{customer}"),
        codes: codes.iter().map(|code| (*code).to_owned()).collect(),
        order_id: order.to_owned(),
        locale: "de-AT".to_owned(),
        ..QuoteRequest::default()
    }
}

/// What a quote comes to, in cents.
pub fn total(quote: &QuoteResponse) -> i64 {
    minor(quote.totals.as_ref().and_then(|totals| totals.total.as_ref()))
}
