//! Who is in a segment: customers looked for by a rule in SQL.

use sqlx::FromRow;
use tandem_kernel::rule::plan::Term;
use tandem_platform::db::{Composed, Session, Statement};
use tandem_platform::resource::Whole;
use tandem_platform::{Db, Outcome, Tenant, on_engine};

use super::said::Writer;
use crate::customer::Customer;
use crate::customer::store::CUSTOMERS;
use crate::segment::Moment;

/// The id that stands so far behind another one.
const BEHIND: Statement =
    Statement::same("SELECT id FROM customer WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT 1 OFFSET $3");

/// Every statement, for the test that prepares them on both engines. Those that say rules are put together for each.
pub const STATEMENTS: &[(&str, Statement)] = &[("behind", BEHIND)];

/// Conditions on the customers of a tenant.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// For which engine.
    pub db: &'a Db,
    /// Whose.
    pub tenant: &'a Tenant,
    /// All of them must hold.
    pub said: &'a [Term],
    /// Some of them read the row of the relationship.
    pub joined: bool,
    /// Then and there.
    pub at: &'a Moment,
}

/// The customers behind one id and up to another one.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    /// They come after it.
    pub after: &'a str,
    /// The last of them; none: to the end.
    pub last: Option<&'a str>,
}

#[derive(FromRow)]
struct Counted {
    members: i64,
    customers: i64,
}

#[derive(FromRow)]
struct Id {
    id: String,
}

impl Search<'_> {
    /// The statement that counts: those of whom the conditions hold, and all.
    pub fn counting(&self) -> Composed {
        let mut out = Composed::new(self.db);
        out.sql("SELECT count(*) FILTER (WHERE ");
        Writer::new(&mut out, self.at).condition(self.said);
        out.sql(") AS members, count(*) AS customers");
        self.from(&mut out);
        out
    }

    fn from(&self, out: &mut Composed) {
        out.sql(" FROM customer AS t");
        if self.joined {
            out.sql(" LEFT JOIN relationship AS r ON r.tenant = t.tenant AND r.person = 'c/' || t.id");
        }
        out.sql(" WHERE t.tenant = ").text(self.tenant.as_str());
    }

    fn within(&self, out: &mut Composed, span: Span<'_>) {
        self.from(out);
        out.sql(" AND t.id > ").text(span.after);
        if let Some(last) = span.last {
            out.sql(" AND t.id <= ").text(last);
        }
        out.sql(" AND ");
        Writer::new(out, self.at).condition(self.said);
        out.sql(" ORDER BY t.id");
    }

    /// Counts them, and all.
    pub async fn count(&self, session: &mut impl Session) -> Outcome<(i64, i64)> {
        let counted: Vec<Counted> = self.counting().rows(session).await?;
        Ok(counted.first().map_or((0, 0), |one| (one.members, one.customers)))
    }

    /// Their ids, in order.
    pub async fn ids(&self, session: &mut impl Session, span: Span<'_>) -> Outcome<Vec<String>> {
        let mut out = Composed::new(self.db);
        out.sql("SELECT t.id AS id");
        self.within(&mut out, span);
        let ids: Vec<Id> = out.rows(session).await?;
        Ok(ids.into_iter().map(|one| one.id).collect())
    }

    /// Themselves, in the order of their ids.
    pub async fn customers(&self, session: &mut impl Session, span: Span<'_>) -> Outcome<Vec<Customer>> {
        let mut out = Composed::new(self.db);
        out.sql("SELECT ");
        CUSTOMERS.compose(&mut out, "t");
        self.within(&mut out, span);
        let customers: Vec<Whole<Customer>> = out.rows(session).await?;
        customers.into_iter().map(|one| one.0).collect()
    }
}

/// The id that ends a span of so many customers; none where fewer follow.
pub async fn behind(
    session: &mut impl Session,
    tenant: &Tenant,
    after: &str,
    count: i64,
) -> Outcome<Option<String>> {
    Ok(on_engine!(session, BEHIND, |sql, conn| {
        let query = sqlx::query_scalar(sql).bind(tenant.as_str()).bind(after).bind(count - 1);
        query.fetch_optional(conn).await
    })?)
}
