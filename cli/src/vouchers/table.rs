//! Codes as rows of a file.

use tandem_proto::common::v1::{Interval, Money};
use tandem_proto::relationship::v1::{Voucher, VoucherState};

use crate::files::cells::{
    amount, map, number, set_name, set_number, set_text, set_time, set_word, write_amount, write_map,
};
use crate::files::column::{Column, Table};
use crate::files::forms::{Bound, Forms};
use crate::output;

/// In the order in which an export has them.
pub const COLUMNS: &[Column<Voucher>] = &[
    Column {
        name: "code",
        fields: &["code"],
        write: |v| v.code.clone(),
        read: |cell, _, v| set_word(&mut v.code, cell),
    },
    Column {
        name: "incentive",
        fields: &["incentive"],
        write: |v| v.incentive.clone(),
        read: |cell, _, v| set_name(&mut v.incentive, "incentives", cell),
    },
    Column {
        name: "customer",
        fields: &["customer"],
        write: |v| v.customer.clone(),
        read: |cell, _, v| set_name(&mut v.customer, "customers", cell),
    },
    Column {
        name: "source_id",
        fields: &["source_id"],
        write: |v| v.source_id.clone(),
        read: |cell, _, v| set_text(&mut v.source_id, cell),
    },
    Column {
        name: "valid_from",
        fields: &["validity.start_time"],
        write: |v| bound(v, |own| own.start_time),
        read: |cell, forms, v| set_time(&mut own(v).start_time, cell, Bound::Begin, forms),
    },
    Column {
        name: "valid_until",
        fields: &["validity.end_time", "validity"],
        write: |v| bound(v, |own| own.end_time),
        read: |cell, forms, v| set_time(&mut own(v).end_time, cell, Bound::End, forms),
    },
    Column {
        name: "max_uses",
        fields: &["max_uses", "unlimited_uses"],
        write: write_max_uses,
        read: read_max_uses,
    },
    Column {
        name: "uses",
        fields: &["uses"],
        write: |v| v.uses.to_string(),
        read: |cell, _, v| set_number(&mut v.uses, cell),
    },
    Column {
        name: "uses_held",
        fields: &["uses_held"],
        write: |v| unless_zero(v.uses_held),
        read: |cell, _, v| set_number(&mut v.uses_held, cell),
    },
    Column {
        name: "initial_balance",
        fields: &["initial_balance"],
        write: |v| write_amount(v.initial_balance.as_ref()),
        read: |cell, _, v| set_amount(&mut v.initial_balance, cell),
    },
    Column {
        name: "balance",
        fields: &["balance"],
        write: |v| write_amount(v.balance.as_ref()),
        read: |cell, _, v| set_amount(&mut v.balance, cell),
    },
    Column {
        name: "adjustments",
        fields: &["adjustments"],
        write: |v| write_amount(v.adjustments.as_ref()),
        read: |cell, _, v| {
            v.adjustments = Some(amount(cell, true)?);
            Ok(())
        },
    },
    Column { name: "state", fields: &["state"], write: write_state, read: read_state },
    Column {
        name: "disabled",
        fields: &["disabled"],
        write: |v| (if v.disabled { "true" } else { "" }).to_owned(),
        read: read_disabled,
    },
    Column {
        name: "create_time",
        fields: &["create_time"],
        write: |v| output::time(v.create_time.as_ref()),
        read: |cell, forms, v| set_time(&mut v.create_time, cell, Bound::Begin, forms),
    },
    Column {
        name: "assign_time",
        fields: &["assign_time"],
        write: |v| output::time(v.assign_time.as_ref()),
        read: |cell, forms, v| set_time(&mut v.assign_time, cell, Bound::Begin, forms),
    },
    Column {
        name: "restored_until",
        fields: &["restored_until_time"],
        write: |v| output::time(v.restored_until_time.as_ref()),
        read: |cell, forms, v| set_time(&mut v.restored_until_time, cell, Bound::End, forms),
    },
    Column {
        name: "batch",
        fields: &["batch"],
        write: |v| v.batch.clone(),
        read: |cell, _, v| set_name(&mut v.batch, "batches", cell),
    },
    Column {
        name: "labels",
        fields: &["labels"],
        write: |v| write_map(&v.labels),
        read: |cell, _, v| {
            v.labels = map(cell)?;
            Ok(())
        },
    },
    Column {
        name: "name",
        fields: &["name"],
        write: |v| v.name.clone(),
        read: |cell, _, v| set_name(&mut v.name, "vouchers", cell),
    },
];

fn own(voucher: &mut Voucher) -> &mut Interval {
    voucher.validity.get_or_insert_default()
}

fn bound(voucher: &Voucher, of: fn(Interval) -> Option<prost_types::Timestamp>) -> String {
    output::time(voucher.validity.and_then(of).as_ref())
}

fn unless_zero(number: i64) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

const UNLIMITED: &str = "unlimited";

fn write_max_uses(voucher: &Voucher) -> String {
    let limit = voucher.max_uses.map(|most| most.to_string());
    limit.or(voucher.unlimited_uses.then(|| UNLIMITED.to_owned())).unwrap_or_default()
}

fn read_max_uses(cell: &str, _: &Forms, voucher: &mut Voucher) -> Result<(), String> {
    voucher.unlimited_uses = cell.trim() == UNLIMITED;
    if !voucher.unlimited_uses {
        let wrong = |_| format!("`{cell}` is neither a number nor `{UNLIMITED}`");
        voucher.max_uses = Some(number(cell).map_err(wrong)?);
    }
    Ok(())
}

fn set_amount(field: &mut Option<Money>, cell: &str) -> Result<(), String> {
    *field = Some(amount(cell, false)?);
    Ok(())
}

fn write_state(voucher: &Voucher) -> String {
    voucher.state().as_str_name().trim_start_matches("VOUCHER_STATE_").to_owned()
}

fn read_state(cell: &str, _: &Forms, voucher: &mut Voucher) -> Result<(), String> {
    let known = VoucherState::from_str_name(&format!("VOUCHER_STATE_{}", cell.trim().to_ascii_uppercase()));
    let state = known.filter(|state| *state != VoucherState::Unspecified);
    voucher.set_state(state.ok_or_else(|| format!("`{cell}` is no state"))?);
    Ok(())
}

fn read_disabled(cell: &str, _: &Forms, voucher: &mut Voucher) -> Result<(), String> {
    voucher.disabled = match cell.trim().to_ascii_lowercase().as_str() {
        "true" => true,
        "false" => false,
        _ => return Err(format!("`{cell}` is neither true nor false")),
    };
    Ok(())
}

/// The codes of a file, which are brought in under one incentive.
#[derive(Debug, Default)]
pub struct Codes {
    /// `incentives/ten-off`.
    pub incentive: String,
    /// Upper and lower case are kept apart.
    pub case_sensitive: bool,
    /// Those of an archived incentive are brought here.
    pub move_archived: bool,
}

impl Table for Codes {
    type Item = Voucher;

    const KEY: &'static str = "code";
    const MESSAGE: &'static str = "tandem.relationship.v1.Voucher";
    const MANY: &'static str = "codes";
    /// What is there is never changed.
    const IS_MASKED: bool = false;

    fn columns() -> &'static [Column<Voucher>] {
        COLUMNS
    }
}
