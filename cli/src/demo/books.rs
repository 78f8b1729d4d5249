//! Whether all books agree: the till's own, campaign-svc's orders and counters, relationship-svc's ledger, and what both
//! services told in their events.

use std::collections::BTreeSet;
use std::time::Duration;

use tandem_kernel::money::Currency;
use tandem_proto::campaign::v1::{
    self as campaign, GetLimitsRequest, GetObjectiveProgressRequest, GetObjectiveProgressResponse,
    ListOrdersRequest, OrderState,
};
use tandem_proto::common::v1::LimitKind;
use tandem_proto::relationship::v1::{
    GetIncentiveRequest, ListRedemptionsRequest, Redemption, RedemptionState,
};

use super::account::{Account, Fate, Source};
use super::heard::Heard;
use super::{Shop, stage};
use crate::failure::Failure;
use crate::{money, output};

/// What two books say of the same thing.
struct Check {
    what: &'static str,
    one: i64,
    other: i64,
    is_money: bool,
}

/// Of how many there are.
fn count(what: &'static str, one: i64, other: i64) -> Check {
    Check { what, one, other, is_money: false }
}

/// Of money, in minor units.
fn money(what: &'static str, one: i64, other: i64) -> Check {
    Check { what, one, other, is_money: true }
}

impl Check {
    /// A row for people: money has its currency.
    fn row(&self, currency: Currency) -> [String; 4] {
        let shown = |sum: i64| match self.is_money {
            true => money::show(Some(&money::from_minor(sum, currency))),
            false => sum.to_string(),
        };
        let verdict = if self.agrees() { "agree" } else { "DIFFER" };
        [self.what.to_owned(), shown(self.one), shown(self.other), verdict.to_owned()]
    }

    fn agrees(&self) -> bool {
        self.one == self.other
    }
}

/// Compares the till's book with everything the services have written and told; an error names how many sums differ.
pub async fn reconcile(account: &Account, shop: &Shop) -> Result<(), Failure> {
    let (orders, ledger) = futures::try_join!(orders(shop), ledger(shop))?;
    let back = account.count(Fate::Returned) + account.count(Fate::Cancelled);
    let ours = orders.len() as i64 + back + account.sum(|order| i64::from(order.refused_by_relationship));
    let theirs = ledger.len() + ledger.iter().filter(|one| minor(&one.returned) > 0).count();
    let heard = Heard::listen(shop, usize::try_from(ours).unwrap_or_default(), theirs).await?;
    for told in &heard.thresholds {
        let at = if told.uses > 0 { told.uses.to_string() } else { money::show(told.spent.as_ref()) };
        println!("{} told that {} % of its {} are taken, at {at}", told.name, told.percent, told.limit);
    }
    let mut checks = Vec::new();
    of_orders(&mut checks, account, &orders, given_away(shop).await?);
    of_ledger(&mut checks, account, &ledger);
    of_services(&mut checks, shop, &ledger).await?;
    of_events(&mut checks, account, &heard, &orders, &ledger);
    of_both(&mut checks, &heard);
    let mut table = output::table(["books that must agree", "one", "other", ""]);
    output::right(&mut table, &[1, 2]);
    for check in &checks {
        table.add_row(check.row(shop.currency));
    }
    println!("{table}");
    let differing = checks.iter().filter(|check| !check.agrees()).count();
    if differing > 0 { Err(Failure::said(format!("{differing} sums differ"))) } else { Ok(()) }
}

