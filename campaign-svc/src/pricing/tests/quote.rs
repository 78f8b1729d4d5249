//! What a basket costs, and why.

use prost::Message;
use tandem_kernel::locale::Locale;
use tandem_kernel::pricing::{Outcome, Reason};
use tandem_kernel::seal::Keyring;
use tandem_proto::campaign::v1::{
    Decision, DecisionOutcome, DecisionReason, IncentivesStatus, QuoteResponse,
};
use tandem_proto::common::v1;
use tandem_proto::convert::open_claims;

use super::*;
use crate::pricing::extent::Extent;
use crate::pricing::price::{Refusal, Source};
use crate::pricing::quote::Quote;
use crate::pricing::{digest, encode, explanation};

fn decisions(ask: &Ask, priced: &Priced<'_>, incentives: &Incentives) -> Vec<Decision> {
    let written = |verdict| encode::decision(verdict, ask, priced, incentives);
    priced.verdicts.iter().map(|verdict| Decision::decode(written(verdict).as_slice()).unwrap()).collect()
}

fn told(
    ask: &Ask,
    snapshot: &Snapshot,
    incentives: &Incentives,
) -> Vec<(String, DecisionOutcome, DecisionReason)> {
    let priced = price(snapshot, ask, incentives);
    let decisions = decisions(ask, &priced, incentives);
    decisions.iter().map(|one| (one.source.clone(), one.outcome(), one.reason())).collect()
}

fn gift_card() -> Discount {
    discount(Kind::GiftCard { max_per_order: Amounts::default() }, Stage::Tender)
}

#[test]
fn prices_come_first_and_the_lowest_wins() {
    let tenth = rule("tenth", Scope::default(), PriceChange::Percent { rate_ppm: 100_000 });
    let fixed = rule("fixed", of_products(&["1"]), PriceChange::Fixed(amounts(80)));
    let mix = mix(vec![offer("half", percent(500_000))], vec![tenth, fixed]);
    let snapshot = snapshot(Vec::new(), &[planned("c", mix)]);
    let ask = ask(vec![line("a", "1", 2, 100), line("b", "2", 1, 105)]);
    let priced = price(&snapshot, &ask, &Incentives::NotAsked);
    let lines: Vec<_> =
        priced.evaluation.lines.iter().map(|line| (line.initial_unit, line.final_amount)).collect();
    // 1.05 less 10 % is 0.945, as a price 0.95.
    assert_eq!(lines, [(80, 80), (95, 47)]);
    let rules: Vec<_> =
        priced.evaluation.lines.iter().map(|line| &*priced.rules[line.price_rule.unwrap()].name).collect();
    assert_eq!(rules, ["campaigns/c/priceRules/fixed", "campaigns/c/priceRules/tenth"]);
}

#[test]
fn an_offer_keeps_the_margin_floor_of_its_campaign() {
    let mut mix = mix(vec![offer("half", percent(500_000))], Vec::new());
    mix.price.margin_floor_ppm = 200_000;
    let snapshot = snapshot(Vec::new(), &[planned("c", mix)]);
    let ask = ask(vec![Line { unit_cost: Some(1_000), ..line("a", "1", 1, 2_000) }]);
    let priced = price(&snapshot, &ask, &Incentives::NotAsked);
    assert_eq!(priced.evaluation.total, 1_250);
    assert_eq!(priced.evaluation.decisions[0].cut_by_floor, 250);
}

#[test]
fn a_promise_ends_with_what_counted_and_after_15_minutes_at_the_latest() {
    let until = |campaign: Planned, at: Timestamp| {
        let snapshot = snapshot(Vec::new(), &[campaign]);
        price_at(&snapshot, &ask(vec![line("a", "1", 1, 100)]), &Incentives::NotAsked, at).valid_until
    };
    let offers = || mix(vec![offer("x", percent(100_000))], Vec::new());
    let (start, end) = ("2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z");
    assert_eq!(until(during("c", start, end, offers()), now()), at("2026-07-01T12:15:00Z"));
    assert_eq!(until(during("c", start, end, offers()), at("2026-07-01T23:50:00Z")), at(end));
    // Another revision takes nothing back.
    let adapted = during("c", start, end, offers()).adapted("2026-07-01T12:05:00Z", Mix::default());
    assert_eq!(until(adapted, now()), at("2026-07-01T12:15:00Z"));
    let rules = mix(Vec::new(), vec![rule("r", Scope::default(), PriceChange::Percent { rate_ppm: 1_000 })]);
    assert_eq!(
        until(during("c", start, end, rules.clone()), at("2026-07-01T23:50:00Z")),
        at("2026-07-02T00:05:00Z")
    );
    let rules =
        mix(Vec::new(), vec![rule("r", Scope::default(), PriceChange::Percent { rate_ppm: 100_000 })]);
    assert_eq!(until(during("c", start, end, rules), at("2026-07-01T23:50:00Z")), at(end));
    // What does not apply shortens nothing.
    let other =
        mix(vec![offer("x", Discount { minimum_spend: amounts(1_000), ..percent(100_000) })], Vec::new());
    assert_eq!(until(during("c", start, end, other), at("2026-07-01T23:50:00Z")), at("2026-07-02T00:05:00Z"));
}

