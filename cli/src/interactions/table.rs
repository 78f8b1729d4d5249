//! Interactions as rows of a file.

use std::collections::BTreeMap;

use tandem_proto::relationship::v1::{Interaction, Rating};

use super::{kind, record};
use crate::files::cells::{
    amount, map, number, set_name, set_text, set_time, set_word, write_amount, write_map,
};
use crate::files::column::{Column, Masked, Table};
use crate::files::forms::{Bound, Forms};
use crate::{name, output};

/// What may be told. What the service sets has no column.
pub const COLUMNS: &[Column<Interaction>] = &[
    Column {
        name: "event_id",
        fields: &["event_id"],
        write: |of| of.event_id.clone(),
        read: |cell, _, of| set_word(&mut of.event_id, cell),
    },
    Column {
        name: "type",
        fields: &["type"],
        write: |of| kind::word(of.r#type()).to_owned(),
        read: |cell, _, of| {
            of.set_type(kind::read(cell)?);
            Ok(())
        },
    },
    Column {
        name: "event_time",
        fields: &["event_time"],
        write: |of| output::time(of.event_time.as_ref()),
        read: |cell, forms, of| set_time(&mut of.event_time, cell, Bound::Begin, forms),
    },
    Column {
        name: "customer",
        fields: &["customer"],
        write: |of| name::id("customers", &of.customer).to_owned(),
        read: |cell, _, of| set_name(&mut of.customer, "customers", cell),
    },
    Column {
        name: "guest_key",
        fields: &["guest_key"],
        write: |of| of.guest_key.clone(),
        read: |cell, _, of| set_word(&mut of.guest_key, cell),
    },
    Column {
        name: "amount",
        fields: &["amount"],
        write: |of| write_amount(of.amount.as_ref()),
        read: |cell, _, of| {
            of.amount = Some(amount(cell, false)?);
            Ok(())
        },
    },
    Column {
        name: "order_id",
        fields: &["order_id"],
        write: |of| of.order_id.clone(),
        read: |cell, _, of| set_text(&mut of.order_id, cell),
    },
    Column {
        name: "product",
        fields: &["product"],
        write: |of| name::id("products", &of.product).to_owned(),
        read: |cell, _, of| set_name(&mut of.product, "products", cell),
    },
    Column {
        name: "medium",
        fields: &["medium"],
        write: |of| of.medium.clone(),
        read: |cell, _, of| set_text(&mut of.medium, cell),
    },
    Column {
        name: "place",
        fields: &["place"],
        write: |of| of.place.clone(),
        read: |cell, _, of| set_text(&mut of.place, cell),
    },
    Column {
        name: "rating",
        fields: &["rating.value"],
        write: |of| of.rating.map_or_else(String::new, |rating| rating.value.to_string()),
        read: read_rating,
    },
    Column {
        name: "scale",
        fields: &["rating.lowest", "rating.highest", "rating"],
        write: |of| {
            of.rating
                .map_or_else(String::new, |Rating { lowest, highest, .. }| format!("{lowest}..{highest}"))
        },
        read: |cell, _, of| {
            let (lowest, highest) = record::scale(cell.trim())?;
            let rating = of.rating.get_or_insert_default();
            (rating.lowest, rating.highest) = (lowest, highest);
            Ok(())
        },
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

fn read_rating(cell: &str, _: &Forms, of: &mut Interaction) -> Result<(), String> {
    let value = i32::try_from(number(cell)?).map_err(|_| format!("`{cell}` is no rating"))?;
    of.rating.get_or_insert_default().value = value;
    Ok(())
}

/// What happened, row by row.
#[derive(Debug)]
pub struct Interactions;

impl Table for Interactions {
    type Item = Interaction;

    const KEY: &'static str = "type";
    const MESSAGE: &'static str = "tandem.relationship.v1.Interaction";
    const MANY: &'static str = "interactions";
    /// What happened is never changed.
    const MASKED: Option<Masked<Interaction>> = None;

    fn columns() -> &'static [Column<Interaction>] {
        COLUMNS
    }

    fn attributes(item: &mut Interaction) -> Option<&mut BTreeMap<String, String>> {
        Some(&mut item.attributes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tandem_kernel::money::Currency;

    use super::*;
    use crate::files::testing::{read, there_and_back};
    use crate::money;

    const TEXT: &str = "([=+@'|\\\\,;\"\t\r\n -]|[aé\u{A0}0]){1,6}";

    prop_compose! {
        fn any_interaction()(
            kind in 1..=13_i32,
            words in proptest::collection::vec("[!-~]{0,8}", 2),
            names in proptest::collection::vec(proptest::option::of("[a-z0-9][a-z0-9._~-]{0,6}"), 2),
            texts in proptest::collection::vec("[aé0][=+@'|\\\\,;\" -]?[aé0]", 3),
            at in proptest::option::of((0..4_000_000_000_i64, 0..1_000_000_000_i32)),
            amount in proptest::option::of((0..10_000_000_i64, 0..3_usize)),
            rating in proptest::option::of((any::<i32>(), any::<i32>(), any::<i32>())),
            attributes in proptest::collection::btree_map(TEXT, TEXT, 0..3),
        ) -> Interaction {
            let name = |of: &str, id: &Option<String>| {
                id.as_ref().map_or_else(String::new, |id| format!("{of}/{id}"))
            };
            let money = |(minor, at): (i64, usize)| {
                money::from_minor(minor, ["EUR", "JPY", "KWD"].map(|code| Currency::new(code).unwrap())[at])
            };
            Interaction {
                event_id: words[0].clone(),
                r#type: kind,
                event_time: at.map(|(seconds, nanos)| prost_types::Timestamp { seconds, nanos }),
                customer: name("customers", &names[0]),
                guest_key: words[1].clone(),
                amount: amount.map(money),
                order_id: texts[0].clone(),
                product: name("products", &names[1]),
                medium: texts[1].clone(),
                place: texts[2].clone(),
                rating: rating.map(|(value, lowest, highest)| Rating { value, lowest, highest }),
                attributes,
                ..Interaction::default()
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(interaction in any_interaction()) {
            prop_assert_eq!(there_and_back::<Interactions>(std::slice::from_ref(&interaction)), [interaction]);
        }
    }

    #[test]
    fn every_field_that_a_caller_may_set_has_a_column() {
        let message = crate::output::pool().unwrap().get_message_by_name(Interactions::MESSAGE).unwrap();
        let set_by_the_server = ["record_time", "returned", "cancelled", "from_campaign"];
        let fields: Vec<String> = message.fields().map(|field| field.name().to_owned()).collect();
        let filled = |field: &str| COLUMNS.iter().any(|column| column.fields.contains(&field));
        let without: Vec<&String> = fields.iter().filter(|field| !filled(field)).collect();
        assert_eq!(without, set_by_the_server);
    }

    #[test]
    fn a_row_that_cannot_be_read_fails_alone_by_line_and_column() {
        let text = "type,event_id,amount,rating,scale\n\
            visited,e1,,,\nORDER,e2,59.90,,\n,e3,,,\nreview,e4,,4,5\nreview,e5,,,1..5\npayment,e6,\"5,50 EUR\",,\n";
        let (sent, refused) = read::<Interactions>(text).unwrap();
        let places: Vec<_> = refused.iter().map(|one| (one.line, one.column.as_str())).collect();
        assert_eq!(places, [(2, "type"), (3, "amount"), (4, "type"), (5, "scale")]);
        assert!(
            refused[1].reason.contains("50.00 EUR"),
            "an amount says its currency: {}",
            refused[1].reason
        );
        let ids: Vec<_> = sent.iter().map(|row| row.item.event_id.as_str()).collect();
        assert_eq!(ids, ["e5", "e6"], "in the order of the file, of which what is empty says nothing");
        let wrong = read::<Interactions>("type,amout\nvisit,\n").unwrap_err().to_string();
        assert!(wrong.contains("column `amout` is not known") && wrong.contains("guest_key"), "{wrong}");
    }
}
