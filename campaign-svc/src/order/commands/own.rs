//! What an order does not count against its own quote.

use tandem_platform::{Call, Kind, Outcome, counters};

use super::super::{decide, store};
use crate::App;
use crate::pricing::seen::Own;

/// What the order of a quote, and the one that it is to replace, take of limits: with this room the decision about the order
/// is made. An empty id is no order, nor is one that is not known. While the database is away nothing is known of any.
pub async fn own(app: &App, call: &Call, order: &str, replaced: &str) -> Outcome<Own> {
    if order.is_empty() && replaced.is_empty() {
        return Ok(Own::default());
    }
    match read(app, call, order, replaced).await {
        Err(fault) if fault.kind() == Kind::Unavailable => Ok(Own::default()),
        read => read,
    }
}

async fn read(app: &App, call: &Call, order: &str, replaced: &str) -> Outcome<Own> {
    let (tenant, now) = (&call.tenant, app.clock.now());
    let mut reader = app.db.read().await?;
    let mut found = [None, None];
    for (id, found) in [order, replaced].into_iter().zip(&mut found).filter(|(id, _)| !id.is_empty()) {
        *found = store::find(&mut reader, tenant, id).await?;
    }
    let [order, replaced] = found;
    let claims = match &order {
        Some(order) => counters::claims_of(&mut reader, tenant, &[order.holder]).await?,
        None => Vec::new(),
    };
    Ok(Own::of(decide::own(&claims, replaced.as_ref(), now)))
}
