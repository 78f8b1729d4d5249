//! Columns: one list for both ways, so that what is written can be read.

use std::collections::BTreeMap;

use prost::Message;
use tandem_kernel::text::composed;
use tandem_proto::requests::{Named, Partial};

use crate::failure::Failure;

use super::forms::Forms;

/// What the head of a file may name, and what becomes of its cells.
pub struct Column<T: 'static> {
    /// As the head has it.
    pub name: &'static str,
    /// The fields of the contract that it fills; the first is the one that a mask names.
    pub fields: &'static [&'static str],
    /// The cell of an item; empty for what it has not.
    pub write: fn(&T) -> String,
    /// Takes in a cell that is not empty.
    pub read: fn(&str, &Forms, &mut T) -> Result<(), String>,
}

/// What is changed by a mask of the fields that a row says.
pub struct Masked<T> {
    /// Which one it is.
    pub name: fn(&T) -> &str,
    /// The fields that it says something of.
    pub said: fn(&T) -> Vec<&'static str>,
}

impl<T: Named + Partial> Masked<T> {
    /// As the contracts have it of every resource.
    pub const RESOURCE: Option<Self> = Some(Self { name: T::name, said: T::said });
}

/// Things of which a file has one a row.
pub trait Table: Send + Sync + 'static {
    /// One of them, as the contract has it.
    type Item: Message + Default + Clone + 'static;

    /// The column that no file can do without.
    const KEY: &'static str;
    /// Its message in the contracts.
    const MESSAGE: &'static str;
    /// What many of them are called.
    const MANY: &'static str;
    /// How what is there is changed; nothing where it never is.
    const MASKED: Option<Masked<Self::Item>>;

    /// In the order in which an export has them.
    fn columns() -> &'static [Column<Self::Item>];

    /// What callers may add to one, where columns of their own fill it.
    fn attributes(item: &mut Self::Item) -> Option<&mut BTreeMap<String, String>> {
        let _ = item;
        None
    }
}

/// Before the name of an attribute.
pub const ATTRIBUTE: &str = "attr.";
/// Before what a file of rejected rows has more than the rows.
pub const REJECT: &str = "reject.";

/// What a place in a row is for.
pub enum Slot<T: 'static> {
    /// One of the columns.
    Column(&'static Column<T>),
    /// An attribute.
    Attribute(String),
    /// Told by an earlier import.
    Reject,
    /// It has no name: nothing may stand in it.
    Nameless,
}

impl<T> Slot<T> {
    /// The name of its column.
    pub fn name(&self) -> String {
        match self {
            Self::Column(column) => column.name.to_owned(),
            Self::Attribute(name) => format!("{ATTRIBUTE}{name}"),
            Self::Reject => REJECT.to_owned(),
            Self::Nameless => String::new(),
        }
    }

    /// The path of a mask that names what it fills.
    pub fn path(&self) -> Option<String> {
        match self {
            Self::Column(column) => column.fields.first().map(|field| (*field).to_owned()),
            Self::Attribute(name) => Some(format!("attributes.{name}")),
            Self::Reject | Self::Nameless => None,
        }
    }
}

/// The name of a column in whatever case, with spaces or hyphens.
fn plain(name: &str) -> String {
    name.to_lowercase().replace([' ', '-'], "_")
}

/// How many of these names are those of columns, and then how many there are: what speaks for a separator.
pub fn seems<K: Table>(cells: &[Vec<u8>], attributes: &[String]) -> usize {
    let texts = cells.iter().filter_map(|cell| std::str::from_utf8(cell).ok());
    let known =
        texts.filter(|name| matches!(slot::<K>(name, attributes), Some(slot) if !slot.name().is_empty()));
    known.count() * 1_000 + cells.len()
}

