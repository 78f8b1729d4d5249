//! The till's own book: what was promised to every customer, what was sold, and what came back. It is written from the
//! quotes alone, so that it can be compared with what the services have counted.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use tandem_kernel::money::Money;
use tandem_kernel::pricing;
use tandem_proto::campaign::v1::{Decision, DecisionOutcome, DecisionReason, QuoteResponse};
use tandem_proto::common::v1::Basket;

use super::Shop;
use super::purchases::Purchase;
use crate::failure::Failure;
use crate::{money, output};

/// What gave or paid something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// An offer of the campaign.
    Offer,
    /// A code.
    Code,
    /// A gift card, which pays.
    Card,
}

/// What one of them gave.
#[derive(Debug, Clone)]
struct Given {
    name: String,
    source: Source,
    amount: i64,
    of_first_line: i64,
}

/// What became of a purchase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fate {
    /// Every try was refused.
    #[default]
    Lost,
    /// Committed.
    Sold,
    /// One unit of the first line came back.
    Returned,
    /// Everything came back.
    Cancelled,
}

/// One order as the till wrote it down. Amounts in minor units.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// The checkout's own id.
    pub id: String,
    /// Who buys.
    pub customer: String,
    /// A line to return a unit of.
    pub first_line: String,
    /// What became of it.
    pub fate: Fate,
    /// Goods at list price.
    pub list: i64,
    /// After every discount, before gift cards.
    pub total: i64,
    /// A commit of it was refused by relationship-svc.
    pub refused_by_relationship: bool,
    price_rules: i64,
    first_units: i64,
    units: i64,
    given: Vec<Given>,
    refusals: Vec<String>,
    quote_took: Duration,
    commit_took: Option<Duration>,
}

impl Order {
    /// Nothing quoted yet.
    pub fn new(purchase: &Purchase, basket: &Basket) -> Self {
        Self {
            id: purchase.order_id(),
            customer: purchase.customer_name(),
            first_line: basket.lines.first().map(|line| line.id.clone()).unwrap_or_default(),
            first_units: basket.lines.first().map_or(0, |line| line.quantity),
            units: purchase.quantity,
            ..Self::default()
        }
    }

    /// Writes down what was quoted; a later quote replaces it.
    pub fn quoted(&mut self, quote: &QuoteResponse, took: Duration) {
        let totals = quote.totals.clone().unwrap_or_default();
        self.list = money::minor(totals.list_amount.as_ref());
        self.price_rules = self.list - money::minor(totals.initial_amount.as_ref());
        self.total = money::minor(totals.total.as_ref());
        let applied =
            quote.decisions.iter().filter(|decision| decision.outcome() == DecisionOutcome::Applied);
        self.given = applied.map(|decision| given(decision, &self.first_line)).collect();
        let refused = quote.decisions.iter().filter(|decision| decision.source.starts_with("vouchers/"));
        self.refusals.extend(refused.filter_map(|decision| match decision.outcome() {
            DecisionOutcome::Applied | DecisionOutcome::Unspecified => None,
            _ if decision.reason() == DecisionReason::CodeRefused => Some(decision.code_refusal.clone()),
            _ => Some(decision.reason().as_str_name().trim_start_matches("DECISION_REASON_").to_owned()),
        }));
        self.quote_took = took;
    }

    /// Writes down that the quote was committed.
    pub fn sold(&mut self, took: Duration) {
        self.fate = Fate::Sold;
        self.commit_took = Some(took);
    }

    /// Writes down why a commit was refused.
    pub fn refused(&mut self, reasons: impl Iterator<Item = String>, by_relationship: bool) {
        self.refusals.extend(reasons);
        self.refused_by_relationship |= by_relationship;
    }

    /// What offers, codes or cards gave or paid.
    pub fn given(&self, source: Source) -> i64 {
        self.of(source).map(|given| given.amount).sum()
    }

    /// Offers that gave something and are named, or whose campaign is.
    pub fn offers_of<'n>(&self, names: impl Iterator<Item = &'n str>) -> Vec<String> {
        let names: Vec<&str> = names.collect();
        let is_of = |offer: &str, name: &str| {
            offer.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let offers = self.of(Source::Offer).map(|given| given.name.clone());
        offers.filter(|offer| names.iter().any(|name| is_of(offer, name))).collect()
    }

    /// Whether an offer of this name gave something.
    pub fn has_offer(&self, name: &str) -> bool {
        self.of(Source::Offer).any(|given| given.name == name)
    }

    /// Codes and cards that it used.
    pub fn codes(&self) -> i64 {
        i64::try_from(self.given.iter().filter(|given| given.source != Source::Offer).count()).unwrap_or(0)
    }

    /// What of an offer's or a code's gift has come back: all of it with all the goods, else in proportion.
    pub fn came_back(&self, source: Source) -> i64 {
        let of_one_unit = |given: &Given| pricing::returned(given.of_first_line, self.first_units, 1);
        match self.fate {
            Fate::Lost | Fate::Sold => 0,
            Fate::Returned if self.units > 1 => self.of(source).map(of_one_unit).sum(),
            Fate::Returned | Fate::Cancelled => self.given(source),
        }
    }

    fn of(&self, source: Source) -> impl Iterator<Item = &Given> {
        self.given.iter().filter(move |given| given.source == source)
    }
}

