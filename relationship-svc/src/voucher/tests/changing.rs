//! What support does by hand: codes extended, enabled, moved, gift cards topped up; each with a reason that is kept.

use prost::Message;
use prost_types::FieldMask;
use tandem_platform::{Call, testing};
use tonic::Code;

use super::importing::{card, get, import, item, stage};
use super::*;
use crate::MIGRATIONS;
use crate::testing::{fields, reason};

fn time(text: &str) -> Option<prost_types::Timestamp> {
    Some(tandem_proto::convert::to_timestamp(text.parse().unwrap()))
}

fn until(text: &str) -> Option<common::Interval> {
    Some(common::Interval { start_time: None, end_time: time(text) })
}

/// Names these fields of `voucher`.
fn change(voucher: Voucher, paths: &[&str], request_id: &str) -> UpdateVoucherRequest {
    UpdateVoucherRequest {
        voucher: Some(voucher),
        update_mask: Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
        reason: "the customer rang".to_owned(),
        request_id: request_id.to_owned(),
    }
}

fn named(code: &str) -> Voucher {
    Voucher { name: format!("vouchers/{code}"), ..Voucher::default() }
}

async fn update(client: &mut Client, voucher: Voucher, paths: &[&str]) -> Result<Voucher, Status> {
    let answer = client.update_voucher(change(voucher, paths, "")).await?;
    Ok(answer.into_inner().voucher.unwrap())
}

fn adjustment(code: &str, amount: common::Money, request_id: &str) -> AdjustBalanceRequest {
    AdjustBalanceRequest {
        name: format!("vouchers/{code}"),
        amount: Some(amount),
        reason: "a complaint".to_owned(),
        request_id: request_id.to_owned(),
    }
}

async fn adjust(client: &mut Client, code: &str, units: i64, request_id: &str) -> Result<Voucher, Status> {
    let answer = client.adjust_balance(adjustment(code, euros(units), request_id)).await?;
    Ok(answer.into_inner().voucher.unwrap())
}

async fn changes(client: &mut Client, code: &str, page_size: i32) -> Vec<VoucherChange> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListVoucherChangesRequest { name: format!("vouchers/{code}"), page_size, page_token };
        let page = client.list_voucher_changes(request).await.unwrap().into_inner();
        all.extend(page.changes);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

#[tokio::test]
async fn a_code_is_extended_past_the_end_of_its_incentive_and_cut_short_again() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let june = Incentive {
            discount: Some(percent(1)),
            validity: until("2026-06-30T00:00:00Z"),
            ..Incentive::default()
        };
        open(&harness, "ten-off", june).await;
        let mut client = client(&harness);
        let restored = Voucher { restored_until_time: time("2026-07-20T00:00:00Z"), ..item("CODE") };
        import(&mut client, vec![restored]).await;
        let extended = Voucher { validity: until("2026-08-01T00:00:00Z"), ..named("code") };
        let extended = update(&mut client, extended, &["validity"]).await.unwrap();
        assert_eq!(extended.expire_time, time("2026-08-01T00:00:00Z"));
        assert_eq!(extended.state(), VoucherState::Active);
        let cut = Voucher { validity: until("2026-06-29T00:00:00Z"), ..named("CODE") };
        let cut = update(&mut client, cut, &["validity"]).await.unwrap();
        assert_eq!((cut.expire_time, cut.restored_until_time), (time("2026-06-29T00:00:00Z"), None));
        assert_eq!(cut.state(), VoucherState::Expired);
        let open_end = update(&mut client, named("CODE"), &["validity"]).await.unwrap();
        assert_eq!(open_end.expire_time, time("2026-06-30T00:00:00Z"), "the incentive's");
        let told = changes(&mut client, "CODE", 1).await;
        let ends = |change: &VoucherChange| {
            let field = change.fields.iter().find(|field| field.field == "validity.end_time").unwrap();
            (field.before.clone(), field.after.clone())
        };
        assert_eq!(ends(&told[1]), ("2026-08-01T00:00:00Z".to_owned(), "2026-06-29T00:00:00Z".to_owned()));
        assert_eq!(ends(&told[2]), (String::new(), "2026-08-01T00:00:00Z".to_owned()), "newest first");
    })
    .await;
}