/// The till and the orders of campaign-svc.
fn of_orders(checks: &mut Vec<Check>, till: &Account, orders: &[campaign::Order], counted: i64) {
    let sum = |of: fn(&campaign::Order) -> i64| orders.iter().map(of).sum::<i64>();
    let offers_back = till.sum(|order| order.came_back(Source::Offer));
    let offers = till.sum(|order| order.given(Source::Offer));
    let collectors = till.sum(|order| i64::from(order.has_offer(stage::COLLECTORS_OFFER)));
    let beyond = (collectors - stage::COLLECTORS_USES).max(0);
    checks.extend([
        count("orders: till, campaign-svc", till.sum(|_| 1), orders.len() as i64),
        money(
            "goods at list price: till, campaign-svc",
            till.sum(|o| o.list),
            sum(|o| minor(&o.list_amount)),
        ),
        money("to be paid: till, campaign-svc", till.sum(|o| o.total), sum(|o| minor(&o.total))),
        money("off by offers: till, campaign-svc", offers, sum(offered)),
        money("offers that came back: till, campaign-svc", offers_back, sum(offered_back)),
        money("off by offers, net: till, campaign's counter", offers - offers_back, counted),
        count("uses of the collectors' offer beyond its limit: till", beyond, 0),
        money(
            "off by codes: till, campaign-svc",
            till.sum(|o| o.given(Source::Code)),
            sum(|o| of_codes(o, false)),
        ),
    ]);
}

/// The till and the ledger of relationship-svc.
fn of_ledger(checks: &mut Vec<Check>, till: &Account, ledger: &[Redemption]) {
    let amount =
        |tender| ledger.iter().filter(|one| one.tender == tender).map(|one| minor(&one.amount)).sum();
    let returned = ledger.iter().filter(|one| !one.tender).map(|one| minor(&one.returned)).sum();
    let (codes, cards) = (till.sum(|o| o.given(Source::Code)), till.sum(|o| o.given(Source::Card)));
    checks.extend([
        count("redemptions: till, ledger", till.sum(|order| order.codes()), ledger.len() as i64),
        money("off by codes: till, ledger", codes, amount(false)),
        money("paid by gift cards: till, ledger", cards, amount(true)),
        money("codes that came back: till, ledger", till.sum(|o| o.came_back(Source::Code)), returned),
    ]);
}

/// The ledger, what campaign-svc has heard of it, and relationship-svc's own counters.
async fn of_services(checks: &mut Vec<Check>, shop: &Shop, ledger: &[Redemption]) -> Result<(), Failure> {
    let standing = ledger.iter().filter(|one| one.state() != RedemptionState::RolledBack).count() as i64;
    // A gift card pays: campaign-svc counts what its campaigns gave away, not how it was paid for.
    let given = ledger.iter().filter(|one| !one.tender);
    let given = given.map(|one| minor(&one.amount) - minor(&one.returned)).sum();
    let progress = progress(shop, standing, given).await?;
    let heard = progress.discounts.iter().map(|money| money::minor(Some(money))).sum();
    checks.push(count("standing redemptions: ledger, campaign-svc", standing, progress.redemptions));
    checks.push(money("given away, net: ledger, campaign-svc", given, heard));
    for (id, what) in [
        ("thank-you", "uses of thank-you: ledger, counter"),
        ("welcome-back", "uses of welcome-back: ledger, counter"),
        ("gift-card", "uses of gift-card: ledger, counter"),
    ] {
        let name = format!("incentives/{id}");
        let live = ledger.iter().filter(|one| one.incentive == name && !one.use_restored).count() as i64;
        checks.push(count(what, live, uses(shop, name).await?));
    }
    Ok(())
}

/// The events and what they tell of.
fn of_events(
    checks: &mut Vec<Check>,
    till: &Account,
    heard: &Heard,
    orders: &[campaign::Order],
    ledger: &[Redemption],
) {
    let offers_back = heard.returned.iter().map(|(_, offers)| *offers);
    let offers_back = offers_back.chain(heard.cancelled.iter().map(offered_back)).sum();
    let ledger_back = ledger.iter().map(|one| minor(&one.returned)).sum();
    let refused = till.sum(|order| i64::from(order.refused_by_relationship));
    checks.extend([
        count("orders: campaign-svc, events", orders.len() as i64, heard.committed.len() as i64),
        count("orders cancelled: till, events", till.count(Fate::Cancelled), heard.cancelled.len() as i64),
        count(
            "orders returned in part: till, events",
            till.count(Fate::Returned),
            heard.returned.len() as i64,
        ),
        count("refused by relationship-svc: till, events", refused, heard.refused.len() as i64),
        money(
            "offers that came back: campaign-svc, events",
            orders.iter().map(offered_back).sum(),
            offers_back,
        ),
        count("redemptions: ledger, events", ledger.len() as i64, heard.redeemed.len() as i64),
        money("came back, cards too: ledger, events", ledger_back, heard.rolled_back(true)),
    ]);
}

