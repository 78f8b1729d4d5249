//! The ledger of relationship-svc, read past the service, and what must be true of it whatever has happened.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;
use sqlx::FromRow;

use crate::database::Outside;
use crate::load::Attempt;
use crate::stage::{Answer, minor};

const REDEMPTIONS: &str = "SELECT order_id, code, incentive, COALESCE(customer, '') AS customer, \
    COALESCE(guest, '') AS guest, state, currency, amount, returned, CAST(details AS TEXT) AS details FROM redemption";
const VOUCHERS: &str = "SELECT code, COALESCE(max_uses - uses_before, -1) AS max_uses, uses - uses_before AS uses, \
    uses_held, initial_balance + adjusted - spent_before AS worth, spent - spent_before AS spent, spent_held FROM voucher";
const COUNTERS: &str = "SELECT kind, owner, subject, period, used, held FROM counter";
const CLAIMS: &str = "SELECT kind, owner, subject, period, uses, amount FROM hold_claim";

/// Everything that counts.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// What codes did for orders.
    pub redemptions: Vec<Redemption>,
    /// The codes and their own counters.
    pub vouchers: Vec<Voucher>,
    counters: BTreeMap<Key, (i64, i64)>,
    claims: Vec<Claim>,
}

/// A row of the ledger.
#[derive(Debug, Clone, FromRow)]
pub struct Redemption {
    /// The order.
    pub order_id: String,
    /// The code.
    pub code: String,
    /// Id of the incentive.
    pub incentive: String,
    /// Id of the customer, or empty.
    pub customer: String,
    /// The guest's key, or empty.
    pub guest: String,
    /// As stored: `REDEEMED`.
    pub state: String,
    /// ISO 4217.
    pub currency: String,
    /// Minor units.
    pub amount: i64,
    /// Minor units.
    pub returned: i64,
    details: String,
}

/// The part of a redemption's document that counting needs.
#[derive(Debug, Clone, Default, Deserialize)]
struct Details {
    #[serde(rename = "t", default)]
    tender: bool,
    #[serde(rename = "b", default)]
    use_restored: bool,
    #[serde(rename = "n", default)]
    counted: Counted,
    #[serde(rename = "o", default)]
    order_total: Option<i64>,
    #[serde(rename = "c", default)]
    campaign: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Counted {
    #[serde(rename = "u", default)]
    period: String,
    #[serde(rename = "c", default)]
    customer: bool,
    #[serde(rename = "p", default)]
    customer_period: Option<String>,
    /// By what, which value, and which period.
    #[serde(rename = "v", default)]
    values: Vec<(String, String, String)>,
}

/// A code and its counters.
#[derive(Debug, Clone, FromRow)]
pub struct Voucher {
    /// The code.
    pub code: String,
    /// -1: unlimited.
    pub max_uses: i64,
    /// Redeemed and not come back.
    pub uses: i64,
    /// Held.
    pub uses_held: i64,
    /// All that a gift card is and was worth, minor units.
    pub worth: i64,
    /// Of a gift card, minor units.
    pub spent: i64,
    /// Of a gift card, minor units.
    pub spent_held: i64,
}

/// kind, owner, subject, period.
type Key = (i64, String, String, String);

#[derive(Debug, Clone, FromRow)]
struct Counter {
    kind: i64,
    owner: String,
    subject: String,
    period: String,
    used: i64,
    held: i64,
}

#[derive(Debug, Clone, FromRow)]
struct Claim {
    kind: i64,
    owner: String,
    subject: String,
    period: String,
    uses: i64,
    amount: i64,
}

/// What a campaign has brought about, as the ledger has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Campaign {
    /// Redemptions of which anything stands.
    pub redemptions: i64,
    /// Totals of their orders, each once, in minor units.
    pub revenue: i64,
    /// Discounts they gave, net of returns, in minor units.
    pub discounts: i64,
}

impl Redemption {
    fn details(&self) -> Details {
        serde_json::from_str(&self.details).expect("the document of a redemption")
    }

    /// Redeemed, whatever came back since.
    pub fn was_redeemed(&self) -> bool {
        matches!(self.state.as_str(), "REDEEMED" | "PARTIALLY_ROLLED_BACK" | "ROLLED_BACK")
    }

    /// Under which subject limits per customer count.
    fn subject(&self) -> Option<String> {
        match (self.customer.as_str(), self.guest.as_str()) {
            ("", "") => None,
            ("", guest) => Some(format!("g/{guest}")),
            (customer, _) => Some(format!("c/{customer}")),
        }
    }

