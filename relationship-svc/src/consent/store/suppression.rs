//! Suppressed addresses, in the database.

use sqlx::FromRow;
use tandem_kernel::person::Hashed;
use tandem_platform::db::{BindColumns, Column, Instant, Session, Statement, Write};
use tandem_platform::{Fault, Outcome, Tenant, on_engine};

use crate::consent::Channel;
use crate::consent::suppression::{Place, Reason, Suppression};

const OF: Statement = Statement::pair(
    "SELECT s.* FROM UNNEST($2::bytea[]) AS wanted (address) CROSS JOIN LATERAL
            (SELECT address, channel, purpose, reason, key_id, suppressed, cleared, note, principal
               FROM suppression WHERE tenant = $1 AND address = wanted.address OFFSET 0) AS s",
    "SELECT address, channel, purpose, reason, key_id, suppressed, cleared, note, principal
       FROM suppression WHERE tenant = $1 AND address IN (SELECT unhex(value->>0) FROM json_each($2))",
);

const PAGE: Statement = Statement::same(
    "SELECT address, channel, purpose, reason, key_id, suppressed, cleared, note, principal FROM suppression
      WHERE tenant = $1 AND (address, channel, purpose, reason) > ($2, $3, $4, $5)
      ORDER BY address, channel, purpose, reason LIMIT $6",
);

// What is later stays, whoever is first.
macro_rules! save {
    ($rows:literal) => {
        concat!(
            "INSERT INTO suppression AS s (tenant, address, channel, purpose, reason, key_id, suppressed, cleared, note,
                                           principal) ",
            $rows,
            " ON CONFLICT (tenant, address, channel, purpose, reason) DO UPDATE
                SET suppressed = CASE WHEN s.suppressed IS NULL OR excluded.suppressed > s.suppressed
                                      THEN excluded.suppressed ELSE s.suppressed END,
                    cleared = CASE WHEN s.cleared IS NULL OR excluded.cleared > s.cleared
                                   THEN excluded.cleared ELSE s.cleared END,
                    note = excluded.note, principal = excluded.principal"
        )
    };
}

const SAVE: Statement = Statement::pair(
    save!(
        "SELECT $1, * FROM UNNEST($2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                                  $8::timestamptz[], $9::text[], $10::text[])"
    ),
    save!(
        "SELECT $1, unhex(value->>0), value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7,
                value->>8
           FROM json_each($2) WHERE true"
    ),
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] =
    &[("suppression::of", OF), ("suppression::page", PAGE), ("suppression::save", SAVE)];

#[derive(Debug, FromRow)]
struct Row {
    address: Vec<u8>,
    channel: String,
    purpose: String,
    reason: String,
    key_id: String,
    suppressed: Option<Instant>,
    cleared: Option<Instant>,
    note: String,
    principal: String,
}

impl TryFrom<Row> for Suppression {
    type Error = Fault;

    fn try_from(row: Row) -> Outcome<Self> {
        let place = Place {
            address: row.address,
            channel: super::channel(&row.channel)?,
            purpose: row.purpose,
            reason: Reason::parse(&row.reason).ok_or_else(|| Fault::internal("a stored reason is none"))?,
        };
        Ok(Self {
            place,
            key: row.key_id,
            suppressed: row.suppressed.map(Instant::timestamp),
            cleared: row.cleared.map(Instant::timestamp),
            note: row.note,
            principal: row.principal,
        })
    }
}

fn all(rows: Vec<Row>) -> Outcome<Vec<Suppression>> {
    rows.into_iter().map(Suppression::try_from).collect()
}

/// Every row of addresses, by whichever of their hashes.
pub async fn of(
    session: &mut impl Session,
    tenant: &Tenant,
    addresses: &[Hashed],
) -> Outcome<Vec<Suppression>> {
    if addresses.is_empty() {
        return Ok(Vec::new());
    }
    let columns = [Column::Bytes(addresses.iter().map(|one| one.hash.clone()).collect())];
    all(on_engine!(session, OF, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?)
}

/// At most `limit` rows behind `after`, in the order of their keys.
pub async fn page(
    session: &mut impl Session,
    tenant: &Tenant,
    after: Option<&Place>,
    limit: usize,
) -> Outcome<Vec<Suppression>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let address = after.map(|place| place.address.as_slice()).unwrap_or_default();
    let channel = after.map(|place| place.channel).map(Channel::name).unwrap_or_default();
    let purpose = after.map(|place| place.purpose.as_str()).unwrap_or_default();
    let reason = after.map(|place| place.reason).map(Reason::name).unwrap_or_default();
    all(on_engine!(session, PAGE, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(address).bind(channel);
        query.bind(purpose).bind(reason).bind(limit).fetch_all(conn).await
    })?)
}

/// Writes rows, each once: of what is there the later times stay.
pub fn save(rows: &[Suppression]) -> Write {
    Write::new(SAVE).columns([
        Column::Bytes(rows.iter().map(|one| one.place.address.clone()).collect()),
        Column::text(rows.iter().map(|one| one.place.channel.name())),
        Column::text(rows.iter().map(|one| one.place.purpose.as_str())),
        Column::text(rows.iter().map(|one| one.place.reason.name())),
        Column::text(rows.iter().map(|one| one.key.as_str())),
        Column::OptInstant(rows.iter().map(|one| one.suppressed).collect()),
        Column::OptInstant(rows.iter().map(|one| one.cleared).collect()),
        Column::text(rows.iter().map(|one| one.note.as_str())),
        Column::text(rows.iter().map(|one| one.principal.as_str())),
    ])
}
