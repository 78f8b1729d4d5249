//! Sets the stage: customers, segments, an objective, a campaign with its whole mix, incentives and their codes.

use std::collections::{BTreeMap, HashMap};

use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use tandem_kernel::money::Currency;
use tandem_proto::campaign::v1 as campaign;
use tandem_proto::common::v1::{self as common, discount, tier};
use tandem_proto::relationship::v1 as relationship;

use super::Shop;
use super::purchases::Acquaintance;
use crate::failure::Failure;
use crate::{money, request_id};

/// Buys three or more CDs at the first visit.
pub const COLLECTORS: &str = "segments/collectors";
/// The campaign of the story.
pub const CAMPAIGN: &str = "campaigns/second-visit";
/// The objective it realises.
pub const OBJECTIVE: &str = "objectives/repeat-sales";
/// Where the shop sells.
pub const PLACE: &str = "shops/cdnow";
/// What the campaign's offers may give away, in US cents.
pub const OFFERS_BUDGET: i64 = 2_000_000;
/// The offer of the campaign that is for collectors.
pub const COLLECTORS_OFFER: &str = "campaigns/second-visit/offers/collectors";
/// How often collectors may have their offer, all together and each.
pub const COLLECTORS_USES: i64 = 1_500;
const USES_PER_COLLECTOR: i64 = 10;

const WHOLE_RATE: i32 = 1_000_000;
const LARGE_FIRST_BASKET: i64 = 3;
const CUSTOMERS_PER_MESSAGE: usize = 500;
const ASSIGNMENTS_PER_CALL: usize = 500;

/// Brings in every customer with what the first purchase tells.
pub async fn import_customers(shop: &Shop, known: &BTreeMap<String, Acquaintance>) -> Result<(), Failure> {
    let customers: Vec<relationship::Customer> = known
        .iter()
        .map(|(id, first)| relationship::Customer {
            name: format!("customers/{id}"),
            country: "US".to_owned(),
            time_zone: "America/New_York".to_owned(),
            locale: "en-US".to_owned(),
            tags: (first.first_quantity >= LARGE_FIRST_BASKET)
                .then(|| "collector".to_owned())
                .into_iter()
                .collect(),
            attributes: BTreeMap::from([("first_purchase".to_owned(), first.first_date.to_string())]),
            ..relationship::Customer::default()
        })
        .collect();
    let blocks: Vec<_> = customers
        .chunks(CUSTOMERS_PER_MESSAGE)
        .map(|block| relationship::ImportCustomersRequest { customers: block.to_vec(), update_mask: None })
        .collect();
    let answers = shop.customers.clone().import_customers(futures::stream::iter(blocks)).await?.into_inner();
    // The last one counts all rows.
    let latest = |_, next| std::future::ready(Ok(next));
    let answer = answers.try_fold(relationship::ImportCustomersResponse::default(), latest).await?;
    if answer.failed > 0 {
        return Err(Failure::said(format!("{} customers were refused", answer.failed)));
    }
    println!("  {} customers imported", answer.created + answer.updated);
    Ok(())
}

/// The collectors as a segment, and how many there are.
pub async fn open_segment(shop: &Shop) -> Result<i64, Failure> {
    let segment = relationship::Segment {
        display_name: "Three or more CDs at the first visit".to_owned(),
        rule: "'collector' in customer.tags".to_owned(),
        ..relationship::Segment::default()
    };
    let request = relationship::CreateSegmentRequest {
        segment: Some(segment),
        segment_id: "collectors".to_owned(),
        request_id: String::new(),
    };
    shop.segments.clone().create_segment(request).await?;
    let request = relationship::CountSegmentRequest { name: COLLECTORS.to_owned(), rule: String::new() };
    Ok(shop.segments.clone().count_segment(request).await?.into_inner().members)
}

