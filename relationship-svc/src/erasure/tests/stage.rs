//! Somebody of whom everything is held that can be.

use std::collections::BTreeMap;

use tandem_kernel::clock::Clock;
use tandem_platform::testing;
use tandem_proto::common::v1::{self as common, discount};
use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::incentive_service_client::IncentiveServiceClient;
use tandem_proto::relationship::v1::interaction_service_client::InteractionServiceClient;
use tandem_proto::relationship::v1::voucher_service_client::VoucherServiceClient;
use tandem_proto::relationship::v1::*;
use tonic::Status;

use crate::consent::tests as consents;
use crate::erasure::tasks;
use crate::segment;
use crate::segment::tests::{lists, watched};
use crate::testing::{Channel as Wire, Harness, import_vouchers};

/// Values of Ada that nobody else has. The first is her id.
pub const VALUES: [&str; 6] = ["ada-17", "Ada-17@", "ada-17@", "436601234567", "Augusta", "walnut-grove"];
pub const NAME: &str = "customers/ada-17";

pub fn vouchers(harness: &Harness) -> VoucherServiceClient<Wire> {
    VoucherServiceClient::new(harness.channel())
}

pub fn customers(harness: &Harness) -> CustomerServiceClient<Wire> {
    CustomerServiceClient::new(harness.channel())
}

pub fn ada() -> Customer {
    Customer {
        name: NAME.to_owned(),
        display_name: "Augusta King".to_owned(),
        email: "Ada-17@example.org".to_owned(),
        phone: "+436601234567".to_owned(),
        country: "AT".to_owned(),
        attributes: BTreeMap::from([("street".to_owned(), "walnut-grove".to_owned())]),
        tags: vec!["vip".to_owned()],
        ..Customer::default()
    }
}

pub fn eve() -> Customer {
    Customer { name: "customers/eve".to_owned(), email: "eve@example.org".to_owned(), ..Customer::default() }
}

/// Creates or changes customers in one request, which is kept with its answer.
pub async fn upsert(harness: &Harness, people: Vec<Customer>) {
    let request = BatchUpsertCustomersRequest { customers: people, ..Default::default() };
    customers(harness).batch_upsert_customers(request).await.unwrap();
}

pub fn plain(code: &str) -> PlainBasket {
    let line = common::Line {
        id: "1".to_owned(),
        product: "products/1".to_owned(),
        quantity: 1,
        unit_price: Some(common::Money { currency_code: "EUR".to_owned(), units: 100, nanos: 0 }),
        ..common::Line::default()
    };
    let basket =
        common::Basket { currency_code: "EUR".to_owned(), lines: vec![line], ..common::Basket::default() };
    PlainBasket { basket: Some(basket), codes: vec![code.to_owned()], ..PlainBasket::default() }
}

/// Redeems a code for an order of the customer's.
pub async fn redeem(harness: &Harness, order: &str, code: &str, customer: &str) -> Result<(), Status> {
    let request = RedeemVouchersRequest {
        order_id: order.to_owned(),
        what: Some(redeem_vouchers_request::What::Plain(plain(code))),
        customer: customer.to_owned(),
        request_id: format!("redeem-{order}"),
        ..RedeemVouchersRequest::default()
    };
    vouchers(harness).redeem_vouchers(request).await.map(drop)
}

pub async fn hold(harness: &Harness, order: &str, code: &str, customer: &str) {
    let request = HoldVouchersRequest {
        order_id: order.to_owned(),
        what: Some(hold_vouchers_request::What::Plain(plain(code))),
        customer: customer.to_owned(),
        request_id: format!("hold-{order}"),
        ..HoldVouchersRequest::default()
    };
    vouchers(harness).hold_vouchers(request).await.unwrap();
}

/// An incentive of which each customer may use so many codes, with these codes.
pub async fn incentive(harness: &Harness, id: &str, per_customer: i64, codes: &[&str]) {
    let kind = discount::Kind::Percent(common::PercentDiscount { rate_ppm: 100_000 });
    let incentive = Incentive {
        discount: Some(common::Discount { kind: Some(kind), ..common::Discount::default() }),
        limits: Some(common::Limits { max_uses_per_customer: Some(per_customer), ..Default::default() }),
        ..Incentive::default()
    };
    let request = CreateIncentiveRequest {
        incentive: Some(incentive),
        incentive_id: id.to_owned(),
        ..CreateIncentiveRequest::default()
    };
    IncentiveServiceClient::new(harness.channel()).create_incentive(request).await.unwrap();
    let voucher = |code: &&str| Voucher {
        code: (*code).to_owned(),
        incentive: format!("incentives/{id}"),
        ..Voucher::default()
    };
    let message =
        ImportVouchersRequest { vouchers: codes.iter().map(voucher).collect(), ..Default::default() };
    let answer = import_vouchers(&mut vouchers(harness), vec![message]).await.unwrap();
    assert_eq!(answer.failed, 0);
}

