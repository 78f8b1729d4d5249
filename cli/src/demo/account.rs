//! What was sold, and whether three books agree on it: the till's own, relationship-svc's ledger, campaign-svc's sums.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use tandem_kernel::money::Money;
use tandem_proto::campaign::v1::{
    DecisionOutcome, DecisionReason, GetObjectiveProgressRequest, GetObjectiveProgressResponse, QuoteResponse,
};
use tandem_proto::relationship::v1::{
    GetIncentiveRequest, ListRedemptionsRequest, RedeemVouchersResponse, Redemption, RedemptionState,
};

use super::purchases::Purchase;
use super::{Shop, stage};
use crate::failure::Failure;
use crate::{money, output};

/// One order as the till wrote it down. Amounts in minor units.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// The checkout's own id.
    pub id: String,
    /// A line to return a unit of.
    pub first_line: String,
    list: i64,
    price_rules: i64,
    offers: i64,
    codes: i64,
    cards: i64,
    redemptions: u64,
    refusals: Vec<String>,
    quote_took: Duration,
    redeem_took: Option<Duration>,
}

impl Order {
    /// Nothing quoted yet.
    pub fn new(purchase: &Purchase) -> Self {
        Self { id: purchase.order_id(), ..Self::default() }
    }

    /// Writes down what was quoted; a later quote replaces it.
    pub fn quoted(&mut self, quote: &QuoteResponse, took: Duration) {
        let totals = quote.totals.clone().unwrap_or_default();
        self.list = money::minor(totals.list_amount.as_ref());
        self.price_rules = self.list - money::minor(totals.initial_amount.as_ref());
        self.first_line = quote.lines.first().map(|line| line.line_id.clone()).unwrap_or_default();
        let applied =
            quote.decisions.iter().filter(|decision| decision.outcome() == DecisionOutcome::Applied);
        self.offers = applied
            .filter(|decision| !decision.source.starts_with("vouchers/"))
            .map(|decision| money::minor(decision.amount.as_ref()))
            .sum();
        let refused = quote.decisions.iter().filter(|decision| decision.source.starts_with("vouchers/"));
        self.refusals.extend(refused.filter_map(|decision| match decision.outcome() {
            DecisionOutcome::Applied | DecisionOutcome::Unspecified => None,
            _ if decision.reason() == DecisionReason::CodeRefused => Some(decision.code_refusal.clone()),
            _ => Some(decision.reason().as_str_name().trim_start_matches("DECISION_REASON_").to_owned()),
        }));
        self.quote_took = took;
    }

    /// Writes down what was redeemed.
    pub fn redeemed(&mut self, answer: &RedeemVouchersResponse, took: Duration) {
        for redemption in &answer.redemptions {
            let amount = money::minor(redemption.amount.as_ref());
            if redemption.tender {
                self.cards += amount;
            } else {
                self.codes += amount;
            }
            self.redemptions += 1;
        }
        self.redeem_took = Some(took);
    }

    /// Writes down codes refused at redemption.
    pub fn refused(&mut self, reasons: impl Iterator<Item = String>) {
        self.refusals.extend(reasons);
    }
}

/// Everything the till wrote down.
#[derive(Debug)]
pub struct Account {
    orders: Vec<Order>,
    returned: i64,
    returns: u64,
    cancellations: u64,
    quote_micros: Histogram<u64>,
    redeem_micros: Histogram<u64>,
}

impl Account {
    /// An empty book.
    pub fn new() -> Result<Self, Failure> {
        const LONGEST_MICROS: u64 = 60_000_000;
        let histogram =
            || Histogram::new_with_max(LONGEST_MICROS, 3).map_err(|error| Failure::said(error.to_string()));
        Ok(Self {
            orders: Vec::new(),
            returned: 0,
            returns: 0,
            cancellations: 0,
            quote_micros: histogram()?,
            redeem_micros: histogram()?,
        })
    }

    /// Adds an order.
    pub fn add(&mut self, order: Order) {
        self.quote_micros.saturating_record(micros(order.quote_took));
        if let Some(took) = order.redeem_took {
            self.redeem_micros.saturating_record(micros(took));
        }
        self.orders.push(order);
    }

