//! The service as tests start it.

use futures::TryStreamExt;
use tandem_platform::testing;
pub use tandem_platform::testing::{Channel, fields, preconditions, reason};

use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::settings_service_client::SettingsServiceClient;
use tandem_proto::relationship::v1::voucher_service_client::VoucherServiceClient;
use tandem_proto::relationship::v1::{
    ImportCustomersRequest, ImportCustomersResponse, ImportVouchersRequest, ImportVouchersResponse, Settings,
    UpdateSettingsRequest,
};
use tonic::metadata::MetadataValue;
use tonic::{Request, Status};

use crate::App;
pub use crate::redemption::audit::{Audit, audit};

/// The service without a socket; see [`testing::Harness`].
pub type Harness = testing::Harness<App>;

/// What a tenant sets, the rest as it was.
pub async fn set(harness: &Harness, tenant: &'static str, settings: Settings) -> Result<(), Status> {
    let update = UpdateSettingsRequest { settings: Some(settings), ..UpdateSettingsRequest::default() };
    let mut client = SettingsServiceClient::new(harness.channel());
    client.update_settings(of_tenant(tenant, update)).await.map(|_| ())
}

/// A request of this tenant.
pub fn of_tenant<T>(tenant: &'static str, body: T) -> Request<T> {
    let mut request = Request::new(body);
    request.metadata_mut().insert("tandem-tenant", MetadataValue::from_static(tenant));
    request
}

/// Brings customers in: the last answer, with the refusals of all.
pub async fn import_customers(
    client: &mut CustomerServiceClient<Channel>,
    messages: Vec<ImportCustomersRequest>,
) -> Result<ImportCustomersResponse, Status> {
    let answers = client.import_customers(futures::stream::iter(messages)).await?.into_inner();
    let together = |before: ImportCustomersResponse, mut next: ImportCustomersResponse| {
        next.failures.splice(..0, before.failures);
        std::future::ready(Ok(next))
    };
    answers.try_fold(ImportCustomersResponse::default(), together).await
}

/// The same of codes.
pub async fn import_vouchers(
    client: &mut VoucherServiceClient<Channel>,
    messages: Vec<ImportVouchersRequest>,
) -> Result<ImportVouchersResponse, Status> {
    let answers = client.import_vouchers(futures::stream::iter(messages)).await?.into_inner();
    let together = |before: ImportVouchersResponse, mut next: ImportVouchersResponse| {
        next.failures.splice(..0, before.failures);
        std::future::ready(Ok(next))
    };
    answers.try_fold(ImportVouchersResponse::default(), together).await
}
