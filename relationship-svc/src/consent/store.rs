//! What people said, in the database.

pub mod suppression;

use jiff::Timestamp;
use sqlx::FromRow;
use tandem_platform::db::{BindColumns, Column, Instant, Json, Session, Statement, Tx, Write};
use tandem_platform::{Fault, Outcome, Tenant, on_engine};
use uuid::Uuid;

use super::current::{Current, Mark};
use super::{Basis, Channel, Consent, Key, Proof, State};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT c.id, c.customer, c.purpose, c.channel, c.state, c.basis, c.text_version, c.source, c.proof, c.said, \
             c.expires, c.confirms, c.recorded, c.principal FROM consent AS c ",
            $tail
        )
    };
}

const KNOWN: Statement = Statement::pair(
    concat!(
        "SELECT c.* FROM UNNEST($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
                         AS wanted (customer, purpose, channel, said, state)
          CROSS JOIN LATERAL (",
        select!(
            "WHERE c.tenant = $1 AND c.customer = wanted.customer AND c.purpose = wanted.purpose
                AND c.channel = wanted.channel AND c.said = wanted.said AND c.state = wanted.state LIMIT 1"
        ),
        ") AS c"
    ),
    "SELECT c.id, c.customer, c.purpose, c.channel, c.state, c.basis, c.text_version, c.source, c.proof, c.said,
            c.expires, c.confirms, c.recorded, c.principal
       FROM json_each($2) AS wanted
      CROSS JOIN consent AS c
         ON c.tenant = $1 AND c.customer = wanted.value->>0 AND c.purpose = wanted.value->>1
        AND c.channel = wanted.value->>2 AND c.said = wanted.value->>3 AND c.state = wanted.value->>4",
);

const FIND: Statement = Statement::same(select!("WHERE c.tenant = $1 AND c.id = $2"));

const CONFIRMED_BY: Statement = Statement::same("SELECT id FROM consent WHERE tenant = $1 AND confirms = $2");

const NEWEST: Statement = Statement::same(select!(
    "WHERE c.tenant = $1 AND c.customer = $2 AND (c.said, c.id) < ($3, $4) ORDER BY c.said DESC, c.id DESC LIMIT $5"
));

const INSERT: Statement = Statement::pair(
    "INSERT INTO consent (tenant, id, customer, purpose, channel, state, basis, text_version, source, proof, said,
                          expires, confirms, recorded, principal)
     SELECT $1, * FROM UNNEST($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                              $9::text[], $10::jsonb[], $11::timestamptz[], $12::timestamptz[], $13::uuid[],
                              $14::timestamptz[], $15::text[])",
    "INSERT INTO consent (tenant, id, customer, purpose, channel, state, basis, text_version, source, proof, said,
                          expires, confirms, recorded, principal)
     SELECT $1, unhex(value->>0), value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7,
            value->>8, value->>9, value->>10, unhex(value->>11), value->>12, value->>13
       FROM json_each($2)",
);

const CURRENT: Statement = Statement::pair(
    "SELECT s.* FROM UNNEST($2::text[]) AS wanted (customer) CROSS JOIN LATERAL
            (SELECT customer, purpose, channel, state, record, said, expires, asked, asked_said, asked_expires, due
               FROM consent_state WHERE tenant = $1 AND customer = wanted.customer OFFSET 0) AS s",
    "SELECT customer, purpose, channel, state, record, said, expires, asked, asked_said, asked_expires, due
       FROM consent_state WHERE tenant = $1 AND customer IN (SELECT value->>0 FROM json_each($2))",
);

macro_rules! save {
    ($rows:literal) => {
        concat!(
            "INSERT INTO consent_state (tenant, customer, purpose, channel, state, record, said, expires, asked,
                                        asked_said, asked_expires, due) ",
            $rows,
            " ON CONFLICT (tenant, customer, purpose, channel) DO UPDATE
                SET state = excluded.state, record = excluded.record, said = excluded.said,
                    expires = excluded.expires, asked = excluded.asked, asked_said = excluded.asked_said,
                    asked_expires = excluded.asked_expires, due = excluded.due"
        )
    };
}

