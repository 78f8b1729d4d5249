//! A rule in SQL: the terms of a plan, each said so that both engines answer as Rust does.
//!
//! A failure is NULL, AND, OR and NOT stand bare, and whoever asks closes with IS TRUE. What else SQL has of its own:
//!
//! - Texts are compared by their bytes: PostgreSQL is told so every time, and no LIKE is used.
//! - A division by zero is NULL, by NULLIF; on PostgreSQL it would end the statement, and AND has no order there.
//! - CASE takes its ELSE where the test is unknown, so both ways of a choice are named.
//! - EXISTS, and `max` of nothing, know no failure: a loop is the greatest or the least of 2, 1 and 0 for true, unknown and
//!   false. It is taken of a column of a query inside, since an aggregate of nothing but outer columns belongs outside.
//! - What stands for a value twice is named in a query inside, so that texts do not double with every level.

use tandem_kernel::rule::Reading;
use tandem_kernel::rule::plan::{Comparison, Kind, List, Place, Quantity, Sum, Term};
use tandem_platform::db::{Bound, Composed};

use super::sources::source;
use crate::segment::Moment;

/// Writes conditions into a statement over customers, whose row is called `t`.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Composed,
    at: &'a Moment,
    /// Which loops are over the keys of a map.
    over_keys: Vec<usize>,
}

impl<'a> Writer<'a> {
    /// Of what is so at this moment.
    pub fn new(out: &'a mut Composed, at: &'a Moment) -> Self {
        Self { out, at, over_keys: Vec::new() }
    }

    /// Whether all of these hold; a failure does not.
    pub fn condition(&mut self, terms: &[Term]) {
        match terms {
            [] => self.sql("TRUE"),
            terms => {
                self.among(terms, " AND ");
                self.sql(" IS TRUE");
            }
        }
    }

    fn sql(&mut self, text: &'static str) {
        self.out.sql(text);
    }

    fn pair(&mut self, postgres: &'static str, sqlite: &'static str) {
        self.out.pair(postgres, sqlite);
    }

    fn around(&mut self, before: &'static str, term: &Term, after: &'static str) {
        self.sql(before);
        self.term(term);
        self.sql(after);
    }

    /// Several with the same between them, in brackets.
    fn among(&mut self, terms: &[Term], between: &'static str) {
        self.sql("(");
        for (place, term) in terms.iter().enumerate() {
            self.sql(if place == 0 { "" } else { between });
            self.term(term);
        }
        self.sql(")");
    }

    fn two(&mut self, two: &[Term; 2], between: &'static str) {
        self.among(two, between);
    }

    fn term(&mut self, term: &Term) {
        match term {
            Term::Truth(true) => self.sql("TRUE"),
            Term::Truth(false) => self.sql("FALSE"),
            Term::Int(number) => {
                self.out.bind(Bound::Int(*number));
            }
            Term::Double(number) => {
                self.out.bind(Bound::Double(*number));
            }
            Term::Text(text) => {
                self.out.text(text);
            }
            Term::Fact(path) => self.fact(path),
            Term::Element(number) => self.element(*number),
            Term::Entry(map, key) => self.entry(map, key),
            Term::Read(reading, kept) => self.read(*reading, kept),
            Term::There(term) => self.around("(", term, " IS NOT NULL)"),
            Term::Given(these, then) => self.given(these, then),
            Term::Not(term) => self.around("(NOT ", term, ")"),
            Term::All(terms) => self.among(terms, " AND "),
            Term::Any(terms) => self.among(terms, " OR "),
            Term::If(parts) => self.choice(parts),
            Term::Compare(comparison, kind, two) => self.compare(*comparison, *kind, two),
            Term::Decimal(term) => {
                self.pair("(", "CAST(");
                self.term(term);
                self.pair(")::double precision", " AS REAL)");
            }
            Term::Negate(term) => self.around("(- ", term, ")"),
            Term::Sum(sum, two) => self.sum(*sum, two),
            Term::Joined(two) => self.two(two, " || "),
            Term::Characters(text) => {
                self.pair("char_length(", "length(");
                self.term(text);
                self.pair(")::bigint", ")");
            }
            Term::Has(place, two) => self.has(*place, two),
            Term::Digits(term) => {
                self.pair("(", "CAST(");
                self.term(term);
                self.pair(")::text", " AS TEXT)");
            }
            Term::Among(kind, one, others) => {
                self.around("(", one, "");
                self.collate(*kind);
                self.sql(" IN ");
                self.among(others, ", ");
                self.sql(")");
            }
            Term::In(text, list) => self.within(text, list),
            Term::Length(list) => self.length(list),
            Term::Loop(quantity, list, number, test) => self.over(*quantity, list, *number, test),
        }
    }

