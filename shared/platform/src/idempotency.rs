//! One effect per request_id: the first statement of a write claims it, the last stores its outcome, both in the
//! write's own transaction. A batch looks its requests up first and claims them together with their outcomes at the end.
//!
//! The key is (tenant, method, request_id). Whoever comes second with the same key waits on the unique index until the
//! first has ended, and then reads the stored outcome with a new statement; a refusal leaves no claim, so it is judged
//! anew, unless it is stored as an outcome. The same id with another body is REQUEST_ID_REUSED. Where transactions are
//! serialisable the second is told to replay instead, and reads the outcome then. Kept 7 days.
//!
//! So equal calls get equal answers, whoever is first: a caller that repeats a call while the first is on its way waits,
//! within its own deadline, at the [`Gates`] of its process and for the claim of another one.

mod gate;
mod recall;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use jiff::Timestamp;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

pub use gate::{Gates, Passage};
pub use recall::{Recalled, Settled, answers, recall};

use crate::call::{Call, Tenant};
use crate::db::{BindColumns, Column, Db, Instant, Statement, Tx, Write};
use crate::fault::{Fault, Outcome};
use crate::{on_engine, transact};

const CLAIM: Statement = Statement::same(
    "INSERT INTO request_claim (tenant, method, request_id, hash, created) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT DO NOTHING",
);

const FIND: Statement = Statement::same(
    "SELECT hash, outcome FROM request_claim WHERE tenant = $1 AND method = $2 AND request_id = $3",
);

const FINISH: Statement = Statement::same(
    "UPDATE request_claim SET outcome = $4 WHERE tenant = $1 AND method = $2 AND request_id = $3",
);

// On PostgreSQL no plain join: before the first ANALYZE of a fast-growing table the planner would read all claims of the
// tenant for each batch. LATERAL … LIMIT leaves it one probe of the primary key per request, whatever it knows.
const FIND_MANY: Statement = Statement::pair(
    "SELECT wanted.method, wanted.request_id, claim.hash, claim.outcome
       FROM UNNEST($2::text[], $3::text[]) AS wanted (method, request_id)
      CROSS JOIN LATERAL
            (SELECT hash, outcome FROM request_claim
              WHERE tenant = $1 AND method = wanted.method AND request_id = wanted.request_id LIMIT 1) AS claim",
    "SELECT claim.method, claim.request_id, claim.hash, claim.outcome
       FROM json_each($2) AS wanted
      CROSS JOIN request_claim AS claim
         ON claim.tenant = $1 AND claim.method = wanted.value->>0 AND claim.request_id = wanted.value->>1",
);

const STORE_MANY: Statement = Statement::pair(
    "INSERT INTO request_claim (tenant, method, request_id, hash, outcome, created)
     SELECT $1, method, request_id, hash, outcome, $2
       FROM UNNEST($3::text[], $4::text[], $5::bytea[], $6::text[]) AS done (method, request_id, hash, outcome)",
    "INSERT INTO request_claim (tenant, method, request_id, hash, outcome, created)
     SELECT $1, value->>0, value->>1, unhex(value->>2), value->>3, $2 FROM json_each($3)",
);

const SWEEP: Statement = Statement::pair(
    "DELETE FROM request_claim WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM request_claim WHERE created < $1 ORDER BY created LIMIT $2))",
    "DELETE FROM request_claim WHERE (tenant, method, request_id) IN
        (SELECT tenant, method, request_id FROM request_claim WHERE created < $1 ORDER BY created LIMIT $2)",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("claim", CLAIM),
    ("find", FIND),
    ("finish", FINISH),
    ("find_many", FIND_MANY),
    ("store_many", STORE_MANY),
    ("sweep", SWEEP),
];

/// How often a claim is tried against a row that is there for the insert and gone for the read: only the sweeper
/// deletes committed claims.
const ATTEMPTS: usize = 3;

/// What makes two calls the same call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// The method of the contract, constant: "RedeemVouchers".
    pub method: &'static str,
    /// The caller's request_id.
    pub id: String,
    /// SHA-256 of the request without its request_id.
    pub hash: [u8; 32],
}

