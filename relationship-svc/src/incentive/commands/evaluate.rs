//! campaign-svc's one question in a quote: which segments the customer is in, and what each code is worth knowing.
//!
//! Nothing is priced here and nothing counts: a quote promises its amounts, not that a use is left. What stands against
//! a code is judged where it is judged for a redemption too ([`crate::redemption`]); only whom an incentive is for is
//! added here, because the answer needs the customer's segments anyway.
//!
//! Questions travel in lanes as redemptions do: what is asked while the lane reads is answered together by its next
//! reading, with as many statements as one question needs. Several tenants are read side by side, each by its own
//! statements on a connection of its own.

use std::cell::LazyCell;
use std::sync::{Arc, OnceLock, Weak};

use futures::future::join_all;
use jiff::Timestamp;
use tandem_kernel::money::Currency;
use tandem_platform::lanes::{self, Group, Lanes, LanesConfig, Runner};
use tandem_platform::{Call, Fault, Outcome};

use crate::App;
use crate::redemption::guesses::Leave;
use crate::redemption::{Person, Question, Refusal, Standing, standing};
use crate::segment::catalogue::Customers;

/// The question.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who buys.
    pub person: Person,
    /// As the customer typed them.
    pub codes: Vec<String>,
    /// Of the basket; needed where there are codes.
    pub currency: Option<Currency>,
    /// Ids of the segments the caller wants to know about; `None`: all.
    pub segments: Option<Vec<String>>,
    /// The order the quote is for; what it holds itself does not stand against it.
    pub order: Option<String>,
    /// By which the shopper is told apart from others, or empty.
    pub client_id: String,
    /// Which of the codes may be looked up.
    pub leave: Leave,
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
    let lane = (asked.person.subject(), asked.codes.first().cloned());
    if asked.codes.is_empty() {
        return app.evaluations.lanes(app).submit(call, lane, asked).await;
    }
    let (now, guesses) = (app.clock.now(), &app.redemptions.guesses);
    let guesser = guesses.guesser(call, &asked.person, &asked.client_id);
    let leave = guesses.leave(&guesser, now);
    asked.leave = leave;
    let evaluated = app.evaluations.lanes(app).submit(call, lane, asked).await?;
    guesses.count(&guesser, leave.guesses(evaluated.codes.iter().filter_map(|one| one.refusal)), now);
    Ok(evaluated)
}

/// Answers batches. Holds the service weakly, which holds it.
#[derive(Debug)]
struct Evaluator(Weak<App>);

impl Runner for Evaluator {
    type Item = Asked;
    type Output = Evaluated;

    async fn run(&self, groups: &[Group<'_, Asked>]) -> Outcome<Vec<Outcome<Evaluated>>> {
        let app = self.0.upgrade().ok_or_else(Fault::shutting_down)?;
        let now = app.clock.now();
        // Every reading runs to its end, whatever becomes of the others.
        let read = join_all(groups.iter().map(|group| answers(&app, *group, now))).await;
        let answers: Vec<Vec<Evaluated>> = read.into_iter().collect::<Outcome<_>>()?;
        Ok(answers.into_iter().flatten().map(Ok).collect())
    }
}

/// Answers the questions of one tenant.
async fn answers(
    app: &App,
    Group { tenant, items }: Group<'_, Asked>,
    now: Timestamp,
) -> Outcome<Vec<Evaluated>> {
    let mut customers: Vec<String> = items.iter().filter_map(|asked| asked.person.customer.clone()).collect();
    customers.sort_unstable();
    customers.dedup();
    let questions: Vec<Question<'_>> = items.iter().filter_map(Asked::question).collect();
    let mut reader = app.db.read().await?;
    let customers = app.catalogues.customers(&mut reader, tenant, customers).await?;
    let mut standings = match questions.is_empty() {
        true => Vec::new(),
        false => standing(app, &mut reader, tenant, now, &questions).await?,
    }
    .into_iter();
    drop(reader);
    let evaluated = items.iter().map(|asked| {
        let codes = asked.question().and_then(|_| standings.next()).unwrap_or_default();
        asked.judged(app, &customers, codes, now)
    });
    Ok(evaluated.collect())
}

impl Asked {
    fn question(&self) -> Option<Question<'_>> {
        let currency = self.currency.filter(|_| !self.codes.is_empty())?;
        let (order, leave) = (self.order.as_deref(), self.leave);
        Some(Question { codes: &self.codes, person: &self.person, currency, order, leave })
    }

    /// Adds what the customer's segments say.
    fn judged(&self, app: &App, customers: &Customers, codes: Vec<Standing>, now: Timestamp) -> Evaluated {
        let catalogue = &customers.catalogue;
        let customer = self.person.customer.as_deref().filter(|customer| customers.know(customer));
        // Most codes are for everyone: the facts are put together only where a rule reads them.
        let facts = LazyCell::new(|| customer.and_then(|customer| customers.facts(customer, now, &app.zone)));
        let is_in = |segment: &str| facts.as_ref().is_some_and(|facts| catalogue.has_member(segment, facts));
        let codes = codes.into_iter().map(|mut code| {
            let definition = code.ready.as_ref().map(|ready| &ready.incentive.definition);
            if code.refusal.is_none() && definition.is_some_and(|definition| !definition.is_for(is_in)) {
                code.refusal = Some(Refusal::NotEligible);
            }
            code
        });
        let codes = codes.collect();
        let segments = match &self.segments {
            Some(asked) => asked.iter().map(String::as_str).filter(|segment| is_in(segment)).collect(),
            None => facts.as_ref().map(|facts| catalogue.all_of(facts)).unwrap_or_default(),
        };
        Evaluated {
            customer_known: customer.is_some(),
            codes,
            segments: segments.into_iter().map(str::to_owned).collect(),
        }
    }
}