    fn collate(&mut self, kind: Kind) {
        if kind == Kind::Text {
            self.pair(" COLLATE \"C\"", "");
        }
    }

    fn fact(&mut self, path: &str) {
        match source(path) {
            Some(source) => source.write(self.out, self.at),
            // No plan has it.
            None => self.sql("NULL"),
        }
    }

    fn element(&mut self, number: usize) {
        self.out.numbered("e", number);
        let keys = self.over_keys.contains(&number);
        self.pair(".v", if keys { ".key" } else { ".value" });
    }

    fn entry(&mut self, map: &str, key: &Term) {
        if !self.out.is_sqlite() {
            self.sql("(");
            self.fact(map);
            self.around(" ->> ", key, ")");
            return;
        }
        match key {
            Term::Text(key) if !key.contains(['"', '\\']) => {
                self.sql("(");
                self.fact(map);
                self.sql(" ->> ");
                self.out.text(&format!("$.\"{key}\""));
                self.sql(")");
            }
            key => {
                self.sql("(SELECT m.value FROM json_each(");
                self.fact(map);
                self.around(") AS m WHERE m.key = ", key, ")");
            }
        }
    }

    /// A kept text `r.v` as it is read; the same texts are read by Rust.
    fn read(&mut self, reading: Reading, kept: &Term) {
        match reading {
            Reading::Truth => {
                self.around("(CASE ", kept, " WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END)");
                return;
            }
            Reading::Number => self.pair(
                "(SELECT CASE WHEN r.v ~ '^-?[0-9]+([.][0-9]+)?$' AND length(translate(r.v, '-.', '')) <= 15
                    THEN r.v::double precision END FROM (SELECT ",
                "(SELECT CASE WHEN b.v GLOB '[0-9]*' AND b.v NOT GLOB '*[^0-9.]*' AND b.v NOT GLOB '*.*.*'
                    AND b.v NOT GLOB '*.' AND length(replace(b.v, '.', '')) <= 15 THEN CAST(b.w AS REAL) END
                    FROM (SELECT r.v AS w, substr(r.v, 1 + (substr(r.v, 1, 1) = '-')) AS v FROM (SELECT ",
            ),
            Reading::Date => self.pair(
                "(SELECT CASE WHEN r.v ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' THEN r.v END FROM (SELECT ",
                "(SELECT CASE WHEN r.v GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' THEN r.v END
                    FROM (SELECT ",
            ),
            Reading::Text | Reading::Texts => return self.term(kept),
        }
        self.term(kept);
        self.pair(
            " AS v OFFSET 0) AS r)",
            if reading == Reading::Number { " AS v) AS r) AS b)" } else { " AS v) AS r)" },
        );
    }

    fn given(&mut self, these: &[Term], then: &Term) {
        for (place, one) in these.iter().enumerate() {
            self.around(if place == 0 { "(CASE WHEN " } else { " AND " }, one, " IS NOT NULL");
        }
        self.around(" THEN ", then, " END)");
    }

    fn choice(&mut self, [test, yes, no]: &[Term; 3]) {
        self.around("(CASE ", test, " WHEN TRUE THEN ");
        self.around("", yes, " WHEN FALSE THEN ");
        self.around("", no, " END)");
    }

    fn compare(&mut self, comparison: Comparison, kind: Kind, two: &[Term; 2]) {
        if self.compared_by_instant(comparison, two) {
            return;
        }
        let [one, other] = two;
        self.around("(", one, "");
        self.collate(kind);
        self.sql(match comparison {
            Comparison::Equal => " = ",
            Comparison::Different => " <> ",
            Comparison::Less => " < ",
            Comparison::AtMost => " <= ",
            Comparison::More => " > ",
            Comparison::AtLeast => " >= ",
        });
        self.around("", other, ")");
    }

    /// Days since an instant, compared with a number that is written out, are that instant compared with another one.
    fn compared_by_instant(&mut self, comparison: Comparison, two: &[Term; 2]) -> bool {
        let [Term::Fact(path), Term::Int(days)] = two else { return false };
        let Some(since) = source(path).and_then(|source| source.since) else { return false };
        let (at_least, days) = match comparison {
            Comparison::AtLeast => (true, Some(*days)),
            Comparison::More => (true, days.checked_add(1)),
            Comparison::Less => (false, Some(*days)),
            Comparison::AtMost => (false, days.checked_add(1)),
            Comparison::Equal | Comparison::Different => return false,
        };
        // So many days or more: what is cut to whole seconds lies not behind this second.
        let last = days
            .and_then(|days| days.checked_mul(86_400))
            .and_then(|seconds| self.at.now.as_second().checked_sub(seconds));
        let bound = last.and_then(|last| {
            let bound = if last >= 0 { last.checked_add(1)? } else { last };
            Some((last >= 0, jiff::Timestamp::from_second(bound).ok()?))
        });
        let Some((is_before, bound)) = bound else { return false };
        self.sql("(");
        self.sql(since);
        self.sql(match (at_least, is_before) {
            (true, true) => " < ",
            (true, false) => " <= ",
            (false, true) => " >= ",
            (false, false) => " > ",
        });
        self.out.bind(Bound::Instant(bound));
        self.sql(")");
        true
    }

    fn sum(&mut self, sum: Sum, two: &[Term; 2]) {
        let [one, other] = two;
        self.around("(", one, "");
        self.sql(match sum {
            Sum::Plus => " + ",
            Sum::Minus => " - ",
            Sum::Times => " * ",
            Sum::Over => " / NULLIF(",
            Sum::Rest => " % NULLIF(",
        });
        self.around("", other, if matches!(sum, Sum::Over | Sum::Rest) { ", 0))" } else { ")" });
    }

    fn has(&mut self, place: Place, [text, part]: &[Term; 2]) {
        match (place, self.out.is_sqlite()) {
            (Place::Within, false) => self.sql("(SELECT strpos(r.a COLLATE \"C\", r.b) > 0 FROM (SELECT "),
            (Place::First, false) => self.sql("(SELECT starts_with(r.a COLLATE \"C\", r.b) FROM (SELECT "),
            (Place::Last, false) => {
                self.sql("(SELECT right(r.a, char_length(r.b)) COLLATE \"C\" = r.b FROM (SELECT ");
            }
            (Place::Within, true) => self.sql("(SELECT instr(r.a, r.b) > 0 FROM (SELECT "),
            (Place::First, true) => self.sql("(SELECT substr(r.a, 1, length(r.b)) = r.b FROM (SELECT "),
            (Place::Last, true) => self.sql(
                "(SELECT length(r.b) <= length(r.a) AND substr(r.a, length(r.a) - length(r.b) + 1) = r.b FROM (SELECT ",
            ),
        }
        self.around("", text, " AS a, ");
        self.around("", part, " AS b) AS r)");
    }

    fn within(&mut self, text: &Term, list: &List) {
        match list {
            List::Fact(path) if !self.out.is_sqlite() => {
                self.sql("jsonb_exists(");
                self.fact(path);
                self.around(", ", text, ")");
            }
            List::Fact(path) => {
                self.sql("(SELECT CASE WHEN r.x IS NOT NULL THEN EXISTS (SELECT 1 FROM json_each(");
                self.fact(path);
                self.around(") AS m WHERE m.value = r.x) END FROM (SELECT ", text, " AS x) AS r)");
            }
            // A plan asks a map for the entry.
            List::Keys(map) => {
                self.around("(", &Term::Entry(map.clone(), Box::new(text.clone())), " IS NOT NULL)")
            }
            List::Lines(lines) => {
                self.pair(
                    "(SELECT r.v COLLATE \"C\" <> '' AND strpos(r.x COLLATE \"C\", chr(10)) = 0
                        AND strpos((chr(10) || r.v || chr(10)) COLLATE \"C\", chr(10) || r.x || chr(10)) > 0
                       FROM (SELECT ",
                    "(SELECT r.v <> '' AND instr(r.x, char(10)) = 0
                        AND instr(char(10) || r.v || char(10), char(10) || r.x || char(10)) > 0
                       FROM (SELECT ",
                );
                self.around("", lines, " AS v, ");
                self.around("", text, " AS x) AS r WHERE r.v IS NOT NULL AND r.x IS NOT NULL)");
            }
        }
    }

    fn length(&mut self, list: &List) {
        match list {
            List::Fact(path) => {
                self.pair("jsonb_array_length(", "json_array_length(");
                self.fact(path);
                self.pair(")::bigint", ")");
            }
            List::Keys(map) => {
                self.pair("(SELECT count(*) FROM jsonb_object_keys(", "(SELECT count(*) FROM json_each(");
                self.fact(map);
                self.sql("))");
            }
            List::Lines(lines) => {
                self.pair(
                    "(SELECT CASE r.v COLLATE \"C\" WHEN '' THEN 0
                        ELSE char_length(r.v) - char_length(replace(r.v, chr(10), '')) + 1 END::bigint FROM (SELECT ",
                    "(SELECT CASE r.v WHEN '' THEN 0
                        ELSE length(r.v) - length(replace(r.v, char(10), '')) + 1 END FROM (SELECT ",
                );
                self.around("", lines, " AS v) AS r)");
            }
        }
    }

    fn over(&mut self, quantity: Quantity, list: &List, number: usize, test: &Term) {
        self.sql(match quantity {
            Quantity::Some => {
                "(SELECT CASE COALESCE(max(w.p), 0) WHEN 2 THEN TRUE WHEN 0 THEN FALSE END FROM "
            }
            Quantity::Every => {
                "(SELECT CASE COALESCE(min(w.p), 2) WHEN 2 THEN TRUE WHEN 0 THEN FALSE END FROM "
            }
            Quantity::One => {
                "(SELECT CASE COALESCE(sum(w.p % 2), 0) WHEN 0 THEN COALESCE(sum(w.p), 0) = 2 END FROM "
            }
            Quantity::Count => {
                "(SELECT CASE COALESCE(sum(w.p % 2), 0) WHEN 0 THEN COALESCE(sum(w.p), 0) / 2 END FROM "
            }
        });
        if matches!(list, List::Keys(_)) {
            self.over_keys.push(number);
        }
        self.around("(SELECT COALESCE((", test, "");
        self.pair(")::int * 2, 1) AS p FROM ", ") * 2, 1) AS p FROM ");
        match list {
            List::Keys(map) => {
                self.pair("jsonb_object_keys(", "json_each(");
                self.fact(map);
            }
            List::Fact(path) => {
                self.pair("jsonb_array_elements_text(", "json_each(");
                self.fact(path);
            }
            // No plan loops over them.
            List::Lines(lines) => self.term(lines),
        }
        self.sql(") AS ");
        self.out.numbered("e", number);
        self.pair("(v)) AS w)", ") AS w)");
        self.over_keys.retain(|one| *one != number);
    }
}
