//! The ledger of somebody who is called something else from now on.

use tandem_platform::testing;
use tandem_proto::relationship::v1::RollbackReason;

use super::*;
use crate::MIGRATIONS;
use crate::redemption::rename::rename;
use crate::relationship::Who;

#[tokio::test]
async fn a_ledger_is_renamed_part_by_part_and_the_books_are_right_after_each() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let limits = Limits { max_uses_per_customer: Some(9), ..per_customer_period(9, Recurrence::Month) };
        shop.incentive("spring", limited(off(1_000), limits)).await;
        shop.codes((1..=6).map(|n| shop.code(&format!("CODE{n}"), "spring")).collect()).await;
        let codes: Vec<(String, String)> = (1..=6).map(|n| (format!("o{n}"), format!("CODE{n}"))).collect();
        for (at, (order, code)) in codes.iter().enumerate() {
            let customer = if at == 5 { "8" } else { "7" };
            let quoted = [(code.as_str(), "spring", 1_000)];
            let quoted = Quoted::new(order, &quoted).by(customer);
            match at {
                4 => drop(shop.hold(&quoted).await.unwrap()),
                _ => drop(shop.redeem(&quoted).await.unwrap()),
            }
        }
        shop.roll_back("o1", &[], RollbackReason::Cancelled).await.unwrap();
        let mut parts = 0;
        while transact!(shop.app.db, |tx| {
            rename(tx, &shop.call.tenant, &Who::Customer("7".to_owned()), "9", 2).await
        })
        .unwrap()
            > 0
        {
            parts += 1;
            shop.audit().await;
        }
        assert_eq!(parts, 3, "five of them, two at a time");
        assert_eq!((shop.redeemed_by("7").await, shop.redeemed_by("9").await), (0, 3));
        assert_eq!(shop.redeemed_by("8").await, 1, "others keep theirs");
        shop.redeem_held("o5").await.unwrap();
        shop.roll_back("o2", &[], RollbackReason::Cancelled).await.unwrap();
        assert_eq!(shop.redeemed_by("9").await, 3);
        shop.audit().await;
    })
    .await;
}
