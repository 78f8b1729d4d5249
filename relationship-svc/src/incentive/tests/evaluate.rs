//! What a quote is told, on both engines.

use tandem_platform::testing;
use tandem_proto::common::v1::{Basket, Interval, Limits, Line, Money, Overrun, Recurrence};
use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::settings_service_client::SettingsServiceClient;
use tandem_proto::relationship::v1::voucher_service_client::VoucherServiceClient;
use tandem_proto::relationship::v1::{
    CreateCustomerRequest, Customer, DisableVoucherRequest, EvaluateIncentivesRequest,
    EvaluateIncentivesResponse, GetLimitsRequest, HoldVouchersRequest, ImportVouchersRequest, PlainBasket,
    RedeemVouchersRequest, Settings, UpdateIncentiveRequest, UpdateSettingsRequest, Voucher,
    hold_vouchers_request, redeem_vouchers_request,
};
use tonic::Status;

use super::{Message, client, create_incentive, get, gift_card, percent};
use crate::MIGRATIONS;
use crate::segment::tests::create_segment;
use crate::testing::{Harness, fields, import_vouchers};

fn eur(cents: i64) -> Money {
    let nanos = i32::try_from(cents % 100 * 10_000_000).unwrap();
    Money { currency_code: "EUR".to_owned(), units: cents / 100, nanos }
}

fn of(codes: &[&str]) -> EvaluateIncentivesRequest {
    EvaluateIncentivesRequest {
        customer: "customers/ada".to_owned(),
        codes: codes.iter().map(|code| (*code).to_owned()).collect(),
        currency_code: "EUR".to_owned(),
        ..EvaluateIncentivesRequest::default()
    }
}

async fn evaluate(
    harness: &Harness,
    request: EvaluateIncentivesRequest,
) -> Result<EvaluateIncentivesResponse, Status> {
    client(harness).evaluate_incentives(request).await.map(tonic::Response::into_inner)
}

/// The refusals of these codes, in order.
async fn refusals(harness: &Harness, request: EvaluateIncentivesRequest) -> Vec<String> {
    let answer = evaluate(harness, request).await.unwrap();
    answer.codes.into_iter().map(|code| code.refusal).collect()
}

async fn customer(harness: &Harness, id: &str, country: &str) {
    let customer = Customer { country: country.to_owned(), ..Customer::default() };
    let request = CreateCustomerRequest {
        customer: Some(customer),
        customer_id: id.to_owned(),
        request_id: String::new(),
    };
    CustomerServiceClient::new(harness.channel()).create_customer(request).await.unwrap();
}

/// Makes a code of an incentive, once usable.
async fn code(harness: &Harness, code: &str, incentive: &str, voucher: Voucher) {
    let voucher = Voucher { code: code.to_owned(), incentive: format!("incentives/{incentive}"), ..voucher };
    let request = ImportVouchersRequest { vouchers: vec![voucher], ..ImportVouchersRequest::default() };
    let mut client = VoucherServiceClient::new(harness.channel());
    let answer = import_vouchers(&mut client, vec![request]).await.unwrap();
    assert_eq!(answer.created, 1, "{:?}", answer.failures);
}

fn one_use() -> Voucher {
    Voucher { max_uses: Some(1), ..Voucher::default() }
}

/// A basket of 100.00 EUR with codes.
fn plain(codes: &[&str]) -> PlainBasket {
    let line = Line {
        id: "1".to_owned(),
        product: "products/p".to_owned(),
        quantity: 1,
        unit_price: Some(eur(10_000)),
        ..Line::default()
    };
    let basket = Basket { currency_code: "EUR".to_owned(), lines: vec![line], ..Basket::default() };
    let codes = codes.iter().map(|code| (*code).to_owned()).collect();
    PlainBasket { basket: Some(basket), codes, place: String::new() }
}

