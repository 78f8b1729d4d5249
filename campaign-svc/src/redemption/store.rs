//! Rows of redemptions that flowed back.

use jiff::Timestamp;
use tandem_kernel::money::Currency;
use tandem_platform::db::{BindColumns, Column, Instant, Session, Statement};
use tandem_platform::{Outcome, Tenant, Tx, on_engine};

use super::{Feedback, Sums};

macro_rules! save {
    ($source:literal) => {
        concat!(
            "INSERT INTO redemption_feedback AS known
                (tenant, redemption, order_id, campaign, incentive, customer, currency, amount, returned, tender,
                 order_total, state, version, occurred, updated) ",
            $source,
            " ON CONFLICT (tenant, redemption) DO UPDATE
                SET returned = CASE WHEN excluded.version > known.version THEN excluded.returned ELSE known.returned END,
                    state = CASE WHEN excluded.version > known.version THEN excluded.state ELSE known.state END,
                    amount = CASE WHEN excluded.version > known.version THEN excluded.amount ELSE known.amount END,
                    version = CASE WHEN excluded.version > known.version THEN excluded.version ELSE known.version END,
                    order_total = coalesce(known.order_total, excluded.order_total),
                    updated = excluded.updated
              WHERE excluded.version > known.version
                 OR (known.order_total IS NULL AND excluded.order_total IS NOT NULL)"
        )
    };
}

const SAVE: Statement = Statement::pair(
    save!(
        "SELECT news.*, $1
           FROM UNNEST($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                       $9::bigint[], $10::bigint[], $11::boolean[], $12::bigint[], $13::text[], $14::bigint[],
                       $15::timestamptz[]) AS news"
    ),
    save!(
        "SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
                value->>9, value->>10, value->>11, value->>12, value->>13, $1
           FROM json_each($2) WHERE true"
    ),
);

macro_rules! of_campaigns {
    ($select:literal, $campaigns:literal, $rest:literal) => {
        concat!(
            $select,
            " FROM redemption_feedback WHERE tenant = $1 AND campaign IN (",
            $campaigns,
            ")",
            $rest
        )
    };
}

macro_rules! per_engine {
    ($select:literal, $rest:literal) => {
        Statement::pair(
            of_campaigns!($select, "SELECT * FROM UNNEST($2::text[])", $rest),
            of_campaigns!($select, "SELECT value->>0 FROM json_each($2)", $rest),
        )
    };
}

const COUNTS: Statement = per_engine!(
    "SELECT count(*), count(DISTINCT order_id), count(DISTINCT nullif(customer, ''))",
    " AND state <> 'ROLLED_BACK'"
);

const DISCOUNTS: Statement = per_engine!(
    "SELECT currency, CAST(sum(amount - returned) AS bigint)",
    " AND NOT tender GROUP BY currency"
);

macro_rules! revenue {
    ($campaigns:literal) => {
        concat!(
            "SELECT currency, CAST(sum(total) AS bigint) FROM (",
            of_campaigns!(
                "SELECT order_id, currency, max(order_total) AS total",
                $campaigns,
                " AND state <> 'ROLLED_BACK' AND order_total IS NOT NULL GROUP BY order_id, currency"
            ),
            ") AS orders GROUP BY currency"
        )
    };
}

const REVENUE: Statement = Statement::pair(
    revenue!("SELECT * FROM UNNEST($2::text[])"),
    revenue!("SELECT value->>0 FROM json_each($2)"),
);

const RENAME: Statement = Statement::same(
    "UPDATE redemption_feedback SET customer = $3
      WHERE tenant = $1 AND redemption IN
            (SELECT redemption FROM redemption_feedback
              WHERE tenant = $1 AND customer = $2 AND customer <> '' LIMIT $4)",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] =
    &[("save", SAVE), ("counts", COUNTS), ("discounts", DISCOUNTS), ("revenue", REVENUE), ("rename", RENAME)];

/// Stores what events say; each redemption of a tenant once in `news`, in their order. What is older than the row changes
/// nothing but the total of the order, which is told once, with the first event.
pub async fn save(tx: &mut Tx, news: &[(&Tenant, &Feedback)], now: Timestamp) -> Outcome<()> {
    if news.is_empty() {
        return Ok(());
    }
    let told = || news.iter().map(|(_, one)| *one);
    let columns = [
        Column::text(news.iter().map(|(tenant, _)| tenant.as_str())),
        Column::text(told().map(|one| &*one.redemption)),
        Column::text(told().map(|one| &*one.order_id)),
        Column::text(told().map(|one| &*one.campaign)),
        Column::text(told().map(|one| &*one.incentive)),
        Column::text(told().map(|one| &*one.customer)),
        Column::text(told().map(|one| one.amount.currency.code())),
        Column::int(told().map(|one| one.amount.minor)),
        Column::int(told().map(|one| one.returned)),
        Column::Bool(told().map(|one| one.tender).collect()),
        Column::OptInt(told().map(|one| one.order_total).collect()),
        Column::text(told().map(|one| one.state.text())),
        Column::int(told().map(|one| one.version)),
        Column::Instant(told().map(|one| one.occurred).collect()),
    ];
    on_engine!(tx, SAVE, |sql, conn| {
        sqlx::query(sql).bind(Instant(now)).bind_columns(&columns).execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// What the campaigns of these ids have brought about together; nothing for no campaigns.
pub async fn sums<S: AsRef<str>>(
    session: &mut impl Session,
    tenant: &Tenant,
    campaigns: &[S],
) -> Outcome<Sums> {
    let columns = [Column::text(campaigns.iter().map(AsRef::as_ref))];
    let (redemptions, orders, customers): (i64, i64, i64) = on_engine!(session, COUNTS, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_one(conn).await
    })?;
    let mut sums = Sums { redemptions, orders, customers, ..Sums::default() };
    for (statement, into) in [(DISCOUNTS, &mut sums.discounts), (REVENUE, &mut sums.revenue)] {
        let rows: Vec<(String, i64)> = on_engine!(session, statement, |sql, conn| {
            sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
        })?;
        into.extend(rows.into_iter().filter_map(|(code, minor)| Some((Currency::new(&code).ok()?, minor))));
    }
    Ok(sums)
}

/// At most `limit` redemptions of a customer are another one's; answers how many.
pub async fn rename(tx: &mut Tx, tenant: &Tenant, from: &str, to: &str, limit: i64) -> Outcome<u64> {
    Ok(on_engine!(tx, RENAME, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(from).bind(to).bind(limit);
        query.execute(conn).await.map(|done| done.rows_affected())
    })?)
}
