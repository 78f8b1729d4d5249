//! Products with their prices as rows of a file.

use std::collections::BTreeMap;

use tandem_proto::campaign::v1::Product;

use crate::files::cells::{
    amount, decimal, list, map, ppm, set_name, set_text, write_amount, write_list, write_map,
};
use crate::files::column::{Column, Table};
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

    fn columns() -> &'static [Column<Product>] {
        COLUMNS
    }

    fn attributes(item: &mut Product) -> Option<&mut BTreeMap<String, String>> {
        Some(&mut item.attributes)
    }
}
