//! What requests of the standard methods have in common, by the fields that they have. Written for every request of the
//! contracts when they are compiled.

use prost::Message;
use prost_types::FieldMask;

/// A write that may be repeated: it has a `request_id`.
pub trait Repeatable: Message + Default {
    /// The method: `CreateCustomer`.
    const METHOD: &'static str;

    /// The field, which is empty afterwards: what makes two calls the same call is the rest of the request.
    fn take_request_id(&mut self) -> String;
}

/// What is about one resource: it has a `name`.
pub trait Named {
    /// The field.
    fn name(&self) -> &str;
}

/// What is about one version of a resource: it has an `etag`.
pub trait Etagged {
    /// The field.
    fn etag(&self) -> &str;
}

/// A resource of which a message may say only a part.
pub trait Partial {
    /// The fields that it says something of, as the contract names them: absent, empty and zero say nothing, except that a
    /// scalar field that is `optional` says zero.
    fn said(&self) -> Vec<&'static str>;
}

/// A request for a new resource, such as `customer`, perhaps of an id of the caller's choice: it has `customer` and
/// `customer_id`.
pub trait Creating: Repeatable {
    /// What is created.
    type Resource: Default + Named;

    /// The field that has it: `customer`.
    const RESOURCE: &'static str;
    /// The field that may ask for an id: `customer_id`.
    const ID: &'static str;

    /// The field.
    fn take_resource(&mut self) -> Self::Resource;

    /// The field.
    fn id(&self) -> &str;
}

/// A request to change fields of a resource, such as `customer`: it has `customer` and `update_mask`.
pub trait Updating: Repeatable {
    /// What is changed.
    type Resource: Default + Named + Etagged + Partial;

    /// The field that has it: `customer`.
    const RESOURCE: &'static str;

    /// The field.
    fn take_resource(&mut self) -> Self::Resource;

    /// The field.
    fn mask(&self) -> Option<&FieldMask>;
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