    fn counts_as_use(&self) -> bool {
        self.was_redeemed() && !self.details().use_restored
    }
}

/// All rows of one statement, on either engine.
macro_rules! rows {
    ($outside:expr, $row:ty, $sql:expr) => {
        match $outside {
            Outside::Postgres(connection) => sqlx::query_as::<_, $row>($sql).fetch_all(connection).await,
            Outside::Sqlite(connection) => sqlx::query_as::<_, $row>($sql).fetch_all(connection).await,
        }
        .expect("the ledger can be read")
    };
}

/// The tables that a refused call must leave as they are, with a number that changes whenever one of their rows does.
const TRACES: &[(&str, &str)] = &[
    ("event_batch", "SELECT count(*) AS traces FROM event_batch"),
    ("request_claim", "SELECT count(*) AS traces FROM request_claim"),
    ("redemption", "SELECT CAST(COALESCE(sum(version), 0) AS bigint) AS traces FROM redemption"),
    ("voucher", "SELECT CAST(COALESCE(sum(version), 0) AS bigint) AS traces FROM voucher"),
    ("counter", "SELECT CAST(COALESCE(sum(used + held), 0) + count(*) AS bigint) AS traces FROM counter"),
    ("hold_claim", "SELECT count(*) AS traces FROM hold_claim"),
    ("customer", "SELECT CAST(COALESCE(sum(version), 0) AS bigint) AS traces FROM customer"),
    ("tenant_settings", SETTINGS),
    ("segment", "SELECT CAST(COALESCE(sum(version), 0) AS bigint) AS traces FROM segment"),
    ("incentive", "SELECT CAST(COALESCE(sum(version), 0) AS bigint) AS traces FROM incentive"),
    ("consent", "SELECT count(*) AS traces FROM consent"),
    ("suppression", "SELECT count(*) AS traces FROM suppression"),
    ("erasure", "SELECT count(*) AS traces FROM erasure"),
    ("interaction", "SELECT count(*) AS traces FROM interaction"),
    ("customer_order", "SELECT count(*) AS traces FROM customer_order"),
    ("relationship", "SELECT count(*) AS traces FROM relationship"),
];

const SETTINGS: &str = "SELECT CAST(COALESCE(sum(version), 0) AS bigint) AS traces FROM tenant_settings";

/// The same of campaign-svc.
const CAMPAIGN_TRACES: &[(&str, &str)] = &[
    ("event_batch", "SELECT count(*) AS traces FROM event_batch"),
    ("request_claim", "SELECT count(*) AS traces FROM request_claim"),
    ("tenant_settings", SETTINGS),
    ("objective", "SELECT CAST(COALESCE(sum(version), 0) AS bigint) AS traces FROM objective"),
    ("product", "SELECT CAST(COALESCE(sum(version), 0) AS bigint) AS traces FROM product"),
    ("campaign", "SELECT CAST(COALESCE(sum(version), 0) AS bigint) AS traces FROM campaign"),
    ("mix_revision", "SELECT count(*) AS traces FROM mix_revision"),
    (
        "catalogue_version",
        "SELECT CAST(COALESCE(sum(version), 0) AS bigint) AS traces FROM catalogue_version",
    ),
];

#[derive(Debug, FromRow)]
struct Trace {
    traces: i64,
}

/// What is stored in relationship-svc's database, as one number per table.
pub async fn traces(url: &str) -> BTreeMap<&'static str, i64> {
    traces_of(url, TRACES).await
}

/// What is stored in campaign-svc's database, as one number per table.
pub async fn campaign_traces(url: &str) -> BTreeMap<&'static str, i64> {
    traces_of(url, CAMPAIGN_TRACES).await
}

async fn traces_of(url: &str, tables: &[(&'static str, &'static str)]) -> BTreeMap<&'static str, i64> {
    let mut outside = Outside::to(url).await;
    let mut all = BTreeMap::new();
    for (table, sql) in tables {
        let rows = rows!(&mut outside, Trace, *sql);
        all.insert(*table, rows.first().map_or(0, |row| row.traces));
    }
    all
}

