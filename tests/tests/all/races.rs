//! Many callers, one limit, two processes of relationship-svc on one PostgreSQL: no limit is ever exceeded, no use is
//! lost, and every call gets one of the two answers there are.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tandem_proto::common::v1::Limits;
use tandem_proto::relationship::v1::{
    GetIncentiveRequest, Incentive, ListRedemptionsRequest, ReturnedLine, RollbackRedemptionRequest,
};
use tandem_tests::answer::Tally;
use tandem_tests::database::{Database, Engine};
use tandem_tests::ledger::Ledger;
use tandem_tests::load::{at_once, at_once_after};
use tandem_tests::stage::{
    Answer, Relationship, Request, Twins, basket, eur, hold_quote, incentive, minor, off, percent, quoted,
    redeem_held, redeem_plain, redeem_quote, roll_back,
};

const CALLERS: usize = 1_000;
const LIMIT: usize = 100;

fn limited(limits: Limits) -> Incentive {
    Incentive { limits: Some(limits), ..incentive(percent(100_000)) }
}

/// Redeems `code` for `CALLERS` orders at once, every other by token and by basket; each takes `off_minor`.
fn by_token_and_by_basket(code: &str, of: &str, off_minor: i64) -> Vec<Request> {
    let request = |index: usize| {
        let order = format!("order-{index}");
        match index % 4 {
            // 10 % of the goods, priced by relationship-svc itself.
            0 | 1 => redeem_plain(&order, basket(&[("1", 1, off_minor * 10)]), &[code]).into(),
            _ => redeem_quote(&order, &quoted(&order, "", &[(code, of, off_minor)])).into(),
        }
    };
    (0..CALLERS).map(request).collect()
}

async fn a_code_limited_to_100(twins: &Twins) {
    let callers = twins.callers();
    callers[0].incentive("spring", incentive(percent(100_000))).await;
    callers[0].codes("spring", &["SPRING"], LIMIT as i64).await;

    let answers = at_once(&callers, by_token_and_by_basket("SPRING", "spring", 100)).await;

    let expected = Tally::expected([("OK", LIMIT), ("FailedPrecondition CODE_EXHAUSTED", CALLERS - LIMIT)]);
    assert_eq!(Tally::of(&answers), expected);
    let ledger = Ledger::checked(twins.database.url()).await;
    assert_eq!(ledger.redemptions.len(), LIMIT);
    assert_eq!(ledger.voucher("SPRING").uses, LIMIT as i64);
    assert_eq!(ledger.counter(2, "spring", "EUR"), (10_000, 0));
    the_service_says_what_the_ledger_holds(&callers[1], &ledger).await;
}

