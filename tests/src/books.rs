//! The orders of campaign-svc and the ledger of relationship-svc, read past the services, and what must be true of both
//! together whatever has happened.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use sqlx::FromRow;

use crate::database::Outside;
use crate::ledger::Ledger;

const ORDERS: &str = "SELECT o.id, o.state, CAST(o.sold AS TEXT) AS sold, s.order_id IS NOT NULL AS open
       FROM sales_order AS o LEFT JOIN order_step AS s ON s.tenant = o.tenant AND s.order_id = o.id";
const COUNTERS: &str = "SELECT kind, owner, subject, used, held FROM counter";

/// Everything that counts, on both sides.
#[derive(Debug)]
pub struct Books {
    /// Of campaign-svc, by id.
    pub orders: BTreeMap<String, Order>,
    /// Of relationship-svc.
    pub ledger: Ledger,
    counters: HashMap<(i64, String), (i64, i64)>,
}

/// A row of campaign-svc.
#[derive(Debug, Clone)]
pub struct Order {
    /// As stored: `COMMITTED`.
    pub state: String,
    /// A step waits for relationship-svc.
    pub open: bool,
    sold: Sold,
}

#[derive(Debug, FromRow)]
struct OrderRow {
    id: String,
    state: String,
    sold: String,
    open: bool,
}

#[derive(Debug, FromRow)]
struct CounterRow {
    kind: i64,
    owner: String,
    subject: String,
    used: i64,
    held: i64,
}

#[derive(Debug, Clone, Deserialize)]
struct Sold {
    lines: Vec<Line>,
    #[serde(default)]
    codes: Vec<Code>,
    #[serde(default)]
    charges: Vec<Charge>,
}

#[derive(Debug, Clone, Deserialize)]
struct Line {
    quantity: i64,
    #[serde(default)]
    back: i64,
}

#[derive(Debug, Clone, Deserialize)]
struct Code {
    code: String,
    discount: Discount,
}

#[derive(Debug, Clone, Deserialize)]
struct Discount {
    amount: i64,
}

#[derive(Debug, Clone, Deserialize)]
struct Charge {
    owner: String,
    amount: i64,
    #[serde(default)]
    returned: i64,
    #[serde(default)]
    restored: bool,
}

/// All rows of one statement, on either engine.
macro_rules! rows {
    ($outside:expr, $row:ty, $sql:expr) => {
        match $outside {
            Outside::Postgres(connection) => sqlx::query_as::<_, $row>($sql).fetch_all(connection).await,
            Outside::Sqlite(connection) => sqlx::query_as::<_, $row>($sql).fetch_all(connection).await,
        }
        .expect("the books can be read")
    };
}

impl Order {
    fn units(&self) -> (i64, i64) {
        let lines = self.sold.lines.iter();
        lines.fold((0, 0), |(all, back), line| (all + line.quantity, back + line.back))
    }

    /// Uses and money count here.
    fn counts(&self) -> bool {
        matches!(
            self.state.as_str(),
            "COMMITTED" | "PARTIALLY_RETURNED" | "RETURNED" | "COMMITTING" | "RETURNING"
        )
    }
}

impl Books {
    /// Reads both.
    ///
    /// # Panics
    /// Where a database does not answer.
    pub async fn read(campaign: &str, relationship: &str) -> Self {
        let mut outside = Outside::to(campaign).await;
        let order = |row: OrderRow| {
            let sold = serde_json::from_str(&row.sold).expect("what was sold is a document");
            (row.id, Order { state: row.state, open: row.open, sold })
        };
        let orders = rows!(&mut outside, OrderRow, ORDERS).into_iter().map(order).collect();
        let mut counters: HashMap<(i64, String), (i64, i64)> = HashMap::new();
        for row in rows!(&mut outside, CounterRow, COUNTERS) {
            let _ = row.subject;
            let sum = counters.entry((row.kind, row.owner)).or_default();
            *sum = (sum.0 + row.used, sum.1 + row.held);
        }
        Self { orders, ledger: Ledger::read(relationship).await, counters }
    }

    /// No order has an open step.
    pub fn are_closed(&self) -> bool {
        self.orders.values().all(|order| !order.open)
    }

    /// Uses (kind 1) and money (kind 2) that an offer or a campaign has counted.
    pub fn counted(&self, owner: &str) -> (i64, i64) {
        let of = |kind| self.counters.get(&(kind, owner.to_owned())).map_or(0, |counter| counter.0);
        (of(1), of(2))
    }

    /// The ledger holds, the counters equal the orders, and every order stands on both sides or on neither.
    ///
    /// # Panics
    /// Where one of these is not so, with all that are not.
    pub fn agree(&self) {
        let wrong = self.wrong();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// What of [`Self::agree`] is not so.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = self.ledger.wrong();
        self.compare_counters(&mut wrong);
        for (id, order) in &self.orders {
            self.compare_order(id, order, &mut wrong);
        }
        for redemption in &self.ledger.redemptions {
            if redemption.was_redeemed() && !self.orders.contains_key(&redemption.order_id) {
                wrong.push(format!(
                    "{} is redeemed for order {}, which nobody has",
                    redemption.code, redemption.order_id
                ));
            }
        }
        wrong
    }

    fn compare_counters(&self, wrong: &mut Vec<String>) {
        let mut expected: BTreeMap<(i64, String), i64> = BTreeMap::new();
        for order in self.orders.values().filter(|order| order.counts()) {
            for charge in &order.sold.charges {
                *expected.entry((1, charge.owner.clone())).or_default() += i64::from(!charge.restored);
                *expected.entry((2, charge.owner.clone())).or_default() += charge.amount - charge.returned;
            }
        }
        for (key, (used, _)) in self.counters.iter().filter(|((kind, _), _)| *kind <= 2) {
            let expected = expected.remove(key).unwrap_or(0);
            if *used != expected {
                wrong.push(format!("counter {} of {} says {used}, its orders say {expected}", key.0, key.1));
            }
        }
        for ((kind, owner), expected) in expected.into_iter().filter(|(_, expected)| *expected != 0) {
            wrong.push(format!("counter {kind} of {owner} is missing, its orders say {expected}"));
        }
    }

    fn compare_order(&self, id: &str, order: &Order, wrong: &mut Vec<String>) {
        if order.open {
            return;
        }
        let (all, back) = order.units();
        let redemptions = self.ledger.of_order(id);
        for code in &order.sold.codes {
            let of_code = || redemptions.iter().filter(|one| one.code == code.code);
            let live: Vec<&str> = of_code()
                .filter(|one| matches!(one.state.as_str(), "REDEEMED" | "PARTIALLY_ROLLED_BACK"))
                .map(|one| one.state.as_str())
                .collect();
            let expected: &[&str] = match order.state.as_str() {
                "COMMITTED" => &["REDEEMED"],
                "PARTIALLY_RETURNED" if back < all => &["PARTIALLY_ROLLED_BACK"],
                _ => &[],
            };
            if live != expected {
                wrong
                    .push(format!("order {id} is {}, its code {} is {live:?} there", order.state, code.code));
            }
            if !expected.is_empty() && of_code().all(|one| one.amount != code.discount.amount) {
                wrong.push(format!("order {id}: {} gave another amount there", code.code));
            }
        }
    }
}
