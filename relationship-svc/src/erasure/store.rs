//! Erasures in the database, and what they take out of the tables of other rooms, a bounded part at a time.

use jiff::Timestamp;
use sqlx::FromRow;
use tandem_platform::db::{Instant, Session, Statement, Tx, Write};
use tandem_platform::{Fault, Outcome, Tenant, on_engine};
use uuid::Uuid;

use super::{Erasure, Step};
use crate::relationship::Who;

const FIND: Statement = Statement::same(
    "SELECT pseudonym, customer, principal, erased, step, place, done, told, forget FROM erasure
      WHERE tenant = $1 AND pseudonym = $2",
);

const LOCK: Statement = Statement::pair(
    "SELECT pseudonym, customer, principal, erased, step, place, done, told, forget FROM erasure
      WHERE tenant = $1 AND pseudonym = $2 FOR NO KEY UPDATE",
    "SELECT pseudonym, customer, principal, erased, step, place, done, told, forget FROM erasure
      WHERE tenant = $1 AND pseudonym = $2",
);

const BEGIN: Statement = Statement::same(
    "INSERT INTO erasure (tenant, pseudonym, customer, principal, step, erased, forget, told)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (tenant, pseudonym) DO UPDATE
        SET customer = excluded.customer, principal = excluded.principal, step = excluded.step, place = NULL,
            erased = excluded.erased, done = NULL, forget = excluded.forget, told = excluded.told",
);

const SAVE: Statement = Statement::same(
    "UPDATE erasure SET customer = $3, step = $4, place = $5, done = $6, forget = $7
      WHERE tenant = $1 AND pseudonym = $2",
);

const OPEN: Statement = Statement::same(
    "SELECT tenant, pseudonym FROM erasure WHERE step IS NOT NULL AND (tenant, pseudonym) > ($1, $2)
      ORDER BY tenant, pseudonym LIMIT $3",
);

const OLD: Statement = Statement::same(
    "SELECT tenant, pseudonym FROM erasure WHERE forget IS NOT NULL AND forget <= $1 AND step IS NULL
      ORDER BY forget LIMIT $2",
);

// Whether something is held under an id, wherever an index finds it.
const LEFT: Statement = Statement::same(
    "SELECT customer FROM redemption WHERE tenant = $1 AND customer = $2
     UNION ALL SELECT customer FROM voucher WHERE tenant = $1 AND customer = $2
     UNION ALL SELECT customer FROM consent WHERE tenant = $1 AND customer = $2 LIMIT 1",
);

const FORGET_CUSTOMER: Statement = Statement::same("DELETE FROM customer WHERE tenant = $1 AND id = $2");

const FORGET_STATES: Statement =
    Statement::same("DELETE FROM consent_state WHERE tenant = $1 AND customer = $2");

const FORGET_LISTED: Statement =
    Statement::same("DELETE FROM segment_member WHERE tenant = $1 AND customer = $2");

const FORGET_WATCHED: Statement =
    Statement::same("DELETE FROM segment_watched_member WHERE tenant = $1 AND customer = $2");

const FORGET_LOOK: Statement =
    Statement::same("DELETE FROM customer_look WHERE tenant = $1 AND customer = $2");

const STEP_BACK: Statement = Statement::same(
    "UPDATE segment_sweep
        SET after = COALESCE((SELECT max(id) FROM customer WHERE tenant = $1 AND id < $2), '')
      WHERE tenant = $1 AND after = $2",
);

const STEP_BACK_RELATIONSHIP: Statement = Statement::same(
    "UPDATE relationship_sweep
        SET after = COALESCE((SELECT max(person) FROM relationship WHERE tenant = $1 AND person < $2), '')
      WHERE tenant = $1 AND after = $2",
);

const CONSENTS: Statement =
    Statement::same("SELECT id FROM consent WHERE tenant = $1 AND customer = $2 ORDER BY said, id LIMIT $3");

