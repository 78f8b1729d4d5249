//! The rules of incentives, on both engines.

mod evaluate;

use std::collections::BTreeMap;

use tandem_platform::testing;
use tandem_proto::common::v1::discount::Kind;
use tandem_proto::common::v1::{
    AmountDiscount, Discount, GiftCardTender, Interval, Limits, Money, PercentDiscount, PointsReward,
    Recurrence, Scope,
};
use tandem_proto::relationship::v1::incentive_service_client::IncentiveServiceClient;
use tandem_proto::relationship::v1::{
    ArchiveIncentiveRequest, CreateIncentiveRequest, GetIncentiveRequest, GetLimitsRequest,
    Incentive as Message, ListIncentivesRequest, UpdateIncentiveRequest,
};
use tonic::{Code, Status};

use crate::MIGRATIONS;
use crate::segment::tests::create_segment;
use crate::testing::{Channel, Harness, fields, preconditions, reason};

type Client = IncentiveServiceClient<Channel>;

fn client(harness: &Harness) -> Client {
    IncentiveServiceClient::new(harness.channel())
}

fn of(kind: Kind) -> Message {
    let discount = Discount { kind: Some(kind), ..Discount::default() };
    Message { discount: Some(discount), ..Message::default() }
}

/// An incentive of so many parts per million; used by other tests too.
pub fn percent(rate_ppm: i32) -> Message {
    of(Kind::Percent(PercentDiscount { rate_ppm }))
}

fn gift_card() -> Message {
    of(Kind::GiftCard(GiftCardTender::default()))
}

/// Creates an incentive; used by other tests too.
pub async fn create_incentive(harness: &Harness, id: &str, incentive: Message) -> Result<Message, Status> {
    let request = CreateIncentiveRequest {
        incentive: Some(incentive),
        incentive_id: id.to_owned(),
        request_id: String::new(),
    };
    client(harness).create_incentive(request).await.map(|response| response.into_inner().incentive.unwrap())
}

async fn get(client: &mut Client, name: &str) -> Result<Message, Status> {
    let request = GetIncentiveRequest { name: name.to_owned() };
    client.get_incentive(request).await.map(|response| response.into_inner().incentive.unwrap())
}

async fn update(client: &mut Client, incentive: Message, paths: &[&str]) -> Result<Message, Status> {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let request = UpdateIncentiveRequest {
        incentive: Some(incentive),
        update_mask: Some(prost_types::FieldMask { paths }),
        request_id: String::new(),
    };
    client.update_incentive(request).await.map(|response| response.into_inner().incentive.unwrap())
}

#[tokio::test]
async fn what_is_stored_is_read_back_with_its_defaults() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        create_segment(&harness, "vip", "'vip' in customer.tags").await.unwrap();
        let wanted = Message {
            display_name: "Spring".to_owned(),
            titles: BTreeMap::from([
                (String::new(), "Ten off".to_owned()),
                ("DE_at".to_owned(), "Zehn".to_owned()),
            ]),
            limits: Some(Limits { max_uses: Some(100), ..Limits::default() }),
            segments: vec!["segments/vip".to_owned(), "segments/vip".to_owned()],
            condition: "basket.quantity > 2".to_owned(),
            campaign: "campaigns/spring".to_owned(),
            ..percent(100_000)
        };
        let created = create_incentive(&harness, "spring", wanted).await.unwrap();
        assert_eq!(
            (created.name.as_str(), created.version, created.etag.as_str()),
            ("incentives/spring", 1, "v1")
        );
        assert_eq!(created.max_uses_per_code, Some(1));
        assert_eq!(created.titles.keys().collect::<Vec<_>>(), ["", "de-AT"]);
        assert_eq!(created.segments, ["segments/vip"]);
        assert_eq!((created.state, created.return_policy), (1, 1));
        let mut read = get(&mut client(&harness), "incentives/spring").await.unwrap();
        read.usage = None;
        assert_eq!(read, created);
        let events = harness.events().await;
        assert_eq!(events.last().unwrap().r#type, "tandem.relationship.v1.IncentiveCreated");
    })
    .await;
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut wrong = of(Kind::Amount(AmountDiscount::default()));
        let scope = Scope { condition: "line.colour == 'red'".to_owned(), ..Scope::default() };
        let good =
            Discount { kind: percent(1).discount.unwrap().kind, scope: Some(scope), ..Discount::default() };
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        wrong = Message {
            display_name: "x".repeat(201),
            titles: BTreeMap::from([("deutsch".to_owned(), String::new())]),
            validity: Some(Interval { start_time: at(2), end_time: at(1) }),
            limits: Some(Limits {
                max_uses: Some(-1),
                max_uses_per_customer_period: Some(1),
                ..Limits::default()
            }),
            max_uses_per_code: Some(-1),
            segments: vec!["vip".to_owned()],
            condition: "customer.country == 'AT'".to_owned(),
            campaign: "spring".to_owned(),
            return_policy: 9,
            labels: BTreeMap::from([("k".to_owned(), "v".repeat(257))]),
            ..wrong
        };
        let status = create_incentive(&harness, "a b", wrong.clone()).await.unwrap_err();
        let expected = [
            "incentive_id",
            "incentive.display_name",
            "incentive.titles[deutsch]",
            "incentive.titles[deutsch]",
            "incentive.discount.amount.amounts",
            "incentive.validity.end_time",
            "incentive.limits.max_uses",
            "incentive.limits.customer_period",
            "incentive.max_uses_per_code",
            "incentive.segments[0]",
            "incentive.condition",
            "incentive.campaign",
            "incentive.return_policy",
            "incentive.labels[k]",
        ];
        assert_eq!(fields(&status), expected);
        let status =
            create_incentive(&harness, "", Message { discount: Some(good), ..Message::default() }).await;
        assert_eq!(fields(&status.unwrap_err()), ["incentive.discount.scope.condition"]);
        assert_eq!(
            fields(&create_incentive(&harness, "", Message::default()).await.unwrap_err()),
            ["incentive.discount"]
        );
        assert!(harness.events().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn points_are_not_available_yet() {
    testing::sqlite(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let status =
            create_incentive(&harness, "", of(Kind::Points(PointsReward::default()))).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::FailedPrecondition, "POINTS_NOT_AVAILABLE")
        );
    })
    .await;
}

