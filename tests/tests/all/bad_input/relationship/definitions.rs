//! Rules, patterns, and what every request has.

use super::*;

pub async fn rules_and_patterns(caller: &Relationship, table: &mut Table) {
    let create = |rule: &str| CreateSegmentRequest {
        segment: Some(Segment { display_name: "x".to_owned(), rule: rule.to_owned(), ..Segment::default() }),
        segment_id: "fresh".to_owned(),
        ..CreateSegmentRequest::default()
    };
    let costly = "customer.tags.all(a, customer.tags.all(b, (a + b).matches('a*b*c*d*e*') || (b + a).matches('(a|b|c)*d')))";
    let mut segments = caller.segments.clone();
    for (what, rule) in [
        ("a rule that does not compile", "customer.country =="),
        ("a rule that names something unknown", "customer.shoe_size > 42"),
        ("a rule that is no question", "customer.country"),
        ("a rule that costs too much", costly),
        ("an empty rule", ""),
    ] {
        let expected = invalid(&["segment.rule RULE_INVALID"]);
        table.refuses(what, segments.create_segment(create(rule)).await, expected).await;
    }
    let mut incentives = caller.incentives.clone();
    let fresh = |incentive: Incentive| CreateIncentiveRequest {
        incentive: Some(incentive),
        incentive_id: "fresh".to_owned(),
        ..CreateIncentiveRequest::default()
    };
    let mut scoped = percent(2_000_000);
    scoped.scope = Some(Scope { condition: "line.price > 3".to_owned(), ..Scope::default() });
    let wrong = Incentive {
        display_name: "x".repeat(201),
        discount: Some(percent(0)),
        validity: Some(Interval { start_time: Some(in_seconds(DAY)), end_time: Some(in_seconds(0)) }),
        max_uses_per_code: Some(-1),
        segments: vec!["austria".to_owned()],
        condition: "basket.colour == 1".to_owned(),
        campaign: "spring".to_owned(),
        limits: Some(Limits {
            max_uses: Some(-1),
            budgets: vec![eur(0), eur(1)],
            max_uses_per_customer_period: Some(1),
            ..Limits::default()
        }),
        ..Incentive::default()
    };
    let fields = [
        "incentive.campaign",
        "incentive.condition RULE_INVALID",
        "incentive.discount.percent.rate_ppm",
        "incentive.display_name",
        "incentive.limits.budgets[0]",
        "incentive.limits.budgets[1].currency_code",
        "incentive.limits.customer_period",
        "incentive.limits.max_uses",
        "incentive.max_uses_per_code",
        "incentive.segments[0]",
        "incentive.validity.end_time",
    ];
    table
        .refuses(
            "an incentive of nonsense",
            incentives.create_incentive(fresh(wrong)).await,
            invalid(&fields),
        )
        .await;
    let points =
        Discount { kind: Some(Kind::Points(PointsReward { points_per_unit: 1 })), ..Discount::default() };
    let expected =
        table.rule("POINTS_NOT_AVAILABLE", &[("incentive.discount.points", "POINTS_NOT_AVAILABLE")]);
    table.refuses("points", incentives.create_incentive(fresh(incentive(points))).await, expected).await;

    let mut vouchers = caller.vouchers.clone();
    let generate = |pattern: &str, quantity| GenerateVouchersRequest {
        incentive: "incentives/good".to_owned(),
        quantity,
        format: Some(CodeFormat { pattern: pattern.to_owned(), ..CodeFormat::default() }),
        request_id: "generate".to_owned(),
        ..GenerateVouchersRequest::default()
    };
    // Two drawn characters of 32: 1,024 codes.
    let answer =
        vouchers.generate_vouchers(generate("AB-##", 103)).await.map(Response::into_parts).map(|_| ());
    table
        .refuses(
            "a pattern with too small a space",
            answer,
            invalid(&["format.pattern CODE_SPACE_TOO_SMALL"]),
        )
        .await;
    let answer = vouchers.generate_vouchers(GenerateVouchersRequest::default()).await.map(|_| ());
    let fields = ["incentive", "quantity", "request_id"];
    table.refuses("codes of nothing", answer, invalid(&fields)).await;
}

