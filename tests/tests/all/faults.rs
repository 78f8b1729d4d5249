//! What is true when something breaks: processes that are killed, frozen or told to stop, and a database that goes away.

mod database;
mod full;
mod killed;
mod mix;
mod peer;
mod postgres;
mod sqlite;
mod stopped;

use tandem_proto::common::v1::Limits;
use tandem_proto::relationship::v1::Incentive;
use tandem_tests::stage::{Relationship, Request, eur, incentive, percent, quoted, redeem_quote, roll_back};

/// Callers at once.
const CALLERS: usize = 32;
/// Codes of the stage.
const CODES: [&str; 3] = ["LOAD-A", "LOAD-B", "LOAD-C"];

/// One incentive with every kind of limit, none of which is reached, and codes of it.
async fn set_stage(caller: &Relationship) {
    let limits = Limits {
        budgets: vec![eur(100_000_000)],
        max_uses: Some(1_000_000),
        max_uses_per_customer: Some(1_000_000),
        ..Limits::default()
    };
    caller.incentive("load", Incentive { limits: Some(limits), ..incentive(percent(100_000)) }).await;
    caller.codes("load", &CODES, 1_000_000).await;
}

/// What a caller sends at its n-th turn: orders, and every fourth turn the one before is taken back.
fn turn(caller: usize, turn: usize) -> Request {
    if turn % 4 == 3 {
        return roll_back(&format!("order-{caller}-{}", turn - 1)).into();
    }
    let (order, customer) = (format!("order-{caller}-{turn}"), format!("customers/person-{}", caller % 7));
    let code = CODES[(caller + turn) % CODES.len()];
    redeem_quote(&order, &quoted(&order, &customer, &[(code, "load", 100 + turn as i64 % 50)])).into()
}
