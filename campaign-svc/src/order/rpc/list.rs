//! ListOrders: newest first, cut by time and id.

use jiff::Timestamp;
use tandem_kernel::page::Listing;
use tandem_platform::{Call, Fault, Outcome, Violations, field, grpc};
use tandem_proto::campaign::v1::{ListOrdersRequest, ListOrdersResponse, OrderState};

use super::super::events::{self, message};
use super::super::{State, store};
use crate::App;

pub(super) async fn list(app: &App, call: &Call, request: ListOrdersRequest) -> Outcome<ListOrdersResponse> {
    let mut v = Violations::new();
    let size = grpc::page_size(&mut v, request.page_size);
    let customer = field::optional_resource(&mut v, "customer", "customers", &request.customer);
    let wanted = OrderState::try_from(request.state);
    v.check(wanted.is_ok(), "state", "is not a state");
    v.finish()?;
    let state = State::ALL.into_iter().find(|state| Ok(events::state(*state)) == wanted);
    let filter = format!("{}\n{}", request.customer, request.state);
    let listing =
        Listing { tenant: call.tenant.as_str(), list: "ListOrders", filter: &filter, ..Listing::default() };
    let resumed = listing.resume(&request.page_token).map_err(|_| Fault::invalid_page_token())?;
    let (created, id) = match resumed.as_deref() {
        None => (Timestamp::MAX, String::new()),
        Some([created, id]) => (created.parse().map_err(|_| Fault::invalid_page_token())?, id.clone()),
        Some(_) => return Err(Fault::invalid_page_token()),
    };
    let selection = store::Selection { customer: customer.as_deref(), state };
    let mut reader = app.db.read().await?;
    let orders =
        store::newest(&mut reader, &call.tenant, selection, (created, &id), i64::from(size) + 1).await?;
    let shown = grpc::fitting(orders.iter().take(size as usize).map(message));
    let last = grpc::cut(&orders, shown.len());
    let next_page_token = last.map(|last| listing.token(&[last.created.to_string(), last.id.clone()]));
    Ok(ListOrdersResponse { orders: shown, next_page_token: next_page_token.unwrap_or_default() })
}
