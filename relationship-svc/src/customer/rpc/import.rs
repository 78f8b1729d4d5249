//! ImportCustomers: customers in blocks.

use prost::Message;
use tandem_platform::grpc::{self, BLOCK_ROWS, Import};
use tandem_platform::resource::asked;
use tandem_platform::{Call, Core, Outcome, Violations, field};
use tandem_proto::relationship::v1::{ImportCustomersRequest, ImportCustomersResponse, ImportFailure};

use super::parse_item;
use crate::customer::{FIELDS, Profile, commands};

/// The customers of one stream.
pub struct Customers {
    core: Core,
    call: Call,
}

impl Customers {
    /// That `call` brings in.
    pub fn new(core: &Core, call: Call) -> Self {
        Self { core: core.clone(), call }
    }
}

impl Import for Customers {
    type Message = ImportCustomersRequest;
    type Answer = ImportCustomersResponse;
    /// The name as it was sent, and whether it is new.
    type Row = (String, Outcome<bool>);

    fn rows(message: &ImportCustomersRequest) -> usize {
        message.customers.len()
    }

    fn check(&self, message: &ImportCustomersRequest) -> Outcome<()> {
        let mut v = Violations::new();
        let count = message.customers.len();
        let description = format!("must have at most {BLOCK_ROWS} entries in one message, has {count}");
        v.check(count <= BLOCK_ROWS, "customers", description);
        asked::upsert_mask::<Profile>(&mut v, message.update_mask.as_ref(), FIELDS);
        v.finish()
    }

    async fn write(&self, block: Vec<ImportCustomersRequest>) -> Outcome<Vec<Self::Row>> {
        let (mut rows, mut good) = (Vec::new(), Vec::new());
        for message in block {
            for customer in message.customers {
                let name = field::echo(&customer.name);
                let item = parse_item(message.update_mask.as_ref(), customer);
                rows.push((name, item.map(|change| good.push(change))));
            }
        }
        let (core, call) = (self.core.clone(), self.call.clone());
        let write = async move { commands::import(&core, &call, good).await };
        let mut upserted = grpc::detached(&self.core.tasks, &self.call, write).await?.into_iter();
        let mut stored = || upserted.next().unwrap_or_default().stored();
        Ok(rows.into_iter().map(|(name, item)| (name, item.and_then(|()| stored()))).collect())
    }

    fn tell(answer: &mut ImportCustomersResponse, (name, outcome): Self::Row) -> usize {
        let index = answer.done;
        answer.done += 1;
        match outcome {
            Ok(true) => answer.created += 1,
            Ok(false) => answer.updated += 1,
            Err(fault) => {
                let failure = ImportFailure { index, name, status: Some(field::item_status(fault)) };
                let bytes = failure.encoded_len();
                answer.failed += 1;
                answer.failures.push(failure);
                return bytes;
            }
        }
        0
    }

    fn counts(answer: &ImportCustomersResponse) -> ImportCustomersResponse {
        ImportCustomersResponse { failures: Vec::new(), ..*answer }
    }
}