fn given(decision: &Decision, first_line: &str) -> Given {
    let share = decision.lines.iter().find(|line| line.line_id == first_line);
    let source = match decision.source.starts_with("vouchers/") {
        false => Source::Offer,
        true if decision.tender => Source::Card,
        true => Source::Code,
    };
    Given {
        name: decision.source.clone(),
        source,
        amount: money::minor(decision.amount.as_ref()),
        of_first_line: share.map_or(0, |share| money::minor(share.amount.as_ref())),
    }
}

/// Everything the till wrote down.
#[derive(Debug)]
pub struct Account {
    orders: Vec<Order>,
    quote_micros: Histogram<u64>,
    commit_micros: Histogram<u64>,
}

impl Account {
    /// An empty book.
    pub fn new() -> Result<Self, Failure> {
        const LONGEST_MICROS: u64 = 60_000_000;
        let histogram =
            || Histogram::new_with_max(LONGEST_MICROS, 3).map_err(|error| Failure::said(error.to_string()));
        Ok(Self { orders: Vec::new(), quote_micros: histogram()?, commit_micros: histogram()? })
    }

    /// Adds an order.
    pub fn add(&mut self, order: Order) {
        self.quote_micros.saturating_record(micros(order.quote_took));
        if let Some(took) = order.commit_took {
            self.commit_micros.saturating_record(micros(took));
        }
        self.orders.push(order);
    }

    /// Orders that were sold, in the order of their ids, whatever has become of them since.
    pub fn sold(&mut self) -> Vec<&mut Order> {
        let mut sold: Vec<&mut Order> =
            self.orders.iter_mut().filter(|order| order.fate != Fate::Lost).collect();
        sold.sort_by(|a, b| a.id.cmp(&b.id));
        sold
    }

    /// All of them, whatever became of them.
    pub fn orders(&self) -> &[Order] {
        &self.orders
    }

    /// A sum over the orders that were sold.
    pub fn sum(&self, of: impl Fn(&Order) -> i64) -> i64 {
        self.orders.iter().filter(|order| order.fate != Fate::Lost).map(of).sum()
    }

    /// How many orders ended so.
    pub fn count(&self, fate: Fate) -> i64 {
        self.sum(|order| i64::from(order.fate == fate))
    }

    /// Prints the account for people.
    pub fn print(&self, shop: &Shop, took: Duration) {
        let amount = |minor| Money::new(minor, shop.currency).to_string();
        let mut table = output::table(["what", "orders", "amount"]);
        output::right(&mut table, &[1, 2]);
        type Column = fn(&Order) -> i64;
        let rows: [(&str, Column); 6] = [
            ("goods at list price", |order| order.list),
            ("off by the campaign's price rule", |order| order.price_rules),
            ("off by the campaign's offers", |order| order.given(Source::Offer)),
            ("off by codes", |order| order.given(Source::Code)),
            ("paid by gift cards", |order| order.given(Source::Card)),
            ("discounts that came back", |order| {
                order.came_back(Source::Offer) + order.came_back(Source::Code)
            }),
        ];
        for (what, of) in rows {
            let orders = self.sum(|order| i64::from(of(order) > 0));
            table.add_row([what.to_owned(), orders.to_string(), amount(self.sum(of))]);
        }
        println!("{table}");
        let (all, returned) = (self.sum(|_| 1), self.count(Fate::Returned));
        println!("{all} orders, {returned} returned in part, {} cancelled", self.count(Fate::Cancelled));
        let lost = self.orders.len() as i64 - all;
        if lost > 0 {
            println!("{lost} purchases were refused whatever was tried");
        }
        self.print_refusals();
        self.print_speed(took);
    }

    fn print_refusals(&self) {
        let mut refusals: BTreeMap<&str, u64> = BTreeMap::new();
        for reason in self.orders.iter().flat_map(|order| &order.refusals) {
            *refusals.entry(reason).or_default() += 1;
        }
        let mut table = output::table(["codes and offers not taken, because", "times"]);
        output::right(&mut table, &[1]);
        for (reason, times) in refusals {
            table.add_row([reason.to_lowercase(), times.to_string()]);
        }
        println!("{table}");
    }

    fn print_speed(&self, took: Duration) {
        let mut table = output::table(["call", "answers", "p50 ms", "p99 ms"]);
        output::right(&mut table, &[1, 2, 3]);
        for (call, histogram) in [("quote", &self.quote_micros), ("commit", &self.commit_micros)] {
            let ms = |quantile| format!("{:.2}", histogram.value_at_quantile(quantile) as f64 / 1_000.0);
            table.add_row([call.to_owned(), histogram.len().to_string(), ms(0.5), ms(0.99)]);
        }
        println!("{table}");
        let calls = self.quote_micros.len() + self.commit_micros.len();
        println!("{:.0} calls a second over {:.1} s", calls as f64 / took.as_secs_f64(), took.as_secs_f64());
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}
