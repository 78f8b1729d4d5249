//! What requests of the standard methods have in common, by the fields that they have. Written for every request of the
//! contracts when they are compiled.

use prost::Message;

/// A write that may be repeated: it has a `request_id`.
pub trait Repeatable: Message + Default {
    /// The method: `CreateCustomer`.
    const METHOD: &'static str;

    /// The field, which is empty afterwards: what makes two calls the same call is the rest of the request.
    fn take_request_id(&mut self) -> String;
}

/// A request about one resource: it has a `name`.
pub trait Named {
    /// The field.
    fn name(&self) -> &str;
}

/// A request about one version of a resource: it has an `etag`.
pub trait Etagged {
    /// The field.
    fn etag(&self) -> &str;
}

/// A request for a page of a list: it has `page_size`, `page_token`, `filter` and `order_by`.
pub trait Listing {
    /// The method: `ListCustomers`.
    const METHOD: &'static str;

    /// The field.
    fn page_size(&self) -> i32;

    /// The field.
    fn page_token(&self) -> &str;

    /// The field.
    fn filter(&self) -> &str;

    /// The field.
    fn order_by(&self) -> &str;
}

include!(concat!(env!("OUT_DIR"), "/requests.rs"));