pub async fn masks_etags_pages_and_ids(caller: &Relationship, table: &mut Table) {
    let (mut customers, mut segments) = (caller.customers.clone(), caller.segments.clone());
    let mut incentives = caller.incentives.clone();
    let ada = |etag: &str| Customer {
        name: "customers/ada".to_owned(),
        etag: etag.to_owned(),
        ..Customer::default()
    };
    let update = |etag: &str, paths: &[&str]| UpdateCustomerRequest {
        customer: Some(ada(etag)),
        update_mask: mask(paths),
        ..UpdateCustomerRequest::default()
    };
    let answer = customers.update_customer(update("", &["display_name", "shoe_size", "create_time"])).await;
    table.refuses("unknown fields in a mask", answer, invalid(&["update_mask", "update_mask"])).await;
    let answer = customers.update_customer(update("v77", &["display_name"])).await;
    table.refuses("a stale etag of a customer", answer, platform(Code::Aborted, "ETAG_MISMATCH")).await;
    let segment =
        Segment { name: "segments/austria".to_owned(), etag: "v9".to_owned(), ..Segment::default() };
    let request = UpdateSegmentRequest {
        segment: Some(segment),
        update_mask: mask(&["display_name"]),
        ..Default::default()
    };
    table
        .refuses(
            "a stale etag of a segment",
            segments.update_segment(request).await,
            platform(Code::Aborted, "ETAG_MISMATCH"),
        )
        .await;
    let good =
        Incentive { name: "incentives/good".to_owned(), etag: "v9".to_owned(), ..Incentive::default() };
    let request = UpdateIncentiveRequest {
        incentive: Some(good),
        update_mask: mask(&["labels"]),
        ..Default::default()
    };
    table
        .refuses(
            "a stale etag of an incentive",
            incentives.update_incentive(request).await,
            platform(Code::Aborted, "ETAG_MISMATCH"),
        )
        .await;
    let request = ArchiveIncentiveRequest {
        name: "incentives/good".to_owned(),
        etag: "v9".to_owned(),
        ..Default::default()
    };
    table
        .refuses(
            "and of one to be archived",
            incentives.archive_incentive(request).await,
            platform(Code::Aborted, "ETAG_MISMATCH"),
        )
        .await;
    let request = DeleteSegmentRequest { name: "segments/nobody".to_owned(), ..Default::default() };
    let expected = table.rule("SEGMENT_IN_USE", &[("incentives/exclusive", "SEGMENT_IN_USE")]);
    table.refuses("a segment that is named", segments.delete_segment(request).await, expected).await;

    let list = |filter: &str, page_token: &str| ListCustomersRequest {
        page_size: 2,
        filter: filter.to_owned(),
        page_token: page_token.to_owned(),
        ..ListCustomersRequest::default()
    };
    let token = customers.list_customers(list("", "")).await.unwrap().into_inner().next_page_token;
    let other = list(r#"customer.country == "AT""#, &token);
    let expected = || platform(Code::InvalidArgument, "INVALID_PAGE_TOKEN");
    table.refuses("a page token of another filter", customers.list_customers(other).await, expected()).await;
    let other = ListCustomersRequest { order_by: "create_time".to_owned(), ..list("", &token) };
    table.refuses("a page token of another order", customers.list_customers(other).await, expected()).await;
    let other = ListRedemptionsRequest { page_token: token, ..ListRedemptionsRequest::default() };
    table
        .refuses(
            "a page token of another list",
            caller.vouchers.clone().list_redemptions(other).await,
            expected(),
        )
        .await;
    let nonsense =
        ListCustomersRequest { page_size: -1, order_by: "size".to_owned(), ..list("customer.shoe > 1", "") };
    let fields = ["filter RULE_INVALID", "order_by", "page_size"];
    table.refuses("a list of nonsense", customers.list_customers(nonsense).await, invalid(&fields)).await;

    let wrong = Customer {
        email: "nobody".to_owned(),
        phone: "12".to_owned(),
        country: "Austria".to_owned(),
        time_zone: "Europe/Atlantis".to_owned(),
        birthday: Some(Date { year: 2001, month: 2, day: 29 }),
        ..Customer::default()
    };
    let request =
        CreateCustomerRequest { customer: Some(wrong), customer_id: "a b".to_owned(), ..Default::default() };
    let fields = [
        "customer.birthday",
        "customer.country",
        "customer.email",
        "customer.phone",
        "customer.time_zone",
        "customer_id",
    ];
    table.refuses("a customer of nonsense", customers.create_customer(request).await, invalid(&fields)).await;
    let request = CreateCustomerRequest { customer_id: "ada".to_owned(), ..Default::default() };
    table
        .refuses(
            "a customer who exists",
            customers.create_customer(request).await,
            platform(Code::AlreadyExists, "ALREADY_EXISTS"),
        )
        .await;
    let request = GetVoucherRequest { name: "vouchers/NO-SUCH".to_owned() };
    table
        .refuses(
            "a voucher that does not",
            caller.vouchers.clone().get_voucher(request).await,
            platform(Code::NotFound, "NOT_FOUND"),
        )
        .await;
    let request = SubscribeRequest { cursor: "never".to_owned(), ..SubscribeRequest::default() };
    let answer = caller.events.clone().subscribe(request).await.map(|_| ());
    table.refuses("a cursor that is none", answer, invalid(&["cursor"])).await;
}

pub async fn repeats_and_bytes(caller: &Relationship, table: &mut Table) {
    let mut vouchers = caller.vouchers.clone();
    let first = redeem_plain("first", goods(), &["good"]);
    let redeemed =
        vouchers.redeem_vouchers(first.clone()).await.expect("typing in small letters does not matter");
    assert_eq!(redeemed.into_inner().codes[0].code, "GOOD");
    let request = CreateSegmentRequest {
        segment: Some(Segment {
            display_name: "x".to_owned(),
            rule: "true".to_owned(),
            ..Segment::default()
        }),
        segment_id: "repeated".to_owned(),
        request_id: "create".to_owned(),
    };
    caller.segments.clone().create_segment(request.clone()).await.unwrap();
    table.set().await;
    let expected = || platform(Code::InvalidArgument, "REQUEST_ID_REUSED");
    let other = RedeemVouchersRequest { partial: true, ..first.clone() };
    table
        .refuses("another redemption under one request_id", vouchers.redeem_vouchers(other).await, expected())
        .await;
    let other = CreateSegmentRequest { segment_id: "other".to_owned(), ..request };
    table
        .refuses(
            "another segment under one request_id",
            caller.segments.clone().create_segment(other).await,
            expected(),
        )
        .await;
    let other =
        RedeemVouchersRequest { request_id: "other".to_owned(), ..redeem_plain("first", goods(), &["EURO"]) };
    let rule = table.rule("ORDER_ALREADY_REDEEMED", &[("EURO", "ORDER_ALREADY_REDEEMED")]);
    table
        .refuses("other codes for an order that has redeemed", vouchers.redeem_vouchers(other).await, rule)
        .await;

    let large = RedeemVouchersRequest { order_digest: "0".repeat(10 * 1024 * 1024), ..first };
    let answer = vouchers.redeem_vouchers(large).await;
    table.refuses("10 MB", answer, platform(Code::OutOfRange, "MESSAGE_TOO_LARGE")).await;
    for method in [
        "/tandem.relationship.v1.VoucherService/GetVoucher",
        "/tandem.relationship.v1.VoucherService/RedeemVouchers",
        "/tandem.relationship.v1.CustomerService/GetCustomer",
    ] {
        let answer = raw::send(&caller.channel, method, raw::invalid_utf8()).await;
        table
            .refuses(
                &format!("invalid UTF-8 to {method}"),
                answer,
                platform(Code::InvalidArgument, "INVALID_ARGUMENT"),
            )
            .await;
    }
    let answer =
        raw::send(&caller.channel, "/tandem.relationship.v1.VoucherService/NoSuchMethod", Vec::new()).await;
    table.refuses("an unknown method", answer, platform(Code::Unimplemented, "UNIMPLEMENTED")).await;
    let zero =
        RedeemVouchersRequest { order_id: "a\0b".to_owned(), ..redeem_plain("zero", goods(), &["GO\0D"]) };
    let answer = vouchers.redeem_vouchers(zero).await;
    table.refuses("control characters", answer, invalid(&["order_id"])).await;
}