async fn redeem(harness: &Harness, order: &str, codes: &[&str]) {
    let request = RedeemVouchersRequest {
        order_id: order.to_owned(),
        what: Some(redeem_vouchers_request::What::Plain(plain(codes))),
        customer: "customers/ada".to_owned(),
        request_id: format!("redeem {order}").replace(' ', "-"),
        ..RedeemVouchersRequest::default()
    };
    VoucherServiceClient::new(harness.channel()).redeem_vouchers(request).await.unwrap();
}

async fn hold(harness: &Harness, order: &str, codes: &[&str]) {
    let request = HoldVouchersRequest {
        order_id: order.to_owned(),
        what: Some(hold_vouchers_request::What::Plain(plain(codes))),
        customer: "customers/ada".to_owned(),
        request_id: format!("hold-{order}"),
        ..HoldVouchersRequest::default()
    };
    VoucherServiceClient::new(harness.channel()).hold_vouchers(request).await.unwrap();
}

#[tokio::test]
async fn a_customer_is_told_the_segments_asked_for_and_nobody_is_in_none() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        customer(&harness, "ada", "AT").await;
        create_segment(&harness, "austria", "customer.country == 'AT'").await.unwrap();
        create_segment(&harness, "everyone", "true").await.unwrap();
        let all = evaluate(&harness, of(&[])).await.unwrap();
        assert_eq!(all.segments, ["segments/austria", "segments/everyone"]);
        assert!(all.customer_known && all.codes.is_empty());
        let segments = vec!["segments/everyone".to_owned(), "segments/gone".to_owned()];
        let some = evaluate(&harness, EvaluateIncentivesRequest { segments, ..of(&[]) }).await.unwrap();
        assert_eq!(some.segments, ["segments/everyone"]);
        let none = EvaluateIncentivesRequest { without_segments: true, ..of(&[]) };
        let none = evaluate(&harness, none).await.unwrap();
        assert!(none.segments.is_empty() && none.customer_known);
        for customer in ["", "customers/eve"] {
            let request = EvaluateIncentivesRequest { customer: customer.to_owned(), ..of(&[]) };
            let nobody = evaluate(&harness, request).await.unwrap();
            assert!(nobody.segments.is_empty() && !nobody.customer_known);
        }
    })
    .await;
}

#[tokio::test]
async fn a_code_is_answered_with_its_definition_and_what_is_left() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        customer(&harness, "ada", "AT").await;
        let titles = [(String::new(), "Ten off".to_owned()), ("de".to_owned(), "Zehn".to_owned())].into();
        let limits = Limits {
            max_uses: Some(5),
            budgets: vec![eur(10_000)],
            recurrence: Recurrence::Month.into(),
            overrun: Overrun::Cap.into(),
            ..Limits::default()
        };
        let wanted = Message {
            titles,
            limits: Some(limits),
            max_uses_per_code: Some(3),
            condition: "basket.quantity > 0".to_owned(),
            ..percent(100_000)
        };
        let incentive = create_incentive(&harness, "spring", wanted).await.unwrap();
        code(&harness, "SPRING-1", "spring", Voucher { max_uses: Some(3), ..Voucher::default() }).await;
        redeem(&harness, "o-1", &["SPRING-1"]).await;
        hold(&harness, "o-2", &["SPRING-1"]).await;
        let request = EvaluateIncentivesRequest { locale: "de-AT".to_owned(), ..of(&[" spring-1 "]) };
        let answer = evaluate(&harness, request.clone()).await.unwrap();
        let told = &answer.codes[0];
        assert_eq!(
            (told.given_code.as_str(), told.code.as_str(), told.refusal.as_str()),
            (" spring-1 ", "SPRING-1", "OK")
        );
        assert_eq!((told.incentive.as_str(), told.version), ("incentives/spring", 1));
        assert_eq!(told.discount, incentive.discount);
        assert_eq!((told.title.as_str(), told.condition.as_str()), ("Zehn", "basket.quantity > 0"));
        assert_eq!((told.uses_left, told.money_left.clone()), (1, Some(eur(8_000))));
        assert_eq!((told.overrun, told.balance.clone()), (Overrun::Cap.into(), None));
        // Where no locale is said, the tenant's.
        let settings = Settings { locale: "de".to_owned(), ..Settings::default() };
        let update = UpdateSettingsRequest { settings: Some(settings), ..UpdateSettingsRequest::default() };
        for (title, locale) in [("Ten off", ""), ("Zehn", "de"), ("Zehn", ""), ("Ten off", "en")] {
            let said = EvaluateIncentivesRequest { locale: locale.to_owned(), ..request.clone() };
            assert_eq!(evaluate(&harness, said).await.unwrap().codes[0].title, title, "{locale:?}");
            let mut settings = SettingsServiceClient::new(harness.channel());
            settings.update_settings(update.clone()).await.unwrap();
        }
        // What the order holds itself does not stand against it.
        let own = EvaluateIncentivesRequest { order_id: "o-2".to_owned(), ..request };
        let told = &evaluate(&harness, own).await.unwrap().codes[0];
        assert_eq!((told.uses_left, told.money_left.clone()), (2, Some(eur(9_000))));
        let usage = get(&mut client(&harness), "incentives/spring").await.unwrap().usage.unwrap();
        assert_eq!((usage.uses, usage.uses_held), (1, 1));
        assert_eq!((usage.spent, usage.held), (vec![eur(1_000)], vec![eur(1_000)]));
        harness.clock.advance(jiff::SignedDuration::from_mins(16));
        let usage = get(&mut client(&harness), "incentives/spring").await.unwrap().usage.unwrap();
        assert_eq!((usage.uses_held, usage.held), (0, vec![eur(0)]), "a lapsed hold holds nothing");
        harness.clock.advance(jiff::SignedDuration::from_hours(24 * 31));
        let usage = get(&mut client(&harness), "incentives/spring").await.unwrap().usage.unwrap();
        assert_eq!((usage.uses, usage.spent), (0, Vec::new()), "a new month has begun");
    })
    .await;
}

