//! Opening a database, and what an operator does about one that cannot be opened.

use std::io::ErrorKind;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Error};

use super::{Pools, TRUSTED_IDLE};
use crate::config::{ConfigError, DatabaseConfig};
use crate::fault::chain;

const CACHE: &str = "statement-cache-capacity";
/// What may stand behind the question mark of an address of PostgreSQL; `options[…]` too.
/// `statement-cache-capacity` goes before the setting of this name.
const PARAMETERS: [&str; 18] = [
    CACHE,
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// The connections of one database.
pub(super) async fn pools(config: &DatabaseConfig) -> Result<Pools, Error> {
    let url = config.url.reveal();
    if url.starts_with("sqlite:") {
        return sqlite(config).await;
    }
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(Error::Configuration("write postgres://user@host/name, or sqlite:/path/to/file".into()));
    }
    for parameter in url.split_once('?').map_or("", |(_, parameters)| parameters).split('&') {
        let name = parameter.split('=').next().unwrap_or_default();
        let option = name.starts_with("options[") || name.to_ascii_lowercase().starts_with("options%5b");
        if !name.is_empty() && !PARAMETERS.contains(&name) && !option {
            let known = PARAMETERS.join(", ");
            return Err(Error::Configuration(
                format!("the parameter {name:?} is not known; it is one of {known}").into(),
            ));
        }
    }
    postgres(config).await
}

async fn postgres(config: &DatabaseConfig) -> Result<Pools, Error> {
    let url = config.url.reveal();
    let mut options = PgConnectOptions::from_str(url)?
        .options([
            ("statement_timeout", config.statement_timeout_ms),
            ("lock_timeout", config.lock_timeout_ms),
            ("idle_in_transaction_session_timeout", config.idle_in_transaction_timeout_ms),
        ])
        // Every statement goes by keys, whatever their values: planning it again for each call costs more than running.
        .options([("plan_cache_mode", "force_generic_plan")])
        // A plan is made once, perhaps while its table is empty, and kept while it grows: what is cheap to scan then is
        // not cheap to scan later. And what cannot but scan is not worth compiling.
        .options([("enable_seqscan", "off"), ("jit", "off")]);
    if !url.contains(CACHE) {
        options = options.statement_cache_capacity(config.statement_cache_capacity);
    }
    if options.get_application_name().is_none() {
        options = options.application_name("tandem");
    }
    let pool = PgPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(Duration::from_millis(config.acquire_timeout_ms))
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options)
        .await?;
    Ok(Pools::Postgres(pool))
}

async fn sqlite(config: &DatabaseConfig) -> Result<Pools, Error> {
    let lock_timeout = Duration::from_millis(config.lock_timeout_ms);
    let options = SqliteConnectOptions::from_str(config.url.reveal())?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(lock_timeout)
        .statement_cache_capacity(config.statement_cache_capacity);
    let pool = || SqlitePoolOptions::new().test_before_acquire(false).max_lifetime(None).idle_timeout(None);
    let write = pool()
        .max_connections(1)
        .min_connections(1)
        .acquire_timeout(lock_timeout)
        .connect_with(options.clone())
        .await?;
    let read = pool()
        .max_connections(config.max_connections)
        .acquire_timeout(Duration::from_millis(config.acquire_timeout_ms))
        .connect_with(options.pragma("query_only", "ON"))
        .await?;
    Ok(Pools::Sqlite { read, write })
}

/// Why a database cannot be opened: what, where, and what to do.
pub(super) fn refusal(config: &DatabaseConfig, setting: &str, error: &Error) -> ConfigError {
    ConfigError::new(format!("{setting} = {:?}: {}", config.url, advice(config, error)))
}

fn advice(config: &DatabaseConfig, error: &Error) -> String {
    match error {
        Error::Configuration(why) => format!("is not an address that can be used: {why}"),
        Error::Database(refused) => of_code(&refused.code().unwrap_or_default(), refused.message()),
        Error::Io(why) => match why.kind() {
            ErrorKind::NotFound => {
                "the socket, or a file that the address names (sslrootcert, sslcert, sslkey), is not there".into()
            }
            _ => format!("cannot be reached: {why}"),
        },
        Error::Tls(why) if why.to_string().contains("does not support TLS") => {
            "the address asks for TLS (sslmode) and the server offers none: switch it on there, or write sslmode=disable"
                .into()
        }
        Error::Tls(why) => {
            format!("no TLS with the server: {}; sslrootcert names the roots to trust", chain(why.as_ref()))
        }
        Error::PoolTimedOut if config.url.reveal().starts_with("sqlite:") => of_code("5", ""),
        // Of a server that refuses, is starting or has no connection left, which the pool has tried again until now.
        Error::PoolTimedOut => format!(
            "gives no connection within {} ms (database.acquire_timeout_ms): is PostgreSQL running there, the way to it \
             open, and a connection left (max_connections)?",
            config.acquire_timeout_ms
        ),
        other => chain(other),
    }
}

/// Of what the database says, by PostgreSQL's five characters or SQLite's result code.
fn of_code(code: &str, message: &str) -> String {
    let sqlite = if code.len() < 5 { code.parse().unwrap_or(0) & 0xff } else { 0 };
    match (code, sqlite) {
        ("3D000", _) => {
            "the server has no database of this name: create it (createdb), or name another".into()
        }
        ("28P01", _) => "the server refuses this user and password".into(),
        ("28000", _) => format!("the server refuses this user: {message}"),
        (_, 14) => "cannot be opened or made: is its folder there, and may this user write in it?".into(),
        (_, 8) => "may not be written by this user".into(),
        (_, 26) => "is a file, but not a database of SQLite: name another".into(),
        (_, 11) => "is damaged: restore it from a copy".into(),
        (_, 5 | 6) => "is in use by another process: SQLite is for one".into(),
        (_, 13) => "the disk is full".into(),
        _ => message.to_owned(),
    }
}
