//! Recording and listing.

use jiff::SignedDuration;
use tandem_platform::testing;
use tonic::Code;

use super::*;
use crate::MIGRATIONS;
use crate::consent::tasks;
use crate::testing::{fields, reason};

#[tokio::test]
async fn what_was_said_is_kept_as_it_was_and_the_last_word_holds() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        customer(&harness, "ada").await;
        assert_eq!(refusal(&mut client).await, ContactRefusal::NoConsent);
        let given = Consent { proof: proof("form 7"), ..said(ConsentState::Granted, -60) };
        let kept = record(&mut client, given.clone()).await.unwrap();
        let consent = kept.consent.clone().unwrap();
        let server = consent.clone();
        let expected = Consent {
            id: server.id,
            record_time: server.record_time,
            principal: "anonymous".to_owned(),
            ..given.clone()
        };
        assert_eq!((&consent, kept.token.as_str(), kept.superseded), (&expected, "", false));
        assert!(check(&mut client, false).await.allowed);
        let again = record(&mut client, given).await.unwrap();
        assert_eq!(again, kept, "the same twice is one");
        let late = record(&mut client, said(ConsentState::Withdrawn, -120)).await.unwrap();
        assert!(late.superseded);
        assert!(check(&mut client, false).await.allowed, "what is older undoes nothing");
        assert!(!record(&mut client, said(ConsentState::Withdrawn, 0)).await.unwrap().superseded);
        assert_eq!(refusal(&mut client).await, ContactRefusal::Withdrawn);
        let states: Vec<ConsentState> = list(&mut client, false).await.iter().map(Consent::state).collect();
        assert_eq!(states, [ConsentState::Withdrawn, ConsentState::Granted, ConsentState::Withdrawn]);
        let current = list(&mut client, true).await;
        assert_eq!((current.len(), current[0].state(), current[0].time), (1, ConsentState::Withdrawn, at(0)));
        let events = harness.events().await;
        let told: Vec<&str> = events.iter().map(|event| event.r#type.rsplit('.').next().unwrap()).collect();
        assert_eq!(told, ["CustomerCreated", "ConsentRecorded", "ConsentRecorded", "ConsentRecorded"]);
        let payload = String::from_utf8_lossy(&events[1].payload.as_ref().unwrap().value).into_owned();
        assert!(!payload.contains("form 7"), "no proof in events");
    })
    .await;
}

#[tokio::test]
async fn a_consent_ends_by_the_clock_and_that_is_told_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        customer(&harness, "ada").await;
        let ends = Consent { expire_time: at(3_600), ..said(ConsentState::Granted, 0) };
        record(&mut client, ends).await.unwrap();
        assert!(check(&mut client, false).await.allowed);
        assert_eq!(tasks::tell(&harness.app).await.unwrap(), 0);
        harness.clock.advance(SignedDuration::from_secs(3_600));
        assert_eq!(refusal(&mut client).await, ContactRefusal::Expired, "nothing has run");
        assert_eq!(list(&mut client, true).await[0].state(), ConsentState::Expired);
        // A new record of something else leaves it to be told.
        record(
            &mut client,
            Consent { legal_basis: LegalBasis::Consent.into(), ..said(ConsentState::Pending, 3_600) },
        )
        .await
        .unwrap();
        assert_eq!(tasks::tell(&harness.app).await.unwrap(), 1);
        assert_eq!(tasks::tell(&harness.app).await.unwrap(), 0);
        let told = harness.events().await;
        let expired: Vec<_> = told.iter().filter(|event| event.r#type.ends_with("ConsentExpired")).collect();
        assert_eq!(expired.len(), 1);
        // Granted anew from before the end, and late: told of or not, it holds.
        let longer = Consent { expire_time: at(9_000), ..said(ConsentState::Granted, 1_800) };
        record(&mut client, longer).await.unwrap();
        assert!(check(&mut client, false).await.allowed);
    })
    .await;
}

#[tokio::test]
async fn a_no_for_every_purpose_and_channel_holds_until_a_later_yes_for_one() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        customer(&harness, "ada").await;
        record(&mut client, said(ConsentState::Granted, -60)).await.unwrap();
        let nothing = Consent {
            purpose: "all".to_owned(),
            channel: Channel::All.into(),
            ..said(ConsentState::Withdrawn, -30)
        };
        record(&mut client, nothing).await.unwrap();
        assert_eq!(refusal(&mut client).await, ContactRefusal::Withdrawn);
        let current = list(&mut client, true).await;
        assert_eq!(current.iter().map(|one| one.purpose.as_str()).collect::<Vec<_>>(), ["all"]);
        record(&mut client, said(ConsentState::Granted, -10)).await.unwrap();
        assert!(check(&mut client, false).await.allowed);
    })
    .await;
}

