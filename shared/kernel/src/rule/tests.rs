mod asked;
mod declared;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::basket::{Basket, Line, TaxMode};
use crate::money::Currency;

fn line() -> Line {
    Line {
        id: "1".to_owned(),
        product: "album-7".to_owned(),
        quantity: 3,
        unit_price: 1_250,
        unit_cost: None,
        tax_rate_ppm: 0,
        categories: vec!["jazz".to_owned(), "vinyl".to_owned()],
        attributes: BTreeMap::from([("colour".to_owned(), "red".to_owned())]),
    }
}

fn basket() -> Basket {
    let mut second = line();
    second.id = "2".to_owned();
    second.product = "album-9".to_owned();
    second.categories = vec!["jazz".to_owned()];
    Basket {
        currency: eur(),
        lines: vec![line(), second],
        tax_mode: TaxMode::Inclusive,
        shipping: 0,
        amount_due: None,
        attributes: BTreeMap::from([("source".to_owned(), "app".to_owned())]),
    }
}

fn eur() -> Currency {
    Currency::new("EUR").unwrap()
}

fn everything() -> Vocabulary {
    line_vocabulary().and(basket_vocabulary()).and(place_vocabulary()).and(now_vocabulary()).with(
        "customer",
        Type::object([
            ("age", Type::Int),
            ("score", Type::Double),
            ("tags", Type::list(Type::Text, 100)),
            ("x", Type::Any),
        ]),
    )
}

fn refused(text: &str) -> RuleError {
    Rule::compile(text, &everything()).expect_err(text)
}

fn judged(text: &str) -> Result<bool, RuleError> {
    let (line, basket) = (line(), basket());
    let at = "2026-01-04T23:30:00Z".parse().unwrap();
    let place = PlaceView { id: "berlin-1", country: "DE", channel: "store" };
    let mut facts = offer_facts(&basket, place, at, &TimeZone::get("Europe/Berlin").unwrap());
    facts.set("line", line_fact(&line, basket.currency));
    facts.set(
        "customer",
        Fact::Object(vec![
            ("age", Fact::Int(41)),
            ("score", Fact::Double(0.5)),
            ("tags", Fact::List(vec![Fact::text("a"), Fact::text("b")])),
            ("x", Fact::Null),
        ]),
    );
    Rule::compile(text, &everything()).expect(text).holds(&facts)
}

#[test]
fn a_rule_reads_what_its_vocabulary_declares() {
    for text in [
        "line.product == 'album-7'",
        "line.quantity >= 3 && line.unit_price == 1250 && line.currency == \"EUR\"",
        "'jazz' in line.categories",
        "line.categories.exists(c, c.startsWith('vin'))",
        "line.categories.exists_one(c, c == 'jazz')",
        "line.categories.all(c, size(c) > 3)",
        "line.categories.filter(c, c == 'jazz').size() == 1",
        "line.categories.map(c, c + '!') == ['jazz!', 'vinyl!']",
        "line.attributes.colour == 'red' && line.attributes['colour'] == 'red'",
        "has(line.attributes.colour) && !has(line.attributes.size)",
        "line.product.matches('^album-[0-9]{1,3}$')",
        "line.product in ['album-6', 'album-7']",
        "basket.quantity == 6 && basket.lines == 2 && basket.amount == 7500",
        "basket.products == ['album-7', 'album-9'] && basket.categories == ['jazz', 'vinyl']",
        "basket.attributes['source'] == 'app'",
        "place.country in ['DE', 'AT'] && place.channel == 'store' && place.id.endsWith('-1')",
        "now.year == 2026 && now.month == 1 && now.day == 5 && now.weekday == 1 && now.hour == 0 && now.minute == 30",
        "customer.age > 40 && customer.score < 1.0 && customer.x == null",
        "basket.products.exists(p, line.categories.exists(c, p + c == 'album-9jazz'))",
        "line.quantity * line.unit_price + 1 > 3750 ? true : false",
        "int('12') == 12 && string(line.quantity) == '3' && -line.quantity < 0",
        "[].size() == 0 && !('x' in [])",
    ] {
        assert_eq!(judged(text), Ok(true), "{text}");
    }
}

