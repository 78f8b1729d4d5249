use std::collections::BTreeMap;

use prost_types::FieldMask;
use tandem_kernel::money::Currency;
use tandem_platform::{testing, transact};
use tandem_proto::campaign::v1::{
    self, ArchiveObjectiveRequest, CreateObjectiveRequest, GetObjectiveProgressRequest, GetObjectiveRequest,
    ListObjectivesRequest, ObjectiveMetric, ObjectiveState, UpdateObjectiveRequest,
};
use tonic::Code;

use super::progress::progress;
use super::*;
use crate::MIGRATIONS;
use crate::campaign::Move;
use crate::redemption::{self, Feedback, Sums};
use crate::testing::Harness;
use crate::tests::{Clients, a_campaign, an_objective, days, eur, fields, refusal, subjects};

fn revenue(minor: i64) -> Definition {
    let target_money = Some(Money::new(minor, Currency::new("EUR").unwrap()));
    Definition { metric: Metric::Revenue, target_money, ..Definition::default() }
}

fn orders(target_count: i64) -> Definition {
    Definition { metric: Metric::Orders, target_count, ..Definition::default() }
}

fn wrong(definition: &Definition) -> Vec<String> {
    definition.problems().into_iter().map(|problem| problem.field).collect()
}

#[test]
fn revenue_is_wanted_in_money_and_everything_else_in_number() {
    assert!(wrong(&revenue(1)).is_empty());
    assert!(wrong(&orders(1)).is_empty());
    assert_eq!(wrong(&revenue(0)), ["target_money"]);
    assert_eq!(wrong(&orders(0)), ["target_count"]);
    assert_eq!(wrong(&Definition { target_count: 5, ..revenue(1) }), ["target_count"]);
    assert_eq!(wrong(&Definition { metric: Metric::Orders, ..revenue(1) }), ["target_count", "target_money"]);
}

#[test]
fn progress_is_measured_in_the_currency_of_the_target() {
    let (eur, usd) = (Currency::new("EUR").unwrap(), Currency::new("USD").unwrap());
    let sums = Sums { orders: 3, revenue: BTreeMap::from([(eur, 15_00), (usd, 99_00)]), ..Sums::default() };
    let reached = progress(&revenue(10_00), &sums);
    assert_eq!((reached.money, reached.ppm), (Some(Money::new(15_00, eur)), 1_500_000));
    let reached = progress(&orders(4), &sums);
    assert_eq!((reached.count, reached.ppm), (3, 750_000));
}

fn create(id: &str) -> CreateObjectiveRequest {
    CreateObjectiveRequest {
        objective: Some(an_objective()),
        objective_id: id.to_owned(),
        request_id: String::new(),
    }
}

fn archive(id: &str) -> ArchiveObjectiveRequest {
    ArchiveObjectiveRequest { name: name(id), ..ArchiveObjectiveRequest::default() }
}

fn update(objective: v1::Objective, paths: &[&str]) -> UpdateObjectiveRequest {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    UpdateObjectiveRequest {
        objective: Some(objective),
        update_mask: Some(FieldMask { paths }),
        request_id: String::new(),
    }
}

