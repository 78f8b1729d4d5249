//! Customers of a list, between the wire and the commands.

use tandem_platform::resource::Touch;
use tandem_platform::{Fault, Outcome, Violations, field};
use tandem_proto::relationship::v1::{
    ImportSegmentMembersResponse, SegmentImportFailure, SegmentMemberResult,
};

use super::super::Segment;
use super::super::commands::lists::{Listed, Listing};
use super::MESSAGE;

/// Refusals that an import tells of; the others are counted.
const MAX_FAILURES: usize = 100;

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

/// An import in progress.
#[derive(Debug, Default)]
pub struct Import {
    /// Of the message that is being written: their places in the stream, and as they were sent.
    waiting: Vec<(i64, String)>,
    next: i64,
    /// What became of those before.
    pub answer: ImportSegmentMembersResponse,
}

impl Import {
    /// One message; what is no name of a customer is refused by itself.
    pub fn take(&mut self, name: &str, customers: Vec<String>) -> Outcome<Listing> {
        let mut v = Violations::new();
        let touch = Touch::read::<Segment>(&mut v, "name", name, "");
        v.check(
            customers.len() <= MESSAGE,
            "customers",
            format!("must have at most {MESSAGE} entries in one message"),
        );
        v.finish()?;
        let mut ids = Vec::with_capacity(customers.len());
        for customer in customers {
            let mut v = Violations::new();
            let id = field::resource(&mut v, "customer", "customers", &customer);
            match v.finish() {
                Ok(()) => {
                    ids.push(id);
                    self.waiting.push((self.next, customer));
                }
                Err(fault) => self.refuse(self.next, customer, fault),
            }
            self.next += 1;
        }
        Ok(Listing { touch, customers: ids })
    }

    /// What became of those that waited.
    pub fn done(&mut self, listed: &[Listed]) {
        for ((place, customer), listed) in std::mem::take(&mut self.waiting).into_iter().zip(listed) {
            match listed {
                Listed::Changed => self.answer.added += 1,
                Listed::Same => self.answer.existing += 1,
                Listed::Unknown => self.refuse(place, customer.clone(), Fault::not_found(customer)),
            }
        }
        self.answer.failures.sort_by_key(|failure| failure.index);
    }

    fn refuse(&mut self, index: i64, customer: String, fault: Fault) {
        self.answer.failed += 1;
        if self.answer.failures.len() < MAX_FAILURES {
            let status = Some(field::item_status(fault));
            self.answer.failures.push(SegmentImportFailure { index, customer, status });
        }
    }
}
