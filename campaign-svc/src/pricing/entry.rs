//! An offer or a price rule of one mix revision, compiled for quotes.

use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::discount::{Discount, Kind, Scope};
use tandem_kernel::pricing::{Compiled, PriceRule};
use tandem_kernel::rule::Rule;

use super::spent::Limited;

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
    Price(Arc<PriceRule>),
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

/// The narrowest goods that a basket must hold for an entry to have an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goods {
    /// One of these products, by id.
    Products(Box<[Arc<str>]>),
    /// Something of these categories.
    Categories(Box<[Arc<str>]>),
    /// Anything.
    Everything,
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
            What::Price(rule) => Some(rule),
        }
    }
}

impl Goods {
    /// Of a scope. Products are narrower than categories; exclusions and conditions narrow nothing that could be
    /// looked up.
    pub fn of_scope(scope: &Scope) -> Self {
        let list = |texts: &[String]| {
            let mut list: Vec<Arc<str>> = texts.iter().map(|text| Arc::from(text.as_str())).collect();
            list.sort_unstable();
            list.dedup();
            list.into_boxed_slice()
        };
        match scope {
            Scope { products, .. } if !products.is_empty() => Self::Products(list(products)),
            Scope { categories, .. } if !categories.is_empty() => Self::Categories(list(categories)),
            _ => Self::Everything,
        }
    }

    /// Of a discount. Every part of a bundle is needed, so its narrowest part will do.
    pub fn of_discount(discount: &Discount) -> Self {
        let own = Self::of_scope(&discount.scope);
        match &discount.kind {
            Kind::Bundle { parts, .. } => parts
                .iter()
                .map(|part| Self::of_scope(&part.scope))
                .chain([own])
                .min_by_key(Self::breadth)
                .unwrap_or(Self::Everything),
            _ => own,
        }
    }

    fn breadth(&self) -> (u8, usize) {
        match self {
            Self::Products(ids) => (0, ids.len()),
            Self::Categories(names) => (1, names.len()),
            Self::Everything => (2, 0),
        }
    }
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

    /// The title for a locale: the nearest of "de-AT", "de", then the default; empty where there is none.
    pub fn of(&self, locale: &str) -> &str {
        let find = |wanted: &str| {
            self.0.iter().find(|(locale, _)| locale.eq_ignore_ascii_case(wanted)).map(|(_, text)| &**text)
        };
        let mut wanted = locale;
        loop {
            if let Some(text) = find(wanted) {
                return text;
            }
            match wanted.rsplit_once('-') {
                Some((wider, _)) => wanted = wider,
                None if wanted.is_empty() => return "",
                None => wanted = "",
            }
        }
    }
}
