//! The other ways an order can go: held, released, paid by gift card, taken back.

use tandem_proto::common::v1::discount::Kind;
use tandem_proto::common::v1::{Discount, GiftCardTender};
use tandem_proto::relationship::v1::{
    AssignVouchersRequest, Assignment, GetVoucherRequest, HoldVouchersRequest, Incentive,
    ListRedemptionsRequest, RedemptionState, Voucher, VoucherState, hold_vouchers_request,
};
use tandem_tests::answer::named;
use tandem_tests::database::Engine;
use tandem_tests::ledger::Ledger;
use tandem_tests::stage::{
    Answer, Request, amount, eur, incentive, minor, percent, redeem_held, release, roll_back,
};

use super::stage::{Shop, ask, shop, total};

async fn send(shop: &Shop, request: impl Into<Request>) -> Answer {
    shop.relationship.send(&request.into()).await.expect("it is done")
}

async fn voucher(shop: &Shop, code: &str) -> Voucher {
    let request = GetVoucherRequest { name: format!("vouchers/{code}") };
    shop.relationship.vouchers.clone().get_voucher(request).await.unwrap().into_inner().voucher.unwrap()
}

/// Quotes and holds.
async fn hold(shop: &Shop, customer: &str, order: &str, codes: &[&str]) -> i64 {
    let quote = shop.campaigns.quote(ask(customer, order, codes)).await;
    let request = HoldVouchersRequest {
        order_id: order.to_owned(),
        what: Some(hold_vouchers_request::What::QuoteToken(quote.quote_token.clone())),
        customer: format!("customers/{customer}"),
        request_id: format!("hold-{order}"),
        ..HoldVouchersRequest::default()
    };
    let Answer::Held(held) = send(shop, request).await else { panic!("a hold is answered with a hold") };
    assert!(held.expire_time.is_some());
    assert!(held.redemptions.iter().all(|one| one.state() == RedemptionState::Held), "{held:?}");
    total(&quote)
}

async fn an_order_goes_every_way(engine: Engine) {
    let shop = shop(engine).await;
    shop.relationship.incentive("single", incentive(percent(100_000))).await;
    shop.relationship.codes("single", &["SINGLE"], 1).await;
    let card = Discount { kind: Some(Kind::GiftCard(GiftCardTender::default())), ..Discount::default() };
    shop.relationship.incentive("card", Incentive { discount: Some(card), ..Incentive::default() }).await;
    let gift = |code: &str, worth| Voucher {
        code: code.to_owned(),
        incentive: "incentives/card".to_owned(),
        initial_balance: Some(worth),
        ..Voucher::default()
    };
    shop.relationship
        .import(vec![gift("CARD-EUR", eur(5_000)), gift("CARD-USD", amount(5_000, "USD"))])
        .await;

    held_and_released(&shop).await;
    held_and_redeemed(&shop).await;
    paid_by_gift_card(&shop).await;
    assigned(&shop).await;
    Ledger::checked(shop.pair.relationship_database.url()).await;
}

/// A hold keeps the use from others until it is given back.
async fn held_and_released(shop: &Shop) {
    hold(shop, "ada", "held", &["SINGLE"]).await;
    let refused = shop.campaigns.quote(ask("bob", "", &["SINGLE"])).await;
    assert_eq!(refused.decisions[0].code_refusal, "CODE_EXHAUSTED");
    let own = shop.campaigns.quote(ask("ada", "held", &["SINGLE"])).await;
    assert_eq!(total(&own), 13_000 - 1_300, "what an order holds itself does not stand against it");
    let Answer::Released(released) = send(shop, release("held")).await else { panic!("released") };
    assert_eq!(released.redemptions[0].state(), RedemptionState::Released);
    assert_eq!(total(&shop.campaigns.quote(ask("bob", "", &["SINGLE"])).await), 13_000 - 1_300);
}