#[test]
fn every_function_that_is_declared_is_judged_and_evaluated_as_its_example_says() {
    let called = super::functions::FUNCTIONS.iter().map(|one| (one.name, one.example));
    let called: Vec<_> =
        called.chain(super::functions::MACROS.iter().map(|one| (one.name, one.example))).collect();
    for (name, example) in &called {
        assert!(example.contains(name), "{name}: {example}");
        assert!(SCOPE.check(example).is_ok(), "{example}: {:?}", SCOPE.check(example));
        // The line has neither a weight nor a size.
        let lacks = example.contains("weight") || example.contains("size)");
        assert_eq!(matches!(judged(example), Err(RuleError::Evaluation(_))), lacks, "{example}");
    }
    assert_eq!(called.len(), super::functions::names().count());
}

#[test]
fn a_finding_has_the_place_apart_from_what_is_wrong() {
    let finding = SCOPE.check("true &&\n line.totl > 1").unwrap_err();
    assert_eq!((finding.line, finding.column), (2, 6));
    assert!(finding.message.starts_with("`line` has no field `totl`"), "{finding:?}");
    let whole = SCOPE.check("1 + 1").unwrap_err();
    assert_eq!((whole.line, whole.column), (0, 0));
    assert!(SCOPE.check("basket.amount > 1").is_err(), "a scope reads lines alone");
}

#[test]
fn a_syntax_error_says_where() {
    let RuleError::Syntax { at, message } = refused("line.quantity >\n  && true") else {
        panic!("not syntax")
    };
    assert_eq!(at.line, 2);
    assert!(!message.is_empty());
    assert!(matches!(refused("line.product == 'open"), RuleError::Syntax { .. }));
    assert!(matches!(refused("line.?product == 'a'"), RuleError::Syntax { .. }));
    assert_eq!(refused("  "), RuleError::Empty);
}

#[test]
fn unknown_names_and_fields_and_functions_are_refused_with_their_place() {
    let error = refused("line.quantity > 1 && baskets.amount > 1");
    assert!(
        matches!(&error, RuleError::UnknownName { at: Position { line: 1, column: 22 }, .. }),
        "{error:?}"
    );
    let error = refused("true &&\n basket.totl > 100");
    assert_eq!(
        error.to_string(),
        "line 2, column 8: `basket` has no field `totl`; it has amount, attributes, categories, currency, lines, \
         products, quantity"
    );
    assert!(matches!(refused("has(basket.totl)"), RuleError::UnknownField { .. }));
    assert!(matches!(refused("basket.amount.cents > 1"), RuleError::Mismatch { .. }));
    assert!(matches!(refused("duration('1s') == duration('1s')"), RuleError::UnknownFunction { .. }));
    assert!(matches!(refused("line.product.lowerAscii() == 'a'"), RuleError::UnknownFunction { .. }));
    assert!(matches!(
        refused("type(line.product) == string"),
        RuleError::UnknownFunction { .. } | RuleError::UnknownName { .. }
    ));
    assert!(matches!(refused("@result || true"), RuleError::Syntax { .. }));
    assert!(matches!(refused("line.categories.exists(c, d == 'x')"), RuleError::UnknownName { .. }));
    assert!(matches!(refused("line.categories.exists(c, true) && c == 'x'"), RuleError::UnknownName { .. }));
}

#[test]
fn a_place_in_the_text_counts_characters() {
    let error = refused("line.product == 'Grüße 😀' && totl");
    assert!(
        matches!(&error, RuleError::UnknownName { at: Position { line: 1, column: 30 }, .. }),
        "{error:?}"
    );
}

#[test]
fn what_cannot_be_true_or_false_is_refused() {
    for text in
        ["1 + 1", "line.product", "line", "[true]", "line.quantity", "true ? 1 : 2", "line.attributes.colour"]
    {
        assert!(matches!(refused(text), RuleError::NotBool(_)), "{text}");
    }
    for text in [
        "line.product == 3",
        "line.quantity > '3'",
        "line.quantity && true",
        "!line.quantity",
        "line.product + 1 == 'a'",
        "line.unit_price * 0.5 > 1.0",
        "'a' in line.product",
        "3 in line.categories",
        "line == line",
        "line['product'] == 'x'",
        "line.exists(f, f == 'x')",
        "{'a': 1}.a == 1",
        "line.categories['x'] == 'a'",
        "line.product.size(1) == 1",
        "contains('a', 'b')",
        "tandem.Line{} == 1",
    ] {
        assert!(
            matches!(refused(text), RuleError::Mismatch { .. } | RuleError::NotBool(_)),
            "{text}: {}",
            refused(text)
        );
    }
}

