//! What is written at relationship-svc.

use prost::Message;
use prost_types::FieldMask;
use tandem_proto::common::v1::{Discount, GiftCardTender, Money, discount};
use tandem_proto::relationship::v1::*;
use tandem_tests::stage::{
    basket, hold_quote, incentive, percent, quoted, redeem_plain, redeem_quote, release, roll_back,
};

use super::Stage;

/// Each write of the services of attributes, customers, segments, incentives and vouchers.
pub async fn writes(stage: &mut Stage) {
    attributes(stage).await;
    customers(stage).await;
    consents(stage).await;
    segments(stage).await;
    incentives(stage).await;
    vouchers(stage).await;
    redemptions(stage).await;
    let update = UpdateSettingsRequest {
        settings: Some(Settings { restored_days: Some(7), ..Settings::default() }),
        request_id: id("settings"),
        ..UpdateSettingsRequest::default()
    };
    stage.twenty("tandem.relationship.v1.SettingsService/UpdateSettings", &update).await;
}

fn id(text: &str) -> String {
    format!("r-{text}")
}

async fn attributes(stage: &mut Stage) {
    let attribute = |value_type: AttributeType| Attribute {
        name: "attributes/equal".to_owned(),
        value_type: value_type.into(),
        ..Attribute::default()
    };
    let create = CreateAttributeRequest {
        attribute: Some(attribute(AttributeType::Number)),
        attribute_id: "equal".to_owned(),
        request_id: id("create"),
    };
    stage.twenty("CreateAttribute", &create).await;
    let update = UpdateAttributeRequest {
        attribute: Some(attribute(AttributeType::Date)),
        request_id: id("update"),
        ..UpdateAttributeRequest::default()
    };
    stage.twenty("UpdateAttribute", &update).await;
    let delete = DeleteAttributeRequest {
        name: "attributes/equal".to_owned(),
        request_id: id("delete"),
        ..DeleteAttributeRequest::default()
    };
    stage.twenty("DeleteAttribute", &delete).await;
}

async fn customers(stage: &mut Stage) {
    let customer = |id: &str, country: &str| Customer {
        name: format!("customers/{id}"),
        country: country.to_owned(),
        ..Customer::default()
    };
    let create = CreateCustomerRequest {
        customer: Some(customer("equal", "AT")),
        customer_id: "equal".to_owned(),
        request_id: id("create"),
    };
    stage.twenty("CreateCustomer", &create).await;
    let update = UpdateCustomerRequest {
        customer: Some(customer("equal", "DE")),
        request_id: id("update"),
        ..UpdateCustomerRequest::default()
    };
    stage.twenty("UpdateCustomer", &update).await;
    let batch = BatchUpsertCustomersRequest {
        customers: vec![customer("equal", "CH"), customer("another", "CH")],
        request_id: id("batch"),
        update_mask: None,
    };
    stage.twenty("BatchUpsertCustomers", &batch).await;
    let claim = ClaimGuestRequest {
        customer: "customers/equal".to_owned(),
        guest_key: "guest-0123456789abcdef".to_owned(),
        request_id: id("claim"),
    };
    stage.twenty("ClaimGuest", &claim).await;
    let one = BatchUpsertCustomersRequest {
        customers: vec![customer("same", "CH")],
        request_id: id("same"),
        update_mask: None,
    };
    stage.twenty("BatchUpsertCustomers", &one).await;
    let merge = MergeCustomersRequest {
        source: "customers/same".to_owned(),
        target: "customers/equal".to_owned(),
        request_id: id("merge"),
        ..MergeCustomersRequest::default()
    };
    stage.twenty("MergeCustomers", &merge).await;
}

