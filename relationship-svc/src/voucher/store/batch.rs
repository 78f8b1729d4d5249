//! Batches of generated codes.

use sqlx::FromRow;
use sqlx::types::Json;
use tandem_platform::db::{Instant, Session, Statement, Tx};
use tandem_platform::idempotency::Request;
use tandem_platform::{Fault, Outcome, Tenant, on_engine};

use crate::voucher::batch::{Batch, Plan};

const OPEN: Statement = Statement::same(
    "INSERT INTO voucher_batch (tenant, id, incentive, request_id, request_hash, quantity, plan, created)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (tenant, request_id) DO NOTHING",
);

const OF_REQUEST: Statement = Statement::same(
    "SELECT id, incentive, request_hash, quantity, done, plan, created
       FROM voucher_batch WHERE tenant = $1 AND request_id = $2",
);

const LOCK: Statement = Statement::pair(
    "SELECT id, incentive, request_hash, quantity, done, plan, created
       FROM voucher_batch WHERE tenant = $1 AND id = $2 FOR NO KEY UPDATE",
    "SELECT id, incentive, request_hash, quantity, done, plan, created
       FROM voucher_batch WHERE tenant = $1 AND id = $2",
);

const ADVANCE: Statement =
    Statement::same("UPDATE voucher_batch SET done = $3 WHERE tenant = $1 AND id = $2 AND done < $3");

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("voucher_batch::open", OPEN),
    ("voucher_batch::of_request", OF_REQUEST),
    ("voucher_batch::lock", LOCK),
    ("voucher_batch::advance", ADVANCE),
];

#[derive(Debug, FromRow)]
struct Row {
    id: String,
    incentive: String,
    request_hash: Vec<u8>,
    quantity: i64,
    done: i64,
    plan: Json<Plan>,
    created: Instant,
}

impl From<Row> for Batch {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            incentive: row.incentive,
            quantity: row.quantity,
            done: row.done,
            plan: row.plan.0,
            created: row.created.timestamp(),
        }
    }
}

/// Opens a batch for `request`, or answers the one that is open for it. REQUEST_ID_REUSED where the request was another.
pub async fn open(tx: &mut Tx, tenant: &Tenant, request: &Request, batch: &Batch) -> Outcome<Batch> {
    on_engine!(tx, OPEN, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(&batch.id).bind(&batch.incentive);
        let query = query.bind(&request.id).bind(request.hash.as_slice()).bind(batch.quantity);
        let query = query.bind(Json(&batch.plan)).bind(Instant(batch.created));
        query.execute(conn).await.map(|done| done.rows_affected())
    })?;
    let row: Row = on_engine!(tx, OF_REQUEST, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(&request.id).fetch_one(conn).await
    })?;
    if row.request_hash == request.hash { Ok(row.into()) } else { Err(Fault::request_id_reused()) }
}

/// The batch that is open for a `request_id`, whatever its body was.
pub async fn of_request(
    session: &mut impl Session,
    tenant: &Tenant,
    request_id: &str,
) -> Outcome<Option<Batch>> {
    let row: Option<Row> = on_engine!(session, OF_REQUEST, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(request_id).fetch_optional(conn).await
    })?;
    Ok(row.map(Batch::from))
}

/// Locks a batch, so that two calls with one `request_id` make its codes once.
pub async fn lock(tx: &mut Tx, tenant: &Tenant, id: &str) -> Outcome<Batch> {
    let row: Option<Row> = on_engine!(tx, LOCK, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(conn).await
    })?;
    row.map(Batch::from).ok_or_else(|| Fault::internal("a batch of vouchers vanished"))
}

/// Writes how far a locked batch is.
pub async fn advance(tx: &mut Tx, tenant: &Tenant, id: &str, done: i64) -> Outcome<()> {
    let saved = on_engine!(tx, ADVANCE, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(id).bind(done);
        query.execute(conn).await.map(|done| done.rows_affected())
    })?;
    if saved == 1 { Ok(()) } else { Err(Fault::internal("a batch of vouchers went backwards")) }
}
