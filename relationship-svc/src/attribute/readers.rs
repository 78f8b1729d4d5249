//! Who reads attributes. These rooms stand above this one, and are handed to it.

use std::ops::Deref;

use jiff::Timestamp;
use tandem_kernel::rule::Reading;
use tandem_platform::{Core, Outcome, Tenant, Tx};

use super::Declared;

/// Who reads attributes by what is declared of them.
pub trait Readers: Clone + Send + Sync + 'static {
    /// Keeps those who write rules waiting until the transaction ends, and has all rules of the tenant read anew after it.
    fn hold(&self, tx: &mut Tx, tenant: &Tenant, now: Timestamp) -> impl Future<Output = Outcome<()>> + Send;

    /// The names of at most ten resources whose rules could not be read any more, if this were declared.
    fn against(
        &self,
        tx: &mut Tx,
        tenant: &Tenant,
        declared: &Declared,
    ) -> impl Future<Output = Outcome<Vec<String>>> + Send;

    /// How many customers have a value under the key that is nothing of the type.
    fn unfit(
        &self,
        tx: &mut Tx,
        tenant: &Tenant,
        key: &str,
        reading: Reading,
    ) -> impl Future<Output = Outcome<u64>> + Send;
}

/// The service, and who reads attributes in it.
#[derive(Debug, Clone)]
pub struct House<R> {
    /// The platform's part.
    pub core: Core,
    /// Who reads.
    pub readers: R,
}

impl<R> Deref for House<R> {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}
