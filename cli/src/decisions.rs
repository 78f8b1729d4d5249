//! What became of offers and codes, as a table.

use tandem_proto::campaign::v1::{Decision, DecisionOutcome};

use crate::{money, output};

/// What became of each offer and code.
pub fn show(decisions: &[Decision]) {
    let mut table = output::table(["offer or code", "outcome", "why", "amount"]);
    output::right(&mut table, &[3]);
    for decision in decisions {
        table.add_row([
            decision.source.clone(),
            outcome(decision).to_owned(),
            why(decision),
            money::show(decision.amount.as_ref()),
        ]);
    }
    println!("{table}");
}

fn outcome(decision: &Decision) -> &'static str {
    match decision.outcome() {
        DecisionOutcome::Applied => "applied",
        DecisionOutcome::Skipped => "skipped",
        DecisionOutcome::Inapplicable => "inapplicable",
        DecisionOutcome::Unspecified => "-",
    }
}

fn why(decision: &Decision) -> String {
    let reason = decision.reason().as_str_name().trim_start_matches("DECISION_REASON_").to_lowercase();
    match (decision.outcome(), decision.missing.as_ref()) {
        (DecisionOutcome::Applied, _) => String::new(),
        (_, Some(missing)) => format!("{reason}, {} missing", money::show(Some(missing))),
        _ if !decision.code_refusal.is_empty() => decision.code_refusal.to_lowercase(),
        _ if !decision.lost_to.is_empty() => format!("lost to {}", decision.lost_to),
        _ => reason,
    }
}
