//! What support does to a code by hand: requests read, answers written.

use std::sync::Arc;

use tandem_kernel::page::Listing;
use tandem_platform::idempotency::Request as Claimed;
use tandem_platform::resource::asked;
use tandem_platform::service::{self, Asked};
use tandem_platform::{Fault, Outcome, Violations, field, grpc};
use tandem_proto::convert;
use tandem_proto::relationship::v1::*;
use tandem_proto::requests::Partial;
use tonic::Request;
use uuid::Uuid;

use super::parse::{self, MAX_SOURCE_CHARS};
use super::{Api, encode};
use crate::App;
use crate::voucher::change::Wanted;
use crate::voucher::commands::change::{self, Adjustment, Update};
use crate::voucher::{events, store};

/// Why something is done.
const MAX_REASON_CHARS: usize = 200;
/// What an update may name.
const FIELDS: &[&str] =
    &["validity", "max_uses", "unlimited_uses", "customer", "source_id", "labels", "disabled"];

/// UpdateVoucher.
pub(super) async fn update(
    api: &Api,
    request: Request<UpdateVoucherRequest>,
) -> Outcome<UpdateVoucherResponse> {
    let asked::Write { call, request, mut v, body } = asked::write(&api.0, request)?;
    let given = body.voucher.unwrap_or_default();
    let mask = grpc::field_mask(&mut v, body.update_mask.as_ref(), FIELDS, &given.said());
    let reason = field::text(&mut v, "reason", body.reason, 1..=MAX_REASON_CHARS);
    let typed = parse::code_named(&mut v.nest("voucher"), &given.name);
    let etag = given.etag.clone();
    let wanted = wanted(&mut v.nest("voucher"), &mask, given);
    v.finish()?;
    let (voucher, incentive) = api.find(&call.tenant, &typed).await?;
    let asked = Asked { call, request, what: Update { code: voucher.code, etag, wanted, reason } };
    let voucher = service::write(&api.0, asked, change::update).await?;
    Ok(UpdateVoucherResponse { voucher: Some(encode(&voucher, &incentive, api.0.clock.now())) })
}

fn wanted(v: &mut Violations, mask: &grpc::Mask, given: Voucher) -> Wanted {
    let most = given.max_uses.filter(|_| mask.has("max_uses"));
    let unlimited = given.unlimited_uses && mask.has("unlimited_uses");
    let names_uses = mask.has("max_uses") || mask.has("unlimited_uses");
    let customer = mask
        .has("customer")
        .then(|| field::optional_resource(v, "customer", "customers", &given.customer).unwrap_or_default());
    let nobodys = customer.as_ref().is_some_and(String::is_empty);
    let source_id =
        mask.has("source_id").then(|| field::text(v, "source_id", given.source_id, 0..=MAX_SOURCE_CHARS));
    let sourced = source_id.as_ref().is_some_and(|source| !source.is_empty());
    v.check(!(nobodys && sourced), "source_id", "needs the customer it was given to");
    Wanted {
        validity: mask.has("validity").then(|| parse::dates(v, given.validity.as_ref())),
        uses: names_uses.then(|| parse::uses(v, most, unlimited)),
        customer,
        source_id,
        labels: mask.has("labels").then(|| parse::labels(v, given.labels)),
        disabled: mask.has("disabled").then_some(given.disabled),
    }
}

/// AdjustBalance.
pub(super) async fn adjust(
    api: &Api,
    request: Request<AdjustBalanceRequest>,
) -> Outcome<AdjustBalanceResponse> {
    let (call, mut body) = (grpc::call(&request)?, request.into_inner());
    let mut v = Violations::new();
    let request_id = std::mem::take(&mut body.request_id);
    grpc::request_id(&mut v, &request_id);
    let claim = Claimed::new("AdjustBalance", &request_id, &body);
    let typed = parse::code_named(&mut v, &body.name);
    let reason = field::text(&mut v, "reason", body.reason, 1..=MAX_REASON_CHARS);
    let amount = body.amount.as_ref();
    v.check(amount.is_some(), "amount", "is required");
    let amount =
        amount.and_then(|amount| field::read(&mut v, |found| convert::money("amount", amount, found)));
    v.check(amount.is_none_or(|amount| amount.minor != 0), "amount", "must not be 0");
    v.finish()?;
    let amount = amount.ok_or_else(|| Fault::internal("an amount without violations"))?;
    let (voucher, incentive) = api.find(&call.tenant, &typed).await?;
    let what = Adjustment { code: voucher.code, amount, reason };
    let voucher = service::write(&api.0, Asked { call, request: claim, what }, change::adjust).await?;
    Ok(AdjustBalanceResponse { voucher: Some(encode(&voucher, &incentive, api.0.clock.now())) })
}

/// ListVoucherChanges.
pub(super) async fn list(
    api: &Api,
    request: Request<ListVoucherChangesRequest>,
) -> Outcome<ListVoucherChangesResponse> {
    let (call, body) = (grpc::call(&request)?, request.into_inner());
    let mut v = Violations::new();
    let size = grpc::page_size(&mut v, body.page_size) as usize;
    let typed = parse::code_named(&mut v, &body.name);
    v.finish()?;
    let app: &Arc<App> = &api.0;
    let (voucher, _) = api.find(&call.tenant, &typed).await?;
    let listing = Listing {
        tenant: call.tenant.as_str(),
        list: "ListVoucherChanges",
        parent: &voucher.code,
        ..Listing::default()
    };
    let resumed = listing.resume(&body.page_token).map_err(|_| Fault::invalid_page_token())?;
    let before = match resumed.as_deref() {
        None => Uuid::max(),
        Some([last]) => Uuid::try_parse(last).map_err(|_| Fault::invalid_page_token())?,
        Some(_) => return Err(Fault::invalid_page_token()),
    };
    let mut reader = app.db.read().await?;
    let found = store::change::newest(&mut reader, &call.tenant, &voucher.code, before, size + 1).await?;
    let changes = grpc::fitting(found.iter().take(size).map(|one| events::change(&voucher, one)));
    let last = grpc::cut(&found, changes.len());
    let next_page_token = last.map(|last| listing.token(&[last.id.to_string()])).unwrap_or_default();
    Ok(ListVoucherChangesResponse { changes, next_page_token })
}
