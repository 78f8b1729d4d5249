//! Codes that come from elsewhere: all that is said of them is kept, or refused item by item.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tandem_platform::{Call, testing};

use super::*;
use crate::MIGRATIONS;
use crate::testing::{Harness, fields, import_vouchers, reason};

pub(super) fn item(code: &str) -> Voucher {
    Voucher { code: code.to_owned(), incentive: "incentives/ten-off".to_owned(), ..Voucher::default() }
}

pub(super) fn card(code: &str, initial: i64, left: Option<i64>) -> Voucher {
    Voucher {
        incentive: "incentives/card".to_owned(),
        initial_balance: Some(euros(initial)),
        balance: left.map(euros),
        ..item(code)
    }
}

pub(super) async fn import(client: &mut Client, vouchers: Vec<Voucher>) -> ImportVouchersResponse {
    send(client, ImportVouchersRequest { vouchers, ..ImportVouchersRequest::default() }).await
}

async fn send(client: &mut Client, request: ImportVouchersRequest) -> ImportVouchersResponse {
    import_vouchers(client, vec![request]).await.unwrap()
}

pub(super) async fn get(client: &mut Client, code: &str) -> Voucher {
    let request = GetVoucherRequest { name: format!("vouchers/{code}") };
    client.get_voucher(request).await.unwrap().into_inner().voucher.unwrap()
}

/// (place, reason, first field) of each refusal.
fn refusals(answer: &ImportVouchersResponse) -> Vec<(i64, String, String)> {
    let told = |failure: &VoucherImportFailure| {
        let status = failure.status.clone().unwrap();
        let details = prost::Message::encode_to_vec(&status).into();
        let status = Status::with_details(tonic::Code::from(status.code), status.message, details);
        (failure.index, reason(&status), fields(&status).first().cloned().unwrap_or_default())
    };
    answer.failures.iter().map(told).collect()
}

pub(super) async fn stage(harness: &Harness) {
    ten_off(harness).await;
    open(harness, "card", Incentive { discount: Some(gift_card()), ..Incentive::default() }).await;
    customers(harness, &["ada"]).await;
}

#[tokio::test]
async fn uses_that_are_not_said_are_the_incentives_and_zero_is_refused() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        stage(&harness).await;
        let three =
            Incentive { discount: Some(percent(1)), max_uses_per_code: Some(3), ..Incentive::default() };
        open(&harness, "three", three).await;
        let mut client = client(&harness);
        let of_three = Voucher { incentive: "incentives/three".to_owned(), ..item("THREE") };
        let zero = Voucher { max_uses: Some(0), ..item("ZERO") };
        let both = Voucher { max_uses: Some(1), unlimited_uses: true, ..item("BOTH") };
        let free = Voucher { unlimited_uses: true, ..item("FREE") };
        let answer = import(&mut client, vec![item("ONCE"), of_three, zero, both, free]).await;
        let wrong = |index, field: &str| (index, "INVALID_ARGUMENT".to_owned(), field.to_owned());
        assert_eq!(refusals(&answer), [wrong(2, "max_uses"), wrong(3, "unlimited_uses")]);
        assert_eq!(get(&mut client, "ONCE").await.max_uses, Some(1));
        assert_eq!(get(&mut client, "THREE").await.max_uses, Some(3));
        let free = get(&mut client, "FREE").await;
        assert_eq!((free.max_uses, free.unlimited_uses), (None, true));
    })
    .await;
}

#[tokio::test]
async fn every_block_is_told_once_it_is_durable_and_a_break_loses_nothing_that_was_told() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        stage(&harness).await;
        let mut client = client(&harness);
        let (send, messages) = futures::channel::mpsc::unbounded();
        let mut answers = client.import_vouchers(messages).await.unwrap().into_inner();
        let block = |vouchers| ImportVouchersRequest { vouchers, ..ImportVouchersRequest::default() };
        send.unbounded_send(block(vec![item("ONE"), item("T W O"), item("THREE")])).unwrap();
        let told = answers.message().await.unwrap().unwrap();
        assert_eq!((told.done, told.created, told.failed), (3, 2, 1));
        assert_eq!(refusals(&told)[0].0, 1);
        assert_eq!(get(&mut client, "ONE").await.code, "ONE", "while the stream goes on");
        send.unbounded_send(block(vec![item("ONE"), item("F O U R")])).unwrap();
        let told = answers.message().await.unwrap().unwrap();
        assert_eq!((told.done, told.created, told.existing, told.failed), (5, 2, 1, 2));
        assert_eq!((told.failures.len(), told.failures[0].index), (1, 4), "each refusal is told once");
        drop(answers);
        let again = import(&mut client, vec![item("ONE"), item("THREE"), item("FIVE")]).await;
        assert_eq!((again.done, again.existing, again.created), (3, 2, 1));
    })
    .await;
}