/// The events of both services with each other: every redemption is of a committed order, for the amount that this order
/// has for its code, and what came back here came back there.
fn of_both(checks: &mut Vec<Check>, heard: &Heard) {
    let id = |order: &campaign::Order| order.name.trim_start_matches("orders/").to_owned();
    let mut used = BTreeSet::new();
    for order in &heard.committed {
        used.extend(order.codes.iter().map(|code| (id(order), code.code.clone(), minor(&code.amount))));
    }
    let redeemed = heard.redeemed.iter();
    let redeemed: BTreeSet<_> =
        redeemed.map(|one| (one.order_id.clone(), one.code.clone(), minor(&one.amount))).collect();
    let both = used.intersection(&redeemed).count() as i64;
    let returned = heard.returned.iter().map(|(order, _)| order);
    let ended: BTreeSet<String> = heard.cancelled.iter().chain(returned.clone()).map(id).collect();
    let of_ended = heard.rolled_back.iter().filter(|(one, _)| ended.contains(&one.order_id)).count();
    let codes_back = returned.map(codes_back).chain(heard.cancelled.iter().map(|o| of_codes(o, false))).sum();
    checks.extend([
        count("codes of committed orders that were redeemed: events", used.len() as i64, both),
        count("redemptions that a committed order has: events", redeemed.len() as i64, both),
        count(
            "rollbacks of cancelled and returned orders: events",
            heard.rolled_back.len() as i64,
            of_ended as i64,
        ),
        money("codes that came back: events of both", codes_back, heard.rolled_back(false)),
    ]);
}

fn minor(money: &Option<tandem_proto::common::v1::Money>) -> i64 {
    money::minor(money.as_ref())
}

fn offered(order: &campaign::Order) -> i64 {
    order.offers.iter().map(|offer| minor(&offer.amount)).sum()
}

fn offered_back(order: &campaign::Order) -> i64 {
    order.offers.iter().map(|offer| minor(&offer.returned)).sum()
}

fn of_codes(order: &campaign::Order, tender: bool) -> i64 {
    order.codes.iter().filter(|code| code.tender == tender).map(|code| minor(&code.amount)).sum()
}

/// What of an order's codes has come back: of all that was given, what neither stands nor was an offer's.
fn codes_back(order: &campaign::Order) -> i64 {
    offered(order) + of_codes(order, false) - minor(&order.discount) - offered_back(order)
}

/// Every order that was committed, whatever has become of it since.
async fn orders(shop: &Shop) -> Result<Vec<campaign::Order>, Failure> {
    let mut orders = Vec::new();
    let mut request = ListOrdersRequest { page_size: 1_000, ..Default::default() };
    loop {
        let page = shop.orders.clone().list_orders(request.clone()).await?.into_inner();
        orders.extend(page.orders.into_iter().filter(|order| order.state() != OrderState::Refused));
        if page.next_page_token.is_empty() {
            return Ok(orders);
        }
        request.page_token = page.next_page_token;
    }
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

async fn uses(shop: &Shop, name: String) -> Result<i64, Failure> {
    let incentive = shop.incentives.clone().get_incentive(GetIncentiveRequest { name }).await?.into_inner();
    Ok(incentive.incentive.and_then(|incentive| incentive.usage).map_or(0, |usage| usage.uses))
}

/// What the campaign's counter says its offers gave away.
async fn given_away(shop: &Shop) -> Result<i64, Failure> {
    let request = GetLimitsRequest { name: stage::CAMPAIGN.to_owned(), ..GetLimitsRequest::default() };
    let limits = shop.campaigns.clone().get_limits(request).await?.into_inner().limits;
    let budget = limits.iter().find(|limit| limit.kind() == LimitKind::Budget);
    Ok(minor(&budget.and_then(|budget| budget.spent.clone())))
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
