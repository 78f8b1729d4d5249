//! What the code of an error proves of the transaction in which it came.

/// Serialisation failure or deadlock (PostgreSQL), or a database that stayed busy (SQLite): rolled back for certain.
pub(super) fn is_contention(error: &sqlx::Error) -> bool {
    let Some(code) = error.as_database_error().and_then(|database| database.code()) else { return false };
    match code.as_ref() {
        "40001" | "40P01" => true,
        // PostgreSQL gives five characters. SQLite gives its extended result code in decimal, whose low byte is the
        // primary code: 5 is BUSY, 6 is LOCKED.
        sqlite if sqlite.len() < 5 => sqlite.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6)),
        _ => false,
    }
}

/// Whether an error that answers a COMMIT proves that nothing was stored.
pub(super) fn is_known_rollback(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|database| rolls_back(&database.code().unwrap_or_default()))
}

/// Lost connections (08), an unknown statement completion (40003) and a server going down (57P0x) prove nothing. Of
/// SQLite's, a constraint (19) and a full disk (13) do: the record that ends a transaction did not fit. An error of the
/// disk (10) does not: that record may be in the log already, and count after a crash.
pub(super) fn rolls_back(code: &str) -> bool {
    match code.len() {
        ..5 => code.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 13 | 19)),
        _ => !(code.starts_with("08") || code == "40003" || code.starts_with("57P0")),
    }
}
