//! A guest whom a customer claims goes the same way.

use tandem_platform::testing;
use tandem_proto::relationship::v1::interaction_service_client::InteractionServiceClient;
use tandem_proto::relationship::v1::*;

use super::*;
use crate::MIGRATIONS;
use crate::erasure::tests::stage::{incentive, plain, redeem, upsert, vouchers};
use crate::testing::reason;

const GUEST: &str = "guest-0123456789abcdef";

async fn by_guest(harness: &Harness, order: &str, code: &str) -> Result<(), Status> {
    let request = RedeemVouchersRequest {
        order_id: order.to_owned(),
        what: Some(redeem_vouchers_request::What::Plain(plain(code))),
        guest_key: GUEST.to_owned(),
        request_id: format!("redeem-{order}"),
        ..RedeemVouchersRequest::default()
    };
    vouchers(harness).redeem_vouchers(request).await.map(drop)
}

async fn timeline(harness: &Harness, customer: &str, guest_key: &str) -> usize {
    let (customer, guest_key) = (customer.to_owned(), guest_key.to_owned());
    let request = ListInteractionsRequest { customer, guest_key, ..Default::default() };
    let mut client = InteractionServiceClient::new(harness.channel());
    client.list_interactions(request).await.unwrap().into_inner().entries.len()
}

#[tokio::test]
async fn what_a_guest_redeemed_counts_for_the_customer_and_is_shown_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        upsert(&harness, vec![Customer { name: "customers/ada".to_owned(), ..Customer::default() }]).await;
        incentive(&harness, "twice", 2, &["A1", "A2", "A3", "A4"]).await;
        by_guest(&harness, "o1", "A1").await.unwrap();
        let claim = ClaimGuestRequest {
            customer: "customers/ada".to_owned(),
            guest_key: GUEST.to_owned(),
            request_id: String::new(),
        };
        InteractionServiceClient::new(harness.channel()).claim_guest(claim).await.unwrap();
        by_guest(&harness, "o2", "A2").await.unwrap();
        for moves in [false, true] {
            if moves {
                moved(&harness).await;
                assert_eq!(timeline(&harness, "", GUEST).await, 0);
            }
            right(&harness).await;
            assert_eq!(timeline(&harness, "customers/ada", "").await, 2, "moved: {moves}");
            for refused in [
                by_guest(&harness, "o3", "A3").await.unwrap_err(),
                redeem(&harness, "o4", "A4", "customers/ada").await.unwrap_err(),
            ] {
                assert_eq!(reason(&refused), "CUSTOMER_LIMIT_REACHED", "moved: {moves}");
            }
        }
        let back = RollbackRedemptionRequest {
            order_id: "o1".to_owned(),
            reason: RollbackReason::Cancelled.into(),
            request_id: "back".to_owned(),
            ..RollbackRedemptionRequest::default()
        };
        vouchers(&harness).rollback_redemption(back).await.unwrap();
        redeem(&harness, "o4", "A4", "customers/ada").await.unwrap();
        right(&harness).await;
    })
    .await;
}
