//! Sets campaign-svc's stage: products, an objective, and campaigns, of which the same few reach every basket however
//! many run.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use tandem_kernel::clock::{Clock, SystemClock};
use tandem_proto::campaign::v1 as campaign;
use tandem_proto::campaign::v1::campaign_service_client::CampaignServiceClient;
use tandem_proto::campaign::v1::objective_service_client::ObjectiveServiceClient;
use tandem_proto::campaign::v1::product_service_client::ProductServiceClient;
use tandem_proto::common::v1::{self as common, discount, tier};
use tandem_proto::convert;
use tonic::transport::Channel;

use crate::Outcome;
use crate::args::CAMPAIGNS;
use crate::people::{SEGMENTS, euros, limits};

/// Products of the baskets.
pub const PRODUCTS: u32 = 1_000;
/// Campaigns whose offer reaches every basket.
pub const MATCHING: u32 = 20;
/// Where the baskets are sold.
pub const PLACE: &str = "DE/shops/web";

/// Campaigns whose offer has every kind of limit, over which the orders to commit are spread.
pub const LIMITED: u32 = 100;
/// The first of them is `k100`: numbers of one length keep ids of one length.
pub const FIRST_LIMITED: u32 = 100;
/// The id of every campaign's offer.
pub const OFFER: &str = "offer";

/// Groups of products of which every basket has some.
pub const AISLES: u32 = 5;

const CATEGORIES: u32 = 20;
/// In every product.
pub const GOODS: &str = "goods";
const OBJECTIVE: &str = "bench";
const PER_MESSAGE: usize = 500;
const SIDE_BY_SIDE: usize = 16;
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Everything; `campaigns` of them run.
pub async fn set(channel: Channel, campaigns: u32) -> Outcome {
    set_with(channel, campaigns, None).await
}

/// The same, and every offer that reaches a basket counts what each customer uses.
pub async fn set_counting(channel: Channel, campaigns: u32) -> Outcome {
    let each = common::Limits { max_uses_per_customer: Some(1_000_000), ..Default::default() };
    set_with(channel, campaigns, Some(each)).await
}

