//! What moves behind a merge, part by part.

use jiff::Timestamp;
use tandem_platform::{Outcome, Tenant, Tx, transact};

use super::store;
use crate::customer::store::alias;
use crate::customer::{self, alias::Step};
use crate::relationship::Who;
use crate::{App, redemption};

/// Rows that one transaction goes through at most.
const PART: i64 = 500;

/// Moves the next part of what belongs to a person whose id stands for a customer; answers whether there is more to do now.
pub async fn proceed(app: &App, tenant: &Tenant, person: &str, now: Timestamp) -> Outcome<bool> {
    transact!(app.db, |tx| {
        let Some(alias) = alias::lock(tx, tenant, person).await? else { return Ok(false) };
        let Some((step, _)) = alias.open.filter(|(_, due)| *due <= now) else { return Ok(false) };
        if part(tx, tenant, step, person, &alias.into).await? {
            return Ok(true);
        }
        let next = alias.moved();
        alias::moved(tx, tenant, &next).await?;
        // Rules of watched segments may read what has moved.
        customer::store::look(vec![next.into.clone()], now).run(tx, tenant).await?;
        Ok(next.open.is_some_and(|(_, due)| due <= now))
    })
}

/// One part of one step; answers whether there may be more of it. What is moved is found no more.
async fn part(tx: &mut Tx, tenant: &Tenant, step: Step, person: &str, into: &str) -> Outcome<bool> {
    let Some(from) = Who::parse(person) else { return Ok(false) };
    let to = Who::Customer(into.to_owned());
    let done = match (step, &from) {
        (Step::Vouchers, Who::Customer(id)) => store::vouchers(tx, tenant, id, into, PART).await?,
        (Step::Consents, Who::Customer(id)) => store::consents(tx, tenant, id, into, PART).await?,
        (Step::Vouchers | Step::Consents, Who::Guest(_)) => 0,
        (Step::Interactions, _) => store::interactions(tx, tenant, person, &to.key(), PART).await?,
        (Step::Orders, _) => store::orders(tx, tenant, person, &to.key(), PART).await?,
        // Whole orders at a time, so that a part may be more than it was asked for; less than one is the last.
        (Step::Redemptions, _) => {
            return Ok(redemption::rename::rename(tx, tenant, &from, into, PART).await? > 0);
        }
    };
    Ok(done >= PART.unsigned_abs())
}