#[tokio::test]
async fn what_is_created_is_what_is_read() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut api = Clients::of(&harness).objectives;
        let given = v1::Objective {
            metric: ObjectiveMetric::Revenue.into(),
            target_money: Some(eur(1_000, 50)),
            target_count: 0,
            window: Some(days(harness.app.clock.now(), 0, 30)),
            labels: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
            ..an_objective()
        };
        let request = CreateObjectiveRequest { objective: Some(given.clone()), ..create("growth") };
        let created = api.create_objective(request).await.unwrap().into_inner().objective.unwrap();
        assert_eq!(created.name, "objectives/growth");
        assert_eq!((created.etag.as_str(), created.state()), ("v1", ObjectiveState::Active));
        assert_eq!((&created.target_money, &created.window), (&given.target_money, &given.window));
        let read = api.get_objective(GetObjectiveRequest { name: name("growth") }).await.unwrap();
        assert_eq!(read.into_inner().objective.unwrap(), created);
        let twice = api.create_objective(create("growth")).await.unwrap_err();
        assert_eq!(refusal(&twice), (Code::AlreadyExists, "ALREADY_EXISTS".to_owned()));
        let none = api.get_objective(GetObjectiveRequest { name: name("other") }).await.unwrap_err();
        assert_eq!(refusal(&none), (Code::NotFound, "NOT_FOUND".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn every_wrong_field_of_a_new_objective_is_named_at_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut api = Clients::of(&harness).objectives;
        let objective = v1::Objective {
            display_name: String::new(),
            description: "x".repeat(2_001),
            metric: ObjectiveMetric::Revenue.into(),
            target_money: None,
            target_count: 3,
            window: Some(days(harness.app.clock.now(), 5, 2)),
            labels: BTreeMap::from([("k".to_owned(), "x".repeat(257))]),
            ..v1::Objective::default()
        };
        let request = CreateObjectiveRequest {
            objective: Some(objective),
            objective_id: "no spaces".to_owned(),
            request_id: "two words".to_owned(),
        };
        let refused = api.create_objective(request).await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::InvalidArgument, "INVALID_ARGUMENT".to_owned()));
        let wrong = [
            "request_id",
            "objective_id",
            "objective.display_name",
            "objective.description",
            "objective.window.end_time",
            "objective.labels[k]",
            "objective.target_money",
            "objective.target_count",
        ];
        assert_eq!(fields(&refused), wrong);
        let list = api.list_objectives(ListObjectivesRequest::default()).await.unwrap().into_inner();
        assert!(list.objectives.is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_update_writes_the_masked_fields_only_and_knows_no_others() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = Clients::of(&harness);
        let created = clients.objective("growth").await;
        let mut api = clients.objectives;
        let changed = v1::Objective { description: "more".to_owned(), target_count: 7, ..created.clone() };
        let updated = api.update_objective(update(changed, &["target_count"])).await.unwrap().into_inner();
        let updated = updated.objective.unwrap();
        assert_eq!((updated.target_count, updated.description.as_str()), (7, ""));
        assert_eq!(updated.etag, "v2");
        let same =
            api.update_objective(update(updated.clone(), &["target_count"])).await.unwrap().into_inner();
        assert_eq!(same.objective.unwrap().etag, "v2", "nothing differs, so nothing happens");

        let stale = api.update_objective(update(created.clone(), &["description"])).await.unwrap_err();
        assert_eq!(refusal(&stale), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
        let unknown = api.update_objective(update(updated.clone(), &["state", "colour"])).await.unwrap_err();
        assert_eq!(fields(&unknown), ["update_mask", "update_mask"]);
        // Orders become revenue, but the target stays a count: only both together are right.
        let revenue = v1::Objective { metric: ObjectiveMetric::Revenue.into(), ..updated };
        let torn = api.update_objective(update(revenue, &["metric"])).await.unwrap_err();
        assert_eq!(fields(&torn), ["objective.target_money", "objective.target_count"]);
    })
    .await;
}