#[tokio::test]
async fn a_gift_card_tells_its_balance() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        create_incentive(&harness, "card", gift_card()).await.unwrap();
        code(
            &harness,
            "CARD-1",
            "card",
            Voucher { initial_balance: Some(eur(15_000)), ..Voucher::default() },
        )
        .await;
        redeem(&harness, "o-1", &["CARD-1"]).await;
        let told = &evaluate(&harness, of(&["CARD-1"])).await.unwrap().codes[0];
        assert_eq!(
            (told.refusal.as_str(), told.balance.clone(), told.uses_left),
            ("OK", Some(eur(5_000)), -1)
        );
        let usd = EvaluateIncentivesRequest { currency_code: "USD".to_owned(), ..of(&["CARD-1"]) };
        assert_eq!(refusals(&harness, usd).await, ["CURRENCY_MISMATCH"]);
    })
    .await;
}

#[tokio::test]
async fn every_reason_why_a_code_cannot_be_used_is_told() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        customer(&harness, "ada", "AT").await;
        create_segment(&harness, "germany", "customer.country == 'DE'").await.unwrap();
        let at = |seconds: i64| Some(prost_types::Timestamp { seconds: 1_782_907_200 + seconds, nanos: 0 });
        let limited = |limits: Limits| Message { limits: Some(limits), ..percent(100_000) };
        let incentives = [
            ("plain", percent(100_000)),
            (
                "early",
                Message { validity: Some(Interval { start_time: at(1), end_time: None }), ..percent(1) },
            ),
            (
                "late",
                Message { validity: Some(Interval { start_time: None, end_time: at(0) }), ..percent(1) },
            ),
            ("german", Message { segments: vec!["segments/germany".to_owned()], ..percent(1) }),
            ("given", Message { assigned_only: true, ..percent(1) }),
            ("scarce", limited(Limits { max_uses: Some(1), ..Limits::default() })),
            ("once", limited(Limits { max_uses_per_customer: Some(1), ..Limits::default() })),
            ("spent", limited(Limits { budgets: vec![eur(1_000)], ..Limits::default() })),
        ];
        for (id, incentive) in incentives {
            create_incentive(&harness, id, incentive).await.unwrap();
            code(&harness, &format!("{id}-1"), id, one_use()).await;
            code(&harness, &format!("{id}-2"), id, one_use()).await;
        }
        let disable =
            DisableVoucherRequest { name: "vouchers/PLAIN-2".to_owned(), request_id: String::new() };
        VoucherServiceClient::new(harness.channel()).disable_voucher(disable).await.unwrap();
        redeem(&harness, "o-1", &["PLAIN-1"]).await;
        redeem(&harness, "o-2", &["SCARCE-1"]).await;
        redeem(&harness, "o-3", &["ONCE-1"]).await;
        redeem(&harness, "o-4", &["SPENT-1"]).await;
        for (code, refusal) in [
            ("nothing", "CODE_UNKNOWN"),
            ("plain-1", "CODE_EXHAUSTED"),
            ("plain-2", "CODE_DISABLED"),
            ("early-1", "CODE_NOT_YET_VALID"),
            ("late-1", "CODE_EXPIRED"),
            ("german-1", "NOT_ELIGIBLE"),
            ("given-1", "CODE_NOT_YOURS"),
            ("scarce-2", "INCENTIVE_EXHAUSTED"),
            ("once-2", "CUSTOMER_LIMIT_REACHED"),
            ("spent-2", "BUDGET_EXHAUSTED"),
        ] {
            let told = evaluate(&harness, of(&[code])).await.unwrap().codes.remove(0);
            assert_eq!(told.refusal, refusal, "{code}");
            assert!(!told.message.is_empty() && told.discount.is_none(), "{code}");
        }
        let nobody = EvaluateIncentivesRequest { customer: String::new(), ..of(&["once-2"]) };
        assert_eq!(refusals(&harness, nobody).await, ["CUSTOMER_REQUIRED"]);
        assert_eq!(
            refusals(&harness, of(&["early-1", "EARLY-1"])).await,
            ["CODE_NOT_YET_VALID", "DUPLICATE_CODE"]
        );
    })
    .await;
}

