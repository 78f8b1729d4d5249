//! What an error of the database means for the caller. Its text stays in the log.

use super::{Fault, Kind, Replay};

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let mut fault = match &error {
            sqlx::Error::Database(database) => of_code(database.code().as_deref().unwrap_or_default()),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => Fault::database_unavailable(),
            // A value that the driver cannot write is the item's own; whoever runs a batch can isolate it.
            sqlx::Error::Encode(_) => refused_statement(),
            _ => Fault::internal("a database operation failed"),
        };
        fault = fault.caused_by(error);
        fault
    }
}

/// PostgreSQL gives five characters, SQLite its extended result code in decimal: they cannot be confused.
fn of_code(code: &str) -> Fault {
    match code {
        // serialization_failure, deadlock_detected, lock_not_available
        "40001" | "40P01" | "55P03" => Fault::contention().retryable(),
        // statement_completion_unknown, transaction_resolution_unknown
        "40003" | "08007" => Fault::outcome_unknown(),
        // query_canceled: our own statement_timeout. read_only_sql_transaction: talking to a standby after a failover.
        // idle_in_transaction_session_timeout and its kin.
        // invalid_sql_statement_name: the next connection prepares the statement anew.
        "57014" | "25006" | "25P03" | "25P04" | "26000" => Fault::database_unavailable(),
        full if says_full(full) => Fault::storage_full(),
        sqlite if sqlite.len() < 5 => of_sqlite(sqlite.parse().unwrap_or_default()),
        // connection_exception, insufficient_resources, operator_intervention, system_error
        state if ["08", "53", "57", "58"].iter().any(|class| state.starts_with(class)) => {
            Fault::database_unavailable()
        }
        _ => refused_statement(),
    }
}

/// Whether a statement or a COMMIT failed for want of room on the disk.
pub(crate) fn is_storage_full(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|database| says_full(&database.code().unwrap_or_default()))
}

/// PostgreSQL's disk_full; SQLite's FULL, and IOERR_SHMSIZE, its word for a disk too full for the index of its log.
fn says_full(code: &str) -> bool {
    matches!(code, "53100" | "13" | "4874")
}

fn of_sqlite(extended: i32) -> Fault {
    match extended & 0xff {
        // BUSY, LOCKED
        5 | 6 => Fault::contention().retryable(),
        // NOMEM, READONLY, INTERRUPT, IOERR, CANTOPEN
        7 | 8 | 9 | 10 | 14 => Fault::database_unavailable(),
        _ => refused_statement(),
    }
}

fn refused_statement() -> Fault {
    let mut fault = Fault::internal("the database refused a statement");
    fault.0.replay = Replay::Statement;
    debug_assert_eq!(fault.kind(), Kind::Internal);
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rolled_back_transaction_may_be_replayed() {
        for code in ["40001", "40P01", "55P03", "5", "6", "261", "517", "262"] {
            let fault = of_code(code);
            assert!(fault.is_retryable(), "{code}");
            assert_eq!(fault.kind(), Kind::Aborted, "{code}");
        }
    }

    #[test]
    fn an_absent_database_is_unavailable_and_not_replayed() {
        for code in ["08006", "57P01", "57P03", "53300", "57014", "25006", "26000", "10", "778"] {
            let fault = of_code(code);
            assert_eq!(fault.reason(), "DATABASE_UNAVAILABLE", "{code}");
            assert!(!fault.is_retryable(), "{code}");
        }
        assert_eq!(Fault::from(sqlx::Error::PoolTimedOut).reason(), "DATABASE_UNAVAILABLE");
    }

    #[test]
    fn a_full_disk_is_named_and_worth_another_try() {
        for code in ["53100", "13", "4874"] {
            let fault = of_code(code);
            assert_eq!((fault.reason(), fault.kind()), ("STORAGE_FULL", Kind::Unavailable), "{code}");
            assert!(!fault.is_retryable() && !fault.is_statement_error(), "{code}");
        }
    }

    #[test]
    fn a_refused_value_is_the_statements_own_fault() {
        for code in ["23505", "22003", "23514", "2067", "275", "42P01"] {
            assert!(of_code(code).is_statement_error(), "{code}");
        }
        assert!(!Fault::from(sqlx::Error::RowNotFound).is_statement_error());
    }

    #[test]
    fn an_unknown_commit_is_its_own_kind() {
        assert_eq!(of_code("40003").kind(), Kind::UnknownOutcome);
        assert_eq!(of_code("08007").kind(), Kind::UnknownOutcome);
    }

    #[test]
    fn the_drivers_text_never_leaves() {
        let error = sqlx::Error::Protocol("password of host 10.0.0.1".to_owned());
        let status = tonic::Status::from(Fault::from(error));
        assert!(!status.message().contains("10.0.0.1"));
        assert!(!String::from_utf8_lossy(status.details()).contains("10.0.0.1"));
    }
}
