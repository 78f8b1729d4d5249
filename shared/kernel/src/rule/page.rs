//! The page of the rule language, written from what rules are judged by.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::functions::{FUNCTIONS, MACROS};
use super::vocabulary::{Field, Type, Vocabulary};
use super::{
    MAX_COST, MAX_DEPTH, MAX_FILTER_COST, MAX_LOOPS, MAX_PATTERN_BYTES, MAX_PATTERN_REPEAT, MAX_TEXT_BYTES,
    Use, asked,
};

const HEAD: &str = "# What a rule may say

Written from the code that judges rules: what stands here is what is accepted. A rule is an expression of CEL
([the language](https://cel.dev)) that is true or false. It is judged when it is saved: what is unknown, does not fit or
costs too much is refused with line and column. `tandem rules check 'EXPR' --for offer` judges one without saving it, and so
does the method `RuleService.CheckRule` of either service.

- Money is a whole number of minor units of the basket's currency: 50.00 EUR is `5000`, 50 JPY is `50`.
- **Monday is 1**, Sunday is 7. `now` is in the zone of the campaign, else of the tenant.
- A rule that reads what is not there (a key of a map) does not hold, whatever it says of it:
  `line.attributes.colour != 'red'` is false for a line without a colour. `has(line.attributes.colour)` asks for it.
- Texts are compared as they are: case counts. A text stands in `'…'` or `\"…\"`.
- Attributes of customers are texts, or what their tenant declares of them: a number, true or false, a day (`'2031-12-24'`), a
  list of texts. What is kept and is nothing of that kind is as if it were not there.

## Operators

`&&` `||` `!` `==` `!=` `<` `<=` `>` `>=` `+` `-` `*` `/` `%` `in` `test ? yes : no`, lists `['a', 'b']`, elements
`list[0]` and `map['key']`, fields `basket.amount`. Whole and decimal numbers are compared with each other, and not added.
";

/// The page of these uses.
pub fn page(uses: &[&Use]) -> String {
    let mut text = HEAD.to_owned();
    called(&mut text);
    text += "\n## Where rules stand, and what each may read\n\n| for | stands in | reads |\n|---|---|---|\n";
    for one in uses {
        let names: Vec<String> = (one.vocabulary)().names().map(|name| format!("`{name}`")).collect();
        line(&mut text, &format!("| `{}` | {} | {} |", one.name, one.stands, names.join(", ")));
    }
    text += "\nFilters of lists are rules too, over the resource that is listed; the contract says over which of its fields.\n";
    facts(&mut text, uses);
    examples(&mut text, uses);
    limits(&mut text);
    text
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

fn called(text: &mut String) {
    *text += "\n## Functions\n\n| function | what it gives | example |\n|---|---|---|\n";
    let functions = FUNCTIONS.iter().map(|one| (one.name, one.says, one.example));
    let mut all: Vec<_> =
        functions.chain(MACROS.iter().map(|one| (one.name, one.says, one.example))).collect();
    all.sort_unstable();
    for (name, says, example) in all {
        line(text, &format!("| `{name}` | {says} | `{example}` |"));
    }
}

/// Every object once, by name, whichever use reads it.
fn facts(text: &mut String, uses: &[&Use]) {
    *text += "\n## Facts\n\nA list or a map has at most so many elements; the cost of a rule is counted with lists that long.\n";
    let mut all = Vocabulary::new();
    for one in uses {
        all = all.and((one.vocabulary)().clone());
    }
    for name in all.names() {
        line(text, &format!("\n### `{name}`\n"));
        match all.get(name) {
            Some(Type::Object(fields)) => table(text, name, fields),
            Some(Type::Asked(parameters, gives)) => {
                line(text, &format!("{}.", asked::wants(name, parameters)));
                match &**gives {
                    Type::Object(fields) => {
                        line(text, "");
                        table(text, &format!("{name}(…)"), fields);
                    }
                    plain => line(text, &format!("It gives {}.", kind(plain))),
                }
            }
            plain => line(text, &format!("{}.", plain.map(kind).unwrap_or_default())),
        }
    }
}

fn table(text: &mut String, name: &str, fields: &BTreeMap<String, Field>) {
    line(text, "| fact | kind | |\n|---|---|---|");
    for (field, what) in fields {
        let (brackets, kind) = match &what.kind {
            Type::Asked(parameters, gives) => {
                let parameters: Vec<String> = parameters.iter().map(ToString::to_string).collect();
                ("(…)", format!("{}, by {}", self::kind(gives), parameters.join(" and ")))
            }
            plain => ("", self::kind(plain)),
        };
        line(text, &format!("| `{name}.{field}{brackets}` | {kind} | {} |", what.says));
    }
}

fn kind(of: &Type) -> String {
    match of {
        Type::List(element, size) => format!("list of up to {size}, each {element}"),
        Type::Map(value, size) => format!("map of up to {size} texts, each to {value}"),
        Type::Declared(_, size) => {
            format!("map of up to {size} texts, each to a text or to what is declared of it")
        }
        plain => plain.to_string(),
    }
}

fn examples(text: &mut String, uses: &[&Use]) {
    *text += "\n## Examples\n\n| for | rule | says |\n|---|---|---|\n";
    for one in uses {
        for (rule, says) in one.examples {
            line(text, &format!("| `{}` | `{}` | {says} |", one.name, rule.replace('|', "\\|")));
        }
    }
}

fn limits(text: &mut String) {
    *text += "\n## Limits\n\n";
    for limit in [
        format!("A rule has at most {MAX_TEXT_BYTES} bytes."),
        format!("At most {MAX_DEPTH} operations and {MAX_LOOPS} loops stand inside each other."),
        format!(
            "It takes at most {MAX_COST} steps, with every list as long as it may be; a filter {MAX_FILTER_COST}. A step is about one look at one value."
        ),
        format!(
            "A pattern of `matches` is written out, has at most {MAX_PATTERN_BYTES} bytes and repeats its parts at most {MAX_PATTERN_REPEAT} times."
        ),
    ] {
        line(text, &format!("- {limit}"));
    }
}
