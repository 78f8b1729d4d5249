//! Erasures that were begun go on by themselves. It looks once for all tenants, by an index that is empty where nothing is to
//! be done.

use crate::call::Tenant;
use crate::fault::Outcome;
use crate::service::Core;

/// Erasures that are looked at together.
const PASS: i64 = 100;
/// Parts that one erasure may do before others have their turn.
const TURN: usize = 20;

/// A service that erases.
pub trait Erases: Sync {
    /// The platform's part of the service.
    fn core(&self) -> &Core;

    /// Those of any tenant that are not done, behind this one: tenant and pseudonym.
    fn open(
        &self,
        behind: &(String, String),
        limit: i64,
    ) -> impl Future<Output = Outcome<Vec<(String, String)>>> + Send;

    /// Does the next part of one; answers whether there is more to do at once.
    fn proceed(&self, tenant: &Tenant, pseudonym: &str) -> impl Future<Output = Outcome<bool>> + Send;
}

/// Goes on with every erasure until all are done. One that cannot go on holds up no other: the first fault is answered when all
/// have been tried.
pub async fn go_on<E: Erases>(service: &E) -> Outcome<()> {
    let (mut behind, mut fault, mut more) = (Default::default(), None, false);
    loop {
        let open = service.open(&behind, PASS).await?;
        for (tenant, pseudonym) in &open {
            match turn(service, tenant, pseudonym).await {
                Ok(is_open) => more |= is_open,
                Err(one) => fault = fault.or(Some(one)),
            }
        }
        let full = i64::try_from(open.len()) == Ok(PASS);
        behind = open.into_iter().next_back().filter(|_| full).unwrap_or_default();
        if is_ending(service) || !(full || std::mem::take(&mut more)) {
            return fault.map_or(Ok(()), Err);
        }
    }
}

/// Some parts of one erasure; answers whether there is more to do.
async fn turn<E: Erases>(service: &E, tenant: &str, pseudonym: &str) -> Outcome<bool> {
    let Some(tenant) = Tenant::parse(tenant) else { return Ok(false) };
    for _ in 0..TURN {
        if !service.proceed(&tenant, pseudonym).await? {
            return Ok(false);
        }
        if is_ending(service) {
            break;
        }
    }
    Ok(true)
}

fn is_ending(service: &impl Erases) -> bool {
    service.core().tasks.soft().is_cancelled()
}
