//! What there is of a resource, and what is told of it.

use prost::Message;
use tandem_kernel::id;

use super::table::Resource;
use crate::call::Call;
use crate::fault::{Fault, Outcome};
use crate::outbox::Recorded;
use crate::service::Core;

/// The resource `id` as it is; NOT_FOUND where there is none.
pub async fn find<T: Resource>(core: &Core, call: &Call, id: &str) -> Outcome<T> {
    let mut reader = core.db.read().await?;
    let found = T::TABLE.find(&mut reader, &call.tenant, id).await?;
    found.ok_or_else(|| not_found::<T>(id))
}

/// An event about this version of a resource: the message `payload`, whose full name is `type_`.
pub fn told<T: Resource, M: Message>(type_: &'static str, of: &T, payload: &M) -> Recorded {
    Recorded::new(type_, of.name(), of.stem().version, payload)
}

pub(super) fn not_found<T: Resource>(id: &str) -> Fault {
    Fault::not_found(id::name(T::COLLECTION, id))
}