// The same may have been said, and erased, before.
const RENAME_CONSENT: Statement = Statement::pair(
    "UPDATE consent AS c SET customer = $3, proof = '{}'::jsonb
      WHERE c.tenant = $1 AND c.id = $2
        AND NOT EXISTS (SELECT 1 FROM consent AS d WHERE d.tenant = $1 AND d.customer = $3 AND d.purpose = c.purpose
                           AND d.channel = c.channel AND d.said = c.said AND d.state = c.state)",
    "UPDATE consent AS c SET customer = $3, proof = '{}'
      WHERE c.tenant = $1 AND c.id = $2
        AND NOT EXISTS (SELECT 1 FROM consent AS d WHERE d.tenant = $1 AND d.customer = $3 AND d.purpose = c.purpose
                           AND d.channel = c.channel AND d.said = c.said AND d.state = c.state)",
);

const FORGET_CONSENT: Statement =
    Statement::same("DELETE FROM consent WHERE tenant = $1 AND id = $2 AND customer = $3");

// What a code was given for may be any id of theirs: they are erased together.
const RENAME_VOUCHERS: Statement = Statement::same(
    "UPDATE voucher SET customer = $3, source_id = CASE WHEN source_id = $2 OR source_id IN
            (SELECT e.customer FROM erasure AS o JOIN erasure AS e ON e.tenant = o.tenant AND e.told = o.told
              WHERE o.tenant = $1 AND o.pseudonym = $3 AND e.customer IS NOT NULL) THEN NULL ELSE source_id END
      WHERE tenant = $1 AND code IN
            (SELECT code FROM voucher WHERE tenant = $1 AND customer = $2 ORDER BY code LIMIT $4)",
);

const FORGET_INTERACTIONS: Statement = Statement::same(
    "DELETE FROM interaction WHERE tenant = $1 AND event_id IN
            (SELECT event_id FROM interaction WHERE tenant = $1 AND person = $2 ORDER BY happened, event_id LIMIT $3)",
);

const RENAME_ORDERS: Statement = Statement::pair(
    "UPDATE customer_order SET person = $3, details = '{}'::jsonb
      WHERE tenant = $1 AND order_id IN
            (SELECT order_id FROM customer_order WHERE tenant = $1 AND person = $2 ORDER BY placed, order_id LIMIT $4)",
    "UPDATE customer_order SET person = $3, details = '{}'
      WHERE tenant = $1 AND order_id IN
            (SELECT order_id FROM customer_order WHERE tenant = $1 AND person = $2 ORDER BY placed, order_id LIMIT $4)",
);

const FORGET_RELATIONSHIP: Statement =
    Statement::same("DELETE FROM relationship WHERE tenant = $1 AND person = $2");

const RENAME_CLAIMED: Statement =
    Statement::same("UPDATE relationship SET merged_into = $3 WHERE tenant = $1 AND merged_into = $2");

const CHANGES: Statement = Statement::pair(
    "SELECT code, id, CASE WHEN strpos(fields, $4) > 0 THEN fields END
       FROM (SELECT code, id, fields::text AS fields FROM voucher_change
              WHERE tenant = $1 AND (code, id) > ($2, $3) ORDER BY code, id LIMIT $5) AS page",
    "SELECT code, id, CASE WHEN instr(fields, $4) > 0 THEN fields END
       FROM (SELECT code, id, fields FROM voucher_change
              WHERE tenant = $1 AND (code, id) > ($2, $3) ORDER BY code, id LIMIT $5) AS page",
);

const SAVE_CHANGE: Statement = Statement::pair(
    "UPDATE voucher_change SET fields = $4::jsonb WHERE tenant = $1 AND code = $2 AND id = $3",
    "UPDATE voucher_change SET fields = $4 WHERE tenant = $1 AND code = $2 AND id = $3",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("erasure::find", FIND),
    ("erasure::lock", LOCK),
    ("erasure::begin", BEGIN),
    ("erasure::save", SAVE),
    ("erasure::open", OPEN),
    ("erasure::old", OLD),
    ("erasure::left", LEFT),
    ("erasure::forget_customer", FORGET_CUSTOMER),
    ("erasure::forget_states", FORGET_STATES),
    ("erasure::forget_listed", FORGET_LISTED),
    ("erasure::forget_watched", FORGET_WATCHED),
    ("erasure::forget_look", FORGET_LOOK),
    ("erasure::step_back", STEP_BACK),
    ("erasure::consents", CONSENTS),
    ("erasure::rename_consent", RENAME_CONSENT),
    ("erasure::forget_consent", FORGET_CONSENT),
    ("erasure::rename_vouchers", RENAME_VOUCHERS),
    ("erasure::forget_interactions", FORGET_INTERACTIONS),
    ("erasure::rename_orders", RENAME_ORDERS),
    ("erasure::forget_relationship", FORGET_RELATIONSHIP),
    ("erasure::rename_claimed", RENAME_CLAIMED),
    ("erasure::step_back_relationship", STEP_BACK_RELATIONSHIP),
    ("erasure::changes", CHANGES),
    ("erasure::save_change", SAVE_CHANGE),
];

