//! The request_id of a write that names none.

use tandem_kernel::clock::{Clock, Ids, SystemClock, SystemIds};

/// Unique enough for one operator: ids are the kernel's.
pub fn fresh() -> String {
    SystemIds.next(SystemClock.now()).to_string()
}
