//! ImportSegmentMembers: customers of lists in blocks.

use std::collections::BTreeMap;

use prost::Message;
use tandem_platform::grpc::{self, BLOCK_ROWS, Import};
use tandem_platform::resource::Touch;
use tandem_platform::{Call, Core, Fault, Outcome, Violations, field};
use tandem_proto::relationship::v1::{
    ImportSegmentMembersRequest, ImportSegmentMembersResponse, SegmentImportFailure,
};

use super::super::Segment;
use super::super::commands::lists::{self, Listed, Listing};

/// The customers of one stream.
pub struct Members {
    core: Core,
    call: Call,
}

impl Members {
    /// That `call` brings in.
    pub fn new(core: &Core, call: Call) -> Self {
        Self { core: core.clone(), call }
    }
}

impl Import for Members {
    type Message = ImportSegmentMembersRequest;
    type Answer = ImportSegmentMembersResponse;
    /// The name as it was sent, and whether it was on the list.
    type Row = (String, Outcome<bool>);

    fn rows(message: &ImportSegmentMembersRequest) -> usize {
        message.customers.len()
    }

    fn check(&self, message: &ImportSegmentMembersRequest) -> Outcome<()> {
        let mut v = Violations::new();
        Touch::read::<Segment>(&mut v, "name", &message.name, "");
        let count = message.customers.len();
        let description = format!("must have at most {BLOCK_ROWS} entries in one message, has {count}");
        v.check(count <= BLOCK_ROWS, "customers", description);
        v.finish()
    }

    async fn write(&self, block: Vec<ImportSegmentMembersRequest>) -> Outcome<Vec<Self::Row>> {
        let mut rows = Vec::new();
        let mut of: BTreeMap<String, (Vec<String>, Vec<usize>)> = BTreeMap::new();
        for ImportSegmentMembersRequest { name, customers } in block {
            let (ids, places) = of.entry(name).or_default();
            for customer in customers {
                let mut v = Violations::new();
                let id = field::resource(&mut v, "customer", "customers", &customer);
                let read = v.finish();
                if read.is_ok() {
                    ids.push(id);
                    places.push(rows.len());
                }
                rows.push((field::echo(&customer), read.map(|()| false)));
            }
        }
        for (name, (customers, places)) in of {
            let touch = Touch::read::<Segment>(&mut Violations::new(), "name", &name, "");
            let (core, call) = (self.core.clone(), self.call.clone());
            let write = async move { lists::import(&core, &call, Listing { touch, customers }).await };
            let listed = grpc::detached(&self.core.tasks, &self.call, write).await?;
            for (place, listed) in places.into_iter().zip(listed) {
                let Some((customer, outcome)) = rows.get_mut(place) else { continue };
                *outcome = match listed {
                    Listed::Changed => Ok(false),
                    Listed::Same => Ok(true),
                    Listed::Unknown => Err(Fault::not_found(customer.clone())),
                };
            }
        }
        Ok(rows)
    }

    fn tell(answer: &mut ImportSegmentMembersResponse, (customer, outcome): Self::Row) -> usize {
        let index = answer.done;
        answer.done += 1;
        match outcome {
            Ok(false) => answer.added += 1,
            Ok(true) => answer.existing += 1,
            Err(fault) => {
                let failure =
                    SegmentImportFailure { index, customer, status: Some(field::item_status(fault)) };
                let bytes = failure.encoded_len();
                answer.failed += 1;
                answer.failures.push(failure);
                return bytes;
            }
        }
        0
    }

    fn counts(answer: &ImportSegmentMembersResponse) -> ImportSegmentMembersResponse {
        ImportSegmentMembersResponse { failures: Vec::new(), ..*answer }
    }
}
