//! Stages, groups, exclusives, stop: who meets whom, and who loses to whom.

use super::*;

fn grouped(group_policy: GroupPolicy, priority: i32, discount: Discount) -> Discount {
    Discount { group_policy, priority, ..discount }
}

#[test]
fn stages_run_line_then_order_then_shipping_whatever_the_group() {
    let order = Discount { stage: Stage::Order, group: 0, ..amount(500) };
    let line = Discount { stage: Stage::Line, group: 9, ..percent(50) };
    assert_eq!(amounts(&offers(&units(&[1_000]), vec![order, line])), [500, 500]);
}

#[test]
fn within_a_group_priority_then_offers_before_codes_then_given_order_then_id() {
    let take = |discount: Discount| Discount { stage: Stage::Line, ..discount };
    let given = [
        code("a", 2, take(amount(400))),
        code("b", 1, take(amount(400))),
        offer("z", take(amount(400))),
        offer("y", take(amount(400))),
        code("first", 9, Discount { priority: -0, ..take(amount(1)) }),
    ];
    let evaluation = price(&units(&[1_401]), &given);
    // y, z, then the codes 1, 2, 9: b gets 4.00, a what is left.
    assert_eq!(amounts(&evaluation), [201, 400, 400, 400, 0]);
    assert_eq!(outcomes(&evaluation)[4], inapplicable(Reason::NothingLeft));
}

#[test]
fn first_takes_the_first_with_an_effect_and_names_it_to_the_others() {
    let first = |priority, discount| grouped(GroupPolicy::First, priority, discount);
    let missing = Discount { minimum_spend: euros(9_000), ..percent(90) };
    let stack = vec![first(0, missing), first(1, percent(10)), first(2, percent(50))];
    let evaluation = offers(&units(&[1_000]), stack);
    let too_little = inapplicable(Reason::MinimumSpend { missing: 8_000 });
    assert_eq!(outcomes(&evaluation), [too_little, Outcome::Applied, lost_to(1)]);
}

#[test]
fn lowest_discount_takes_the_least_effect_above_zero() {
    let lowest = |discount| grouped(GroupPolicy::LowestDiscount, 0, discount);
    let missing = Discount { minimum_spend: euros(9_000), ..percent(1) };
    let evaluation = offers(
        &units(&[1_000]),
        vec![lowest(percent(50)), lowest(percent(10)), lowest(percent(30)), lowest(missing)],
    );
    assert_eq!(amounts(&evaluation), [0, 100, 0, 0]);
    assert_eq!(outcomes(&evaluation)[0], lost_to(1));
}

#[test]
fn best_for_customer_minimises_the_final_amount_not_the_step() {
    // 30 % now would leave less than the 8.00 that a later 50 % needs.
    let best = |discount| grouped(GroupPolicy::BestForCustomer, 0, discount);
    let later = Discount { stage: Stage::Order, minimum_spend: euros(800), ..percent(50) };
    let evaluation = offers(&units(&[1_000]), vec![best(percent(30)), best(percent(20)), later]);
    assert_eq!((amounts(&evaluation), evaluation.total), (vec![0, 200, 400], 400));
    assert_eq!(outcomes(&evaluation)[0], lost_to(1));
    assert!(!evaluation.approximate);
}

#[test]
fn best_for_customer_may_choose_none() {
    let best = grouped(GroupPolicy::BestForCustomer, 0, percent(30));
    let later = Discount { stage: Stage::Order, minimum_spend: euros(800), ..percent(50) };
    let evaluation = offers(&units(&[1_000]), vec![best, later]);
    assert_eq!(outcomes(&evaluation)[0], Outcome::Skipped { lost_to: None });
    assert_eq!(evaluation.total, 500);
}

#[test]
fn equal_alternatives_are_decided_by_fewer_codes_then_priority_then_offers_before_codes_then_id() {
    let best = |priority| grouped(GroupPolicy::BestForCustomer, priority, percent(20));
    let given = [offer("c", best(1)), offer("b", best(1)), code("a", 0, best(1)), offer("z", best(0))];
    assert_eq!(amounts(&price(&units(&[1_000]), &given)), [0, 0, 0, 200]);
    assert_eq!(amounts(&price(&units(&[1_000]), &given[..3])), [0, 200, 0]);
    // A code of a lower priority number is not burned where an offer gives as much.
    let given = [code("a", 0, best(0)), offer("b", best(9))];
    assert_eq!(amounts(&price(&units(&[1_000]), &given)), [0, 200]);
    assert_eq!(amounts(&price(&units(&[1_000]), &[code("b", 0, best(1)), code("a", 1, best(1))])), [0, 200]);
}

#[test]
fn a_code_is_not_burned_where_nothing_else_comes_of_it() {
    // The code takes a half, and a later offer gives the rest away: without the code it gives all of it.
    let best = grouped(GroupPolicy::BestForCustomer, 0, percent(50));
    let all = Discount { stage: Stage::Order, ..percent(100) };
    let evaluation = price(&units(&[1_000]), &[code("a", 0, best), offer("b", all)]);
    assert_eq!((amounts(&evaluation), evaluation.total), (vec![0, 1_000], 0));
}

#[test]
fn of_an_exclusive_and_all_the_rest_the_one_with_fewer_codes_wins_where_both_come_to_the_same() {
    let exclusive = |priority| Discount { exclusive: true, priority, ..percent(20) };
    let together = [offer("o", exclusive(9)), code("c", 0, Discount { priority: 1, ..percent(20) })];
    assert_eq!(amounts(&price(&units(&[1_000]), &together)), [200, 0]);
    let turned = [code("c", 0, exclusive(0)), offer("o", Discount { priority: 9, ..percent(20) })];
    assert_eq!(amounts(&price(&units(&[1_000]), &turned)), [0, 200]);
}