/// Page by page every redemption once, and the sums.
async fn the_service_says_what_the_ledger_holds(caller: &Relationship, ledger: &Ledger) {
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request =
            ListRedemptionsRequest { page_size: 30, page_token, ..ListRedemptionsRequest::default() };
        let page = caller.vouchers.clone().list_redemptions(request).await.unwrap().into_inner();
        listed.extend(page.redemptions.into_iter().map(|one| one.order_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let mut stored: Vec<String> = ledger.redemptions.iter().map(|one| one.order_id.clone()).collect();
    listed.sort_unstable();
    stored.sort_unstable();
    assert_eq!(listed, stored);
    let request = GetIncentiveRequest { name: "incentives/spring".to_owned() };
    let answer = caller.incentives.clone().get_incentive(request).await.unwrap().into_inner();
    let usage = answer.incentive.and_then(|incentive| incentive.usage).expect("with its usage");
    assert_eq!((usage.uses, usage.uses_held, usage.spent), (LIMIT as i64, 0, vec![eur(10_000)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_is_off_is_found_by_these_tests() {
    let twins = Twins::start().await;
    let callers = twins.callers();
    callers[0]
        .incentive("spring", limited(Limits { max_uses_per_customer: Some(9), ..Limits::default() }))
        .await;
    callers[0].codes("spring", &["SPRING"], 9).await;
    let claims = quoted("order", "customers/ada", &[("SPRING", "spring", 100)]);
    callers[0].send(&redeem_quote("order", &claims).into()).await.unwrap();
    let mut outside = PgConnection::connect(twins.database.url()).await.unwrap();
    for (harm, mend) in [
        ("UPDATE voucher SET uses = uses + 1", "UPDATE voucher SET uses = uses - 1"),
        ("UPDATE voucher SET uses_held = 1", "UPDATE voucher SET uses_held = 0"),
        (
            "UPDATE counter SET used = used + 1 WHERE kind = 1",
            "UPDATE counter SET used = used - 1 WHERE kind = 1",
        ),
        (
            "UPDATE counter SET used = used - 1 WHERE kind = 2",
            "UPDATE counter SET used = used + 1 WHERE kind = 2",
        ),
        ("UPDATE counter SET held = 1 WHERE kind = 3", "UPDATE counter SET held = 0 WHERE kind = 3"),
        ("UPDATE redemption SET returned = 1", "UPDATE redemption SET returned = 0"),
    ] {
        sqlx::raw_sql(harm).execute(&mut outside).await.unwrap();
        assert_eq!(Ledger::read(twins.database.url()).await.wrong().len(), 1, "{harm}");
        sqlx::raw_sql(mend).execute(&mut outside).await.unwrap();
        Ledger::checked(twins.database.url()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_1000_callers_on_a_code_limited_to_100_exactly_100_redeem() {
    a_code_limited_to_100(&Twins::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_1000_callers_on_a_code_limited_to_100_exactly_100_redeem_where_transactions_are_serialisable() {
    let database = Database::new(Engine::Postgres).await;
    database.serializable().await;
    a_code_limited_to_100(&Twins::on(database)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_money_budget_is_spent_to_the_last_full_amount_and_never_past_it() {
    let twins = Twins::start().await;
    let callers = twins.callers();
    // 100 times 0.30, and 0.20 that nobody can use.
    callers[0].incentive("budget", limited(Limits { budgets: vec![eur(3_020)], ..Limits::default() })).await;
    callers[0].codes("budget", &["BUDGET"], 0).await;

    let answers = at_once(&callers, by_token_and_by_basket("BUDGET", "budget", 30)).await;

    let expected = Tally::expected([("OK", LIMIT), ("FailedPrecondition BUDGET_EXHAUSTED", CALLERS - LIMIT)]);
    assert_eq!(Tally::of(&answers), expected);
    let ledger = Ledger::checked(twins.database.url()).await;
    assert_eq!(ledger.redemptions.len(), LIMIT);
    assert_eq!(ledger.counter(2, "budget", "EUR"), (3_000, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_customer_and_each_guest_redeems_as_often_as_allowed() {
    let twins = Twins::start().await;
    let callers = twins.callers();
    let (people, each) = (20, LIMIT / 20);
    let limits = Limits { max_uses_per_customer: Some(each as i64), ..Limits::default() };
    callers[0].incentive("personal", limited(limits)).await;
    callers[0].codes("personal", &["PERSONAL"], 0).await;
    let request = |index: usize| {
        let (order, person) = (format!("order-{index}"), index % people);
        let mut claims = quoted(&order, "", &[("PERSONAL", "personal", 100)]);
        match person % 2 {
            0 => claims.customer = format!("customers/person-{person}"),
            _ => claims.guest_key = format!("g1.guest-key-of-{person:05}"),
        }
        redeem_quote(&order, &claims).into()
    };

    let answers = at_once(&callers, (0..CALLERS).map(request).collect()).await;

    let expected =
        Tally::expected([("OK", LIMIT), ("FailedPrecondition CUSTOMER_LIMIT_REACHED", CALLERS - LIMIT)]);
    assert_eq!(Tally::of(&answers), expected);
    let ledger = Ledger::checked(twins.database.url()).await;
    for person in 0..people {
        let subject = match person % 2 {
            0 => format!("c/person-{person}"),
            _ => format!("g/g1.guest-key-of-{person:05}"),
        };
        assert_eq!(ledger.counter(3, "personal", &subject), (each as i64, 0), "{subject}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_keeps_its_use_until_it_lapses_and_then_the_use_is_free_again() {
    let twins = Twins::start().await;
    let callers = twins.callers();
    let (held, ttl) = (50, 2);
    callers[0].incentive("held", incentive(percent(100_000))).await;
    callers[0].codes("held", &["HELD"], LIMIT as i64).await;
    let claims = |order: &str| quoted(order, "", &[("HELD", "held", 100)]);
    let hold = |index: usize| {
        let order = format!("held-{index}");
        hold_quote(&order, &claims(&order), ttl).into()
    };
    let holds = at_once(&callers, (0..held).map(hold).collect()).await;
    assert_eq!(Tally::of(&holds), Tally::expected([("OK", held)]));
    let redeem = |order: String| Request::from(redeem_quote(&order, &claims(&order)));

    // While the holds last only the other half can be had.
    let early =
        at_once(&callers, (0..CALLERS / 2).map(|index| redeem(format!("early-{index}"))).collect()).await;
    let others = LIMIT - held;
    let refused = CALLERS / 2 - others;
    assert_eq!(
        Tally::of(&early),
        Tally::expected([("OK", others), ("FailedPrecondition CODE_EXHAUSTED", refused)])
    );

    // Around their end, half of the holders come for theirs, and everybody else for what has become free.
    let spread = |index: usize| Duration::from_millis((index as u64 * 7_919) % (ttl as u64 * 1_000 + 500));
    let mut requests: Vec<(Duration, Request)> =
        (0..held / 2).map(|index| (spread(index), redeem_held(&format!("held-{index}")).into())).collect();
    requests.extend((0..CALLERS / 2).map(|index| (spread(index), redeem(format!("late-{index}")))));
    let late = at_once_after(&callers, requests).await;
    let tally = Tally::of(&late);
    let known = ["OK", "FailedPrecondition CODE_EXHAUSTED", "FailedPrecondition HOLD_OVER"];
    assert!(tally.0.keys().all(|name| known.contains(&name.as_str())), "{tally:?}");

    // And whatever is still free after the last of them, to the last use.
    let rest = LIMIT - others - tally.count("OK");
    let last = at_once(&callers, (0..held).map(|index| redeem(format!("last-{index}"))).collect()).await;
    assert_eq!(Tally::of(&last).count("OK"), rest);
    let ledger = Ledger::checked(twins.database.url()).await;
    let used = ledger.redemptions.iter().filter(|one| one.was_redeemed()).count();
    assert_eq!(
        (used, ledger.voucher("HELD").uses, ledger.voucher("HELD").uses_held),
        (LIMIT, LIMIT as i64, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_codes_of_one_order_are_redeemed_together_or_not_at_all_in_whatever_order_they_are_given() {
    let twins = Twins::start().await;
    let callers = twins.callers();
    for (id, code) in [("left", "LEFT"), ("right", "RIGHT")] {
        callers[0].incentive(id, incentive(percent(100_000))).await;
        callers[0].codes(id, &[code], LIMIT as i64).await;
    }
    let request = |index: usize| {
        let order = format!("order-{index}");
        let mut codes = [("LEFT", "left", 100), ("RIGHT", "right", 200)];
        if (index * 7_919) % 13 < 6 {
            codes.reverse();
        }
        redeem_quote(&order, &quoted(&order, "", &codes)).into()
    };

    let answers = at_once(&callers, (0..CALLERS).map(request).collect()).await;

    let expected = Tally::expected([("OK", LIMIT), ("FailedPrecondition CODE_EXHAUSTED", CALLERS - LIMIT)]);
    assert_eq!(Tally::of(&answers), expected);
    let ledger = Ledger::checked(twins.database.url()).await;
    assert_eq!((ledger.voucher("LEFT").uses, ledger.voucher("RIGHT").uses), (LIMIT as i64, LIMIT as i64));
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_whose_codes_form_a_circle_neither_deadlock_nor_exceed_a_limit() {
    let twins = Twins::start().await;
    let callers = twins.callers();
    let ring = [("a", "CODE-A"), ("b", "CODE-B"), ("c", "CODE-C")];
    for (id, code) in ring {
        let limits =
            Limits { budgets: vec![eur(100_000)], max_uses_per_customer: Some(1_000), ..Limits::default() };
        callers[0].incentive(id, limited(limits)).await;
        callers[0].codes(id, &[code], LIMIT as i64).await;
    }
    let request = |index: usize| {
        let (order, customer) = (format!("order-{index}"), format!("customers/person-{}", index % 3));
        let ((id, code), (next, other)) = (ring[index % 3], ring[(index + 1) % 3]);
        redeem_quote(&order, &quoted(&order, &customer, &[(code, id, 100), (other, next, 100)])).into()
    };

    let answers = at_once(&callers, (0..CALLERS / 2).map(request).collect()).await;

    let tally = Tally::of(&answers);
    let known = ["OK", "FailedPrecondition CODE_EXHAUSTED"];
    assert!(tally.0.keys().all(|name| known.contains(&name.as_str())), "{tally:?}");
    let ledger = Ledger::checked(twins.database.url()).await;
    let left: Vec<i64> = ring.iter().map(|(_, code)| LIMIT as i64 - ledger.voucher(code).uses).collect();
    assert_eq!(ledger.redemptions.len(), 2 * tally.count("OK"));
    assert!(
        left.iter().filter(|left| **left > 0).count() <= 1,
        "two codes have room, and yet an order was refused: {left:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_rollbacks_of_one_redemption_give_one_credit() {
    let twins = Twins::start().await;
    let callers = twins.callers();
    let limits = Limits { budgets: vec![eur(1_000)], max_uses: Some(1), ..Limits::default() };
    callers[0].incentive("once", limited(limits)).await;
    callers[0].codes("once", &["ONCE"], 1).await;
    let redeem = redeem_quote("order", &quoted("order", "", &[("ONCE", "once", 1_000)])).into();
    callers[0].send(&redeem).await.unwrap();

    let request = |index: usize| Request::from(roll_back("order")).under(format!("rollback-{index}"));
    let answers = at_once(&callers, (0..200).map(request).collect()).await;

    assert_eq!(Tally::of(&answers), Tally::expected([("OK", 200)]));
    let returned: Vec<i64> = answers.iter().map(returned).filter(|minor| *minor != 0).collect();
    assert_eq!(returned, [1_000]);
    let ledger = Ledger::checked(twins.database.url()).await;
    assert_eq!(ledger.counter(2, "once", "EUR"), (0, 0));
    assert_eq!(
        (ledger.redemptions[0].state.as_str(), ledger.redemptions[0].returned),
        ("ROLLED_BACK", 1_000)
    );
    callers[1].send(&redeem_again()).await.unwrap();
    Ledger::checked(twins.database.url()).await;
}

fn redeem_again() -> Request {
    redeem_quote("another", &quoted("another", "", &[("ONCE", "once", 1_000)])).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_returns_of_single_units_sum_to_the_discount_exactly() {
    let twins = Twins::start().await;
    let callers = twins.callers();
    callers[0].incentive("ten", incentive(off(1_000))).await;
    callers[0].codes("ten", &["TEN-OFF"], 0).await;
    let redeem = redeem_plain("order", basket(&[("shirt", 3, 1_000)]), &["TEN-OFF"]).into();
    callers[0].send(&redeem).await.unwrap();

    let request = |index: usize| {
        let line = ReturnedLine { line_id: "shirt".to_owned(), quantity: 1 };
        let one = RollbackRedemptionRequest { lines: vec![line], ..roll_back("order") };
        Request::from(one).under(format!("return-{index}"))
    };
    let answers = at_once(&callers, (0..60).map(request).collect()).await;

    let expected = Tally::expected([("OK", 3), ("FailedPrecondition QUANTITY_EXCEEDED", 57)]);
    assert_eq!(Tally::of(&answers), expected);
    let mut returned: Vec<i64> = answers.iter().map(returned).filter(|minor| *minor != 0).collect();
    returned.sort_unstable();
    assert_eq!(returned, [333, 333, 334]);
    Ledger::checked(twins.database.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_order_redeemed_by_many_at_once_is_redeemed_once_and_all_are_told_the_same() {
    let twins = Twins::start().await;
    let callers = twins.callers();
    callers[0].incentive("spring", incentive(percent(100_000))).await;
    callers[0].codes("spring", &["SPRING"], LIMIT as i64).await;
    let claims = quoted("order", "", &[("SPRING", "spring", 100)]);
    // Half of them repeat one call, the other half are calls of their own.
    let request = |index: usize| {
        let request = Request::from(redeem_quote("order", &claims));
        if index.is_multiple_of(2) { request } else { request.under(format!("own-{index}")) }
    };

    let answers = at_once(&callers, (0..200).map(request).collect()).await;

    assert_eq!(Tally::of(&answers), Tally::expected([("OK", 200)]));
    let names: Vec<&str> = answers.iter().map(redemption).collect();
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
    let ledger = Ledger::checked(twins.database.url()).await;
    assert_eq!((ledger.redemptions.len(), ledger.voucher("SPRING").uses), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gift_card_pays_no_more_than_it_is_worth() {
    use tandem_proto::common::v1::discount::Kind;
    use tandem_proto::common::v1::{Discount, GiftCardTender};
    use tandem_proto::relationship::v1::Voucher;

    let twins = Twins::start().await;
    let callers = twins.callers();
    let card = Discount { kind: Some(Kind::GiftCard(GiftCardTender::default())), ..Discount::default() };
    callers[0].incentive("card", Incentive { discount: Some(card), ..Incentive::default() }).await;
    let voucher = Voucher {
        code: "GIFT-CARD".to_owned(),
        incentive: "incentives/card".to_owned(),
        initial_balance: Some(eur(10_050)),
        ..Voucher::default()
    };
    callers[0].import(vec![voucher]).await;
    let request = |index: usize| {
        let order = format!("order-{index}");
        let mut claims = quoted(&order, "", &[("GIFT-CARD", "card", 100)]);
        claims.codes[0].tender = true;
        claims.codes[0].shares.clear();
        claims.total_minor = 30_000;
        claims.lines[0].final_minor = 30_000;
        redeem_quote(&order, &claims).into()
    };

    let answers = at_once(&callers, (0..CALLERS / 2).map(request).collect()).await;

    let tally = Tally::of(&answers);
    assert_eq!(tally.count("OK"), LIMIT, "{tally:?}");
    assert!(tally.0.keys().all(|name| name == "OK" || name.starts_with("FailedPrecondition ")), "{tally:?}");
    let ledger = Ledger::checked(twins.database.url()).await;
    assert_eq!(ledger.voucher("GIFT-CARD").spent, 10_000);
}

fn returned(answer: &Result<Answer, tonic::Status>) -> i64 {
    match answer {
        Ok(Answer::RolledBack(answer)) => minor(answer.returned.as_ref()),
        _ => 0,
    }
}

fn redemption(answer: &Result<Answer, tonic::Status>) -> &str {
    match answer {
        Ok(Answer::Redeemed(answer)) => answer.redemptions.first().map_or("", |one| one.name.as_str()),
        _ => "",
    }
}
