//! A product as quotes read it.

use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::money::{Amounts, Currency};
use tandem_kernel::text;

use super::place::Place;
use crate::product::store::Sold;
use crate::product::{ListPrice, State};

/// A list price from a moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListChange {
    /// As in a list price; empty: general.
    pub place: Box<str>,
    /// Of the price.
    pub currency: Currency,
    /// From when.
    pub from: Timestamp,
    /// In minor units; `None`: from here on there was none.
    pub price: Option<i64>,
}

/// What is sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its id.
    pub id: Arc<str>,
    /// Sorted, each once.
    pub categories: Vec<String>,
    /// List prices of every place without one of its own, in minor units.
    pub general: Vec<(Currency, i64)>,
    /// List prices of places, sorted by place and currency, in minor units.
    pub local: Vec<(Box<str>, Currency, i64)>,
    /// Of one unit, before tax.
    pub unit_costs: Amounts,
    /// Tax in parts per million.
    pub tax_rate_ppm: i32,
    /// Not archived.
    pub on_sale: bool,
    /// How the list prices went, by time. Shared by the versions of a product whose prices stayed.
    pub history: Arc<Vec<ListChange>>,
}

impl From<Sold> for Product {
    /// Without its history.
    fn from(sold: Sold) -> Self {
        let (mut general, mut local) = (Vec::new(), Vec::new());
        for ListPrice { place, price } in sold.prices {
            match place.as_str() {
                "" => general.push((price.currency, price.minor)),
                _ => local.push((place.into(), price.currency, price.minor)),
            }
        }
        local.sort_unstable();
        // Of a product that was stored before texts were composed.
        let mut categories = sold.categories;
        text::compose_all(&mut categories);
        categories.sort_unstable();
        categories.dedup();
        Self {
            id: sold.id.into(),
            categories,
            general,
            local,
            unit_costs: sold.unit_costs,
            tax_rate_ppm: sold.tax_rate_ppm,
            on_sale: sold.state == State::Active,
            history: Arc::default(),
        }
    }
}

/// The history with `news`, without what was over before `horizon`: of each place and currency one earlier change is
/// kept, which says what the price was then.
pub fn continued(history: &[ListChange], news: Vec<ListChange>, horizon: Timestamp) -> Vec<ListChange> {
    let mut whole: Vec<ListChange> =
        history.iter().filter(|old| !news.iter().any(|new| new.replaces(old))).cloned().collect();
    whole.extend(news);
    whole.sort_by_key(|change| change.from);
    let mut kept: Vec<ListChange> = Vec::with_capacity(whole.len());
    for change in whole {
        if change.from <= horizon {
            kept.retain(|earlier| !(earlier.place == change.place && earlier.currency == change.currency));
        }
        kept.push(change);
    }
    kept
}

impl ListChange {
    fn replaces(&self, other: &Self) -> bool {
        (&self.place, self.currency, self.from) == (&other.place, other.currency, other.from)
    }
}

impl Product {
    /// The list price at `place`: that of the most special place that has one.
    pub fn list_price(&self, place: Place<'_>, currency: Currency) -> Option<i64> {
        let of_place = |at: &str| {
            let found = self.local.binary_search_by(|(place, of, _)| (&**place, *of).cmp(&(at, currency)));
            found.ok().map(|index| self.local[index].2)
        };
        let special = if self.local.is_empty() { None } else { place.price_places().find_map(of_place) };
        special.or_else(|| self.general.iter().find(|(of, _)| *of == currency).map(|(_, price)| *price))
    }

    /// The list prices at `place` by time, as they would have been quoted: (from, price).
    pub fn list_course(&self, place: Place<'_>, currency: Currency) -> Vec<(Timestamp, Option<i64>)> {
        let places: Vec<&str> = place.price_places().collect();
        let mut current: Vec<Option<i64>> = vec![None; places.len()];
        let mut course: Vec<(Timestamp, Option<i64>)> = Vec::new();
        for change in self.history.iter().filter(|change| change.currency == currency) {
            let Some(index) = places.iter().position(|place| *place == &*change.place) else { continue };
            current[index] = change.price;
            let price = current.iter().find_map(|price| *price);
            match course.last_mut() {
                Some(last) if last.0 == change.from => last.1 = price,
                Some(last) if last.1 == price => {}
                _ => course.push((change.from, price)),
            }
        }
        course
    }
}