#[tokio::test]
async fn a_request_id_stands_for_one_request() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut api = Clients::of(&harness).objectives;
        let request = CreateObjectiveRequest { request_id: "r1".to_owned(), ..create("") };
        let first = api.create_objective(request.clone()).await.unwrap().into_inner();
        let again = api.create_objective(request.clone()).await.unwrap().into_inner();
        assert_eq!(first, again);
        let other = CreateObjectiveRequest { objective_id: "mine".to_owned(), ..request };
        let reused = api.create_objective(other).await.unwrap_err();
        assert_eq!(refusal(&reused), (Code::InvalidArgument, "REQUEST_ID_REUSED".to_owned()));
        let list = api.list_objectives(ListObjectivesRequest::default()).await.unwrap().into_inner();
        assert_eq!(list.objectives.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_objective_closes_only_when_its_campaigns_have_ended() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = Clients::of(&harness);
        clients.objective("growth").await;
        clients.campaign("one", a_campaign(harness.app.clock.now())).await;
        clients.campaign("two", a_campaign(harness.app.clock.now())).await;
        clients.step("two", Move::Cancel).await.unwrap();
        let in_use = clients.objectives.archive_objective(archive("growth")).await.unwrap_err();
        assert_eq!(refusal(&in_use), (Code::FailedPrecondition, "OBJECTIVE_IN_USE".to_owned()));
        assert_eq!(subjects(&in_use), ["campaigns/one"]);

        clients.step("one", Move::Launch).await.unwrap();
        // The clock ends it.
        harness.clock.advance(jiff::SignedDuration::from_hours(24 * 31));
        let archived = clients.objectives.archive_objective(archive("growth")).await.unwrap().into_inner();
        assert_eq!(archived.objective.as_ref().unwrap().state(), ObjectiveState::Archived);
        let again = clients.objectives.archive_objective(archive("growth")).await.unwrap().into_inner();
        assert_eq!(again, archived, "closing it once more changes nothing");

        let closed = clients.objectives.update_objective(update(
            v1::Objective { name: name("growth"), ..an_objective() },
            &["display_name"],
        ));
        assert_eq!(refusal(&closed.await.unwrap_err()).1, "OBJECTIVE_ARCHIVED");
        let late = clients.try_campaign("late", a_campaign(harness.app.clock.now())).await.unwrap_err();
        assert_eq!(refusal(&late), (Code::FailedPrecondition, "OBJECTIVE_ARCHIVED".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn a_list_goes_on_only_with_its_own_filter_and_order() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = Clients::of(&harness);
        for id in ["a", "b", "c", "d", "B"] {
            clients.objective(id).await;
            harness.clock.advance(jiff::SignedDuration::from_secs(1));
        }
        let mut api = clients.objectives;
        let names = |list: &v1::ListObjectivesResponse| -> Vec<String> {
            list.objectives.iter().map(|one| one.name.trim_start_matches("objectives/").to_owned()).collect()
        };
        let page = |token: &str, order: &str, filter: &str| ListObjectivesRequest {
            page_size: 2,
            page_token: token.to_owned(),
            order_by: order.to_owned(),
            filter: filter.to_owned(),
        };
        // Ids sort by their bytes on both engines.
        for (order, sorted) in [
            ("", ["B", "a", "b", "c", "d"]),
            ("name desc", ["d", "c", "b", "a", "B"]),
            ("create_time", ["a", "b", "c", "d", "B"]),
            ("create_time desc", ["B", "d", "c", "b", "a"]),
        ] {
            let (mut found, mut token) = (Vec::new(), String::new());
            loop {
                let list = api.list_objectives(page(&token, order, "")).await.unwrap().into_inner();
                assert!(list.objectives.len() <= 2);
                found.extend(names(&list));
                token = list.next_page_token;
                if token.is_empty() {
                    break;
                }
            }
            assert_eq!(found, sorted, "{order}");
        }
        let filter = "objective.id in ['b', 'd'] && objective.metric == 'ORDERS'";
        let list = api.list_objectives(page("", "", filter)).await.unwrap().into_inner();
        assert_eq!(names(&list), ["b", "d"]);

        let token = api.list_objectives(page("", "", "")).await.unwrap().into_inner().next_page_token;
        for (order, filter) in [("create_time", ""), ("", filter)] {
            let refused = api.list_objectives(page(&token, order, filter)).await.unwrap_err();
            assert_eq!(refusal(&refused), (Code::InvalidArgument, "INVALID_PAGE_TOKEN".to_owned()));
        }
        let wrong = ListObjectivesRequest { page_size: -1, ..page("", "colour", "objective.size > 3") };
        let refused = api.list_objectives(wrong).await.unwrap_err();
        assert_eq!(fields(&refused), ["page_size", "order_by", "filter"]);
    })
    .await;
}

fn redeemed(redemption: &str, campaign: &str, order: &str) -> Feedback {
    Feedback {
        redemption: redemption.to_owned(),
        order_id: order.to_owned(),
        campaign: campaign.to_owned(),
        incentive: "i".to_owned(),
        customer: "42".to_owned(),
        amount: Money::new(5_00, Currency::new("EUR").unwrap()),
        returned: 0,
        tender: false,
        order_total: Some(45_00),
        state: redemption::State::Redeemed,
        version: 1,
        occurred: Timestamp::UNIX_EPOCH,
    }
}

