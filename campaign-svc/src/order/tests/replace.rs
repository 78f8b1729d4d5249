//! One order amends another: the new one is committed and the old one cancelled, or neither.

use super::*;

#[tokio::test]
async fn the_last_use_of_the_old_order_serves_the_new_one() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(1)).await;
        shop.commit("old", "7", 300).await.unwrap();
        let new = shop.replace("new", "old", 500).await.unwrap();
        assert_eq!((new.state(), new.replaces.as_str()), (OrderState::Committed, "orders/old"));
        let old = shop.get("old").await.unwrap();
        assert_eq!((old.state(), old.replaced_by.as_str()), (OrderState::Cancelled, "orders/new"));
        assert_eq!(shop.taken().await, [1, 500, 0, 0]);
        assert_eq!(shop.replace("new", "old", 500).await.unwrap(), new);
        assert_eq!(shop.taken().await, [1, 500, 0, 0]);
    })
    .await;
}

#[tokio::test]
async fn a_refused_amendment_leaves_the_old_order_as_it_was() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, budget(1_000, common::Overrun::Reject)).await;
        let before = shop.commit("old", "7", 300).await.unwrap();
        assert_eq!(refused(shop.replace("new", "old", 1_100).await), "BUDGET_EXHAUSTED");
        assert_eq!(shop.get("old").await.unwrap(), before);
        assert_eq!(shop.get("new").await.unwrap_err().code(), tonic::Code::NotFound);
        assert_eq!(shop.taken().await, [1, 300, 0, 0]);
    })
    .await;
}

#[tokio::test]
async fn only_a_counted_order_can_be_replaced() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        let status = shop.replace("new", "nobody", 100).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::NotFound);
        shop.commit("old", "7", 300).await.unwrap();
        shop.cancel("old").await.unwrap();
        assert_eq!(refused(shop.replace("new", "old", 100).await), "WRONG_ORDER_STATE");
    })
    .await;
}