#[test]
fn a_promise_ends_with_a_code_that_counted() {
    let snapshot = Snapshot::default();
    let ends = at("2026-07-01T12:03:00Z");
    let given = Code { expires: Some(ends), ..code("TEN", "ten", percent(100_000)) };
    let (ask, incentives) = with_codes(ask(vec![line("a", "1", 1, 100)]), &["ten"], vec![given], &[]);
    assert_eq!(price(&snapshot, &ask, &incentives).valid_until, ends);
}

#[test]
fn offers_and_codes_meet_on_one_scale() {
    let first = Discount { group: 1, ..percent(100_000) };
    let second = Discount { group: 2, ..percent(100_000) };
    let snapshot = snapshot(Vec::new(), &[planned("c", mix(vec![offer("late", second)], Vec::new()))]);
    let (ask, incentives) =
        with_codes(ask(vec![line("a", "1", 1, 1_000)]), &["early"], vec![code("EARLY", "e", first)], &[]);
    let priced = price(&snapshot, &ask, &incentives);
    let amounts: Vec<_> = decisions(&ask, &priced, &incentives)
        .iter()
        .map(|one| (one.source.clone(), one.amount.as_ref().unwrap().nanos / 10_000_000))
        .collect();
    assert_eq!(
        amounts,
        [("vouchers/early".to_owned(), 0), ("campaigns/c/offers/late".to_owned(), 90)],
        "1.00 off 10.00, then 0.90 off 9.00"
    );
    assert_eq!(priced.evaluation.total, 810);
}

#[test]
fn the_same_code_twice_and_two_codes_of_one_incentive_count_once() {
    let codes = vec![
        code("TEN", "ten", percent(100_000)),
        code("TEN", "ten", percent(100_000)),
        code("OTHER", "ten", percent(100_000)),
    ];
    let (ask, incentives) =
        with_codes(ask(vec![line("a", "1", 1, 100)]), &["ten", "Ten", "other"], codes, &[]);
    let told = told(&ask, &Snapshot::default(), &incentives);
    let expected = [
        ("vouchers/ten", DecisionOutcome::Applied, DecisionReason::Unspecified),
        ("vouchers/Ten", DecisionOutcome::Inapplicable, DecisionReason::DuplicateCode),
        ("vouchers/other", DecisionOutcome::Inapplicable, DecisionReason::OneCodePerIncentive),
    ];
    assert_eq!(told, expected.map(|(source, outcome, reason)| (source.to_owned(), outcome, reason)));
}

#[test]
fn gift_cards_of_one_kind_pay_together() {
    let card = |folded, balance| Code { balance: Some(balance), ..code(folded, "card", gift_card()) };
    let (ask, incentives) = with_codes(
        ask(vec![line("a", "1", 1, 1_000)]),
        &["A", "B"],
        vec![card("A", 300), card("B", 400)],
        &[],
    );
    let snapshot = Snapshot::default();
    let priced = price(&snapshot, &ask, &incentives);
    let sums = &priced.evaluation;
    assert_eq!((sums.total, sums.tendered, sums.payable), (1_000, 700, Some(300)));
    assert!(decisions(&ask, &priced, &incentives).iter().all(|decision| decision.tender));
}

#[test]
fn a_refused_code_says_why() {
    let refused = Code { terms: Err("CODE_EXPIRED".to_owned()), ..code("OLD", "old", percent(1)) };
    let (ask, incentives) = with_codes(ask(vec![line("a", "1", 1, 100)]), &["old"], vec![refused], &[]);
    let snapshot = Snapshot::default();
    let priced = price(&snapshot, &ask, &incentives);
    let decision = &decisions(&ask, &priced, &incentives)[0];
    assert_eq!(decision.reason(), DecisionReason::CodeRefused);
    assert_eq!(decision.code_refusal, "CODE_EXPIRED");
}

