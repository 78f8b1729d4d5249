//! Who is in a segment now: looked for in the database, by the rule in SQL.
//!
//! Where all of a rule can be said there, one aggregate counts, and spans of many ids are streamed. Where a part cannot, the
//! rest narrows down whom is read, and the rule is judged of those, block by block: memory does not grow with customers.

use std::sync::Arc;

use jiff::tz::TimeZone;
use tandem_kernel::rule::plan::{Kept, Plan};
use tandem_kernel::rule::{Rule, START};
use tandem_kernel::work::{Allowance, Work};
use tandem_platform::db::{Bound, Composed};
use tandem_platform::resource;
use tandem_platform::{Call, Fault, Outcome, Violations};

use super::super::store::lists;
use super::super::store::members::{self, Search, Span};
use super::super::store::sources::{self, Moment};
use super::super::{Kind, Needed, Segment, compile, facts, steps};
use crate::customer::Customer;
use crate::{App, attribute};

/// Customers judged at once where all of them are.
const BLOCK: i64 = 1_000;
/// Customers that one statement looks through where it answers ids alone.
const SPAN: i64 = 20_000;
/// The work of judging customers before others get their turn: with one rule, which takes no more, some 45 ms at most.
const SLICE: Allowance = Allowance { search: 0, total: 2_500_000 };
/// Past so many bytes a rule is not said in SQL: reading it there would take longer than judging.
const MAX_STATEMENT: usize = 100_000;

/// Whom is looked for.
#[derive(Debug)]
pub enum Wanted {
    /// Of whom a rule holds.
    Ruled(Ruled),
    /// Who is on the list of this segment.
    Listed(String),
}

/// A rule, in other words as far as these go.
#[derive(Debug)]
pub struct Ruled {
    rule: Arc<Rule>,
    plan: Plan,
    zone: TimeZone,
}

impl Ruled {
    /// Of this rule, in the zone of the tenant.
    pub async fn new(app: &App, call: &Call, rule: Rule) -> Outcome<Self> {
        let plan = rule.plan(&sources::stored);
        let zone = app.tenancy.of(app, &call.tenant).await?.zone.rules().clone();
        let mut wanted = Self { rule: Arc::new(rule), plan, zone };
        let at = wanted.at(app);
        let length = wanted.search(app, call, &at).counting().statement().len();
        if length > MAX_STATEMENT {
            let why = format!("in SQL it would have {length} bytes");
            wanted.plan = Plan { said: Vec::new(), kept: vec![Kept { at: START, why }] };
        }
        Ok(wanted)
    }

    fn search<'a>(&'a self, app: &'a App, call: &'a Call, at: &'a Moment) -> Search<'a> {
        Search { db: &app.db, tenant: &call.tenant, said: &self.plan.said, at }
    }

    fn at(&self, app: &App) -> Moment {
        Moment { now: app.clock.now(), zone: self.zone.clone() }
    }

    fn is_said(&self) -> bool {
        self.plan.kept.is_empty()
    }
}

/// The members of a segment that exists.
pub async fn named(app: &App, call: &Call, id: &str) -> Outcome<Wanted> {
    let Segment { id, definition, .. } = resource::find(app, call, id).await?;
    if definition.kind == Kind::List {
        return Ok(Wanted::Listed(id));
    }
    let declared = attribute::store::declared(&mut app.db.read().await?, &call.tenant).await?;
    let rule = compile(&definition.rule, &declared)
        .map_err(|error| Fault::internal("a stored rule does not compile").caused_by(error))?;
    Ok(Wanted::Ruled(Ruled::new(app, call, rule).await?))
}

/// Of whom a rule holds that is not saved.
pub async fn unsaved(app: &App, call: &Call, text: &str) -> Outcome<Wanted> {
    let declared = attribute::store::declared(&mut app.db.read().await?, &call.tenant).await?;
    let mut v = Violations::new();
    let rule = compile(text, &declared);
    if let Err(error) = &rule {
        v.add_as("RULE_INVALID", "rule", error.to_string());
    }
    v.finish()?;
    let rule = rule.map_err(|error| Fault::invalid_field("rule", error.to_string()))?;
    Ok(Wanted::Ruled(Ruled::new(app, call, rule).await?))
}

/// How many customers there are, and of how many the rule holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Of them the rule holds.
    pub members: i64,
    /// All.
    pub customers: i64,
}

