//! What the till pays back, and what a gift card gets back by itself: together what was paid.

use tandem_proto::campaign::v1::{
    CancelOrderRequest, GetOrderRequest, QuoteRequest, Refund, ReturnOrderLinesRequest, ReturnedOrderLine,
    return_order_lines_request::Shipping,
};
use tandem_proto::common::v1::{Basket, Discount, GiftCardTender, Limits, discount};
use tandem_proto::relationship::v1::{
    GetVoucherRequest, Incentive, RedeemVouchersRequest, ReleaseHoldRequest, RollbackReason,
    RollbackRedemptionRequest, Voucher,
};
use tandem_tests::answer::Refusal;
use tandem_tests::database::Engine;
use tandem_tests::stage::orders::{Shop, Step, cancel};
use tandem_tests::stage::{Campaigns, basket, eur, minor, roll_back};

pub const CARD: &str = "CARD-50";

/// A shop whose customer has a gift card of 50.00.
async fn with_card(engine: Engine) -> Shop {
    with_card_under(engine, Limits::default()).await
}

/// The same, its offer under these limits.
pub async fn with_card_under(engine: Engine, limits: Limits) -> Shop {
    let shop = Shop::open(engine, limits).await;
    let relationship = shop.relationship(0);
    let kind = Some(discount::Kind::GiftCard(GiftCardTender::default()));
    let card = Incentive { discount: Some(Discount { kind, ..Discount::default() }), ..Incentive::default() };
    relationship.incentive("card", card).await;
    let code = CARD.to_owned();
    let incentive = "incentives/card".to_owned();
    let voucher = Voucher { code, incentive, initial_balance: Some(eur(5_000)), ..Voucher::default() };
    relationship.import(vec![voucher]).await;
    shop
}

async fn balance(shop: &Shop) -> i64 {
    let request = GetVoucherRequest { name: format!("vouchers/{CARD}") };
    let card = shop.relationship(0).vouchers.clone().get_voucher(request).await.expect("a card");
    minor(card.into_inner().voucher.expect("a card").balance.as_ref())
}