impl Ledger {
    /// Reads it.
    ///
    /// # Panics
    /// Where the database does not answer.
    pub async fn read(url: &str) -> Self {
        let mut outside = Outside::to(url).await;
        let counters = rows!(&mut outside, Counter, COUNTERS);
        Self {
            redemptions: rows!(&mut outside, Redemption, REDEMPTIONS),
            vouchers: rows!(&mut outside, Voucher, VOUCHERS),
            counters: counters
                .into_iter()
                .map(|one| ((one.kind, one.owner, one.subject, one.period), (one.used, one.held)))
                .collect(),
            claims: rows!(&mut outside, Claim, CLAIMS),
        }
    }

    /// Reads it and asserts [`Self::holds`].
    ///
    /// # Panics
    /// Where it does not hold.
    pub async fn checked(url: &str) -> Self {
        let ledger = Self::read(url).await;
        ledger.holds();
        ledger
    }

    /// Every counter equals the ledger, no code is used more often than it may, no gift card paid more than it was worth,
    /// and no order has the same code twice.
    ///
    /// # Panics
    /// Where one of these is not so, with all that are not.
    pub fn holds(&self) {
        let wrong = self.wrong();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// What of [`Self::holds`] is not so.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        self.compare_counters(&mut wrong);
        for voucher in &self.vouchers {
            self.compare_voucher(voucher, &mut wrong);
        }
        let mut live: BTreeSet<(&str, &str)> = BTreeSet::new();
        for one in self.redemptions.iter().filter(|one| one.state != "ROLLED_BACK" && one.was_redeemed()) {
            if !live.insert((&one.order_id, &one.code)) {
                wrong.push(format!("order {} has code {} twice", one.order_id, one.code));
            }
        }
        wrong
    }

    fn compare_voucher(&self, voucher: &Voucher, wrong: &mut Vec<String>) {
        let of_code = || self.redemptions.iter().filter(|one| one.code == voucher.code);
        let uses = of_code().filter(|one| one.counts_as_use()).count() as i64;
        let paid = of_code().filter(|one| one.was_redeemed() && one.details().tender);
        let spent: i64 = paid.map(|one| one.amount - one.returned).sum();
        let claims = || self.claims.iter().filter(|claim| claim.kind == 0 && claim.owner == voucher.code);
        let (held, spent_held): (i64, i64) =
            (claims().map(|claim| claim.uses).sum(), claims().map(|claim| claim.amount).sum());
        let found = (voucher.uses, voucher.uses_held);
        if found != (uses, held) {
            wrong.push(format!(
                "{}: (uses, held) {found:?}, the ledger has {:?}",
                voucher.code,
                (uses, held)
            ));
        }
        let is_card = voucher.worth > 0;
        if is_card && (voucher.spent, voucher.spent_held) != (spent, spent_held) {
            let found = (voucher.spent, voucher.spent_held);
            wrong.push(format!(
                "{}: (spent, held) {found:?}, the ledger has {:?}",
                voucher.code,
                (spent, spent_held)
            ));
        }
        if voucher.max_uses >= 0 && voucher.uses + voucher.uses_held > voucher.max_uses {
            wrong.push(format!("{}: {found:?} of {} uses", voucher.code, voucher.max_uses));
        }
        if is_card && voucher.spent + voucher.spent_held > voucher.worth {
            wrong.push(format!("{}: more than {} spent", voucher.code, voucher.worth));
        }
    }

    fn compare_counters(&self, wrong: &mut Vec<String>) {
        let mut expected: BTreeMap<Key, (i64, i64)> = BTreeMap::new();
        for one in self.redemptions.iter().filter(|one| one.was_redeemed()) {
            let Details { counted, use_restored, .. } = one.details();
            let uses = i64::from(!use_restored);
            let owner = || one.incentive.clone();
            let mut add = |key: Key, used: i64| expected.entry(key).or_default().0 += used;
            add((1, owner(), String::new(), counted.period.clone()), uses);
            add((2, owner(), one.currency.clone(), counted.period.clone()), one.amount - one.returned);
            for (dimension, value, period) in counted.values {
                let subject = format!("{dimension}={value}");
                add(
                    (6, owner(), format!("{} {subject}", one.currency), period.clone()),
                    one.amount - one.returned,
                );
                add((5, owner(), subject, period), uses);
            }
            if let Some(subject) = one.subject() {
                if counted.customer {
                    add((3, owner(), subject.clone(), String::new()), uses);
                }
                if let Some(period) = counted.customer_period {
                    add((4, owner(), subject, period), uses);
                }
            }
        }
        for claim in self.claims.iter().filter(|claim| claim.kind > 0) {
            let key = (claim.kind, claim.owner.clone(), claim.subject.clone(), claim.period.clone());
            let held = if matches!(claim.kind, 2 | 6) { claim.amount } else { claim.uses };
            expected.entry(key).or_default().1 += held;
        }
        let keys: BTreeSet<&Key> = expected.keys().chain(self.counters.keys()).collect();
        for key in keys {
            let of = |counters: &BTreeMap<Key, (i64, i64)>| counters.get(key).copied().unwrap_or_default();
            let (found, expected) = (of(&self.counters), of(&expected));
            if found != expected {
                wrong.push(format!("counter {key:?}: (used, held) {found:?}, the ledger has {expected:?}"));
            }
        }
    }

