//! Gives codes to customers: the same source gets the same code, whoever asks and however often.

use std::collections::{HashMap, HashSet, VecDeque};

use jiff::Timestamp;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use tandem_platform::idempotency::{self, Claim, Request};
use tandem_platform::outbox::{self, Batch as Events};
use tandem_platform::{Call, Outcome, Tx, transact};

use super::active;
use crate::customer::alias::Known;
use crate::voucher::batch::Plan;
use crate::voucher::format::Format;
use crate::voucher::{Frame, Voucher, events, formats, store};
use crate::{App, customer};

/// Who gets a code, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Id of the customer.
    pub customer: String,
    /// What it is for.
    pub source_id: String,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Id of the incentive.
    pub incentive: String,
    /// Who, and what for.
    pub assignments: Vec<Assignment>,
    /// How a code is made where none is free.
    pub format: Option<Format>,
    /// Own start and end of the assigned codes; `None` leaves them as they are.
    pub validity: Option<(Option<Timestamp>, Option<Timestamp>)>,
}

/// What became of one assignment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Assigned {
    /// This code was given now.
    Given(Voucher),
    /// This code had been given before.
    Existing(Voucher),
    /// There is no such customer.
    CustomerUnknown,
    /// No code is free, and none may be made.
    NoCodeLeft,
    /// Each customer gets one code, and this one had theirs before they were erased.
    Had(String),
}

/// Gives a code to each. One that cannot be given does not stop the others.
pub async fn assign(
    app: &App,
    call: &Call,
    request: &Request,
    wanted: &Wanted,
    random: &mut impl CryptoRng,
) -> Outcome<Vec<Assigned>> {
    if let Some(format) = &wanted.format {
        formats::announce(app, &call.tenant, Some(format)).await?;
    }
    let now = app.clock.now();
    let spare: Vec<String> = match &wanted.format {
        Some(format) => wanted.assignments.iter().map(|_| format.draw(random)).collect(),
        None => Vec::new(),
    };
    transact!(app.db, |tx| {
        if let Claim::Repeat(done) = idempotency::claim(tx, call, request, now).await? {
            return Ok(done);
        }
        let ready = active(app, tx, &call.tenant, &wanted.incentive).await?;
        let sole = ready.incentive.definition.one_code_per_customer;
        let plan = wanted.format.as_ref().map(|format| Plan {
            format: format.clone(),
            starts: None,
            ends: None,
            max_uses: ready.incentive.definition.max_uses_per_code,
            balance: None,
        });
        let mut pool = Pool::load(app, tx, call, wanted, sole, now).await?;
        if let Some(plan) = plan.filter(|_| !ready.incentive.definition.is_tender()) {
            pool.top_up(tx, call, wanted, &plan, &spare, now).await?;
        }
        let outcome = pool.give(wanted, sole, now);
        let given: Vec<Voucher> = outcome
            .iter()
            .filter_map(|assigned| match assigned {
                Assigned::Given(voucher) => Some(voucher.clone()),
                _ => None,
            })
            .collect();
        store::assignment::assign(tx, &call.tenant, &given).await?;
        let mut told = Events::new(call, app.ids.as_ref(), now);
        for voucher in &given {
            told.push(events::assigned(voucher, &Frame::of(&ready.incentive), now));
        }
        outbox::append(tx, told).await?;
        idempotency::finish(tx, &call.tenant, request, &outcome).await?;
        Ok(outcome)
    })
}

/// What the assignments of one call are decided on.
struct Pool {
    known: HashSet<String>,
    by_source: HashMap<String, Voucher>,
    by_customer: HashMap<String, Voucher>,
    /// Who counts for customers and under which other ids codes of theirs may stand still.
    names: Known,
    /// Pseudonyms by customer, where each customer gets one code.
    erased: HashMap<String, String>,
    free: VecDeque<Voucher>,
}