impl Request {
    /// The request `id` of `method`. The caller clears `request_id` in `body` before; fields that this release does
    /// not know are not part of the hash.
    pub fn new<M: Message>(method: &'static str, id: &str, body: &M) -> Self {
        let hash = Sha256::digest(body.encode_to_vec()).into();
        Self { method, id: id.to_owned(), hash }
    }

    fn key(&self) -> (&str, &str) {
        (self.method, &self.id)
    }
}

/// What a claim finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim<T> {
    /// Nobody has done it: do it, and [`finish`].
    Fresh,
    /// It was done, with this outcome: answer it and change nothing.
    Repeat(T),
}

/// What is stored of one request of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Nobody has done it.
    Fresh,
    /// It was done; the stored outcome as JSON, see [`outcome_of`].
    Repeat(String),
    /// The id stands for another request: answer [`Fault::request_id_reused`].
    Reused,
}

/// How a request of a batch relates to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duplicate {
    /// The first of its id: look it up.
    First,
    /// The same request as the one at this index: shares its answer.
    Of(usize),
    /// The id of an earlier request with another body: answer [`Fault::request_id_reused`].
    Reused,
}

/// Finds the requests of a batch that repeat earlier ones of the same batch.
fn duplicates<'a>(requests: impl IntoIterator<Item = &'a Request>) -> Vec<Duplicate> {
    let mut seen: HashMap<(&str, &str), (usize, &[u8; 32])> = HashMap::new();
    let judge = |(index, request): (usize, &'a Request)| match seen.get(&request.key()) {
        None => {
            seen.insert(request.key(), (index, &request.hash));
            Duplicate::First
        }
        Some((first, hash)) if **hash == request.hash => Duplicate::Of(*first),
        Some(_) => Duplicate::Reused,
    };
    requests.into_iter().enumerate().map(judge).collect()
}

/// Claims a request: the first statement of its transaction. Waits for whoever has claimed it before, as long as somebody
/// waits for `call`.
pub async fn claim<T: DeserializeOwned>(
    tx: &mut Tx,
    call: &Call,
    request: &Request,
    now: Timestamp,
) -> Outcome<Claim<T>> {
    let tenant = &call.tenant;
    for _ in 0..ATTEMPTS {
        let inserted = on_engine!(tx, CLAIM, |sql, conn| {
            let query = sqlx::query(sql).bind(tenant.as_str()).bind(request.method).bind(&request.id);
            let query = query.bind(request.hash.as_slice()).bind(Instant(now));
            query.execute(conn).await.map(|done| done.rows_affected())
        });
        if inserted.map_err(|error| still_claimed(tx, call, error))? > 0 {
            return Ok(Claim::Fresh);
        }
        // A new statement, so that it sees what the insert has waited for.
        let stored: Option<(Vec<u8>, Option<String>)> = on_engine!(tx, FIND, |sql, conn| {
            let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(request.method).bind(&request.id);
            query.fetch_optional(conn).await
        })?;
        match stored {
            None => {}
            Some((hash, outcome)) => {
                return match judge(request, &hash, outcome)? {
                    Claimed::Repeat(outcome) => Ok(Claim::Repeat(outcome_of(&outcome)?)),
                    _ => Err(Fault::request_id_reused()),
                };
            }
        }
    }
    tx.replay();
    Err(Fault::contention())
}

/// The fault of an insert that failed. The wait for a claim ends when the wait for any lock does; while the caller waits,
/// another one begins.
fn still_claimed(tx: &mut Tx, call: &Call, error: sqlx::Error) -> Fault {
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    let code = error.as_database_error().and_then(|database| database.code());
    if code.as_deref() != Some(LOCK_NOT_AVAILABLE) {
        return Fault::from(error);
    }
    match call.check_deadline() {
        Ok(()) => {
            tx.replay();
            Fault::from(error)
        }
        Err(passed) => passed,
    }
}

/// Stores the outcome of a claimed request: the last statement of its transaction.
pub async fn finish<T: Serialize>(
    tx: &mut Tx,
    tenant: &Tenant,
    request: &Request,
    outcome: &T,
) -> Outcome<()> {
    write(request, outcome)?.run(tx, tenant).await
}

