//! Customers as rows of a file.

use std::collections::BTreeMap;

use tandem_proto::relationship::v1::Customer;

use crate::files::cells::{list, map, set_name, set_text, set_time, set_word, write_list, write_map};
use crate::files::column::{Column, Masked, Table};
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
    const MASKED: Option<Masked<Customer>> = Masked::RESOURCE;

    fn columns() -> &'static [Column<Customer>] {
        COLUMNS
    }

    fn attributes(item: &mut Customer) -> Option<&mut BTreeMap<String, String>> {
        Some(&mut item.attributes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tandem_proto::common::v1::Date;

    use super::*;
    use crate::files::testing::there_and_back;

    /// Whatever a cell may hold, and what means something in one.
    const TEXT: &str = "([=+@'|\\\\,;\"\t\r\n -]|[aé\u{1F381}\u{A0}0]){1,6}";

    prop_compose! {
        fn any_customer()(
            id in "[a-z0-9][a-z0-9._~-]{0,6}",
            display_name in TEXT,
            words in proptest::collection::vec("[!-~é]{0,8}", 5),
            birthday in proptest::option::of((0..3000_i32, 1..=12_i32, 1..=28_i32)),
            tags in proptest::collection::vec(TEXT, 0..4),
            since in proptest::option::of((0..4_000_000_000_i64, 0..1_000_000_000_i32)),
            attributes in proptest::collection::btree_map(TEXT, TEXT, 0..3),
        ) -> Customer {
            let mut words = words.into_iter();
            let mut word = || words.next().unwrap();
            Customer {
                name: format!("customers/{id}"),
                display_name,
                email: word(),
                phone: word(),
                locale: word(),
                time_zone: word(),
                country: word(),
                birthday: birthday.map(|(year, month, day)| Date { year, month, day }),
                tags,
                since_time: since.map(|(seconds, nanos)| prost_types::Timestamp { seconds, nanos }),
                attributes,
                ..Customer::default()
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(customer in any_customer()) {
            // A name of white space alone is none.
            prop_assume!(!customer.display_name.trim().is_empty());
            prop_assert_eq!(there_and_back::<Customers>(std::slice::from_ref(&customer)), [customer]);
        }
    }
}
