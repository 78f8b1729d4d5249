//! Codes as rows of a file.

use tandem_proto::common::v1::{Interval, Money};
use tandem_proto::relationship::v1::{Voucher, VoucherState};

use crate::files::cells::{
    amount, map, number, set_name, set_number, set_text, set_time, set_word, write_amount, write_map,
};
use crate::files::column::{Column, Masked, Table};
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
    const MASKED: Option<Masked<Voucher>> = None;

    fn columns() -> &'static [Column<Voucher>] {
        COLUMNS
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::files::testing::{read, there_and_back};
    use crate::money;

    fn euros(minor: i64) -> Money {
        let euro = tandem_kernel::money::Currency::new("EUR").unwrap();
        money::from_minor(minor, euro)
    }

    prop_compose! {
        fn any_voucher()(
            code in "[!-~é夏]{1,8}",
            texts in (
                proptest::option::of("[a-z]{1,5}"),
                "([=+'\" ,-]|[a-z]){0,6}",
                proptest::option::of("[a-z]{1,5}"),
            ),
            times in proptest::collection::vec(
                proptest::option::of((0..4_000_000_000_i64, 0..1_000_000_000_i32)),
                5,
            ),
            max_uses in proptest::option::of(1..9_i64),
            numbers in (0..9_i64, 0..9_i64),
            amounts in proptest::collection::vec(proptest::option::of(-10_000..10_000_i64), 3),
            state in 1..=6_i32,
            disabled in any::<bool>(),
            labels in proptest::collection::btree_map("[ -~]{1,8}", "[ -~]{0,8}", 0..3),
        ) -> Voucher {
            let at = |place: usize| {
                times[place].map(|(seconds, nanos)| prost_types::Timestamp { seconds, nanos })
            };
            let least = |place: usize| amounts[place].map(|minor| euros(minor.abs()));
            let of = |collection: &str, id: Option<String>| {
                id.map_or_else(String::new, |id| format!("{collection}/{id}"))
            };
            let (customer, source_id, batch) = texts;
            let own = at(0).is_some() || at(1).is_some();
            Voucher {
                name: format!("vouchers/{code}"),
                code,
                incentive: "incentives/ten-off".to_owned(),
                customer: of("customers", customer),
                source_id: if source_id.trim().is_empty() { String::new() } else { source_id },
                validity: own.then(|| Interval { start_time: at(0), end_time: at(1) }),
                max_uses,
                unlimited_uses: max_uses.is_none(),
                uses: numbers.0,
                uses_held: numbers.1,
                initial_balance: least(0),
                balance: least(1),
                adjustments: amounts[2].map(euros),
                state,
                create_time: at(2),
                assign_time: at(3),
                restored_until_time: at(4),
                batch: of("batches", batch),
                labels,
                disabled,
                ..Voucher::default()
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(voucher in any_voucher()) {
            prop_assert_eq!(there_and_back::<Codes>(std::slice::from_ref(&voucher)), [voucher]);
        }
    }

    #[test]
    fn a_cell_that_cannot_be_read_fails_its_row_alone_and_an_absent_one_says_nothing() {
        let text = "code,max_uses,valid_until\nA,x,tomorrow\nB,unlimited,\nC,,\n";
        let (read, bad) = read::<Codes>(text).unwrap();
        assert_eq!((bad.len(), bad[0].line, bad[0].column.as_str()), (1, 2, "max_uses, valid_until"));
        assert_eq!((read[0].item.max_uses, read[0].item.unlimited_uses), (None, true));
        assert_eq!((read[1].item.max_uses, read[1].item.unlimited_uses), (None, false));
    }

    #[test]
    fn a_column_that_nobody_would_look_at_is_refused_by_name() {
        let said = |text: &str| read::<Codes>(text).unwrap_err().to_string();
        assert!(said("code,valid_untill\nA,\n").contains("column `valid_untill` is not known"));
        assert!(said("code,attr.x\nA,\n").contains("column `attr.x` is not known"), "codes have labels");
        assert!(said("code,code\nA,A\n").contains("`code` stands there twice"));
    }
}
