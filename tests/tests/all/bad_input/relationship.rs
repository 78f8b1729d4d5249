//! relationship-svc.

mod changes;
mod checkout;
mod definitions;
mod interactions;
mod people;
mod settings;

use prost_types::FieldMask;
use tandem_proto::common::v1::{
    Basket, Date, Discount, Interval, Limits, Line, Money, PointsReward, Scope, discount::Kind,
};
use tandem_proto::relationship::v1::{
    ArchiveIncentiveRequest, CodeFormat, CreateCustomerRequest, CreateIncentiveRequest, CreateSegmentRequest,
    Customer, DeleteSegmentRequest, GenerateVouchersRequest, GetVoucherRequest, HoldVouchersRequest,
    Incentive, ListCustomersRequest, ListRedemptionsRequest, RedeemVouchersRequest, ReturnedLine,
    RollbackRedemptionRequest, Segment, SubscribeRequest, UpdateCustomerRequest, UpdateIncentiveRequest,
    UpdateSegmentRequest, Voucher,
};
use tandem_tests::answer::{Refusal, named};
use tandem_tests::database::{Database, Engine};
use tandem_tests::stage::{
    Relationship, amount, basket, eur, hold_quote, in_seconds, incentive, off, percent, redeem_held,
    redeem_plain, redeem_quote, roll_back, sealed, start_relationship,
};
use tonic::{Code, Response};

use super::token::{altered, foreign, forged, honest, lapsed, no_quote, redeem};
use super::{Asked, Table, invalid, platform, raw};

const DAY: i64 = 24 * 60 * 60;
const NO_SUCH: &[&str] = &["NO-SUCH"];

fn goods() -> Basket {
    basket(&[("1", 1, 10_000)])
}

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
}

fn voucher(code: &str, of: &str) -> Voucher {
    Voucher {
        code: code.to_owned(),
        incentive: format!("incentives/{of}"),
        max_uses: Some(1),
        ..Voucher::default()
    }
}

async fn set_stage(caller: &Relationship) {
    let customer = |id: &str| Customer {
        name: format!("customers/{id}"),
        country: "AT".to_owned(),
        ..Customer::default()
    };
    caller
        .make_customers(
            (0..5).map(|n| customer(&format!("n{n}"))).chain([customer("ada"), customer("bob")]).collect(),
        )
        .await;
    caller.segment("austria", r#"customer.country == "AT""#).await;
    caller.segment("nobody", r#"customer.country == "XX""#).await;
    caller.incentive("good", incentive(percent(100_000))).await;
    caller.incentive("euro", incentive(off(500))).await;
    caller
        .incentive("once", Incentive { unlimited_uses_per_code: false, ..incentive(percent(100_000)) })
        .await;
    let validity = |start: i64, end: i64| {
        Some(Interval { start_time: Some(in_seconds(start)), end_time: Some(in_seconds(end)) })
    };
    let dated = |start, end| Incentive { validity: validity(start, end), ..incentive(percent(100_000)) };
    caller.incentive("over", dated(-2 * DAY, -DAY)).await;
    caller.incentive("soon", dated(DAY, 2 * DAY)).await;
    let personal = Limits { max_uses_per_customer: Some(1), ..Limits::default() };
    caller.incentive("personal", Incentive { limits: Some(personal), ..incentive(percent(100_000)) }).await;
    let segments = vec!["segments/nobody".to_owned()];
    caller.incentive("exclusive", Incentive { segments, ..incentive(percent(100_000)) }).await;
    let minimum = Discount { minimum_spend: vec![eur(100_000)], ..percent(100_000) };
    caller.incentive("minimum", incentive(minimum)).await;
    caller.codes("good", &["GOOD", "GOOD-TOO"], 0).await;
    for (id, code) in [("euro", "EURO"), ("over", "OVER"), ("soon", "SOON"), ("personal", "PERSONAL")] {
        caller.codes(id, &[code], 0).await;
    }
    caller.codes("exclusive", &["EXCLUSIVE"], 0).await;
    caller.codes("minimum", &["MINIMUM"], 0).await;
    caller.codes("once", &["USED"], 1).await;
    let ended = Voucher { validity: validity(-2 * DAY, -DAY), ..voucher("ENDED", "good") };
    let early = Voucher { validity: validity(DAY, 2 * DAY), ..voucher("EARLY", "good") };
    let adas = Voucher { customer: "customers/ada".to_owned(), ..voucher("ADAS", "good") };
    caller.import(vec![ended, early, adas]).await;
    caller.send(&redeem_plain("used", goods(), &["USED"]).into()).await.expect("the only use");
}

async fn every_row(engine: Engine) {
    let database = Database::new(engine).await;
    let service = start_relationship(database.url(), &[]);
    let caller = Relationship::of(&service);
    set_stage(&caller).await;
    let mut table = Table::of(Asked::Relationship, database.url()).await;
    checkout::codes_that_cannot_be_used(&caller, &mut table).await;
    checkout::requests_that_are_wrong(&caller, &mut table).await;
    checkout::tokens_that_are_not_ours(&caller, &mut table).await;
    changes::codes_changed_by_hand(&caller, &mut table).await;
    people::consents_and_links(&caller, &mut table).await;
    definitions::rules_and_patterns(&caller, &mut table).await;
    definitions::masks_etags_pages_and_ids(&caller, &mut table).await;
    definitions::repeats_and_bytes(&caller, &mut table).await;
    interactions::calls_about_what_people_do(&caller, &mut table).await;
    settings::settings(&caller, &mut table).await;
    table.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_relationship_svc_refuses_it_refuses_precisely_and_changes_nothing_on_sqlite() {
    every_row(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_relationship_svc_refuses_it_refuses_precisely_and_changes_nothing_on_postgres() {
    every_row(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_codes_is_throttled_and_who_knows_one_is_not_taken_for_a_guesser() {
    let database = Database::new(Engine::Sqlite).await;
    let service = start_relationship(database.url(), &[("REDEMPTION__GUESSES_PER_MINUTE", "5")]);
    let caller = Relationship::of(&service);
    caller.incentive("good", incentive(percent(100_000))).await;
    caller.codes("good", &["GOOD"], 0).await;
    let mut vouchers = caller.vouchers.clone();
    for order in 0..20 {
        let known = redeem_quote(
            &format!("order-{order}"),
            &tandem_tests::stage::quoted("", "", &[("GOOD", "good", 100)]),
        );
        vouchers.redeem_vouchers(known).await.expect("a known code is no guess");
    }
    let mut told = Vec::new();
    let guess = |number: i32| RedeemVouchersRequest {
        client_id: "10.0.0.1".to_owned(),
        ..redeem_plain(&format!("guess-{number}"), goods(), &[&format!("GUESS-{number}")])
    };
    for number in 0..8 {
        told.push(named(&vouchers.redeem_vouchers(guess(number)).await.expect_err("there is no such code")));
    }
    assert_eq!(told[..5], ["FailedPrecondition CODE_UNKNOWN"; 5]);
    assert_eq!(told[5..], ["FailedPrecondition GUESSING_THROTTLED"; 3]);
    let refused = vouchers.redeem_vouchers(guess(9)).await.expect_err("throttled");
    let refusal = Refusal::of(&refused);
    assert!(refusal.retry);
    assert_eq!(refusal.preconditions, [("GUESS-9".to_owned(), "GUESSING_THROTTLED".to_owned())]);
    let known = redeem_plain("anybody", goods(), &["GOOD"]);
    vouchers.redeem_vouchers(known).await.expect("another one is not to blame");
}