const SAVE: Statement = Statement::pair(
    save!(
        "SELECT $1, * FROM UNNEST($2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::timestamptz[],
                                  $8::timestamptz[], $9::uuid[], $10::timestamptz[], $11::timestamptz[],
                                  $12::timestamptz[])"
    ),
    save!(
        "SELECT $1, value->>0, value->>1, value->>2, value->>3, unhex(value->>4), value->>5, value->>6,
                unhex(value->>7), value->>8, value->>9, value->>10
           FROM json_each($2) WHERE true"
    ),
);

const DUE: Statement = Statement::same(
    "SELECT tenant, customer FROM consent_state WHERE due IS NOT NULL AND due <= $1 ORDER BY due LIMIT $2",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("consent::known", KNOWN),
    ("consent::find", FIND),
    ("consent::confirmed_by", CONFIRMED_BY),
    ("consent::newest", NEWEST),
    ("consent::insert", INSERT),
    ("consent::current", CURRENT),
    ("consent::save", SAVE),
    ("consent::due", DUE),
];

#[derive(Debug, FromRow)]
struct Row {
    id: Uuid,
    customer: String,
    purpose: String,
    channel: String,
    state: String,
    basis: String,
    text_version: String,
    source: String,
    proof: Json<Proof>,
    said: Instant,
    expires: Option<Instant>,
    confirms: Option<Uuid>,
    recorded: Instant,
    principal: String,
}

impl TryFrom<Row> for Consent {
    type Error = Fault;

    fn try_from(row: Row) -> Outcome<Self> {
        let channel = channel(&row.channel)?;
        Ok(Self {
            id: row.id,
            key: Key { customer: row.customer, purpose: row.purpose, channel },
            state: State::parse(&row.state).ok_or_else(|| Fault::internal("a stored state is none"))?,
            basis: Basis::parse(&row.basis).ok_or_else(|| Fault::internal("a stored basis is none"))?,
            text_version: row.text_version,
            source: row.source,
            proof: row.proof.0,
            at: row.said.timestamp(),
            expires: row.expires.map(Instant::timestamp),
            confirms: row.confirms,
            recorded: row.recorded.timestamp(),
            principal: row.principal,
        })
    }
}

fn channel(name: &str) -> Outcome<Channel> {
    Channel::parse(name).ok_or_else(|| Fault::internal("a stored channel is none"))
}

fn all(rows: Vec<Row>) -> Outcome<Vec<Consent>> {
    rows.into_iter().map(Consent::try_from).collect()
}

#[derive(Debug, FromRow)]
struct StateRow {
    customer: String,
    purpose: String,
    channel: String,
    state: Option<String>,
    record: Option<Uuid>,
    said: Option<Instant>,
    expires: Option<Instant>,
    asked: Option<Uuid>,
    asked_said: Option<Instant>,
    asked_expires: Option<Instant>,
    due: Option<Instant>,
}

impl TryFrom<StateRow> for (Key, Current) {
    type Error = Fault;

    fn try_from(row: StateRow) -> Outcome<Self> {
        let mark = |state: State, record: Option<Uuid>, at: Option<Instant>, expires: Option<Instant>| {
            let (record, at) = record.zip(at)?;
            Some(Mark { state, record, at: at.timestamp(), expires: expires.map(Instant::timestamp) })
        };
        let state = row.state.as_deref().and_then(State::parse);
        let decided = state.and_then(|state| mark(state, row.record, row.said, row.expires));
        let pending = mark(State::Pending, row.asked, row.asked_said, row.asked_expires);
        let channel = channel(&row.channel)?;
        let key = Key { customer: row.customer, purpose: row.purpose, channel };
        Ok((key, Current { decided, pending, due: row.due.map(Instant::timestamp) }))
    }
}

/// Those of these records that are there already: of the same person, purpose, channel, time and state.
pub async fn known(tx: &mut Tx, tenant: &Tenant, wanted: &[&Consent]) -> Outcome<Vec<Consent>> {
    let columns = [
        Column::text(wanted.iter().map(|one| one.key.customer.as_str())),
        Column::text(wanted.iter().map(|one| one.key.purpose.as_str())),
        Column::text(wanted.iter().map(|one| one.key.channel.name())),
        Column::Instant(wanted.iter().map(|one| one.at).collect()),
        Column::text(wanted.iter().map(|one| one.state.name())),
    ];
    all(on_engine!(tx, KNOWN, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?)
}

/// The record with this id.
pub async fn find(session: &mut impl Session, tenant: &Tenant, id: Uuid) -> Outcome<Option<Consent>> {
    let row: Option<Row> = on_engine!(session, FIND, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(conn).await
    })?;
    row.map(Consent::try_from).transpose()
}

