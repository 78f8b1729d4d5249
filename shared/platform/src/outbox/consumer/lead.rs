//! Which replica follows.

use jiff::SignedDuration;
use uuid::Uuid;

use crate::db::{Instant, Statement};
use crate::fault::Outcome;
use crate::service::Core;
use crate::{on_engine, transact};

pub(in super::super) const LEAD: Statement = Statement::same(
    "INSERT INTO consumer_leader AS current (consumer, holder, expires) VALUES ($1, $2, $3)
     ON CONFLICT (consumer) DO UPDATE SET holder = excluded.holder, expires = excluded.expires
      WHERE current.holder = excluded.holder OR current.expires <= $4",
);

pub(in super::super) const RESIGN: Statement =
    Statement::same("DELETE FROM consumer_leader WHERE consumer = $1 AND holder = $2");

/// Makes or keeps `holder` the one that follows for the time of the lease; false where another one is.
pub async fn lead(core: &Core, consumer: &str, holder: Uuid, lease: SignedDuration) -> Outcome<bool> {
    let now = core.clock.now();
    transact!(core.db, |tx| {
        let rows = on_engine!(tx, LEAD, |sql, conn| {
            let query = sqlx::query(sql).bind(consumer).bind(holder).bind(Instant(now + lease));
            query.bind(Instant(now)).execute(conn).await.map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    })
}

/// Lets another one follow.
pub async fn resign(core: &Core, consumer: &str, holder: Uuid) -> Outcome<()> {
    transact!(core.db, |tx| {
        on_engine!(tx, RESIGN, |sql, conn| {
            sqlx::query(sql).bind(consumer).bind(holder).execute(conn).await.map(|_| ())
        })?;
        Ok(())
    })
}
