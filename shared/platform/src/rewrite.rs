//! What is kept for a while (answers by request_id, events, events that were set aside), page by page, for whoever has to take
//! something out of it. A page reads so many rows by their key, and shows the text only of those that have the one that is
//! looked for.

use uuid::Uuid;

use crate::call::Tenant;
use crate::db::{Session, Statement, Tx};
use crate::fault::Outcome;
use crate::on_engine;

const ANSWERS: Statement = Statement::pair(
    "SELECT method, request_id, CASE WHEN strpos(outcome, $4) > 0 THEN outcome END
       FROM (SELECT method, request_id, outcome FROM request_claim
              WHERE tenant = $1 AND (method, request_id) > ($2, $3) ORDER BY method, request_id LIMIT $5) AS page",
    "SELECT method, request_id, CASE WHEN instr(outcome, $4) > 0 THEN outcome END
       FROM (SELECT method, request_id, outcome FROM request_claim
              WHERE tenant = $1 AND (method, request_id) > ($2, $3) ORDER BY method, request_id LIMIT $5) AS page",
);

const SAVE_ANSWER: Statement = Statement::same(
    "UPDATE request_claim SET outcome = $4 WHERE tenant = $1 AND method = $2 AND request_id = $3",
);

const EVENTS: Statement = Statement::pair(
    "SELECT id, CASE WHEN position($3::bytea IN payload) > 0 THEN payload END
       FROM (SELECT id, payload FROM event_batch WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $4) AS page",
    "SELECT id, CASE WHEN instr(payload, $3) > 0 THEN payload END
       FROM (SELECT id, payload FROM event_batch WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $4) AS page",
);

const EVENT: Statement = Statement::same("SELECT payload FROM event_batch WHERE tenant = $1 AND id = $2");

const SAVE_EVENT: Statement =
    Statement::same("UPDATE event_batch SET payload = $3 WHERE tenant = $1 AND id = $2");

const ASIDE: Statement = Statement::pair(
    "SELECT consumer, event_id, CASE WHEN position($4::bytea IN payload) > 0 THEN payload END
       FROM (SELECT consumer, event_id, payload FROM set_aside_event
              WHERE tenant = $1 AND (consumer, event_id) > ($2, $3) ORDER BY consumer, event_id LIMIT $5) AS page",
    "SELECT consumer, event_id, CASE WHEN instr(payload, $4) > 0 THEN payload END
       FROM (SELECT consumer, event_id, payload FROM set_aside_event
              WHERE tenant = $1 AND (consumer, event_id) > ($2, $3) ORDER BY consumer, event_id LIMIT $5) AS page",
);

const SAVE_ASIDE: Statement = Statement::same(
    "UPDATE set_aside_event SET payload = $4 WHERE tenant = $1 AND consumer = $2 AND event_id = $3",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("rewrite::answers", ANSWERS),
    ("rewrite::save_answer", SAVE_ANSWER),
    ("rewrite::events", EVENTS),
    ("rewrite::event", EVENT),
    ("rewrite::save_event", SAVE_EVENT),
    ("rewrite::aside", ASIDE),
    ("rewrite::save_aside", SAVE_ASIDE),
];

/// An answer by its method and request_id, as JSON, where it has the text.
pub type Answer = (String, String, Option<String>);
/// The events of a transaction, as `EventBatch`, where they have the text.
pub type Events = (Uuid, Option<Vec<u8>>);
/// An event that was set aside, by its consumer and id, as `Event`, where it has the text.
pub type Aside = (String, Uuid, Option<Vec<u8>>);

/// The next answers behind a method and request_id.
pub async fn answers(
    session: &mut impl Session,
    tenant: &Tenant,
    behind: &(String, String),
    text: &str,
    limit: i64,
) -> Outcome<Vec<Answer>> {
    Ok(on_engine!(session, ANSWERS, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(&behind.0).bind(&behind.1);
        query.bind(text).bind(limit).fetch_all(conn).await
    })?)
}

/// Writes another answer to a request that was answered.
pub async fn save_answer(
    tx: &mut Tx,
    tenant: &Tenant,
    method: &str,
    request_id: &str,
    outcome: &str,
) -> Outcome<()> {
    on_engine!(tx, SAVE_ANSWER, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(method).bind(request_id).bind(outcome);
        query.execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// The events of the next transactions behind one.
pub async fn events(
    session: &mut impl Session,
    tenant: &Tenant,
    behind: Uuid,
    text: &str,
    limit: i64,
) -> Outcome<Vec<Events>> {
    Ok(on_engine!(session, EVENTS, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(behind).bind(text.as_bytes());
        query.bind(limit).fetch_all(conn).await
    })?)
}

/// The events of one transaction, if they are still kept.
pub async fn event(session: &mut impl Session, tenant: &Tenant, id: Uuid) -> Outcome<Option<Vec<u8>>> {
    Ok(on_engine!(session, EVENT, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind(id).fetch_optional(conn).await
    })?)
}

/// Writes what the events of a transaction say from now on.
pub async fn save_event(tx: &mut Tx, tenant: &Tenant, id: Uuid, payload: Vec<u8>) -> Outcome<()> {
    on_engine!(tx, SAVE_EVENT, |sql, conn| {
        sqlx::query(sql).bind(tenant.as_str()).bind(id).bind(payload).execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// The next events that were set aside, behind a consumer's.
pub async fn aside(
    session: &mut impl Session,
    tenant: &Tenant,
    behind: &(String, Uuid),
    text: &str,
    limit: i64,
) -> Outcome<Vec<Aside>> {
    Ok(on_engine!(session, ASIDE, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(&behind.0).bind(behind.1);
        query.bind(text.as_bytes()).bind(limit).fetch_all(conn).await
    })?)
}

/// Writes what an event that was set aside says from now on.
pub async fn save_aside(
    tx: &mut Tx,
    tenant: &Tenant,
    consumer: &str,
    id: Uuid,
    payload: Vec<u8>,
) -> Outcome<()> {
    on_engine!(tx, SAVE_ASIDE, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(consumer).bind(id).bind(payload);
        query.execute(conn).await.map(|_| ())
    })?;
    Ok(())
}
