//! Products with their prices as rows of a file.

use std::collections::BTreeMap;

use tandem_proto::campaign::v1::Product;

use crate::files::cells::{
    amount, decimal, list, map, ppm, set_name, set_text, write_amount, write_list, write_map,
};
use crate::files::column::{Column, Masked, Table};
use crate::{money, name, percent};

/// What may be said of a product.
pub const COLUMNS: &[Column<Product>] = &[
    Column {
        name: "id",
        fields: &["name"],
        write: |of| name::id("products", &of.name).to_owned(),
        read: |cell, _, of| set_name(&mut of.name, "products", cell),
    },
    Column {
        name: "display_name",
        fields: &["display_name"],
        write: |of| of.display_name.clone(),
        read: |cell, _, of| set_text(&mut of.display_name, cell),
    },
    Column {
        name: "categories",
        fields: &["categories"],
        write: |of| write_list(&of.categories),
        read: |cell, _, of| {
            of.categories = list(cell);
            Ok(())
        },
    },
    Column {
        name: "prices",
        fields: &["prices"],
        write: |of| of.prices.iter().map(money::show_price).collect::<Vec<_>>().join("|"),
        read: |cell, _, of| {
            of.prices =
                list(cell).iter().map(|one| money::read_price(&decimal(one))).collect::<Result<_, _>>()?;
            Ok(())
        },
    },
    Column {
        name: "unit_costs",
        fields: &["unit_costs"],
        write: |of| of.unit_costs.iter().map(|one| write_amount(Some(one))).collect::<Vec<_>>().join("|"),
        read: |cell, _, of| {
            of.unit_costs = list(cell).iter().map(|one| amount(one, false)).collect::<Result<_, _>>()?;
            Ok(())
        },
    },
    Column {
        name: "tax",
        fields: &["tax_rate_ppm"],
        write: |of| percent::show(of.tax_rate_ppm),
        read: |cell, _, of| {
            of.tax_rate_ppm = ppm(cell)?;
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

/// The goods of a file.
#[derive(Debug)]
pub struct Products;

impl Table for Products {
    type Item = Product;

    const KEY: &'static str = "id";
    const MESSAGE: &'static str = "tandem.campaign.v1.Product";
    const MANY: &'static str = "products";
    const MASKED: Option<Masked<Product>> = Masked::RESOURCE;

    fn columns() -> &'static [Column<Product>] {
        COLUMNS
    }

    fn attributes(item: &mut Product) -> Option<&mut BTreeMap<String, String>> {
        Some(&mut item.attributes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tandem_kernel::money::Currency;
    use tandem_proto::campaign::v1::ListPrice;

    use super::*;
    use crate::files::testing::there_and_back;

    const TEXT: &str = "([=+@'|\\\\,;\"\t\r\n -]|[aé\u{A0}0]){1,6}";

    prop_compose! {
        fn any_price()(
            place in "([A-Z]{2}|stores/[a-z0-9.~-]{1,5})?",
            minor in 0..10_000_000_i64,
            at in 0..3_usize,
        ) -> ListPrice {
            let currency = ["EUR", "JPY", "KWD"].map(|code| Currency::new(code).unwrap())[at];
            ListPrice { place, price: Some(money::from_minor(minor, currency)) }
        }
    }

    prop_compose! {
        fn any_product()(
            id in "[a-z0-9][a-z0-9._~-]{0,6}",
            display_name in TEXT,
            categories in proptest::collection::vec(TEXT, 0..4),
            prices in proptest::collection::vec(any_price(), 0..5),
            costs in proptest::collection::vec(any_price(), 0..3),
            tax_rate_ppm in 0..=1_000_000_i32,
            attributes in proptest::collection::btree_map(TEXT, TEXT, 0..3),
        ) -> Product {
            Product {
                name: format!("products/{id}"),
                display_name,
                categories,
                prices,
                unit_costs: costs.into_iter().filter_map(|one| one.price).collect(),
                tax_rate_ppm,
                attributes,
                ..Product::default()
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(product in any_product()) {
            prop_assume!(!product.display_name.trim().is_empty());
            prop_assert_eq!(there_and_back::<Products>(std::slice::from_ref(&product)), [product]);
        }
    }
}
