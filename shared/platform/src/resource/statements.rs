//! The standard statements of a table, as texts.
//!
//! On PostgreSQL what takes many keys probes the primary key once per key, whatever the planner knows of the table; on
//! SQLite CROSS JOIN fixes the same order.

use super::column::{Col, Shape};
use crate::db::Statement;

/// Made once per table and process.
#[derive(Debug)]
pub(super) struct Statements {
    pub find: Statement,
    pub lock: Statement,
    pub lock_any: Statement,
    pub share: Statement,
    pub lock_many: Statement,
    pub by_name: Statement,
    pub by_name_descending: Statement,
    pub by_time: Statement,
    pub by_time_descending: Statement,
    pub insert: Statement,
    pub save: Statement,
}

impl Statements {
    pub fn of<T>(shape: &Shape, columns: &[Col<T>]) -> Self {
        let seen = shape.seen;
        let read = |rest: &str, lock: &str| {
            let plain = select(shape, columns, rest);
            Statement::made(format!("{plain}{lock}"), plain)
        };
        let lock = format!(" {}", shape.lock);
        let one = format!("AND t.id = $2{seen}");
        Self {
            find: read(&one, ""),
            lock: read(&one, &lock),
            lock_any: read("AND t.id = $2", &lock),
            share: read("AND t.id = $2", " FOR SHARE"),
            lock_many: lock_many(shape, columns),
            by_name: read(&format!("AND t.id > $2{seen} ORDER BY t.id LIMIT $3"), ""),
            by_name_descending: read(&format!("AND t.id < $2{seen} ORDER BY t.id DESC LIMIT $3"), ""),
            by_time: read(
                &format!("AND (t.created, t.id) > ($2, $3){seen} ORDER BY t.created, t.id LIMIT $4"),
                "",
            ),
            by_time_descending: read(
                &format!(
                    "AND (t.created, t.id) < ($2, $3){seen} ORDER BY t.created DESC, t.id DESC LIMIT $4"
                ),
                "",
            ),
            insert: write(shape, columns, "ON CONFLICT DO NOTHING"),
            save: write(shape, columns, &next_version(shape, columns)),
        }
    }

    pub fn all(&self) -> Vec<(&'static str, Statement)> {
        vec![
            ("find", self.find),
            ("lock", self.lock),
            ("lock_any", self.lock_any),
            ("share", self.share),
            ("lock_many", self.lock_many),
            ("by_name", self.by_name),
            ("by_name_descending", self.by_name_descending),
            ("by_time", self.by_time),
            ("by_time_descending", self.by_time_descending),
            ("insert", self.insert),
            ("save", self.save),
        ]
    }
}

/// The names of all columns, each behind `alias`.
pub(super) fn listed<T>(columns: &[Col<T>], alias: &str) -> String {
    let listed: Vec<String> = columns.iter().map(|column| format!("{alias}.{}", column.name)).collect();
    listed.join(", ")
}

/// `SELECT` of all columns of the rows of one tenant for which `rest` says more; the table is called `t`.
pub(super) fn select<T>(shape: &Shape, columns: &[Col<T>], rest: &str) -> String {
    format!("SELECT {} FROM {} AS t WHERE t.tenant = $1 {rest}", listed(columns, "t"), shape.name)
}

fn lock_many<T>(shape: &Shape, columns: &[Col<T>]) -> Statement {
    let probe = select(shape, columns, &format!("AND t.id = wanted.id {}", shape.lock));
    let (listed, name) = (listed(columns, "t"), shape.name);
    Statement::made(
        format!("SELECT t.* FROM UNNEST($2::text[]) AS wanted (id) CROSS JOIN LATERAL ({probe}) AS t"),
        format!(
            "SELECT {listed} FROM json_each($2) AS wanted
              CROSS JOIN {name} AS t ON t.tenant = $1 AND t.id = wanted.value->>0 ORDER BY t.id"
        ),
    )
}

fn write<T>(shape: &Shape, columns: &[Col<T>], conflict: &str) -> Statement {
    let (stamped, stamp, first) = match shape.stamp {
        Some(stamp) => (format!("{stamp}, "), "$2, ", 3),
        None => (String::new(), "", 2),
    };
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let into = format!("INSERT INTO {} AS t (tenant, {stamped}{})", shape.name, names.join(", "));
    let array = |(at, column): (usize, &Col<T>)| format!("${}::{}", first + at, column.kind.array());
    let arrays: Vec<String> = columns.iter().enumerate().map(array).collect();
    let values: Vec<String> = (0..columns.len()).map(|at| format!("value->>{at}")).collect();
    Statement::made(
        format!("{into} SELECT $1, {stamp}* FROM UNNEST({}) {conflict}", arrays.join(", ")),
        format!(
            "{into} SELECT $1, {stamp}{} FROM json_each(${first}) WHERE true {conflict}",
            values.join(", ")
        ),
    )
}

/// The next version replaces the one before it.
fn next_version<T>(shape: &Shape, columns: &[Col<T>]) -> String {
    let names = columns.iter().map(|column| column.name).filter(|name| *name != "id");
    let sets: Vec<String> =
        names.chain(shape.stamp).map(|name| format!("{name} = excluded.{name}")).collect();
    format!(
        "ON CONFLICT (tenant, id) DO UPDATE SET {}{} WHERE t.version = excluded.version - 1",
        sets.join(", "),
        shape.on_save
    )
}
