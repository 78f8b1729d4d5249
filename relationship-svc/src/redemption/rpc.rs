//! Holding, redeeming, giving back and looking up, as the contract words it. The methods of the voucher service that
//! are about redemptions delegate here.

mod list;
mod parse;
mod usable;

use std::sync::Arc;

use tandem_kernel::money::{Currency, Money};
use tandem_platform::idempotency::Request;
use tandem_platform::{Call, Fault, Outcome};
use tandem_proto::common::v1::Money as MoneyMessage;
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1::{self, GetRedemptionRequest, GetRedemptionResponse};
use uuid::Uuid;

use super::{Answer, CodeOutcome, Command, Shared, Taken, commands, events, store};
use crate::App;
use crate::voucher::Voucher;
pub use list::list;
pub use parse::{client_id, codes, guest_key, place};
pub use usable::usable;

/// ValidateVouchers.
pub async fn validate(
    app: &Arc<App>,
    call: &Call,
    request: v1::ValidateVouchersRequest,
) -> Outcome<v1::ValidateVouchersResponse> {
    let (mut plain, person) = parse::validate(request)?;
    parse::add_segments(app, call, &mut plain, &person).await?;
    let currency = plain.basket.currency;
    let validated = commands::validate(app, call, plain, person).await?;
    Ok(v1::ValidateVouchersResponse {
        codes: validated.codes.iter().map(|code| outcome(code, currency)).collect(),
        total: Some(MoneyMessage::from(&Money::new(validated.total, currency))),
        approximate: validated.approximate,
    })
}

/// HoldVouchers.
pub async fn hold(
    app: &Arc<App>,
    call: &Call,
    request: v1::HoldVouchersRequest,
) -> Outcome<v1::HoldVouchersResponse> {
    let (request, command) = parse::hold(app, call, request).await?;
    match commands::decide(app, call, Some(request), command).await? {
        Answer::Taken(taken) => {
            let ends = taken.redemptions.iter().filter_map(|one| one.0.expires).min();
            let (codes, redemptions) = told(&taken);
            Ok(v1::HoldVouchersResponse { codes, expire_time: ends.map(to_timestamp), redemptions })
        }
        _ => Err(another()),
    }
}

/// ReleaseHold.
pub async fn release(
    app: &Arc<App>,
    call: &Call,
    request: v1::ReleaseHoldRequest,
) -> Outcome<v1::ReleaseHoldResponse> {
    let (request, command) = parse::release(request)?;
    match commands::decide(app, call, Some(request), command).await? {
        Answer::Released(released) => Ok(v1::ReleaseHoldResponse { redemptions: messages(&released) }),
        _ => Err(another()),
    }
}

/// RedeemVouchers.
pub async fn redeem(
    app: &Arc<App>,
    call: &Call,
    request: v1::RedeemVouchersRequest,
) -> Outcome<v1::RedeemVouchersResponse> {
    let (request, command) = parse::redeem(app, call, request).await?;
    match commands::decide(app, call, Some(request), command).await? {
        Answer::Taken(taken) => {
            let (codes, redemptions) = told(&taken);
            Ok(v1::RedeemVouchersResponse { codes, redemptions })
        }
        _ => Err(another()),
    }
}

/// RollbackRedemption.
pub async fn roll_back(
    app: &Arc<App>,
    call: &Call,
    request: v1::RollbackRedemptionRequest,
) -> Outcome<v1::RollbackRedemptionResponse> {
    let (request, command) = parse::roll_back(request)?;
    match commands::decide(app, call, Some(request), command).await? {
        Answer::RolledBack(back) => {
            let currency = back.redemptions.first().map(|one| one.0.currency);
            Ok(v1::RollbackRedemptionResponse {
                redemptions: messages(&back.redemptions),
                returned: currency.map(|currency| MoneyMessage::from(&Money::new(back.returned, currency))),
            })
        }
        _ => Err(another()),
    }
}

/// Ends a code, as stored, and the holds of it; for DisableVoucher.
pub async fn disable(app: &Arc<App>, call: &Call, request: Request, code: String) -> Outcome<Voucher> {
    match commands::decide(app, call, Some(request), Command::Disable { code }).await? {
        Answer::Disabled(voucher) => Ok(*voucher),
        _ => Err(another()),
    }
}

/// GetRedemption.
pub async fn get(
    app: &Arc<App>,
    call: &Call,
    request: GetRedemptionRequest,
) -> Outcome<GetRedemptionResponse> {
    let id = tandem_kernel::id::parse("redemptions", &request.name)
        .map_err(|error| Fault::invalid_field("name", error.to_string()))?;
    // Whatever is no UUID was never given out.
    let id = Uuid::try_parse(id).map_err(|_| Fault::not_found(&request.name))?;
    let mut reader = app.db.read().await?;
    let found = store::find_many(&mut reader, &call.tenant, &[id]).await?.pop();
    let redemption = found.ok_or_else(|| Fault::not_found(&request.name))?;
    Ok(GetRedemptionResponse { redemption: Some(events::message(&redemption)) })
}

fn told(taken: &Taken) -> (Vec<v1::CodeOutcome>, Vec<v1::Redemption>) {
    let currency = taken.redemptions.first().map(|one| one.0.currency);
    let codes = taken.codes.iter().map(|code| match currency {
        Some(currency) => outcome(code, currency),
        None => refused(code),
    });
    (codes.collect(), messages(&taken.redemptions))
}

fn messages(redemptions: &[Shared]) -> Vec<v1::Redemption> {
    redemptions.iter().map(|one| events::message(&one.0)).collect()
}

fn outcome(code: &CodeOutcome, currency: Currency) -> v1::CodeOutcome {
    let amount = code.refusal.is_none().then(|| MoneyMessage::from(&Money::new(code.amount, currency)));
    v1::CodeOutcome { amount, ..refused(code) }
}

fn refused(code: &CodeOutcome) -> v1::CodeOutcome {
    v1::CodeOutcome {
        code: code.code.clone(),
        refusal: code.refusal.map(|refusal| refusal.name().to_owned()).unwrap_or_default(),
        message: code.sentence().to_owned(),
        amount: None,
        retry_delay: code.wait.and_then(|wait| wait.try_into().ok()),
    }
}

/// A command answers in kind; a request_id is bound to its method.
fn another() -> Fault {
    Fault::internal("a command was answered with another's outcome")
}
