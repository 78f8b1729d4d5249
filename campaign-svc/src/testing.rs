//! The service as tests start it.

use tandem_platform::testing;
pub use tandem_platform::testing::Channel;

use crate::App;

/// The service without a socket; see [`testing::Harness`].
pub type Harness = testing::Harness<App>;
