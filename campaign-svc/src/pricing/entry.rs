//! An offer or a price rule of one mix revision, compiled for quotes.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tandem_kernel::discount::{Discount, Kind, Scope};
use tandem_kernel::limits::Dimension;
use tandem_kernel::locale::Locale;
use tandem_kernel::pricing::{Compiled, PriceRule};
use tandem_kernel::rule::Rule;

use super::hours::Hours;
use super::limited::Limited;

/// The most goods by which an offer of several scopes is found: each takes room in the index.
const MAX_NAMED: usize = 1_000;

/// An offer or a price rule, when and where it is in force, and for whom.
#[derive(Debug, Clone)]
pub struct Entry {
    /// "campaigns/{campaign}/offers/{offer}" or "campaigns/{campaign}/priceRules/{rule}".
    pub name: Arc<str>,
    /// Of the mix it stands in.
    pub revision: i64,
    /// In force from here,
    pub from: Timestamp,
    /// to here, exclusive: the campaign's end or the next revision.
    pub until: Timestamp,
    /// The campaign's start.
    pub campaign_start: Timestamp,
    /// The campaign's end: what was quoted under it is not promised longer.
    pub campaign_end: Timestamp,
    /// Ids of segments, any of which a customer must be in; empty: everyone.
    pub segments: Box<[Arc<str>]>,
    /// Countries and sites, sorted; empty: everywhere.
    pub places: Arc<[Box<str>]>,
    /// The campaign's, in which its condition reads the time.
    pub zone: TimeZone,
    /// What it is posted under.
    pub goods: Goods,
    /// What it does.
    pub what: What,
}

/// What an entry does.
#[derive(Debug, Clone)]
pub enum What {
    /// A discount without a code.
    Offer(Offer),
    /// Another unit price. Shared by the entries of its phases.
    Price(Arc<Price>),
}

/// Another unit price.
#[derive(Debug)]
pub struct Price {
    /// What it makes of the price.
    pub rule: PriceRule,
    /// When, within the campaign; `None`: always.
    pub hours: Option<Hours>,
}

/// A discount without a code.
#[derive(Debug, Clone)]
pub struct Offer {
    /// What customers read.
    pub titles: Titles,
    /// Over basket, place and time.
    pub condition: Option<Rule>,
    /// What it gives.
    pub compiled: Arc<Compiled>,
    /// How often and how much, together with its campaign; `None` without end.
    pub limited: Option<Box<Limited>>,
}

/// The goods of which a basket must hold some for an entry to have anything to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Goods {
    /// One of these products, by id,
    pub products: Box<[Arc<str>]>,
    /// or something of these categories,
    pub categories: Box<[Arc<str>]>,
    /// or anything.
    pub everything: bool,
}

impl Entry {
    /// Whether it is in force.
    pub fn in_force(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }

    /// Only for customers in segments: its price is not open to everyone.
    pub fn is_personal(&self) -> bool {
        !self.segments.is_empty()
    }

    /// The offer, where it is one.
    pub fn offer(&self) -> Option<&Offer> {
        match &self.what {
            What::Offer(offer) => Some(offer),
            What::Price(_) => None,
        }
    }

    /// The price rule, where it is one.
    pub fn price_rule(&self) -> Option<&PriceRule> {
        match &self.what {
            What::Offer(_) => None,
            What::Price(price) => Some(&price.rule),
        }
    }

    /// The hours of a price rule, where it has any.
    pub fn hours(&self) -> Option<&Hours> {
        match &self.what {
            What::Offer(_) => None,
            What::Price(price) => price.hours.as_ref(),
        }
    }

    /// Of the segments that a customer is in those that its limits count by.
    pub fn counted_segments(&self, customers: &[String]) -> Vec<String> {
        let limited = self.offer().and_then(|offer| offer.limited.as_ref());
        if !limited.is_some_and(|limited| limited.counts_by(&Dimension::Segment)) {
            return Vec::new();
        }
        let counts = |id: &&String| self.segments.iter().any(|segment| **segment == ***id);
        customers.iter().filter(counts).cloned().collect()
    }

    /// Whether its limits count single customers, or values of the order.
    pub fn counts_apart(&self) -> bool {
        self.offer().and_then(|offer| offer.limited.as_ref()).is_some_and(|limited| limited.counts_apart())
    }
}

impl Goods {
    /// Of a scope. Products are narrower than categories; exclusions and conditions narrow nothing that could be
    /// looked up.
    pub fn of_scope(scope: &Scope) -> Self {
        Self::of_scopes(&[scope])
    }

    /// Of a discount that takes goods of several scopes: those of any, since a set that lacks some is explained by what is
    /// there. Scopes that hold anything tell nobody of the others; nor does any where they name too many goods, which are
    /// then found by the scope that names the fewest.
    pub fn of_discount(discount: &Discount) -> Self {
        let own = &discount.scope;
        let scopes: Vec<&Scope> = match &discount.kind {
            Kind::Bundle { parts, .. } => parts.iter().map(|part| &part.scope).collect(),
            Kind::BuyXGetY { get_scope: Some(given), .. } => vec![own, given],
            _ => vec![own],
        };
        let names = |scope: &&Scope| !scope.products.is_empty() || !scope.categories.is_empty();
        let named: Vec<&Scope> = scopes.into_iter().filter(names).collect();
        if named.is_empty() {
            return Self::of_scope(own);
        }
        let goods = Self::of_scopes(&named);
        if goods.breadth() <= MAX_NAMED {
            return goods;
        }
        let narrowest = named.into_iter().map(Self::of_scope).min_by_key(Self::breadth);
        narrowest.unwrap_or(goods)
    }

    /// What any of these scopes can hold.
    fn of_scopes(scopes: &[&Scope]) -> Self {
        let mut goods = Self::default();
        let (mut products, mut categories) = (Vec::new(), Vec::new());
        for scope in scopes {
            match scope {
                Scope { products: listed, .. } if !listed.is_empty() => products.extend(listed),
                Scope { categories: listed, .. } if !listed.is_empty() => categories.extend(listed),
                _ => goods.everything = true,
            }
        }
        if !goods.everything {
            (goods.products, goods.categories) = (each_once(products), each_once(categories));
        }
        goods
    }

    /// How many postings it takes.
    pub fn breadth(&self) -> usize {
        self.products.len() + self.categories.len() + usize::from(self.everything)
    }
}

fn each_once(mut texts: Vec<&String>) -> Box<[Arc<str>]> {
    texts.sort_unstable();
    texts.dedup();
    texts.into_iter().map(|text| Arc::from(text.as_str())).collect()
}

/// Titles by BCP 47 locale; the empty locale is the default.
#[derive(Debug, Clone, Default)]
pub struct Titles(Box<[(Box<str>, Box<str>)]>);

impl Titles {
    /// Each locale once.
    pub fn new<'t>(titles: impl IntoIterator<Item = (&'t String, &'t String)>) -> Self {
        Self(
            titles.into_iter().map(|(locale, text)| (locale.as_str().into(), text.as_str().into())).collect(),
        )
    }

    /// The title for a locale: its own, else that of the nearest wider one, else the default; empty where there is none.
    pub fn of(&self, locale: &Locale) -> &str {
        let titled = |wanted: &str| self.0.iter().find(|(of, _)| **of == *wanted);
        locale.nearest(titled).map_or("", |(_, text)| text)
    }
}