    /// (used, held) of a counter: kind 1 uses of an incentive, 2 its money, 3 uses by a customer; zero where there is none.
    pub fn counter(&self, kind: i64, owner: &str, subject: &str) -> (i64, i64) {
        let key = (kind, owner.to_owned(), subject.to_owned(), String::new());
        self.counters.get(&key).copied().unwrap_or_default()
    }

    /// A code's counters.
    ///
    /// # Panics
    /// Where there is no such code.
    pub fn voucher(&self, code: &str) -> &Voucher {
        self.vouchers.iter().find(|one| one.code == code).expect("a code of the stage")
    }

    /// The redemptions of an order that were redeemed.
    pub fn of_order(&self, order: &str) -> Vec<&Redemption> {
        self.redemptions.iter().filter(|one| one.order_id == order && one.was_redeemed()).collect()
    }

    /// What a campaign has brought about.
    pub fn campaign(&self, id: &str) -> Campaign {
        let mut sums = Campaign::default();
        let mut orders: HashMap<&str, i64> = HashMap::new();
        for one in &self.redemptions {
            let details = one.details();
            let stands = matches!(one.state.as_str(), "REDEEMED" | "PARTIALLY_ROLLED_BACK");
            if !stands || details.campaign.as_deref() != Some(id) {
                continue;
            }
            sums.redemptions += 1;
            sums.discounts += if details.tender { 0 } else { one.amount - one.returned };
            orders.insert(&one.order_id, details.order_total.unwrap_or(0));
        }
        sums.revenue = orders.values().sum();
        sums
    }

    /// Every redemption that was acknowledged is here exactly once with the amount its caller was told, every order that
    /// was rolled back is, and there is nothing else. `attempts` are settled.
    ///
    /// # Panics
    /// Where that is not so.
    pub fn tells_the_same(&self, attempts: &[Attempt]) {
        let mut told: BTreeMap<(String, String), i64> = BTreeMap::new();
        let mut rolled_back: BTreeSet<(String, String)> = BTreeSet::new();
        for attempt in attempts {
            match &attempt.answer {
                Ok(Answer::Redeemed(answer)) => told.extend(
                    answer
                        .redemptions
                        .iter()
                        .map(|one| (key(&one.order_id, &one.code), minor(one.amount.as_ref()))),
                ),
                Ok(Answer::RolledBack(answer)) => {
                    rolled_back.extend(answer.redemptions.iter().map(|one| key(&one.order_id, &one.code)));
                }
                _ => {}
            }
        }
        let mut found: BTreeMap<(String, String), Vec<i64>> = BTreeMap::new();
        for one in self.redemptions.iter().filter(|one| one.was_redeemed()) {
            found.entry(key(&one.order_id, &one.code)).or_default().push(one.amount);
        }
        let expected: BTreeMap<_, _> = told.into_iter().map(|(key, amount)| (key, vec![amount])).collect();
        let lost: Vec<_> = expected.iter().filter(|(key, amount)| found.get(key) != Some(amount)).collect();
        let unknown: Vec<_> = found.iter().filter(|(key, _)| !expected.contains_key(key)).collect();
        assert!(lost.is_empty(), "acknowledged, and not once in the ledger: {lost:?}");
        assert!(unknown.is_empty(), "in the ledger, and never acknowledged: {unknown:?}");
        let is_back = |one: &&Redemption| one.state == "ROLLED_BACK";
        let back: BTreeSet<_> =
            self.redemptions.iter().filter(is_back).map(|one| key(&one.order_id, &one.code)).collect();
        assert_eq!(back, rolled_back, "what has come back");
    }
}

fn key(order: &str, code: &str) -> (String, String) {
    (order.to_owned(), code.to_owned())
}
