//! What a merge moves in the tables of other rooms, a bounded part at a time, and how much that is.

use sqlx::FromRow;
use tandem_platform::db::{Session, Statement, Tx, Write};
use tandem_platform::{Outcome, Tenant, on_engine};

use super::Moves;
use crate::customer::alias;

const LISTS: Statement = Statement::same(
    "INSERT INTO segment_member (tenant, segment, customer)
     SELECT tenant, segment, $3 FROM segment_member WHERE tenant = $1 AND customer = $2 ON CONFLICT DO NOTHING",
);

const VOUCHERS: Statement = Statement::same(
    "UPDATE voucher SET customer = $3 WHERE tenant = $1 AND customer = $2 AND code IN
            (SELECT code FROM voucher WHERE tenant = $1 AND customer = $2 ORDER BY code LIMIT $4)",
);

// The same twice is one: what both have said alike stands once, as the kept one has it.
const SAME_CONSENTS: Statement = Statement::same(
    "DELETE FROM consent WHERE tenant = $1 AND id IN
            (SELECT c.id FROM consent AS c
              WHERE c.tenant = $1 AND c.customer = $2
                AND EXISTS (SELECT 1 FROM consent AS d WHERE d.tenant = $1 AND d.customer = $3
                               AND d.purpose = c.purpose AND d.channel = c.channel AND d.said = c.said
                               AND d.state = c.state)
              ORDER BY c.said, c.id LIMIT $4)",
);

const CONSENTS: Statement = Statement::same(
    "UPDATE consent SET customer = $3 WHERE tenant = $1 AND customer = $2 AND id IN
            (SELECT id FROM consent WHERE tenant = $1 AND customer = $2 ORDER BY said, id LIMIT $4)",
);

const INTERACTIONS: Statement = Statement::same(
    "UPDATE interaction SET person = $3 WHERE tenant = $1 AND person = $2 AND event_id IN
            (SELECT event_id FROM interaction WHERE tenant = $1 AND person = $2 ORDER BY happened, event_id LIMIT $4)",
);

const ORDERS: Statement = Statement::same(
    "UPDATE customer_order SET person = $3 WHERE tenant = $1 AND person = $2 AND order_id IN
            (SELECT order_id FROM customer_order WHERE tenant = $1 AND person = $2 ORDER BY placed, order_id LIMIT $4)",
);

const MOVES: Statement = Statement::same(
    "SELECT (SELECT count(*) FROM (SELECT 1 FROM redemption WHERE tenant = $1 AND customer = $2 LIMIT $5) AS r)
                AS redemptions,
            (SELECT count(*) FROM (SELECT 1 FROM voucher WHERE tenant = $1 AND customer = $2 LIMIT $5) AS v)
                AS vouchers,
            (SELECT count(*) FROM (SELECT 1 FROM customer_order WHERE tenant = $1 AND person = $4 LIMIT $5) AS o)
                AS orders,
            (SELECT count(*) FROM (SELECT 1 FROM interaction WHERE tenant = $1 AND person = $4 LIMIT $5) AS i)
                AS interactions,
            (SELECT count(*) FROM (SELECT 1 FROM consent WHERE tenant = $1 AND customer = $2 LIMIT $5) AS c)
                AS consents,
            (SELECT count(*) FROM segment_member AS m WHERE m.tenant = $1 AND m.customer = $2
                AND NOT EXISTS (SELECT 1 FROM segment_member AS n
                                 WHERE n.tenant = $1 AND n.segment = m.segment AND n.customer = $3)) AS lists,
            (SELECT count(*) FROM customer_alias WHERE tenant = $1 AND merged_into = $2) AS aliases
       FROM customer WHERE tenant = $1 AND id = $2",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("merge::lists", LISTS),
    ("merge::vouchers", VOUCHERS),
    ("merge::same_consents", SAME_CONSENTS),
    ("merge::consents", CONSENTS),
    ("merge::interactions", INTERACTIONS),
    ("merge::orders", ORDERS),
    ("merge::moves", MOVES),
];

/// One customer is on every list that another one is on.
pub fn lists(from: &str, to: &str) -> Write {
    Write::new(LISTS).text(from).text(to).where_needed()
}

/// At most `limit` codes of a customer are another one's; answers how many.
pub async fn vouchers(tx: &mut Tx, tenant: &Tenant, from: &str, to: &str, limit: i64) -> Outcome<u64> {
    part(tx, VOUCHERS, tenant, from, to, limit).await
}

/// The same of what was said.
pub async fn consents(tx: &mut Tx, tenant: &Tenant, from: &str, to: &str, limit: i64) -> Outcome<u64> {
    let same = part(tx, SAME_CONSENTS, tenant, from, to, limit).await?;
    // One that has just come to stand twice is still to go: nothing else is moved before.
    if same >= limit.unsigned_abs() { Ok(same) } else { part(tx, CONSENTS, tenant, from, to, limit).await }
}

/// The same of what people did, `from` and `to` as rows have them.
pub async fn interactions(tx: &mut Tx, tenant: &Tenant, from: &str, to: &str, limit: i64) -> Outcome<u64> {
    part(tx, INTERACTIONS, tenant, from, to, limit).await
}

/// The same of what they ordered.
pub async fn orders(tx: &mut Tx, tenant: &Tenant, from: &str, to: &str, limit: i64) -> Outcome<u64> {
    part(tx, ORDERS, tenant, from, to, limit).await
}

async fn part(
    tx: &mut Tx,
    statement: Statement,
    tenant: &Tenant,
    from: &str,
    to: &str,
    limit: i64,
) -> Outcome<u64> {
    Ok(on_engine!(tx, statement, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(from).bind(to).bind(limit);
        query.execute(conn).await.map(|done| done.rows_affected())
    })?)
}

#[derive(FromRow)]
struct Counted {
    redemptions: i64,
    vouchers: i64,
    orders: i64,
    interactions: i64,
    consents: i64,
    lists: i64,
    aliases: i64,
}

/// How much of one customer, who is there, would be another one's, each counted up to `most`.
pub async fn moves(
    session: &mut impl Session,
    tenant: &Tenant,
    from: &str,
    to: &str,
    most: i64,
) -> Outcome<Moves> {
    let person = alias::person(from);
    let counted: Counted = on_engine!(session, MOVES, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(from).bind(to).bind(&person).bind(most);
        query.fetch_one(conn).await
    })?;
    let Counted { redemptions, vouchers, orders, interactions, consents, lists, aliases } = counted;
    Ok(Moves { redemptions, vouchers, orders, interactions, consents, lists, aliases })
}