async fn set_with(channel: Channel, campaigns: u32, limits: Option<common::Limits>) -> Outcome {
    products(channel.clone()).await?;
    ObjectiveServiceClient::new(channel.clone()).create_objective(objective(OBJECTIVE)).await?;
    stream::iter(0..campaigns)
        .map(|number| {
            let limits = limits.clone().filter(|_| number < MATCHING);
            launched(channel.clone(), format!("c{number}"), campaign_of(number, limits))
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect()
        .await
}

/// Beside [`CAMPAIGNS`] others: campaigns that reach no basket, each with an offer that has every kind of limit.
pub async fn set_limited(channel: Channel) -> Outcome {
    stream::iter(0..LIMITED)
        .map(|number| {
            let campaign = campaign_of(CAMPAIGNS + number, Some(limits()));
            launched(channel.clone(), format!("k{}", FIRST_LIMITED + number), campaign)
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect()
        .await
}

async fn products(channel: Channel) -> Outcome {
    let mut client = ProductServiceClient::new(channel);
    let products: Vec<_> = (0..PRODUCTS).map(product).collect();
    for block in products.chunks(PER_MESSAGE) {
        let request = campaign::BatchUpsertProductsRequest { products: block.to_vec(), ..Default::default() };
        upserted(&client.batch_upsert_products(request).await?.into_inner())?;
    }
    Ok(())
}

/// Fails where a product was refused.
pub fn upserted(answer: &campaign::BatchUpsertProductsResponse) -> Outcome {
    let mut results = answer.results.iter().filter_map(|result| result.status.as_ref());
    match results.find(|status| status.code != 0) {
        Some(status) => Err(format!("a product was refused: {}", status.message).into()),
        None => Ok(()),
    }
}

/// One of the products of the baskets.
pub fn product(number: u32) -> campaign::Product {
    let price = i64::from(5 + number % 60);
    campaign::Product {
        name: product_name(number),
        display_name: format!("Product {number}"),
        categories: vec![GOODS.to_owned(), aisle(number), category(number)],
        prices: vec![campaign::ListPrice { place: String::new(), price: Some(euros(price, 90)) }],
        unit_costs: vec![euros(price / 2, 0)],
        tax_rate_ppm: 190_000,
        ..Default::default()
    }
}

/// `products/p100` is the first.
pub fn product_name(number: u32) -> String {
    format!("products/p{}", 100 + number)
}

/// Every basket has goods of every aisle.
fn aisle(number: u32) -> String {
    format!("aisle-{}", number % AISLES)
}

fn category(number: u32) -> String {
    format!("category-{}", number % CATEGORIES)
}

/// An objective that campaigns can serve.
pub fn objective(id: &str) -> campaign::CreateObjectiveRequest {
    let objective = campaign::Objective {
        display_name: "Orders".to_owned(),
        metric: campaign::ObjectiveMetric::Orders.into(),
        target_count: 1_000_000,
        window: Some(window(30)),
        ..Default::default()
    };
    campaign::CreateObjectiveRequest {
        objective: Some(objective),
        objective_id: id.to_owned(),
        ..Default::default()
    }
}

/// A campaign of these offers that runs from its launch on, at these places.
pub fn running(
    objective: &str,
    offers: Vec<campaign::Offer>,
    place: campaign::PlaceMix,
) -> campaign::Campaign {
    campaign::Campaign {
        display_name: "Campaign".to_owned(),
        objective: format!("objectives/{objective}"),
        window: Some(window(20)),
        time_zone: "Europe/Berlin".to_owned(),
        mix: Some(campaign::MarketingMix {
            product: Some(campaign::ProductMix { categories: vec![GOODS.to_owned()], ..Default::default() }),
            price: Some(campaign::PriceMix { offers, ..Default::default() }),
            place: Some(place),
            promotion: Some(campaign::PromotionMix { placements: vec![placement()] }),
        }),
        ..Default::default()
    }
}

fn window(days: u32) -> common::Interval {
    let now = SystemClock.now();
    common::Interval {
        start_time: Some(convert::to_timestamp(now)),
        end_time: Some(convert::to_timestamp(now + DAY * days)),
    }
}

/// Makes and launches a campaign.
pub async fn launched(channel: Channel, id: String, campaign: campaign::Campaign) -> Outcome {
    let mut client = CampaignServiceClient::new(channel);
    let request = campaign::CreateCampaignRequest {
        campaign: Some(campaign),
        campaign_id: id.clone(),
        ..Default::default()
    };
    client.create_campaign(request).await?;
    let request = campaign::LaunchCampaignRequest { name: format!("campaigns/{id}"), ..Default::default() };
    client.launch_campaign(request).await?;
    Ok(())
}

/// The first reach every basket; of the others one half is about other goods, one half is at other places, and each is
/// for one of the segments.
fn campaign_of(number: u32, limits: Option<common::Limits>) -> campaign::Campaign {
    let matching = number < MATCHING;
    let elsewhere = !matching && number % 2 == 1;
    let scope = match number {
        _ if matching => common::Scope { categories: vec![matching_goods(number)], ..Default::default() },
        _ if elsewhere => common::Scope { categories: vec![category(number)], ..Default::default() },
        _ => common::Scope { categories: vec![format!("other-{}", number % 500)], ..Default::default() },
    };
    let place = match number {
        _ if elsewhere => {
            campaign::PlaceMix { stores: vec![format!("stores/s{number}")], ..Default::default() }
        }
        _ if number.is_multiple_of(4) => {
            campaign::PlaceMix { countries: vec!["DE".to_owned()], ..Default::default() }
        }
        _ => campaign::PlaceMix::default(),
    };
    let discount = if matching { matching_discount(number) } else { percent(50_000, 1) };
    let offer = campaign::Offer {
        id: OFFER.to_owned(),
        titles: BTreeMap::from([(String::new(), format!("Offer {number}"))]).into_iter().collect(),
        discount: Some(common::Discount { scope: Some(scope.clone()), ..discount }),
        limits,
        ..Default::default()
    };
    campaign::Campaign {
        display_name: format!("Campaign {number}"),
        objective: format!("objectives/{OBJECTIVE}"),
        window: Some(window(20)),
        time_zone: "Europe/Berlin".to_owned(),
        segments: if matching { vec![] } else { vec![format!("segments/s{}", number % SEGMENTS)] },
        mix: Some(campaign::MarketingMix {
            product: Some(campaign::ProductMix { categories: scope.categories, ..Default::default() }),
            price: Some(campaign::PriceMix {
                price_rules: price_rules(number),
                offers: vec![offer],
                ..Default::default()
            }),
            place: Some(place),
            promotion: Some(campaign::PromotionMix { placements: vec![placement()] }),
        }),
        ..Default::default()
    }
}

/// Two of the campaigns change prices as well.
fn price_rules(number: u32) -> Vec<campaign::PriceRule> {
    if number >= 2 {
        return vec![];
    }
    vec![campaign::PriceRule {
        id: "reduced".to_owned(),
        scope: Some(common::Scope { categories: vec![category(number)], ..Default::default() }),
        change: Some(campaign::price_rule::Change::RatePpm(100_000)),
        ..Default::default()
    }]
}

fn placement() -> campaign::Placement {
    campaign::Placement {
        id: "newsletter".to_owned(),
        medium: campaign::Medium::Digital.into(),
        channel: campaign::Channel::Email.into(),
        planned_spend: Some(euros(500, 0)),
        message: "Come and see".to_owned(),
        ..Default::default()
    }
}

/// Twelve of the offers are for one aisle, the others for all goods.
fn matching_goods(number: u32) -> String {
    match number {
        0..8 | 15..19 => aisle(number),
        _ => GOODS.to_owned(),
    }
}

/// What a shop combines: rates that add up, the best of three, tiers, amounts with a minimum, sets, shipping.
fn matching_discount(number: u32) -> common::Discount {
    let kind = |kind, group| common::Discount { kind: Some(kind), group, ..Default::default() };
    match number {
        0..8 => percent(10_000, 1),
        8..11 => common::Discount {
            group_policy: common::GroupPolicy::BestForCustomer.into(),
            ..percent(10_000 * (number.cast_signed() - 6), 5)
        },
        11..13 => kind(discount::Kind::Tiered(tiers()), 6),
        13..15 => {
            let amounts = vec![euros(2, 0)];
            let amount = common::AmountDiscount { amounts, per: common::Per::Order.into() };
            common::Discount { minimum_spend: vec![euros(100, 0)], ..kind(discount::Kind::Amount(amount), 7) }
        }
        15..17 => {
            let set = common::BuyXGetYDiscount {
                buy_quantity: 1,
                get_quantity: 1,
                rate_ppm: Some(500_000),
                max_sets: Some(1),
                ..Default::default()
            };
            kind(discount::Kind::BuyXGetY(set), 2)
        }
        17 => {
            let amount =
                common::AmountDiscount { amounts: vec![euros(0, 10)], per: common::Per::Unit.into() };
            kind(discount::Kind::Amount(amount), 3)
        }
        18 => {
            let free =
                common::ShippingDiscount { benefit: Some(common::shipping_discount::Benefit::Free(true)) };
            common::Discount { minimum_spend: vec![euros(60, 0)], ..kind(discount::Kind::Shipping(free), 1) }
        }
        _ => common::Discount { max_discount: vec![euros(5, 0)], ..percent(30_000, 4) },
    }
}

/// A share of the goods.
pub fn percent(rate_ppm: i32, group: i32) -> common::Discount {
    let percent = common::PercentDiscount { rate_ppm };
    common::Discount { kind: Some(discount::Kind::Percent(percent)), group, ..Default::default() }
}

fn tiers() -> common::TieredDiscount {
    let tier = |threshold, rate_ppm| common::Tier {
        thresholds: vec![euros(threshold, 0)],
        benefit: Some(tier::Benefit::RatePpm(rate_ppm)),
    };
    common::TieredDiscount { tiers: vec![tier(50, 10_000), tier(200, 20_000), tier(500, 30_000)] }
}
