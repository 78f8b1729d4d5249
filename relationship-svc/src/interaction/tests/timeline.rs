//! The timeline: newest first, in pages, with what codes did.

use tandem_platform::testing;
use tandem_proto::relationship::v1::{
    Interaction, InteractionType, ListInteractionsRequest, TimelineSource, timeline_entry::What,
};

use super::{GUEST, ago, at, by_guest, client, ids, labels, of, order, page, recorded, visit, with};
use crate::MIGRATIONS;
use crate::testing::{fields, reason};

fn ada() -> ListInteractionsRequest {
    ListInteractionsRequest { customer: "customers/ada".to_owned(), ..ListInteractionsRequest::default() }
}

#[tokio::test]
async fn pages_are_cut_by_time_whatever_is_recorded_meanwhile() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = with(db, &["ada", "eve"]).await;
        let other = Interaction { customer: "customers/eve".to_owned(), ..visit("hers", ago(3)) };
        let sent =
            vec![order("o-1", ago(4), 1), visit("a", ago(4)), visit("b", ago(4)), visit("c", ago(2)), other];
        recorded(&harness, sent).await;
        let (first, token) = page(&harness, ListInteractionsRequest { page_size: 2, ..ada() }).await;
        assert_eq!(ids(&first), ["c", "o-1"]);
        recorded(&harness, vec![visit("new", ago(1)), visit("late", ago(9)), order("o-0", ago(9), 1)]).await;
        let (second, token) =
            page(&harness, ListInteractionsRequest { page_size: 2, page_token: token, ..ada() }).await;
        assert_eq!(ids(&second), ["b", "a"]);
        let rest = ListInteractionsRequest { page_size: 2, page_token: token, ..ada() };
        let (third, token) = page(&harness, rest.clone()).await;
        assert_eq!((ids(&third), token), (vec!["o-0".to_owned(), "late".to_owned()], String::new()));
        let moved = ListInteractionsRequest { types: vec![InteractionType::Visit.into()], ..rest };
        let refused = client(&harness).list_interactions(moved).await.unwrap_err();
        assert_eq!(reason(&refused), "INVALID_PAGE_TOKEN");
    })
    .await;
}

#[tokio::test]
async fn an_entry_says_what_was_sent() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = with(db, &["ada"]).await;
        let rating = Some(tandem_proto::relationship::v1::Rating { value: 4, lowest: 1, highest: 5 });
        let sent = Interaction {
            product: "products/shoes".to_owned(),
            medium: "email".to_owned(),
            place: "AT".to_owned(),
            order_id: "#7".to_owned(),
            rating,
            attributes: labels(&[("mood", "good")]),
            ..of("r1", InteractionType::Review, ago(1))
        };
        recorded(&harness, vec![sent.clone()]).await;
        let (entries, _) = page(&harness, ada()).await;
        let Some(What::Interaction(found)) = entries[0].what.clone() else { panic!("{entries:?}") };
        assert_eq!(found, Interaction { record_time: at(ago(0)), ..sent });
        assert_eq!(entries[0].event_time, at(ago(1)));
    })
    .await;
}

#[tokio::test]
async fn types_sources_and_times_choose() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = with(db, &["ada"]).await;
        let review = of("r", InteractionType::Review, ago(2));
        let mut sent =
            vec![visit("a", ago(1)), review, order("o-1", ago(3), 500), by_guest(visit("g", ago(1)))];
        sent.extend((0..600).map(|n| of(&format!("m{n}"), InteractionType::MessageOpen, ago(2))));
        recorded(&harness, sent).await;
        let of_types = |types: &[InteractionType]| ListInteractionsRequest {
            types: types.iter().map(|one| (*one).into()).collect(),
            ..ada()
        };
        let found = |request| async { ids(&page(&harness, request).await.0) };
        assert_eq!(found(of_types(&[InteractionType::Review, InteractionType::Order])).await, ["r", "o-1"]);
        assert_eq!(found(of_types(&[InteractionType::Visit])).await, ["a"]);
        let times = ListInteractionsRequest { start_time: at(ago(3)), end_time: at(ago(2)), ..ada() };
        assert_eq!(found(times).await, ["o-1"], "from the start on, before the end");
        let redemptions =
            ListInteractionsRequest { sources: vec![TimelineSource::Redemptions.into()], ..ada() };
        assert!(found(redemptions).await.is_empty());
        let guest =
            ListInteractionsRequest { guest_key: GUEST.to_owned(), ..ListInteractionsRequest::default() };
        assert_eq!(found(guest).await, ["g"]);
        let wrong = ListInteractionsRequest {
            guest_key: "short".to_owned(),
            types: vec![99],
            sources: vec![0],
            page_size: -1,
            ..ListInteractionsRequest::default()
        };
        let refused = client(&harness).list_interactions(wrong).await.unwrap_err();
        assert_eq!(fields(&refused), ["page_size", "guest_key", "types[0]", "sources[0]"]);
    })
    .await;
}