#[derive(Debug, FromRow)]
struct Row {
    pseudonym: String,
    customer: Option<String>,
    principal: String,
    erased: Instant,
    step: Option<String>,
    place: Option<String>,
    done: Option<Instant>,
    told: Option<Uuid>,
    forget: Option<Instant>,
}

impl From<Row> for Erasure {
    fn from(row: Row) -> Self {
        Self {
            pseudonym: row.pseudonym,
            customer: row.customer,
            principal: row.principal,
            erased: row.erased.timestamp(),
            step: row.step.as_deref().and_then(Step::parse),
            place: row.place.unwrap_or_default(),
            done: row.done.map(Instant::timestamp),
            told: row.told.unwrap_or_default(),
            forget: row.forget.map(Instant::timestamp),
        }
    }
}

/// The erasure of this pseudonym.
pub async fn find(session: &mut impl Session, tenant: &Tenant, pseudonym: &str) -> Outcome<Option<Erasure>> {
    one(session, FIND, tenant, pseudonym).await
}

/// The same, to be changed in this transaction.
pub async fn lock(tx: &mut Tx, tenant: &Tenant, pseudonym: &str) -> Outcome<Option<Erasure>> {
    one(tx, LOCK, tenant, pseudonym).await
}

async fn one(
    session: &mut impl Session,
    statement: Statement,
    tenant: &Tenant,
    pseudonym: &str,
) -> Outcome<Option<Erasure>> {
    let row: Option<Row> = on_engine!(session, statement, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(pseudonym).fetch_optional(conn).await
    })?;
    Ok(row.map(Erasure::from))
}

/// Writes a new one, or one that begins again.
pub fn begin(erasure: &Erasure) -> Outcome<Write> {
    let missing = || Fault::internal("an erasure begins without its end");
    Ok(Write::new(BEGIN)
        .text(&erasure.pseudonym)
        .text(erasure.customer.as_deref().unwrap_or_default())
        .text(&erasure.principal)
        .text(erasure.step.map(Step::name).unwrap_or_default())
        .instant(erasure.erased)
        .instant(erasure.forget.ok_or_else(missing)?)
        .uuid(erasure.told))
}

/// Writes how far a locked one is.
pub async fn save(tx: &mut Tx, tenant: &Tenant, erasure: &Erasure) -> Outcome<()> {
    on_engine!(tx, SAVE, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(&erasure.pseudonym).bind(&erasure.customer);
        let query = query.bind(erasure.step.map(Step::name)).bind(&erasure.place);
        query
            .bind(erasure.done.map(Instant))
            .bind(erasure.forget.map(Instant))
            .execute(conn)
            .await
            .map(|_| ())
    })?;
    Ok(())
}

/// Those of any tenant that are not done, behind this one: tenant and pseudonym.
pub async fn open(
    session: &mut impl Session,
    behind: &(String, String),
    limit: i64,
) -> Outcome<Vec<(String, String)>> {
    Ok(on_engine!(session, OPEN, |sql, conn| {
        sqlx::query_as(sql).bind(&behind.0).bind(&behind.1).bind(limit).fetch_all(conn).await
    })?)
}

/// Those of any tenant that are done and may lose the id.
pub async fn old(session: &mut impl Session, now: Timestamp, limit: i64) -> Outcome<Vec<(String, String)>> {
    Ok(on_engine!(session, OLD, |sql, conn| {
        sqlx::query_as(sql).bind(Instant(now)).bind(limit).fetch_all(conn).await
    })?)
}