/// The same, to travel with what else the transaction writes at its end.
pub fn write<T: Serialize>(request: &Request, outcome: &T) -> Outcome<Write> {
    let outcome = to_json(outcome)?;
    Ok(Write::new(FINISH).text(request.method).text(&request.id).text(&outcome))
}

/// Which requests of a batch were done before; answers in their order. Nothing is claimed: for a runner that ends with
/// [`store_many`], which writes one row per request instead of one and its next version, and none for a refusal that is
/// to be judged anew.
pub async fn look_up_many(tx: &mut Tx, tenant: &Tenant, requests: &[&Request]) -> Outcome<Vec<Claimed>> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let stored = find_many(tx, tenant, requests).await?;
    let answer = |request: &&Request| match stored.get(&(request.method.to_owned(), request.id.clone())) {
        None => Ok(Claimed::Fresh),
        Some((hash, outcome)) => judge(request, hash, outcome.clone()),
    };
    requests.iter().map(answer).collect()
}

/// Claims requests together with their outcomes (JSON, see [`to_json`]): with the last writes of its transaction. Where
/// another writer has claimed one of them since [`look_up_many`], the transaction is marked for a replay, which finds
/// that outcome: so nothing is done twice, although nothing was claimed before it was done.
pub fn store_many(mut done: Vec<(&Request, String)>, now: Timestamp) -> Write {
    // Sorted, so that two batches that share keys do not wait for each other in a circle.
    done.sort_unstable_by(|(one, _), (other, _)| one.key().cmp(&other.key()));
    let columns = [
        Column::text(done.iter().map(|(request, _)| request.method)),
        Column::text(done.iter().map(|(request, _)| request.id.as_str())),
        Column::Bytes(done.iter().map(|(request, _)| request.hash.to_vec()).collect()),
        Column::text(done.iter().map(|(_, outcome)| outcome.as_str())),
    ];
    Write::new(STORE_MANY).instant(now).columns(columns).or_replay()
}

/// Forgets claims made before `older_than`, at most `limit` at a time; answers how many.
pub async fn sweep(db: &Db, older_than: Timestamp, limit: u32) -> Outcome<u64> {
    transact!(db, |tx| {
        Ok(on_engine!(tx, SWEEP, |sql, conn| {
            let query = sqlx::query(sql).bind(Instant(older_than)).bind(i64::from(limit));
            query.execute(conn).await.map(|done| done.rows_affected())
        })?)
    })
}

/// An outcome as it is stored.
pub fn to_json<T: Serialize>(outcome: &T) -> Outcome<String> {
    serde_json::to_string(outcome)
        .map_err(|error| Fault::internal("an outcome cannot be written as JSON").caused_by(error))
}

/// A stored outcome. INTERNAL where this release cannot read it: outcomes live 7 days and must stay readable.
pub fn outcome_of<T: DeserializeOwned>(stored: &str) -> Outcome<T> {
    serde_json::from_str(stored)
        .map_err(|error| Fault::internal("a stored outcome cannot be read").caused_by(error))
}

type Stored = HashMap<(String, String), (Vec<u8>, Option<String>)>;

async fn find_many(tx: &mut Tx, tenant: &Tenant, requests: &[&Request]) -> Outcome<Stored> {
    let columns = keys(requests);
    let rows: Vec<(String, String, Vec<u8>, Option<String>)> = on_engine!(tx, FIND_MANY, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(|(method, id, hash, outcome)| ((method, id), (hash, outcome))).collect())
}

fn keys(requests: &[&Request]) -> [Column; 2] {
    [
        Column::text(requests.iter().map(|request| request.method)),
        Column::text(requests.iter().map(|request| request.id.as_str())),
    ]
}

fn judge(request: &Request, hash: &[u8], outcome: Option<String>) -> Outcome<Claimed> {
    match outcome {
        _ if hash != request.hash => Ok(Claimed::Reused),
        Some(outcome) => Ok(Claimed::Repeat(outcome)),
        None => Err(Fault::internal("a request was committed without its outcome")),
    }
}