#[tokio::test]
async fn progress_is_what_the_campaigns_of_the_objective_brought_about() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = Clients::of(&harness);
        clients.objective("growth").await;
        clients.campaign("one", a_campaign(harness.app.clock.now())).await;
        let news = [redeemed("r1", "one", "o1"), redeemed("r2", "one", "o1"), redeemed("r3", "other", "o2")];
        let news: Vec<_> = news.iter().map(|one| (&harness.call.tenant, one)).collect();
        transact!(harness.app.db, |tx| { redemption::store::save(tx, &news, harness.app.clock.now()).await })
            .unwrap();
        let request = GetObjectiveProgressRequest { name: name("growth") };
        let progress = clients.objectives.get_objective_progress(request).await.unwrap().into_inner();
        assert_eq!(progress.campaigns, ["campaigns/one"]);
        assert_eq!(progress.metric(), ObjectiveMetric::Orders);
        assert_eq!((progress.reached_count, progress.reached_ppm, progress.redemptions), (1, 1_000, 2));
        assert_eq!((progress.reached_money, progress.discounts), (None, vec![eur(10, 0)]));
    })
    .await;
}

#[tokio::test]
async fn a_campaign_and_the_end_of_its_objective_never_pass_each_other() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = Clients::of(&harness);
        for round in 0..8 {
            let id = format!("goal-{round}");
            clients.objective(&id).await;
            let draft = v1::Campaign { objective: name(&id), ..a_campaign(harness.app.clock.now()) };
            let (mut one, mut two) = (clients.clone(), clients.clone());
            let closing = one.objectives.archive_objective(archive(&id));
            let (created, closed) = futures::join!(two.try_campaign(&id, draft), closing);
            match (created, closed) {
                (Ok(_), Err(status)) => assert_eq!(refusal(&status).1, "OBJECTIVE_IN_USE"),
                (Err(status), Ok(_)) => assert_eq!(refusal(&status).1, "OBJECTIVE_ARCHIVED"),
                both => panic!("{both:?}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn one_request_sent_by_many_at_once_is_done_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let clients = Clients::of(&harness);
        let request = CreateObjectiveRequest { request_id: "r1".to_owned(), ..create("") };
        let calls = (0..8).map(|_| {
            let (mut api, request) = (clients.objectives.clone(), request.clone());
            async move { api.create_objective(request).await.unwrap().into_inner() }
        });
        let answers = futures::future::join_all(calls).await;
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
        let list =
            clients.objectives.clone().list_objectives(ListObjectivesRequest::default()).await.unwrap();
        assert_eq!(list.into_inner().objectives.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_page_of_large_resources_ends_before_it_is_more_than_every_client_reads() {
    testing::engines(&MIGRATIONS, |db| async move {
        const OBJECTIVES: usize = 160;
        let harness = Harness::new(db);
        let mut api = Clients::of(&harness).objectives;
        let labels = (0..64).map(|number| (format!("{number:0256}"), "x".repeat(256))).collect();
        let objective = v1::Objective { labels, ..an_objective() };
        for number in 0..OBJECTIVES {
            let id = format!("o{number:03}");
            let request = CreateObjectiveRequest { objective: Some(objective.clone()), ..create(&id) };
            api.create_objective(request).await.unwrap();
        }
        let (mut seen, mut page_token, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let request = ListObjectivesRequest {
                page_size: 1_000,
                page_token,
                order_by: "name desc".to_owned(),
                ..ListObjectivesRequest::default()
            };
            let page = api.list_objectives(request).await.unwrap().into_inner();
            assert!(prost::Message::encoded_len(&page) < 4 * 1024 * 1024);
            pages += 1;
            seen.extend(page.objectives.into_iter().map(|objective| objective.name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let wanted: Vec<String> =
            (0..OBJECTIVES).rev().map(|number| name(&format!("o{number:03}"))).collect();
        assert!(pages == 2 && seen == wanted, "{pages} pages, each once and in order");
    })
    .await;
}