/// The grant that a link has made.
pub async fn confirmed_by(tx: &mut Tx, tenant: &Tenant, pending: Uuid) -> Outcome<Option<Uuid>> {
    Ok(on_engine!(tx, CONFIRMED_BY, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind(pending).fetch_optional(conn).await
    })?)
}

/// At most `limit` of what a person said before this, newest first.
pub async fn newest(
    session: &mut impl Session,
    tenant: &Tenant,
    customer: &str,
    before: (Timestamp, Uuid),
    limit: usize,
) -> Outcome<Vec<Consent>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    all(on_engine!(session, NEWEST, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(customer).bind(Instant(before.0));
        query.bind(before.1).bind(limit).fetch_all(conn).await
    })?)
}

/// Everything that holds of these people.
pub async fn current(
    session: &mut impl Session,
    tenant: &Tenant,
    customers: Vec<String>,
) -> Outcome<Vec<(Key, Current)>> {
    let columns = [Column::Text(customers)];
    let rows: Vec<StateRow> = on_engine!(session, CURRENT, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    rows.into_iter().map(TryFrom::try_from).collect()
}

/// People of any tenant of whom it is to be told that something is over, those it was first first.
pub async fn due(session: &mut impl Session, now: Timestamp, limit: i64) -> Outcome<Vec<(String, String)>> {
    Ok(on_engine!(session, DUE, |sql, conn| {
        sqlx::query_as(sql).bind(Instant(now)).bind(limit).fetch_all(conn).await
    })?)
}

/// Adds records. Somebody else may have added one of them meanwhile.
pub fn insert(records: &[&Consent]) -> Outcome<Write> {
    let write = Write::new(INSERT).columns([
        Column::uuid(records.iter().map(|one| one.id)),
        Column::text(records.iter().map(|one| one.key.customer.as_str())),
        Column::text(records.iter().map(|one| one.key.purpose.as_str())),
        Column::text(records.iter().map(|one| one.key.channel.name())),
        Column::text(records.iter().map(|one| one.state.name())),
        Column::text(records.iter().map(|one| one.basis.name())),
        Column::text(records.iter().map(|one| one.text_version.as_str())),
        Column::text(records.iter().map(|one| one.source.as_str())),
        Column::json(records.iter().map(|one| &one.proof))?,
        Column::Instant(records.iter().map(|one| one.at).collect()),
        Column::OptInstant(records.iter().map(|one| one.expires).collect()),
        Column::OptUuid(records.iter().map(|one| one.confirms).collect()),
        Column::Instant(records.iter().map(|one| one.recorded).collect()),
        Column::text(records.iter().map(|one| one.principal.as_str())),
    ]);
    Ok(write.or_replay())
}

/// Writes what holds of people who are locked.
pub fn save(rows: &[(Key, Current)]) -> Write {
    let decided = |of: fn(Mark) -> Option<Timestamp>| {
        Column::OptInstant(rows.iter().map(|(_, one)| one.decided.and_then(of)).collect())
    };
    let asked = |of: fn(Mark) -> Option<Timestamp>| {
        Column::OptInstant(rows.iter().map(|(_, one)| one.pending.and_then(of)).collect())
    };
    let state = |one: &Current| one.decided.map(|mark| mark.state.name().to_owned());
    Write::new(SAVE).columns([
        Column::text(rows.iter().map(|(key, _)| key.customer.as_str())),
        Column::text(rows.iter().map(|(key, _)| key.purpose.as_str())),
        Column::text(rows.iter().map(|(key, _)| key.channel.name())),
        Column::OptText(rows.iter().map(|(_, one)| state(one)).collect()),
        Column::OptUuid(rows.iter().map(|(_, one)| one.decided.map(|mark| mark.record)).collect()),
        decided(|mark| Some(mark.at)),
        decided(|mark| mark.expires),
        Column::OptUuid(rows.iter().map(|(_, one)| one.pending.map(|mark| mark.record)).collect()),
        asked(|mark| Some(mark.at)),
        asked(|mark| mark.expires),
        Column::OptInstant(rows.iter().map(|(_, one)| one.due).collect()),
    ])
}
