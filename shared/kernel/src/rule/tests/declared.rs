//! What is declared of the texts of a map: how they are kept, what a rule reads, and rules in other words.

use std::collections::BTreeMap;

use crate::rule::plan::{Kind, Plan, Quantity, Stored, Term};
use crate::rule::{Fact, Facts, Reading, Rule, RuleError, Type, Vocabulary};

fn people() -> Vocabulary {
    let person = Type::object([
        ("name", Type::Text),
        ("age", Type::Int),
        ("tags", Type::list(Type::Text, 10)),
        ("attributes", Type::Declared(BTreeMap::new(), 10)),
    ]);
    let declared = [
        ("size", Reading::Number),
        ("club", Reading::Truth),
        ("joined", Reading::Date),
        ("likes", Reading::Texts),
        ("note", Reading::Text),
    ];
    let declared = declared.map(|(key, reading)| (key.to_owned(), reading)).into();
    Vocabulary::new().with("person", person).declaring("person", "attributes", declared)
}

fn judged(text: &str, attributes: &[(&str, &str)]) -> Result<bool, RuleError> {
    let attributes: BTreeMap<String, String> =
        attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let person = Fact::Object(vec![
        ("name", Fact::text("Ada")),
        ("age", Fact::Int(36)),
        ("tags", Fact::texts(&["a", "b"])),
        ("attributes", Fact::text_map(&attributes)),
    ]);
    Rule::compile(text, &people()).expect(text).holds(&Facts::new().with("person", person))
}

#[test]
fn a_value_is_kept_in_one_form() {
    for (reading, sent, kept) in [
        (Reading::Number, " +042.50 ", "42.5"),
        (Reading::Number, "-0.0", "0"),
        (Reading::Number, "-0.25", "-0.25"),
        (Reading::Number, "123456789012345", "123456789012345"),
        (Reading::Number, "000000000000000000001", "1"),
        (Reading::Truth, "TRUE", "true"),
        (Reading::Date, " 2028-02-29", "2028-02-29"),
        (Reading::Texts, "rock\n jazz\n\nrock", "jazz\nrock"),
        (Reading::Texts, "Cafe\u{301}", "Café"),
        (Reading::Texts, "", ""),
        (Reading::Text, " as it is ", " as it is "),
    ] {
        assert_eq!(reading.canonical(sent).as_deref(), Ok(kept), "{reading:?} {sent:?}");
    }
    for (reading, sent) in [
        (Reading::Number, ""),
        (Reading::Number, "1e5"),
        (Reading::Number, "1,5"),
        (Reading::Number, ".5"),
        (Reading::Number, "5."),
        (Reading::Number, "--5"),
        (Reading::Number, "1.2.3"),
        (Reading::Number, "NaN"),
        (Reading::Number, "1234567890123456"),
        (Reading::Number, "0.000000000000001"),
        (Reading::Truth, "yes"),
        (Reading::Date, "2027-02-29"),
        (Reading::Date, "2027-2-9"),
        (Reading::Date, "20270209"),
        (Reading::Texts, "a\tb"),
    ] {
        assert!(reading.canonical(sent).is_err(), "{reading:?} {sent:?}");
    }
}

#[test]
fn a_rule_reads_a_declared_text_as_what_it_is() {
    let known = [
        ("size", "42.5"),
        ("club", "true"),
        ("joined", "2031-05-01"),
        ("likes", "jazz\nrock"),
        ("note", "7"),
    ];
    for (text, wanted) in [
        ("person.attributes.size > 42 && person.attributes.size == 42.5", true),
        ("person.attributes['size'] + 0.5 == 43.0", true),
        ("person.attributes.club && !(person.attributes.club == false)", true),
        ("person.attributes.joined >= '2031-04-30'", true),
        ("'jazz' in person.attributes.likes && size(person.attributes.likes) == 2", true),
        ("person.attributes.likes.exists(l, l.startsWith('ro'))", true),
        ("person.attributes.note == '7'", true),
        ("has(person.attributes.size) && !has(person.attributes.nothing)", true),
        ("person.attributes.exists(k, person.attributes[k] == '42.5')", true),
    ] {
        assert_eq!(judged(text, &known), Ok(wanted), "{text}");
    }
    for wrong in [("size", "tall"), ("club", "yes"), ("joined", "soon")] {
        let rule = format!("person.attributes.{} == person.attributes.{}", wrong.0, wrong.0);
        assert!(matches!(judged(&rule, &[wrong]), Err(RuleError::Evaluation(_))), "{rule}");
    }
    assert!(matches!(judged("person.attributes.size > 1", &[]), Err(RuleError::Evaluation(_))));
    assert_eq!(judged("size(person.attributes.likes) == 0", &[("likes", "")]), Ok(true));
}

