//! Who was erased, for those who ask for somebody that is not there.

use tandem_platform::{Fault, Kind, Outcome, Tenant};
use tandem_proto::reason::Reason;
use tandem_proto::relationship::v1::ErrorReason;

use super::{Erasure, store};
use crate::{App, customer};

/// The reason of [`explained`] where somebody was erased.
pub const ERASED: &str = "CUSTOMER_ERASED";

/// What is known of the erasure of an id.
pub async fn find(app: &App, tenant: &Tenant, customer: &str) -> Outcome<Option<Erasure>> {
    let pseudonym = app.people.pseudonym(tenant.as_str(), customer);
    store::find(&mut app.db.read().await?, tenant, &pseudonym).await
}

/// Why nobody is there under an id: erased, where that is so, else `unknown`.
pub async fn explained(app: &App, tenant: &Tenant, customer: &str, unknown: Fault) -> Fault {
    match find(app, tenant, customer).await {
        Ok(None) => unknown,
        Ok(Some(erasure)) => {
            debug_assert_eq!(ErrorReason::CustomerErased.reason(), ERASED);
            let name = customer::name(customer);
            let message = format!("{name} was erased at {}", erasure.erased);
            Fault::new(Kind::NotFound, ErrorReason::CustomerErased, message)
                .with("resource", name)
                .with("pseudonym", customer::name(&erasure.pseudonym))
                .with("erase_time", erasure.erased)
        }
        Err(fault) => fault,
    }
}

/// Whether something is held under an id.
pub async fn holds(app: &App, tenant: &Tenant, customer: &str) -> Outcome<bool> {
    let mut reader = app.db.read().await?;
    let known = !customer::store::known_ids(&mut reader, tenant, &[customer.to_owned()]).await?.is_empty();
    Ok(known || store::left(&mut reader, tenant, customer).await?)
}
