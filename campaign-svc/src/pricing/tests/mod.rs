//! The rules of quotes: pure ones on snapshots made by hand, the rest through the server.

pub(crate) mod api;
mod costly;
mod degraded;
mod explanation;
mod follow;
mod hours;
mod index;
mod largest;
mod listing;
mod memory;
mod peer;
mod prior;
mod quote;
mod refresh;
mod settings;
mod typed;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tandem_kernel::basket::{Basket, Line, TaxMode};
use tandem_kernel::discount::{Base, Discount, GroupPolicy, Kind, Scope, Stage};
use tandem_kernel::limits::Limits;
use tandem_kernel::money::{Amounts, Currency, Money};
use tandem_kernel::pricing::{Compiled, PriceChange};
use tandem_kernel::work::{Stop, Work};

use super::allowance::QUOTE;
use super::compile;
use super::price::{Ask, Incentives, Priced, Setting};
use super::product::{ListChange, Product};
use super::seen::Seen;
use super::snapshot::{Changes, Snapshot};
use crate::campaign::mix::{Mix, Offer, PriceRule};
use crate::campaign::{Campaign, Definition, Life, Phase, PhaseKind, Revision, Step, Window};
use crate::relationship::{Answer, Code, Terms};

/// A moment, RFC 3339.
fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// 12:00 UTC on 1 July 2026.
fn now() -> Timestamp {
    at("2026-07-01T12:00:00Z")
}

fn eur() -> Currency {
    Currency::new("EUR").unwrap()
}

fn amounts(minor: i64) -> Amounts {
    Amounts::new(vec![Money::new(minor, eur())]).unwrap()
}

fn of_products(ids: &[&str]) -> Scope {
    Scope { products: ids.iter().map(|id| (*id).to_owned()).collect(), ..Scope::default() }
}

fn of_categories(names: &[&str]) -> Scope {
    Scope { categories: names.iter().map(|name| (*name).to_owned()).collect(), ..Scope::default() }
}

fn discount(kind: Kind, stage: Stage) -> Discount {
    Discount {
        kind,
        scope: Scope::default(),
        stage,
        base: Base::default(),
        group: 0,
        group_policy: GroupPolicy::default(),
        priority: 0,
        exclusive: false,
        stop: false,
        minimum_spend: Amounts::default(),
        minimum_spend_base: Default::default(),
        max_discount: Amounts::default(),
        margin_floor_ppm: 0,
    }
}

fn percent(rate_ppm: i32) -> Discount {
    discount(Kind::Percent { rate_ppm }, Stage::Line)
}

fn offer(id: &str, discount: Discount) -> Offer {
    Offer {
        id: id.to_owned(),
        titles: BTreeMap::from([
            (String::new(), id.to_owned()),
            ("de".to_owned(), format!("{id} auf Deutsch")),
        ]),
        discount,
        segments: Vec::new(),
        condition: String::new(),
        limits: Limits::default(),
    }
}

fn rule(id: &str, scope: Scope, change: PriceChange) -> PriceRule {
    PriceRule {
        id: id.to_owned(),
        priority: 0,
        scope,
        change,
        segments: Vec::new(),
        condition: String::new(),
    }
}

fn mix(offers: Vec<Offer>, rules: Vec<PriceRule>) -> Mix {
    let mut mix = Mix::default();
    mix.price.offers = offers;
    mix.price.price_rules = rules;
    mix
}

/// A campaign with its revisions, open since its window began.
#[derive(Debug, Clone)]
struct Planned(Campaign, Vec<Revision>);

/// A campaign of June to August 2026.
fn planned(id: &str, mix: Mix) -> Planned {
    during(id, "2026-06-01T00:00:00Z", "2026-09-01T00:00:00Z", mix)
}

fn during(id: &str, start: &str, end: &str, mix: Mix) -> Planned {
    let window = Window { start: at(start), end: at(end) };
    let life = Life {
        step: Step::Open,
        launched: None,
        phases: vec![Phase { from: window.start, kind: PhaseKind::Open }],
    };
    let definition = Definition { window, ..Definition::default() };
    let created = window.start;
    let campaign = Campaign {
        id: id.to_owned(),
        definition,
        life,
        latest_revision: 1,
        version: 1,
        created,
        updated: created,
        ..Campaign::default()
    };
    Planned(campaign, vec![Revision::first(mix, "test", created)])
}

impl Planned {
    fn adapted(mut self, from: &str, mix: Mix) -> Self {
        let last = self.1.last().unwrap();
        self.1.push(Revision { revision: last.revision + 1, effective: at(from), mix, ..last.clone() });
        self
    }