#[tokio::test]
async fn a_batch_answers_item_by_item_in_its_order() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        customer(&harness, "ada").await;
        customer(&harness, "eve").await;
        let eve = Consent { customer: "customers/eve".to_owned(), ..said(ConsentState::Denied, -1) };
        let nobody = Consent { customer: "customers/nobody".to_owned(), ..said(ConsentState::Denied, -1) };
        let wrong = Consent { source: String::new(), ..said(ConsentState::Granted, 600) };
        let consents = vec![
            said(ConsentState::Withdrawn, -10),
            wrong,
            eve,
            nobody,
            said(ConsentState::Granted, -20),
            said(ConsentState::Withdrawn, -10),
            said(ConsentState::Pending, -5),
        ];
        let request = RecordConsentsRequest { consents, request_id: "r-1".to_owned() };
        let answer = client.record_consents(request.clone()).await.unwrap().into_inner();
        let codes: Vec<i32> = answer.results.iter().map(|one| one.status.as_ref().unwrap().code).collect();
        assert_eq!(codes, [0, 3, 0, 5, 0, 0, 0]);
        let superseded: Vec<bool> = answer.results.iter().map(|one| one.superseded).collect();
        assert_eq!(superseded, [false, false, false, false, true, false, false]);
        assert_eq!(answer.results[0].consent, answer.results[5].consent, "twice in one request is one");
        assert!(!answer.results[6].token.is_empty() && answer.results[0].token.is_empty());
        assert_eq!(client.record_consents(request).await.unwrap().into_inner(), answer);
        assert_eq!(list(&mut client, false).await.len(), 3);
        let many = RecordConsentsRequest { consents: vec![Consent::default(); 1_001], ..Default::default() };
        assert_eq!(fields(&client.record_consents(many).await.unwrap_err()), ["consents"]);
    })
    .await;
}

#[tokio::test]
async fn every_wrong_field_of_a_record_is_named_at_once() {
    testing::sqlite(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let nothing = record(&mut client, Consent::default()).await.unwrap_err();
        assert_eq!(
            fields(&nothing),
            ["consent.customer", "consent.state", "consent.purpose", "consent.channel", "consent.source"]
        );
        let wrong = Consent {
            customer: "ada".to_owned(),
            purpose: "all".to_owned(),
            channel: Channel::All.into(),
            legal_basis: LegalBasis::Unspecified.into(),
            source: "x".repeat(129),
            proof: Some(ConsentProof { client_address: "home".to_owned(), ..ConsentProof::default() }),
            time: at(120),
            ..said(ConsentState::Granted, 0)
        };
        assert_eq!(
            fields(&record(&mut client, wrong).await.unwrap_err()),
            [
                "consent.customer",
                "consent.purpose",
                "consent.channel",
                "consent.legal_basis",
                "consent.source",
                "consent.proof.client_address",
                "consent.time",
            ]
        );
        for (wrong, field) in [
            (said(ConsentState::Expired, 0), "consent.state"),
            (
                Consent { text_version: String::new(), ..said(ConsentState::Granted, 0) },
                "consent.text_version",
            ),
            (Consent { expire_time: at(0), ..said(ConsentState::Granted, 0) }, "consent.expire_time"),
            (Consent { expire_time: at(9), ..said(ConsentState::Denied, 0) }, "consent.expire_time"),
            (
                Consent { expire_time: at(31 * 86_400), ..said(ConsentState::Pending, 0) },
                "consent.expire_time",
            ),
            (
                Consent { legal_basis: LegalBasis::Contract.into(), ..said(ConsentState::Pending, 0) },
                "consent.legal_basis",
            ),
        ] {
            let refused = record(&mut client, wrong.clone()).await.unwrap_err();
            assert_eq!(fields(&refused), [field], "{wrong:?}");
        }
        let nobody = record(&mut client, said(ConsentState::Denied, 0)).await.unwrap_err();
        assert_eq!((nobody.code(), reason(&nobody).as_str()), (Code::NotFound, "NOT_FOUND"));
    })
    .await;
}

#[tokio::test]
async fn a_history_is_read_page_by_page() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        customer(&harness, "ada").await;
        for second in 0..5 {
            let state = if second % 2 == 0 { ConsentState::Granted } else { ConsentState::Withdrawn };
            record(&mut client, said(state, -second)).await.unwrap();
        }
        let mut request = ListConsentsRequest {
            customer: "customers/ada".to_owned(),
            page_size: 2,
            states: vec![ConsentState::Granted.into()],
            ..ListConsentsRequest::default()
        };
        let first = client.list_consents(request.clone()).await.unwrap().into_inner();
        assert_eq!(first.consents.iter().map(|one| one.time).collect::<Vec<_>>(), [at(0), at(-2)]);
        request.page_token = first.next_page_token.clone();
        let rest = client.list_consents(request.clone()).await.unwrap().into_inner();
        assert_eq!((rest.consents[0].time, rest.next_page_token.as_str()), (at(-4), ""));
        request.states.clear();
        assert_eq!(fields(&client.list_consents(request).await.unwrap_err()), ["page_token"]);
    })
    .await;
}