#[test]
fn a_rule_that_costs_too_much_is_refused() {
    let error = refused("basket.products.exists(a, basket.products.exists(b, a == b))");
    assert!(matches!(error, RuleError::TooCostly { cost, .. } if cost > 2_000_000));
    assert!(error.to_string().contains("250000"), "{error}");
    assert!(matches!(refused("basket.products.all(a, a in basket.categories)"), RuleError::TooCostly { .. }));
    assert!(matches!(
        refused(
            "line.categories.exists(a, line.categories.exists(b, line.categories.exists(c, a + b == c)))"
        ),
        RuleError::TooDeep { .. }
    ));
    assert!(matches!(
        refused("basket.products.exists(p, p.matches('^a{1,60}$'))"),
        RuleError::TooCostly { .. }
    ));
    assert!(Rule::compile("basket.products.exists(p, p == 'a')", &everything()).unwrap().cost() < 10_000);
    let copies = format!("basket.categories.map(c, '{}').size() > 0", "a".repeat(4_000));
    assert!(matches!(refused(&copies), RuleError::TooCostly { .. }), "64 MB of text in each evaluation");
    assert!(Rule::compile("basket.categories.exists(c, c.startsWith('a'))", &everything()).is_ok());
    assert_eq!(
        refused(&format!("line.product == '{}'", "a".repeat(MAX_TEXT_BYTES))),
        RuleError::TooLong(4_114)
    );
}

#[test]
fn a_pattern_is_written_out_short_and_sound() {
    for text in [
        "line.product.matches(line.currency)",
        "line.product.matches('a' + 'b')",
        "line.product.matches('(')",
        "line.product.matches('a{9}{9}')",
        r"line.product.matches('\\pL+')",
        "line.product.matches('((a{1,1000}){1,1000}){1,1000}')",
    ] {
        assert!(matches!(refused(text), RuleError::BadPattern { .. }), "{text}");
    }
    let long = format!("line.product.matches('{}')", "a".repeat(MAX_PATTERN_BYTES + 1));
    assert!(matches!(refused(&long), RuleError::BadPattern { .. }));
}

#[test]
fn classes_of_a_pattern_speak_of_ascii_as_re2_has_it() {
    let holds = |text: &str, pattern: &str| {
        let rule = format!("text.matches(r'{pattern}')");
        let rule = Rule::compile(&rule, &Vocabulary::new().with("text", Type::Text)).expect(pattern);
        rule.holds(&Facts::new().with("text", Fact::Text(text.to_owned().into()))).unwrap()
    };
    for (text, pattern) in [
        ("a1_", r"^\w\d\w$"),
        ("a b", r"^\S\s\S$"),
        ("x-", r"^[\w]\W$"),
        ("7x", r"^[\d]\D$"),
        ("7-x", r"^[\d\-x]+$"),
        ("ab cd", r"\bcd\b"),
        (r"a\d", r"^a\\d$"),
        ("Grüße", "^Gr.ße$"),
    ] {
        assert!(holds(text, pattern), "{text} {pattern}");
    }
    assert!(!holds("ä", r"\w") && !holds("٣", r"\d") && !holds("\u{a0}", r"\s"));
    assert!(holds("ä", r"^\W$"));
}

#[test]
fn a_rule_that_fails_on_the_data_does_not_hold_and_says_so() {
    for text in [
        "line.attributes.size == 'XL'",
        "line.attributes.size != 'XL'",
        "!(line.attributes.size == 'XL')",
        "line.categories[7] == 'jazz'",
        "line.quantity / 0 == 1",
        "9223372036854775807 + line.quantity > 0",
        "customer.x > 3",
    ] {
        assert!(matches!(judged(text), Err(RuleError::Evaluation(_))), "{text}");
    }
    assert_eq!(judged("false && line.attributes.size == 'XL'"), Ok(false));
    assert_eq!(judged("line.attributes.size == 'XL' && false"), Ok(false));
    assert_eq!(judged("line.attributes.size == 'XL' || true"), Ok(true));
    let (line, rule) = (line(), Rule::compile("line.attributes.size == 'XL'", &line_vocabulary()).unwrap());
    assert!(!rule.matches(&line_facts(&line, eur())));
}

#[test]
fn facts_of_one_thing_stand_on_shared_facts() {
    let basket = basket();
    let shared = Facts::new().with("basket", basket_fact(&basket));
    let rule = Rule::compile("basket.quantity == 6 && line.quantity == 3", &everything()).unwrap();
    for line in &basket.lines {
        assert!(rule.matches(&shared.within().with("line", line_fact(line, basket.currency))));
    }
    assert!(matches!(rule.holds(&shared), Err(RuleError::Evaluation(_))), "`line` is not set outside");
}