    /// Orders that redeemed something, in the order of their ids.
    pub fn orders_with_codes(&self) -> Vec<Order> {
        let mut orders: Vec<Order> =
            self.orders.iter().filter(|order| order.redemptions > 0).cloned().collect();
        orders.sort_by(|a, b| a.id.cmp(&b.id));
        orders
    }

    /// Adds what came back.
    pub fn took_back(&mut self, returned: i64, cancelled: bool) {
        self.returned += returned;
        if cancelled {
            self.cancellations += 1;
        } else {
            self.returns += 1;
        }
    }

    fn sum(&self, of: impl Fn(&Order) -> i64) -> i64 {
        self.orders.iter().map(of).sum()
    }

    fn redemptions(&self) -> u64 {
        self.orders.iter().map(|order| order.redemptions).sum()
    }

    /// Prints the account for people.
    pub fn print(&self, shop: &Shop, took: Duration) {
        let amount = |minor| Money::new(minor, shop.currency).to_string();
        let mut table = output::table(["what", "orders", "amount"]);
        output::right(&mut table, &[1, 2]);
        let count =
            |of: fn(&Order) -> i64| self.orders.iter().filter(|order| of(order) > 0).count().to_string();
        type Column = fn(&Order) -> i64;
        let rows: [(&str, Column); 5] = [
            ("goods at list price", |order| order.list),
            ("off by the campaign's price rule", |order| order.price_rules),
            ("off by the campaign's offers", |order| order.offers),
            ("off by codes", |order| order.codes),
            ("paid by gift cards", |order| order.cards),
        ];
        for (what, of) in rows {
            table.add_row([what.to_owned(), count(of), amount(self.sum(of))]);
        }
        table.add_row([
            format!("came back ({} in part, {} cancelled)", self.returns, self.cancellations),
            (self.returns + self.cancellations).to_string(),
            amount(self.returned),
        ]);
        println!("{table}");
        let mut refusals: BTreeMap<&str, u64> = BTreeMap::new();
        for reason in self.orders.iter().flat_map(|order| &order.refusals) {
            *refusals.entry(reason).or_default() += 1;
        }
        let mut table = output::table(["codes not taken, because", "times"]);
        output::right(&mut table, &[1]);
        for (reason, times) in refusals {
            table.add_row([reason.to_lowercase(), times.to_string()]);
        }
        println!("{table}");
        self.print_speed(took);
    }

    fn print_speed(&self, took: Duration) {
        let mut table = output::table(["call", "answers", "p50 ms", "p99 ms"]);
        output::right(&mut table, &[1, 2, 3]);
        for (call, histogram) in [("quote", &self.quote_micros), ("redeem", &self.redeem_micros)] {
            let ms = |quantile| format!("{:.2}", histogram.value_at_quantile(quantile) as f64 / 1_000.0);
            table.add_row([call.to_owned(), histogram.len().to_string(), ms(0.5), ms(0.99)]);
        }
        println!("{table}");
        let calls = self.quote_micros.len() + self.redeem_micros.len();
        println!("{:.0} calls a second over {:.1} s", calls as f64 / took.as_secs_f64(), took.as_secs_f64());
    }