#[test]
fn a_budget_that_does_not_cover_a_code_refuses_it_or_caps_it() {
    let given = |capped| Code { money_left: Some(40), capped, ..code("HALF", "half", percent(500_000)) };
    let asked = |capped| {
        let snapshot =
            snapshot(Vec::new(), &[planned("c", mix(vec![offer("x", percent(100_000))], Vec::new()))]);
        let (ask, incentives) =
            with_codes(ask(vec![line("a", "1", 1, 100)]), &["half"], vec![given(capped)], &[]);
        let priced = price(&snapshot, &ask, &incentives);
        let decisions = decisions(&ask, &priced, &incentives);
        (priced.evaluation.total, decisions[0].reason(), decisions[1].outcome())
    };
    assert_eq!(asked(false), (90, DecisionReason::BudgetExhausted, DecisionOutcome::Applied));
    assert_eq!(asked(true), (50, DecisionReason::Unspecified, DecisionOutcome::Applied));
}

#[test]
fn a_condition_reads_basket_place_and_time() {
    let noon = Offer {
        condition: "now.hour == 12 && place.channel == 'store'".to_owned(),
        ..offer("noon", percent(1_000))
    };
    let big = Offer { condition: "basket.amount >= 10000".to_owned(), ..offer("big", percent(1_000)) };
    let snapshot = snapshot(Vec::new(), &[planned("c", mix(vec![noon, big], Vec::new()))]);
    let ask = Ask { place: "stores/ulm".to_owned(), ..ask(vec![line("a", "1", 1, 9_999)]) };
    let told = told(&ask, &snapshot, &Incentives::NotAsked);
    let expected = [
        ("campaigns/c/offers/big", DecisionOutcome::Inapplicable, DecisionReason::ConditionNotMet),
        ("campaigns/c/offers/noon", DecisionOutcome::Applied, DecisionReason::Unspecified),
    ];
    assert_eq!(told, expected.map(|(source, outcome, reason)| (source.to_owned(), outcome, reason)));
}

#[test]
fn what_loses_names_the_winner_and_what_misses_says_how_much() {
    let best = |rate_ppm| Discount { group_policy: GroupPolicy::BestForCustomer, ..percent(rate_ppm) };
    let dear = Discount { group: 5, minimum_spend: amounts(1_250), ..percent(100_000) };
    let offers = vec![offer("a", best(100_000)), offer("b", best(200_000)), offer("dear", dear)];
    let snapshot = snapshot(Vec::new(), &[planned("c", mix(offers, Vec::new()))]);
    let ask = ask(vec![line("a", "1", 1, 1_250)]);
    let priced = price(&snapshot, &ask, &Incentives::NotAsked);
    let decisions = decisions(&ask, &priced, &Incentives::NotAsked);
    assert_eq!(decisions[0].outcome(), DecisionOutcome::Skipped);
    assert_eq!(decisions[0].lost_to, "campaigns/c/offers/b");
    assert_eq!(decisions[1].outcome(), DecisionOutcome::Applied);
    assert_eq!(decisions[1].lines[0].line_id, "a");
    assert_eq!(decisions[2].reason(), DecisionReason::MinimumSpend);
    let missing = decisions[2].missing.clone().unwrap();
    assert_eq!((missing.units, missing.nanos), (2, 500_000_000));
}

#[test]
fn titles_are_in_the_callers_language_where_there_is_one() {
    let snapshot = snapshot(Vec::new(), &[planned("c", mix(vec![offer("x", percent(1_000))], Vec::new()))]);
    for (locale, title) in
        [("", "x"), ("fr", "x"), ("de", "x auf Deutsch"), ("de_AT", "x auf Deutsch"), ("DE", "x auf Deutsch")]
    {
        let ask = Ask { locale: Locale::parse(locale).unwrap(), ..ask(vec![line("a", "1", 1, 1_000)]) };
        let priced = price(&snapshot, &ask, &Incentives::NotAsked);
        assert_eq!(decisions(&ask, &priced, &Incentives::NotAsked)[0].title, title, "{locale}");
    }
}

