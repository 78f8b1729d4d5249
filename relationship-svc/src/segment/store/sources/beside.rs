//! What is kept of somebody beside the profile, in SQL: as [`crate::segment::known`] has it.

use tandem_platform::db::{Bound, Composed};

use crate::interaction::Kind;
use crate::relationship::days;
use crate::relationship::facts::NEVER;
use crate::segment::Moment;
use crate::segment::asked::Asked;

/// Whole days since the last order.
pub fn recency_days(out: &mut Composed, at: &Moment) {
    since(out, at, |out| {
        out.sql("r.last_order");
    });
}

/// Whole days since the person was seen last.
pub fn inactive_days(out: &mut Composed, at: &Moment) {
    since(out, at, |out| {
        out.sql("r.last_activity");
    });
}

/// Whole days since an instant, none where it is still to come, [`NEVER`] where there is none.
fn since(out: &mut Composed, at: &Moment, instant: impl Fn(&mut Composed)) {
    out.sql("(SELECT CASE WHEN w.at IS NULL THEN ").bind(Bound::Int(NEVER));
    out.pair(" ELSE GREATEST(0, floor(extract(epoch FROM ", " ELSE max(0, (");
    out.bind(Bound::Instant(at.now));
    out.pair(" - w.at) / 86400))::bigint END", " - w.at) / 86400000000) END");
    out.sql(" FROM (SELECT ");
    instant(out);
    out.sql(" AS at) AS w)");
}

/// What is asked for.
pub fn asked(out: &mut Composed, at: &Moment, asked: &Asked) {
    match asked {
        Asked::Count(length) => {
            out.sql("(SELECT count(*)");
            window(out, at, *length);
        }
        Asked::Amount(length, currency) => {
            let code = currency.code();
            out.sql("(SELECT COALESCE(sum(CASE WHEN o.currency = ").text(code);
            out.sql(" THEN o.amount - CASE WHEN o.told_version > 0 THEN o.returned ELSE 0 END ELSE 0 END");
            out.sql(" - CASE WHEN o.told_version > 0 THEN 0 ELSE COALESCE(");
            minor(out, "o.returned_by_hand", code);
            out.pair(", 0) END), 0)::bigint", ", 0) END), 0)");
            window(out, at, *length);
        }
        Asked::Worth(currency) => {
            out.sql("COALESCE(");
            minor(out, "r.amounts", currency.code());
            out.sql(", 0)");
        }
        Asked::Last(kind) => since(out, at, |out| last(out, at, *kind)),
        // No plan has it.
        Asked::Consent(..) => {
            out.sql("NULL");
        }
    }
}

/// What a map of currencies has of one; NULL where it has nothing.
fn minor(out: &mut Composed, map: &'static str, code: &str) {
    out.sql("(").sql(map).sql(" ->> ").text(code);
    out.pair(")::bigint", ")");
}

/// The orders of the last so many days that count.
fn window(out: &mut Composed, at: &Moment, length: u32) {
    out.sql(
        " FROM customer_order AS o WHERE o.tenant = t.tenant AND o.person = 'c/' || t.id AND NOT o.cancelled",
    );
    out.sql(" AND o.placed > ").bind(Bound::Instant(at.now - days(length)));
    out.sql(" AND o.placed <= ").bind(Bound::Instant(at.now)).sql(")");
}

fn last(out: &mut Composed, at: &Moment, kind: Kind) {
    if kind == Kind::Order {
        out.sql("(SELECT max(o.placed) FROM customer_order AS o WHERE o.tenant = t.tenant");
        out.sql(" AND o.person = 'c/' || t.id AND NOT o.cancelled AND o.placed <= ");
    } else {
        out.sql("(SELECT max(i.happened) FROM interaction AS i WHERE i.tenant = t.tenant");
        // By the person, whatever the planner knows.
        out.sql(" AND i.person = 'c/' || t.id AND i.type || '' = ").text(kind.text());
        out.sql(" AND i.happened <= ");
    }
    out.bind(Bound::Instant(at.now)).sql(")");
}
