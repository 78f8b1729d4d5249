//! The 30-day price: the lowest price open to everyone in the 30 days before the current uninterrupted reduction began.
//!
//! Open to everyone are the list price and the price rules of campaigns that are for no segment; personal discounts and
//! codes never count. A reduction is the span in which the open price stays below the list price; campaigns that follow
//! each other without a gap are one reduction.
//!
//! A product's course of prices is computed when a quote first shows it reduced, and kept with the snapshot.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;
use jiff::{SignedDuration, Timestamp};
use tandem_kernel::basket::{Basket, Line, TaxMode};
use tandem_kernel::money::Currency;
use tandem_kernel::pricing::{PriceRule, initial};
use tandem_kernel::work::Work;

use super::allowance::QUOTE;
use super::place::Place;
use super::product::Product;

/// How far back the lowest price is looked for.
pub const LOOK_BACK: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Courses kept at once; the memory they take is bounded by it.
const KEPT: usize = 10_000;

/// What everyone paid for one unit, from a moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    from: Timestamp,
    list: Option<i64>,
    open: Option<i64>,
}

impl Step {
    fn is_reduced(&self) -> bool {
        matches!((self.list, self.open), (Some(list), Some(open)) if open < list)
    }
}

/// A span in which a price rule is in force for everyone.
#[derive(Debug, Clone, Copy)]
pub struct Phase<'r> {
    /// Inclusive.
    pub from: Timestamp,
    /// Exclusive.
    pub until: Timestamp,
    /// What it does.
    pub rule: &'r PriceRule,
}

/// How the price of one product went at one place in one currency.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Course {
    steps: Vec<Step>,
}

impl Course {
    /// The course of `product` under the price rules in `phases`.
    pub fn of(product: &Product, place: Place<'_>, currency: Currency, phases: &[Phase<'_>]) -> Self {
        let lists = product.list_course(place, currency);
        let mut moments: Vec<(Timestamp, Moment)> =
            lists.into_iter().map(|(from, price)| (from, Moment::Listed(price))).collect();
        for (index, phase) in phases.iter().enumerate().filter(|(_, phase)| phase.from < phase.until) {
            moments.push((phase.from, Moment::Begins(index)));
            moments.push((phase.until, Moment::Ends(index)));
        }
        moments.sort_unstable();
        let mut prices = Prices {
            phases,
            unit: UnitPrice::new(product, currency),
            list: None,
            in_force: vec![false; phases.len()],
            lowered: BTreeMap::new(),
        };
        let mut steps: Vec<Step> = Vec::with_capacity(moments.len());
        for (from, moment) in moments {
            prices.take(moment);
            let step = Step { from, list: prices.list, open: prices.open() };
            match steps.last_mut() {
                Some(last) if last.from == from => *last = step,
                _ => steps.push(step),
            }
        }
        Self { steps }
    }

    /// The prior price at `now`. `since` is when the reduction at hand began where it is not open to everyone.
    /// `None` where nobody was offered a price in the 30 days.
    pub fn prior_price(&self, now: Timestamp, since: Option<Timestamp>) -> Option<i64> {
        let current = self.steps.partition_point(|step| step.from <= now).checked_sub(1);
        let reduced = current.and_then(|current| {
            let reduced = self.steps[..=current].iter().rev().take_while(|step| step.is_reduced());
            reduced.last().map(|first| first.from)
        });
        let began = reduced.or(since).unwrap_or(now);
        self.lowest(began.checked_sub(LOOK_BACK).unwrap_or(Timestamp::MIN), began)
    }

    fn lowest(&self, from: Timestamp, until: Timestamp) -> Option<i64> {
        let ends = self.steps.iter().skip(1).map(|step| step.from).chain([Timestamp::MAX]);
        let within = self.steps.iter().zip(ends).filter(|(step, end)| step.from < until && *end > from);
        within.filter_map(|(step, _)| step.open).min()
    }
}

/// What changes at one point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Listed(Option<i64>),
    Begins(usize),
    Ends(usize),
}

/// The prices at one point in time.
struct Prices<'p> {
    phases: &'p [Phase<'p>],
    unit: UnitPrice,
    list: Option<i64>,
    in_force: Vec<bool>,
    /// Prices below the list price, and how many rules in force make each.
    lowered: BTreeMap<i64, usize>,
}

impl Prices<'_> {
    fn take(&mut self, moment: Moment) {
        match moment {
            Moment::Listed(list) => {
                self.list = list;
                self.lowered.clear();
                for phase in 0..self.phases.len() {
                    if self.in_force[phase] {
                        self.add(phase);
                    }
                }
            }
            Moment::Begins(phase) => {
                self.in_force[phase] = true;
                self.add(phase);
            }
            Moment::Ends(phase) => {
                self.in_force[phase] = false;
                if let Some(price) = self.price(phase)
                    && let Some(count) = self.lowered.get_mut(&price)
                {
                    *count -= 1;
                    if *count == 0 {
                        self.lowered.remove(&price);
                    }
                }
            }
        }
    }

    fn add(&mut self, phase: usize) {
        if let Some(price) = self.price(phase) {
            *self.lowered.entry(price).or_default() += 1;
        }
    }

    fn price(&mut self, phase: usize) -> Option<i64> {
        self.unit.under(self.list?, self.phases[phase].rule)
    }

    fn open(&self) -> Option<i64> {
        self.lowered.keys().next().copied().or(self.list)
    }
}

/// One unit of a product on its own, for rules that look at lines. Prices are asked once per rule and list price.
struct UnitPrice {
    basket: Basket,
    known: HashMap<(usize, i64), Option<i64>, RandomState>,
}

impl UnitPrice {
    fn new(product: &Product, currency: Currency) -> Self {
        let line = Line {
            id: String::from("1"),
            product: product.id.to_string(),
            quantity: 1,
            unit_price: 0,
            unit_cost: None,
            tax_rate_ppm: product.tax_rate_ppm,
            categories: product.categories.clone(),
            attributes: BTreeMap::new(),
        };
        let basket = Basket {
            currency,
            lines: vec![line],
            tax_mode: TaxMode::default(),
            shipping: 0,
            amount_due: None,
            attributes: BTreeMap::new(),
        };
        Self { basket, known: HashMap::default() }
    }

    /// What it costs under `rule`; `None` where the rule does not lower it.
    fn under(&mut self, list: i64, rule: &PriceRule) -> Option<i64> {
        let basket = &mut self.basket;
        let key = (std::ptr::from_ref(rule).addr(), list);
        *self.known.entry(key).or_insert_with(|| {
            basket.lines[0].unit_price = list;
            // One rule on one line never takes as much as a quote may.
            let prices = initial(basket, &[rule], &mut Work::new(QUOTE)).prices;
            prices.first().map(|price| price.unit).filter(|price| *price < list)
        })
    }
}

type Key = (Arc<str>, Box<str>, Currency);

/// The courses that quotes have asked for.
#[derive(Debug, Default)]
pub struct Courses(Mutex<HashMap<Key, Arc<Course>, RandomState>>);

impl Courses {
    /// The course of a product, computed by `compute` at the first question.
    pub fn get(
        &self,
        product: &Arc<str>,
        place: &str,
        currency: Currency,
        compute: impl FnOnce() -> Course,
    ) -> Arc<Course> {
        let key = (product.clone(), Box::from(place), currency);
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        kept.unwrap_or_else(|| {
            // Outside the lock: two quotes may compute the same course, none waits for the other.
            let course = Arc::new(compute());
            let mut courses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if courses.len() >= KEPT {
                courses.clear();
            }
            courses.insert(key, course.clone());
            course
        })
    }
}
