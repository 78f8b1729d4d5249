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

use super::{FIELDS, Own, commands, events};
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
        let change = asked::update_only(&self.0, request, Own::NAME, FIELDS, parse::own)?;
        let stored = service::write(&self.0, change, commands::update).await?;
        let effective = Some(self.effective(&stored.own));
        Ok(Response::new(UpdateSettingsResponse { settings: Some(events::message(&stored)), effective }))
    }
}
