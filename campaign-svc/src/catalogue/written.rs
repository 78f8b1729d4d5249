//! What became of a write to the catalogue.

use tonic::Response;
use tonic::metadata::MetadataValue;

/// The key of the header that says that the replica does not quote by the write yet.
pub const HEADER: &str = "tandem-catalogue";
/// Its only value.
pub const PENDING: &str = "pending";

/// A write that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T> {
    /// What it answers.
    pub value: T,
    /// The replica that stored it quotes by it.
    pub followed: bool,
}

impl<T> Written<T> {
    /// The answer, with the header where the replica does not follow yet.
    pub fn response<M>(self, message: impl FnOnce(T) -> M) -> Response<M> {
        let mut response = Response::new(message(self.value));
        if !self.followed {
            response.metadata_mut().insert(HEADER, MetadataValue::from_static(PENDING));
        }
        response
    }
}