#[test]
fn a_filter_shows_what_matches_and_an_empty_one_everything() {
    let vocabulary = Vocabulary::new().with("state", Type::Text).with("labels", Type::map(Type::Text, 32));
    let facts = Facts::new().with("state", "RUNNING").with("labels", Fact::Map(Vec::new()));
    assert!(Filter::parse(" ", &vocabulary).unwrap().shows(&facts));
    assert!(Filter::parse("", &vocabulary).unwrap().is_everything());
    assert!(Filter::parse("state == 'RUNNING'", &vocabulary).unwrap().shows(&facts));
    assert!(!Filter::parse("state != 'RUNNING'", &vocabulary).unwrap().shows(&facts));
    assert!(!Filter::parse("labels.season == 'spring'", &vocabulary).unwrap().shows(&facts));
    assert!(Filter::parse("stat == 'RUNNING'", &vocabulary).is_err());
}

#[test]
fn chains_and_nests_of_any_length_are_judged_without_exhausting_the_stack() {
    for text in [
        format!("{}true", "true && ".repeat(500)),
        format!("{}true", "false || ".repeat(450)),
        format!("line.product in [{}'b']", "'a',".repeat(900)),
    ] {
        assert!(Rule::compile(&text, &everything()).is_ok(), "{}", &text[..20]);
    }
    for text in [
        format!("{}1 == 1", "1+".repeat(2_000)),
        format!("{}true", "!".repeat(4_000)),
        format!("{}true", "! ".repeat(2_000)),
        format!("{}1 > 0", "-".repeat(4_000)),
        format!("{}1{} > 0", "(".repeat(2_000), ")".repeat(2_000)),
        format!("{}1{} > 0", "[".repeat(2_000), "]".repeat(2_000)),
        "(".repeat(4_000),
        "[{(".repeat(1_300),
        format!("line{} == 1", ".a".repeat(2_000)),
        format!("line{} == 1", "[0]".repeat(1_300)),
        format!("line{} == 1", ".a()".repeat(1_000)),
        format!("{}true", "true ? true : ".repeat(280)),
        format!("{}true", "1 == 1 == ".repeat(400)),
        "size(".repeat(800),
        format!("{}true{}", "[1].all(x,".repeat(300), ")".repeat(300)),
        "'".repeat(4_000),
        "\"\"\"((((((((((((((((((((((((((((((((((((\"\"\"".to_owned(),
    ] {
        // `!` and `-` collapse in pairs, so some of these are rules; none may crash or run away.
        let _ = Rule::compile(&text, &everything());
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_judgement_panic(text in "\\PC{0,60}") {
        let _ = Rule::compile(&text, &everything());
    }

    #[test]
    fn what_is_accepted_evaluates_without_panic(parts in proptest::collection::vec(prop_oneof![
        Just("line.quantity"), Just("line.product"), Just("line.categories"), Just("line.attributes"), Just("customer.x"),
        Just("=="), Just("<"), Just("&&"), Just("||"), Just("!"), Just("in"), Just("+"), Just("'a'"), Just("1"), Just("("), Just(")"),
        Just("["), Just("]"), Just(".exists(x,"), Just("size("), Just("has("), Just(".a"), Just("?"), Just(":"), Just("true"), Just("x"),
    ], 1..12)) {
        let text = parts.join(" ");
        if let Ok(rule) = Rule::compile(&text, &everything()) {
            let (line, facts) = (line(), Facts::new());
            let facts = facts.with("line", line_fact(&line, eur())).with("customer", Fact::Object(vec![("x", Fact::Null)]));
            let _ = rule.holds(&facts);
        }
    }
}

#[test]
fn words_that_look_the_same_are_the_same_to_a_rule() {
    let vocabulary = Vocabulary::new()
        .with("tags", Type::list(Type::Text, 10))
        .with("attributes", Type::map(Type::Text, 10))
        .with("name", Type::Text);
    let (whole, apart) = ("Café", "Cafe\u{301}");
    for (stored, said) in [(whole, apart), (apart, whole), (apart, apart)] {
        let attributes = BTreeMap::from([(stored.to_owned(), stored.to_owned())]);
        let facts = Facts::new()
            .with("tags", Fact::texts([&stored]))
            .with("attributes", Fact::text_map(&attributes))
            .with("name", stored.to_owned());
        let text = format!("'{said}' in tags && attributes['{said}'] == '{said}' && name == '{said}'");
        assert!(Rule::compile(&text, &vocabulary).unwrap().matches(&facts), "{stored:?} {said:?}");
        assert!(Filter::parse(&text, &vocabulary).unwrap().shows(&facts), "{stored:?} {said:?}");
    }
}
