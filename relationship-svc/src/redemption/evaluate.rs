//! campaign-svc's one question in a quote: which segments the customer is in, and what each code is worth knowing.
//!
//! Nothing is priced here and nothing counts: a quote promises its amounts, not that a use is left. What stands against
//! a code is judged where it is judged for a redemption too ([`crate::redemption`]); only whom an incentive is for is
//! added here, because the answer needs the customer's segments anyway.
//!
//! Questions travel in lanes as redemptions do: what is asked while the lane reads is answered together by its next
//! reading, with as many statements as one question needs. Several tenants are read side by side, each by its own
//! statements on a connection of its own. The rules of segments are judged after that, by each question for itself, so
//! that costly ones hold up nobody else's.

use std::cell::{LazyCell, RefCell};
use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::{Arc, OnceLock, Weak};

use futures::future::join_all;
use jiff::Timestamp;
use tandem_kernel::code::Typed;
use tandem_kernel::money::Currency;
use tandem_kernel::work::Work;
use tandem_platform::lanes::{self, Group, Lanes, LanesConfig, Runner};
use tandem_platform::{Call, Fault, Outcome};

use super::guesses::Leave;
use super::{Person, Question, Refusal, Standing, standing};
use crate::segment::Moment;
use crate::segment::catalogue::Customers;
use crate::voucher::formats;
use crate::{App, segment};

/// The question.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who buys.
    pub person: Person,
    /// As the customer typed them.
    pub codes: Vec<Typed>,
    /// Of the basket; needed where there are codes.
    pub currency: Option<Currency>,
    /// Ids of the segments the caller wants to know about; `None`: all.
    pub segments: Option<Vec<String>>,
    /// The order the quote is for; what it holds itself does not stand against it.
    pub order: Option<String>,
    /// The order it is to replace; nor does what that holds or has redeemed.
    pub replaces: Option<String>,
    /// By which the shopper is told apart from others, or empty.
    pub client_id: String,
    /// Which of the codes may be looked up.
    pub leave: Leave,
    /// Where it is ordered, or empty.
    pub place: String,
    /// Of the basket.
    pub attributes: BTreeMap<String, String>,
}

/// The answer.
#[derive(Debug)]
pub struct Evaluated {
    /// The customer is known here.
    pub customer_known: bool,
    /// Ids of those of the asked segments the customer is in.
    pub segments: Vec<String>,
    /// In the order asked.
    pub codes: Vec<Standing>,
}

/// The lanes of questions; nothing runs before the first.
#[derive(Default)]
pub struct Evaluations(OnceLock<Lanes<Evaluator>>);

impl std::fmt::Debug for Evaluations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evaluations").finish_non_exhaustive()
    }
}

impl Evaluations {
    fn lanes(&self, app: &Arc<App>) -> &Lanes<Evaluator> {
        self.0.get_or_init(|| {
            let config = &app.config.evaluation;
            let config = LanesConfig {
                lanes: if config.lanes == 0 { (lanes::cores() / 2).max(1) } else { config.lanes },
                ..config.clone()
            };
            Lanes::start(&config, &app.tasks, Evaluator(Arc::downgrade(app)))
        })
    }
}

/// Answers from a state not older than the question; nothing about customers or codes is kept from an earlier one.
/// Unknown codes count as guesses, and the codes of who has guessed too much are refused.
pub async fn evaluate(app: &Arc<App>, call: &Call, mut asked: Asked) -> Outcome<Evaluated> {
    let lane = (asked.person.subject(), asked.codes.first().map(|typed| typed.folded().to_owned()));
    if asked.codes.is_empty() {
        return answered(app, call, lane, asked).await;
    }
    formats::rule_out(app, &call.tenant, &mut asked.codes).await?;
    let (now, guesses) = (app.clock.now(), &app.redemptions.guesses);
    let guesser = guesses.guesser(call, &asked.person, &asked.client_id);
    let leave = guesses.leave(&guesser, now);
    asked.leave = leave;
    let evaluated = answered(app, call, lane, asked).await?;
    guesses.count(&guesser, leave.guesses(evaluated.codes.iter().filter_map(Standing::looked_up)), now);
    Ok(evaluated)
}

/// Has a question read for in its lane, and judges it.
async fn answered(app: &Arc<App>, call: &Call, lane: impl Hash, asked: Asked) -> Outcome<Evaluated> {
    let asked = Arc::new(asked);
    let read = app.evaluations.lanes(app).submit(call, lane, asked.clone()).await?;
    let settings = app.tenancy.of(app, &call.tenant).await?;
    let at = Moment::by(&settings, read.now);
    judged(app, asked, read, at).await
}

/// Judges here what is short, else where it holds nobody up.
async fn judged(app: &App, asked: Arc<Asked>, read: Read, at: Moment) -> Outcome<Evaluated> {
    let steps = asked.steps(&read);
    if steps <= segment::AT_ONCE {
        return Ok(asked.judged(&read, &at, &mut Work::new(segment::CUSTOMER)));
    }
    let judge = move |gone| {
        let mut work = Work::new(segment::CUSTOMER).until(gone);
        let evaluated = asked.judged(&read, &at, &mut work);
        work.end().map(|()| evaluated)
    };
    app.heavy.run(judge).await?.map_err(segment::commands::refused)
}