async fn consents(stage: &mut Stage) {
    let said = |state: ConsentState, purpose: &str| Consent {
        customer: "customers/equal".to_owned(),
        purpose: purpose.to_owned(),
        channel: Channel::Post.into(),
        state: state.into(),
        source: "test".to_owned(),
        ..Consent::default()
    };
    let pending = Consent {
        legal_basis: LegalBasis::Consent.into(),
        text_version: "1".to_owned(),
        ..said(ConsentState::Pending, "newsletter")
    };
    let record = RecordConsentRequest { consent: Some(pending), request_id: id("record") };
    let answer = stage.twenty("RecordConsent", &record).await;
    let token = RecordConsentResponse::decode(answer).expect("an answer").token;
    let consents = vec![said(ConsentState::Denied, "loyalty"), said(ConsentState::Withdrawn, "loyalty")];
    let batch = RecordConsentsRequest { consents, request_id: id("records") };
    stage.twenty("RecordConsents", &batch).await;
    let confirm = ConfirmConsentRequest { token, request_id: id("confirm"), ..Default::default() };
    stage.twenty("ConfirmConsent", &confirm).await;
    let email = contact_address::Address::Email("another@example.org".to_owned());
    let address = Some(ContactAddress { address: Some(email) });
    let suppress = SuppressRequest {
        address: address.clone(),
        channel: Channel::All.into(),
        reason: SuppressionReason::Bounce.into(),
        request_id: id("suppress"),
        ..SuppressRequest::default()
    };
    stage.twenty("Suppress", &suppress).await;
    let clear = ClearSuppressionRequest {
        address,
        channel: Channel::All.into(),
        reasons: vec![SuppressionReason::Bounce.into()],
        note: "it is back".to_owned(),
        request_id: id("clear"),
    };
    stage.twenty("ClearSuppression", &clear).await;
    let mailed = UpdateCustomerRequest {
        customer: Some(Customer {
            name: "customers/another".to_owned(),
            email: "another@example.org".to_owned(),
            ..Customer::default()
        }),
        request_id: id("mailed"),
        ..UpdateCustomerRequest::default()
    };
    stage.twenty("UpdateCustomer", &mailed).await;
    let token = stage.unsubscribe_token("customers/another").await;
    let unsubscribe = UnsubscribeRequest { token, request_id: id("unsubscribe") };
    stage.twenty("Unsubscribe", &unsubscribe).await;
    let erase = EraseCustomerRequest { name: "customers/another".to_owned(), request_id: id("erase") };
    stage.twenty("EraseCustomer", &erase).await;
}

async fn segments(stage: &mut Stage) {
    let segment = |rule: &str| Segment {
        name: "segments/equal".to_owned(),
        display_name: "Equal".to_owned(),
        rule: rule.to_owned(),
        ..Segment::default()
    };
    let create = CreateSegmentRequest {
        segment: Some(segment("customer.country == \"AT\"")),
        segment_id: "equal".to_owned(),
        request_id: id("create"),
    };
    stage.twenty("CreateSegment", &create).await;
    let update = UpdateSegmentRequest {
        segment: Some(segment("customer.country == \"DE\"")),
        request_id: id("update"),
        ..UpdateSegmentRequest::default()
    };
    stage.twenty("UpdateSegment", &update).await;
    let delete = DeleteSegmentRequest {
        name: "segments/equal".to_owned(),
        request_id: id("delete"),
        ..DeleteSegmentRequest::default()
    };
    stage.twenty("DeleteSegment", &delete).await;
    let list = CreateSegmentRequest {
        segment: Some(Segment { kind: SegmentKind::List.into(), ..Segment::default() }),
        segment_id: "list".to_owned(),
        request_id: id("list"),
    };
    stage.twenty("CreateSegment", &list).await;
    let customers = vec!["customers/equal".to_owned(), "customers/nobody".to_owned()];
    let add = AddSegmentMembersRequest {
        name: "segments/list".to_owned(),
        customers: customers.clone(),
        request_id: id("add"),
    };
    stage.twenty("AddSegmentMembers", &add).await;
    let remove =
        RemoveSegmentMembersRequest { name: "segments/list".to_owned(), customers, request_id: id("remove") };
    stage.twenty("RemoveSegmentMembers", &remove).await;
}

async fn incentives(stage: &mut Stage) {
    let named = |rate: i32| Incentive { name: "incentives/equal".to_owned(), ..incentive(percent(rate)) };
    let create = CreateIncentiveRequest {
        incentive: Some(named(100_000)),
        incentive_id: "equal".to_owned(),
        request_id: id("create"),
    };
    stage.twenty("CreateIncentive", &create).await;
    let update = UpdateIncentiveRequest {
        incentive: Some(named(200_000)),
        request_id: id("update"),
        ..UpdateIncentiveRequest::default()
    };
    stage.twenty("UpdateIncentive", &update).await;
    let other = CreateIncentiveRequest {
        incentive: Some(Incentive { name: String::new(), ..named(1) }),
        incentive_id: "over".to_owned(),
        request_id: id("over"),
    };
    stage.twenty("CreateIncentive", &other).await;
    let archive = ArchiveIncentiveRequest {
        name: "incentives/over".to_owned(),
        request_id: id("archive"),
        ..ArchiveIncentiveRequest::default()
    };
    stage.twenty("ArchiveIncentive", &archive).await;
}