#[tokio::test]
async fn segments_must_exist() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        create_segment(&harness, "b", "true").await.unwrap();
        let segments = ["a", "b", "c"].map(|id| format!("segments/{id}")).to_vec();
        let status = create_incentive(&harness, "", Message { segments, ..percent(1) }).await.unwrap_err();
        assert_eq!(fields(&status), ["incentive.segments[0]", "incentive.segments[2]"]);
    })
    .await;
}

#[tokio::test]
async fn a_gift_card_is_limited_by_its_balance_alone_and_stays_one() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let card = create_incentive(&harness, "card", gift_card()).await.unwrap();
        assert_eq!((card.max_uses_per_code, card.unlimited_uses_per_code), (None, false));
        let budget = Money { currency_code: "EUR".to_owned(), units: 1, nanos: 0 };
        let limited = Message {
            max_uses_per_code: Some(1),
            limits: Some(Limits { budgets: vec![budget], ..Limits::default() }),
            ..gift_card()
        };
        let status = create_incentive(&harness, "", limited).await.unwrap_err();
        assert_eq!(fields(&status), ["incentive.max_uses_per_code", "incentive.limits"]);
        let change = Message { name: card.name.clone(), ..percent(1) };
        let status = update(&mut client, change, &["discount"]).await.unwrap_err();
        assert_eq!(fields(&status), ["incentive.discount"]);
        assert_eq!(get(&mut client, &card.name).await.unwrap().version, 1);
    })
    .await;
}

#[tokio::test]
async fn a_change_makes_a_version_and_keeps_the_one_before() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let first = create_incentive(&harness, "spring", percent(100_000)).await.unwrap();
        let change = Message { name: first.name.clone(), etag: first.etag.clone(), ..percent(200_000) };
        let second = update(&mut client, change.clone(), &["discount"]).await.unwrap();
        assert_eq!((second.version, second.etag.as_str()), (2, "v2"));
        let status = update(&mut client, change, &["discount"]).await.unwrap_err();
        assert_eq!(reason(&status), "ETAG_MISMATCH");
        let status = update(&mut client, second.clone(), &["usage", "version"]).await.unwrap_err();
        assert_eq!(fields(&status), ["update_mask", "update_mask"]);
        let (app, tenant) = (&harness.app, &harness.call.tenant);
        let mut reader = app.db.read().await.unwrap();
        let wanted = [("spring".to_owned(), 1), ("spring".to_owned(), 2), ("spring".to_owned(), 3)];
        for _ in 0..2 {
            let known = app.definitions.at(&mut reader, tenant, &wanted).await.unwrap();
            let rates: Vec<_> =
                known.iter().map(|one| one.as_ref().map(|one| one.discount.discount.kind.clone())).collect();
            assert!(rates[0].is_some() && rates[1].is_some() && rates[0] != rates[1]);
            assert!(rates[2].is_none());
        }
        let current =
            app.definitions.current(&mut reader, tenant, &["spring".to_owned(), "autumn".to_owned()]).await;
        let current = current.unwrap();
        assert_eq!((current.len(), current["spring"].incentive.version), (1, 2));
    })
    .await;
}

