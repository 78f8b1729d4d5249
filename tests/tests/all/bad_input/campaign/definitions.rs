//! What marketing writes.

use super::*;

pub async fn definitions(caller: &Campaigns, table: &mut Table) {
    let mut objectives = caller.objectives.clone();
    let wrong = Objective { metric: 99, target_count: -1, window: window(DAY, 0), ..Objective::default() };
    let request = CreateObjectiveRequest {
        objective: Some(wrong),
        objective_id: "a b".to_owned(),
        request_id: "é".to_owned(),
    };
    let fields = [
        "objective.display_name",
        "objective.metric",
        "objective.window.end_time",
        "objective_id",
        "request_id",
    ];
    table
        .refuses("an objective of nonsense", objectives.create_objective(request).await, invalid(&fields))
        .await;
    let wrong = Objective {
        display_name: "x".to_owned(),
        metric: ObjectiveMetric::Revenue.into(),
        target_count: 3,
        window: window(0, DAY),
        ..Objective::default()
    };
    let request = CreateObjectiveRequest { objective: Some(wrong), ..Default::default() };
    let fields = ["objective.target_count", "objective.target_money"];
    table
        .refuses("a target that does not fit", objectives.create_objective(request).await, invalid(&fields))
        .await;

    let mut products = caller.products.clone();
    let twice = || ListPrice { place: "AT".to_owned(), price: Some(eur(-100)) };
    let wrong = Product {
        display_name: "x".repeat(201),
        categories: vec![String::new()],
        prices: vec![twice(), ListPrice { place: "shops/".to_owned(), price: None }],
        unit_costs: vec![eur(1), eur(2)],
        tax_rate_ppm: 1_000_001,
        ..Product::default()
    };
    let request =
        CreateProductRequest { product: Some(wrong), product_id: "-".to_owned(), ..Default::default() };
    let fields = [
        "product.categories[0]",
        "product.display_name",
        "product.prices[0].price",
        "product.prices[1].place",
        "product.prices[1].price",
        "product.tax_rate_ppm",
        "product.unit_costs[1].currency_code",
        "product_id",
    ];
    table.refuses("a product of nonsense", products.create_product(request).await, invalid(&fields)).await;
    let request = CreateProductRequest {
        product_id: "p1".to_owned(),
        product: Some(Product { display_name: "P".to_owned(), ..Product::default() }),
        ..Default::default()
    };
    table
        .refuses(
            "a product that exists",
            products.create_product(request).await,
            platform(Code::AlreadyExists, "ALREADY_EXISTS"),
        )
        .await;
    let request = GetProductRequest { name: "products/none".to_owned() };
    table
        .refuses(
            "one that does not",
            products.get_product(request).await,
            platform(Code::NotFound, "NOT_FOUND"),
        )
        .await;
}

/// A mix in which nothing is right.
fn wrong_mix() -> (MarketingMix, Vec<&'static str>) {
    let costly =
        "basket.lines.all(a, basket.lines.all(b, a.product == b.product || a.quantity * b.quantity > 3))";
    let conditioned =
        |id: &str, condition: &str| Offer { condition: condition.to_owned(), ..offer(id, percent(1)) };
    let mut scoped = percent(1);
    scoped.scope = Some(Scope { condition: "line.price > 3".to_owned(), ..Scope::default() });
    let offers = vec![
        conditioned("syntax", "basket.total >"),
        conditioned("unknown", "basket.colour == 3"),
        conditioned("costly", costly),
        offer("scope", scoped),
        offer(
            "gift",
            Discount { kind: Some(Kind::GiftCard(GiftCardTender::default())), ..Discount::default() },
        ),
        offer(
            "points",
            Discount { kind: Some(Kind::Points(PointsReward { points_per_unit: 1 })), ..Discount::default() },
        ),
        offer("gift", percent(0)),
        offer("nothing", Discount::default()),
        offer("", off(0)),
    ];
    let rule = |id: &str, change| PriceRule { id: id.to_owned(), change, ..PriceRule::default() };
    let placement = Placement {
        id: "tv".to_owned(),
        medium: Medium::Digital.into(),
        channel: 99,
        ..Placement::default()
    };
    let mix = MarketingMix {
        product: Some(ProductMix {
            products: vec!["p1".to_owned()],
            featured_products: vec!["products/other".to_owned()],
            ..ProductMix::default()
        }),
        price: Some(PriceMix {
            price_rules: vec![rule("one", None), rule("two", Some(Change::RatePpm(2_000_000)))],
            offers,
            margin_floor_ppm: 1_000_000,
        }),
        place: Some(PlaceMix { countries: vec!["Austria".to_owned()], ..PlaceMix::default() }),
        promotion: Some(PromotionMix { placements: vec![placement] }),
    };
    let fields = vec![
        "mix.price.offers[0].condition RULE_INVALID",
        "mix.price.offers[1].condition RULE_INVALID",
        "mix.price.offers[2].condition RULE_INVALID",
        "mix.price.offers[3].discount.scope.condition RULE_INVALID",
        "mix.price.offers[4].discount.gift_card",
        "mix.price.offers[5].discount.points POINTS_NOT_AVAILABLE",
        "mix.price.offers[6].discount.percent.rate_ppm",
        "mix.price.offers[6].id",
        "mix.price.offers[7].discount.kind",
        "mix.price.offers[8].discount.amount.amounts[0]",
        "mix.price.offers[8].id",
        "mix.price.price_rules[0].change",
        "mix.price.price_rules[1].rate_ppm",
        "mix.price.margin_floor_ppm",
        "mix.place.countries[0]",
        "mix.product.products[0]",
        "mix.product.featured_products[0]",
        "mix.promotion.placements[0].channel",
    ];
    (mix, fields)
}

