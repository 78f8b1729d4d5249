//! Erasures as the contract shows them, in answers and in events.

use tandem_platform::outbox::Recorded;
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1;

use super::{Erasure, Told, list};
use crate::customer;

/// Somebody was erased. Others know them by the id and by nothing else, so it is in it until the event is old.
pub fn erased(id: &str, erasure: &Erasure) -> Recorded {
    let pseudonym = customer::name(&erasure.pseudonym);
    let payload = v1::CustomerErased {
        customer: customer::name(id),
        pseudonym: pseudonym.clone(),
        erase_time: Some(to_timestamp(erasure.erased)),
    };
    Recorded::new(list::TELLS_OF_ERASURE, pseudonym, erasure.erased.as_microsecond(), &payload)
}

/// As the contract has it.
pub fn message(told: &Told) -> v1::Erasure {
    v1::Erasure {
        pseudonym: customer::name(&told.pseudonym),
        erase_time: Some(to_timestamp(told.erased)),
        done_time: told.done.map(to_timestamp),
        forget_time: told.forget.map(to_timestamp),
    }
}