#[test]
fn lowest_discount_spends_no_code_where_an_offer_takes_as_little() {
    let lowest = |priority| grouped(GroupPolicy::LowestDiscount, priority, percent(10));
    let given = [code("c", 0, lowest(0)), offer("o", lowest(5))];
    assert_eq!(amounts(&price(&units(&[1_000]), &given)), [0, 100]);
}

#[test]
fn a_minimum_may_look_at_what_the_goods_cost_before_discounts() {
    let half = Discount { stage: Stage::Order, ..percent(50) };
    let ships =
        |minimum_spend_base| Discount { minimum_spend: euros(5_000), minimum_spend_base, ..free_shipping() };
    let basket = Basket { shipping: 490, ..units(&[8_000]) };
    let quote = |base| offers(&basket, vec![half.clone(), ships(base)]);
    assert_eq!(quote(Base::Sequential).total, 4_000 + 490);
    assert_eq!(outcomes(&quote(Base::Sequential))[1], inapplicable(Reason::MinimumSpend { missing: 1_000 }));
    assert_eq!(quote(Base::Initial).total, 4_000);
}

#[test]
fn groups_of_one_number_and_different_policies_are_different_groups() {
    let stack = vec![
        percent(10),
        grouped(GroupPolicy::First, 0, percent(20)),
        grouped(GroupPolicy::BestForCustomer, 0, percent(50)),
        grouped(GroupPolicy::LowestDiscount, 0, percent(10)),
    ];
    let evaluation = offers(&units(&[1_000]), stack);
    assert_eq!(amounts(&evaluation), [100, 180, 360, 36]);
}

#[test]
fn an_exclusive_wins_over_everything_else_together_where_it_is_better() {
    let exclusive = |rate| Discount { exclusive: true, ..percent(rate) };
    let others = |rate| vec![percent(20), free_shipping(), exclusive(rate)];
    let basket = Basket { shipping: 100, ..units(&[1_000]) };
    let evaluation = offers(&basket, others(40));
    assert_eq!(outcomes(&evaluation), [lost_to(2), lost_to(2), Outcome::Applied]);
    assert_eq!(evaluation.total, 700);
    let evaluation = offers(&basket, others(25));
    assert_eq!(outcomes(&evaluation), [Outcome::Applied, Outcome::Applied, lost_to(0)]);
}

#[test]
fn an_exclusive_as_good_as_the_rest_is_decided_by_priority_then_id() {
    let exclusive = |priority| Discount { exclusive: true, priority, ..percent(20) };
    let rest = || Discount { priority: 1, ..percent(20) };
    assert_eq!(amounts(&offers(&units(&[1_000]), vec![rest(), exclusive(0)])), [0, 200]);
    assert_eq!(amounts(&offers(&units(&[1_000]), vec![rest(), exclusive(1)])), [200, 0]);
}

#[test]
fn tenders_are_not_affected_by_exclusives_and_stop() {
    let exclusive = Discount { exclusive: true, stop: true, ..percent(50) };
    let evaluation = price(&units(&[1_000]), &[offer("e", exclusive), card("g", 1, 200)]);
    assert_eq!(amounts(&evaluation), [500, 200]);
    assert_eq!(evaluation.payable, Some(300));
}

#[test]
fn stop_ends_the_evaluation_only_after_an_effect() {
    let stop = |discount: Discount| Discount { stop: true, ..discount };
    let idle = stop(Discount { minimum_spend: euros(9_000), ..percent(1) });
    let last = Discount { priority: 2, ..percent(10) };
    let shipped = Basket { shipping: 100, ..units(&[1_000]) };
    let foreign = Discount { scope: only(&["none"]), priority: 3, ..percent(10) };
    let stack = vec![idle, Discount { priority: 1, ..stop(percent(10)) }, last, free_shipping(), foreign];
    let evaluation = offers(&shipped, stack);
    let too_little = inapplicable(Reason::MinimumSpend { missing: 8_000 });
    let none = inapplicable(Reason::NoEligibleGoods);
    assert_eq!(outcomes(&evaluation), [too_little, Outcome::Applied, lost_to(1), lost_to(1), none]);
}

#[test]
fn up_to_4096_alternatives_are_all_tried_and_more_are_decided_group_by_group() {
    let best = |group| Discount { group, group_policy: GroupPolicy::BestForCustomer, ..percent(1) };
    let twelve: Vec<Discount> = (0..12).map(best).collect();
    let evaluation = offers(&units(&[1_000]), twelve);
    assert!(!evaluation.approximate);
    assert!(evaluation.decisions.iter().all(|decision| decision.outcome == Outcome::Applied));
    let thirteen: Vec<Discount> = (0..13).map(best).collect();
    let evaluation = offers(&units(&[1_000]), thirteen);
    assert!(evaluation.approximate);
    assert!(evaluation.decisions.iter().all(|decision| decision.outcome == Outcome::Applied));
}

#[test]
fn members_that_cannot_apply_are_no_alternatives() {
    let best = |group, products: &[&str]| {
        let group_policy = GroupPolicy::BestForCustomer;
        Discount { group, group_policy, scope: only(products), ..percent(1) }
    };
    let stack: Vec<Discount> =
        (0..20).map(|group| best(group, if group < 12 { &["a"] } else { &["z"] })).collect();
    assert!(!offers(&units(&[1_000]), stack).approximate);
}
