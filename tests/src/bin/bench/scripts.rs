//! The classical transactions: one per call, one statement per step, each row that one call of the service writes. They
//! read nothing, open no token and decide only what a `WHERE` can.

use sqlx::{FromRow, PgPool};

use crate::Outcome;
use crate::args::{INCENTIVES, Scale};
use crate::audit::Book;
use crate::catalogue::{FIRST_LIMITED, LIMITED, OFFER};
use crate::orders::{AMOUNT, Codes, OFFERED};
use crate::people::{
    BUDGET_EUR, FIRST_CODE, FIRST_CUSTOMER, FIRST_INCENTIVE, HOT, HOT_CODE, MAX_USES, MAX_USES_PER_CODE,
    MAX_USES_PER_CUSTOMER, ONE,
};
use crate::tenants::stage as tenants;

/// The script that commits an order.
pub const COMMIT: &str = "commit";
/// The script that redeems a code of any tenant.
pub const REDEEM: &str = "redeem";

/// The tenant of the rows about one business.
const DEFAULT: &str = "'default'";

const REDEMPTION: &str = "
    SELECT c.method, c.outcome, r.details::text AS document,
           (SELECT length(payload) FROM event_batch ORDER BY id DESC LIMIT 1) AS payload_bytes
      FROM redemption AS r JOIN request_claim AS c ON c.request_id = 'r-' || r.order_id
     ORDER BY r.id DESC LIMIT 1";

const ORDER: &str = "
    SELECT c.method, c.outcome, o.sold::text AS document,
           (SELECT length(payload) FROM event_batch ORDER BY id DESC LIMIT 1) AS payload_bytes
      FROM sales_order AS o JOIN request_claim AS c ON c.request_id = 'r-' || o.id
     ORDER BY o.created DESC LIMIT 1";

// Ascending, as the service's are: neighbours on the pages of the index.
const ID: &str = "encode(int8send((extract(epoch FROM clock_timestamp()) * 1000000)::bigint) || \
                  int8send(:client_id::bigint * 1000000000 + :i::bigint), 'hex')::uuid";
const ORDER_ID: &str = "'p' || :run || '-' || :client_id || '-' || :i";
const CUSTOMER: &str = "'c' || :customer";

/// What a call of the service wrote, to be written again.
#[derive(Debug, Clone, FromRow)]
pub struct Sample {
    method: String,
    outcome: String,
    /// Details of the redemption, or what the order sold.
    document: String,
    payload_bytes: i32,
}

impl Sample {
    /// The newest one.
    pub async fn newest(pool: &PgPool, book: Book) -> Outcome<Self> {
        let sql = match book {
            Book::Redemptions => REDEMPTION,
            Book::Orders => ORDER,
        };
        Ok(sqlx::query_as(sql).fetch_one(pool).await?)
    }

    /// The sizes of the documents.
    pub fn shown(&self) -> String {
        let (outcome, document) = (self.outcome.len(), self.document.len());
        format!("outcome {outcome} bytes, document {document} bytes, event {} bytes", self.payload_bytes)
    }

    fn claim(&self, tenant: &str) -> String {
        let (method, outcome) = (&self.method, constant(&self.outcome));
        format!(
            "INSERT INTO request_claim (tenant, method, request_id, hash, outcome, created) VALUES ({tenant}, '{method}', 'r-' || {ORDER_ID}, decode(repeat('a7', 32), 'hex'), {outcome}, now()) ON CONFLICT DO NOTHING;"
        )
    }

    fn event(&self, tenant: &str) -> String {
        let bytes = self.payload_bytes;
        format!(
            "INSERT INTO event_batch (tenant, id, created, payload) VALUES ({tenant}, {ID}, now(), decode(repeat('a7', {bytes}), 'hex'));"
        )
    }
}

/// A transaction for pgbench.
#[derive(Debug)]
pub struct Script {
    /// Of its file.
    pub name: &'static str,
    /// What it does.
    pub text: String,
}

/// What a transaction is about: lines that draw variables, and SQL made of these.
#[derive(Debug)]
struct Drawn {
    draw: String,
    tenant: &'static str,
    /// The code and its incentive, or the offer and its campaign.
    what: String,
    of: String,
}

/// A redemption. Guards stand where the service judges limits; documents are constants of the statement, so that they
/// cost the least.
pub fn redemption(codes: Codes, sample: &Sample, scale: &Scale) -> Script {
    let last = |count: u32| FIRST_CODE + count - 1;
    let (draw, what, of) = match codes {
        Codes::Hot => (String::new(), format!("'{HOT_CODE}'"), format!("'{HOT}'")),
        Codes::Many => (
            format!(
                "\\set code random({FIRST_CODE}, {})\n\\set incentive {FIRST_INCENTIVE} + :code % {INCENTIVES}\n",
                last(scale.many_codes)
            ),
            "'M' || :code".to_owned(),
            "'m' || :incentive".to_owned(),
        ),
        Codes::One => (
            format!("\\set code random({FIRST_CODE}, {})\n", last(scale.one_codes)),
            "'L' || :code".to_owned(),
            format!("'{ONE}'"),
        ),
    };
    let draw = draw_customer(scale.customers) + &draw;
    redeemed(codes.name(), &Drawn { draw, tenant: DEFAULT, what, of }, sample)
}