/// The objective, the product, and the campaign with all four Ps, launched.
pub async fn launch_campaign(shop: &Shop, now: Timestamp) -> Result<(), Failure> {
    let (start, end) = (now - SignedDuration::from_hours(1), now + SignedDuration::from_hours(24 * 30));
    let objective = campaign::Objective {
        display_name: "Repeat sales of first-time buyers".to_owned(),
        metric: campaign::ObjectiveMetric::Revenue.into(),
        target_money: Some(shop.money(25_000_000)),
        window: Some(interval(start, end)),
        ..campaign::Objective::default()
    };
    let request = campaign::CreateObjectiveRequest {
        objective: Some(objective),
        objective_id: "repeat-sales".to_owned(),
        request_id: String::new(),
    };
    shop.objectives.clone().create_objective(request).await?;
    let product = campaign::Product {
        display_name: "Compact disc".to_owned(),
        categories: vec!["music".to_owned()],
        prices: vec![campaign::ListPrice { place: String::new(), price: Some(shop.money(1_499)) }],
        unit_costs: vec![shop.money(900)],
        ..campaign::Product::default()
    };
    let request = campaign::CreateProductRequest {
        product: Some(product),
        product_id: "cd".to_owned(),
        request_id: String::new(),
    };
    shop.products.clone().create_product(request).await?;
    let request = campaign::CreateCampaignRequest {
        campaign: Some(campaign::Campaign {
            display_name: "The second visit".to_owned(),
            objective: OBJECTIVE.to_owned(),
            window: Some(interval(start, end)),
            time_zone: "America/New_York".to_owned(),
            budgets: vec![shop.money(5_000_000)],
            limits: Some(common::Limits {
                budgets: vec![shop.money(OFFERS_BUDGET)],
                overrun: common::Overrun::Cap.into(),
                ..Default::default()
            }),
            mix: Some(mix(shop.currency, start, 50_000)),
            ..campaign::Campaign::default()
        }),
        campaign_id: "second-visit".to_owned(),
        request_id: String::new(),
    };
    shop.campaigns.clone().create_campaign(request).await?;
    let request = campaign::LaunchCampaignRequest { name: CAMPAIGN.to_owned(), ..Default::default() };
    shop.campaigns.clone().launch_campaign(request).await?;
    Ok(())
}

/// Product, price, place and promotion; `collectors_ppm` is what collectors get off without a code.
pub fn mix(currency: Currency, start: Timestamp, collectors_ppm: i32) -> campaign::MarketingMix {
    let money = |minor| money::from_minor(minor, currency);
    let tier = |threshold, rate_ppm| common::Tier {
        thresholds: vec![money(threshold)],
        benefit: Some(tier::Benefit::RatePpm(rate_ppm)),
    };
    let volume = common::Discount {
        kind: Some(discount::Kind::Tiered(common::TieredDiscount {
            tiers: vec![tier(5_000, 30_000), tier(10_000, 60_000)],
        })),
        group: 2,
        ..common::Discount::default()
    };
    let offers = vec![
        campaign::Offer {
            limits: Some(common::Limits {
                max_uses: Some(COLLECTORS_USES),
                max_uses_per_customer: Some(USES_PER_COLLECTOR),
                ..Default::default()
            }),
            ..offer("collectors", "For collectors", percent(collectors_ppm, 1), &[COLLECTORS])
        },
        offer("volume", "The more, the merrier", volume, &[]),
    ];
    let placement =
        |id: &str, medium: campaign::Medium, channel: campaign::Channel, spend| campaign::Placement {
            id: id.to_owned(),
            medium: medium.into(),
            channel: channel.into(),
            planned_spend: Some(money(spend)),
            schedule: Some(interval(
                start + SignedDuration::from_hours(24),
                start + SignedDuration::from_hours(24 * 15),
            )),
            message: "Your second visit is on us".to_owned(),
        };
    campaign::MarketingMix {
        product: Some(campaign::ProductMix {
            products: vec![super::purchases::PRODUCT.to_owned()],
            categories: vec!["music".to_owned()],
            featured_products: vec![],
        }),
        price: Some(campaign::PriceMix {
            price_rules: vec![campaign::PriceRule {
                id: "round-down".to_owned(),
                change: Some(campaign::price_rule::Change::RatePpm(10_000)),
                ..campaign::PriceRule::default()
            }],
            offers,
            margin_floor_ppm: 0,
        }),
        place: Some(campaign::PlaceMix { online_shops: vec![PLACE.to_owned()], ..Default::default() }),
        promotion: Some(campaign::PromotionMix {
            placements: vec![
                placement("newsletter", campaign::Medium::Digital, campaign::Channel::Email, 20_000),
                placement("banners", campaign::Medium::Digital, campaign::Channel::Display, 80_000),
                placement("magazine", campaign::Medium::Classical, campaign::Channel::Print, 120_000),
            ],
        }),
    }
}

fn offer(id: &str, title: &str, discount: common::Discount, segments: &[&str]) -> campaign::Offer {
    campaign::Offer {
        id: id.to_owned(),
        titles: BTreeMap::from([(String::new(), title.to_owned())]),
        discount: Some(discount),
        segments: segments.iter().map(|segment| (*segment).to_owned()).collect(),
        ..campaign::Offer::default()
    }
}

fn percent(rate_ppm: i32, group: i32) -> common::Discount {
    common::Discount {
        kind: Some(discount::Kind::Percent(common::PercentDiscount { rate_ppm })),
        group,
        ..common::Discount::default()
    }
}

fn interval(start: Timestamp, end: Timestamp) -> common::Interval {
    let stamp =
        |at: Timestamp| prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() };
    common::Interval { start_time: Some(stamp(start)), end_time: Some(stamp(end)) }
}

