//! Customers of a list, between the wire and the commands.

use tandem_platform::resource::Touch;
use tandem_platform::{Fault, Violations, field};
use tandem_proto::relationship::v1::SegmentMemberResult;

use super::super::Segment;
use super::super::commands::lists::{Listed, Listing};
use super::MESSAGE;

/// Customers of one list, 1 to 1,000.
pub fn listing(v: &mut Violations, name: &str, customers: &[String]) -> Listing {
    let touch = Touch::read::<Segment>(v, "name", name, "");
    let count = customers.len();
    let message = format!("must have 1 to {MESSAGE} entries, has {count}");
    v.check((1..=MESSAGE).contains(&count), "customers", message);
    let ids = customers
        .iter()
        .take(MESSAGE)
        .enumerate()
        .map(|(at, name)| field::resource(v, &format!("customers[{at}]"), "customers", name));
    Listing { touch, customers: ids.collect() }
}

/// What became of each, as it was sent.
pub fn results(sent: Vec<String>, listed: &[Listed]) -> Vec<SegmentMemberResult> {
    let result = |(customer, listed): (String, &Listed)| {
        let status = match listed {
            Listed::Unknown => field::item_status(Fault::not_found(customer.clone())),
            Listed::Changed | Listed::Same => field::item_ok(),
        };
        SegmentMemberResult { customer, status: Some(status), changed: *listed == Listed::Changed }
    };
    sent.into_iter().zip(listed).map(result).collect()
}
