//! What relationship-svc is asked for an order, and what its answer means. Every question may be repeated: its
//! request_id follows from the step, and its refusals are kept there as its acceptances are.

use std::time::Duration;

use tandem_platform::{Call, Fault, grpc};
use tandem_proto::Reason;
use tandem_proto::relationship::v1::voucher_service_client::VoucherServiceClient;
use tandem_proto::relationship::v1::{
    ErrorReason, GiftCardReturn, GiftCardReturns, HoldVouchersRequest, RedeemVouchersRequest,
    ReleaseHoldRequest, ReturnedLine, RollbackReason, RollbackRedemptionRequest, hold_vouchers_request,
    redeem_vouchers_request,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::events::money;
use super::{Order, Pending, Step};
use crate::App;

/// What it said.
#[derive(Debug)]
pub enum Said {
    /// It is done.
    Done,
    /// It refuses, for good.
    Refused(Fault),
    /// Nothing that could be relied on: it may or may not have been done.
    Nothing,
}

/// Asks what the open step of an order asks for, and waits no longer than the settings say.
pub async fn ask(app: &App, call: &Call, order: &Order, pending: &Pending) -> Said {
    let limit = Duration::from_millis(app.config.order.timeout_ms);
    let limit = call.deadline.map_or(limit, |deadline| deadline.remaining().mul_f32(0.75).min(limit));
    match tokio::time::timeout(limit, send(app, call, order, pending, limit)).await {
        Ok(Ok(())) => Said::Done,
        Ok(Err(status)) if is_final(&status) => Said::Refused(Fault::from_peer(status)),
        Ok(Err(status)) => {
            tracing::debug!(%status, step = ?pending.step, "relationship-svc did not answer an order");
            Said::Nothing
        }
        Err(_) => Said::Nothing,
    }
}

async fn send(
    app: &App,
    call: &Call,
    order: &Order,
    pending: &Pending,
    limit: Duration,
) -> Result<(), Status> {
    let mut client = VoucherServiceClient::new(app.relationship.channel());
    let order_id = order.id.clone();
    let request_id = format!("order-{}", pending.attempt);
    match pending.step {
        Step::Hold => {
            let request = HoldVouchersRequest {
                order_id,
                what: Some(hold_vouchers_request::What::QuoteToken(pending.token.clone())),
                ttl: Some(prost_types::Duration { seconds: pending.ttl_s, nanos: 0 }),
                request_id,
                conclusive: true,
                of_order: pending.of_order,
                ..HoldVouchersRequest::default()
            };
            client.hold_vouchers(grpc::outgoing(call, limit, request)).await.map(drop)
        }
        Step::Redeem => {
            let request = RedeemVouchersRequest {
                order_id,
                what: Some(redeem_vouchers_request::What::QuoteToken(pending.token.clone())),
                request_id,
                conclusive: true,
                replaces_order_id: order.replaces.clone().unwrap_or_default(),
                of_order: pending.of_order,
                ..RedeemVouchersRequest::default()
            };
            client.redeem_vouchers(grpc::outgoing(call, limit, request)).await.map(drop)
        }
        Step::Release => {
            let request = ReleaseHoldRequest { order_id, request_id, of_order: pending.of_order };
            client.release_hold(grpc::outgoing(call, limit, request)).await.map(drop)
        }
        Step::RollBack => {
            let request = roll_back(order, pending, request_id, RollbackReason::Cancelled);
            client.rollback_redemption(grpc::outgoing(call, limit, request)).await.map(drop)
        }
        Step::Return => {
            let request = roll_back(order, pending, request_id, RollbackReason::Returned);
            client.rollback_redemption(grpc::outgoing(call, limit, request)).await.map(drop)
        }
    }
}

/// What gift cards get is what the order's last refund says, which was decided with this very step.
fn roll_back(
    order: &Order,
    pending: &Pending,
    request_id: String,
    reason: RollbackReason,
) -> RollbackRedemptionRequest {
    let line =
        |(line_id, quantity): &(String, i64)| ReturnedLine { line_id: line_id.clone(), quantity: *quantity };
    let refund = order.sold.refunds.last();
    let card = |(code, minor): &(usize, i64)| {
        let code = order.sold.codes.get(*code)?.code.clone();
        Some(GiftCardReturn { code, amount: Some(money(order.sold.currency, *minor)) })
    };
    let gift_cards = refund.map(|refund| GiftCardReturns {
        returns: refund.cards.iter().filter_map(card).collect(),
        no_lines: reason == RollbackReason::Returned && pending.lines.is_empty(),
    });
    RollbackRedemptionRequest {
        order_id: order.id.clone(),
        lines: pending.lines.iter().map(line).collect(),
        reason: reason.into(),
        request_id,
        code: String::new(),
        gift_cards,
        of_order: pending.of_order,
    }
}

/// Whether it has looked at the question and said no. Everything else may be asked again; so may a token that it cannot
/// open, which it may be able to when it has the new key.
fn is_final(status: &Status) -> bool {
    let unopened = ErrorReason::QuoteTokenInvalid.reason();
    matches!(status.code(), Code::InvalidArgument | Code::FailedPrecondition | Code::NotFound)
        && status.get_details_error_info().is_none_or(|info| info.reason != unopened)
}