impl Pool {
    /// Locks the customers first, so that two calls for one customer follow each other and the second sees what the
    /// first gave.
    async fn load(
        app: &App,
        tx: &mut Tx,
        call: &Call,
        wanted: &Wanted,
        sole: bool,
        now: Timestamp,
    ) -> Outcome<Self> {
        let distinct = |of: fn(&Assignment) -> &String| {
            let mut all: Vec<String> = wanted.assignments.iter().map(of).cloned().collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let mut customers = distinct(|assignment| &assignment.customer);
        let mut known: HashSet<String> =
            customer::store::lock_ids(tx, &call.tenant, &customers).await?.into_iter().collect();
        let mut names = Known::default();
        if sole || known.len() < customers.len() {
            names = customer::store::alias::known(tx, &call.tenant, customers.clone(), Vec::new()).await?;
            let kept = customers.iter().filter(|id| !known.contains(*id)).filter_map(|id| names.customer(id));
            let mut kept: Vec<String> = kept.map(str::to_owned).collect();
            kept.sort_unstable();
            kept.dedup();
            known.extend(customer::store::lock_ids(tx, &call.tenant, &kept).await?);
            customers.extend(kept);
        }
        let sources = distinct(|assignment| &assignment.source_id);
        let tenant = &call.tenant;
        let by_source = store::assignment::of_sources(tx, tenant, &wanted.incentive, sources).await?;
        let pseudonym = |id: &String| (id.clone(), app.people.pseudonym(tenant.as_str(), id));
        let erased: HashMap<String, String> = customers.iter().filter(|_| sole).map(pseudonym).collect();
        let open =
            customers.iter().flat_map(|id| names.open(id)).filter_map(|person| person.strip_prefix("c/"));
        let open: Vec<String> = open.map(str::to_owned).collect();
        customers.extend(open);
        customers.extend(erased.values().cloned());
        let by_customer = match sole {
            true => store::assignment::of_customers(tx, tenant, &wanted.incentive, customers).await?,
            false => Vec::new(),
        };
        let free = store::assignment::lock_free(tx, tenant, &wanted.incentive, wanted.assignments.len(), now)
            .await?;
        let by = |vouchers: Vec<Voucher>, key: fn(&Voucher) -> &Option<String>| {
            let mut found = HashMap::new();
            for voucher in vouchers {
                if let Some(key) = key(&voucher).clone() {
                    found.entry(key).or_insert(voucher);
                }
            }
            found
        };
        Ok(Self {
            known,
            names,
            by_source: by(by_source, |voucher| &voucher.source_id),
            by_customer: by(by_customer, |voucher| &voucher.customer),
            erased,
            free: free.into(),
        })
    }

    /// Makes codes where too few are free.
    async fn top_up(
        &mut self,
        tx: &mut Tx,
        call: &Call,
        wanted: &Wanted,
        plan: &Plan,
        spare: &[String],
        now: Timestamp,
    ) -> Outcome<()> {
        let missing = wanted.assignments.len().saturating_sub(self.free.len() + self.by_source.len());
        let mut codes: Vec<&String> = spare.iter().take(missing).collect();
        codes.sort_unstable();
        codes.dedup();
        let fresh: Vec<Voucher> =
            codes.into_iter().map(|code| plan.voucher(code.clone(), &wanted.incentive, None, now)).collect();
        let made = store::insert_many(tx, &call.tenant, &fresh).await?;
        // A drawn code that exists already may be anybody's; nearly always all are new.
        if usize::try_from(made) == Ok(fresh.len()) {
            self.free.extend(fresh);
        } else {
            let count = wanted.assignments.len();
            let free = store::assignment::lock_free(tx, &call.tenant, &wanted.incentive, count, now).await?;
            self.free = free.into();
        }
        Ok(())
    }

    fn give(mut self, wanted: &Wanted, sole: bool, now: Timestamp) -> Vec<Assigned> {
        wanted.assignments.iter().map(|assignment| self.give_one(wanted, assignment, sole, now)).collect()
    }

    fn give_one(&mut self, wanted: &Wanted, assignment: &Assignment, sole: bool, now: Timestamp) -> Assigned {
        let customer = match self.known.contains(&assignment.customer) {
            true => &assignment.customer,
            false => self.names.customer(&assignment.customer).unwrap_or(&assignment.customer),
        }
        .to_owned();
        let before = self.by_source.get(&assignment.source_id);
        let open = self.names.open(&customer).iter().filter_map(|person| person.strip_prefix("c/"));
        let mut theirs = std::iter::once(customer.as_str()).chain(open);
        let before = before.or_else(|| theirs.find_map(|id| self.by_customer.get(id)).filter(|_| sole));
        if let Some(voucher) = before {
            return Assigned::Existing(voucher.clone());
        }
        if !self.known.contains(&customer) {
            return Assigned::CustomerUnknown;
        }
        let pseudonym = self.erased.get(&customer);
        if let Some(had) = pseudonym.and_then(|pseudonym| self.by_customer.get(pseudonym)) {
            return Assigned::Had(had.code.clone());
        }
        let Some(mut voucher) = self.free.pop_front() else { return Assigned::NoCodeLeft };
        voucher.customer = Some(customer.clone());
        voucher.source_id = Some(assignment.source_id.clone());
        voucher.assigned = Some(now);
        voucher.version += 1;
        if let Some((starts, ends)) = wanted.validity {
            (voucher.starts, voucher.ends) = (starts, ends);
        }
        self.by_source.insert(assignment.source_id.clone(), voucher.clone());
        self.by_customer.insert(customer, voucher.clone());
        Assigned::Given(voucher)
    }
}
