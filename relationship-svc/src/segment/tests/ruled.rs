//! Members by the stage, while other rules of stages have not reached every row.

use jiff::SignedDuration;
use tandem_kernel::money::{Currency, Money};
use tandem_platform::testing;
use tandem_proto::relationship::v1::{self, Settings};

use super::super::commands::search::{self, Wanted};
use super::open_customers;
use crate::MIGRATIONS;
use crate::interaction::{self, Details, Interaction, Kind};
use crate::relationship::{self, Who, days};
use crate::testing::{Harness, set};

/// After so many days without an order somebody is AT_RISK.
pub fn at_risk_after(days: i32) -> Settings {
    let stage_rules = v1::StageRules { at_risk_days: Some(days), ..v1::StageRules::default() };
    Settings { stage_rules: Some(stage_rules), ..Settings::default() }
}

/// A customer has ordered once, so many days ago.
pub async fn ordered(harness: &Harness, id: &str, ago: u32) {
    let order = Interaction {
        event_id: String::new(),
        kind: Kind::Order,
        at: harness.app.clock.now() - days(ago),
        who: Who::Customer(id.to_owned()),
        amount: Some(Money::new(100, Currency::new("EUR").unwrap())),
        order: Some(format!("{id}-{ago}")),
        rating: None,
        details: Details::default(),
        hash: [0; 32],
    };
    for outcome in interaction::commands::record(&harness.app, &harness.call, vec![order]).await.unwrap() {
        outcome.unwrap();
    }
}

/// Who is found, which is as many as are counted; and how much of the rule is left to Rust.
async fn found(harness: &Harness, wanted: &Wanted) -> (Vec<String>, usize) {
    let (app, call) = (&harness.app, &harness.call);
    let counted = search::count(app, call, wanted).await.unwrap().members;
    let (ids, next) = search::members(app, call, wanted, "").await.unwrap();
    assert_eq!((counted, next), (i64::try_from(ids.len()).unwrap(), None));
    (ids, search::explained(app, call, wanted).await.unwrap().kept.len())
}

#[tokio::test]
async fn members_by_the_stage_are_right_before_and_while_and_after_rows_follow_other_rules() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        open_customers(&harness, 3).await;
        ordered(&harness, "c0", 20).await;
        ordered(&harness, "c1", 0).await;
        let rule = "relationship.stage == 'AT_RISK' && customer.country == 'AT'";
        let wanted = search::unsaved(&harness.app, &harness.call, rule).await.unwrap();
        assert_eq!(found(&harness, &wanted).await, (vec![], 0));
        set(&harness, "default", at_risk_after(10)).await.unwrap();
        assert_eq!(found(&harness, &wanted).await, (vec!["c0".to_owned()], 1), "no row says so yet");
        relationship::tasks::sweep(&harness.app).await.unwrap();
        assert_eq!(found(&harness, &wanted).await, (vec!["c0".to_owned()], 1), "some rows may not");
        harness.clock.advance(SignedDuration::from_mins(3));
        relationship::tasks::sweep(&harness.app).await.unwrap();
        assert_eq!(found(&harness, &wanted).await, (vec!["c0".to_owned()], 0), "all rows say so");
    })
    .await;
}