/// The three incentives of the story; each serves the campaign.
pub async fn open_incentives(shop: &Shop) -> Result<(), Failure> {
    let thanks = relationship::Incentive {
        discount: Some(percent(WHOLE_RATE / 10, 5)),
        limits: Some(common::Limits { budgets: vec![shop.money(400_000)], ..Default::default() }),
        max_uses_per_code: Some(3),
        segments: vec![COLLECTORS.to_owned()],
        ..incentive("Thank you")
    };
    let welcome = relationship::Incentive {
        discount: Some(common::Discount {
            kind: Some(discount::Kind::Amount(common::AmountDiscount {
                amounts: vec![shop.money(500)],
                per: common::Per::Order.into(),
            })),
            minimum_spend: vec![shop.money(2_500)],
            group: 5,
            ..common::Discount::default()
        }),
        limits: Some(common::Limits {
            max_uses: Some(400),
            max_uses_per_customer: Some(1),
            ..Default::default()
        }),
        ..incentive("Welcome back")
    };
    let card = relationship::Incentive {
        discount: Some(common::Discount {
            kind: Some(discount::Kind::GiftCard(common::GiftCardTender::default())),
            ..common::Discount::default()
        }),
        ..incentive("Gift card")
    };
    for (id, incentive) in [("thank-you", thanks), ("welcome-back", welcome), ("gift-card", card)] {
        let request = relationship::CreateIncentiveRequest {
            incentive: Some(incentive),
            incentive_id: id.to_owned(),
            request_id: String::new(),
        };
        shop.incentives.clone().create_incentive(request).await?;
    }
    Ok(())
}

fn incentive(title: &str) -> relationship::Incentive {
    relationship::Incentive {
        display_name: title.to_owned(),
        titles: BTreeMap::from([(String::new(), title.to_owned())]),
        campaign: CAMPAIGN.to_owned(),
        ..relationship::Incentive::default()
    }
}

/// Makes the codes and gives them out: thanks to the collectors, a welcome to everyone else, gift cards to the first
/// hundred. Answers the codes by customer.
pub async fn assign_codes(
    shop: &Shop,
    known: &BTreeMap<String, Acquaintance>,
) -> Result<HashMap<String, Vec<String>>, Failure> {
    let collectors = members(shop).await?;
    let everyone: Vec<String> = known.keys().map(|id| format!("customers/{id}")).collect();
    let others: Vec<String> = everyone.iter().filter(|name| !collectors.contains(name)).cloned().collect();
    let first_hundred = everyone[..everyone.len().min(100)].to_vec();
    let mut codes: HashMap<String, Vec<String>> = HashMap::new();
    for (id, pattern, customers, balance) in [
        ("thank-you", "THANKS-######", collectors, None),
        ("welcome-back", "WELCOME-######", others, None),
        ("gift-card", "CARD-####-####", first_hundred, Some(shop.money(2_000))),
    ] {
        if customers.is_empty() {
            continue;
        }
        generate(shop, id, pattern, customers.len(), balance).await?;
        for block in customers.chunks(ASSIGNMENTS_PER_CALL) {
            let request = relationship::AssignVouchersRequest {
                incentive: format!("incentives/{id}"),
                assignments: block.iter().map(|customer| assignment(customer)).collect(),
                request_id: request_id::fresh(),
                ..Default::default()
            };
            for result in shop.vouchers.clone().assign_vouchers(request).await?.into_inner().results {
                let given =
                    result.voucher.ok_or_else(|| Failure::said(format!("no code of {id} was given")))?;
                codes.entry(given.customer).or_default().push(given.code);
            }
        }
        println!("  {:>5} codes of {id} made and given to customers", customers.len());
    }
    Ok(codes)
}

fn assignment(customer: &str) -> relationship::Assignment {
    relationship::Assignment { customer: customer.to_owned(), source_id: format!("demo-{customer}") }
}

async fn members(shop: &Shop) -> Result<Vec<String>, Failure> {
    let request = relationship::StreamSegmentMembersRequest { name: COLLECTORS.to_owned() };
    let mut blocks = shop.segments.clone().stream_segment_members(request).await?.into_inner();
    let mut members = Vec::new();
    while let Some(block) = blocks.message().await? {
        members.extend(block.customers);
    }
    Ok(members)
}

async fn generate(
    shop: &Shop,
    incentive: &str,
    pattern: &str,
    quantity: usize,
    balance: Option<common::Money>,
) -> Result<(), Failure> {
    let request = relationship::GenerateVouchersRequest {
        incentive: format!("incentives/{incentive}"),
        quantity: i64::try_from(quantity).unwrap_or(i64::MAX),
        format: Some(relationship::CodeFormat { pattern: pattern.to_owned(), ..Default::default() }),
        balance,
        request_id: request_id::fresh(),
        ..Default::default()
    };
    let mut progress = shop.vouchers.clone().generate_vouchers(request).await?.into_inner();
    while progress.message().await?.is_some() {}
    Ok(())
}
