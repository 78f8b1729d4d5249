//! The settings service of the contract.

mod parse;

use std::sync::Arc;

use tandem_platform::resource::asked;
use tandem_platform::service;
use tandem_platform::tenancy::Document;
use tandem_proto::relationship::v1::settings_service_server::SettingsService;
use tandem_proto::relationship::v1::{
    self, GetSettingsRequest, GetSettingsResponse, UpdateSettingsRequest, UpdateSettingsResponse,
};
use tonic::{Request, Response, Status};

use super::{FIELDS, Follow, House, Own, commands, events};
use crate::{App, interaction, relationship, segment};

/// What follows the settings of a tenant.
const FOLLOW: &[Follow] =
    &[relationship::follow::stages, interaction::retention::follow, segment::follow::moment];

/// The service.
#[derive(Debug, Clone)]
pub struct Api(Arc<House>);

impl Api {
    /// Of this process.
    pub fn new(app: &Arc<App>) -> Self {
        Self(Arc::new(House { app: app.clone(), follow: FOLLOW }))
    }

    fn effective(&self, own: &Own) -> v1::Settings {
        events::said(&self.0.app.tenancy.effective(own))
    }
}

#[tonic::async_trait]
impl SettingsService for Api {
    async fn get_settings(
        &self,
        request: Request<GetSettingsRequest>,
    ) -> Result<Response<GetSettingsResponse>, Status> {
        let call = asked::only(&request, Own::NAME)?;
        let stored = self.0.app.tenancy.stored(&self.0, &call.tenant).await?;
        let effective = Some(self.effective(&stored.own));
        Ok(Response::new(GetSettingsResponse { settings: Some(events::message(&stored)), effective }))
    }

    async fn update_settings(
        &self,
        request: Request<UpdateSettingsRequest>,
    ) -> Result<Response<UpdateSettingsResponse>, Status> {
        let change = asked::update_only(&self.0, request, Own::NAME, FIELDS, parse::own)?;
        let stored = service::write(&self.0, change, commands::update).await?;
        let effective = Some(self.effective(&stored.own));
        Ok(Response::new(UpdateSettingsResponse { settings: Some(events::message(&stored)), effective }))
    }
}