/// A question for an order.
fn for_order(order: &str, codes: &[&str]) -> EvaluateIncentivesRequest {
    EvaluateIncentivesRequest { order_id: order.to_owned(), ..of(codes) }
}

/// A question for an order that replaces another.
fn replacing(order: &str, codes: &[&str]) -> EvaluateIncentivesRequest {
    EvaluateIncentivesRequest { replaces_order_id: order.to_owned(), ..of(codes) }
}

#[tokio::test]
async fn what_a_replaced_order_has_redeemed_or_holds_does_not_stand_against_the_question() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let once = Limits {
            max_uses: Some(1),
            max_uses_per_customer: Some(1),
            budgets: vec![eur(1_000)],
            ..Limits::default()
        };
        let limited = Message { limits: Some(once), ..percent(100_000) };
        create_incentive(&harness, "once", limited).await.unwrap();
        create_incentive(&harness, "card", gift_card()).await.unwrap();
        code(&harness, "ONCE-1", "once", one_use()).await;
        code(
            &harness,
            "CARD-1",
            "card",
            Voucher { initial_balance: Some(eur(15_000)), ..Voucher::default() },
        )
        .await;
        redeem(&harness, "old", &["ONCE-1", "CARD-1"]).await;
        assert_eq!(refusals(&harness, of(&["ONCE-1"])).await, ["CODE_EXHAUSTED"]);
        let told = evaluate(&harness, replacing("old", &["ONCE-1", "CARD-1"])).await.unwrap().codes;
        assert_eq!((told[0].refusal.as_str(), told[0].uses_left), ("OK", 1));
        assert_eq!(
            (told[0].money_left.clone(), told[1].balance.clone()),
            (Some(eur(1_000)), Some(eur(15_000)))
        );
        assert_eq!(refusals(&harness, replacing("nobody", &["ONCE-1"])).await, ["CODE_EXHAUSTED"]);
        // A question changes nothing.
        assert_eq!(refusals(&harness, of(&["ONCE-1"])).await, ["CODE_EXHAUSTED"]);
        assert_eq!(evaluate(&harness, of(&["CARD-1"])).await.unwrap().codes[0].balance, Some(eur(6_000)));
        hold(&harness, "held", &["CARD-1"]).await;
        for request in [for_order("held", &["CARD-1"]), replacing("held", &["CARD-1"])] {
            assert_eq!(evaluate(&harness, request).await.unwrap().codes[0].balance, Some(eur(6_000)));
        }
        assert_eq!(refusals(&harness, of(&["CARD-1"])).await, ["OK"]);
        assert_eq!(evaluate(&harness, of(&["CARD-1"])).await.unwrap().codes[0].balance, Some(eur(0)));
    })
    .await;
}