    fn for_segments(mut self, ids: &[&str]) -> Self {
        self.0.definition.segments = ids.iter().map(|id| (*id).to_owned()).collect();
        self
    }

    fn stepped(mut self, from: &str, step: Step, kind: PhaseKind) -> Self {
        self.0.life.step = step;
        self.0.life.phases.push(Phase { from: at(from), kind });
        self
    }
}

fn product(id: &str, price: i64) -> Product {
    Product {
        id: Arc::from(id),
        categories: vec!["goods".to_owned()],
        general: vec![(eur(), price)],
        local: Vec::new(),
        unit_costs: Amounts::default(),
        tax_rate_ppm: 0,
        on_sale: true,
        history: Arc::default(),
    }
}

fn listed(product: &str, place: &str, from: &str, price: Option<i64>) -> (String, Vec<ListChange>) {
    (product.to_owned(), vec![ListChange { place: place.into(), currency: eur(), from: at(from), price }])
}

fn horizon() -> Timestamp {
    now() - SignedDuration::from_hours(24 * 200)
}

fn changes(products: Vec<Product>, prices: Vec<(String, Vec<ListChange>)>, campaigns: &[Planned]) -> Changes {
    let compiled = campaigns.iter().map(|Planned(campaign, revisions)| {
        (Arc::from(campaign.id.as_str()), compile::campaign(campaign, revisions, now(), horizon()))
    });
    Changes { products, prices, campaigns: compiled.collect() }
}

fn snapshot(products: Vec<Product>, campaigns: &[Planned]) -> Snapshot {
    Snapshot::default().with(changes(products, Vec::new(), campaigns), 1, horizon())
}

fn line(id: &str, product: &str, quantity: i64, unit_price: i64) -> Line {
    Line {
        id: id.to_owned(),
        product: product.to_owned(),
        quantity,
        unit_price,
        unit_cost: None,
        tax_rate_ppm: 0,
        categories: vec!["goods".to_owned()],
        attributes: BTreeMap::new(),
    }
}

fn ask(lines: Vec<Line>) -> Ask {
    Ask::of(Basket {
        currency: eur(),
        lines,
        tax_mode: TaxMode::Inclusive,
        shipping: 0,
        amount_due: None,
        attributes: BTreeMap::new(),
    })
}

/// A code that can be used.
fn code(folded: &str, incentive: &str, discount: Discount) -> Code {
    Code {
        folded: folded.to_owned(),
        incentive: format!("incentives/{incentive}"),
        version: 3,
        title: format!("title of {incentive}"),
        terms: Ok(Arc::new(Terms { compiled: Compiled::new(discount).unwrap(), condition: None })),
        money_left: None,
        capped: false,
        balance: None,
        expires: None,
        retry_after: None,
        limit_attributes: Vec::new(),
        limit_segments: Vec::new(),
    }
}

/// Asks with codes, and what relationship-svc says of them.
fn with_codes(mut ask: Ask, given: &[&str], codes: Vec<Code>, segments: &[&str]) -> (Ask, Incentives) {
    ask.customer = "customers/7".to_owned();
    ask.codes = given.iter().map(|code| (*code).to_owned()).collect();
    let segments = segments.iter().map(|id| (*id).to_owned()).collect();
    (ask, Incentives::Included(Answer { segments, codes }))
}

static UTC: LazyLock<TimeZone> = LazyLock::new(|| TimeZone::UTC);
static NOTHING: LazyLock<Seen> = LazyLock::new(Seen::default);

fn price<'s>(snapshot: &'s Snapshot, ask: &Ask, incentives: &'s Incentives) -> Priced<'s> {
    price_at(snapshot, ask, incentives, now())
}

fn price_at<'s>(snapshot: &'s Snapshot, ask: &Ask, incentives: &'s Incentives, now: Timestamp) -> Priced<'s> {
    priced(snapshot, ask, incentives, now, u64::MAX).unwrap()
}

/// Prices what is estimated to take no more steps than `begin`.
fn priced<'s>(
    snapshot: &'s Snapshot,
    ask: &Ask,
    incentives: &'s Incentives,
    now: Timestamp,
    begin: u64,
) -> Result<Priced<'s>, Stop> {
    let (ttl, segments) = (SignedDuration::from_mins(15), incentives.segments());
    let setting = Setting { snapshot, now, zone: &UTC, ttl, segments, seen: &NOTHING, begin };
    let reach = snapshot.running().reach(&ask.basket.lines, ask.place());
    setting.price(ask, &reach, incentives, None, &mut Work::new(QUOTE))
}
