//! ListUsableVouchers: best first, cut by rank.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::money::{Currency, Money};
use tandem_kernel::page::Listing;
use tandem_platform::idempotency::Request;
use tandem_platform::{Call, Fault, Outcome, grpc};
use tandem_proto::common::v1::Money as MoneyMessage;
use tandem_proto::relationship::v1::{ListUsableVouchersRequest, ListUsableVouchersResponse, UsableVoucher};

use super::super::commands::{self, Rank, Usable};
use super::parse;
use crate::App;
use crate::voucher;

/// ListUsableVouchers.
pub async fn usable(
    app: &Arc<App>,
    call: &Call,
    mut request: ListUsableVouchersRequest,
) -> Outcome<ListUsableVouchersResponse> {
    let token = std::mem::take(&mut request.page_token);
    let question = ListUsableVouchersRequest { page_size: 0, ..request.clone() };
    let hash = Request::new("ListUsableVouchers", "", &question).hash;
    let filter: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut asked = parse::usable(request)?;
    let listing = Listing {
        tenant: call.tenant.as_str(),
        list: "ListUsableVouchers",
        filter: &filter,
        ..Listing::default()
    };
    let resumed = listing.resume(&token).map_err(|_| Fault::invalid_page_token())?;
    let after = resumed.map(|keys| rank(&keys).ok_or_else(Fault::invalid_page_token)).transpose()?;
    parse::add_segments(app, call, &mut asked.plain, &asked.person).await?;
    let (currency, now) = (asked.plain.basket.currency, app.clock.now());
    let (found, more_vouchers) =
        commands::usable(app, call, &asked.customer, asked.plain, asked.person).await?;
    let shown = found.into_iter().filter(|one| asked.with_others || one.outcome.refusal.is_none());
    let mut ranked: Vec<(Rank, Usable)> = shown.map(|one| (one.rank(), one)).collect();
    ranked.retain(|(rank, _)| after.as_ref().is_none_or(|after| rank > after));
    ranked.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let page = ranked.iter().take(asked.size);
    let vouchers = grpc::fitting(page.map(|(_, one)| message(one, currency, now)));
    let last = grpc::cut(&ranked, vouchers.len());
    let next_page_token = last.map(|(rank, _)| listing.token(&keys(rank))).unwrap_or_default();
    Ok(ListUsableVouchersResponse { vouchers, next_page_token, more_vouchers })
}

fn message(one: &Usable, currency: Currency, now: Timestamp) -> UsableVoucher {
    let Usable { voucher, frame, tender, outcome } = one;
    let saving = || MoneyMessage::from(&Money::new(outcome.amount, currency));
    UsableVoucher {
        voucher: Some(voucher::events::message(voucher, frame, now)),
        saving: outcome.refusal.is_none().then(saving),
        tender: *tender,
        refusal: outcome.refusal.map(|refusal| refusal.name().to_owned()).unwrap_or_default(),
        message: outcome.sentence().to_owned(),
    }
}

fn keys((kind, Reverse(saving), end, code): &Rank) -> [String; 4] {
    [kind.to_string(), saving.to_string(), end.to_string(), code.clone()]
}

fn rank(keys: &[String]) -> Option<Rank> {
    let [kind, saving, end, code] = keys else { return None };
    Some((kind.parse().ok()?, Reverse(saving.parse().ok()?), end.parse().ok()?, code.clone()))
}
