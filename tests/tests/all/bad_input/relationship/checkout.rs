//! What a checkout asks for.

use super::*;

/// What is wrong, the codes that are given, and (code, reason) of each that is refused.
type Row = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

/// Every wrong thing a checkout may ask for.
pub async fn codes_that_cannot_be_used(caller: &Relationship, table: &mut Table) {
    let mut vouchers = caller.vouchers.clone();
    let refusals: &[Row] = &[
        ("an unknown code", NO_SUCH, &[("NO-SUCH", "CODE_UNKNOWN")]),
        ("a code whose incentive is over", &["OVER"], &[("OVER", "CODE_EXPIRED")]),
        ("a code that is over itself", &["ENDED"], &[("ENDED", "CODE_EXPIRED")]),
        ("a code whose incentive has not begun", &["SOON"], &[("SOON", "CODE_NOT_YET_VALID")]),
        ("a code that has not begun itself", &["EARLY"], &[("EARLY", "CODE_NOT_YET_VALID")]),
        ("a code whose uses are spent", &["USED"], &[("USED", "CODE_EXHAUSTED")]),
        ("a code of another customer", &["adas"], &[("ADAS", "CODE_NOT_YOURS")]),
        ("a code limited per customer without one", &["PERSONAL"], &[("PERSONAL", "CUSTOMER_REQUIRED")]),
        ("a code for a segment the customer is not in", &["EXCLUSIVE"], &[("EXCLUSIVE", "NOT_ELIGIBLE")]),
        ("a basket under the minimum", &["MINIMUM"], &[("MINIMUM", "NOT_APPLICABLE")]),
        ("two codes of one incentive", &["GOOD", "good-too"], &[("GOOD-TOO", "ONE_CODE_PER_INCENTIVE")]),
        (
            "several at once",
            &["GOOD", "OVER", "NO-SUCH", "SOON"],
            &[("OVER", "CODE_EXPIRED"), ("NO-SUCH", "CODE_UNKNOWN"), ("SOON", "CODE_NOT_YET_VALID")],
        ),
    ];
    for (what, codes, expected) in refusals {
        let expected = || table.rule(expected[0].1, expected);
        let (redeeming, holding) = (expected(), expected());
        let request = redeem_plain("order", goods(), codes);
        let hold = HoldVouchersRequest {
            order_id: request.order_id.clone(),
            what: Some(tandem_proto::relationship::v1::hold_vouchers_request::What::Plain(
                tandem_tests::stage::plain(goods(), codes),
            )),
            request_id: "hold".to_owned(),
            ..HoldVouchersRequest::default()
        };
        table.refuses(what, vouchers.redeem_vouchers(request).await, redeeming).await;
        table.refuses(&format!("{what}, held"), vouchers.hold_vouchers(hold).await, holding).await;
    }
    let dollars = Basket {
        currency_code: "USD".to_owned(),
        lines: vec![Line { unit_price: Some(amount(10_000, "USD")), ..goods().lines[0].clone() }],
        ..Basket::default()
    };
    let expected = table.rule("CURRENCY_MISMATCH", &[("EURO", "CURRENCY_MISMATCH")]);
    let answer = vouchers.redeem_vouchers(redeem_plain("order", dollars, &["EURO"])).await;
    table.refuses("a code without an amount in the currency", answer, expected).await;
    let expected = table.rule("HOLD_OVER", &[]);
    table
        .refuses(
            "an order that holds nothing",
            vouchers.redeem_vouchers(redeem_held("order")).await,
            expected,
        )
        .await;
}