    /// Compares the till's book with the ledger and with campaign-svc's sums; an error names every difference.
    pub async fn reconcile(&self, shop: &Shop) -> Result<(), Failure> {
        let ledger = ledger(shop).await?;
        let net = |redemption: &Redemption| {
            money::minor(redemption.amount.as_ref()) - money::minor(redemption.returned.as_ref())
        };
        let amount = |tender: bool| -> i64 {
            let of = ledger.iter().filter(|redemption| redemption.tender == tender);
            of.map(|redemption| money::minor(redemption.amount.as_ref())).sum()
        };
        let returned: i64 = ledger.iter().map(|redemption| money::minor(redemption.returned.as_ref())).sum();
        let ledger_net: i64 = ledger.iter().map(net).sum();
        let till_net = self.sum(|order| order.codes + order.cards) - self.returned;
        // A gift card pays: campaign-svc counts what its campaigns gave away, not how it was paid for.
        let given = ledger.iter().filter(|redemption| !redemption.tender);
        let ledger_given: i64 = given.map(net).sum();
        let standing = ledger.iter().filter(|redemption| redemption.state() != RedemptionState::RolledBack);
        let standing = i64::try_from(standing.count()).unwrap_or(i64::MAX);
        let progress = progress(shop, standing, ledger_given).await?;
        let campaign_given: i64 = progress.discounts.iter().map(|money| money::minor(Some(money))).sum();
        let usage = usage(shop).await?;
        let live = |id: &str| {
            let name = format!("incentives/{id}");
            let of =
                ledger.iter().filter(|redemption| redemption.incentive == name && !redemption.use_restored);
            i64::try_from(of.count()).unwrap_or(i64::MAX)
        };
        let mut checks = vec![
            check("redemptions: till, ledger", self.redemptions() as i64, ledger.len() as i64),
            check("off by codes: till, ledger", self.sum(|order| order.codes), amount(false)),
            check("paid by gift cards: till, ledger", self.sum(|order| order.cards), amount(true)),
            check("came back: till, ledger", self.returned, returned),
            check("net: till, ledger", till_net, ledger_net),
            check("standing redemptions: ledger, campaign-svc", standing, progress.redemptions),
            check("given away, net: ledger, campaign-svc", ledger_given, campaign_given),
        ];
        for (id, uses) in usage {
            checks.push(check(&format!("uses of {id}: ledger, counter"), live(id), uses));
        }
        let mut table = output::table(["books that must agree", "one", "other", ""]);
        output::right(&mut table, &[1, 2]);
        for (what, one, other) in &checks {
            let verdict = if one == other { "agree" } else { "DIFFER" };
            table.add_row([what.clone(), one.to_string(), other.to_string(), verdict.to_owned()]);
        }
        println!("{table}");
        let differing = checks.iter().filter(|(_, one, other)| one != other).count();
        if differing > 0 { Err(Failure::said(format!("{differing} sums differ"))) } else { Ok(()) }
    }
}

fn check(what: &str, one: i64, other: i64) -> (String, i64, i64) {
    (what.to_owned(), one, other)
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

async fn ledger(shop: &Shop) -> Result<Vec<Redemption>, Failure> {
    let mut ledger = Vec::new();
    let mut request = ListRedemptionsRequest { page_size: 1_000, ..Default::default() };
    loop {
        let page = shop.vouchers.clone().list_redemptions(request.clone()).await?.into_inner();
        let counted = |redemption: &Redemption| {
            !matches!(
                redemption.state(),
                RedemptionState::Held | RedemptionState::Released | RedemptionState::Expired
            )
        };
        ledger.extend(page.redemptions.into_iter().filter(counted));
        if page.next_page_token.is_empty() {
            return Ok(ledger);
        }
        request.page_token = page.next_page_token;
    }
}

async fn usage(shop: &Shop) -> Result<Vec<(&'static str, i64)>, Failure> {
    let mut usage = Vec::new();
    for id in ["thank-you", "welcome-back", "gift-card"] {
        let request = GetIncentiveRequest { name: format!("incentives/{id}") };
        let incentive = shop.incentives.clone().get_incentive(request).await?.into_inner().incentive;
        let uses = incentive.and_then(|incentive| incentive.usage).map_or(0, |usage| usage.uses);
        usage.push((id, uses));
    }
    Ok(usage)
}

/// What campaign-svc has heard. It hears of redemptions a moment after they are made, so this asks until it has heard of
/// all, at most ten seconds.
async fn progress(shop: &Shop, standing: i64, given: i64) -> Result<GetObjectiveProgressResponse, Failure> {
    const ROUNDS: u32 = 100;
    const PAUSE: Duration = Duration::from_millis(100);
    let mut last = GetObjectiveProgressResponse::default();
    for _ in 0..ROUNDS {
        let request = GetObjectiveProgressRequest { name: stage::OBJECTIVE.to_owned() };
        last = shop.objectives.clone().get_objective_progress(request).await?.into_inner();
        let heard: i64 = last.discounts.iter().map(|money| money::minor(Some(money))).sum();
        if (last.redemptions, heard) == (standing, given) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(last)
}
