//! Suppressions: requests read, answers written.

use std::sync::Arc;

use tandem_kernel::page::Listing;
use tandem_kernel::person::{Address, Hashed};
use tandem_platform::resource::asked;
use tandem_platform::{Fault, Outcome, Violations, grpc, service};
use tandem_proto::relationship::v1::*;
use tonic::Request;

use super::parse;
use crate::App;
use crate::consent::commands::suppress::{self, Clear, Suppress};
use crate::consent::suppression::{self, Place, Reason};
use crate::consent::{ALL, Channel, events, store};

/// Suppress.
pub(super) async fn suppress(app: &Arc<App>, request: Request<SuppressRequest>) -> Outcome<SuppressResponse> {
    let mut write = asked::write(&app.core, request)?;
    let body = std::mem::take(&mut write.body);
    let v = &mut write.v;
    let address = parse::address(v, body.address.as_ref());
    let channels = parse::channels(v, body.channel, address.as_ref());
    let reason = parse::reason(v, "reason", body.reason);
    v.check(reason != Reason::Erasure, "reason", "ERASURE is set by EraseCustomer alone");
    let of_device = matches!(address, Some(Address::Device(_))) && reason == Reason::Unsubscribe;
    v.check(!of_device, "reason", "what somebody with a device wants is a consent: record WITHDRAWN");
    let purpose =
        if body.purpose.is_empty() { ALL.to_owned() } else { parse::purpose(v, &body.purpose, true) };
    let names = purpose == ALL || reason == Reason::Unsubscribe;
    v.check(names, "purpose", "is only for UNSUBSCRIBE; other reasons are for every purpose");
    let at = parse::at(v, body.time.as_ref(), app.clock.now());
    let note = parse::note(v, body.note, 0, address.as_ref());
    let asked = write.asks(())?;
    let address = address.ok_or_else(|| Fault::internal("an address without violations"))?;
    let asked = asked.map(|()| Suppress { address, channels, purpose, reason, at, note });
    let rows = service::write(app, asked, suppress::suppress).await?;
    Ok(SuppressResponse { suppressions: rows.iter().map(events::suppression).collect() })
}

/// ClearSuppression.
pub(super) async fn clear(
    app: &Arc<App>,
    request: Request<ClearSuppressionRequest>,
) -> Outcome<ClearSuppressionResponse> {
    let mut write = asked::write(&app.core, request)?;
    let body = std::mem::take(&mut write.body);
    let v = &mut write.v;
    let address = parse::address(v, body.address.as_ref());
    let channels = parse::channels(v, body.channel, address.as_ref());
    v.check((1..=5).contains(&body.reasons.len()), "reasons", "must have 1 to 5 entries");
    let mut reasons = Vec::new();
    for (place, given) in body.reasons.iter().take(5).enumerate() {
        let field = format!("reasons[{place}]");
        let reason = parse::reason(v, &field, *given);
        v.check(!reason.yields_to_opt_in(), field, "is lifted only by an opt-in with proof");
        reasons.push(reason);
    }
    let note = parse::note(v, body.note, 1, address.as_ref());
    let asked = write.asks(())?;
    let address = address.ok_or_else(|| Fault::internal("an address without violations"))?;
    let asked = asked.map(|()| Clear { address, channels, reasons, note });
    let rows = service::write(app, asked, suppress::clear).await?;
    Ok(ClearSuppressionResponse { suppressions: rows.iter().map(events::suppression).collect() })
}

/// ListSuppressions.
pub(super) async fn list(
    app: &Arc<App>,
    request: Request<ListSuppressionsRequest>,
) -> Outcome<ListSuppressionsResponse> {
    let (call, body) = (grpc::call(&request)?, request.into_inner());
    let mut v = Violations::new();
    let size = grpc::page_size(&mut v, body.page_size) as usize;
    let address = body.address.as_ref().and_then(|given| parse::address(&mut v, Some(given)));
    v.finish()?;
    let mut reader = app.db.read().await?;
    if let Some(address) = address {
        let hashes = app.people.hashes(call.tenant.as_str(), &address);
        let rows = store::suppression::of(&mut reader, &call.tenant, &hashes).await?;
        let suppressions = rows.iter().map(events::suppression).collect();
        return Ok(ListSuppressionsResponse { suppressions, next_page_token: String::new() });
    }
    let listing = Listing { tenant: call.tenant.as_str(), list: "ListSuppressions", ..Listing::default() };
    let resumed = listing.resume(&body.page_token).map_err(|_| Fault::invalid_page_token())?;
    let after = resumed.as_deref().map(place).transpose()?;
    let rows = store::suppression::page(&mut reader, &call.tenant, after.as_ref(), size + 1).await?;
    let suppressions = grpc::fitting(rows.iter().take(size).map(events::suppression));
    let next = grpc::cut(&rows, suppressions.len()).map(|last| listing.token(&keys(&last.place)));
    Ok(ListSuppressionsResponse { suppressions, next_page_token: next.unwrap_or_default() })
}

fn keys(place: &Place) -> [String; 4] {
    let hashed = Hashed { key: String::new(), hash: place.address.clone() };
    let (channel, reason) = (place.channel.name().to_owned(), place.reason.name().to_owned());
    [hashed.text(), channel, place.purpose.clone(), reason]
}

fn place(keys: &[String]) -> Outcome<Place> {
    let [address, channel, purpose, reason] = keys else { return Err(Fault::invalid_page_token()) };
    let place = || {
        Some(Place {
            address: Hashed::of_text("", address)?.hash,
            channel: Channel::parse(channel)?,
            purpose: purpose.clone(),
            reason: suppression::Reason::parse(reason)?,
        })
    };
    place().ok_or_else(Fault::invalid_page_token)
}
