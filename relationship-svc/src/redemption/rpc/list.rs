//! ListRedemptions: newest first, cut by id.

use std::sync::Arc;

use tandem_kernel::order_id;
use tandem_kernel::page::Listing;
use tandem_platform::{Call, Fault, Outcome, Violations, field, grpc};
use tandem_proto::relationship::v1::{ListRedemptionsRequest, ListRedemptionsResponse};
use uuid::Uuid;

use super::super::store::{self, By};
use super::super::{Redemption, events};
use crate::App;
use crate::voucher;

/// Rows that one call looks at; past it the page is short and has a token to go on.
const SCAN: usize = 10_000;
/// Rows read at once.
const CHUNK: i64 = 500;

/// What is asked for; every given condition must hold.
struct Selection {
    order: String,
    incentive: Option<String>,
    customer: Option<String>,
    code: Option<(String, Option<String>)>,
}

impl Selection {
    fn holds(&self, one: &Redemption) -> bool {
        (self.order.is_empty() || one.order == self.order)
            && self.incentive.as_ref().is_none_or(|id| one.incentive == *id)
            && (self.customer.is_none() || one.person.customer == self.customer)
            && self.code.as_ref().is_none_or(|code| is_code(code, one))
    }
}

fn is_code((folded, exact): &(String, Option<String>), one: &Redemption) -> bool {
    one.code == *folded || exact.as_ref() == Some(&one.code)
}

/// ListRedemptions.
pub async fn list(
    app: &Arc<App>,
    call: &Call,
    request: ListRedemptionsRequest,
) -> Outcome<ListRedemptionsResponse> {
    let mut v = Violations::new();
    let size = usize::try_from(grpc::page_size(&mut v, request.page_size)).unwrap_or(usize::MAX);
    let selection = Selection {
        order: field::text(&mut v, "order_id", request.order_id.clone(), 0..=order_id::MAX_BYTES),
        incentive: field::optional_resource(&mut v, "incentive", "incentives", &request.incentive),
        customer: field::optional_resource(&mut v, "customer", "customers", &request.customer),
        code: (!request.code.trim().is_empty()).then(|| voucher::candidates(&request.code)),
    };
    v.finish()?;
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
    // Typed in small letters it may be either of two codes: the newest of both together.
    let by = match (&selection.code, &selection.customer) {
        (Some((folded, None)), _) => By::Code(folded),
        (Some((folded, Some(exact))), _) => {
            let mut rows = store::newest(&mut reader, &call.tenant, By::Code(folded), before, CHUNK).await?;
            let full = i64::try_from(rows.len()) == Ok(CHUNK);
            let exact = store::newest(&mut reader, &call.tenant, By::Code(exact), before, CHUNK).await?;
            let full = full || i64::try_from(exact.len()) == Ok(CHUNK);
            rows.extend(exact);
            rows.sort_unstable_by_key(|one| std::cmp::Reverse(one.id));
            let most = usize::try_from(CHUNK).unwrap_or(usize::MAX);
            let full = full || rows.len() > most;
            rows.truncate(most);
            return Ok((rows, full));
        }
        (None, Some(customer)) => By::Customer(customer),
        (None, None) => By::Time,
    };
    let rows = store::newest(&mut reader, &call.tenant, by, before, CHUNK).await?;
    let full = i64::try_from(rows.len()) == Ok(CHUNK);
    Ok((rows, full))
}
