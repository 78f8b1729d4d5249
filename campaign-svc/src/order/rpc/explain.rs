//! ExplainOrder: what applied, from what was sold; what did not, as the quote sealed it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use prost::Message;
use tandem_platform::{Fault, Outcome};
use tandem_proto::campaign::v1::{Decision, DecisionLine, DecisionOutcome, ExplainOrderResponse};
use tandem_proto::convert::to_timestamp;

use super::super::events::money;
use super::super::{Code, Discount, Sold};

pub(super) fn explained(sold: &Sold) -> Outcome<ExplainOrderResponse> {
    let sealed = sold.explanation.as_deref().map(opened).transpose()?;
    let only_applied = sealed.is_none();
    let ExplainOrderResponse { decisions: told, decisions_left_out, .. } = sealed.unwrap_or_default();
    let (cut, others): (Vec<Decision>, Vec<Decision>) =
        told.into_iter().partition(|one| one.outcome() == DecisionOutcome::Applied);
    let offers = sold.offers.iter().map(|offer| applied(sold, offer.source.clone(), offer));
    let codes = sold.codes.iter().map(|code| of_code(sold, code));
    let mut decisions: Vec<Decision> = offers.chain(codes).collect();
    for decision in &mut decisions {
        let cut = cut.iter().find(|cut| cut.source == decision.source);
        decision.cut_by_floor = cut.and_then(|cut| cut.cut_by_floor.clone());
    }
    decisions.extend(others);
    let quote_time = Some(to_timestamp(sold.issued));
    Ok(ExplainOrderResponse { decisions, decisions_left_out, only_applied, quote_time })
}

fn opened(sealed: &str) -> Outcome<ExplainOrderResponse> {
    let unreadable = || Fault::internal("what an order keeps of its quote's decisions cannot be read");
    let bytes = STANDARD_NO_PAD.decode(sealed).map_err(|error| unreadable().caused_by(error))?;
    ExplainOrderResponse::decode(bytes.as_slice()).map_err(|error| unreadable().caused_by(error))
}

fn of_code(sold: &Sold, code: &Code) -> Decision {
    let incentive = code.discount.source.clone();
    let source = format!("vouchers/{}", code.code);
    Decision { incentive, tender: code.tender, ..applied(sold, source, &code.discount) }
}

fn applied(sold: &Sold, source: String, discount: &Discount) -> Decision {
    let worth = |minor| Some(money(sold.currency, minor));
    let line = |(at, amount): &(usize, i64)| {
        let line_id = sold.lines.get(*at)?.id.clone();
        Some(DecisionLine { line_id, amount: worth(*amount) })
    };
    Decision {
        source,
        revision: discount.revision,
        outcome: DecisionOutcome::Applied.into(),
        amount: worth(discount.amount),
        lines: discount.shares.iter().filter_map(line).collect(),
        shipping_amount: Some(discount.shipping).filter(|shipping| *shipping != 0).and_then(worth),
        ..Decision::default()
    }
}