#[tokio::test]
async fn a_disabled_code_is_enabled_and_one_without_uses_stays_exhausted_until_it_has_more() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        stage(&harness).await;
        let mut client = client(&harness);
        let ended = Voucher { disabled: true, uses: 1, max_uses: Some(1), ..item("CODE") };
        import(&mut client, vec![ended]).await;
        let enabled = update(&mut client, named("CODE"), &["disabled"]).await.unwrap();
        assert_eq!((enabled.disabled, enabled.state()), (false, VoucherState::Exhausted));
        let more = Voucher { max_uses: Some(3), ..named("CODE") };
        let more = update(&mut client, more, &["max_uses"]).await.unwrap();
        assert_eq!((more.max_uses, more.state()), (Some(3), VoucherState::Active));
        let free = Voucher { unlimited_uses: true, ..named("CODE") };
        let free = update(&mut client, free, &["unlimited_uses"]).await.unwrap();
        assert_eq!((free.max_uses, free.unlimited_uses), (None, true));
        let back = update(&mut client, named("CODE"), &["max_uses"]).await.unwrap();
        assert_eq!(back.max_uses, Some(1), "the incentive's");
        import(&mut client, vec![Voucher { max_uses: Some(5), uses: 3, ..item("USED") }]).await;
        let fewer = Voucher { max_uses: Some(2), ..named("USED") };
        let refused = update(&mut client, fewer, &["max_uses"]).await.unwrap_err();
        assert_eq!((refused.code(), &*reason(&refused)), (Code::FailedPrecondition, "USES_EXCEEDED"));
        let disabling = Voucher { disabled: true, ..named("CODE") };
        let refused = update(&mut client, disabling, &["disabled"]).await.unwrap_err();
        assert_eq!(fields(&refused), ["voucher.disabled"]);
    })
    .await;
}

#[tokio::test]
async fn a_code_moves_to_another_customer_or_back_to_nobody() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        stage(&harness).await;
        customers(&harness, &["bob"]).await;
        let sole =
            Incentive { discount: Some(percent(1)), one_code_per_customer: true, ..Incentive::default() };
        open(&harness, "sole", sole).await;
        let mut client = client(&harness);
        let of = |code: &str, incentive: &str, customer: &str, source: &str| Voucher {
            incentive: format!("incentives/{incentive}"),
            customer: format!("customers/{customer}"),
            source_id: source.to_owned(),
            assign_time: time("2026-01-01T00:00:00Z"),
            ..item(code)
        };
        let rows = vec![
            of("CODE", "ten-off", "ada", "order-1"),
            of("SECOND", "ten-off", "ada", "order-2"),
            of("HERS", "sole", "ada", ""),
            of("HIS1", "sole", "bob", ""),
        ];
        assert_eq!(import(&mut client, rows).await.created, 4);
        let to = |code: &str, customer: &str| Voucher { customer: customer.to_owned(), ..named(code) };
        let moved = update(&mut client, to("CODE", "customers/bob"), &["customer"]).await.unwrap();
        assert_eq!((&*moved.customer, &*moved.source_id), ("customers/bob", ""));
        assert_eq!(moved.assign_time, time("2026-07-01T12:00:00Z"));
        let again = Voucher { source_id: "order-2".to_owned(), ..to("CODE", "customers/ada") };
        let refused = update(&mut client, again, &["customer", "source_id"]).await.unwrap_err();
        assert_eq!((refused.code(), &*reason(&refused)), (Code::AlreadyExists, "SOURCE_ID_TAKEN"));
        let free = update(&mut client, to("CODE", ""), &["customer"]).await.unwrap();
        assert_eq!((&*free.customer, free.assign_time), ("", None));
        let refused = update(&mut client, to("CODE", "customers/nobody"), &["customer"]).await.unwrap_err();
        assert_eq!((refused.code(), &*reason(&refused)), (Code::NotFound, "CUSTOMER_NOT_FOUND"));
        let refused = update(&mut client, to("HIS1", "customers/ada"), &["customer"]).await.unwrap_err();
        assert_eq!(reason(&refused), "ONE_CODE_PER_CUSTOMER");
        update(&mut client, to("HERS", ""), &["customer"]).await.unwrap();
        update(&mut client, to("HIS1", "customers/ada"), &["customer"]).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_is_told_at_once_and_what_changes_nothing_leaves_no_trace() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        stage(&harness).await;
        let mut client = client(&harness);
        import(&mut client, vec![item("CODE"), card("CARD", 50, None)]).await;
        let wrong = Voucher {
            max_uses: Some(0),
            customer: "ada".to_owned(),
            labels: [(String::new(), String::new())].into(),
            uses: -1,
            ..named(" ")
        };
        let wrong = UpdateVoucherRequest {
            reason: String::new(),
            ..change(wrong, &["max_uses", "customer", "labels", "uses"], "")
        };
        let refused = client.update_voucher(wrong).await.unwrap_err();
        let told = [
            "update_mask",
            "reason",
            "voucher.name",
            "voucher.customer",
            "voucher.max_uses",
            "voucher.labels[]",
        ];
        assert_eq!(fields(&refused), told);
        let refused = client.update_voucher(change(named("NOBODYS"), &["labels"], "")).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
        let limited = Voucher { max_uses: Some(2), ..named("CARD") };
        let refused = update(&mut client, limited, &["max_uses"]).await.unwrap_err();
        assert_eq!(fields(&refused), ["voucher.max_uses"]);

        let before = get(&mut client, "CODE").await;
        let whole = UpdateVoucherRequest { update_mask: None, ..change(before.clone(), &[], "same") };
        let same = client.update_voucher(whole).await.unwrap().into_inner().voucher.unwrap();
        assert_eq!(same, before);
        assert!(changes(&mut client, "CODE", 0).await.is_empty());
        let labelled = Voucher { labels: [("a".to_owned(), "b".to_owned())].into(), ..before.clone() };
        let first = update(&mut client, labelled.clone(), &["labels"]).await.unwrap();
        assert_ne!(first.etag, before.etag);
        let late = Voucher { labels: [].into(), ..labelled };
        let refused = update(&mut client, late, &["labels"]).await.unwrap_err();
        assert_eq!((refused.code(), &*reason(&refused)), (Code::Aborted, "ETAG_MISMATCH"));

        let archive = ArchiveIncentiveRequest { name: "incentives/ten-off".to_owned(), ..Default::default() };
        IncentiveServiceClient::new(harness.channel()).archive_incentive(archive).await.unwrap();
        let refused = update(&mut client, named("CODE"), &["labels"]).await.unwrap_err();
        assert_eq!(reason(&refused), "INCENTIVE_ARCHIVED");
    })
    .await;
}

