//! Rows of figures: for people as a table, for programs as JSON, and which of them missed their target.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use crate::Outcome;

/// What a row must reach.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// Nothing: it is reported.
    None,
    /// At least so many times the yardstick.
    Times(f64),
    /// At most so many times the yardstick.
    AtMostTimes(f64),
    /// Less than this, in the row's unit.
    Below(f64),
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// The median over the rounds; absent where it could not be measured.
    pub value: Option<f64>,
    /// Of both values.
    pub unit: &'static str,
    /// What it is compared with, or empty.
    pub yardstick: &'static str,
    /// The median of the yardstick in the same rounds.
    pub yardstick_value: Option<f64>,
    /// Value through yardstick.
    pub ratio: Option<f64>,
    /// What it must reach, in words; absent: it is only reported.
    pub target: Option<String>,
    /// Whether it does.
    pub met: Option<bool>,
    /// Why it could not be measured.
    pub problem: Option<String>,
}

/// Every row of a run.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds a row from the values of its rounds, and shows it as progress.
    pub fn add(&mut self, name: impl Into<String>, unit: &'static str, values: &[f64], beside: Beside<'_>) {
        let value = median(values);
        let yardstick_value = (!beside.values.is_empty()).then(|| median(beside.values));
        let ratio = yardstick_value.filter(|yardstick| *yardstick > 0.0).map(|yardstick| value / yardstick);
        let (target, met) = match beside.target {
            Target::None => (None, None),
            Target::Times(least) => (Some(format!("≥ {least}×")), ratio.map(|ratio| ratio >= least)),
            Target::AtMostTimes(most) => (Some(format!("≤ {most}×")), ratio.map(|ratio| ratio <= most)),
            Target::Below(limit) => (Some(format!("< {limit} {unit}")), Some(value < limit)),
        };
        let name = name.into();
        let compared = ratio.map_or(String::new(), |ratio| format!(", {ratio:.2}× {}", beside.yardstick));
        let judged = met.map_or("", |met| if met { " – met" } else { " – MISSED" });
        eprintln!("  = {name}: {} {unit}{compared}{judged}", figure(value));
        self.rows.push(Row {
            name,
            value: Some(value),
            unit,
            yardstick: beside.yardstick,
            yardstick_value,
            ratio,
            target,
            met,
            problem: None,
        });
    }

    /// Ends a group of rows. Those of them that it has not come to because something went wrong are shown with what
    /// did, and miss their target: whoever measures the next group still can.
    pub fn close(&mut self, rows: impl IntoIterator<Item = String>, measured: Outcome) {
        let Err(problem) = measured else { return };
        for name in rows {
            if self.rows.iter().any(|row| row.name == name) {
                continue;
            }
            eprintln!("  = {name}: {problem} – MISSED");
            self.rows.push(Row {
                name,
                value: None,
                unit: "",
                yardstick: "",
                yardstick_value: None,
                ratio: None,
                target: None,
                met: Some(false),
                problem: Some(problem.to_string()),
            });
        }
    }

    /// One JSON object per line.
    pub fn json(&self) -> Outcome<String> {
        let mut text = String::new();
        for row in &self.rows {
            text.push_str(&serde_json::to_string(row)?);
            text.push('\n');
        }
        Ok(text)
    }

    /// For people.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        table.set_header(["", "value", "unit", "yardstick", "its value", "ratio", "target", "met"]);
        for row in &self.rows {
            table.add_row([
                row.name.clone(),
                row.value.map(figure).unwrap_or_default(),
                row.unit.to_owned(),
                row.problem.clone().unwrap_or_else(|| row.yardstick.to_owned()),
                row.yardstick_value.map(figure).unwrap_or_default(),
                row.ratio.map(|ratio| format!("{ratio:.2}×")).unwrap_or_default(),
                row.target.clone().unwrap_or_default(),
                row.met.map_or("", |met| if met { "yes" } else { "NO" }).to_owned(),
            ]);
        }
        for index in [1, 4, 5] {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    /// Names of the rows that miss their target.
    pub fn missed(&self) -> Vec<String> {
        let missed = self.rows.iter().filter(|row| row.met == Some(false));
        missed.map(|row| row.name.clone()).collect()
    }
}

/// What a row stands beside.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// Its name, or empty.
    pub yardstick: &'static str,
    /// Its values, one per round.
    pub values: &'a [f64],
    /// What must be reached.
    pub target: Target,
}

impl Beside<'_> {
    /// No yardstick.
    pub fn nothing(target: Target) -> Self {
        Self { yardstick: "", values: &[], target }
    }
}

/// The middle value; 0 where there is none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => 0.0,
        (count, middle) if count % 2 == 0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        (_, middle) => sorted[middle],
    }
}

/// `12,345`, `123`, `1.23`.
pub fn figure(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
