//! What can be done with settings.

use std::sync::Arc;

use tandem_platform::Outcome;
use tandem_platform::resource::Change;
use tandem_platform::service::Asked;

use super::{House, Own, Settings, events};

/// Changes the named fields, and what follows from it. Where nothing differs, nothing happens. This replica goes by it when it
/// is answered.
pub async fn update(house: Arc<House>, asked: Asked<Change<Own>>) -> Outcome<Settings> {
    house.app.tenancy.update(&house, asked, events::updated, house.follow).await
}