#[test]
fn a_paused_campaign_gives_nothing() {
    let paused = planned("c", mix(vec![offer("x", percent(100_000))], Vec::new())).stepped(
        "2026-06-15T00:00:00Z",
        Step::Paused,
        PhaseKind::Paused,
    );
    let snapshot = snapshot(Vec::new(), &[paused]);
    let priced = price(&snapshot, &ask(vec![line("a", "1", 1, 100)]), &Incentives::NotAsked);
    assert_eq!((priced.evaluation.total, priced.verdicts.len()), (100, 0));
    assert!(snapshot.campaign("c").is_some());
}

#[test]
fn without_the_peer_open_offers_apply_and_the_rest_says_so() {
    let campaigns = [
        planned("open", mix(vec![offer("x", percent(100_000))], Vec::new())),
        planned("vip", mix(vec![offer("x", percent(100_000))], Vec::new())).for_segments(&["gold"]),
    ];
    let snapshot = snapshot(Vec::new(), &campaigns);
    let (ask, _) = with_codes(ask(vec![line("a", "1", 1, 100)]), &["ten", "TEN"], Vec::new(), &[]);
    let told = told(&ask, &snapshot, &Incentives::Unavailable);
    let expected = [
        ("vouchers/ten", DecisionOutcome::Inapplicable, DecisionReason::PeerUnavailable),
        ("vouchers/TEN", DecisionOutcome::Inapplicable, DecisionReason::DuplicateCode),
        ("campaigns/open/offers/x", DecisionOutcome::Applied, DecisionReason::Unspecified),
        ("campaigns/vip/offers/x", DecisionOutcome::Inapplicable, DecisionReason::PeerUnavailable),
    ];
    assert_eq!(told, expected.map(|(source, outcome, reason)| (source.to_owned(), outcome, reason)));
}

#[test]
fn the_token_seals_the_amounts_by_line_offer_and_code() {
    let priced_rule = rule("r", of_products(&["1"]), PriceChange::Fixed(amounts(900)));
    let snapshot = snapshot(
        Vec::new(),
        &[planned("c", mix(vec![offer("x", percent(100_000))], vec![priced_rule])).adapted(
            "2026-06-15T00:00:00Z",
            mix(
                vec![offer("x", percent(100_000))],
                vec![rule("r", of_products(&["1"]), PriceChange::Fixed(amounts(800)))],
            ),
        )],
    );
    let order_off = discount(
        Kind::Amount { amounts: amounts(100), per: tandem_kernel::discount::AmountPer::Order },
        Stage::Order,
    );
    let card = Code { balance: Some(50), ..code("CARD", "card", gift_card()) };
    let mut asked = ask(vec![line("a", "1", 1, 1_000), line("b", "2", 2, 500)]);
    asked.basket.shipping = 490;
    asked.order_id = "o-1".to_owned();
    asked.place = "AT".to_owned();
    let (ask, incentives) =
        with_codes(asked, &["off", "card"], vec![code("OFF", "off", order_off), card], &["gold"]);
    let priced = price(&snapshot, &ask, &incentives);
    let digest = digest::of(&ask);
    let why = explanation::of(&ask, &priced, &incentives);
    let claims = encode::claims("shop", &ask, &priced, &incentives, &digest, now(), &why);
    let keys = Keyring::parse("k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").unwrap();
    let opened = open_claims(&keys.seal(&claims), &keys).unwrap();
    assert_eq!(opened.encode_to_vec(), claims, "as the generated types write it");

    assert_eq!((&*opened.tenant, &*opened.order_id, &*opened.place), ("shop", "o-1", "AT"));
    assert_eq!((&*opened.customer, opened.degraded), ("customers/7", false));
    assert_eq!(&opened.order_digest[..], digest);
    // 8.00 + 10.00 less 10 % less 1.00, and 4.90 for shipping.
    assert_eq!((opened.list_minor, opened.total_minor, opened.shipping_minor), (2_000, 1_520 + 490, 490));
    assert_eq!(opened.lines.iter().map(|line| line.final_minor).sum::<i64>(), 1_520);
    assert_eq!(opened.lines[0].price_rule, "campaigns/c/priceRules/r");
    assert_eq!(
        (opened.lines[0].list_minor, opened.lines[0].initial_minor, opened.lines[0].revision),
        (1_000, 800, 2)
    );
    assert_eq!((opened.offers[0].amount_minor, opened.offers[0].revision), (180, 2));
    assert_eq!(opened.codes.len(), 2);
    let off = &opened.codes[0];
    assert_eq!(
        (&*off.code, &*off.incentive, off.version, off.amount_minor),
        ("OFF", "incentives/off", 3, 100)
    );
    assert_eq!(off.shares.iter().map(|share| share.minor).sum::<i64>(), 100);
    assert_eq!((opened.codes[1].tender, opened.codes[1].amount_minor), (true, 50));
    assert_eq!(opened.explanation.as_deref(), Some(&[][..]), "everything applied");
}

