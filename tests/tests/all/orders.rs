//! One call does what both services must do, whatever crashes in between.

mod away;
mod cut;
mod killed;
mod load;
mod model;
mod own;
mod races;
mod refunds;
mod segments;
mod values;

use sqlx::{Connection, PgConnection};
use tandem_proto::campaign::v1::{CommitOrderRequest, OrderState};
use tandem_proto::common::v1::{Limits, QuoteClaims};
use tandem_proto::relationship::v1::DisableVoucherRequest;
use tandem_tests::answer::Refusal;
use tandem_tests::database::Engine;
use tandem_tests::stage::in_seconds;
use tandem_tests::stage::orders::{CODE_OFF, OFF, OFFER, Shop, Step, cancel, take_back};

/// So many uses.
fn uses(max_uses: i64) -> Limits {
    Limits { max_uses: Some(max_uses), ..Limits::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_with_codes_is_held_committed_returned_and_cancelled_on_both_sides() {
    for engine in Engine::BOTH {
        let shop = Shop::open(engine, uses(1)).await;
        shop.codes(&["CODE-A", "CODE-B"], 1).await;
        let orders = shop.orders(0);

        let held = orders.send(&shop.hold("o1", &["CODE-A", "CODE-B"])).await.expect("held");
        assert_eq!(held.state(), OrderState::Held);
        let other = orders.send(&shop.commit("o2", &["CODE-A"])).await.expect_err("the last use is held");
        assert_eq!(Refusal::of(&other).reason, "OFFER_EXHAUSTED");

        let commit = shop.commit("o1", &["CODE-A", "CODE-B"]);
        let committed = orders.send(&commit).await.expect("committed");
        assert_eq!(committed.state(), OrderState::Committed);
        assert_eq!(committed, orders.send(&commit).await.expect("the same"));
        assert_eq!(shop.books().await.counted(OFFER), (1, OFF));

        let returned = orders.send(&take_back("o1", "r1", 1)).await.expect("returned");
        assert_eq!(returned.state(), OrderState::PartiallyReturned);
        let books = shop.books().await;
        let back: i64 = books.ledger.of_order("o1").iter().map(|one| one.returned).sum();
        assert_eq!((books.counted(OFFER), back), ((1, OFF - 167), 2 * CODE_OFF / 3));

        let cancelled = orders.send(&cancel("o1")).await.expect("cancelled");
        assert_eq!(cancelled.state(), OrderState::Cancelled);
        let books = shop.books().await;
        assert_eq!((books.counted(OFFER), books.ledger.voucher("CODE-A").uses), ((0, 0), 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_relationship_svc_refuses_is_counted_nowhere_and_said_as_it_said_it() {
    for engine in Engine::BOTH {
        let shop = Shop::open(engine, uses(1)).await;
        shop.codes(&["CODE-A"], 1).await;
        let orders = shop.orders(0);
        let refused =
            orders.send(&shop.commit("o1", &["CODE-A", "GONE"])).await.expect_err("there is no such code");
        assert_eq!(Refusal::of(&refused).reason, "CODE_UNKNOWN");
        let books = shop.books().await;
        assert_eq!((books.orders["o1"].state.as_str(), books.counted(OFFER)), ("REFUSED", (0, 0)));
        let again = orders.send(&shop.commit("o1", &["CODE-A"])).await;
        // Another body under the same request_id; a refusal leaves the id free.
        assert_eq!(again.expect("committed").state(), OrderState::Committed);
        assert_eq!(shop.books().await.counted(OFFER), (1, OFF));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_of_a_code_goes_from_the_old_order_to_the_one_that_replaces_it() {
    for engine in Engine::BOTH {
        let shop = Shop::open(engine, uses(1)).await;
        shop.codes(&["CODE-A"], 1).await;
        let orders = shop.orders(0);
        orders.send(&shop.commit("old", &["CODE-A"])).await.expect("committed");
        let refused = orders.send(&shop.replace("bad", "old", &["GONE"])).await.expect_err("no such code");
        assert_eq!(Refusal::of(&refused).reason, "CODE_UNKNOWN");
        assert_eq!(shop.books().await.orders["old"].state, "COMMITTED");
        let new = orders.send(&shop.replace("new", "old", &["CODE-A"])).await.expect("replaced");
        assert_eq!(new.state(), OrderState::Committed);
        let books = shop.books().await;
        assert_eq!(books.orders["old"].state, "CANCELLED");
        assert_eq!((books.counted(OFFER), books.ledger.voucher("CODE-A").uses), ((1, OFF), 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn books_that_do_not_agree_are_found_by_these_tests() {
    let shop = Shop::open(Engine::Postgres, uses(9)).await;
    shop.codes(&["CODE-A"], 9).await;
    shop.orders(0).send(&shop.commit("o1", &["CODE-A"])).await.expect("committed");
    let (campaign, relationship) = (shop.campaign_database.url(), shop.relationship_database.url());
    for (url, harm, mend) in [
        (
            campaign,
            "UPDATE counter SET used = used + 1 WHERE kind = 1",
            "UPDATE counter SET used = used - 1 WHERE kind = 1",
        ),
        (
            campaign,
            "UPDATE counter SET used = used - 1 WHERE kind = 2",
            "UPDATE counter SET used = used + 1 WHERE kind = 2",
        ),
        (
            campaign,
            "UPDATE sales_order SET state = 'CANCELLED'",
            "UPDATE sales_order SET state = 'COMMITTED'",
        ),
        (campaign, "UPDATE sales_order SET id = 'o2'", "UPDATE sales_order SET id = 'o1'"),
        (relationship, "UPDATE redemption SET state = 'HELD'", "UPDATE redemption SET state = 'REDEEMED'"),
        (
            relationship,
            "UPDATE redemption SET amount = amount + 1",
            "UPDATE redemption SET amount = amount - 1",
        ),
    ] {
        let mut outside = PgConnection::connect(url).await.expect("the server answers");
        sqlx::raw_sql(harm).execute(&mut outside).await.expect("harm");
        assert!(!shop.read().await.wrong().is_empty(), "{harm}");
        sqlx::raw_sql(mend).execute(&mut outside).await.expect("mended");
        shop.books().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_since_the_quote_is_refused_precisely_and_counts_nowhere() {
    for engine in Engine::BOTH {
        let shop = Shop::open(engine, uses(1)).await;
        shop.codes(&["CODE-A"], 1).await;
        let (orders, quotes) = (shop.orders(0), shop.quotes());
        let disable = DisableVoucherRequest { name: "vouchers/CODE-A".to_owned(), request_id: String::new() };
        shop.relationship(0).vouchers.clone().disable_voucher(disable).await.expect("disabled");
        let lapsed =
            quotes.seal(&QuoteClaims { expire_time: Some(in_seconds(-1)), ..quotes.claims("", &[]) });
        let of_another = quotes.seal(&QuoteClaims { order_id: "o9".to_owned(), ..quotes.claims("", &[]) });
        let foreign = quotes.seal(&QuoteClaims { tenant: "other".to_owned(), ..quotes.claims("", &[]) });
        let disabled = quotes.seal(&quotes.claims("", &["CODE-A"]));
        for (number, (quote_token, expected)) in [
            (disabled, "CODE_DISABLED"),
            (lapsed, "PRICE_CHANGED"),
            (of_another, "QUOTE_TOKEN_MISMATCH"),
            (foreign, "QUOTE_TOKEN_MISMATCH"),
        ]
        .into_iter()
        .enumerate()
        {
            let step = Step::Commit(CommitOrderRequest {
                order_id: format!("o{number}"),
                quote_token,
                request_id: format!("r{number}"),
                replaces: String::new(),
            });
            let refused = orders.send(&step).await.expect_err(expected);
            assert_eq!(Refusal::of(&refused).reason, expected);
            assert_eq!(shop.books().await.counted(OFFER), (0, 0), "{expected}");
        }
        // The use runs out between the quote and the commit.
        let late = shop.commit("late", &[]);
        orders.send(&shop.commit("first", &[])).await.expect("the only use");
        let refused = orders.send(&late).await.expect_err("spent");
        assert_eq!(Refusal::of(&refused).reason, "OFFER_EXHAUSTED");
        assert_eq!(shop.books().await.counted(OFFER), (1, OFF));
    }
}