async fn vouchers(stage: &mut Stage) {
    let generate = GenerateVouchersRequest {
        incentive: "incentives/equal".to_owned(),
        quantity: 500,
        request_id: id("generate"),
        ..GenerateVouchersRequest::default()
    };
    stage.twenty("GenerateVouchers", &generate).await;
    let assignment =
        |source: &str| Assignment { customer: "customers/equal".to_owned(), source_id: source.to_owned() };
    let assign = AssignVouchersRequest {
        incentive: "incentives/equal".to_owned(),
        assignments: vec![assignment("one"), assignment("two")],
        request_id: id("assign"),
        format: Some(CodeFormat::default()),
        validity: None,
    };
    stage.twenty("AssignVouchers", &assign).await;
    stage.shop.relationship(0).codes("equal", &["EQUAL", "ENDED"], 0).await;
    let change = UpdateVoucherRequest {
        voucher: Some(Voucher { name: "vouchers/EQUAL".to_owned(), max_uses: Some(7), ..Voucher::default() }),
        update_mask: Some(FieldMask { paths: vec!["max_uses".to_owned()] }),
        reason: "by hand".to_owned(),
        request_id: id("change"),
    };
    stage.twenty("UpdateVoucher", &change).await;
    gift_card(stage).await;
    let disable = DisableVoucherRequest { name: "vouchers/ENDED".to_owned(), request_id: id("disable") };
    stage.twenty("DisableVoucher", &disable).await;
}

async fn gift_card(stage: &mut Stage) {
    let kind = discount::Kind::GiftCard(GiftCardTender::default());
    let tender = Incentive {
        discount: Some(Discount { kind: Some(kind), ..Discount::default() }),
        ..Incentive::default()
    };
    let create = CreateIncentiveRequest {
        incentive: Some(tender),
        incentive_id: "card".to_owned(),
        request_id: id("card"),
    };
    stage.twenty("CreateIncentive", &create).await;
    let euros = |units| Money { currency_code: "EUR".to_owned(), units, nanos: 0 };
    let card = Voucher {
        code: "CARD".to_owned(),
        incentive: "incentives/card".to_owned(),
        initial_balance: Some(euros(50)),
        ..Voucher::default()
    };
    let block = ImportVouchersRequest { vouchers: vec![card], ..ImportVouchersRequest::default() };
    let mut vouchers = stage.shop.relationship(0).vouchers.clone();
    let mut import =
        vouchers.import_vouchers(futures::stream::iter([block])).await.expect("an import").into_inner();
    assert_eq!(import.message().await.expect("a card").map(|told| told.created), Some(1));
    let adjust = AdjustBalanceRequest {
        name: "vouchers/CARD".to_owned(),
        amount: Some(euros(20)),
        reason: "by hand".to_owned(),
        request_id: id("adjust"),
    };
    stage.twenty("AdjustBalance", &adjust).await;
    let read = GetVoucherRequest { name: "vouchers/CARD".to_owned() };
    let card = vouchers.get_voucher(read).await.expect("the card").into_inner().voucher.expect("the card");
    assert_eq!(card.balance, Some(euros(70)), "topped up once");
}

async fn redemptions(stage: &mut Stage) {
    let claims = quoted("", "customers/equal", &[("EQUAL", "equal", 100)]);
    stage.twenty("HoldVouchers", &hold_quote("held", &claims, 600)).await;
    stage.twenty("ReleaseHold", &release("held")).await;
    stage.twenty("RedeemVouchers", &redeem_quote("quoted", &claims)).await;
    let plain = redeem_plain("plain", basket(&[("1", 2, 1_000)]), &["EQUAL"]);
    stage.twenty("RedeemVouchers", &plain).await;
    stage.twenty("RollbackRedemption", &roll_back("plain")).await;
}
