//! Addresses that are not written to.

use tandem_platform::testing;
use tonic::Code;

use super::*;
use crate::testing::{fields, reason};
use crate::{Config, MIGRATIONS};

fn email(text: &str) -> Option<ContactAddress> {
    Some(ContactAddress { address: Some(contact_address::Address::Email(text.to_owned())) })
}

fn phone(text: &str) -> Option<ContactAddress> {
    Some(ContactAddress { address: Some(contact_address::Address::Phone(text.to_owned())) })
}

fn bounce(address: Option<ContactAddress>) -> SuppressRequest {
    SuppressRequest {
        address,
        channel: Channel::All.into(),
        reason: SuppressionReason::Bounce.into(),
        ..SuppressRequest::default()
    }
}

fn clear(address: Option<ContactAddress>, reason: SuppressionReason) -> ClearSuppressionRequest {
    ClearSuppressionRequest {
        address,
        channel: Channel::All.into(),
        reasons: vec![reason.into()],
        note: "the mailbox is back".to_owned(),
        request_id: String::new(),
    }
}

#[tokio::test]
async fn an_address_that_bounced_is_not_written_to_however_it_is_typed_until_it_is_lifted_by_hand() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        customer(&harness, "ada").await;
        record(&mut client, Consent { proof: proof("form 1"), ..said(ConsentState::Granted, 0) })
            .await
            .unwrap();
        let rows = client.suppress(bounce(email("ADA@example.ORG"))).await.unwrap().into_inner().suppressions;
        assert_eq!(rows.len(), 1);
        let refused = check(&mut client, true).await;
        assert_eq!(refused.suppression(), SuppressionReason::Bounce, "nothing at all");
        let listed = ListSuppressionsRequest { address: email("ada@example.org"), ..Default::default() };
        assert_eq!(client.list_suppressions(listed).await.unwrap().into_inner().suppressions, rows);
        record(&mut client, Consent { proof: proof("form 2"), ..said(ConsentState::Granted, 1) })
            .await
            .unwrap();
        assert_eq!(refusal(&mut client).await, ContactRefusal::Suppressed, "an opt-in mends no mailbox");
        let none = clear(email("ada@example.org"), SuppressionReason::Complaint);
        assert_eq!(client.clear_suppression(none).await.unwrap_err().code(), Code::NotFound);
        let lift = clear(email("ada@example.org"), SuppressionReason::Bounce);
        client.clear_suppression(lift).await.unwrap();
        assert!(check(&mut client, false).await.allowed);
    })
    .await;
}

#[tokio::test]
async fn a_telephone_is_suppressed_by_each_of_its_channels_and_nobody_can_read_it() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let rows =
            client.suppress(bounce(phone("0043 660 1234567"))).await.unwrap().into_inner().suppressions;
        let channels: Vec<Channel> = rows.iter().map(Suppression::channel).collect();
        assert_eq!(channels, [Channel::Sms, Channel::Phone, Channel::Whatsapp]);
        assert!(rows.iter().all(|row| row.address_hash.len() == 43 && row.key_id == "development"));
        let mut request = ListSuppressionsRequest { page_size: 2, ..ListSuppressionsRequest::default() };
        let first = client.list_suppressions(request.clone()).await.unwrap().into_inner();
        request.page_token = first.next_page_token;
        let second = client.list_suppressions(request).await.unwrap().into_inner();
        assert_eq!((first.suppressions.len(), second.suppressions.len()), (2, 1));
        assert_eq!(second.next_page_token, "");
    })
    .await;
}

#[tokio::test]
async fn what_is_suppressed_stays_so_when_the_key_is_changed() {
    let key = |id: &str, letter: char| format!("{id}:{}=", letter.to_string().repeat(43));
    testing::sqlite(&MIGRATIONS, |db| async move {
        let with = |keys: &str| Config { address_keys: keys.into(), ..Config::default() };
        let (old, new) = (key("old", 'A'), key("new", 'E'));
        let before = Harness::with(db.clone(), with(&old));
        customer(&before, "ada").await;
        client(&before).suppress(bounce(email("ada@example.org"))).await.unwrap();
        let rotated = under(&db, with(&format!("{new},{old}")));
        let mut client = client(&rotated);
        assert_eq!(refusal(&mut client).await, ContactRefusal::Suppressed);
        let again = client.suppress(bounce(email("ada@example.org"))).await.unwrap().into_inner();
        assert_eq!(again.suppressions[0].key_id, "new");
        let lift = clear(email("ada@example.org"), SuppressionReason::Bounce);
        let lifted = client.clear_suppression(lift).await.unwrap().into_inner().suppressions;
        assert_eq!(lifted.len(), 2, "under both keys");
        assert_eq!(refusal(&mut client).await, ContactRefusal::NoConsent);
    })
    .await;
}

#[tokio::test]
async fn what_suppresses_wrongly_is_named() {
    testing::sqlite(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let device = Some(ContactAddress { address: Some(contact_address::Address::Device("t".to_owned())) });
        for (request, wrong) in [
            (SuppressRequest::default(), vec!["address", "channel", "reason"]),
            (bounce(email("nobody")), vec!["address.email"]),
            (bounce(phone("0660 1234567")), vec!["address.phone"]),
            (SuppressRequest { channel: Channel::Sms.into(), ..bounce(email("a@b.de")) }, vec!["channel"]),
            (
                SuppressRequest { purpose: "newsletter".to_owned(), ..bounce(email("a@b.de")) },
                vec!["purpose"],
            ),
            (
                SuppressRequest { reason: SuppressionReason::Erasure.into(), ..bounce(email("a@b.de")) },
                vec!["reason"],
            ),
            (
                SuppressRequest { reason: SuppressionReason::Unsubscribe.into(), ..bounce(device) },
                vec!["reason"],
            ),
            (SuppressRequest { note: "it was A@b.de".to_owned(), ..bounce(email("a@b.de")) }, vec!["note"]),
            (SuppressRequest { time: at(3_600), ..bounce(email("a@b.de")) }, vec!["time"]),
        ] {
            let said = format!("{request:?}");
            assert_eq!(fields(&client.suppress(request).await.unwrap_err()), wrong, "{said}");
        }
        let by_hand = clear(email("a@b.de"), SuppressionReason::Unsubscribe);
        assert_eq!(fields(&client.clear_suppression(by_hand).await.unwrap_err()), ["reasons[0]"]);
        let unsubscribe =
            UnsubscribeRequest { token: "v1.development.AAAA".to_owned(), ..Default::default() };
        assert_eq!(reason(&client.unsubscribe(unsubscribe).await.unwrap_err()), "CONSENT_LINK_INVALID");
    })
    .await;
}
