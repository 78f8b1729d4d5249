//! What can be done with segments.

use std::sync::Arc;

use tandem_kernel::id;
use tandem_kernel::rule::Rule;
use tandem_kernel::work::{Allowance, Stop, Work};
use tandem_platform::heavy::Gone;
use tandem_platform::resource::{self, Change, New, Resource, Touch};
use tandem_platform::service::{Asked, Core};
use tandem_platform::{Call, Fault, Outcome, Tenant, once};
use tandem_proto::relationship::v1::ErrorReason;

use super::catalogue::Customers;
use super::{AT_ONCE, CUSTOMER, Definition, Segment, events, facts, name, steps, store};
use crate::customer::Customer;
use crate::{App, customer};

/// Customers judged at once where all of them are.
const BLOCK: usize = 1_000;
/// The work of judging customers before others get their turn: with one rule, which takes no more, some 45 ms at most.
const SLICE: Allowance = Allowance { search: 0, total: 2_500_000 };
/// Incentives that a refusal to delete names.
const NAMED: i64 = 10;

/// Creates a segment.
pub async fn create(core: Core, asked: Asked<New<Definition>>) -> Outcome<Segment> {
    once!(core, asked, |unit, new| {
        let segment = Segment::new(new.id.clone(), new.given.clone(), unit.now());
        unit.write(store::raise());
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
        unit.write(store::raise());
        unit.save(segment.revised(definition, unit.now()), events::updated)
    })
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

/// The rule of a segment that exists.
pub async fn rule(app: &App, call: &Call, id: &str) -> Outcome<Rule> {
    let segment: Segment = resource::find(app, call, id).await?;
    super::compile(&segment.definition.rule)
        .map_err(|error| Fault::internal("a stored rule does not compile").caused_by(error))
}

/// How many customers there are, and of how many the rule holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Of them the rule holds.
    pub members: i64,
    /// All.
    pub customers: i64,
}

/// Counts the customers of whom the rule holds now.
pub async fn count(app: &App, call: &Call, rule: Rule) -> Outcome<Count> {
    let (mut count, rule) = (Count::default(), Arc::new(rule));
    let mut after = String::new();
    loop {
        let block = Arc::new(customers_after(app, call, &after).await?);
        let members = members_of(app, call, &rule, &block).await?;
        count.members += i64::try_from(members.len()).unwrap_or(i64::MAX);
        count.customers += i64::try_from(block.len()).unwrap_or(i64::MAX);
        match next(&block) {
            Some(last) => after = last,
            None => return Ok(count),
        }
    }
}

/// Some members of a segment, and the id behind which the others are; `None` where there are none.
pub async fn members(
    app: &App,
    call: &Call,
    rule: &Arc<Rule>,
    after: &str,
) -> Outcome<(Vec<String>, Option<String>)> {
    let block = Arc::new(customers_after(app, call, after).await?);
    let members = members_of(app, call, rule, &block).await?;
    Ok((members.into_iter().filter_map(|at| block.get(at)).map(Customer::name).collect(), next(&block)))
}

/// Of which customers of a block the rule holds, by their places. Judged apart from the threads that serve calls, slice
/// by slice, so that others who wait there get their turns.
async fn members_of(
    app: &App,
    call: &Call,
    rule: &Arc<Rule>,
    block: &Arc<Vec<Customer>>,
) -> Outcome<Vec<usize>> {
    let settings = app.tenancy.of(app, &call.tenant).await?;
    let (mut members, mut from) = (Vec::new(), 0);
    while from < block.len() {
        call.check_deadline()?;
        let (rule, block, settings, now) = (rule.clone(), block.clone(), settings.clone(), app.clock.now());
        let judge = move |gone| {
            let mut work = Work::new(SLICE).until(gone);
            let (mut found, mut at) = (Vec::new(), from);
            while let Some(customer) = block.get(at).filter(|_| !work.is_over()) {
                let facts = facts(customer, now, settings.zone.rules());
                work.spend(steps(&rule, facts.fullness()));
                found.extend(rule.matches(&facts).then_some(at));
                at += 1;
            }
            (found, at)
        };
        let (found, next) = app.heavy.run(judge).await?;
        members.extend(found);
        from = next;
    }
    Ok(members)
}

/// A block is read with a connection of its own: whoever reads the stream slowly must not hold one.
async fn customers_after(app: &App, call: &Call, after: &str) -> Outcome<Vec<Customer>> {
    let mut reader = app.db.read().await?;
    customer::store::after(&mut reader, &call.tenant, after, BLOCK).await
}

/// The last id of a full block.
fn next(block: &[Customer]) -> Option<String> {
    let full = block.len() == BLOCK;
    block.last().filter(|_| full).map(|last| last.id.clone())
}

/// The ids of those of the `asked` segments that a customer is in; of all, where none are asked for.
pub async fn membership(
    app: &App,
    call: &Call,
    customer: String,
    asked: Vec<String>,
) -> Outcome<Vec<String>> {
    let mut reader = app.db.read().await?;
    let found = app.catalogues.customers(&mut reader, &call.tenant, vec![customer.clone()]).await?;
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
    let (settings, now) = (app.tenancy.of(app, tenant).await?, app.clock.now());
    let judge = move |gone| {
        let mut work = Work::new(CUSTOMER).until(gone);
        let members: Vec<String> =
            match (found.facts(&customer, now, settings.zone.rules()), asked.as_slice()) {
                (None, _) => Vec::new(),
                (Some(facts), []) => {
                    found.catalogue.all_of(&facts, &mut work).into_iter().map(str::to_owned).collect()
                }
                (Some(facts), asked) => {
                    let is_in = |id: &&String| found.catalogue.has_member(id, &facts, &mut work);
                    asked.iter().filter(is_in).cloned().collect()
                }
            };
        work.end().map(|()| members)
    };
    let judged = if work <= AT_ONCE { judge(Gone::default()) } else { app.heavy.run(judge).await? };
    judged.map_err(refused)
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
