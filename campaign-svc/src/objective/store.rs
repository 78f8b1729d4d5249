//! Rows of objectives, and which campaigns name one.

use jiff::Timestamp;
use tandem_kernel::money::{Currency, Money};
use tandem_kernel::period::{Window, Zone};
use tandem_platform::db::{Instant, Session, Statement};
use tandem_platform::resource::{Cell, Table};
use tandem_platform::{Fault, Outcome, Tenant, columns, on_engine};

use super::Objective;

/// Where they are.
pub static OBJECTIVES: Table<Objective> = Table::new(
    "objective",
    columns![Objective;
        "id" => plain(id),
        "display_name" => plain(definition.display_name),
        "description" => plain(definition.description),
        "metric" => word(definition.metric),
        "target" => with(Int, target, set_target),
        "target_currency" => with(Text, currency, set_currency),
        "starts" => with(Instant, starts, set_starts),
        "ends" => with(Instant, ends, set_ends),
        "labels" => json(definition.labels),
        "state" => word(state),
        "version" => plain(version),
        "created" => plain(created),
        "updated" => plain(updated),
    ],
);

fn target(objective: &Objective) -> Outcome<Cell> {
    let definition = &objective.definition;
    Ok(Cell::Int(Some(definition.target_money.map_or(definition.target_count, |money| money.minor))))
}

fn set_target(objective: &mut Objective, cell: Cell) -> Outcome<()> {
    objective.definition.target_count = cell.int().unwrap_or_default();
    Ok(())
}

fn currency(objective: &Objective) -> Outcome<Cell> {
    let money = objective.definition.target_money;
    Ok(Cell::Text(money.map(|money| money.currency.code().to_owned())))
}

/// A target in money has a currency.
fn set_currency(objective: &mut Objective, cell: Cell) -> Outcome<()> {
    let definition = &mut objective.definition;
    if let Some(code) = cell.text() {
        let target = std::mem::take(&mut definition.target_count);
        definition.target_money = Some(Money::new(target, Currency::new(&code).map_err(unreadable)?));
    }
    Ok(())
}

fn starts(objective: &Objective) -> Outcome<Cell> {
    Ok(Cell::Instant(objective.definition.window.start()))
}

fn set_starts(objective: &mut Objective, cell: Cell) -> Outcome<()> {
    set_window(objective, cell.instant(), None)
}

fn ends(objective: &Objective) -> Outcome<Cell> {
    Ok(Cell::Instant(objective.definition.window.end()))
}

fn set_ends(objective: &mut Objective, cell: Cell) -> Outcome<()> {
    set_window(objective, objective.definition.window.start(), cell.instant())
}

fn set_window(objective: &mut Objective, start: Option<Timestamp>, end: Option<Timestamp>) -> Outcome<()> {
    objective.definition.window = Window::new(start, end, Zone::utc()).map_err(unreadable)?;
    Ok(())
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::internal("a stored objective cannot be read").caused_by(error)
}

const UNENDED: Statement = Statement::same(
    "SELECT id FROM campaign
      WHERE tenant = $1 AND objective = $2 AND NOT deleted
        AND (step = 'DRAFT' OR (step IN ('OPEN', 'PAUSED') AND ends > $3))
      ORDER BY id",
);
const CAMPAIGNS: Statement = Statement::same(
    "SELECT id FROM campaign WHERE tenant = $1 AND objective = $2 AND NOT deleted ORDER BY id",
);

/// Every statement, for the test that prepares them on both engines.
pub fn statements() -> Vec<(&'static str, Statement)> {
    let own = [("unended", UNENDED), ("campaigns", CAMPAIGNS)];
    OBJECTIVES.statements().into_iter().chain(own).collect()
}

/// Ids of the campaigns that name an objective and have not ended `now`.
pub async fn unended(
    session: &mut impl Session,
    tenant: &Tenant,
    objective: &str,
    now: Timestamp,
) -> Outcome<Vec<String>> {
    Ok(on_engine!(session, UNENDED, |sql, conn| {
        let query = sqlx::query_scalar(sql).bind(tenant.as_str()).bind(objective).bind(Instant(now));
        query.fetch_all(conn).await
    })?)
}

/// Ids of the campaigns that name an objective.
pub async fn campaigns(session: &mut impl Session, tenant: &Tenant, objective: &str) -> Outcome<Vec<String>> {
    Ok(on_engine!(session, CAMPAIGNS, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind(objective).fetch_all(conn).await
    })?)
}