/// What each place of a row is for. `attributes` are the columns that are some without saying it.
///
/// # Errors
/// What is wrong with the head, all of it.
pub fn slots<K: Table>(head: &[Vec<u8>], attributes: &[String]) -> Result<Vec<Slot<K::Item>>, Failure> {
    let (mut slots, mut names, mut wrong, mut unknown) = (Vec::new(), Vec::new(), Vec::new(), false);
    for cell in head {
        let Ok(name) = std::str::from_utf8(cell) else {
            let name = String::from_utf8_lossy(cell);
            return Err(Failure::said(format!(
                "the head cannot be read at `{name}`: it is not UTF-8; see --encoding"
            )));
        };
        let slot = slot::<K>(name, attributes).unwrap_or_else(|| {
            unknown = true;
            wrong.push(format!("column `{name}` is not known"));
            Slot::Nameless
        });
        let own = if matches!(slot, Slot::Reject) { plain(name) } else { slot.name() };
        if !own.is_empty() && names.contains(&own) {
            wrong.push(format!("column `{own}` stands there twice"));
        }
        names.push(own);
        slots.push(slot);
    }
    for name in attributes {
        if K::columns().iter().any(|column| column.name == plain(name)) {
            wrong.push(format!("--attributes: `{name}` is a column of its own"));
        } else if !names.contains(&format!("{ATTRIBUTE}{}", composed(name))) {
            wrong.push(format!("--attributes: the head has no column `{name}`"));
        }
    }
    if !names.iter().any(|name| name == K::KEY) {
        wrong.push(format!("the head has no column `{}`", K::KEY));
    }
    if unknown {
        let known: Vec<&str> = K::columns().iter().map(|column| column.name).collect();
        let more = "; attributes are `attr.NAME`, or named by --attributes";
        let more = if has_attributes::<K>() { more } else { "" };
        wrong.push(format!("known columns are {}{more}", known.join(", ")));
    }
    if wrong.is_empty() { Ok(slots) } else { Err(Failure::said(wrong.join("\n  "))) }
}

fn has_attributes<K: Table>() -> bool {
    K::attributes(&mut K::Item::default()).is_some()
}

/// What a name is for; nothing where nobody knows.
fn slot<K: Table>(name: &str, attributes: &[String]) -> Option<Slot<K::Item>> {
    let low = plain(name);
    if low.is_empty() {
        return Some(Slot::Nameless);
    }
    if let Some(column) = K::columns().iter().find(|column| column.name == low) {
        return Some(Slot::Column(column));
    }
    if low.starts_with(REJECT) {
        return Some(Slot::Reject);
    }
    let attribute = |name: &str| Some(Slot::Attribute(composed(name).into_owned()));
    if let Some(named) = attributes.iter().find(|named| plain(named) == low) {
        return attribute(named);
    }
    let prefixed = name.get(..ATTRIBUTE.len()).is_some_and(|start| start.eq_ignore_ascii_case(ATTRIBUTE));
    let own = name.get(ATTRIBUTE.len()..).filter(|own| prefixed && !own.is_empty() && has_attributes::<K>());
    own.and_then(attribute)
}

/// The column that a field of an item is filled from: `tags`, of `tags[2]`, `valid_until`, of `validity.end_time`. What none
/// fills keeps its name.
pub fn of_field<K: Table>(field: &str, slots: &[Slot<K::Item>]) -> String {
    let plain: String =
        field.split('.').map(|part| part.split('[').next().unwrap_or(part)).collect::<Vec<_>>().join(".");
    let key = field.split_once('[').map(|(_, rest)| rest.split(']').next().unwrap_or(rest).trim_matches('"'));
    let attribute = key.filter(|_| plain == "attributes").and_then(|key| {
        slots.iter().find(|slot| matches!(slot, Slot::Attribute(name) if name == key)).map(Slot::name)
    });
    let fills = |known: &&str| {
        plain == **known || plain.strip_prefix(*known).is_some_and(|rest| rest.starts_with('.'))
    };
    let column = K::columns().iter().find(|column| column.fields.iter().any(&fills));
    attribute.or_else(|| column.map(|column| column.name.to_owned())).unwrap_or_else(|| field.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customers::table::Customers;
    use crate::vouchers::table::Codes;

    #[test]
    fn a_field_of_the_contract_is_told_by_the_column_that_fills_it() {
        let head = [b"id".to_vec(), b"attr.shoe size".to_vec()];
        let slots = slots::<Customers>(&head, &[]).unwrap();
        for (field, column) in [
            ("name", "id"),
            ("email", "email"),
            ("birthday.month", "birthday"),
            ("tags[2]", "tags"),
            ("attributes[\"shoe size\"]", "attr.shoe size"),
            ("attributes[\"hat\"]", "attributes"),
            ("attributes", "attributes"),
        ] {
            assert_eq!(of_field::<Customers>(field, &slots), column, "{field}");
        }
        for (field, column) in [
            ("validity", "valid_until"),
            ("validity.start_time", "valid_from"),
            ("unlimited_uses", "max_uses"),
            ("restored_until_time", "restored_until"),
            ("labels[channel]", "labels"),
        ] {
            assert_eq!(of_field::<Codes>(field, &[]), column, "{field}");
        }
    }
}
