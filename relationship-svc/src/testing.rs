//! The service as tests start it.

use tandem_platform::testing;
pub use tandem_platform::testing::{Channel, fields, preconditions, reason};

use crate::App;
pub use crate::redemption::audit::{Audit, audit};

/// The service without a socket; see [`testing::Harness`].
pub type Harness = testing::Harness<App>;