/// A hold becomes a redemption with the held amounts; taken back, the use is free again.
async fn held_and_redeemed(shop: &Shop) {
    let quoted = hold(shop, "bob", "sold", &["SINGLE", "WELCOME-1"]).await;
    let redeem = redeem_held("sold");
    let Answer::Redeemed(redeemed) = send(shop, redeem.clone()).await else { panic!("redeemed") };
    let sum: i64 = redeemed.redemptions.iter().map(|one| minor(one.amount.as_ref())).sum();
    assert_eq!((redeemed.redemptions.len(), 13_000 - sum), (2, quoted));
    assert_eq!(send(shop, redeem).await, Answer::Redeemed(redeemed));
    assert_eq!(voucher(shop, "single").await.state(), VoucherState::Exhausted);
    let late = shop.relationship.send(&redeem_held("never-held").into()).await.expect_err("nothing is held");
    assert_eq!(named(&late), "FailedPrecondition HOLD_OVER");
    let Answer::RolledBack(back) = send(shop, roll_back("sold")).await else { panic!("rolled back") };
    assert_eq!(minor(back.returned.as_ref()), sum);
    assert_eq!(voucher(shop, "SINGLE").await.state(), VoucherState::Active);
}

/// A gift card pays what is left to pay, up to its worth, in its own currency only.
async fn paid_by_gift_card(shop: &Shop) {
    let quote = shop.campaigns.quote(ask("eve", "paid", &["CARD-EUR", "CARD-USD", "WELCOME-1"])).await;
    let totals = quote.totals.as_ref().unwrap();
    assert_eq!(total(&quote), 13_000 - 500, "a gift card reduces nothing");
    assert_eq!((minor(totals.tendered.as_ref()), minor(totals.payable.as_ref())), (5_000, 7_500));
    hold(shop, "eve", "paid", &["CARD-EUR", "WELCOME-1"]).await;
    let Answer::Redeemed(redeemed) = send(shop, redeem_held("paid")).await else { panic!("redeemed") };
    assert_eq!(redeemed.redemptions.len(), 2);
    assert_eq!(minor(voucher(shop, "CARD-EUR").await.balance.as_ref()), 0);
    send(shop, roll_back("paid")).await;
    assert_eq!(minor(voucher(shop, "CARD-EUR").await.balance.as_ref()), 5_000);
}

/// A code that was given to a customer is that customer's; the same source gets the same code.
async fn assigned(shop: &Shop) {
    let definition = Incentive { assigned_only: true, ..incentive(percent(500_000)) };
    shop.relationship.incentive("birthday", definition).await;
    shop.relationship.codes("birthday", &["BIRTHDAY-1"], 1).await;
    let assign = |request_id: &str| AssignVouchersRequest {
        incentive: "incentives/birthday".to_owned(),
        assignments: vec![Assignment {
            customer: "customers/ada".to_owned(),
            source_id: "birthday-2026".to_owned(),
        }],
        request_id: request_id.to_owned(),
        ..AssignVouchersRequest::default()
    };
    for (request_id, existing) in [("assign-1", false), ("assign-2", true)] {
        let answer = shop
            .relationship
            .vouchers
            .clone()
            .assign_vouchers(assign(request_id))
            .await
            .unwrap()
            .into_inner();
        let result = &answer.results[0];
        assert_eq!(
            (result.voucher.as_ref().unwrap().code.as_str(), result.existing),
            ("BIRTHDAY-1", existing)
        );
    }
    let others = shop.campaigns.quote(ask("bob", "", &["birthday-1"])).await;
    assert_eq!(others.decisions[0].code_refusal, "CODE_NOT_YOURS");
    hold(shop, "ada", "cake", &["birthday-1"]).await;
    send(shop, redeem_held("cake")).await;
    let list = ListRedemptionsRequest { customer: "customers/ada".to_owned(), ..Default::default() };
    let listed =
        shop.relationship.vouchers.clone().list_redemptions(list).await.unwrap().into_inner().redemptions;
    assert_eq!(
        (listed[0].code.as_str(), listed[0].state()),
        ("BIRTHDAY-1", RedemptionState::Redeemed),
        "newest first"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_held_released_redeemed_paid_by_gift_card_and_taken_back_on_sqlite() {
    an_order_goes_every_way(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_held_released_redeemed_paid_by_gift_card_and_taken_back_on_postgres() {
    an_order_goes_every_way(Engine::Postgres).await;
}