#[test]
fn what_is_read_as_something_that_is_not_declared_is_refused_by_name_and_place() {
    let refused = |text: &str| Rule::compile(text, &people()).expect_err(text).to_string();
    assert_eq!(
        refused("person.age > 1 &&\n person.attributes.weight >= 18"),
        "line 2, column 27: a text and a whole number have no order; `person.attributes.weight` is a text, since no \
         attribute `weight` is declared"
    );
    assert!(refused("'x' in person.attributes.weight").ends_with("no attribute `weight` is declared"));
    assert!(refused("person.attributes.weight && true").ends_with("no attribute `weight` is declared"));
    assert_eq!(
        refused("person.attributes.size == '42'"),
        "line 1, column 24: a decimal number and a text can never be equal"
    );
}

fn planned(text: &str) -> Plan {
    let stored = |path: &str| {
        let (kind, sure) = match path {
            "person.name" => (Kind::Text, true),
            "person.age" => (Kind::Int(0, 200), true),
            "person.days" => (Kind::Int(0, 366), false),
            "person.tags" => (Kind::Texts, true),
            "person.attributes" => (Kind::Map, true),
            _ => return None,
        };
        Some(Stored { kind, sure })
    };
    Rule::compile(text, &people()).expect(text).plan(&stored)
}

#[test]
fn conditions_are_said_one_by_one_and_the_rest_is_kept_with_its_place_and_why() {
    let plan =
        planned("person.age > 30 && person.name.matches('^A') &&\n (person.age < 40 || person.name == 'x')");
    assert_eq!(plan.said.len(), 2);
    assert!(matches!(&plan.said[1], Term::Any(two) if two.len() == 2));
    let [kept] = &plan.kept[..] else { panic!("{:?}", plan.kept) };
    assert_eq!((kept.at.line, kept.why.as_str()), (1, "patterns are read by one engine alone"));
}

#[test]
fn whole_numbers_are_reckoned_only_where_they_cannot_overflow() {
    assert!(planned("person.age * 1000 + 7 > 100").kept.is_empty());
    assert!(
        planned("person.age / (person.age - 36) == 0").kept.is_empty(),
        "by zero it fails, which can be said"
    );
    let plan = planned("person.age * 9223372036854775807 > 100");
    assert_eq!(plan.kept[0].why, "this may pass the largest whole number");
    assert_eq!(planned("person.attributes.size * 2.0 > 1.0").kept.len(), 1);
}

#[test]
fn loops_know_their_kind_and_lists_are_no_values() {
    let of = |text: &str| match planned(text).said.pop() {
        Some(Term::Loop(quantity, ..)) => Some(quantity),
        Some(Term::Compare(_, _, two)) => match &two[0] {
            Term::Loop(quantity, ..) => Some(*quantity),
            _ => None,
        },
        _ => None,
    };
    assert_eq!(of("person.tags.exists(t, t == 'a')"), Some(Quantity::Some));
    assert_eq!(of("person.tags.all(t, t == 'a')"), Some(Quantity::Every));
    assert_eq!(of("person.tags.exists_one(t, t == 'a')"), Some(Quantity::One));
    assert_eq!(of("person.tags.filter(t, t == 'a').size() > 1"), Some(Quantity::Count));
    for kept in [
        "person.tags == ['a']",
        "'a!' in person.tags.map(t, t + '!')",
        "size(person.tags.map(t, t)) > 1",
        "person.tags[0] == 'a'",
        "person.attributes.likes.exists(l, l == 'a')",
        "int(person.attributes.note) > 1",
        "person.name == 'a\\u0000'",
    ] {
        assert_eq!(planned(kept).kept.len(), 1, "{kept}: {:?}", planned(kept).said);
    }
}