#[test]
fn the_digest_depends_on_what_was_asked_and_not_on_the_order_of_the_lines() {
    let (a, b) = (line("a", "1", 1, 100), line("b", "2", 1, 200));
    let base = ask(vec![a.clone(), b.clone()]);
    let same = ask(vec![b.clone(), a.clone()]);
    assert_eq!(digest::of(&base), digest::of(&same));
    let others = [
        ask(vec![a.clone(), Line { quantity: 2, ..b }]),
        Ask { place: "AT".to_owned(), ..base.clone() },
        Ask { customer: "customers/1".to_owned(), ..base.clone() },
        Ask { guest_key: "customers/1".to_owned(), ..base.clone() },
        Ask { codes: vec!["customers/1".to_owned()], ..base.clone() },
    ];
    let mut digests: Vec<_> = others.iter().chain([&base]).map(digest::of).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 6);
}

#[test]
fn an_exclusive_code_that_is_better_leaves_the_offers_out() {
    let exclusive = Discount { exclusive: true, ..percent(500_000) };
    let snapshot = snapshot(Vec::new(), &[planned("c", mix(vec![offer("x", percent(100_000))], Vec::new()))]);
    let (ask, incentives) =
        with_codes(ask(vec![line("a", "1", 1, 100)]), &["half"], vec![code("HALF", "half", exclusive)], &[]);
    let priced = price(&snapshot, &ask, &incentives);
    assert_eq!(priced.evaluation.total, 50);
    let verdict = &priced.verdicts[1];
    assert!(matches!(verdict.source, Source::Offer(_)));
    let Ok(index) = verdict.decided else { panic!("{:?}", verdict.decided) };
    assert!(matches!(priced.evaluation.decisions[index].outcome, Outcome::Skipped { .. }));
}

#[test]
fn reasons_of_the_kernel_are_told() {
    let scope = of_products(&["9"]);
    let narrow = Discount {
        scope: Scope { condition: "line.quantity > 5".to_owned(), ..Scope::default() },
        ..percent(1_000)
    };
    let snapshot = snapshot(Vec::new(), &[planned("c", mix(vec![offer("narrow", narrow)], Vec::new()))]);
    let priced = price(&snapshot, &ask(vec![line("a", "1", 1, 100)]), &Incentives::NotAsked);
    let reason = Outcome::Inapplicable { reason: Reason::NoEligibleGoods };
    assert_eq!(priced.evaluation.decisions[0].outcome, reason);
    assert_eq!(priced.verdicts[0].decided, Ok::<usize, Refusal>(0));
    let _ = scope;
}

