//! Customers as rows of a file.

use std::collections::BTreeMap;

use tandem_proto::relationship::v1::Customer;

use crate::files::cells::{list, map, set_name, set_text, set_time, set_word, write_list, write_map};
use crate::files::column::{Column, Table};
use crate::files::forms::{Bound, write_day};
use crate::{name, output};

/// What may be said of a customer.
pub const COLUMNS: &[Column<Customer>] = &[
    Column {
        name: "id",
        fields: &["name"],
        write: |of| name::id("customers", &of.name).to_owned(),
        read: |cell, _, of| set_name(&mut of.name, "customers", cell),
    },
    Column {
        name: "display_name",
        fields: &["display_name"],
        write: |of| of.display_name.clone(),
        read: |cell, _, of| set_text(&mut of.display_name, cell),
    },
    Column {
        name: "email",
        fields: &["email"],
        write: |of| of.email.clone(),
        read: |cell, _, of| set_word(&mut of.email, cell),
    },
    Column {
        name: "phone",
        fields: &["phone"],
        write: |of| of.phone.clone(),
        read: |cell, _, of| set_word(&mut of.phone, cell),
    },
    Column {
        name: "locale",
        fields: &["locale"],
        write: |of| of.locale.clone(),
        read: |cell, _, of| set_word(&mut of.locale, cell),
    },
    Column {
        name: "time_zone",
        fields: &["time_zone"],
        write: |of| of.time_zone.clone(),
        read: |cell, _, of| set_word(&mut of.time_zone, cell),
    },
    Column {
        name: "country",
        fields: &["country"],
        write: |of| of.country.clone(),
        read: |cell, _, of| set_word(&mut of.country, cell),
    },
    Column {
        name: "birthday",
        fields: &["birthday"],
        write: |of| of.birthday.as_ref().map(write_day).unwrap_or_default(),
        read: |cell, forms, of| {
            of.birthday = Some(forms.day(cell.trim())?);
            Ok(())
        },
    },
    Column {
        name: "tags",
        fields: &["tags"],
        write: |of| write_list(&of.tags),
        read: |cell, _, of| {
            of.tags = list(cell);
            Ok(())
        },
    },
    Column {
        name: "since_time",
        fields: &["since_time"],
        write: |of| output::time(of.since_time.as_ref()),
        read: |cell, forms, of| set_time(&mut of.since_time, cell, Bound::Begin, forms),
    },
    Column {
        name: "attributes",
        fields: &["attributes"],
        write: |of| write_map(&of.attributes),
        read: |cell, _, of| {
            of.attributes.extend(map(cell)?);
            Ok(())
        },
    },
];

/// The people of a file.
#[derive(Debug)]
pub struct Customers;

impl Table for Customers {
    type Item = Customer;

    const KEY: &'static str = "id";
    const MESSAGE: &'static str = "tandem.relationship.v1.Customer";
    const MANY: &'static str = "customers";

    fn columns() -> &'static [Column<Customer>] {
        COLUMNS
    }

    fn attributes(item: &mut Customer) -> Option<&mut BTreeMap<String, String>> {
        Some(&mut item.attributes)
    }
}
