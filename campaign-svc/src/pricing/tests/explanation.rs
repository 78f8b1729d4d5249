//! What a token keeps of the decisions of its quote.

use prost::Message;
use tandem_proto::campaign::v1::{Decision, DecisionOutcome, DecisionReason, ExplainOrderResponse};

use super::*;
use crate::pricing::explanation;

fn sealed(ask: &Ask, priced: &Priced<'_>, incentives: &Incentives) -> (ExplainOrderResponse, usize) {
    let bytes = explanation::of(ask, priced, incentives);
    (ExplainOrderResponse::decode(bytes.as_slice()).unwrap(), bytes.len())
}

fn told(decision: &Decision) -> (&str, DecisionOutcome, DecisionReason, &str) {
    (&decision.source, decision.outcome(), decision.reason(), &decision.lost_to)
}

#[test]
fn what_did_not_apply_is_kept_codes_and_losers_first_and_of_what_did_only_what_a_floor_cut() {
    let exclusive = |rate| Discount { exclusive: true, ..percent(rate) };
    let dear = Discount { minimum_spend: amounts(5_000), ..percent(10_000) };
    let floored = Discount { margin_floor_ppm: 100_000, ..exclusive(900_000) };
    let offers = vec![offer("a-dear", dear), offer("best", floored), offer("worse", exclusive(50_000))];
    let snapshot = snapshot(Vec::new(), &[planned("c", mix(offers, Vec::new()))]);
    let refused = Code { terms: Err("CODE_EXPIRED".to_owned()), ..code("OLD", "old", percent(1)) };
    let mut asked = ask(vec![line("a", "1", 1, 1_000)]);
    asked.basket.lines[0].unit_cost = Some(450);
    let (ask, incentives) = with_codes(asked, &["old"], vec![refused], &[]);
    let priced = price(&snapshot, &ask, &incentives);
    let (kept, _) = sealed(&ask, &priced, &incentives);
    let best = "campaigns/c/offers/best";
    let expected = [
        (best, DecisionOutcome::Applied, DecisionReason::Unspecified, ""),
        ("vouchers/old", DecisionOutcome::Inapplicable, DecisionReason::CodeRefused, ""),
        ("campaigns/c/offers/worse", DecisionOutcome::Skipped, DecisionReason::Stacking, best),
        ("campaigns/c/offers/a-dear", DecisionOutcome::Inapplicable, DecisionReason::MinimumSpend, ""),
    ];
    assert_eq!(kept.decisions.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!((kept.decisions_left_out, &*kept.decisions[1].code_refusal), (0, "CODE_EXPIRED"));
    let euros = |minor: i64| Some(tandem_proto::common::v1::Money::from(Money::new(minor, eur())));
    // 90 % of 10.00, down to the floor of 5.00.
    assert_eq!(kept.decisions[0].cut_by_floor, euros(400));
    assert_eq!(kept.decisions[3].missing, euros(4_000));
    assert!(kept.decisions.iter().all(|one| one.title.is_empty()));
}

#[test]
fn a_token_has_room_for_so_many_bytes_of_decisions_and_the_others_are_counted() {
    let dear = |number: usize| {
        let minimum = Discount { minimum_spend: amounts(5_000), ..percent(10_000) };
        offer(&format!("offer-{number:04}"), minimum)
    };
    let snapshot = snapshot(Vec::new(), &[planned("c", mix((0..400).map(dear).collect(), Vec::new()))]);
    let ask = ask(vec![line("a", "1", 1, 1_000)]);
    let priced = price(&snapshot, &ask, &Incentives::NotAsked);
    let (kept, bytes) = sealed(&ask, &priced, &Incentives::NotAsked);
    assert!((3_900..=4_096).contains(&bytes), "{bytes} bytes");
    assert_eq!(kept.decisions.len() + usize::try_from(kept.decisions_left_out).unwrap(), 400);
    assert!(kept.decisions.len() > 50, "{} are kept", kept.decisions.len());
}
