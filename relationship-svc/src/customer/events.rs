//! Customers as the contract shows them, in answers and in events.

use tandem_platform::grpc;
use tandem_platform::outbox::Recorded;
use tandem_platform::resource::{Resource, told};
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1;

use super::Customer;

/// The customer was created.
pub fn created(customer: &Customer) -> Recorded {
    let payload = v1::CustomerCreated { customer: Some(message(customer)) };
    told("tandem.relationship.v1.CustomerCreated", customer, &payload)
}

/// The customer was changed.
pub fn updated(customer: &Customer) -> Recorded {
    let payload = v1::CustomerUpdated { customer: Some(message(customer)) };
    told("tandem.relationship.v1.CustomerUpdated", customer, &payload)
}

/// As the contract has it.
pub fn message(customer: &Customer) -> v1::Customer {
    let profile = &customer.profile;
    v1::Customer {
        name: customer.name(),
        display_name: profile.display_name.clone(),
        email: profile.email.clone(),
        phone: profile.phone.clone(),
        locale: profile.locale.clone(),
        time_zone: profile.time_zone.clone(),
        country: profile.country.clone(),
        birthday: profile.birthday.map(Into::into),
        attributes: profile.attributes.clone(),
        tags: profile.tags.clone(),
        since_time: Some(to_timestamp(customer.since())),
        create_time: Some(to_timestamp(customer.created)),
        update_time: Some(to_timestamp(customer.updated)),
        etag: grpc::etag(customer.version),
    }
}