/// Counts them now.
pub async fn count(app: &App, call: &Call, wanted: &Wanted) -> Outcome<Count> {
    let mut reader = app.db.read().await?;
    let ruled = match wanted {
        Wanted::Ruled(ruled) => ruled,
        Wanted::Listed(id) => {
            let members = lists::count(&mut reader, &call.tenant, id).await?;
            // Nothing that depends on them is asked.
            let at = Moment { now: app.clock.now(), zone: TimeZone::UTC };
            let all = Search { db: &app.db, tenant: &call.tenant, said: &[], at: &at };
            return Ok(Count { members, customers: all.count(&mut reader).await?.1 });
        }
    };
    let at = ruled.at(app);
    let search = ruled.search(app, call, &at);
    let search = if ruled.is_said() { search } else { Search { said: &[], ..search } };
    let (members, customers) = search.count(&mut reader).await?;
    drop(reader);
    if ruled.is_said() {
        return Ok(Count { members, customers });
    }
    let (mut members, mut after) = (0, Some(String::new()));
    while let Some(from) = after {
        let (found, next) = self::members(app, call, wanted, &from).await?;
        members += i64::try_from(found.len()).unwrap_or(i64::MAX);
        after = next;
    }
    Ok(Count { members, customers })
}

/// The ids of some members, and the id behind which the others are; `None` where there are none.
pub async fn members(
    app: &App,
    call: &Call,
    wanted: &Wanted,
    after: &str,
) -> Outcome<(Vec<String>, Option<String>)> {
    call.check_deadline()?;
    match wanted {
        Wanted::Ruled(ruled) => ruled.members(app, call, after).await,
        Wanted::Listed(id) => {
            let mut reader = app.db.read().await?;
            let found = lists::after(&mut reader, &call.tenant, id, after, SPAN).await?;
            let is_full = i64::try_from(found.len()) == Ok(SPAN);
            let last = found.last().filter(|_| is_full).cloned();
            Ok((found, last))
        }
    }
}

impl Ruled {
    async fn members(&self, app: &App, call: &Call, after: &str) -> Outcome<(Vec<String>, Option<String>)> {
        let at = self.at(app);
        let search = self.search(app, call, &at);
        let size = if self.is_said() { SPAN } else { BLOCK };
        // A connection for each span: whoever reads the stream slowly must not hold one.
        let mut reader = app.db.read().await?;
        let last = members::behind(&mut reader, &call.tenant, after, size).await?;
        let span = Span { after, last: last.as_deref() };
        if self.is_said() {
            return Ok((search.ids(&mut reader, span).await?, last));
        }
        let block = Arc::new(search.customers(&mut reader, span).await?);
        drop(reader);
        let found = judged(app, call, self, &block).await?;
        let ids = found.into_iter().filter_map(|at| block.get(at)).map(|one| one.id.clone());
        Ok((ids.collect(), last))
    }
}

/// Of which customers of a block the rule holds, by their places. Judged apart from the threads that serve calls, slice
/// by slice, so that others who wait there get their turns.
async fn judged(app: &App, call: &Call, ruled: &Ruled, block: &Arc<Vec<Customer>>) -> Outcome<Vec<usize>> {
    let (mut members, mut from) = (Vec::new(), 0);
    while from < block.len() {
        call.check_deadline()?;
        let (rule, block, at) = (ruled.rule.clone(), block.clone(), ruled.at(app));
        let needed = Needed::by(&rule);
        let judge = move |gone| {
            let mut work = Work::new(SLICE).until(gone);
            let (mut found, mut at) = (Vec::new(), from);
            while let Some(customer) = block.get(at).filter(|_| !work.is_over()) {
                let facts = facts(customer, at.now, &at.zone, needed);
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

/// How members are looked for.
#[derive(Debug)]
pub struct Explained {
    /// The statement that counts, or that narrows down whom the rule is judged of.
    pub statement: String,
    /// What is bound in it.
    pub bound: Vec<String>,
    /// What is judged in Rust, and why.
    pub kept: Vec<Kept>,
}

/// Explains it.
pub fn explained(app: &App, call: &Call, wanted: &Wanted) -> Explained {
    match wanted {
        Wanted::Ruled(ruled) => {
            let at = ruled.at(app);
            let counting = ruled.search(app, call, &at).counting();
            let statement = counting.statement().to_owned();
            Explained { statement, bound: bound(&counting), kept: ruled.plan.kept.clone() }
        }
        Wanted::Listed(id) => Explained {
            statement: lists::counting(app.db.is_sqlite()).to_owned(),
            bound: vec![call.tenant.to_string(), id.clone()],
            kept: Vec::new(),
        },
    }
}

fn bound(statement: &Composed) -> Vec<String> {
    let shown = |value: &Bound| match value {
        Bound::Int(number) => number.to_string(),
        Bound::Double(number) => number.to_string(),
        Bound::Text(text) => text.clone(),
        Bound::Instant(at) => at.to_string(),
    };
    statement.bound().iter().map(shown).collect()
}
