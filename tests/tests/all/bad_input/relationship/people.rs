//! What callers get wrong of people: their consents, suppressions and erasure.

use tandem_proto::relationship::v1::consent_service_client::ConsentServiceClient;
use tandem_proto::relationship::v1::*;
use tandem_tests::stage::Relationship;
use tonic::transport::Channel as Wire;

use super::*;

type Consents = ConsentServiceClient<Wire>;

fn said(state: ConsentState) -> Consent {
    Consent {
        customer: "customers/ada".to_owned(),
        purpose: "newsletter".to_owned(),
        channel: Channel::Email.into(),
        state: state.into(),
        source: "web-form".to_owned(),
        ..Consent::default()
    }
}

fn grant() -> Consent {
    Consent {
        legal_basis: LegalBasis::Consent.into(),
        text_version: "1".to_owned(),
        ..said(ConsentState::Granted)
    }
}

fn bounce(email: &str) -> SuppressRequest {
    let address = contact_address::Address::Email(email.to_owned());
    SuppressRequest {
        address: Some(ContactAddress { address: Some(address) }),
        channel: Channel::All.into(),
        reason: SuppressionReason::Bounce.into(),
        ..SuppressRequest::default()
    }
}

pub async fn consents_and_links(caller: &Relationship, table: &mut Table) {
    let mut consents = ConsentServiceClient::new(caller.channel.clone());
    records(&mut consents, table).await;
    links(&mut consents, table).await;
    addresses(&mut consents, table).await;
    let mut customers = caller.customers.clone();
    let nobody = platform(Code::NotFound, "NOT_FOUND");
    let erase = |name: &str| EraseCustomerRequest { name: name.to_owned(), request_id: String::new() };
    let answer = customers.erase_customer(erase("customers/no-such")).await;
    table.refuses("an erasure of nobody", answer, nobody).await;
    let answer = customers.erase_customer(erase("no-such")).await;
    table.refuses("an erasure of no name", answer, invalid(&["name"])).await;
    let merge = |source: &str, target: &str, rule: i32| MergeCustomersRequest {
        source: source.to_owned(),
        target: target.to_owned(),
        rule,
        ..MergeCustomersRequest::default()
    };
    let answer = customers.merge_customers(merge("customers/no-such", "customers/nor-this", 0)).await;
    table.refuses("a merge of nobody", answer, platform(Code::NotFound, "NOT_FOUND")).await;
    let answer = customers.merge_customers(merge("no-such", "", 99)).await;
    table.refuses("a merge of no names", answer, invalid(&["source", "target", "rule"])).await;
}

async fn records(consents: &mut Consents, table: &mut Table) {
    let wrong = Consent {
        purpose: "News letter".to_owned(),
        channel: 99,
        legal_basis: 99,
        source: String::new(),
        time: Some(in_seconds(DAY)),
        proof: Some(ConsentProof { client_address: "home".to_owned(), ..ConsentProof::default() }),
        ..said(ConsentState::Granted)
    };
    let fields = [
        "consent.purpose",
        "consent.channel",
        "consent.legal_basis",
        "consent.source",
        "consent.proof.client_address",
        "consent.time",
    ];
    for (what, consent, expected) in [
        ("a consent of nonsense", wrong, invalid(&fields)),
        (
            "a consent of nobody",
            Consent { customer: "customers/no-such".to_owned(), ..grant() },
            platform(Code::NotFound, "NOT_FOUND"),
        ),
        (
            "a grant of everything",
            Consent { purpose: "all".to_owned(), channel: Channel::All.into(), ..grant() },
            invalid(&["consent.purpose", "consent.channel"]),
        ),
        (
            "a grant that rests on nothing",
            Consent { legal_basis: 0, ..grant() },
            invalid(&["consent.legal_basis"]),
        ),
        (
            "a grant to a text that nobody saw",
            Consent { text_version: String::new(), ..grant() },
            invalid(&["consent.text_version"]),
        ),
        ("a consent that is over by itself", said(ConsentState::Expired), invalid(&["consent.state"])),
        (
            "a link for longer than 30 days",
            Consent {
                state: ConsentState::Pending.into(),
                expire_time: Some(in_seconds(31 * DAY)),
                ..grant()
            },
            invalid(&["consent.expire_time"]),
        ),
    ] {
        let request = RecordConsentRequest { consent: Some(consent), request_id: String::new() };
        table.refuses(what, consents.record_consent(request).await, expected).await;
    }
    let none = RecordConsentsRequest::default();
    table.refuses("a batch of nothing", consents.record_consents(none).await, invalid(&["consents"])).await;
    let check = CheckContactRequest { customer: "ada".to_owned(), ..CheckContactRequest::default() };
    let fields = ["customer", "purpose", "channel"];
    table.refuses("a check of nothing", consents.check_contact(check).await, invalid(&fields)).await;
}

async fn links(consents: &mut Consents, table: &mut Table) {
    for token in ["nonsense", "v1.development.AAAA"] {
        let confirm = ConfirmConsentRequest { token: token.to_owned(), ..Default::default() };
        let [of_link, of_click] = ["CONSENT_LINK_INVALID"; 2].map(|reason| table.rule(reason, &[]));
        table.refuses("a link that is not ours", consents.confirm_consent(confirm).await, of_link).await;
        let unsubscribe = UnsubscribeRequest { token: token.to_owned(), ..Default::default() };
        let answer = consents.unsubscribe(unsubscribe).await;
        table.refuses("an unsubscribe that is not ours", answer, of_click).await;
    }
    let confirm = ConfirmConsentRequest::default();
    table
        .refuses("a link without a token", consents.confirm_consent(confirm).await, invalid(&["token"]))
        .await;
    let issue = IssueUnsubscribeTokenRequest {
        customer: "customers/ada".to_owned(),
        purpose: "newsletter".to_owned(),
        channel: Channel::Email.into(),
    };
    let (answer, expected) =
        (consents.issue_unsubscribe_token(issue).await, table.rule("ADDRESS_UNKNOWN", &[]));
    table.refuses("an unsubscribe of who has no address", answer, expected).await;
}

async fn addresses(consents: &mut Consents, table: &mut Table) {
    for (what, request, expected) in [
        ("a suppression of no address", bounce("nobody"), invalid(&["address.email"])),
        (
            "a suppression of an address by what it does not have",
            SuppressRequest { channel: Channel::Sms.into(), ..bounce("ada@example.org") },
            invalid(&["channel"]),
        ),
        (
            "a suppression that says the address",
            SuppressRequest { note: "Ada@example.org bounced".to_owned(), ..bounce("ada@example.org") },
            invalid(&["note"]),
        ),
        (
            "a suppression that only an erasure makes",
            SuppressRequest { reason: SuppressionReason::Erasure.into(), ..bounce("ada@example.org") },
            invalid(&["reason"]),
        ),
    ] {
        table.refuses(what, consents.suppress(request).await, expected).await;
    }
    let clear = ClearSuppressionRequest {
        address: bounce("ada@example.org").address,
        channel: Channel::All.into(),
        reasons: vec![SuppressionReason::Bounce.into()],
        note: "it is back".to_owned(),
        request_id: String::new(),
    };
    let nothing = platform(Code::NotFound, "NOT_FOUND");
    table.refuses("a lift of nothing", consents.clear_suppression(clear.clone()).await, nothing).await;
    let by_hand = ClearSuppressionRequest { reasons: vec![SuppressionReason::Unsubscribe.into()], ..clear };
    let answer = consents.clear_suppression(by_hand).await;
    table.refuses("a lift of an unsubscribe by hand", answer, invalid(&["reasons[0]"])).await;
}
