//! Resources from flags: as much of each as people type by hand.

use clap::{Args, ValueEnum};
use prost::Message;
use prost_reflect::DynamicMessage;
use tandem_proto::campaign::v1 as campaign;
use tandem_proto::common::v1::{self as common, discount, shipping_discount};
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1 as relationship;

use super::kind::Kind;
use crate::failure::Failure;
use crate::{money, name, percent};

/// Flags that make a resource.
pub trait Creates {
    /// Where it goes.
    const COLLECTION: &'static str;

    /// The resource, of this kind.
    fn resource(self, kind: &Kind) -> Result<DynamicMessage, Failure>;
}

/// What every resource has.
#[derive(Debug, Args)]
struct Named {
    /// Its id, or its name with the collection.
    name: String,
    /// What people call it; default: its id.
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
}

impl Named {
    fn read(self, collection: &str) -> (String, String) {
        let full = name::full(collection, &self.name);
        let called = self.display_name.unwrap_or_else(|| name::id(collection, &full).to_owned());
        (full, called)
    }
}

/// What an objective counts.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Metric {
    Revenue,
    Orders,
    Redemptions,
    Customers,
}

/// Arguments of `tandem objectives create`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tandem objectives create grow --metric revenue --target '50000.00 EUR' --start 2031-01-01T00:00:00Z --end 2031-04-01T00:00:00Z")]
pub struct Objective {
    #[command(flatten)]
    named: Named,
    /// What it counts.
    #[arg(long, value_enum)]
    metric: Metric,
    /// How much is to be reached: an amount for revenue, a number for all others.
    #[arg(long, value_name = "NUMBER|AMOUNT")]
    target: String,
    #[command(flatten)]
    window: Window,
}

/// From when until when.
#[derive(Debug, Args)]
struct Window {
    /// When it begins: 2031-01-01T00:00:00Z.
    #[arg(long, value_name = "MOMENT")]
    start: Option<String>,
    /// When it ends.
    #[arg(long, value_name = "MOMENT")]
    end: Option<String>,
}

impl Window {
    fn read(&self) -> Result<Option<common::Interval>, Failure> {
        let (start_time, end_time) = (moment("--start", &self.start)?, moment("--end", &self.end)?);
        let is_given = start_time.is_some() || end_time.is_some();
        Ok(is_given.then_some(common::Interval { start_time, end_time }))
    }
}

/// Arguments of `tandem products create`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tandem products create mug --display-name Mug --price '12.50 EUR' --price 'CH=14.00 CHF' --category kitchen --tax 20")]
pub struct Product {
    #[command(flatten)]
    named: Named,
    /// A list price, `12.50 EUR`, perhaps of a place: `DE=12.00 EUR`; may be given more than once.
    #[arg(long = "price", value_name = "AMOUNT|PLACE=AMOUNT")]
    prices: Vec<String>,
    /// A category; may be given more than once.
    #[arg(long = "category", value_name = "TEXT")]
    categories: Vec<String>,
    /// What one unit costs the shop; may be given once per currency.
    #[arg(long = "cost", value_name = "AMOUNT")]
    costs: Vec<String>,
    /// The tax in per cent.
    #[arg(long, value_name = "PERCENT")]
    tax: Option<String>,
}

/// What the values of an attribute are.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Type {
    Text,
    Number,
    Boolean,
    Date,
    Texts,
}

/// Arguments of `tandem attributes create`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tandem attributes create shoe_size --type number --personal")]
pub struct Attribute {
    #[command(flatten)]
    named: Named,
    /// What its values are.
    #[arg(long = "type", value_enum)]
    value_type: Type,
    /// What it means.
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// It says something about a person that is nobody else's business.
    #[arg(long)]
    personal: bool,
}

/// Arguments of `tandem segments create`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem segments create vips --rule '\"vip\" in customer.tags'
  tandem segments create friends --list --watched")]
pub struct Segment {
    #[command(flatten)]
    named: Named,
    /// Who belongs to it, in CEL: see the handbook, "What a rule may say", and `tandem rules check`.
    #[arg(long, required_unless_present = "list")]
    rule: Option<String>,
    /// It is kept as a list: see `tandem segments import`.
    #[arg(long, conflicts_with = "rule")]
    list: bool,
    /// Who enters it and who leaves it is told as an event.
    #[arg(long)]
    watched: bool,
}

/// Arguments of `tandem incentives create`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem incentives create ten-off --percent 10 --max-uses 1000 --valid-until 2031-04-01T00:00:00Z
  tandem incentives create five-off --amount '5.00 EUR' --minimum-spend '50.00 EUR'")]
