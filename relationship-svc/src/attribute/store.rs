//! What is declared of attributes, in the database.

use std::sync::LazyLock;

use tandem_platform::db::{Session, Statement, Write};
use tandem_platform::resource::Table;
use tandem_platform::{Outcome, Tenant, columns, on_engine};

use super::{Attribute, Declared};

/// Where they are.
pub static ATTRIBUTES: Table<Attribute> = Table::new(
    "attribute",
    columns![Attribute;
        "id" => plain(id),
        "version" => plain(version),
        "display_name" => plain(definition.display_name),
        "description" => plain(definition.description),
        "value_type" => word(definition.reading),
        "personal" => plain(definition.personal),
        "created" => plain(created),
        "updated" => plain(updated),
    ],
);

const DELETE: Statement = Statement::same("DELETE FROM attribute WHERE tenant = $1 AND id = $2");

static ALL: LazyLock<Statement> = LazyLock::new(|| ATTRIBUTES.select(""));

/// Every statement, for the test that prepares them on both engines.
pub fn statements() -> Vec<(&'static str, Statement)> {
    let own = [("delete", DELETE), ("all", *ALL)];
    ATTRIBUTES.statements().into_iter().chain(own).collect()
}

/// Takes a locked declaration back.
pub fn delete(id: &str) -> Write {
    Write::new(DELETE).text(id)
}

/// What the tenant declares.
pub async fn declared(session: &mut impl Session, tenant: &Tenant) -> Outcome<Declared> {
    let all: Vec<Attribute> = on_engine!(session, *ALL, |sql, conn| {
        let rows = sqlx::query(sql).bind(tenant.as_str()).fetch_all(conn).await;
        rows.and_then(|rows| ATTRIBUTES.all(&rows))
    })??;
    Ok(Declared(all.into_iter().map(|one| (one.id, one.definition.reading)).collect()))
}
