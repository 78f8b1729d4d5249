//! Double opt-in, and one-click unsubscribe.

use jiff::SignedDuration;
use tandem_platform::testing;
use tonic::Code;

use super::*;
use crate::testing::{fields, reason};
use crate::{Config, MIGRATIONS};

async fn confirm(client: &mut Client, token: &str) -> Result<Consent, Status> {
    let request = ConfirmConsentRequest {
        token: token.to_owned(),
        proof: Some(ConsentProof {
            client_address: "192.0.2.7".to_owned(),
            user_agent: "Mail/1.0".to_owned(),
            ..ConsentProof::default()
        }),
        request_id: String::new(),
    };
    client.confirm_consent(request).await.map(|answer| answer.into_inner().consent.unwrap())
}

async fn pending(client: &mut Client, seconds: i64) -> String {
    record(client, said(ConsentState::Pending, seconds)).await.unwrap().token
}

#[tokio::test]
async fn a_link_grants_once_with_its_proof() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        customer(&harness, "ada").await;
        let token = pending(&mut client, 0).await;
        assert!(token.len() <= 200 && !token.contains("ada"), "{token}");
        assert_eq!(refusal(&mut client).await, ContactRefusal::Pending);
        harness.clock.advance(SignedDuration::from_secs(60));
        let grant = confirm(&mut client, &token).await.unwrap();
        let asked = list(&mut client, false).await.pop().unwrap();
        assert_eq!((grant.state(), &grant.confirms, grant.time), (ConsentState::Granted, &asked.id, at(60)));
        assert_eq!(grant.proof.clone().unwrap().client_address, "192.0.2.7");
        assert!(check(&mut client, false).await.allowed);
        let again = confirm(&mut client, &token).await.unwrap_err();
        assert_eq!((again.code(), reason(&again).as_str()), (Code::FailedPrecondition, "CONSENT_LINK_USED"));
        record(&mut client, said(ConsentState::Withdrawn, 60)).await.unwrap();
        assert_eq!(reason(&confirm(&mut client, &token).await.unwrap_err()), "CONSENT_LINK_USED");
        assert_eq!(refusal(&mut client).await, ContactRefusal::Withdrawn, "an old link undoes nothing");
    })
    .await;
}

#[tokio::test]
async fn a_link_is_refused_when_it_is_over_superseded_altered_or_anothers() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        customer(&harness, "ada").await;
        let token = pending(&mut client, 0).await;
        let mut altered = token.clone();
        let last = if altered.pop() == Some('A') { 'B' } else { 'A' };
        // The last character carries bits of the seal.
        altered.insert(altered.len() - 10, last);
        for wrong in [altered.as_str(), "v1.development.AAAA", "nonsense", &"x".repeat(2_000)] {
            assert_eq!(
                reason(&confirm(&mut client, wrong).await.unwrap_err()),
                "CONSENT_LINK_INVALID",
                "{wrong}"
            );
        }
        assert_eq!(fields(&confirm(&mut client, "").await.unwrap_err()), ["token"]);
        let mut foreign = tonic::Request::new(ConfirmConsentRequest {
            token: token.clone(),
            ..ConfirmConsentRequest::default()
        });
        foreign.metadata_mut().insert("tandem-tenant", "other".parse().unwrap());
        assert_eq!(reason(&client.confirm_consent(foreign).await.unwrap_err()), "CONSENT_LINK_INVALID");
        harness.clock.advance(SignedDuration::from_secs(10));
        let no = Consent { purpose: "all".to_owned(), ..said(ConsentState::Denied, 5) };
        record(&mut client, no).await.unwrap();
        assert_eq!(reason(&confirm(&mut client, &token).await.unwrap_err()), "CONSENT_LINK_SUPERSEDED");
        let token = pending(&mut client, 10).await;
        harness.clock.advance(SignedDuration::from_hours(7 * 24));
        assert_eq!(reason(&confirm(&mut client, &token).await.unwrap_err()), "CONSENT_LINK_EXPIRED");
    })
    .await;
}