/// Gives a code to a customer by hand.
async fn move_to(harness: &Harness, code: &str, customer: &str) {
    let voucher =
        Voucher { name: format!("vouchers/{code}"), customer: customer.to_owned(), ..Voucher::default() };
    let request = UpdateVoucherRequest {
        voucher: Some(voucher),
        reason: "the wrong one".to_owned(),
        ..UpdateVoucherRequest::default()
    };
    vouchers(harness).update_voucher(request).await.unwrap();
}

/// Writes everything of Ada that can be written, and a little of somebody else.
pub async fn set(harness: &Harness) {
    let create = CreateCustomerRequest {
        customer: Some(ada()),
        request_id: "create".to_owned(),
        ..Default::default()
    };
    customers(harness).create_customer(create).await.unwrap();
    let update = UpdateCustomerRequest {
        customer: Some(Customer { locale: "de-AT".to_owned(), ..ada() }),
        request_id: "update".to_owned(),
        update_mask: None,
    };
    customers(harness).update_customer(update).await.unwrap();
    upsert(harness, vec![eve(), ada()]).await;
    incentive(harness, "twice", 2, &["A1", "A2", "A3", "A4", "A5", "A6"]).await;
    let assign = AssignVouchersRequest {
        incentive: "incentives/twice".to_owned(),
        assignments: vec![Assignment { customer: NAME.to_owned(), source_id: "ada-17".to_owned() }],
        request_id: "assign".to_owned(),
        ..AssignVouchersRequest::default()
    };
    vouchers(harness).assign_vouchers(assign).await.unwrap();
    move_to(harness, "A6", NAME).await;
    move_to(harness, "A6", "customers/eve").await;
    redeem(harness, "o1", "A2", NAME).await.unwrap();
    hold(harness, "o2", "A3", NAME).await;
    redeem(harness, "o3", "A4", "customers/eve").await.unwrap();
    consent(harness, ConsentState::Pending, -20).await;
    consent(harness, ConsentState::Granted, -10).await;
    visited(harness).await;
    segments(harness).await;
}

/// Puts Ada on a list, and into a segment that is watched and depends on the day.
async fn segments(harness: &Harness) {
    lists::create_list(harness, "guests-of-honour", false).await.unwrap();
    lists::add(harness, "guests-of-honour", &["ada-17"]).await.unwrap();
    watched::watch(harness, "vips", "'vip' in customer.tags && now.year > 2000").await.unwrap();
    segment::tasks::pass(&harness.app).await.unwrap();
}

/// Tells of what Ada did: an order, and a visit that says more of her than it should.
pub async fn visited(harness: &Harness) {
    let now = harness.clock.now().as_second();
    let of = |event_id: &str, kind: InteractionType| Interaction {
        event_id: event_id.to_owned(),
        r#type: kind.into(),
        event_time: Some(prost_types::Timestamp { seconds: now - 60, nanos: 0 }),
        customer: NAME.to_owned(),
        attributes: BTreeMap::from([("street".to_owned(), "walnut-grove".to_owned())]),
        ..Interaction::default()
    };
    let amount = common::Money { currency_code: "EUR".to_owned(), units: 100, nanos: 0 };
    let order =
        Interaction { order_id: "o1".to_owned(), amount: Some(amount), ..of("e1", InteractionType::Order) };
    let request = RecordInteractionsRequest { interactions: vec![order, of("e2", InteractionType::Visit)] };
    let mut client = InteractionServiceClient::new(harness.channel());
    let answer = client.record_interactions(request).await.unwrap().into_inner();
    for result in answer.results {
        assert_eq!(result.status.map_or(0, |status| status.code), 0);
    }
}

/// What Ada says of the newsletter by e-mail.
pub async fn consent(harness: &Harness, state: ConsentState, seconds: i64) -> RecordConsentResponse {
    let consent = Consent {
        customer: NAME.to_owned(),
        proof: consents::proof("the form that Augusta sent from walnut-grove"),
        ..consents::said(state, seconds)
    };
    consents::record(&mut consents::client(harness), consent).await.unwrap()
}

pub async fn erase(harness: &Harness, name: &str) -> Result<Erasure, Status> {
    let request = EraseCustomerRequest { name: name.to_owned(), request_id: String::new() };
    customers(harness).erase_customer(request).await.map(|answer| answer.into_inner().erasure.unwrap())
}

/// Erases Ada, and does everything that is to be done by itself.
pub async fn erased(harness: &Harness) -> Erasure {
    erase(harness, NAME).await.unwrap();
    tasks::go_on(&harness.app).await.unwrap();
    erase(harness, NAME).await.unwrap()
}

/// Where any of Ada's values stands.
pub async fn found(harness: &Harness) -> Vec<String> {
    let mut found = Vec::new();
    for value in VALUES {
        found.extend(testing::holding(&harness.app.db, value).await);
    }
    found.sort();
    found.dedup();
    found
}

/// Everything that is held on somebody.
pub async fn export(harness: &Harness, name: &str) -> Result<Vec<export_customer_response::Part>, Status> {
    let request = ExportCustomerRequest { name: name.to_owned() };
    let mut stream = customers(harness).export_customer(request).await?.into_inner();
    let mut parts = Vec::new();
    while let Some(response) = stream.message().await? {
        parts.extend(response.part);
    }
    Ok(parts)
}
