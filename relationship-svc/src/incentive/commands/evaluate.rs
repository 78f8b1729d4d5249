//! campaign-svc's one question in a quote: which segments the customer is in, and what each code is worth knowing.
//!
//! Nothing is priced here and nothing counts: a quote promises its amounts, not that a use is left. What stands against
//! a code is judged where it is judged for a redemption too ([`crate::redemption`]); only whom an incentive is for is
//! added here, because the answer needs the customer's segments anyway.

use tandem_kernel::money::Currency;
use tandem_platform::db::Session;
use tandem_platform::{Call, Outcome};

use crate::App;
use crate::incentive::Definition;
use crate::redemption::{Person, Refusal, Standing, standing};

/// The question.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who buys.
    pub person: Person,
    /// As the customer typed them.
    pub codes: Vec<String>,
    /// Of the basket; needed where there are codes.
    pub currency: Option<Currency>,
    /// Ids of the segments the caller wants to know about; empty: all.
    pub segments: Vec<String>,
    /// The order the quote is for; what it holds itself does not stand against it.
    pub order: Option<String>,
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

/// Answers from the state of this moment; nothing about customers or codes is kept from an earlier question.
pub async fn evaluate(app: &App, call: &Call, asked: &Asked) -> Outcome<Evaluated> {
    let mut reader = app.db.read().await?;
    let membership = Membership::of(app, &mut reader, call, asked.person.customer.as_deref()).await?;
    let mut codes = match asked.currency {
        Some(currency) => {
            let order = asked.order.as_deref();
            standing(app, &mut reader, call, &asked.codes, &asked.person, order, currency).await?
        }
        None => Vec::new(),
    };
    for code in &mut codes {
        let definition = code.ready.as_ref().map(|ready| &ready.incentive.definition);
        if code.refusal.is_none() && definition.is_some_and(|definition| !membership.may_use(definition)) {
            code.refusal = Some(Refusal::NotEligible);
        }
    }
    Ok(Evaluated { customer_known: membership.known, segments: membership.asked(&asked.segments), codes })
}

/// The segments a customer is in, all of them: few rules, each a few steps, and every code may ask for others.
struct Membership {
    known: bool,
    segments: Vec<String>,
}

impl Membership {
    async fn of(app: &App, session: &mut impl Session, call: &Call, customer: Option<&str>) -> Outcome<Self> {
        let Some(id) = customer else { return Ok(Self { known: false, segments: Vec::new() }) };
        let segments =
            app.catalogues.of_customer(session, &call.tenant, id, app.clock.now(), &app.zone).await?;
        Ok(Self { known: segments.is_some(), segments: segments.unwrap_or_default() })
    }

    fn may_use(&self, definition: &Definition) -> bool {
        definition.is_for(|segment| self.segments.iter().any(|own| own == segment))
    }

    fn asked(self, asked: &[String]) -> Vec<String> {
        if asked.is_empty() {
            return self.segments;
        }
        asked.iter().filter(|id| self.segments.contains(id)).cloned().collect()
    }
}
