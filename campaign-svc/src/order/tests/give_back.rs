//! What comes back when an order is cancelled or returned.

use super::*;

#[tokio::test]
async fn of_3_units_with_10_off_one_back_is_3_33_two_6_67_three_10_00() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(1)).await;
        shop.commit("o1", "7", 1_000).await.unwrap();
        for (units, left, uses, state) in [
            (1, 667, 1, OrderState::PartiallyReturned),
            (1, 333, 1, OrderState::PartiallyReturned),
            (1, 0, 0, OrderState::Returned),
        ] {
            let order = shop.take_back("o1", &format!("r-{left}"), units).await.unwrap();
            assert_eq!(order.state(), state);
            assert_eq!(order.discount, Some(euros(left)));
            assert_eq!(shop.taken().await, [uses, left, 0, 0]);
        }
        shop.commit("o2", "7", 1_000).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_order_gives_back_what_has_not_come_back_yet() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(1)).await;
        shop.commit("o1", "7", 1_000).await.unwrap();
        shop.take_back("o1", "r1", 2).await.unwrap();
        assert_eq!(shop.cancel("o1").await.unwrap().state(), OrderState::Cancelled);
        assert_eq!(shop.taken().await, [0, 0, 0, 0]);
        shop.cancel("o1").await.unwrap();
        assert_eq!(shop.taken().await, [0, 0, 0, 0], "once");
        assert_eq!(refused(shop.take_back("o1", "r2", 1).await), "WRONG_ORDER_STATE");
        assert_eq!(refused(shop.commit_as("o1", "c2", &shop.claims("7", 100)).await), "WRONG_ORDER_STATE");
    })
    .await;
}

#[tokio::test]
async fn the_same_return_sent_twice_comes_back_once() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(1)).await;
        shop.commit("o1", "7", 1_000).await.unwrap();
        let (one, other) = tokio::join!(shop.take_back("o1", "r1", 1), shop.take_back("o1", "r1", 1));
        assert_eq!(one.unwrap(), other.unwrap());
        assert_eq!(shop.taken().await, [1, 667, 0, 0]);
    })
    .await;
}

#[tokio::test]
async fn more_units_than_are_out_are_refused_and_change_nothing() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(1)).await;
        shop.commit("o1", "7", 1_000).await.unwrap();
        shop.take_back("o1", "r1", 2).await.unwrap();
        assert_eq!(refused(shop.take_back("o1", "r2", 2).await), "QUANTITY_EXCEEDED");
        assert_eq!(shop.taken().await, [1, 333, 0, 0]);
        assert_eq!(shop.cancel("nobody").await.unwrap_err().code(), tonic::Code::NotFound);
    })
    .await;
}

#[tokio::test]
async fn the_till_hears_what_it_pays_back_and_the_order_keeps_it() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(1)).await;
        // 3 units at 10.00 less 10.00: 20.00 were paid.
        shop.commit("o1", "7", 1_000).await.unwrap();
        let order = shop.take_back("o1", "r1", 1).await.unwrap();
        let again = shop.take_back("o1", "r1", 1).await.unwrap();
        assert_eq!(order, again);
        let amounts =
            |order: &Order| order.refunds.iter().map(|one| one.amount.clone().unwrap()).collect::<Vec<_>>();
        assert_eq!(amounts(&order), [euros(667)]);
        let order = shop.cancel("o1").await.unwrap();
        assert_eq!(amounts(&order), [euros(667), euros(1_333)]);
        assert_eq!(order.refunds[1].cause(), RefundCause::Cancelled);
        assert_eq!(order.lines[0].returned_quantity, 1);
        assert_eq!(amounts(&shop.get("o1").await.unwrap()), [euros(667), euros(1_333)]);
    })
    .await;
}