pub struct Incentive {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    gives: Gives,
    /// When its codes may be used first.
    #[arg(long, value_name = "MOMENT")]
    valid_from: Option<String>,
    /// Until when they may be used.
    #[arg(long, value_name = "MOMENT")]
    valid_until: Option<String>,
    /// Uses of all its codes together.
    #[arg(long, value_name = "NUMBER")]
    max_uses: Option<i64>,
    /// Uses by one customer.
    #[arg(long, value_name = "NUMBER")]
    max_uses_per_customer: Option<i64>,
    /// Uses of one code; default: 1.
    #[arg(long, value_name = "NUMBER")]
    uses_per_code: Option<i64>,
    /// Only for customers of this segment; may be given more than once.
    #[arg(long = "segment", value_name = "NAME")]
    segments: Vec<String>,
    /// A rule over basket, place and now, in CEL.
    #[arg(long, value_name = "RULE", default_value = "")]
    condition: String,
    /// The campaign that it serves.
    #[arg(long, value_name = "NAME", default_value = "")]
    serves: String,
}

/// What is given; one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "gives", args = ["percent", "amount", "free_shipping", "gift_card"])]
struct Gives {
    /// So much per cent off.
    #[arg(long, value_name = "PERCENT")]
    percent: Option<String>,
    /// So much off the order; once per currency.
    #[arg(long, value_name = "AMOUNT")]
    amount: Vec<String>,
    /// Shipping costs nothing.
    #[arg(long)]
    free_shipping: bool,
    /// Codes that pay with what is on them.
    #[arg(long)]
    gift_card: bool,
    /// Only where goods are worth so much; once per currency.
    #[arg(long, value_name = "AMOUNT")]
    minimum_spend: Vec<String>,
}

impl Gives {
    fn read(&self) -> Result<common::Discount, Failure> {
        let kind = if let Some(percent) = &self.percent {
            discount::Kind::Percent(common::PercentDiscount { rate_ppm: ppm("--percent", percent)? })
        } else if self.free_shipping {
            let benefit = Some(shipping_discount::Benefit::Free(true));
            discount::Kind::Shipping(common::ShippingDiscount { benefit })
        } else if self.gift_card {
            discount::Kind::GiftCard(common::GiftCardTender::default())
        } else {
            let amounts = amounts("--amount", &self.amount)?;
            discount::Kind::Amount(common::AmountDiscount { amounts, ..Default::default() })
        };
        let minimum_spend = amounts("--minimum-spend", &self.minimum_spend)?;
        Ok(common::Discount { kind: Some(kind), minimum_spend, ..Default::default() })
    }
}

/// Arguments of `tandem campaigns create`.
#[derive(Debug, Args)]
#[command(
    after_help = "It is a draft; `tandem campaigns launch` lets it run. A whole mix comes from a file: see `tandem apply`.

Example:
  tandem campaigns create spring --objective grow --start 2031-03-01T00:00:00Z --end 2031-04-01T00:00:00Z --percent 10"
)]
pub struct Campaign {
    #[command(flatten)]
    named: Named,
    /// The objective that it realises.
    #[arg(long, value_name = "NAME")]
    objective: String,
    #[command(flatten)]
    window: Window,
    /// The zone that it is meant in: Europe/Vienna.
    #[arg(long, default_value = "")]
    time_zone: String,
    /// Only for customers of this segment; may be given more than once.
    #[arg(long = "segment", value_name = "NAME")]
    segments: Vec<String>,
    /// What it may cost in all; once per currency.
    #[arg(long = "budget", value_name = "AMOUNT")]
    budgets: Vec<String>,
    /// One offer, called `offer`: so much per cent off everything.
    #[arg(long, value_name = "PERCENT")]
    percent: Option<String>,
}

impl Creates for Objective {
    const COLLECTION: &'static str = "objectives";

    fn resource(self, kind: &Kind) -> Result<DynamicMessage, Failure> {
        let window = self.window.read()?;
        let (name, display_name) = self.named.read(Self::COLLECTION);
        let metric = match self.metric {
            Metric::Revenue => campaign::ObjectiveMetric::Revenue,
            Metric::Orders => campaign::ObjectiveMetric::Orders,
            Metric::Redemptions => campaign::ObjectiveMetric::Redemptions,
            Metric::Customers => campaign::ObjectiveMetric::Customers,
        };
        let (mut target_money, mut target_count) = (None, 0);
        if matches!(self.metric, Metric::Revenue) {
            target_money = Some(money::read(&self.target).map_err(|why| Failure::at("--target", why))?);
        } else {
            target_count = self.target.parse().map_err(|error| Failure::at("--target", error))?;
        }
        let metric = metric.into();
        let objective = campaign::Objective {
            name,
            display_name,
            metric,
            target_money,
            target_count,
            window,
            ..Default::default()
        };
        dynamic(kind, &objective)
    }
}

impl Creates for Product {
    const COLLECTION: &'static str = "products";

