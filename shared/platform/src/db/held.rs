//! The connection of a write transaction, and whether anybody may have it afterwards.
//!
//! It goes back to the pool only where the transaction ended as we asked, by a COMMIT or a ROLLBACK that was answered.
//! Everything else closes it, and the pool opens another: SQLite ends a transaction by itself where the disk is full or
//! fails, memory runs out or a statement is interrupted, and whoever went on with that connection would write outside of
//! any transaction; a transaction that was dropped half-way may still have a statement on its way. A connection also goes
//! where it said something after which only a new one helps: see [`is_spent`].
//!
//! BEGIN and its ends are sent as plain statements: sqlx's own transactions count how deep they are, and nothing puts that
//! count right after a transaction that ended by itself.

use sqlx::pool::PoolConnection;
use sqlx::{Database, Executor, Pool};

use super::codes::is_contention;

/// A connection inside a transaction. Closed when dropped, unless the transaction ended as it was asked to.
#[derive(Debug)]
pub(super) struct Held<D: Database> {
    connection: PoolConnection<D>,
    clean: bool,
}

impl<D> Held<D>
where
    D: Database,
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
{
    /// Borrows a connection and begins with the statement `begin`.
    pub(super) async fn begin(pool: Pool<D>, begin: &'static str) -> Result<Self, sqlx::Error> {
        let mut held = Self { connection: pool.acquire().await?, clean: false };
        match held.run(begin).await {
            Ok(()) => Ok(held),
            Err(error) => {
                // Another process writes: there is no transaction, and nothing is wrong with the connection.
                held.clean = is_contention(&error);
                Err(error)
            }
        }
    }

    pub(super) fn connection(&mut self) -> &mut D::Connection {
        &mut self.connection
    }

    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        let committed = self.run("COMMIT").await;
        self.clean = match &committed {
            Ok(()) => true,
            // PostgreSQL has rolled back, SQLite has not: it may be asked for the COMMIT again.
            Err(error) => is_contention(error) && self.run("ROLLBACK").await.is_ok(),
        };
        committed
    }

    /// Rolls back; by closing the connection where it is `spent`.
    pub(super) async fn rollback(mut self, spent: bool) {
        if spent {
            return;
        }
        match self.run("ROLLBACK").await {
            Ok(()) => self.clean = true,
            Err(error) => tracing::debug!(%error, "the transaction had ended by itself"),
        }
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(sql).execute(&mut *self.connection).await.map(|_| ())
    }
}

impl<D: Database> Drop for Held<D> {
    fn drop(&mut self) {
        if !self.clean {
            self.connection.close_on_drop();
        }
    }
}

/// Whether a connection that says so is of no further use, although it may go on answering.
pub(super) fn is_spent(error: &sqlx::Error) -> bool {
    let database = match error {
        sqlx::Error::Database(database) => database,
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            return true;
        }
        _ => return false,
    };
    match database.code().unwrap_or_default().as_ref() {
        // read_only_sql_transaction: a primary that was demoted answers for days; a new connection finds the new one.
        "25006" => true,
        // The session has been ended for standing idle, or for its transaction's age.
        "25P03" | "25P04" => true,
        // invalid_sql_statement_name: whoever stands between us and the server has given the session to somebody else.
        // feature_not_supported: the plan of a prepared statement is older than the schema.
        "26000" | "0A000" => true,
        // connection_exception, operator_intervention: the server stops, or lets go of this client.
        state => state.starts_with("08") || state.starts_with("57P"),
    }
}
