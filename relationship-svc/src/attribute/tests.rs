//! What is declared of attributes, on both engines.

use std::collections::BTreeMap;

use tandem_platform::testing;
use tandem_proto::relationship::v1::attribute_service_client::AttributeServiceClient;
use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::rule_service_client::RuleServiceClient;
use tandem_proto::relationship::v1::segment_service_client::SegmentServiceClient;
use tandem_proto::relationship::v1::{
    Attribute as Message, AttributeType, BatchUpsertCustomersRequest, CheckRuleRequest, CountSegmentRequest,
    CreateAttributeRequest, CreateCustomerRequest, Customer, DeleteAttributeRequest,
    EvaluateMembershipRequest, GetCustomerRequest, ImportCustomersRequest, ListCustomersRequest, RuleUse,
    Segment, UpdateAttributeRequest, UpdateCustomerRequest, UpdateSegmentRequest,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::MIGRATIONS;
use crate::segment::tests::create_segment;
use crate::testing::{Channel, Harness, fields, import_customers, preconditions, reason};

fn people(harness: &Harness) -> CustomerServiceClient<Channel> {
    CustomerServiceClient::new(harness.channel())
}

fn attribute(id: &str, value_type: AttributeType) -> Message {
    Message { name: format!("attributes/{id}"), value_type: value_type.into(), ..Message::default() }
}

async fn declare(harness: &Harness, id: &str, value_type: AttributeType) -> Result<Message, Status> {
    let attribute = Some(attribute(id, value_type));
    let request = CreateAttributeRequest { attribute, ..CreateAttributeRequest::default() };
    let mut client = AttributeServiceClient::new(harness.channel());
    client.create_attribute(request).await.map(|answer| answer.into_inner().attribute.unwrap())
}

async fn retype(harness: &Harness, id: &str, value_type: AttributeType) -> Result<Message, Status> {
    let attribute = Some(attribute(id, value_type));
    let update_mask = Some(prost_types::FieldMask { paths: vec!["value_type".to_owned()] });
    let request = UpdateAttributeRequest { attribute, update_mask, request_id: String::new() };
    let mut client = AttributeServiceClient::new(harness.channel());
    client.update_attribute(request).await.map(|answer| answer.into_inner().attribute.unwrap())
}

async fn forget(harness: &Harness, id: &str) -> Result<(), Status> {
    let request =
        DeleteAttributeRequest { name: format!("attributes/{id}"), ..DeleteAttributeRequest::default() };
    AttributeServiceClient::new(harness.channel()).delete_attribute(request).await.map(drop)
}

fn person(id: &str, attributes: &[(&str, &str)]) -> Customer {
    let attributes: BTreeMap<String, String> =
        attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Customer { name: format!("customers/{id}"), attributes, ..Customer::default() }
}

async fn create(harness: &Harness, customer: Customer) -> Result<Customer, Status> {
    let request = CreateCustomerRequest { customer: Some(customer), ..CreateCustomerRequest::default() };
    people(harness).create_customer(request).await.map(|answer| answer.into_inner().customer.unwrap())
}

async fn kept(harness: &Harness, id: &str, key: &str) -> Option<String> {
    let request = GetCustomerRequest { name: format!("customers/{id}") };
    let customer = people(harness).get_customer(request).await.ok()?.into_inner().customer?;
    customer.attributes.get(key).cloned()
}

async fn counted(harness: &Harness, rule: &str) -> Result<i64, Status> {
    let request = CountSegmentRequest { rule: rule.to_owned(), ..CountSegmentRequest::default() };
    let mut client = SegmentServiceClient::new(harness.channel());
    client.count_segment(request).await.map(|answer| answer.into_inner().members)
}

#[tokio::test]
async fn what_is_written_is_kept_in_the_declared_form_or_refused_by_field() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        declare(&harness, "size", AttributeType::Number).await.unwrap();
        declare(&harness, "club", AttributeType::Boolean).await.unwrap();
        declare(&harness, "likes", AttributeType::Texts).await.unwrap();
        let known = [("size", " +42.50"), ("club", "TRUE"), ("likes", "rock\njazz"), ("note", " as it is ")];
        create(&harness, person("a", &known)).await.unwrap();
        assert_eq!(kept(&harness, "a", "size").await.as_deref(), Some("42.5"));
        assert_eq!(kept(&harness, "a", "club").await.as_deref(), Some("true"));
        assert_eq!(kept(&harness, "a", "likes").await.as_deref(), Some("jazz\nrock"));
        assert_eq!(kept(&harness, "a", "note").await.as_deref(), Some(" as it is "), "undeclared, a text");
        let wrong = person("b", &[("size", "tall"), ("club", "perhaps"), ("note", "tall")]);
        let refused = create(&harness, wrong.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(fields(&refused), ["customer.attributes[\"club\"]", "customer.attributes[\"size\"]"]);
        let update = |customer: Customer, paths: &[&str]| UpdateCustomerRequest {
            customer: Some(customer),
            update_mask: Some(prost_types::FieldMask {
                paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            }),
            request_id: String::new(),
        };
        let named = Customer { name: "customers/a".to_owned(), ..wrong };
        let refused =
            people(&harness).update_customer(update(named.clone(), &["attributes"])).await.unwrap_err();
        assert_eq!(fields(&refused).len(), 2);
        people(&harness)
            .update_customer(update(named, &["display_name"]))
            .await
            .expect("they are not changed");
        assert_eq!(kept(&harness, "a", "size").await.as_deref(), Some("42.5"));
    })
    .await;
}

