//! The settings service of the contract.

use std::sync::Arc;

use tandem_platform::resource::asked;
use tandem_platform::tenancy::Document;
use tandem_platform::{Violations, field, service};
use tandem_proto::campaign::v1::settings_service_server::SettingsService;
use tandem_proto::campaign::v1::{
    self, GetSettingsRequest, GetSettingsResponse, UpdateSettingsRequest, UpdateSettingsResponse,
};
use tonic::{Request, Response, Status};

use super::{CAMPAIGN_MAX_DAYS, FIELDS, Own, QUOTE_TTL_S, commands, events};
use crate::App;

/// The service.
#[derive(Debug, Clone)]
pub struct Api(Arc<App>);

impl Api {
    /// Of this process.
    pub fn new(app: &Arc<App>) -> Self {
        Self(app.clone())
    }

    fn effective(&self, own: &Own) -> v1::Settings {
        events::said(&self.0.tenancy.effective(own))
    }
}

#[tonic::async_trait]
impl SettingsService for Api {
    async fn get_settings(
        &self,
        request: Request<GetSettingsRequest>,
    ) -> Result<Response<GetSettingsResponse>, Status> {
        let call = asked::only(&request, Own::NAME)?;
        let stored = self.0.tenancy.stored(&self.0, &call.tenant).await?;
        let effective = Some(self.effective(&stored.own));
        Ok(Response::new(GetSettingsResponse { settings: Some(events::message(&stored)), effective }))
    }

    async fn update_settings(
        &self,
        request: Request<UpdateSettingsRequest>,
    ) -> Result<Response<UpdateSettingsResponse>, Status> {
        let change = asked::update_only(&self.0, request, Own::NAME, FIELDS, own)?;
        let stored = service::write(&self.0, change, commands::update).await?;
        let effective = Some(self.effective(&stored.own));
        Ok(Response::new(UpdateSettingsResponse { settings: Some(events::message(&stored)), effective }))
    }
}

/// What a caller says.
fn own(v: &mut Violations, settings: v1::Settings) -> Own {
    let v1::Settings { time_zone, locale, campaign_max_days, quote_ttl, .. } = settings;
    let (zone, locale) = (field::zone(v, "time_zone", &time_zone), field::locale(v, "locale", &locale));
    Own {
        zone,
        locale: Some(locale.tag().to_owned()).filter(|tag| !tag.is_empty()),
        campaign_max_days: field::number(v, "campaign_max_days", campaign_max_days, CAMPAIGN_MAX_DAYS),
        quote_ttl_s: field::seconds(v, "quote_ttl", quote_ttl.as_ref(), QUOTE_TTL_S),
    }
}
