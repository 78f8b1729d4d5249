//! CheckContact over the wire.

use tandem_platform::testing;
use tonic::Code;

use super::*;
use crate::MIGRATIONS;
use crate::testing::fields;

#[tokio::test]
async fn who_may_be_written_to_depends_on_the_channel() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let nameless = Customer { name: "customers/ada".to_owned(), ..Customer::default() };
        let request = CreateCustomerRequest { customer: Some(nameless), ..Default::default() };
        CustomerServiceClient::new(harness.channel()).create_customer(request).await.unwrap();
        record(&mut client, said(ConsentState::Granted, 0)).await.unwrap();
        assert_eq!(refusal(&mut client).await, ContactRefusal::NoAddress);
        let post = Consent { channel: Channel::Post.into(), ..said(ConsentState::Granted, 0) };
        record(&mut client, post).await.unwrap();
        let mut request = CheckContactRequest {
            customer: "customers/ada".to_owned(),
            purpose: "newsletter".to_owned(),
            channel: Channel::Post.into(),
            transactional: false,
        };
        let answer = client.check_contact(request.clone()).await.unwrap().into_inner();
        assert!(answer.allowed, "letters go to an address that is not kept here");
        request.channel = Channel::All.into();
        request.purpose = "all".to_owned();
        let wrong = client.check_contact(request.clone()).await.unwrap_err();
        assert_eq!(fields(&wrong), ["purpose", "channel"]);
        request = CheckContactRequest { customer: "customers/nobody".to_owned(), ..request };
        (request.purpose, request.channel) = ("newsletter".to_owned(), Channel::Email.into());
        assert_eq!(client.check_contact(request).await.unwrap_err().code(), Code::NotFound);
    })
    .await;
}
