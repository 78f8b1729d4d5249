//! What can be said of codes without a basket: a quote's question, and on its hot path.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tandem_kernel::basket::Basket;
use tandem_kernel::code::Typed;
use tandem_kernel::money::Currency;
use tandem_platform::db::Session;
use tandem_platform::{Outcome, Tenant};

use super::super::guesses::Leave;
use super::super::{Command, Intent, Membership, Person, Plain, Refusal, Standing, Take, What, decide};
use super::batch;
use super::look::look;
use crate::App;
use crate::settings::InForce;

/// What is asked of some codes.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// As the customer typed them.
    pub codes: &'a [Typed],
    /// Who would use them.
    pub person: &'a Person,
    /// Of the basket.
    pub currency: Currency,
    /// What this order holds itself does not stand against them.
    pub order: Option<&'a str>,
    /// Nor does what this one holds or has redeemed, which it is to replace.
    pub replaces: Option<&'a str>,
    /// Which of them may be looked up.
    pub leave: Leave,
    /// Where it is ordered, or empty.
    pub place: &'a str,
    /// Of the basket.
    pub attributes: &'a BTreeMap<String, String>,
}

/// Says of each code what can be said without a basket: what a quote needs to know. Segments and conditions are left
/// to whoever knows them. Many questions cost as many statements as one.
pub async fn standing(
    app: &App,
    session: &mut impl Session,
    tenant: &Tenant,
    settings: &InForce,
    now: Timestamp,
    questions: &[Question<'_>],
) -> Outcome<Vec<Vec<Standing>>> {
    let commands: Vec<Command> = questions.iter().map(Question::command).collect();
    let commands: Vec<&Command> = commands.iter().collect();
    let setting = batch::setting(app, tenant, settings, now);
    let (mut world, plans) = look(app, session, tenant, setting, &commands).await?;
    let answers = questions.iter().zip(&plans).map(|(question, plan)| {
        let mark = world.mark();
        let final_already = decide::make_room(&mut world, question.order, question.replaces);
        let mut standing =
            decide::standing(&world, &plan.candidates, &world.person(question.person), question.currency);
        if final_already {
            for one in standing.iter_mut().filter(|one| one.ready.is_some()) {
                one.refusal = Some(Refusal::OrderAlreadyRedeemed);
            }
        }
        world.undo(mark);
        standing
    });
    Ok(answers.collect())
}

impl Question<'_> {
    /// As if the codes were to be redeemed for a basket with nothing in it.
    pub(super) fn command(&self) -> Command {
        let attributes = self.attributes.clone();
        let basket = Basket { attributes, ..decide::empty_basket(self.currency) };
        let plain = Plain {
            basket,
            codes: self.codes.to_vec(),
            place: self.place.to_owned(),
            segments: Membership::Open,
            client_id: String::new(),
            leave: self.leave,
        };
        Command::Take(Take {
            order: self.order.unwrap_or_default().to_owned(),
            intent: Intent::Redeem,
            what: What::Plain(Box::new(plain)),
            person: self.person.clone(),
            partial: true,
            conclusive: false,
            replaces: self.replaces.map(str::to_owned),
            of_order: false,
        })
    }
}