/// What stands in the request is wrong whatever is stored.
pub async fn requests_that_are_wrong(caller: &Relationship, table: &mut Table) {
    let mut vouchers = caller.vouchers.clone();
    let money = |units, nanos| Some(Money { currency_code: "EUR".to_owned(), units, nanos });
    let line = |id: &str, unit_price| Line { unit_price, ..basket(&[(id, 1, 0)]).lines[0].clone() };
    let mut wrong = goods();
    wrong.lines = vec![
        line("1", money(-1, 0)),
        line("1", money(i64::MAX, 0)),
        line("3", money(0, 1)),
        line("4", money(1, -500_000_000)),
        line("5", Some(amount(100, "USD"))),
        line("6", None),
        Line { quantity: 0, ..line("7", money(1, 0)) },
        Line { quantity: -3, ..line("8", money(1, 0)) },
        Line { product: "no-name".to_owned(), ..line("9", money(1, 0)) },
        line("10", money(9_000_000_000_000, 0)),
    ];
    wrong.lines[9].quantity = 1_000_000;
    wrong.shipping = money(-5, 0);
    let request = RedeemVouchersRequest {
        customer: "bob".to_owned(),
        guest_key: "short".to_owned(),
        request_id: "has a space".to_owned(),
        order_digest: "00".to_owned(),
        ..redeem_plain("", wrong, &["", "GOOD"])
    };
    let fields = [
        "request_id",
        "order_id",
        "order_digest",
        "customer",
        "guest_key",
        "plain.basket.shipping",
        "plain.basket.lines",
        "plain.basket.lines[0].unit_price",
        "plain.basket.lines[1].id",
        "plain.basket.lines[1].unit_price.units",
        "plain.basket.lines[2].unit_price.nanos",
        "plain.basket.lines[3].unit_price.nanos",
        "plain.basket.lines[4].unit_price.currency_code",
        "plain.basket.lines[5].unit_price",
        "plain.basket.lines[6].quantity",
        "plain.basket.lines[7].quantity",
        "plain.basket.lines[8].product",
        "plain.basket.lines[9].unit_price",
    ];
    table.refuses("everything at once", vouchers.redeem_vouchers(request).await, invalid(&fields)).await;

    let many: Vec<(String, i64, i64)> = (0..501).map(|n| (n.to_string(), 1, 100)).collect();
    let many: Vec<(&str, i64, i64)> =
        many.iter().map(|(id, units, price)| (id.as_str(), *units, *price)).collect();
    let answer = vouchers.redeem_vouchers(redeem_plain("order", basket(&many), &["GOOD"])).await;
    table.refuses("501 lines", answer, invalid(&["plain.basket.lines"])).await;
    let answer = vouchers.redeem_vouchers(redeem_plain("order", goods(), &["GOOD"; 21])).await;
    table.refuses("21 codes", answer, invalid(&["plain.codes"])).await;
    let unknown = Basket { currency_code: "EURO".to_owned(), ..goods() };
    let answer = vouchers.redeem_vouchers(redeem_plain("order", unknown, &["GOOD"])).await;
    table.refuses("an unknown currency", answer, invalid(&["plain.basket.currency_code"])).await;
    let hold = HoldVouchersRequest {
        ttl: Some(prost_types::Duration { seconds: 100_000, nanos: 0 }),
        ..HoldVouchersRequest::default()
    };
    let fields = ["order_id", "quote_token", "request_id", "ttl"];
    table
        .refuses("a hold of nothing for too long", vouchers.hold_vouchers(hold).await, invalid(&fields))
        .await;
    let returned = |id: &str, quantity| ReturnedLine { line_id: id.to_owned(), quantity };
    let request = RollbackRedemptionRequest {
        lines: vec![returned("1", 0), returned("1", 1), returned("", 1)],
        ..RollbackRedemptionRequest::default()
    };
    let fields =
        ["lines[0].quantity", "lines[1].line_id", "lines[2].line_id", "order_id", "reason", "request_id"];
    table
        .refuses("a rollback of nonsense", vouchers.rollback_redemption(request).await, invalid(&fields))
        .await;
    let answer = vouchers.rollback_redemption(roll_back("no-such-order")).await;
    table.refuses("a rollback of an unknown order", answer, platform(Code::NotFound, "NOT_FOUND")).await;
    let more = RollbackRedemptionRequest { lines: vec![returned("1", 2)], ..roll_back("used") };
    let expected = table.rule("QUANTITY_EXCEEDED", &[]);
    table.refuses("more units than there are", vouchers.rollback_redemption(more).await, expected).await;
}

pub async fn tokens_that_are_not_ours(caller: &Relationship, table: &mut Table) {
    let mut vouchers = caller.vouchers.clone();
    for (what, token) in [
        ("a forged token", forged()),
        ("a foreign token", foreign()),
        ("an altered token", altered()),
        ("a token of something else", no_quote()),
        ("no token at all", "nonsense".to_owned()),
    ] {
        let expected = table.rule("QUOTE_TOKEN_INVALID", &[]);
        table.refuses(what, vouchers.redeem_vouchers(redeem(token)).await, expected).await;
    }
    let mut of_another_tenant = honest("order");
    of_another_tenant.tenant = "another".to_owned();
    let mut mismatches = vec![
        ("a token of another tenant", redeem(sealed(&of_another_tenant))),
        ("a token of another order", redeem(sealed(&honest("another")))),
    ];
    let mut of_bob = redeem(sealed(&honest("order")));
    of_bob.customer = "customers/bob".to_owned();
    mismatches.push(("a token of another customer", of_bob));
    let mut of_another_basket = redeem(sealed(&honest("order")));
    of_another_basket.order_digest = "00".repeat(32);
    mismatches.push(("a token of another basket", of_another_basket));
    for (what, request) in mismatches {
        let expected = table.rule("QUOTE_TOKEN_MISMATCH", &[]);
        table.refuses(what, vouchers.redeem_vouchers(request).await, expected).await;
    }
    let mut degraded = honest("order");
    degraded.degraded = true;
    let expected = table.rule("QUOTE_DEGRADED", &[]);
    table
        .refuses("a degraded token", vouchers.redeem_vouchers(redeem(sealed(&degraded))).await, expected)
        .await;
    let answer = vouchers.redeem_vouchers(redeem(lapsed())).await;
    let metadata = Refusal::of(answer.as_ref().expect_err("it has lapsed")).metadata;
    assert_eq!(
        (metadata["quoted_total"].as_str(), metadata["current_total"].as_str()),
        ("299.00 EUR", "300.00 EUR")
    );
    let expected = table.rule("PRICE_CHANGED", &[]);
    table.refuses("a lapsed token", answer, expected).await;
    let mut over = honest("order");
    over.codes[0].code = "USED".to_owned();
    over.codes[0].incentive = "incentives/once".to_owned();
    let expected = table.rule("CODE_EXHAUSTED", &[("USED", "CODE_EXHAUSTED")]);
    table
        .refuses(
            "a token whose code is spent",
            vouchers.redeem_vouchers(redeem(sealed(&over))).await,
            expected,
        )
        .await;
    let expected = table.rule("CODE_EXHAUSTED", &[("USED", "CODE_EXHAUSTED")]);
    table
        .refuses("a hold of it", vouchers.hold_vouchers(hold_quote("order", &over, 60)).await, expected)
        .await;
}
