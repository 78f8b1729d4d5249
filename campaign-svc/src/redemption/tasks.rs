//! Following the peer's events; see [`tandem_platform::outbox::consumer`].

use std::sync::Arc;

use tandem_platform::outbox::consumer;

use crate::App;

/// Starts to follow.
pub fn start(app: &Arc<App>) {
    consumer::start(app);
}