#[tokio::test]
async fn an_archived_incentive_is_over_for_good() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let created = create_incentive(&harness, "spring", percent(100_000)).await.unwrap();
        let archive = ArchiveIncentiveRequest {
            name: created.name.clone(),
            request_id: "a-1".to_owned(),
            ..ArchiveIncentiveRequest::default()
        };
        let archived =
            client.archive_incentive(archive.clone()).await.unwrap().into_inner().incentive.unwrap();
        assert_eq!((archived.state, archived.version), (2, 2));
        let again = client.archive_incentive(archive.clone()).await.unwrap().into_inner().incentive.unwrap();
        assert_eq!(again, archived, "a repetition answers the same");
        let anew =
            client.archive_incentive(ArchiveIncentiveRequest { request_id: String::new(), ..archive }).await;
        let refused =
            [anew.unwrap_err(), update(&mut client, percent_of(&created), &["discount"]).await.unwrap_err()];
        for status in refused {
            assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "WRONG_STATE"));
            assert_eq!(preconditions(&status), [("incentives/spring".to_owned(), "STATE".to_owned())]);
        }
        assert_eq!(harness.events().await.last().unwrap().r#type, "tandem.relationship.v1.IncentiveArchived");
    })
    .await;
}

fn percent_of(incentive: &Message) -> Message {
    Message { name: incentive.name.clone(), ..percent(1) }
}

#[tokio::test]
async fn incentives_are_listed_by_state_and_label() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        for (id, season) in [("a", "spring"), ("b", "autumn"), ("c", "spring")] {
            let labels = BTreeMap::from([("season".to_owned(), season.to_owned())]);
            create_incentive(&harness, id, Message { labels, ..percent(1) }).await.unwrap();
        }
        let archive =
            ArchiveIncentiveRequest { name: "incentives/a".to_owned(), ..ArchiveIncentiveRequest::default() };
        client.archive_incentive(archive).await.unwrap();
        let filter = "incentive.state == 'ACTIVE' && incentive.labels.season == 'spring'".to_owned();
        let page = client
            .list_incentives(ListIncentivesRequest { filter, ..ListIncentivesRequest::default() })
            .await;
        let names: Vec<String> =
            page.unwrap().into_inner().incentives.into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["incentives/c"]);
    })
    .await;
}

#[test]
fn a_title_is_that_of_the_locale_else_of_its_language_else_the_default() {
    let titled = |titles: &[(&str, &str)]| {
        let discount = tandem_kernel::discount::Discount {
            kind: tandem_kernel::discount::Kind::Percent { rate_ppm: 1 },
            scope: Default::default(),
            stage: tandem_kernel::discount::Stage::Line,
            base: Default::default(),
            group: 0,
            group_policy: Default::default(),
            priority: 0,
            exclusive: false,
            stop: false,
            minimum_spend: Default::default(),
            minimum_spend_base: Default::default(),
            max_discount: Default::default(),
            margin_floor_ppm: 0,
        };
        let mut definition = super::Definition { discount, ..super::Definition::default() };
        definition.titles =
            titles.iter().map(|(key, title)| ((*key).to_owned(), (*title).to_owned())).collect();
        definition
    };
    let title = |definition: &super::Definition, locale| {
        let locale = tandem_kernel::locale::Locale::parse(locale).unwrap();
        definition.title(&locale).to_owned()
    };
    let definition = titled(&[("", "Ten off"), ("de", "Zehn"), ("de-AT", "Zehn!")]);
    assert_eq!(title(&definition, "de_at"), "Zehn!");
    assert_eq!(title(&definition, "de-CH"), "Zehn");
    assert_eq!(title(&definition, "fr"), "Ten off");
    assert_eq!(title(&titled(&[]), "fr"), "");
}

#[tokio::test]
async fn what_limits_have_used_is_told_and_the_customers_own_where_one_is_named() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let limits = Limits {
            max_uses: Some(5),
            max_uses_per_customer_period: Some(2),
            customer_period: Recurrence::Week.into(),
            ..Limits::default()
        };
        let limited = Message { limits: Some(limits), ..percent(100_000) };
        create_incentive(&harness, "ten", limited).await.unwrap();
        let mut told = async |customer: &str, guest_key: &str| {
            let name = "incentives/ten".to_owned();
            let (customer, guest_key) = (customer.to_owned(), guest_key.to_owned());
            let answer = client.get_limits(GetLimitsRequest { name, customer, guest_key }).await;
            answer.map(|answer| answer.into_inner().limits)
        };
        let limits = told("customers/7", "").await.unwrap();
        let [all, own] = limits.as_slice() else { panic!("{limits:?}") };
        assert_eq!((&*all.owner, all.max_uses, all.uses_left), ("incentives/ten", 5, 5));
        assert_eq!((own.max_uses, own.recurrence()), (2, Recurrence::Week));
        assert_eq!(told("", "").await.unwrap().len(), 1);
        let both = told("customers/7", "guest-key-0123456789").await.unwrap_err();
        assert_eq!(fields(&both), ["guest_key"]);
    })
    .await;
}
