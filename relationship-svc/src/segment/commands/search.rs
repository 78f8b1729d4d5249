//! Who is in a segment now: looked for in the database, by the rule in SQL.
//!
//! Where all of a rule can be said there, one aggregate counts, and spans of many ids are streamed. Where a part cannot, the
//! rest narrows down whom is read, and the rule is judged of those, block by block: memory does not grow with customers.
//!
//! Stages are derived. Rows have them where they were told of, which is made true before it is looked; while it is gone through
//! the people of a tenant whose rules of stages have changed it cannot be, and what a rule says of stages is judged here.

use std::sync::Arc;

use tandem_kernel::rule::plan::{Kept, Plan};
use tandem_kernel::rule::{Rule, START};
use tandem_kernel::work::{Allowance, Work};
use tandem_platform::db::{Bound, Composed};
use tandem_platform::resource;
use tandem_platform::{Call, Fault, Outcome, Violations};

use super::super::asked::Needed;
use super::super::known::Known;
use super::super::store::lists;
use super::super::store::members::{self, Search, Span};
use super::super::store::sources;
use super::super::{Kind, Moment, Segment, compile, facts, steps};
use crate::customer::Customer;
use crate::{App, attribute, relationship};

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
    needed: Needed,
    plan: Plan,
    /// Where rows may say of stages what does not hold any more.
    unsettled: Plan,
}

/// By what some of it is looked for.
struct Ground<'a> {
    at: Moment,
    plan: &'a Plan,
}

impl Ground<'_> {
    fn is_said(&self) -> bool {
        self.plan.kept.is_empty()
    }
}

impl Ruled {
    /// Of this rule.
    pub async fn new(app: &App, call: &Call, rule: Rule) -> Outcome<Self> {
        let derived = |path: &str| sources::stored(path).filter(|_| path != sources::STAGE);
        let (plan, unsettled) = (rule.plan(&sources::stored), rule.plan(&derived));
        let (needed, at) = (Needed::by(&rule), super::moment(app, &call.tenant).await?);
        let mut wanted = Self { rule: Arc::new(rule), needed, plan, unsettled };
        let bounded = |plan: &Plan| {
            let length = wanted.search(app, call, plan, &at).counting().statement().len();
            let why = || format!("in SQL it would have {length} bytes");
            let all = || Plan { said: Vec::new(), kept: vec![Kept { at: START, why: why() }] };
            (length > MAX_STATEMENT).then(all)
        };
        let (plan, unsettled) = (bounded(&wanted.plan), bounded(&wanted.unsettled));
        wanted.plan = plan.unwrap_or(wanted.plan);
        wanted.unsettled = unsettled.unwrap_or(wanted.unsettled);
        Ok(wanted)
    }

    fn search<'a>(&self, app: &'a App, call: &'a Call, plan: &'a Plan, at: &'a Moment) -> Search<'a> {
        let joined = self.needed.relationship;
        Search { db: &app.db, tenant: &call.tenant, said: &plan.said, joined, at }
    }

    /// By the settings and the clock of now, and by what rows can say now.
    async fn ground(&self, app: &App, call: &Call) -> Outcome<Ground<'_>> {
        let at = super::moment(app, &call.tenant).await?;
        let open = self.needed.relationship
            && relationship::store::sweep::is_open(&mut app.db.read().await?, &call.tenant).await?;
        Ok(Ground { at, plan: if open { &self.unsettled } else { &self.plan } })
    }

    /// The same, where whatever the clock has changed of stages was told: rows have the one that was told of.
    async fn settled(&self, app: &App, call: &Call) -> Outcome<Ground<'_>> {
        if self.needed.relationship {
            relationship::commands::settle(app, &call.tenant, app.clock.now()).await?;
        }
        self.ground(app, call).await
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
    let ruled = match wanted {
        Wanted::Ruled(ruled) => ruled,
        Wanted::Listed(id) => {
            let mut reader = app.db.read().await?;
            let members = lists::count(&mut reader, &call.tenant, id).await?;
            let at = Moment::any();
            let all = Search { db: &app.db, tenant: &call.tenant, said: &[], joined: false, at: &at };
            return Ok(Count { members, customers: all.count(&mut reader).await?.1 });
        }
    };
    let ground = ruled.settled(app, call).await?;
    let mut reader = app.db.read().await?;
    let search = ruled.search(app, call, ground.plan, &ground.at);
    let search = if ground.is_said() { search } else { Search { said: &[], ..search } };
    let (members, customers) = search.count(&mut reader).await?;
    drop(reader);
    if ground.is_said() {
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
        let ground = self.settled(app, call).await?;
        let search = self.search(app, call, ground.plan, &ground.at);
        let size = if ground.is_said() { SPAN } else { BLOCK };
        // A connection for each span: whoever reads the stream slowly must not hold one.
        let mut reader = app.db.read().await?;
        let last = members::behind(&mut reader, &call.tenant, after, size).await?;
        let span = Span { after, last: last.as_deref() };
        if ground.is_said() {
            return Ok((search.ids(&mut reader, span).await?, last));
        }
        let people = search.customers(&mut reader, span).await?;
        let ids = people.iter().map(|one| one.id.clone()).collect();
        let known = Known::of(&mut reader, &call.tenant, &self.needed, ids, ground.at.now).await?;
        drop(reader);
        let at = ground.at;
        let block =
            Arc::new(Block { rule: self.rule.clone(), needed: self.needed.clone(), people, known, at });
        let found = judged(app, call, &block).await?;
        let ids = found.into_iter().filter_map(|at| block.people.get(at)).map(|one| one.id.clone());
        Ok((ids.collect(), last))
    }
}

/// A rule, and the people of whom it is judged.
struct Block {
    rule: Arc<Rule>,
    needed: Needed,
    people: Vec<Customer>,
    known: Known,
    at: Moment,
}

impl Block {
    /// Of whom the rule holds, from a place on, by their places; and how far the work went.
    fn judge(&self, from: usize, work: &mut Work) -> (Vec<usize>, usize) {
        let (mut found, mut place) = (Vec::new(), from);
        while let Some(customer) = self.people.get(place).filter(|_| !work.is_over()) {
            let facts = facts(customer, &self.known, &self.needed, &self.at);
            work.spend(steps(&self.rule, facts.fullness()));
            found.extend(self.rule.matches(&facts).then_some(place));
            place += 1;
        }
        (found, place)
    }
}

/// Of which customers of a block the rule holds, by their places. Judged apart from the threads that serve calls, slice
/// by slice, so that others who wait there get their turns.
async fn judged(app: &App, call: &Call, block: &Arc<Block>) -> Outcome<Vec<usize>> {
    let (mut members, mut from) = (Vec::new(), 0);
    while from < block.people.len() {
        call.check_deadline()?;
        let block = block.clone();
        let judge = move |gone| block.judge(from, &mut Work::new(SLICE).until(gone));
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
pub async fn explained(app: &App, call: &Call, wanted: &Wanted) -> Outcome<Explained> {
    Ok(match wanted {
        Wanted::Ruled(ruled) => {
            let ground = ruled.ground(app, call).await?;
            let counting = ruled.search(app, call, ground.plan, &ground.at).counting();
            let statement = counting.statement().to_owned();
            Explained { statement, bound: bound(&counting), kept: ground.plan.kept.clone() }
        }
        Wanted::Listed(id) => Explained {
            statement: lists::counting(app.db.is_sqlite()).to_owned(),
            bound: vec![call.tenant.to_string(), id.clone()],
            kept: Vec::new(),
        },
    })
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