#[tokio::test]
async fn an_order_that_has_redeemed_takes_no_more_codes() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        create_incentive(&harness, "plain", percent(100_000)).await.unwrap();
        create_incentive(&harness, "other", percent(100_000)).await.unwrap();
        code(&harness, "PLAIN-1", "plain", Voucher { max_uses: Some(9), ..Voucher::default() }).await;
        code(&harness, "OTHER-1", "other", one_use()).await;
        redeem(&harness, "o-1", &["PLAIN-1"]).await;
        let all = ["PLAIN-1", "OTHER-1", "NOTHING"];
        let taken = "ORDER_ALREADY_REDEEMED";
        assert_eq!(refusals(&harness, for_order("o-1", &all)).await, [taken, taken, "CODE_UNKNOWN"]);
        assert_eq!(refusals(&harness, for_order("o-2", &all)).await, ["OK", "OK", "CODE_UNKNOWN"]);
    })
    .await;
}

#[tokio::test]
async fn of_two_codes_of_one_incentive_the_first_counts() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        create_incentive(&harness, "plain", percent(100_000)).await.unwrap();
        for name in ["A-1", "A-2"] {
            code(&harness, &format!("CODE-{name}"), "plain", one_use()).await;
        }
        let request = of(&["code-a-2", "code-a-1", "CODE-A-2"]);
        assert_eq!(refusals(&harness, request).await, ["OK", "ONE_CODE_PER_INCENTIVE", "DUPLICATE_CODE"]);
    })
    .await;
}

#[tokio::test]
async fn the_codes_of_who_guesses_too_many_are_throttled_and_the_question_is_answered() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        create_incentive(&harness, "plain", percent(100_000)).await.unwrap();
        code(&harness, "PLAIN-1", "plain", one_use()).await;
        let guesses: Vec<String> = (0..20).map(|place| format!("guess-{place}")).collect();
        let request = EvaluateIncentivesRequest { codes: guesses, ..of(&[]) };
        for _ in 0..2 {
            assert_eq!(refusals(&harness, request.clone()).await, vec!["CODE_UNKNOWN"; 20]);
        }
        assert_eq!(refusals(&harness, request.clone()).await, vec!["GUESSING_THROTTLED"; 20]);
        let told = evaluate(&harness, of(&["plain-1"])).await.unwrap().codes.remove(0);
        assert_eq!((told.refusal.as_str(), told.code.as_str()), ("GUESSING_THROTTLED", "PLAIN-1"));
        assert_eq!(told.retry_delay, Some(prost_types::Duration { seconds: 22, nanos: 0 }));
        assert!(!told.message.is_empty() && told.incentive.is_empty() && told.discount.is_none());
        harness.clock.advance(jiff::SignedDuration::from_mins(2));
        assert_eq!(refusals(&harness, of(&["plain-1"])).await, ["OK"]);
        assert_eq!(refusals(&harness, request).await, vec!["CODE_UNKNOWN"; 20]);
    })
    .await;
}

