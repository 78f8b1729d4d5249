//! ListRedemptions: newest first, cut by id.

use std::sync::Arc;

use tandem_kernel::code::Typed;
use tandem_kernel::order_id;
use tandem_kernel::page::Listing;
use tandem_platform::{Call, Fault, Outcome, Violations, field, grpc};
use tandem_proto::relationship::v1::{ListRedemptionsRequest, ListRedemptionsResponse};
use uuid::Uuid;

use super::super::store::{self, By};
use super::super::{Redemption, events};
use crate::App;
use crate::customer::store::alias;

/// Rows that one call looks at; past it the page is short and has a token to go on.
const SCAN: usize = 10_000;
/// Rows read at once.
const MOST: usize = 500;
const CHUNK: i64 = MOST as i64;

/// What is asked for; every given condition must hold.
struct Selection {
    order: String,
    incentive: Option<String>,
    /// Ids of one customer; none: anybody's.
    customers: Vec<String>,
    code: Option<Typed>,
}

impl Selection {
    fn holds(&self, one: &Redemption) -> bool {
        (self.order.is_empty() || one.order == self.order)
            && self.incentive.as_ref().is_none_or(|id| one.incentive == *id)
            && (self.customers.is_empty()
                || one.person.customer.as_ref().is_some_and(|id| self.customers.contains(id)))
            && self.code.as_ref().is_none_or(|code| code.means(&one.code))
    }
}

/// ListRedemptions.
pub async fn list(
    app: &Arc<App>,
    call: &Call,
    request: ListRedemptionsRequest,
) -> Outcome<ListRedemptionsResponse> {
    let mut v = Violations::new();
    let size = usize::try_from(grpc::page_size(&mut v, request.page_size)).unwrap_or(usize::MAX);
    let customer = field::optional_resource(&mut v, "customer", "customers", &request.customer);
    let mut selection = Selection {
        order: field::text(&mut v, "order_id", request.order_id.clone(), 0..=order_id::MAX_BYTES),
        incentive: field::optional_resource(&mut v, "incentive", "incentives", &request.incentive),
        customers: Vec::new(),
        code: Typed::read(&request.code),
    };
    v.finish()?;
    if let Some(customer) = customer {
        selection.customers = names(app, call, customer).await?;
    }
    let filter = [&request.order_id, &request.incentive, &request.customer, &request.code]
        .map(String::as_str)
        .join("\n");
    let listing = Listing {
        tenant: call.tenant.as_str(),
        list: "ListRedemptions",
        filter: &filter,
        ..Listing::default()
    };
    let resumed = listing.resume(&request.page_token).map_err(|_| Fault::invalid_page_token())?;
    let mut before = match resumed.as_deref() {
        None => Uuid::max(),
        Some([last]) => Uuid::try_parse(last).map_err(|_| Fault::invalid_page_token())?,
        Some(_) => return Err(Fault::invalid_page_token()),
    };
    let mut page: Vec<Redemption> = Vec::new();
    let mut more = true;
    let mut looked_at = 0;
    while more && page.len() < size && looked_at < SCAN {
        let rows = rows(app, call, &selection, before).await?;
        more = rows.1;
        for one in rows.0 {
            if page.len() == size {
                more = true;
                break;
            }
            before = one.id;
            looked_at += 1;
            if selection.holds(&one) {
                page.push(one);
            }
        }
    }
    let redemptions = grpc::fitting(page.iter().map(events::message));
    if let Some(last) = grpc::cut(&page, redemptions.len()) {
        (before, more) = (last.id, true);
    }
    let next_page_token = if more { listing.token(&[before.to_string()]) } else { String::new() };
    Ok(ListRedemptionsResponse { redemptions, next_page_token })
}

/// Whoever counts for a customer, and the other ids under which redemptions of theirs may still stand.
async fn names(app: &App, call: &Call, customer: String) -> Outcome<Vec<String>> {
    let mut reader = app.db.read().await?;
    let known = alias::known(&mut reader, &call.tenant, vec![customer.clone()], Vec::new()).await?;
    let kept = known.customer(&customer).map_or(customer.clone(), str::to_owned);
    let open = known.open(&kept).iter().filter_map(|person| person.strip_prefix("c/"));
    let mut names: Vec<String> = open.map(str::to_owned).collect();
    names.push(kept);
    Ok(names)
}

/// The next rows before `before`, newest first, by the narrowest index; and whether there may be more.
async fn rows(
    app: &App,
    call: &Call,
    selection: &Selection,
    before: Uuid,
) -> Outcome<(Vec<Redemption>, bool)> {
    let mut reader = app.db.read().await?;
    if !selection.order.is_empty() {
        let mut rows = store::of_orders(&mut reader, &call.tenant, vec![selection.order.clone()]).await?;
        rows.retain(|one| one.id < before);
        rows.sort_unstable_by_key(|one| std::cmp::Reverse(one.id));
        return Ok((rows, false));
    }
    let by: Vec<By<'_>> = match (&selection.code, selection.customers.as_slice()) {
        // Typed in small letters it may be either of two codes: the newest of both together.
        (Some(code), _) => code.stored().map(By::Code).collect(),
        (None, []) => vec![By::Time],
        (None, customers) => customers.iter().map(|id| By::Customer(id)).collect(),
    };
    let (mut rows, mut full) = (Vec::new(), false);
    for by in by {
        let newest = store::newest(&mut reader, &call.tenant, by, before, CHUNK).await?;
        full |= newest.len() == MOST;
        rows.extend(newest);
    }
    rows.sort_unstable_by_key(|one| std::cmp::Reverse(one.id));
    full |= rows.len() > MOST;
    rows.truncate(MOST);
    Ok((rows, full))
}
