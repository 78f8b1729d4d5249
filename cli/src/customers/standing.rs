//! How a customer stands, line by line.

use tandem_proto::common::v1::Money;
use tandem_proto::relationship::v1::{Relationship, Satisfaction, Stage};

use crate::{money, output};

/// What there is to say, each with what it is called.
pub fn lines(of: &Relationship) -> Vec<(&'static str, String)> {
    let since = day(of.stage_since_time.as_ref());
    let since = if since.is_empty() { since } else { format!(" since {since}") };
    let mut lines = vec![("stage", format!("{}{since}: {}", word(of.stage()), of.stage_why))];
    if of.next_change_time.is_some() {
        let next = word(of.next_stage());
        lines.push(("next", format!("{next} on {}, if nothing happens", day(of.next_change_time.as_ref()))));
    }
    lines.push(("recency", of.recency_days.map_or_else(|| "-".to_owned(), |days| format!("{days} days"))));
    lines.push(("frequency", format!("{} orders", of.orders)));
    lines.push(("monetary", amounts(&of.monetary)));
    if of.last_activity_time.is_some() {
        lines.push(("seen", day(of.last_activity_time.as_ref())));
    }
    if let Some(late) = &of.satisfaction {
        lines.push(("satisfaction", rated(late)));
    }
    if let Some(savings) = of.savings.as_ref().filter(|savings| savings.redemptions > 0) {
        let saved = amounts(&savings.saved);
        lines.push(("codes", format!("{} redeemed, {saved} saved", savings.redemptions)));
    }
    lines
}

fn word(stage: Stage) -> &'static str {
    stage.as_str_name().trim_start_matches("STAGE_")
}

/// A day of UTC.
fn day(at: Option<&prost_types::Timestamp>) -> String {
    output::time(at).chars().take(10).collect()
}

fn amounts(amounts: &[Money]) -> String {
    if amounts.is_empty() {
        return "-".to_owned();
    }
    amounts.iter().map(|amount| money::show(Some(amount))).collect::<Vec<_>>().join(", ")
}

fn rated(of: &Satisfaction) -> String {
    format!("{} % of the best, by {} ratings of the last year", of.mean_ppm / 10_000, of.ratings)
}
