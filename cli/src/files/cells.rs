//! What one cell holds, read and written: lists, maps, amounts, moments.

use std::borrow::Cow;
use std::collections::BTreeMap;

use prost_types::Timestamp;
use tandem_proto::common::v1::Money;
use tandem_proto::convert::to_timestamp;

use super::forms::{Bound, Forms};
use crate::{money, name, percent};

/// Between the entries of a list.
const BETWEEN: char = '|';
/// Before a character of an entry that would mean something else.
const ESCAPE: char = '\\';

/// A text, as it stands.
pub fn set_text(field: &mut String, cell: &str) -> Result<(), String> {
    cell.clone_into(field);
    Ok(())
}

/// A word: white space around it means nothing, quoted or not.
pub fn set_word(field: &mut String, cell: &str) -> Result<(), String> {
    set_text(field, cell.trim())
}

/// `customers/7`, or `7` alone.
pub fn set_name(field: &mut String, collection: &str, cell: &str) -> Result<(), String> {
    *field = name::full(collection, cell.trim());
    Ok(())
}

/// A moment, or which end of a day.
pub fn set_time(
    field: &mut Option<Timestamp>,
    cell: &str,
    bound: Bound,
    forms: &Forms,
) -> Result<(), String> {
    *field = Some(to_timestamp(forms.moment(cell.trim(), bound)?));
    Ok(())
}

/// A number.
pub fn number(cell: &str) -> Result<i64, String> {
    cell.trim().parse().map_err(|_| format!("`{cell}` is no number"))
}

/// The same into a field.
pub fn set_number(field: &mut i64, cell: &str) -> Result<(), String> {
    *field = number(cell)?;
    Ok(())
}

/// With a point before its decimals, for a comma that can be nothing else: no more than two digits stand behind it.
pub fn decimal(cell: &str) -> Cow<'_, str> {
    let Some((whole, rest)) = cell.split_once(',') else { return Cow::Borrowed(cell) };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let ends = rest.as_bytes().get(digits).is_none_or(|byte| matches!(byte, b' ' | b'%'));
    let alone = (1..=2).contains(&digits) && ends && !whole.contains('.');
    if alone { Cow::Owned(format!("{whole}.{rest}")) } else { Cow::Borrowed(cell) }
}

/// `50.00 EUR`, or `50,00 EUR`; of either sign where that is `signed`.
pub fn amount(cell: &str, signed: bool) -> Result<Money, String> {
    let cell = decimal(cell.trim());
    if signed { money::read_signed(&cell) } else { money::read(&cell) }
}

/// `50.00 EUR`, nothing for nothing.
pub fn write_amount(amount: Option<&Money>) -> String {
    amount.map(|amount| money::show(Some(amount))).unwrap_or_default()
}

/// `20 %`, `20` or `7,5 %` in parts per million.
pub fn ppm(cell: &str) -> Result<i32, String> {
    percent::read(&decimal(cell.trim()))
}

/// The entries of a list: `a|b`, without white space around them. What stands behind a backslash is an entry's own: `\|`.
pub fn list(cell: &str) -> Vec<String> {
    let (mut entries, mut entry, mut kept) = (Vec::new(), String::new(), 0);
    let mut characters = cell.chars().peekable();
    let mut end = |entry: &mut String, kept: &mut usize| {
        let length = entry.trim_end().len().max(*kept);
        entry.truncate(length);
        *kept = 0;
        Some(std::mem::take(entry))
            .filter(|entry| !entry.is_empty())
            .into_iter()
            .for_each(|one| entries.push(one));
    };
    while let Some(character) = characters.next() {
        let own = characters.peek().copied().filter(|next| character == ESCAPE && is_special(*next));
        match own {
            Some(own) => {
                characters.next();
                entry.push(own);
                kept = entry.len();
            }
            None if character == BETWEEN => end(&mut entry, &mut kept),
            None if entry.is_empty() && character.is_whitespace() => {}
            None => entry.push(character),
        }
    }
    end(&mut entry, &mut kept);
    entries
}

/// The same, to be read again.
pub fn write_list(entries: &[String]) -> String {
    let between = BETWEEN.to_string();
    entries.iter().map(|entry| escaped(entry)).collect::<Vec<_>>().join(&between)
}

fn escaped(entry: &str) -> String {
    let (front, back) = (entry.len() - entry.trim_start().len(), entry.trim_end().len());
    let mut text = String::with_capacity(entry.len());
    for (at, character) in entry.char_indices() {
        let outside = at < front || at >= back;
        if outside || matches!(character, BETWEEN | ESCAPE) {
            text.push(ESCAPE);
        }
        text.push(character);
    }
    text
}

fn is_special(character: char) -> bool {
    matches!(character, BETWEEN | ESCAPE) || character.is_whitespace()
}

/// A map: one JSON object of texts.
pub fn map(cell: &str) -> Result<BTreeMap<String, String>, String> {
    serde_json::from_str(cell)
        .map_err(|_| format!("`{cell}` is no object of texts: write {{\"channel\":\"print\"}}"))
}

/// The same, nothing for none.
pub fn write_map(map: &BTreeMap<String, String>) -> String {
    if map.is_empty() { String::new() } else { serde_json::json!(map).to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_has_entries_between_bars_and_a_backslash_keeps_what_is_an_entrys_own() {
        assert_eq!(list("vip| early bird |"), ["vip", "early bird"]);
        assert_eq!(list(r"a\|b|c\\|\ d\ |C:\x"), ["a|b", r"c\", " d ", r"C:\x"]);
        assert_eq!(list(" | "), Vec::<String>::new());
    }

    #[test]
    fn a_comma_is_a_point_where_it_can_be_nothing_else() {
        let read = |cell: &str| amount(cell, true).map(|amount| money::show(Some(&amount)));
        assert_eq!(read("19,99 EUR").unwrap(), "19.99 EUR");
        assert_eq!(read("-5,5 EUR").unwrap(), "-5.50 EUR");
        assert!(read("1,000 EUR").is_err() && read("1.000,00 EUR").is_err() && read("1,000.00 EUR").is_err());
        assert_eq!((ppm("7,5 %"), ppm("20%")), (Ok(75_000), Ok(200_000)));
    }

    proptest! {
        #[test]
        fn a_list_is_read_as_it_was_written(entries in proptest::collection::vec("[a\\\\| \u{a0}é]{1,5}", 0..4)) {
            prop_assert_eq!(list(&write_list(&entries)), entries);
        }
    }
}
