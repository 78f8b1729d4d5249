//! Erasing somebody and showing them all that is held: requests read, answers written.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt, TryStreamExt};
use tandem_platform::resource::asked;
use tandem_platform::{Fault, Outcome, field, grpc, service};
use tandem_proto::relationship::v1::*;
use tonic::{Request, Status};

use super::export::{Export, Place};
use super::{commands, events, look};
use crate::{App, customer};

/// All that is held on somebody, part by part.
pub type Parts = Pin<Box<dyn Stream<Item = Result<ExportCustomerResponse, Status>> + Send>>;

/// ExportCustomer.
pub async fn export(app: &Arc<App>, request: Request<ExportCustomerRequest>) -> Outcome<Parts> {
    let call = grpc::call(&request)?;
    let id = asked::named::<customer::Customer>(request.get_ref())?;
    let into = customer::store::alias::into(&mut app.db.read().await?, &call.tenant, &id).await?;
    let id = into.unwrap_or(id);
    if !look::holds(app, &call.tenant, &id).await? {
        let unknown = Fault::not_found(customer::name(&id));
        return Err(look::explained(app, &call.tenant, &id, unknown).await);
    }
    let export = Export::new(app, &call.tenant, &id);
    let pages = futures::stream::try_unfold(Place::default(), move |place| {
        let export = export.clone();
        async move { export.next(place).await.map_err(Status::from) }
    });
    let parts = pages.map_ok(|parts| {
        let part = |part| Ok::<_, Status>(ExportCustomerResponse { part: Some(part) });
        futures::stream::iter(parts.into_iter().map(part))
    });
    Ok(parts.try_flatten().boxed())
}

/// EraseCustomer.
pub async fn erase(app: &Arc<App>, request: Request<EraseCustomerRequest>) -> Outcome<EraseCustomerResponse> {
    let mut write = asked::write(&app.core, request)?;
    let id = field::resource(&mut write.v, "name", customer::COLLECTION, &write.body.name);
    let told = service::write(app, write.asks(id)?, commands::erase).await?;
    Ok(EraseCustomerResponse { erasure: Some(events::message(&told)) })
}