#[tokio::test]
async fn a_guesser_throttles_himself_and_nobody_else() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        create_incentive(&harness, "plain", percent(100_000)).await.unwrap();
        code(&harness, "PLAIN-1", "plain", one_use()).await;
        let by = |customer: &str, client_id: &str, codes: &[&str]| EvaluateIncentivesRequest {
            customer: customer.to_owned(),
            client_id: client_id.to_owned(),
            ..of(codes)
        };
        for guess in 0..31 {
            let wrong = format!("guess-{guess}");
            assert_eq!(refusals(&harness, by("", "", &[&wrong])).await, ["CODE_UNKNOWN"], "{guess}");
            refusals(&harness, by("customers/bot", "bot", &[&wrong])).await;
        }
        assert_eq!(refusals(&harness, by("", "", &["plain-1"])).await, ["OK"], "anybody else");
        assert_eq!(refusals(&harness, by("", "other", &["plain-1"])).await, ["OK"]);
        assert_eq!(refusals(&harness, by("customers/bot", "", &["plain-1"])).await, ["GUESSING_THROTTLED"]);
        assert_eq!(refusals(&harness, by("", "bot", &["plain-1"])).await, ["GUESSING_THROTTLED"]);
        let neighbour = by("customers/8", "bot", &["plain-1", "guess"]);
        assert_eq!(refusals(&harness, neighbour).await, ["OK", "GUESSING_THROTTLED"]);
    })
    .await;
}

#[tokio::test]
async fn a_question_that_cannot_be_read_names_every_field() {
    testing::sqlite(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let wrong = EvaluateIncentivesRequest {
            customer: "ada".to_owned(),
            guest_key: "short".to_owned(),
            codes: vec!["x".repeat(65); 21],
            currency_code: "EURO".to_owned(),
            segments: vec!["austria".to_owned()],
            locale: "x".repeat(36),
            order_id: "x".repeat(129),
            without_segments: true,
            client_id: "x".repeat(129),
            replaces_order_id: "x".repeat(129),
            place: "x".repeat(129),
            attributes: [("till".to_owned(), "x".repeat(257))].into(),
        };
        let found = fields(&evaluate(&harness, wrong).await.unwrap_err());
        for field in [
            "customer",
            "guest_key",
            "codes",
            "currency_code",
            "segments",
            "segments[0]",
            "locale",
            "order_id",
            "replaces_order_id",
            "client_id",
            "place",
            "attributes",
        ] {
            assert!(found.iter().any(|one| one == field), "{field} in {found:?}");
        }
        let same = EvaluateIncentivesRequest { replaces_order_id: "o".to_owned(), ..for_order("o", &[]) };
        assert_eq!(fields(&evaluate(&harness, same).await.unwrap_err()), ["replaces_order_id"]);
    })
    .await;
}

#[tokio::test]
async fn once_per_customer_that_an_update_adds_counts_what_was_redeemed_before_and_is_told_to_quotes() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        customer(&harness, "ada", "AT").await;
        let spring = Message { unlimited_uses_per_code: true, ..percent(100_000) };
        create_incentive(&harness, "spring", spring).await.unwrap();
        code(&harness, "SPRING-1", "spring", Voucher { unlimited_uses: true, ..Voucher::default() }).await;
        redeem(&harness, "o-1", &["SPRING-1"]).await;
        assert_eq!(refusals(&harness, of(&["SPRING-1"])).await, ["OK"]);
        let limits = Limits { max_uses_per_customer: Some(1), ..Limits::default() };
        let request = UpdateIncentiveRequest {
            incentive: Some(Message {
                name: "incentives/spring".to_owned(),
                limits: Some(limits),
                ..Message::default()
            }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["limits".to_owned()] }),
            request_id: String::new(),
        };
        let answer = client(&harness).update_incentive(request).await.unwrap().into_inner();
        assert_eq!(answer.limits_hold_from_time, answer.incentive.unwrap().update_time);
        assert_eq!(refusals(&harness, of(&["SPRING-1"])).await, ["CUSTOMER_LIMIT_REACHED"]);
        let usage = GetLimitsRequest {
            name: "incentives/spring".to_owned(),
            customer: "customers/ada".to_owned(),
            ..GetLimitsRequest::default()
        };
        let usage = client(&harness).get_limits(usage).await.unwrap().into_inner().limits;
        assert_eq!((usage[0].uses, usage[0].uses_left), (1, 0));
    })
    .await;
}