/// An order with one offer, which counts in its own limits and in its campaign's sums.
pub fn order(sample: &Sample, scale: &Scale) -> Script {
    let last_campaign = FIRST_LIMITED + LIMITED - 1;
    let draw = draw_customer(scale.customers)
        + &format!("\\set campaign random({FIRST_LIMITED}, {last_campaign})\n");
    let of = "'campaigns/k' || :campaign".to_owned();
    committed(&Drawn { draw, tenant: DEFAULT, what: format!("{of} || '/offers/{OFFER}'"), of }, sample)
}

/// A redemption or an order of any one of so many tenants.
pub fn of_tenants(book: Book, sample: &Sample, tenants: u32) -> Script {
    let draw = draw_customer(tenants::CUSTOMERS)
        + &format!("\\set tenant random({0}, {0} + {tenants} - 1)\n", tenants::TENANTS.first);
    let tenant = "('t' || :tenant)";
    let (first, last) = (tenants::CODES.first, tenants::CODES.first + tenants::CODES_EACH - 1);
    match book {
        Book::Redemptions => {
            let draw = format!("{draw}\\set code random({first}, {last})\n");
            let what = format!("'{}' || :code", tenants::CODES.stem);
            redeemed(REDEEM, &Drawn { draw, tenant, what, of: format!("'{}'", tenants::INCENTIVE) }, sample)
        }
        Book::Orders => {
            let of = format!("'campaigns/{}'", tenants::CAMPAIGN);
            committed(&Drawn { draw, tenant, what: format!("{of} || '/offers/{OFFER}'"), of }, sample)
        }
    }
}

fn redeemed(name: &'static str, drawn: &Drawn, sample: &Sample) -> Script {
    let Drawn { draw, tenant, what: code, of: incentive } = drawn;
    let (claim, event, details) = (sample.claim(tenant), sample.event(tenant), constant(&sample.document));
    let limited = limited(tenant, incentive, AMOUNT);
    let text = format!(
        "\\set i :i + 1
{draw}BEGIN;
{claim}
UPDATE voucher SET uses = uses + 1, version = version + 1 WHERE tenant = {tenant} AND code = {code} AND NOT disabled AND uses + uses_held < least(max_uses, {MAX_USES_PER_CODE});
{limited}
INSERT INTO redemption (tenant, id, order_id, ordinal, code, incentive, incentive_version, customer, state, currency, amount, returned, details, created, updated, version) VALUES ({tenant}, {ID}, {ORDER_ID}, 0, {code}, {incentive}, 1, {CUSTOMER}, 'REDEEMED', 'EUR', {AMOUNT}, 0, {details}::jsonb, now(), now(), 1);
{event}
COMMIT;
"
    );
    Script { name, text }
}

fn committed(drawn: &Drawn, sample: &Sample) -> Script {
    let Drawn { draw, tenant, what: offer, of: campaign } = drawn;
    let (claim, event, sold) = (sample.claim(tenant), sample.event(tenant), constant(&sample.document));
    let limited = limited(tenant, offer, OFFERED);
    let [uses, money] = [counter(tenant, 1, campaign, ""), counter(tenant, 2, campaign, "EUR")];
    let text = format!(
        "\\set i :i + 1
{draw}BEGIN;
{claim}
{limited}
UPDATE counter SET used = used + 1 WHERE {uses};
UPDATE counter SET used = used + {OFFERED} WHERE {money};
INSERT INTO sales_order (tenant, id, holder, state, customer, sold, committed, created, updated, version) VALUES ({tenant}, {ORDER_ID}, {ID}, 'COMMITTED', {CUSTOMER}, {sold}::json, now(), now(), now(), 1);
{event}
COMMIT;
"
    );
    Script { name: COMMIT, text }
}

fn draw_customer(customers: u32) -> String {
    format!("\\set customer random({FIRST_CUSTOMER}, {})\n", FIRST_CUSTOMER + customers - 1)
}

/// Counts a use by the customer and the money under limits of every kind.
fn limited(tenant: &str, owner: &str, amount: i64) -> String {
    let [uses, money] = [counter(tenant, 1, owner, ""), counter(tenant, 2, owner, "EUR")];
    let budget = BUDGET_EUR * 100;
    format!(
        "UPDATE counter SET used = used + 1 WHERE {uses} AND used + held < {MAX_USES};
UPDATE counter SET used = used + {amount} WHERE {money} AND used + held + {amount} <= {budget};
INSERT INTO counter (tenant, kind, owner, subject, period, used, held, told) VALUES ({tenant}, 3, {owner}, 'c/' || {CUSTOMER}, '', 1, 0, 0) ON CONFLICT (tenant, kind, owner, subject, period) DO UPDATE SET used = counter.used + 1 WHERE counter.used + counter.held < {MAX_USES_PER_CUSTOMER};"
    )
}

fn counter(tenant: &str, kind: u32, owner: &str, subject: &str) -> String {
    format!(
        "tenant = {tenant} AND kind = {kind} AND owner = {owner} AND subject = '{subject}' AND period = ''"
    )
}

/// A text that pgbench does not look for variables in; the planner folds it into a constant.
fn constant(text: &str) -> String {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("convert_from(decode('{hex}', 'hex'), 'UTF8')")
}