pub async fn mixes(caller: &Campaigns, table: &mut Table) {
    let mut campaigns = caller.campaigns.clone();
    let (wrong, fields) = wrong_mix();
    let owned: Vec<String> = fields.iter().map(|field| format!("campaign.{field}")).collect();
    let named: Vec<&'static str> = owned.into_iter().map(|field| &*field.leak()).collect();
    let answer = campaigns.create_campaign(create(campaign(wrong.clone(), window(0, DAY)))).await;
    table.refuses("a mix of nonsense", answer, invalid(&named)).await;
    let request =
        AdaptCampaignRequest { name: "campaigns/running".to_owned(), mix: Some(wrong), ..Default::default() };
    let mut fields = fields;
    fields.push("reason");
    table.refuses("and as an adaptation", campaigns.adapt_campaign(request).await, invalid(&fields)).await;

    let all = || mix(vec![offer("ten", percent(100_000))]);
    let wrong = Campaign {
        objective: "orders".to_owned(),
        time_zone: "Europe/Atlantis".to_owned(),
        segments: vec!["vips".to_owned()],
        budgets: vec![eur(0)],
        ..Campaign::default()
    };
    let fields = [
        "campaign.budgets[0]",
        "campaign.display_name",
        "campaign.objective",
        "campaign.segments[0]",
        "campaign.time_zone",
        "campaign.window",
    ];
    table
        .refuses("a campaign of nonsense", campaigns.create_campaign(create(wrong)).await, invalid(&fields))
        .await;
    let answer = campaigns.create_campaign(create(campaign(all(), window(0, 93 * DAY)))).await;
    let expected = table.rule("WINDOW_TOO_LONG", &[("campaigns/fresh", "WINDOW_TOO_LONG")]);
    table.refuses("a window that is too long", answer, expected).await;
    for (what, objective, reason) in [
        ("an unknown objective", "none", "OBJECTIVE_UNKNOWN"),
        ("a closed objective", "closed", "OBJECTIVE_ARCHIVED"),
    ] {
        let name: &'static str = format!("objectives/{objective}").leak();
        let wrong = Campaign { objective: name.to_owned(), ..campaign(all(), window(0, DAY)) };
        let expected = table.rule(reason, &[(name, reason)]);
        table.refuses(what, campaigns.create_campaign(create(wrong)).await, expected).await;
    }
}

pub async fn states(caller: &Campaigns, table: &mut Table) {
    let mut campaigns = caller.campaigns.clone();
    let name = |id: &str| format!("campaigns/{id}");
    let request = LaunchCampaignRequest { name: name("bare"), ..Default::default() };
    let missing: &[(&str, &str)] = &[("mix.product", "MIX_INCOMPLETE"), ("mix.price", "MIX_INCOMPLETE")];
    let expected = table.rule("MIX_INCOMPLETE", missing);
    table.refuses("a launch without a mix", campaigns.launch_campaign(request).await, expected).await;
    let request = LaunchCampaignRequest { name: name("running"), ..Default::default() };
    let wrong = |table: &Table, name| table.rule("WRONG_STATE", &[(name, "WRONG_STATE")]);
    let expected = wrong(table, "campaigns/running");
    table.refuses("a launch of what runs", campaigns.launch_campaign(request).await, expected).await;
    let request = PauseCampaignRequest { name: name("draft"), ..Default::default() };
    let expected = wrong(table, "campaigns/draft");
    table.refuses("a pause of a draft", campaigns.pause_campaign(request).await, expected).await;
    let request = ScheduleCampaignRequest { name: name("past"), ..Default::default() };
    let expected = table.rule("WINDOW_OVER", &[("campaigns/past", "WINDOW_OVER")]);
    table.refuses("a window that is over", campaigns.schedule_campaign(request).await, expected).await;
    let request = ArchiveObjectiveRequest { name: "objectives/orders".to_owned(), ..Default::default() };
    let answer = caller.objectives.clone().archive_objective(request).await;
    match answer {
        Err(status) if status.code() == Code::FailedPrecondition => {}
        other => table.wrong.push(format!("an objective in use: {other:?}")),
    }
    let request = GetMixRevisionRequest { name: "campaigns/running/mixRevisions/7".to_owned() };
    let unknown = Expected { domain: "tandem.campaign.v1", ..platform(Code::NotFound, "REVISION_UNKNOWN") };
    table.refuses("an unknown revision", campaigns.get_mix_revision(request).await, unknown).await;
    let late = AdaptCampaignRequest {
        name: name("running"),
        mix: Some(mix(vec![offer("ten", percent(1))])),
        effective_time: Some(in_seconds(60 * DAY)),
        reason: "too late".to_owned(),
        ..AdaptCampaignRequest::default()
    };
    let expected = table.rule("REVISION_OUT_OF_ORDER", &[("campaigns/running", "REVISION_OUT_OF_ORDER")]);
    table.refuses("a revision past the window", campaigns.adapt_campaign(late).await, expected).await;
}