/// Whether something is held under an id.
pub async fn left(session: &mut impl Session, tenant: &Tenant, customer: &str) -> Outcome<bool> {
    let left: Option<String> = on_engine!(session, LEFT, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind(customer).fetch_optional(conn).await
    })?;
    Ok(left.is_some())
}

/// What is known of a person, what holds of their consents, and which segments they are in goes: nobody is told that they left.
pub fn forget(customer: &str) -> [Write; 6] {
    [FORGET_CUSTOMER, FORGET_STATES, FORGET_LISTED, FORGET_WATCHED, FORGET_LOOK, STEP_BACK]
        .map(|statement| Write::new(statement).text(customer).where_needed())
}

/// At most `limit` of what a person said gets the pseudonym, without what shows it; answers how many.
pub async fn rename_consents(
    tx: &mut Tx,
    tenant: &Tenant,
    from: &str,
    to: &str,
    limit: i64,
) -> Outcome<usize> {
    let ids: Vec<Uuid> = on_engine!(tx, CONSENTS, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind(from).bind(limit).fetch_all(conn).await
    })?;
    for id in &ids {
        on_engine!(tx, RENAME_CONSENT, |sql, conn| {
            sqlx::query(sql).bind(tenant.as_str()).bind(id).bind(to).execute(conn).await.map(|_| ())
        })?;
        on_engine!(tx, FORGET_CONSENT, |sql, conn| {
            sqlx::query(sql).bind(tenant.as_str()).bind(id).bind(from).execute(conn).await.map(|_| ())
        })?;
    }
    Ok(ids.len())
}

/// At most `limit` codes of a person get the pseudonym; answers how many.
pub async fn rename_vouchers(tx: &mut Tx, tenant: &Tenant, from: &str, to: &str, limit: i64) -> Outcome<u64> {
    Ok(on_engine!(tx, RENAME_VOUCHERS, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(from).bind(to).bind(limit);
        query.execute(conn).await.map(|done| done.rows_affected())
    })?)
}

/// At most `limit` of what a person did goes; answers how many.
pub async fn forget_interactions(tx: &mut Tx, tenant: &Tenant, who: &Who, limit: i64) -> Outcome<u64> {
    Ok(on_engine!(tx, FORGET_INTERACTIONS, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(who.key()).bind(limit);
        query.execute(conn).await.map(|done| done.rows_affected())
    })?)
}

/// At most `limit` orders of a person get the pseudonym, without what says more of them; answers how many.
pub async fn rename_orders(tx: &mut Tx, tenant: &Tenant, from: &Who, to: &Who, limit: i64) -> Outcome<u64> {
    Ok(on_engine!(tx, RENAME_ORDERS, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(from.key()).bind(to.key()).bind(limit);
        query.execute(conn).await.map(|done| done.rows_affected())
    })?)
}

/// Whoever stands for one customer among relationships stands for another one.
pub fn rename_claimed(from: &str, to: &str) -> Write {
    Write::new(RENAME_CLAIMED).text(from).text(to).where_needed()
}

/// The figures of a person go, guests that they have claimed are the pseudonym's, and they are no place in a row any more.
pub fn forget_relationship(from: &str, to: &str) -> [Write; 3] {
    let key = Who::Customer(from.to_owned()).key();
    let gone = [FORGET_RELATIONSHIP, STEP_BACK_RELATIONSHIP];
    let [person, place] = gone.map(|statement| Write::new(statement).text(&key).where_needed());
    [person, rename_claimed(from, to), place]
}

/// What was done by hand to codes behind a place, at most `limit`: each with what it changed, where that has `text`.
pub async fn changes(
    session: &mut impl Session,
    tenant: &Tenant,
    behind: &(String, Uuid),
    text: &str,
    limit: i64,
) -> Outcome<Vec<(String, Uuid, Option<String>)>> {
    Ok(on_engine!(session, CHANGES, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(&behind.0).bind(behind.1);
        query.bind(text).bind(limit).fetch_all(conn).await
    })?)
}

/// Writes what such a change says from now on.
pub async fn save_change(tx: &mut Tx, tenant: &Tenant, code: &str, id: Uuid, fields: &str) -> Outcome<()> {
    on_engine!(tx, SAVE_CHANGE, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(code).bind(id).bind(fields);
        query.execute(conn).await.map(|_| ())
    })?;
    Ok(())
}
