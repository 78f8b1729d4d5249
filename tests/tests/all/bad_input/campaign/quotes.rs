//! What a checkout asks for.

use super::*;

/// Everything that a checkout can get wrong in one basket.
fn wrong_basket() -> (Basket, Vec<&'static str>) {
    let money = |units, nanos| Some(Money { currency_code: "EUR".to_owned(), units, nanos });
    let line = |id: &str, unit_price| Line { unit_price, ..basket(&[(id, 1, 0)]).lines[0].clone() };
    let lines = vec![
        line("1", money(-1, 0)),
        line("1", money(i64::MAX, 0)),
        line("3", money(0, 1)),
        line("4", Some(amount(100, "USD"))),
        line("5", None),
        Line { quantity: 0, ..line("6", money(1, 0)) },
        Line { product: "no-name".to_owned(), ..line("7", money(1, 0)) },
        Line { unit_cost: money(-3, 0), tax_rate_ppm: Some(-1), ..line("8", money(1, 0)) },
        Line { product: "products/9".to_owned(), ..line("", money(1, 0)) },
    ];
    let fields = vec![
        "basket.lines[0].unit_price",
        "basket.lines[1].id",
        "basket.lines[1].unit_price.units",
        "basket.lines[2].unit_price.nanos",
        "basket.lines[3].unit_price.currency_code",
        "basket.lines[4].unit_price",
        "basket.lines[5].quantity",
        "basket.lines[6].product",
        "basket.lines[7].unit_cost",
        "basket.lines[7].tax_rate_ppm",
        "basket.lines[8].id",
        "basket.shipping",
    ];
    let shipping = money(-1, 0);
    (Basket { currency_code: "EUR".to_owned(), lines, shipping, ..Basket::default() }, fields)
}

pub async fn quotes(caller: &Campaigns, table: &mut Table) {
    let mut pricing = caller.pricing.clone();
    let (wrong, mut fields) = wrong_basket();
    let request = QuoteRequest {
        basket: Some(wrong),
        place: "stores/".to_owned(),
        customer: "ada".to_owned(),
        guest_key: "short".to_owned(),
        codes: vec![String::new(), "x".repeat(65), "a b".to_owned()],
        order_id: "x".repeat(129),
        locale: "x".repeat(36),
        ..QuoteRequest::default()
    };
    fields.extend(["place", "customer", "guest_key", "order_id", "locale"]);
    table.refuses("everything at once", pricing.quote(request).await, invalid(&fields)).await;
    let quote = |basket| QuoteRequest { basket: Some(basket), ..QuoteRequest::default() };
    let many: Vec<(String, i64, i64)> = (0..501).map(|n| (n.to_string(), 1, 100)).collect();
    let many: Vec<(&str, i64, i64)> =
        many.iter().map(|(id, units, price)| (id.as_str(), *units, *price)).collect();
    table.refuses("501 lines", pricing.quote(quote(basket(&many))).await, invalid(&["basket.lines"])).await;
    table.refuses("no basket", pricing.quote(QuoteRequest::default()).await, invalid(&["basket"])).await;
    table.refuses("no line", pricing.quote(quote(basket(&[]))).await, invalid(&["basket.lines"])).await;
    let too_much = basket(&[("1", 1_000_000, 900_000_000_000), ("2", 1_000_000, 900_000_000)]);
    let fields = ["basket.lines", "basket.lines[0].unit_price"];
    table.refuses("more than can be counted", pricing.quote(quote(too_much)).await, invalid(&fields)).await;
    let mut elsewhere = basket(&[("p1", 1, 0)]);
    elsewhere.lines[0].unit_price = None;
    let fields = ["basket.lines[0].unit_price"];
    table.refuses("no price at this place", pricing.quote(quote(elsewhere)).await, invalid(&fields)).await;
    let codes = QuoteRequest { codes: vec!["CODE".to_owned(); 21], ..quote(basket(&[("1", 1, 100)])) };
    table.refuses("21 codes", pricing.quote(codes).await, invalid(&["codes"])).await;
    let batch = BatchQuoteRequest { requests: vec![QuoteRequest::default(); 51] };
    table.refuses("51 baskets", pricing.batch_quote(batch).await, invalid(&["requests"])).await;
    let explain = ExplainOfferRequest { offer: "campaigns/running".to_owned(), quote: None };
    table
        .refuses("no offer explained", pricing.explain_offer(explain).await, invalid(&["offer", "quote"]))
        .await;
    let offer = "campaigns/running/offers/none".to_owned();
    let explain = ExplainOfferRequest { offer, quote: Some(quote(basket(&[("1", 1, 100)]))) };
    table
        .refuses(
            "an unknown offer",
            pricing.explain_offer(explain).await,
            platform(Code::NotFound, "NOT_FOUND"),
        )
        .await;
    let large = QuoteRequest { place: "A".repeat(10 * 1024 * 1024), ..QuoteRequest::default() };
    table.refuses("10 MB", pricing.quote(large).await, platform(Code::OutOfRange, "MESSAGE_TOO_LARGE")).await;
}

/// A code that cannot be used does not fail the quote: it is explained.
pub async fn codes_in_quotes(pair: &Pair) {
    let (campaigns, relationship) = pair.callers();
    relationship.incentive("good", incentive(percent(100_000))).await;
    relationship.incentive("euro", incentive(off(100))).await;
    relationship.codes("good", &["GOOD", "GOOD-TOO"], 0).await;
    relationship.codes("euro", &["EURO"], 0).await;
    let codes = ["good", "GOOD", "GOOD-TOO", "NO-SUCH", "EURO"].map(str::to_owned).to_vec();
    let mut goods = basket(&[("1", 1, 10_000)]);
    goods.currency_code = "USD".to_owned();
    goods.lines[0].unit_price = Some(amount(10_000, "USD"));
    let quote = campaigns.quote(QuoteRequest { basket: Some(goods), codes, ..QuoteRequest::default() }).await;
    let told: Vec<(&str, DecisionReason, &str)> = quote
        .decisions
        .iter()
        .filter(|one| one.source.starts_with("vouchers/"))
        .map(|one| (one.source.as_str(), one.reason(), one.code_refusal.as_str()))
        .collect();
    let expected = [
        ("vouchers/good", DecisionReason::Unspecified, ""),
        ("vouchers/GOOD", DecisionReason::DuplicateCode, ""),
        ("vouchers/GOOD-TOO", DecisionReason::OneCodePerIncentive, ""),
        ("vouchers/NO-SUCH", DecisionReason::CodeRefused, "CODE_UNKNOWN"),
        ("vouchers/EURO", DecisionReason::CurrencyNotListed, ""),
    ];
    assert_eq!(told, expected);
}