fn to_card(refund: &Refund) -> i64 {
    refund.gift_cards.iter().map(|card| minor(card.amount.as_ref())).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn returns_and_a_cancellation_pay_back_what_was_paid_to_the_card_and_to_the_till() {
    for engine in Engine::BOTH {
        let shop = with_card(engine).await;
        let campaigns = Campaigns::of(&shop.campaigns[0]);
        let goods = basket(&[("a", 1, 15_000), ("b", 2, 3_000)]);
        let request = QuoteRequest {
            basket: Some(Basket { shipping: Some(eur(490)), ..goods }),
            codes: vec![CARD.to_owned()],
            require_incentives: true,
            ..QuoteRequest::default()
        };
        let quote = campaigns.quote(request).await;
        let totals = quote.totals.clone().expect("totals");
        let (paid, by_card) = (minor(totals.total.as_ref()), minor(totals.tendered.as_ref()));
        assert_eq!(by_card, 5_000);
        let Step::Commit(commit) = shop.commit("o1", &[]) else { unreachable!() };
        let commit = Step::Commit(tandem_proto::campaign::v1::CommitOrderRequest {
            quote_token: quote.quote_token.clone(),
            ..commit
        });
        shop.orders(0).send(&commit).await.expect("committed");
        assert_eq!(balance(&shop).await, 0);

        let mut client = shop.orders(0).0;
        let back = |line: Option<(&str, i64)>, request_id: &str, shipping: Option<Shipping>| {
            let line = line.map(|(id, quantity)| ReturnedOrderLine { line_id: id.to_owned(), quantity });
            ReturnOrderLinesRequest {
                name: "orders/o1".to_owned(),
                lines: line.into_iter().collect(),
                request_id: request_id.to_owned(),
                shipping,
            }
        };
        let mut refunds = Vec::new();
        for request in [
            back(Some(("a", 1)), "r1", None),
            back(Some(("b", 1)), "r2", None),
            back(None, "r3", Some(Shipping::ShippingAmount(eur(190)))),
            back(Some(("b", 1)), "r4", None),
            // Shipping may come back when all lines are.
            back(None, "r5", Some(Shipping::ShippingAmount(eur(100)))),
        ] {
            let answer = client.return_order_lines(request.clone()).await.expect("returned").into_inner();
            let again = client.return_order_lines(request).await.expect("the same").into_inner();
            assert_eq!(again, answer, "sent twice");
            let refund = answer.refund.expect("a refund");
            let amount = minor(refund.amount.as_ref());
            assert_eq!(amount, minor(refund.money.as_ref()) + to_card(&refund));
            refunds.push(refund);
            let card: i64 = refunds.iter().map(to_card).sum();
            assert_eq!(balance(&shop).await, card);
        }
        let lines = quote.lines.iter().map(|line| minor(line.final_amount.as_ref())).collect::<Vec<_>>();
        assert_eq!(minor(refunds[0].amount.as_ref()), lines[0]);
        assert_eq!(minor(refunds[2].shipping.as_ref()), 190);
        let request = CancelOrderRequest { name: "orders/o1".to_owned(), request_id: "end".to_owned() };
        let answer = client.cancel_order(request).await.expect("cancelled").into_inner();
        refunds.push(answer.refund.expect("the rest of the shipping"));
        assert_eq!(refunds.iter().map(|refund| minor(refund.amount.as_ref())).sum::<i64>(), paid);
        assert_eq!((refunds.iter().map(to_card).sum::<i64>(), balance(&shop).await), (5_000, 5_000));
        let order =
            client.get_order(GetOrderRequest { name: "orders/o1".to_owned() }).await.expect("an order");
        assert_eq!(order.into_inner().order.expect("an order").refunds, refunds);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_an_order_is_not_rolled_back_at_relationship_svc_alone() {
    for engine in Engine::BOTH {
        let shop = Shop::open(engine, Limits::default()).await;
        shop.codes(&["CODE-A"], 1).await;
        shop.orders(0).send(&shop.commit("#1001", &["CODE-A"])).await.expect("committed");
        let mut alone = shop.relationship(0).vouchers;
        let request =
            RollbackRedemptionRequest { reason: RollbackReason::Mistake.into(), ..roll_back("#1001") };
        let status = alone.rollback_redemption(request).await.expect_err("it belongs to an order");
        assert_eq!(Refusal::of(&status).reason, "BELONGS_TO_ORDER");
        assert!(status.message().contains("orders/%231001"), "{status}");
        shop.codes(&["CODE-B"], 1).await;
        shop.orders(0).send(&shop.hold("#1002", &["CODE-B"])).await.expect("held");
        let request_id = || "alone".to_owned();
        let request =
            ReleaseHoldRequest { order_id: "#1002".to_owned(), request_id: request_id(), of_order: false };
        let released = alone.release_hold(request).await.expect_err("it is of the order");
        let request = RedeemVouchersRequest {
            order_id: "#1002".to_owned(),
            request_id: request_id(),
            ..RedeemVouchersRequest::default()
        };
        let redeemed = alone.redeem_vouchers(request).await.expect_err("it is of the order");
        for status in [released, redeemed] {
            assert_eq!(Refusal::of(&status).reason, "BELONGS_TO_ORDER", "{status}");
        }
        shop.orders(0).insist(&cancel("%231001")).await.expect("cancelled");
        let books = shop.books().await;
        assert_eq!(books.ledger.voucher("CODE-A").uses, 0);
        // A hold that was given back is held again with its codes.
        shop.orders(0).send(&shop.hold("#1003", &["CODE-A"])).await.expect("held");
        shop.orders(0).insist(&cancel("%231003")).await.expect("given back");
        shop.orders(0).send(&shop.commit("#1003", &["CODE-A"])).await.expect("another card");
        assert_eq!(shop.books().await.ledger.voucher("CODE-A").uses, 1);
    }
}