#[tokio::test]
async fn what_was_used_spent_or_ended_elsewhere_stays_so() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        stage(&harness).await;
        let mut client = client(&harness);
        let spent = Voucher { uses: 1, ..item("SPENT") };
        let over = Voucher { state: VoucherState::Exhausted.into(), ..item("OVER") };
        let ended = Voucher { disabled: true, state: VoucherState::Disabled.into(), ..item("ENDED") };
        let rows = vec![card("CARD", 50, Some(10)), spent, over, ended, card("EMPTY", 50, Some(0))];
        assert_eq!(import(&mut client, rows).await.created, 5);
        assert_eq!(get(&mut client, "CARD").await.balance, Some(euros(10)));
        for (code, state) in [
            ("SPENT", VoucherState::Exhausted),
            ("OVER", VoucherState::Exhausted),
            ("ENDED", VoucherState::Disabled),
            ("EMPTY", VoucherState::Exhausted),
        ] {
            assert_eq!(get(&mut client, code).await.state(), state, "{code}");
        }
        let contradicting = vec![
            Voucher { state: VoucherState::Active.into(), uses: 1, ..item("CODE-A") },
            Voucher { state: VoucherState::Disabled.into(), ..item("CODE-B") },
            Voucher { uses: 2, ..item("CODE-C") },
            Voucher { uses_held: 1, ..item("CODE-D") },
            card("CODE-E", 50, Some(60)),
            Voucher { adjustments: Some(euros(-51)), ..card("CODE-H", 50, None) },
            Voucher { balance: Some(euros(1)), ..item("CODE-F") },
            Voucher { source_id: "s".to_owned(), ..item("CODE-G") },
        ];
        let answer = import(&mut client, contradicting).await;
        let told: Vec<String> = refusals(&answer).into_iter().map(|(_, _, field)| field).collect();
        assert_eq!(
            told,
            ["state", "state", "uses", "uses_held", "balance", "adjustments", "balance", "source_id"]
        );
        let faults = crate::redemption::audit::audit(&harness.app.db, &Call::system("default").tenant)
            .await
            .unwrap()
            .faults;
        assert_eq!(faults, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_customer_who_does_not_exist_and_a_source_that_has_a_code_fail_their_items_alone() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        stage(&harness).await;
        let mut client = client(&harness);
        let of = |code: &str, customer: &str, source: &str| Voucher {
            customer: format!("customers/{customer}"),
            source_id: source.to_owned(),
            ..item(code)
        };
        let rows = vec![
            of("CODE-A", "ada", "order-1"),
            of("CODE-B", "nobody", ""),
            of("CODE-C", "ada", "order-1"),
            item("CODE-D"),
        ];
        let answer = import(&mut client, rows).await;
        assert_eq!((answer.created, answer.failed), (2, 2));
        let reasons: Vec<_> =
            refusals(&answer).into_iter().map(|(index, reason, _)| (index, reason)).collect();
        let told = [(1, "CUSTOMER_NOT_FOUND".to_owned()), (2, "SOURCE_ID_TAKEN".to_owned())];
        assert_eq!(reasons, told);
        let again = import(&mut client, vec![of("CODE-E", "ada", "order-1")]).await;
        assert_eq!(refusals(&again)[0].1, "SOURCE_ID_TAKEN");
        let told = harness.events().await;
        let generated = told.iter().filter(|event| event.r#type.ends_with("VouchersGenerated"));
        assert_eq!(generated.count(), 1, "nothing came with the second");
    })
    .await;
}

#[tokio::test]
async fn a_code_that_is_there_is_existing_only_where_the_item_says_the_same() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        stage(&harness).await;
        let mut client = client(&harness);
        let labelled = |value: &str| Voucher {
            labels: [("channel".to_owned(), value.to_owned())].into(),
            max_uses: Some(5),
            ..item("CODE")
        };
        assert_eq!(import(&mut client, vec![labelled("print")]).await.created, 1);
        let answer = import(&mut client, vec![labelled("print"), labelled("web"), item("CODE")]).await;
        assert_eq!((answer.existing, answer.failed), (1, 2));
        assert!(refusals(&answer).iter().all(|(_, reason, _)| reason == "VOUCHER_DIFFERS"));
        let twice = vec![item("TWICE"), item("twice"), Voucher { max_uses: Some(2), ..item("Twice") }];
        let answer = import(&mut client, twice).await;
        assert_eq!((answer.created, answer.existing, answer.failed), (1, 1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_code_of_an_archived_incentive_says_so_and_can_be_moved() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        stage(&harness).await;
        let mut client = client(&harness);
        let old = Incentive { discount: Some(percent(1)), ..Incentive::default() };
        open(&harness, "old", old).await;
        let of_old =
            Voucher { incentive: "incentives/old".to_owned(), max_uses: Some(3), uses: 2, ..item("CODE") };
        assert_eq!(import(&mut client, vec![of_old.clone()]).await.created, 1);
        let archive = ArchiveIncentiveRequest { name: "incentives/old".to_owned(), ..Default::default() };
        IncentiveServiceClient::new(harness.channel()).archive_incentive(archive).await.unwrap();

        let new = Voucher { max_uses: Some(3), ..item("CODE") };
        let answer = import(&mut client, vec![new.clone(), of_old]).await;
        let reasons: Vec<_> = refusals(&answer).into_iter().map(|(_, reason, _)| reason).collect();
        assert_eq!(reasons, ["INCENTIVE_ARCHIVED", "INCENTIVE_ARCHIVED"]);
        let request = ImportVouchersRequest {
            vouchers: vec![new, card("CODE", 5, None)],
            move_archived: true,
            ..ImportVouchersRequest::default()
        };
        let answer = send(&mut client, request).await;
        assert_eq!((answer.moved, answer.failed), (1, 1));
        let moved = get(&mut client, "CODE").await;
        assert_eq!(
            (&*moved.incentive, moved.uses, moved.state()),
            ("incentives/ten-off", 2, VoucherState::Active)
        );
    })
    .await;
}

