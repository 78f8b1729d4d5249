//! `tandem rules`: what a rule may say, and what is wrong with one.

use clap::{Args, Subcommand, ValueEnum};
use tandem_kernel::rule::{self, Use};
use tandem_proto::campaign::v1 as campaign;
use tandem_proto::common::v1::RuleFinding;
use tandem_proto::relationship::v1 as relationship;

use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};

/// What to do with rules.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge a rule without saving it; what is wrong is told with its place.
    Check(Check),
}

/// Arguments of `tandem rules check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem rules check 'basket.amount >= 5000' --for offer
  tandem rules check '\"vip\" in customer.tags' --for segment")]
pub struct Check {
    /// The rule, in CEL.
    rule: String,
    /// What it is for, and so what it may read.
    #[arg(long = "for", value_enum)]
    what: What,
}

/// What a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Whether an offer of a campaign applies.
    Offer,
    /// When a price rule of a campaign holds.
    PriceRule,
    /// Which goods a discount or a price rule is about.
    Scope,
    /// Whether codes of an incentive can be used.
    Incentive,
    /// Who belongs to a segment.
    Segment,
}

impl Command {
    /// Whether relationship-svc is asked.
    pub fn is_of_relationship(&self) -> bool {
        let Self::Check(Check { what, .. }) = self;
        matches!(what, What::Incentive | What::Segment)
    }
}

/// What rules may say: facts, functions, examples, limits.
pub fn page() -> String {
    rule::page(&uses())
}

/// Every use of both services, each once.
fn uses() -> Vec<&'static Use> {
    let mut uses: Vec<&Use> = Vec::new();
    for one in campaign_svc::rule::USES.iter().chain(&relationship_svc::rule::USES) {
        if uses.iter().all(|known| known.name != one.name) {
            uses.push(one);
        }
    }
    uses
}

/// Runs one of them.
pub async fn run(command: Command, target: &Target, format: Format) -> Result<(), Failure> {
    let Command::Check(arguments) = command;
    check(arguments, target, format).await
}

async fn check(arguments: Check, target: &Target, format: Format) -> Result<(), Failure> {
    let Check { rule, what } = arguments;
    let of_campaign = |wanted: campaign::RuleUse| (Some(wanted), None);
    let of_relationship = |wanted: relationship::RuleUse| (None, Some(wanted));
    let asked = match what {
        What::Offer => of_campaign(campaign::RuleUse::Offer),
        What::PriceRule => of_campaign(campaign::RuleUse::PriceRule),
        What::Scope => of_campaign(campaign::RuleUse::Scope),
        What::Incentive => of_relationship(relationship::RuleUse::Incentive),
        What::Segment => of_relationship(relationship::RuleUse::Segment),
    };
    let text = rule.clone();
    let (findings, cost, max_cost, json) = match asked {
        (Some(wanted), _) => {
            let request = campaign::CheckRuleRequest { rule: text, r#use: wanted.into() };
            let answer = target.campaign_rules().await?.check_rule(request).await?.into_inner();
            let json = output::json("tandem.campaign.v1.CheckRuleResponse", &answer)?;
            (answer.findings, answer.cost, answer.max_cost, json)
        }
        (None, wanted) => {
            let request =
                relationship::CheckRuleRequest { rule: text, r#use: wanted.unwrap_or_default().into() };
            let answer = target.relationship_rules().await?.check_rule(request).await?.into_inner();
            let json = output::json("tandem.relationship.v1.CheckRuleResponse", &answer)?;
            (answer.findings, answer.cost, answer.max_cost, json)
        }
    };
    match format {
        Format::Json => println!("{json}"),
        Format::Table if findings.is_empty() => println!("right; at most {cost} steps of {max_cost}"),
        Format::Table => findings.iter().for_each(|finding| print!("{}", shown(&rule, finding))),
    }
    if findings.is_empty() { Ok(()) } else { Err(Failure::said("the rule would not be saved")) }
}

/// The finding with the line of the rule and a mark below its place.
pub fn shown(rule: &str, finding: &RuleFinding) -> String {
    let RuleFinding { line, column, message } = finding;
    let (Ok(at), Ok(before)) = (usize::try_from(line - 1), usize::try_from(column - 1)) else {
        return format!("{message}\n");
    };
    let text = rule.lines().nth(at).unwrap_or_default();
    // Tabs are as wide below as above.
    let indent: String =
        text.chars().take(before).map(|letter| if letter == '\t' { '\t' } else { ' ' }).collect();
    format!("line {line}, column {column}: {message}\n  {text}\n  {indent}^\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_a_rule_of_its_use() {
        for one in uses() {
            assert!(!one.examples.is_empty(), "{} has no example", one.name);
            for (rule, _) in one.examples {
                assert!(one.check(rule).is_ok(), "{}: {rule}: {:?}", one.name, one.check(rule));
            }
        }
    }

    #[test]
    fn every_use_can_be_asked_for_by_the_name_on_the_page() {
        let asked: Vec<String> = What::value_variants()
            .iter()
            .filter_map(|what| Some(what.to_possible_value()?.get_name().to_owned()))
            .collect();
        let mut known: Vec<&str> = uses().iter().map(|one| one.name).collect();
        known.sort_by_key(|name| asked.iter().position(|asked| asked == name));
        assert_eq!(asked, known);
    }

    #[test]
    fn the_place_of_an_error_is_marked() {
        let finding = RuleFinding { line: 2, column: 8, message: "no such field".to_owned() };
        let text = shown("true &&\n basket.totl > 1", &finding);
        assert_eq!(text, "line 2, column 8: no such field\n   basket.totl > 1\n         ^\n");
        let whole = RuleFinding { message: "the rule is empty".to_owned(), ..RuleFinding::default() };
        assert_eq!(shown("", &whole), "the rule is empty\n");
    }
}
