//! What can be done with settings.

use std::sync::Arc;

use tandem_platform::Outcome;
use tandem_platform::resource::Change;
use tandem_platform::service::Asked;

use super::{Own, Settings, events};
use crate::App;

/// Changes the named fields. Where nothing differs, nothing happens. This replica goes by it when it is answered.
pub async fn update(app: Arc<App>, asked: Asked<Change<Own>>) -> Outcome<Settings> {
    app.tenancy.update(&app, asked, events::updated, &[]).await
}