prop_compose! {
    fn any_voucher()(
        number in 0..1_000_000_u32,
        lower in any::<bool>(),
        is_card in any::<bool>(),
        limit in proptest::option::of(1..9_i64),
        uses in 0..9_i64,
        left in 0..=20_i64,
        adjusted in proptest::option::of(-30..40_i64),
        of_ada in any::<bool>(),
        source in proptest::option::of("[a-z]{1,20}"),
        ends in proptest::option::of(1_600_000_000..2_100_000_000_i64),
        restored in proptest::option::of(1_600_000_000..2_100_000_000_i64),
        made in 1_000_000_000..1_700_000_000_i64,
        disabled in prop::bool::weighted(0.2),
        labels in proptest::collection::btree_map("[a-z]{1,8}", "[ -~]{0,20}", 0..3),
    ) -> Voucher {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let code = if lower { format!("Code-{number}") } else { format!("CODE-{number}") };
        let own = ends.map(|ends| common::Interval { start_time: None, end_time: at(ends) });
        let plain = Voucher {
            name: format!("vouchers/{code}"),
            customer: if of_ada { "customers/ada".to_owned() } else { String::new() },
            source_id: source.filter(|_| of_ada).map(|source| format!("{source}-{number}")).unwrap_or_default(),
            validity: own,
            restored_until_time: restored.and_then(at),
            create_time: at(made),
            assign_time: if of_ada { at(made + 60) } else { None },
            disabled,
            labels,
            ..item(&code)
        };
        match is_card {
            true => Voucher { max_uses: None, ..plain_card(plain, left, adjusted) },
            false => Voucher {
                max_uses: limit,
                unlimited_uses: limit.is_none(),
                uses: uses.min(limit.unwrap_or(9)),
                ..plain
            },
        }
    }
}

fn plain_card(voucher: Voucher, left: i64, adjusted: Option<i64>) -> Voucher {
    Voucher {
        incentive: "incentives/card".to_owned(),
        initial_balance: Some(euros(50)),
        balance: Some(euros(left)),
        adjustments: adjusted.map(euros),
        ..voucher
    }
}

async fn exported(client: &mut Client) -> Vec<Voucher> {
    let mut all = Vec::new();
    for incentive in ["incentives/card", "incentives/ten-off"] {
        let request = ExportVouchersRequest { incentive: incentive.to_owned(), batch: String::new() };
        let mut blocks = client.export_vouchers(request).await.unwrap().into_inner();
        while let Some(block) = blocks.message().await.unwrap() {
            // Versions begin anew.
            all.extend(block.vouchers.into_iter().map(|one| Voucher { etag: String::new(), ..one }));
        }
    }
    all
}

/// Property: an export, brought into an empty database, is exported as it was.
#[tokio::test]
async fn an_export_brought_into_an_empty_database_is_the_same_export() {
    testing::engines(&MIGRATIONS, |db| async move {
        let first = Harness::new(db);
        stage(&first).await;
        let mut client = client(&first);
        let mut runner = TestRunner::deterministic();
        let drawn: Vec<Voucher> =
            (0..300).map(|_| any_voucher().new_tree(&mut runner).unwrap().current()).collect();
        let answer = import(&mut client, drawn).await;
        assert!(answer.created > 250, "{answer:?}");
        generate(&mut client, wanted(50, "", "more")).await.unwrap();
        import(&mut client, vec![card("BY-HAND", 50, Some(10))]).await;
        let topped_up = AdjustBalanceRequest {
            name: "vouchers/BY-HAND".to_owned(),
            amount: Some(euros(15)),
            reason: "a complaint".to_owned(),
            request_id: "up".to_owned(),
        };
        client.adjust_balance(topped_up).await.unwrap();
        let before = exported(&mut client).await;

        testing::engines(&MIGRATIONS, |db| {
            let before = before.clone();
            async move {
                let second = Harness::new(db);
                stage(&second).await;
                let mut client = super::client(&second);
                let answer = import(&mut client, before.clone()).await;
                assert_eq!(
                    (answer.created, answer.failed),
                    (before.len() as i64, 0),
                    "{:?}",
                    answer.failures
                );
                assert_eq!(exported(&mut client).await, before);
                let again = import(&mut client, before.clone()).await;
                assert_eq!((again.existing, again.failed), (before.len() as i64, 0));
            }
        })
        .await;
    })
    .await;
}