#[tokio::test]
async fn a_batch_and_an_import_check_each_item_and_a_repetition_answers_the_same() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        declare(&harness, "size", AttributeType::Number).await.unwrap();
        let customers = vec![
            person("a", &[("size", "1")]),
            person("b", &[("size", "tall")]),
            Customer { phone: "x".to_owned(), ..person("c", &[]) },
            person("d", &[("size", "2.0")]),
        ];
        let request = BatchUpsertCustomersRequest {
            customers: customers.clone(),
            request_id: "batch-1".to_owned(),
            ..BatchUpsertCustomersRequest::default()
        };
        let first = people(&harness).batch_upsert_customers(request.clone()).await.unwrap().into_inner();
        let codes: Vec<i32> = first.results.iter().map(|one| one.status.as_ref().unwrap().code).collect();
        assert_eq!(codes, [0, 3, 3, 0]);
        assert_eq!(kept(&harness, "d", "size").await.as_deref(), Some("2"));
        assert_eq!(kept(&harness, "b", "size").await, None);
        forget(&harness, "size").await.unwrap();
        let again = people(&harness).batch_upsert_customers(request).await.unwrap().into_inner();
        assert_eq!(first, again, "although nothing is declared any more");
        declare(&harness, "size", AttributeType::Number).await.unwrap();
        let rows =
            [customers, vec![person("b", &[("size", "3")]), person("b", &[("size", "high")])]].concat();
        let message = ImportCustomersRequest { customers: rows, update_mask: None };
        let answer = import_customers(&mut people(&harness), vec![message]).await.unwrap();
        assert_eq!((answer.created, answer.updated, answer.failed), (1, 2, 3));
        let places: Vec<_> = answer.failures.iter().map(|one| (one.index, one.name.as_str())).collect();
        assert_eq!(places, [(1, "customers/b"), (2, "customers/c"), (5, "customers/b")]);
        assert_eq!(kept(&harness, "b", "size").await.as_deref(), Some("3"), "the good row of it is in");
    })
    .await;
}

#[tokio::test]
async fn a_declaration_says_how_many_values_it_does_not_fit() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        for (id, size) in [("a", "42"), ("b", "tall"), ("c", "4,2"), ("d", "-0.5")] {
            create(&harness, person(id, &[("size", size)])).await.unwrap();
        }
        create(&harness, person("e", &[])).await.unwrap();
        let refused = declare(&harness, "size", AttributeType::Number).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::FailedPrecondition, "ATTRIBUTE_VALUES_DIFFER")
        );
        assert_eq!(refused.get_details_error_info().unwrap().metadata["values"], "2");
        declare(&harness, "size", AttributeType::Text).await.expect("everything is a text");
        let refused = retype(&harness, "size", AttributeType::Date).await.unwrap_err();
        assert_eq!(refused.get_details_error_info().unwrap().metadata["values"], "4");
        for (id, value) in [("b", "1"), ("c", "4.2")] {
            let message = ImportCustomersRequest {
                customers: vec![person(id, &[("size", value)])],
                ..Default::default()
            };
            import_customers(&mut people(&harness), vec![message]).await.unwrap();
        }
        retype(&harness, "size", AttributeType::Number).await.unwrap();
        assert_eq!(counted(&harness, "customer.attributes.size < 5").await.unwrap(), 3);
    })
    .await;
}