/// What was read for a question, of one moment.
#[derive(Debug)]
struct Read {
    customers: Arc<Customers>,
    /// Of its codes, in the order asked.
    codes: Vec<Standing>,
    now: Timestamp,
}

/// Reads for batches. Holds the service weakly, which holds it.
#[derive(Debug)]
struct Evaluator(Weak<App>);

impl Runner for Evaluator {
    type Item = Arc<Asked>;
    type Output = Read;

    async fn run(&self, groups: &[Group<'_, Arc<Asked>>]) -> Outcome<Vec<Outcome<Read>>> {
        let app = self.0.upgrade().ok_or_else(Fault::shutting_down)?;
        let now = app.clock.now();
        // Every reading runs to its end, whatever becomes of the others.
        let read = join_all(groups.iter().map(|group| read(&app, *group, now))).await;
        let read: Vec<Vec<Read>> = read.into_iter().collect::<Outcome<_>>()?;
        Ok(read.into_iter().flatten().map(Ok).collect())
    }
}

/// Reads for the questions of one tenant.
async fn read(
    app: &App,
    Group { tenant, items }: Group<'_, Arc<Asked>>,
    now: Timestamp,
) -> Outcome<Vec<Read>> {
    let mut customers: Vec<String> = items.iter().filter_map(|asked| asked.person.customer.clone()).collect();
    customers.sort_unstable();
    customers.dedup();
    let questions: Vec<Question<'_>> = items.iter().filter_map(|asked| asked.question()).collect();
    let settings = app.tenancy.of(app, tenant).await?;
    let mut reader = app.db.read().await?;
    let customers = Arc::new(app.catalogues.customers(&mut reader, tenant, customers, now).await?);
    let mut standings = match questions.is_empty() {
        true => Vec::new(),
        false => standing(app, &mut reader, tenant, &settings, now, &questions).await?,
    }
    .into_iter();
    drop(reader);
    let read = items.iter().map(|asked| {
        let codes = asked.question().and_then(|_| standings.next()).unwrap_or_default();
        Read { customers: customers.clone(), codes, now }
    });
    Ok(read.collect())
}

impl Asked {
    fn question(&self) -> Option<Question<'_>> {
        let currency = self.currency.filter(|_| !self.codes.is_empty())?;
        let (order, replaces, leave) = (self.order.as_deref(), self.replaces.as_deref(), self.leave);
        let (codes, person) = (self.codes.as_slice(), &self.person);
        let (place, attributes) = (self.place.as_str(), &self.attributes);
        Some(Question { codes, person, currency, order, replaces, leave, place, attributes })
    }

    /// The work of judging every rule that may be asked for.
    fn steps(&self, read: &Read) -> u64 {
        let catalogue = &read.customers.catalogue;
        let fullness = self.person.customer.as_deref().and_then(|customer| read.customers.fullness(customer));
        let Some(fullness) = fullness else { return 0 };
        let ready = read.codes.iter().filter_map(|code| code.ready.as_ref());
        let of_codes = ready.flat_map(|ready| &ready.incentive.definition.segments).map(String::as_str);
        let asked = self.segments.as_ref().map(|asked| asked.iter().map(String::as_str));
        catalogue.steps(Some(of_codes), fullness).saturating_add(catalogue.steps(asked, fullness))
    }

    /// Adds what the customer's segments say.
    fn judged(&self, read: &Read, at: &Moment, work: &mut Work) -> Evaluated {
        let (catalogue, work) = (&read.customers.catalogue, RefCell::new(work));
        let customer = self.person.customer.as_deref().filter(|customer| read.customers.know(customer));
        // Most codes are for everyone: the facts are put together only where a rule reads them.
        let facts = LazyCell::new(|| customer.and_then(|customer| read.customers.somebody(customer, at)));
        let is_in = |segment: &str| {
            let facts = facts.as_ref();
            facts.is_some_and(|facts| catalogue.has_member(segment, facts, &mut work.borrow_mut()))
        };
        let codes = read.codes.iter().map(|code| {
            let mut code = code.clone();
            let definition = code.ready.as_ref().map(|ready| &ready.incentive.definition);
            if code.refusal.is_none() && definition.is_some_and(|definition| !definition.is_for(is_in)) {
                code.refusal = Some(Refusal::NotEligible);
            }
            code.settle(is_in);
            code
        });
        let codes = codes.collect();
        let segments = match &self.segments {
            Some(asked) => asked.iter().map(String::as_str).filter(|segment| is_in(segment)).collect(),
            None => {
                let facts = facts.as_ref();
                facts.map(|facts| catalogue.all_of(facts, &mut work.borrow_mut())).unwrap_or_default()
            }
        };
        Evaluated {
            customer_known: customer.is_some(),
            codes,
            segments: segments.into_iter().map(str::to_owned).collect(),
        }
    }
}
