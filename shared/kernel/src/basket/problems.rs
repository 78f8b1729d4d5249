//! What is wrong with a basket, all of it at once.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Arguments;

use super::{Basket, Line, MAX_AMOUNT_MINOR, MAX_LINES, MAX_QUANTITY};
use crate::discount::WHOLE_PPM;
use crate::problem::Problem;

/// Characters of a line id.
const MAX_ID_CHARS: usize = 64;
/// Entries of an attribute map, and categories of a line.
const MAX_ENTRIES: usize = 32;
/// Bytes of a key, a value, a category or a product id.
const MAX_TEXT_BYTES: usize = 256;

impl Basket {
    /// Every violation of the limits a basket has, with field paths like `lines[3].quantity`; empty when it may be
    /// priced. Lines past [`MAX_LINES`] are counted, not read.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.lines.is_empty() || self.lines.len() > MAX_LINES {
            let message = format!("must hold 1 to {MAX_LINES} lines, holds {}", self.lines.len());
            problems.push(Problem::new("lines", message));
        }
        let mut first_with_id: HashMap<&str, usize> = HashMap::new();
        let mut worth = 0_i128;
        for (index, line) in self.lines.iter().take(MAX_LINES).enumerate() {
            if let Some(first) = first_with_id.insert(&line.id, index) {
                let message = format!("is also the id of lines[{first}]");
                problems.push(Problem::new(format!("lines[{index}].id"), message));
            }
            line.collect_problems(index, &mut problems);
            worth += line.worth().clamp(0, MAX_AMOUNT_MINOR.into());
        }
        if worth > MAX_AMOUNT_MINOR.into() {
            let message = format!("all lines together are worth more than {MAX_AMOUNT_MINOR} minor units");
            problems.push(Problem::new("lines", message));
        }
        check_amount(format_args!("shipping"), self.shipping, &mut problems);
        if let Some(due) = self.amount_due {
            check_amount(format_args!("amount_due"), due, &mut problems);
        }
        check_attributes(format_args!("attributes"), &self.attributes, &mut problems);
        problems
    }
}

impl Line {
    fn worth(&self) -> i128 {
        i128::from(self.unit_price) * i128::from(self.quantity)
    }

    /// Paths are written only where there is a problem: a basket without one costs nothing but the looking.
    fn collect_problems(&self, index: usize, problems: &mut Vec<Problem>) {
        let mut refuse = |field: &str, message: String| {
            problems.push(Problem::new(format!("lines[{index}].{field}"), message));
        };
        let id_chars = self.id.chars().count();
        if id_chars == 0 || id_chars > MAX_ID_CHARS {
            refuse("id", format!("must have 1 to {MAX_ID_CHARS} characters, has {id_chars}"));
        }
        if self.product.is_empty() || self.product.len() > MAX_TEXT_BYTES {
            refuse("product", format!("must have 1 to {MAX_TEXT_BYTES} bytes, has {}", self.product.len()));
        }
        let quantity_fits = (1..=MAX_QUANTITY).contains(&self.quantity);
        if !quantity_fits {
            refuse("quantity", format!("must be 1 to {MAX_QUANTITY}, is {}", self.quantity));
        }
        if !(0..=WHOLE_PPM).contains(&self.tax_rate_ppm) {
            refuse("tax_rate_ppm", format!("must be 0 to {WHOLE_PPM}, is {}", self.tax_rate_ppm));
        }
        if self.categories.len() > MAX_ENTRIES {
            refuse(
                "categories",
                format!("must hold at most {MAX_ENTRIES} categories, holds {}", self.categories.len()),
            );
        }
        for (place, category) in self.categories.iter().take(MAX_ENTRIES).enumerate() {
            if category.is_empty() || category.len() > MAX_TEXT_BYTES {
                refuse(
                    &format!("categories[{place}]"),
                    format!("must have 1 to {MAX_TEXT_BYTES} bytes, has {}", category.len()),
                );
            }
        }
        let price_fits = check_amount(format_args!("lines[{index}].unit_price"), self.unit_price, problems);
        if quantity_fits && price_fits && self.worth() > MAX_AMOUNT_MINOR.into() {
            let message = format!("the line is worth more than {MAX_AMOUNT_MINOR} minor units");
            problems.push(Problem::new(format!("lines[{index}].unit_price"), message));
        }
        if let Some(cost) = self.unit_cost {
            check_amount(format_args!("lines[{index}].unit_cost"), cost, problems);
        }
        check_attributes(format_args!("lines[{index}].attributes"), &self.attributes, problems);
    }
}

fn check_amount(field: Arguments<'_>, minor: i64, problems: &mut Vec<Problem>) -> bool {
    let fits = (0..=MAX_AMOUNT_MINOR).contains(&minor);
    if !fits {
        let message = format!("must be 0 to {MAX_AMOUNT_MINOR} minor units, is {minor}");
        problems.push(Problem::new(field.to_string(), message));
    }
    fits
}

fn check_attributes(
    field: Arguments<'_>,
    attributes: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) {
    if attributes.len() > MAX_ENTRIES {
        let message = format!("must hold at most {MAX_ENTRIES} entries, holds {}", attributes.len());
        problems.push(Problem::new(field.to_string(), message));
    }
    for (index, (key, value)) in attributes.iter().take(MAX_ENTRIES).enumerate() {
        if key.is_empty() || key.len() > MAX_TEXT_BYTES || value.len() > MAX_TEXT_BYTES {
            let message =
                format!("entry {index}: key (not empty) and value have at most {MAX_TEXT_BYTES} bytes");
            problems.push(Problem::new(field.to_string(), message));
        }
    }
}
