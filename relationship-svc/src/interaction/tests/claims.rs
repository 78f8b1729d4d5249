//! A guest turns out to be a customer.

use tandem_platform::testing;
use tandem_proto::relationship::v1::{
    ClaimGuestRequest, ClaimGuestResponse, Interaction, ListInteractionsRequest, Stage,
};
use tonic::{Code, Status};

use super::{
    GUEST, ago, another, asked, by_guest, client, euros, ids, order, page, recorded, relationship, visit,
    with,
};
use crate::MIGRATIONS;
use crate::testing::{Harness, fields, reason};

async fn claim(harness: &Harness, customer: &str, guest_key: &str) -> Result<ClaimGuestResponse, Status> {
    let request = ClaimGuestRequest {
        customer: customer.to_owned(),
        guest_key: guest_key.to_owned(),
        request_id: String::new(),
    };
    client(harness).claim_guest(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn what_a_guest_did_and_will_do_is_the_customers() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = with(db, &["ada", "eve"]).await;
        recorded(&harness, vec![order("o-1", ago(300), 1_000)]).await;
        recorded(&harness, vec![by_guest(order("o-2", ago(5), 500)), by_guest(visit("v", ago(4)))]).await;
        assert_eq!(relationship(&harness, "customers/ada").await.stage(), Stage::Lapsed);
        let answer = claim(&harness, "customers/ada", GUEST).await.unwrap();
        assert_eq!(answer, ClaimGuestResponse { orders: 1, claimed_before: false });
        let again = claim(&harness, "customers/ada", GUEST).await.unwrap();
        assert_eq!(again, ClaimGuestResponse { orders: 0, claimed_before: true });
        let late = vec![by_guest(order("o-3", ago(2), 50)), by_guest(visit("w", ago(1)))];
        recorded(&harness, late).await;
        let ada = relationship(&harness, "customers/ada").await;
        assert_eq!((ada.orders, ada.stage(), ada.monetary), (3, Stage::WonBack, vec![euros(1_550)]));
        let request = ListInteractionsRequest { customer: "customers/ada".to_owned(), ..Default::default() };
        let (entries, _) = page(&harness, request).await;
        assert_eq!(ids(&entries), ["w", "o-3", "v", "o-2", "o-1"]);
        let guest = asked(&harness, "", GUEST).await.unwrap();
        assert_eq!((guest.claimed_by.as_str(), guest.orders), ("customers/ada", 0));
        let told: Vec<String> = harness.events().await.into_iter().map(|event| event.r#type).collect();
        assert_eq!(told.iter().filter(|one| one.ends_with("GuestClaimed")).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_guest_is_claimed_by_one_customer_that_exists() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = with(db, &["ada", "eve"]).await;
        claim(&harness, "customers/ada", GUEST).await.unwrap();
        let other = claim(&harness, "customers/eve", GUEST).await.unwrap_err();
        assert_eq!((other.code(), reason(&other).as_str()), (Code::FailedPrecondition, "GUEST_CLAIMED"));
        let nobody = claim(&harness, "customers/bob", "another-guest-0123456789").await.unwrap_err();
        assert_eq!((nobody.code(), reason(&nobody).as_str()), (Code::NotFound, "CUSTOMER_NOT_FOUND"));
        assert_eq!(fields(&claim(&harness, "ada", "").await.unwrap_err()), ["customer", "guest_key"]);
        recorded(&harness, vec![by_guest(order("o-1", ago(1), 1))]).await;
        assert_eq!(
            relationship(&harness, "customers/ada").await.orders,
            1,
            "nothing was known of the guest before"
        );
    })
    .await;
}

#[tokio::test]
async fn nothing_is_lost_of_a_guest_who_is_claimed_while_things_come() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = with(db.clone(), &["ada"]).await;
        let another = another(&db, 1);
        let orders = |from: i64, count: i64| -> Vec<Interaction> {
            (from..from + count).map(|n| by_guest(order(&format!("o-{n}"), ago(n % 300), 10))).collect()
        };
        let mine = async {
            for round in 0..10 {
                recorded(&harness, orders(round * 20, 10)).await;
            }
        };
        let theirs = async {
            for round in 0..10 {
                recorded(&another, orders(round * 20 + 10, 10)).await;
                if round == 4 {
                    claim(&another, "customers/ada", GUEST).await.unwrap();
                }
            }
        };
        tokio::join!(mine, theirs);
        let ada = relationship(&harness, "customers/ada").await;
        assert_eq!((ada.orders, ada.monetary), (200, vec![euros(2_000)]));
    })
    .await;
}