pub async fn masks_etags_pages_and_ids(caller: &Campaigns, table: &mut Table) {
    let (mut objectives, mut products) = (caller.objectives.clone(), caller.products.clone());
    let mut campaigns = caller.campaigns.clone();
    let stale = || platform(Code::Aborted, "ETAG_MISMATCH");
    let objective = |etag: &str| Objective {
        name: "objectives/orders".to_owned(),
        etag: etag.to_owned(),
        ..Objective::default()
    };
    let request = UpdateObjectiveRequest {
        objective: Some(objective("")),
        update_mask: mask(&["state", "shoe_size"]),
        ..Default::default()
    };
    table
        .refuses(
            "unknown fields in a mask",
            objectives.update_objective(request).await,
            invalid(&["update_mask", "update_mask"]),
        )
        .await;
    let request = UpdateObjectiveRequest {
        objective: Some(objective("v99")),
        update_mask: mask(&["labels"]),
        ..Default::default()
    };
    table.refuses("a stale etag of an objective", objectives.update_objective(request).await, stale()).await;
    let product = Product { name: "products/p1".to_owned(), etag: "v99".to_owned(), ..Product::default() };
    let request = UpdateProductRequest {
        product: Some(product),
        update_mask: mask(&["categories"]),
        ..Default::default()
    };
    table.refuses("a stale etag of a product", products.update_product(request).await, stale()).await;
    let draft =
        Campaign { name: "campaigns/draft".to_owned(), etag: "v99".to_owned(), ..Campaign::default() };
    let request =
        UpdateCampaignRequest { campaign: Some(draft), update_mask: mask(&["labels"]), ..Default::default() };
    table.refuses("a stale etag of a campaign", campaigns.update_campaign(request).await, stale()).await;
    let request = LaunchCampaignRequest {
        name: "campaigns/draft".to_owned(),
        etag: "v99".to_owned(),
        ..Default::default()
    };
    table.refuses("and of one to be launched", campaigns.launch_campaign(request).await, stale()).await;

    let first = ListProductsRequest { page_size: 2, ..ListProductsRequest::default() };
    let token = products.list_products(first).await.unwrap().into_inner().next_page_token;
    let expected = || platform(Code::InvalidArgument, "INVALID_PAGE_TOKEN");
    let other = ListProductsRequest {
        filter: r#"product.state == "ACTIVE""#.to_owned(),
        page_token: token.clone(),
        ..Default::default()
    };
    table.refuses("a page token of another filter", products.list_products(other).await, expected()).await;
    let other = ListCampaignsRequest { page_token: token, ..ListCampaignsRequest::default() };
    table.refuses("a page token of another list", campaigns.list_campaigns(other).await, expected()).await;
    let nonsense = ListCampaignsRequest {
        filter: "campaign.size > 1".to_owned(),
        order_by: "size".to_owned(),
        page_size: -1,
        ..Default::default()
    };
    let fields = ["filter RULE_INVALID", "order_by", "page_size"];
    table.refuses("a list of nonsense", campaigns.list_campaigns(nonsense).await, invalid(&fields)).await;

    let request = CreateProductRequest {
        product: Some(Product { display_name: "Once".to_owned(), ..Product::default() }),
        product_id: "once".to_owned(),
        request_id: "create".to_owned(),
    };
    let first = products.create_product(request.clone()).await.unwrap().into_inner();
    assert_eq!(
        products.create_product(request.clone()).await.unwrap().into_inner(),
        first,
        "the same answer again"
    );
    table.set().await;
    let other = CreateProductRequest { product_id: "twice".to_owned(), ..request };
    let expected = platform(Code::InvalidArgument, "REQUEST_ID_REUSED");
    table
        .refuses("another product under one request_id", products.create_product(other).await, expected)
        .await;
    for method in
        ["/tandem.campaign.v1.ProductService/GetProduct", "/tandem.campaign.v1.PricingService/Quote"]
    {
        let answer = raw::send(&caller.channel, method, raw::invalid_utf8()).await;
        table
            .refuses(
                &format!("invalid UTF-8 to {method}"),
                answer,
                platform(Code::InvalidArgument, "INVALID_ARGUMENT"),
            )
            .await;
    }
    let request = SubscribeRequest { cursor: "never".to_owned(), ..SubscribeRequest::default() };
    let answer = caller.events.clone().subscribe(request).await.map(|_| ());
    table.refuses("a cursor that is none", answer, invalid(&["cursor"])).await;
}
