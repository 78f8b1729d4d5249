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
        let text = Text::of(shape, columns);
        let seen = text.seen;
        Self {
            find: text.same(&format!("AND t.id = $2{seen}")),
            lock: text.locked(&format!("AND t.id = $2{seen}"), shape.lock),
            lock_any: text.locked("AND t.id = $2", shape.lock),
            share: text.locked("AND t.id = $2", "FOR SHARE"),
            lock_many: text.many(shape.lock),
            by_name: text.same(&format!("AND t.id > $2{seen} ORDER BY t.id LIMIT $3")),
            by_name_descending: text.same(&format!("AND t.id < $2{seen} ORDER BY t.id DESC LIMIT $3")),
            by_time: text
                .same(&format!("AND (t.created, t.id) > ($2, $3){seen} ORDER BY t.created, t.id LIMIT $4")),
            by_time_descending: text.same(&format!(
                "AND (t.created, t.id) < ($2, $3){seen} ORDER BY t.created DESC, t.id DESC LIMIT $4"
            )),
            insert: text.write("ON CONFLICT DO NOTHING"),
            save: text.write(&text.next_version(shape)),
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

/// `SELECT` of all columns of the rows of one tenant for which `rest` says more; the table is called `t`.
pub(super) fn select<T>(shape: &Shape, columns: &[Col<T>], rest: &str) -> String {
    let listed: Vec<String> = columns.iter().map(|column| format!("t.{}", column.name)).collect();
    format!("SELECT {} FROM {} AS t WHERE t.tenant = $1 {rest}", listed.join(", "), shape.name)
}

struct Text<'a> {
    name: &'static str,
    /// What a caller sees of the table.
    seen: &'static str,
    stamp: Option<&'static str>,
    names: Vec<&'static str>,
    arrays: Vec<&'static str>,
    select: Box<dyn Fn(&str) -> String + 'a>,
}

impl<'a> Text<'a> {
    fn of<T>(shape: &'a Shape, columns: &'a [Col<T>]) -> Self {
        Self {
            name: shape.name,
            seen: shape.seen,
            stamp: shape.stamp,
            names: columns.iter().map(|column| column.name).collect(),
            arrays: columns.iter().map(|column| column.kind.array()).collect(),
            select: Box::new(move |rest| select(shape, columns, rest)),
        }
    }

    fn same(&self, rest: &str) -> Statement {
        Statement::made((self.select)(rest), (self.select)(rest))
    }

    fn locked(&self, rest: &str, lock: &str) -> Statement {
        let plain = (self.select)(rest);
        Statement::made(format!("{plain} {lock}"), plain)
    }

    fn many(&self, lock: &str) -> Statement {
        let probe = (self.select)(&format!("AND t.id = wanted.id {lock}"));
        let listed: Vec<String> = self.names.iter().map(|name| format!("t.{name}")).collect();
        let (listed, name) = (listed.join(", "), self.name);
        Statement::made(
            format!("SELECT t.* FROM UNNEST($2::text[]) AS wanted (id) CROSS JOIN LATERAL ({probe}) AS t"),
            format!(
                "SELECT {listed} FROM json_each($2) AS wanted
                  CROSS JOIN {name} AS t ON t.tenant = $1 AND t.id = wanted.value->>0 ORDER BY t.id"
            ),
        )
    }

    fn write(&self, conflict: &str) -> Statement {
        let (name, columns) = (self.name, self.names.join(", "));
        let (stamped, stamp, first) = match self.stamp {
            Some(stamp) => (format!("{stamp}, "), "$2, ", 3),
            None => (String::new(), "", 2),
        };
        let into = format!("INSERT INTO {name} AS t (tenant, {stamped}{columns})");
        let arrays: Vec<String> =
            self.arrays.iter().enumerate().map(|(at, array)| format!("${}::{array}", first + at)).collect();
        let values: Vec<String> = (0..self.names.len()).map(|at| format!("value->>{at}")).collect();
        Statement::made(
            format!("{into} SELECT $1, {stamp}* FROM UNNEST({}) {conflict}", arrays.join(", ")),
            format!(
                "{into} SELECT $1, {stamp}{} FROM json_each(${first}) WHERE true {conflict}",
                values.join(", ")
            ),
        )
    }

    /// The next version replaces the one before it.
    fn next_version(&self, shape: &Shape) -> String {
        let written = self.names.iter().copied().filter(|name| *name != "id").chain(self.stamp);
        let sets: Vec<String> = written.map(|name| format!("{name} = excluded.{name}")).collect();
        let also = shape.on_save;
        format!(
            "ON CONFLICT (tenant, id) DO UPDATE SET {}{also} WHERE t.version = excluded.version - 1",
            sets.join(", ")
        )
    }
}