#[tokio::test]
async fn a_gift_card_is_topped_up_and_corrected_and_every_step_is_kept() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        stage(&harness).await;
        let mut client = client(&harness);
        import(&mut client, vec![card("CARD", 50, Some(10)), item("CODE")]).await;
        let up = adjust(&mut client, "CARD", 20, "up").await.unwrap();
        assert_eq!(
            (up.initial_balance, up.adjustments, up.balance.clone()),
            (Some(euros(50)), Some(euros(20)), Some(euros(30)))
        );
        let repeated = adjust(&mut client, "CARD", 20, "up").await.unwrap();
        assert_eq!(repeated.balance, up.balance, "the same call is done once");
        let down = adjust(&mut client, "card", -30, "down").await.unwrap();
        assert_eq!((down.state(), down.balance), (VoucherState::Exhausted, Some(euros(0))));
        for (code, units, why) in [
            ("CARD", -1, "BALANCE_OUT_OF_RANGE"),
            ("CARD", 10_000_000_000_000, "BALANCE_OUT_OF_RANGE"),
            ("CODE", 1, "NOT_A_GIFT_CARD"),
        ] {
            let refused = adjust(&mut client, code, units, &format!("{code}{units}")).await.unwrap_err();
            assert_eq!((refused.code(), &*reason(&refused)), (Code::FailedPrecondition, why));
        }
        let dollars = common::Money { currency_code: "USD".to_owned(), ..euros(1) };
        let refused = client.adjust_balance(adjustment("CARD", dollars, "usd")).await.unwrap_err();
        assert_eq!(reason(&refused), "CURRENCY_MISMATCH");
        let refused = client.adjust_balance(AdjustBalanceRequest::default()).await.unwrap_err();
        assert_eq!(fields(&refused), ["request_id", "name", "reason", "amount"]);

        let told = changes(&mut client, "CARD", 1).await;
        let amounts: Vec<_> = told.iter().map(|change| change.amount.clone().unwrap().units).collect();
        assert_eq!(amounts, [-30, 20]);
        assert!(told.iter().all(|change| change.reason == "a complaint" && change.principal == "anonymous"));
        let events = harness.events().await;
        let mut adjusted = events.iter().filter(|event| event.r#type.ends_with("BalanceAdjusted"));
        let last = adjusted.next_back().unwrap().payload.clone().unwrap();
        let last = BalanceAdjusted::decode(last.value.as_slice()).unwrap();
        assert_eq!((last.amount, &*last.reason), (Some(euros(-30)), "a complaint"));
        let audit = crate::testing::audit(&harness.app.db, &Call::system("default").tenant).await.unwrap();
        assert_eq!(audit.faults, Vec::<String>::new());
    })
    .await;
}
