//! Facts that are asked for by values written out.

use super::*;
use crate::rule::plan::{Kind, Stored, Term};

fn asking() -> Vocabulary {
    let orders = Type::facts([
        ("count", Type::Int, "how many"),
        ("amount", Type::asked([Parameter::Currency], Type::Int), "what they brought"),
    ]);
    Vocabulary::new()
        .with("orders", Type::asked([Parameter::Days(3_650)], orders))
        .with("last", Type::asked([Parameter::Word(&["VISIT", "ORDER"])], Type::Int))
        .with("consent", Type::asked([Parameter::Label(8), Parameter::Word(&["EMAIL"])], Type::Text))
        .with("relationship", Type::object([("amount", Type::asked([Parameter::Currency], Type::Int))]))
}

fn compiled(text: &str) -> Rule {
    Rule::compile(text, &asking()).unwrap()
}

fn refused(text: &str) -> String {
    Rule::compile(text, &asking()).unwrap_err().to_string()
}

#[test]
fn what_is_asked_for_is_one_name_whoever_provides_it() {
    let rule = compiled(
        "orders(90).count >= 2 && orders(365).amount('EUR') > orders( 90 ).amount(\"EUR\") && last('VISIT') < 7
         && consent('news', 'EMAIL') == 'GRANTED' && relationship.amount('JPY') > 0",
    );
    let read: Vec<String> = rule.reads().into_iter().collect();
    assert_eq!(
        read,
        [
            "consent('news', 'EMAIL')",
            "last('VISIT')",
            "orders(365).amount('EUR')",
            "orders(90).amount('EUR')",
            "orders(90).count",
            "relationship.amount('JPY')",
        ]
    );
    let facts = |count: i64| {
        Facts::new()
            .with("orders(90).count", count)
            .with("orders(90).amount('EUR')", 100)
            .with("orders(365).amount('EUR')", 200)
            .with("last('VISIT')", 3)
            .with("consent('news', 'EMAIL')", "GRANTED")
            .with("relationship.amount('JPY')", 1)
    };
    assert_eq!(rule.holds(&facts(2)), Ok(true));
    assert_eq!(rule.holds(&facts(1)), Ok(false));
    assert!(rule.holds(&Facts::new()).is_err(), "what nobody provides fails");
}

#[test]
fn a_store_knows_it_by_the_same_name() {
    let stored =
        |path: &str| (path == "orders(90).count").then_some(Stored { kind: Kind::Int(0, 1_000), sure: true });
    let plan = compiled("orders(90).count >= 2").plan(&stored);
    let [Term::Compare(_, _, two)] = plan.said.as_slice() else { panic!("{plan:?}") };
    assert_eq!(two[0], Term::Fact("orders(90).count".to_owned()));
    let plan = compiled("orders(90).count >= 2 &&\n  last('VISIT') < 3").plan(&stored);
    let [kept] = plan.kept.as_slice() else { panic!("{plan:?}") };
    assert_eq!((kept.at.line, kept.at.column), (2, 7), "where it asks");
    assert_eq!(kept.why, "`last('VISIT')` is not kept where it could be searched");
}

#[test]
fn what_is_asked_for_otherwise_is_refused_with_what_may_stand_there() {
    let days = "`orders` asks, written out in brackets, for days from 1 to 3650";
    for text in
        ["orders(0).count > 1", "orders(3651).count > 1", "orders('90').count > 1", "orders().count > 1"]
    {
        assert_eq!(refused(text), format!("line 1, column 7: {days}"), "{text}");
    }
    assert_eq!(refused("orders.count > 1"), format!("line 1, column 1: {days}"));
    assert_eq!(refused("orders(1 + 1).count > 1"), format!("line 1, column 7: {days}"));
    assert!(refused("last('VISITS') > 1").ends_with("for one of VISIT, ORDER"));
    assert!(refused("orders(9).amount('EURO') > 1").ends_with("for a currency, as 'EUR'"));
    assert!(
        refused("consent('A', 'EMAIL') == ''")
            .contains("at most 8 small letters, digits, `_` and `-`, a letter first, and for one of EMAIL")
    );
    assert!(refused("relationship.amount > 1").contains("`relationship.amount` asks"));
    assert!(refused("orders(9) == orders(9)").contains("can never be equal"));
    assert!(refused("has(orders(9).count)").ends_with("`count` is always known"));
    assert!(refused("nobody(9) > 1").contains("startsWith, string, consent, last, orders"));
}