#[tokio::test]
async fn rules_read_what_is_declared_and_hold_the_declaration() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        create(&harness, person("a", &[("age", "17"), ("level", "3")])).await.unwrap();
        let early = create_segment(&harness, "grown", "customer.attributes.age >= 18").await.unwrap_err();
        assert_eq!(fields(&early), ["segment.rule"]);
        let said = early.get_details_bad_request().unwrap().field_violations[0].description.clone();
        assert!(
            said.starts_with("line 1, column ") && said.ends_with("no attribute `age` is declared"),
            "{said}"
        );
        create_segment(&harness, "third", "customer.attributes.level == '3'").await.unwrap();
        declare(&harness, "age", AttributeType::Number).await.unwrap();
        create_segment(&harness, "grown", "customer.attributes.age >= 18").await.unwrap();
        // As a text it is read already.
        let refused = declare(&harness, "level", AttributeType::Number).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::FailedPrecondition, "ATTRIBUTE_IN_USE")
        );
        assert_eq!(preconditions(&refused), [("segments/third".to_owned(), "ATTRIBUTE_IN_USE".to_owned())]);
        for refused in [
            retype(&harness, "age", AttributeType::Text).await.unwrap_err(),
            forget(&harness, "age").await.unwrap_err(),
        ] {
            assert_eq!(
                preconditions(&refused),
                [("segments/grown".to_owned(), "ATTRIBUTE_IN_USE".to_owned())]
            );
        }
        // What is compiled of rules follows what is declared.
        let mut segments = SegmentServiceClient::new(harness.channel());
        let asked = EvaluateMembershipRequest { customer: "customers/a".to_owned(), segments: Vec::new() };
        let is_in = segments.evaluate_membership(asked.clone()).await.unwrap().into_inner().segments;
        assert_eq!(is_in, ["segments/third"]);
        let segment = Segment {
            name: "segments/third".to_owned(),
            rule: "has(customer.attributes.level)".to_owned(),
            ..Segment::default()
        };
        let request = UpdateSegmentRequest { segment: Some(segment), ..UpdateSegmentRequest::default() };
        segments.update_segment(request).await.unwrap();
        declare(&harness, "level", AttributeType::Number).await.unwrap();
        create_segment(&harness, "high", "customer.attributes.level > 2.5").await.unwrap();
        let is_in = segments.evaluate_membership(asked).await.unwrap().into_inner().segments;
        assert_eq!(is_in, ["segments/high", "segments/third"]);
    })
    .await;
}

#[tokio::test]
async fn filters_counts_and_checks_see_the_type() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        declare(&harness, "size", AttributeType::Number).await.unwrap();
        for (id, size) in [("a", "41"), ("b", "42.5"), ("c", "100")] {
            create(&harness, person(id, &[("size", size)])).await.unwrap();
        }
        let list = |filter: &str| ListCustomersRequest {
            filter: filter.to_owned(),
            ..ListCustomersRequest::default()
        };
        let found = people(&harness)
            .list_customers(list("customer.attributes.size > 41.5"))
            .await
            .unwrap()
            .into_inner();
        let names: Vec<_> = found.customers.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["customers/b", "customers/c"], "as numbers, not as texts");
        let refused =
            people(&harness).list_customers(list("customer.attributes.weight > 1")).await.unwrap_err();
        assert_eq!(fields(&refused), ["filter"]);
        assert_eq!(counted(&harness, "customer.attributes.size > 41.5").await.unwrap(), 2);
        let refused = counted(&harness, "customer.attributes.weight > 1").await.unwrap_err();
        assert_eq!(fields(&refused), ["rule"]);
        let mut rules = RuleServiceClient::new(harness.channel());
        for (rule, findings) in [("customer.attributes.size > 1", 0), ("customer.attributes.weight > 1", 1)] {
            let request = CheckRuleRequest { rule: rule.to_owned(), r#use: RuleUse::Segment.into() };
            assert_eq!(
                rules.check_rule(request).await.unwrap().into_inner().findings.len(),
                findings,
                "{rule}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_declaration_has_a_key_that_rules_can_read_and_is_told() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        for bad in ["7th", "a-b", "a.b", "ä"] {
            let refused = declare(&harness, bad, AttributeType::Text).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{bad}");
        }
        let created = declare(&harness, "size", AttributeType::Number).await.unwrap();
        let same = retype(&harness, "size", AttributeType::Number).await.unwrap();
        assert_eq!(created, same, "where nothing differs, nothing happens");
        retype(&harness, "size", AttributeType::Date).await.unwrap();
        forget(&harness, "size").await.unwrap();
        let told: Vec<String> = harness.events().await.into_iter().map(|event| event.r#type).collect();
        let of = |what: &str| format!("tandem.relationship.v1.Attribute{what}");
        assert_eq!(told, [of("Created"), of("Updated"), of("Deleted")]);
        for at in 0..super::MAX_DECLARED {
            declare(&harness, &format!("a{at}"), AttributeType::Text).await.unwrap();
        }
        let refused = declare(&harness, "more", AttributeType::Text).await.unwrap_err();
        assert_eq!(reason(&refused), "TOO_MANY_ATTRIBUTES");
    })
    .await;
}