/// An answer in which every field has something to say.
#[test]
fn an_answer_is_written_as_the_generated_types_write_it() {
    let dear = Discount { group: 9, minimum_spend: amounts(1_000_000), ..percent(100_000) };
    let best =
        |rate_ppm| Discount { group: 5, group_policy: GroupPolicy::BestForCustomer, ..percent(rate_ppm) };
    let free = Kind::Shipping { benefit: tandem_kernel::discount::ShippingBenefit::Rate(500_000) };
    let offers = vec![
        offer("a", Discount { margin_floor_ppm: 100_000, ..percent(500_000) }),
        offer("b", best(10_000)),
        offer("c", best(20_000)),
        offer("d", dear),
        offer("e", discount(free, Stage::Shipping)),
    ];
    let sale = rule("sale", of_products(&["1"]), PriceChange::Percent { rate_ppm: 100_000 });
    let mut campaign = planned("c", mix(offers, vec![sale]));
    campaign.1[0].revision = 3;
    let prices = vec![listed("1", "", "2026-01-01T00:00:00Z", Some(2_000))];
    let snapshot =
        Snapshot::default().with(changes(vec![product("1", 2_000)], prices, &[campaign]), 1, horizon());
    let card = Code { balance: Some(250), ..code("CARD", "card", gift_card()) };
    let refused = Code { terms: Err("CODE_EXPIRED".to_owned()), ..code("OLD", "old", percent(1)) };
    let mut asked = ask(vec![
        Line { unit_cost: Some(1_500), ..line("first", "1", 2, 2_000) },
        line("second", "2", 1, 150),
    ]);
    asked.basket.shipping = 490;
    let (ask, incentives) = with_codes(asked, &["card", "old"], vec![card, refused], &[]);
    let priced = price(&snapshot, &ask, &incentives);
    let age = std::time::Duration::from_millis(90_125);
    let (token, digest) = ("v1.k1.sealed".to_owned(), digest::of(&ask));
    let extent = Extent { ask: &ask, priced: &priced, incentives: &incentives };
    let (told, left_out) = extent.told().unwrap();
    assert_eq!((told.len(), left_out), (priced.verdicts.len(), 0));
    let Extent { ask, priced, incentives } = extent;
    let quote = Quote { ask, priced, told, left_out: 7, incentives, token, digest, age };
    let written = encode::quote(&quote);
    let answer = QuoteResponse::decode(written.as_slice()).unwrap();
    assert_eq!(answer.encode_to_vec(), written);

    let euros = |minor: i64| {
        Some(v1::Money {
            currency_code: "EUR".to_owned(),
            units: minor / 100,
            nanos: i32::try_from(minor % 100 * 10_000_000).unwrap(),
        })
    };
    let sums = &quote.priced.evaluation;
    let totals = answer.totals.clone().unwrap();
    assert_eq!(totals.list_amount, euros(4_150));
    assert_eq!(totals.initial_amount, euros(3_750));
    assert_eq!((totals.discount_amount, totals.goods_amount), (euros(sums.discount), euros(sums.goods)));
    assert_eq!((totals.shipping_amount, totals.shipping_discount), (euros(490), euros(245)));
    assert_eq!(totals.total, euros(sums.goods + 245));
    assert_eq!((totals.tendered, totals.payable), (euros(250), euros(sums.goods + 245 - 250)));
    let first = &answer.lines[0];
    assert_eq!(
        (&*first.line_id, &*first.price_rule, first.revision),
        ("first", "campaigns/c/priceRules/sale", 3)
    );
    assert_eq!((first.list_unit_price.clone(), first.unit_price.clone()), (euros(2_000), euros(1_800)));
    assert_eq!((first.initial_amount.clone(), first.prior_price.clone()), (euros(3_600), euros(2_000)));
    assert_eq!(first.discount_amount, euros(sums.lines[0].discount));
    assert_eq!(first.final_amount, euros(sums.lines[0].final_amount));
    assert_eq!(answer.lines[1].prior_price, None);
    assert_eq!((&*answer.quote_token, answer.approximate), ("v1.k1.sealed", false));
    assert_eq!(answer.snapshot_age, Some(prost_types::Duration { seconds: 90, nanos: 125_000_000 }));
    assert_eq!(answer.valid_until.unwrap().seconds, (now() + SignedDuration::from_mins(15)).as_second());
    assert_eq!(answer.order_digest.len(), 64);
    assert_eq!(answer.incentives_status(), IncentivesStatus::Included);

    let of = |source: &str| answer.decisions.iter().find(|one| one.source == source).unwrap();
    assert_eq!((of("vouchers/card").tender, of("vouchers/card").amount.clone()), (true, euros(250)));
    assert_eq!((of("vouchers/card").revision, &*of("vouchers/card").title), (3, "title of card"));
    assert_eq!(&*of("vouchers/old").code_refusal, "CODE_EXPIRED");
    let half = of("campaigns/c/offers/a");
    assert_eq!((half.revision, &*half.title, half.outcome()), (3, "a", DecisionOutcome::Applied));
    // 1,500 at a margin of 10 % is 1,667: of 18.00 each 1.33 go, of 1.50 the half.
    assert_eq!(half.amount, euros(266 + 75));
    assert_eq!(half.cut_by_floor, euros(1_800 - 266));
    assert_eq!(half.lines[0].amount, euros(266));
    assert_eq!(&*of("campaigns/c/offers/b").lost_to, "campaigns/c/offers/c");
    assert_eq!(of("campaigns/c/offers/d").missing, euros(1_000_000 - sums.goods));
    let shipping = of("campaigns/c/offers/e");
    assert_eq!((shipping.shipping_amount.clone(), shipping.amount.clone()), (euros(245), euros(245)));
}
