//! Orders of people who were erased.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tandem_kernel::limits;
use tandem_platform::{Outcome, Tenant, Tx};

use super::super::Person;
use super::super::decide::{Begin, Command};
use crate::{App, erased};

/// Under which subject, beside their own, limits per customer are judged.
pub(super) type Beside = HashMap<Arc<str>, Arc<str>>;

/// Has what was quoted for somebody before this service heard of their erasure be the pseudonym's; what was quoted afterwards is
/// of who comes back. Answers under which other subject each of them counts: the one or the other, while the erasure is going on
/// both. One statement where customers order, none where they do not.
pub(super) async fn hide(
    app: &App,
    tx: &mut Tx,
    tenant: &Tenant,
    commands: &mut [Command],
) -> Outcome<Beside> {
    let customers: BTreeSet<String> = commands.iter().filter_map(customer).cloned().collect();
    let asked = customers.iter().map(|customer| (tenant, customer.as_str())).collect();
    let found = erased::among(&app.known, tx, asked).await?;
    let mut beside = Beside::new();
    for ((_, customer), known) in &found {
        let subjects = [*customer, known.pseudonym.as_str()].map(|id| limits::subject(Some(id), None));
        if let [Some(own), Some(hidden)] = subjects {
            beside.extend([(own.clone(), hidden.clone()), (hidden, own)]);
        }
    }
    for begin in commands.iter_mut().filter_map(begun).filter(|_| !found.is_empty()) {
        let known =
            begin.person.customer.as_deref().and_then(|customer| found.get(&(tenant, customer)).cloned());
        if let Some(known) = known.filter(|known| known.has(begin.sold.issued)) {
            begin.person = Person { customer: Some(known.pseudonym), guest: None };
        }
    }
    Ok(beside)
}

fn customer(command: &Command) -> Option<&String> {
    match command {
        Command::Begin(begin) => begin.person.customer.as_ref(),
        _ => None,
    }
}

fn begun(command: &mut Command) -> Option<&mut Begin> {
    match command {
        Command::Begin(begin) => Some(begin),
        _ => None,
    }
}