    fn resource(self, kind: &Kind) -> Result<DynamicMessage, Failure> {
        let (name, display_name) = self.named.read(Self::COLLECTION);
        let price = |text: &String| money::read_price(text).map_err(|why| Failure::at("--price", why));
        let product = campaign::Product {
            name,
            display_name,
            categories: self.categories,
            prices: self.prices.iter().map(price).collect::<Result<_, Failure>>()?,
            unit_costs: amounts("--cost", &self.costs)?,
            tax_rate_ppm: self.tax.map_or(Ok(0), |tax| ppm("--tax", &tax))?,
            ..Default::default()
        };
        dynamic(kind, &product)
    }
}

impl Creates for Attribute {
    const COLLECTION: &'static str = "attributes";

    fn resource(self, kind: &Kind) -> Result<DynamicMessage, Failure> {
        let (name, display_name) = self.named.read(Self::COLLECTION);
        let value_type = match self.value_type {
            Type::Text => relationship::AttributeType::Text,
            Type::Number => relationship::AttributeType::Number,
            Type::Boolean => relationship::AttributeType::Boolean,
            Type::Date => relationship::AttributeType::Date,
            Type::Texts => relationship::AttributeType::Texts,
        };
        let attribute = relationship::Attribute {
            name,
            display_name,
            description: self.description,
            value_type: value_type.into(),
            personal: self.personal,
            ..Default::default()
        };
        dynamic(kind, &attribute)
    }
}

impl Creates for Segment {
    const COLLECTION: &'static str = "segments";

    fn resource(self, kind: &Kind) -> Result<DynamicMessage, Failure> {
        let (name, display_name) = self.named.read(Self::COLLECTION);
        let of_list = relationship::SegmentKind::List;
        let segment = relationship::Segment {
            name,
            display_name,
            rule: self.rule.unwrap_or_default(),
            kind: if self.list { of_list } else { relationship::SegmentKind::Rule }.into(),
            watched: self.watched,
            ..Default::default()
        };
        dynamic(kind, &segment)
    }
}

impl Creates for Incentive {
    const COLLECTION: &'static str = "incentives";

    fn resource(self, kind: &Kind) -> Result<DynamicMessage, Failure> {
        let (name, display_name) = self.named.read(Self::COLLECTION);
        let start_time = moment("--valid-from", &self.valid_from)?;
        let end_time = moment("--valid-until", &self.valid_until)?;
        let incentive = relationship::Incentive {
            name,
            display_name,
            discount: Some(self.gives.read()?),
            validity: Some(common::Interval { start_time, end_time }),
            limits: Some(common::Limits {
                max_uses: self.max_uses,
                max_uses_per_customer: self.max_uses_per_customer,
                ..Default::default()
            }),
            max_uses_per_code: self.uses_per_code,
            segments: self.segments.iter().map(|one| name::full("segments", one)).collect(),
            condition: self.condition,
            campaign: name::optional("campaigns", &self.serves),
            ..Default::default()
        };
        dynamic(kind, &incentive)
    }
}

impl Creates for Campaign {
    const COLLECTION: &'static str = "campaigns";

    fn resource(self, kind: &Kind) -> Result<DynamicMessage, Failure> {
        let window = self.window.read()?;
        let (name, display_name) = self.named.read(Self::COLLECTION);
        let offer = |percent: &String| {
            let rate_ppm = ppm("--percent", percent)?;
            let kind = Some(discount::Kind::Percent(common::PercentDiscount { rate_ppm }));
            let discount = Some(common::Discount { kind, ..Default::default() });
            Ok::<_, Failure>(campaign::Offer { id: "offer".to_owned(), discount, ..Default::default() })
        };
        let offers: Vec<_> = self.percent.as_ref().map(offer).transpose()?.into_iter().collect();
        let price = Some(campaign::PriceMix { offers, ..Default::default() });
        let campaign = campaign::Campaign {
            name,
            display_name,
            objective: name::full("objectives", &self.objective),
            window,
            time_zone: self.time_zone,
            segments: self.segments.iter().map(|one| name::full("segments", one)).collect(),
            budgets: amounts("--budget", &self.budgets)?,
            mix: Some(campaign::MarketingMix { price, ..Default::default() }),
            ..Default::default()
        };
        dynamic(kind, &campaign)
    }
}

fn dynamic(kind: &Kind, message: &impl Message) -> Result<DynamicMessage, Failure> {
    let bytes = message.encode_to_vec();
    DynamicMessage::decode(kind.descriptor()?, bytes.as_slice())
        .map_err(|error| Failure::at(kind.collection, error))
}

fn amounts(flag: &str, texts: &[String]) -> Result<Vec<common::Money>, Failure> {
    texts.iter().map(|text| money::read(text).map_err(|why| Failure::at(flag, why))).collect()
}

fn moment(flag: &str, text: &Option<String>) -> Result<Option<prost_types::Timestamp>, Failure> {
    let read = |text: &String| text.parse().map(to_timestamp).map_err(|error| Failure::at(flag, error));
    text.as_ref().map(read).transpose()
}

fn ppm(flag: &str, text: &str) -> Result<i32, Failure> {
    percent::read(text).map_err(|why| Failure::at(flag, why))
}
