//! What can be done with segments.

pub mod lists;
pub mod search;
pub mod watch;

use tandem_kernel::id;
use tandem_kernel::rule::Rule;
use tandem_kernel::work::{Stop, Work};
use tandem_platform::heavy::Gone;
use tandem_platform::resource::{Change, New, Resource, Touch, Unit};
use tandem_platform::service::{Asked, Core};
use tandem_platform::{Call, Fault, Outcome, Tenant, Violations, once};
use tandem_proto::relationship::v1::ErrorReason;

use super::catalogue::Customers;
use super::{AT_ONCE, CUSTOMER, Definition, Kind, Moment, Segment, ageing, events, name, store};
use crate::{App, attribute, customer};

/// Incentives that a refusal to delete names.
const NAMED: i64 = 10;

/// Creates a segment.
pub async fn create(core: Core, asked: Asked<New<Definition>>) -> Outcome<Segment> {
    once!(core, asked, |unit, new| {
        let segment = Segment::new(new.id.clone(), new.given.clone(), unit.now());
        admit(unit, &segment.definition).await?;
        if segment.definition.watched {
            unit.write(store::watch::sweep(unit.now()));
        }
        unit.create(segment, events::created).await
    })
}

/// Changes the named fields of a segment. Where nothing differs, nothing happens.
pub async fn update(core: Core, asked: Asked<Change<Definition>>) -> Outcome<Segment> {
    once!(core, asked, |unit, change| {
        let segment: Segment = unit.lock(&change.touch).await?;
        let definition = change.of(&segment.definition);
        if definition == segment.definition {
            return Ok(segment);
        }
        admit(unit, &definition).await?;
        if is_anew(&segment.definition, &definition) {
            unit.write(store::watch::sweep(unit.now()));
        }
        unit.save(segment.revised(definition, unit.now()), events::updated)
    })
}

/// Whether the segment may be so; nobody declares anything else of attributes until the end.
async fn admit(unit: &mut Unit<'_>, definition: &Definition) -> Outcome<()> {
    let tenant = unit.tenant();
    store::raise().run(unit.tx(), tenant).await?;
    let mut v = Violations::new();
    match definition.kind {
        Kind::List => drop(v.check(definition.rule.is_empty(), "segment.rule", "must be empty for a list")),
        Kind::Rule => {
            let declared = attribute::store::declared(unit.tx(), tenant).await?;
            match super::compile(&definition.rule, &declared) {
                Err(error) => v.add_as("RULE_INVALID", "segment.rule", error.to_string()),
                Ok(rule) => watchable(&mut v, definition, &rule),
            }
        }
    }
    v.finish()
}

fn watchable(v: &mut Violations, definition: &Definition, rule: &Rule) {
    let restless = ageing::restless(rule).filter(|_| definition.watched);
    if let Some(path) = restless {
        v.add(
            "segment.watched",
            format!("a rule that reads {path} changes everybody all day and is not watched"),
        );
    }
}

/// Whether all customers are to be looked at again.
fn is_anew(before: &Definition, next: &Definition) -> bool {
    before.watched != next.watched || (next.watched && before.rule != next.rule)
}

/// Deletes a segment that no active incentive names.
pub async fn delete(core: Core, asked: Asked<Touch>) -> Outcome<()> {
    once!(core, asked, |unit, touch| {
        let tenant = unit.tenant();
        let segment: Segment = unit.lock(touch).await?;
        let naming = store::naming(unit.tx(), tenant, &touch.id, NAMED).await?;
        if !naming.is_empty() {
            return Err(in_use(&segment, &naming));
        }
        unit.write(store::delete(&touch.id));
        unit.write(store::lists::clear(&touch.id));
        if segment.definition.watched {
            unit.write(store::watch::sweep(unit.now()));
        }
        unit.write(store::raise());
        unit.tell(events::deleted(&segment));
        Ok(())
    })
}

fn in_use(segment: &Segment, naming: &[String]) -> Fault {
    let message = format!("{} is named by active incentives", segment.name());
    let refusal = Fault::precondition(ErrorReason::SegmentInUse, message).with("resource", segment.name());
    naming.iter().fold(refusal, |refusal, one| {
        refusal.violating(id::name("incentives", one), "SEGMENT_IN_USE", "names the segment")
    })
}

/// The ids of those of the `asked` segments that a customer is in; of all, where none are asked for.
pub async fn membership(
    app: &App,
    call: &Call,
    customer: String,
    asked: Vec<String>,
) -> Outcome<Vec<String>> {
    let mut reader = app.db.read().await?;
    let now = app.clock.now();
    let found = app.catalogues.customers(&mut reader, &call.tenant, vec![customer.clone()], now).await?;
    drop(reader);
    if !found.know(&customer) {
        return Err(Fault::not_found(customer::name(&customer)));
    }
    if let Some(unknown) = asked.iter().find(|id| !found.catalogue.contains(id)) {
        return Err(Fault::not_found(name(unknown)));
    }
    judged(app, &call.tenant, found, customer, asked).await
}

/// The same of customers that were read; none where the customer is not among them. Judged here where that is short, else
/// where it holds nobody up.
pub async fn judged(
    app: &App,
    tenant: &Tenant,
    found: Customers,
    customer: String,
    asked: Vec<String>,
) -> Outcome<Vec<String>> {
    let Some(fullness) = found.fullness(&customer) else { return Ok(Vec::new()) };
    let named = (!asked.is_empty()).then(|| asked.iter().map(String::as_str));
    let work = found.catalogue.steps(named, fullness);
    let at = moment(app, tenant).await?;
    let judge = move |gone| {
        let mut work = Work::new(CUSTOMER).until(gone);
        let somebody = found.somebody(&customer, &at);
        let members: Vec<String> = match (somebody, asked.as_slice()) {
            (None, _) => Vec::new(),
            (Some(somebody), []) => {
                found.catalogue.all_of(&somebody, &mut work).into_iter().map(str::to_owned).collect()
            }
            (Some(somebody), asked) => {
                let is_in = |id: &&String| found.catalogue.has_member(id, &somebody, &mut work);
                asked.iter().filter(is_in).cloned().collect()
            }
        };
        work.end().map(|()| members)
    };
    let judged = if work <= AT_ONCE { judge(Gone::default()) } else { app.heavy.run(judge).await? };
    judged.map_err(refused)
}

/// Now, for a tenant. Not inside a transaction.
async fn moment(app: &App, tenant: &Tenant) -> Outcome<Moment> {
    Ok(Moment::by(&*app.tenancy.of(app, tenant).await?, app.clock.now()))
}

/// Too costly rules of segments, or nobody who waits.
pub fn refused(stop: Stop) -> Fault {
    match stop {
        Stop::TooMuch { limit } => {
            let message = "the rules of these segments take too much work on one customer: ask for fewer";
            Fault::precondition(ErrorReason::SegmentsTooCostly, message).with("limit_steps", limit)
        }
        Stop::Gone => Fault::deadline_exceeded(),
    }
}