#[tokio::test]
async fn a_link_opens_as_long_as_its_key_is_there() {
    let keys = |ids: &str| -> String {
        let key = |id: char| format!("{id}:{}=", id.to_string().repeat(43));
        ids.chars().map(key).collect::<Vec<_>>().join(",")
    };
    let with = |ids: &str| Config { seal_keys: keys(ids).as_str().into(), ..Config::default() };
    testing::sqlite(&MIGRATIONS, |db| async move {
        let before = Harness::with(db.clone(), with("Q"));
        customer(&before, "ada").await;
        let token = pending(&mut client(&before), 0).await;
        let gone = Harness::with(db.clone(), with("U"));
        assert_eq!(reason(&confirm(&mut client(&gone), &token).await.unwrap_err()), "CONSENT_LINK_INVALID");
        let rotated = under(&db, with("UQ"));
        confirm(&mut client(&rotated), &token).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn one_click_unsubscribes_and_only_a_later_opt_in_with_proof_brings_back() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        customer(&harness, "ada").await;
        record(&mut client, said(ConsentState::Granted, -60)).await.unwrap();
        let issue = IssueUnsubscribeTokenRequest {
            customer: "customers/ada".to_owned(),
            purpose: "newsletter".to_owned(),
            channel: Channel::Email.into(),
        };
        let token = client.issue_unsubscribe_token(issue.clone()).await.unwrap().into_inner().token;
        assert!(token.len() <= 500, "{token}");
        let click = UnsubscribeRequest { token: token.clone(), request_id: "click".to_owned() };
        let row = client.unsubscribe(click.clone()).await.unwrap().into_inner().suppression.unwrap();
        assert_eq!((row.reason(), row.purpose.as_str()), (SuppressionReason::Unsubscribe, "newsletter"));
        assert_eq!(client.unsubscribe(click).await.unwrap().into_inner().suppression, Some(row.clone()));
        assert_eq!(list(&mut client, true).await[0].state(), ConsentState::Withdrawn);
        let refused = check(&mut client, false).await;
        assert_eq!((refused.refusal(), refused.suppression()), (ContactRefusal::Suppressed, row.reason()));
        assert!(check(&mut client, true).await.allowed, "what serves an order goes on");
        harness.clock.advance(SignedDuration::from_secs(60));
        record(&mut client, said(ConsentState::Granted, 10)).await.unwrap();
        assert_eq!(refusal(&mut client).await, ContactRefusal::Suppressed, "without proof");
        let early = Consent { proof: proof("form 1"), ..said(ConsentState::Granted, -30) };
        record(&mut client, early).await.unwrap();
        assert_eq!(refusal(&mut client).await, ContactRefusal::Suppressed, "from before it");
        let proven = Consent { proof: proof("form 2"), ..said(ConsentState::Granted, 20) };
        record(&mut client, proven).await.unwrap();
        assert!(check(&mut client, false).await.allowed);
        let cleared = harness.events().await;
        assert_eq!(cleared.iter().filter(|event| event.r#type.ends_with("SuppressionCleared")).count(), 1);
        client.unsubscribe(UnsubscribeRequest { token, request_id: String::new() }).await.unwrap();
        assert_eq!(refusal(&mut client).await, ContactRefusal::Suppressed, "the link does not wear out");
        let link = pending(&mut client, 60).await;
        harness.clock.advance(SignedDuration::from_secs(60));
        confirm(&mut client, &link).await.unwrap();
        assert!(check(&mut client, false).await.allowed, "a link that was opened is a proof");
        let post = IssueUnsubscribeTokenRequest { channel: Channel::Post.into(), ..issue };
        assert_eq!(fields(&client.issue_unsubscribe_token(post).await.unwrap_err()), ["channel"]);
    })
    .await;
}
