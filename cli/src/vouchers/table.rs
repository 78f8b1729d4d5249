//! Codes as rows of a CSV file: one list of columns for both ways, so that what is written can be read.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use tandem_proto::common::v1::{Interval, Money};
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1::{Voucher, VoucherState};

use crate::customers;
use crate::failure::Failure;
use crate::{money, output};

/// What the head of a file may name.
pub struct Column {
    /// As the head has it.
    pub name: &'static str,
    /// The cell of a voucher; empty for what it has not.
    pub write: fn(&Voucher) -> String,
    /// Takes in a cell that is not empty.
    read: fn(&str, &mut Voucher) -> Result<(), String>,
}

/// In the order in which an export has them.
pub const COLUMNS: &[Column] = &[
    Column { name: "code", write: |v| v.code.clone(), read: |cell, v| set(&mut v.code, cell) },
    Column {
        name: "incentive",
        write: |v| v.incentive.clone(),
        read: |cell, v| named(&mut v.incentive, "incentives", cell),
    },
    Column {
        name: "customer",
        write: |v| v.customer.clone(),
        read: |cell, v| named(&mut v.customer, "customers", cell),
    },
    Column { name: "source_id", write: |v| v.source_id.clone(), read: |cell, v| set(&mut v.source_id, cell) },
    Column {
        name: "valid_from",
        write: |v| bound(v, |own| own.start_time),
        read: |cell, v| set_time(&mut own(v).start_time, cell),
    },
    Column {
        name: "valid_until",
        write: |v| bound(v, |own| own.end_time),
        read: |cell, v| set_time(&mut own(v).end_time, cell),
    },
    Column { name: "max_uses", write: write_max_uses, read: read_max_uses },
    Column { name: "uses", write: |v| v.uses.to_string(), read: |cell, v| set_number(&mut v.uses, cell) },
    Column {
        name: "uses_held",
        write: |v| unless_zero(v.uses_held),
        read: |cell, v| set_number(&mut v.uses_held, cell),
    },
    Column {
        name: "initial_balance",
        write: |v| amount(v.initial_balance.as_ref()),
        read: |cell, v| set_amount(&mut v.initial_balance, cell),
    },
    Column {
        name: "balance",
        write: |v| amount(v.balance.as_ref()),
        read: |cell, v| set_amount(&mut v.balance, cell),
    },
    Column {
        name: "adjustments",
        write: |v| amount(v.adjustments.as_ref()),
        read: |cell, v| {
            v.adjustments = Some(money::read_signed(cell)?);
            Ok(())
        },
    },
    Column { name: "state", write: write_state, read: read_state },
    Column {
        name: "disabled",
        write: |v| (if v.disabled { "true" } else { "" }).to_owned(),
        read: read_disabled,
    },
    Column {
        name: "create_time",
        write: |v| output::time(v.create_time.as_ref()),
        read: |cell, v| set_time(&mut v.create_time, cell),
    },
    Column {
        name: "assign_time",
        write: |v| output::time(v.assign_time.as_ref()),
        read: |cell, v| set_time(&mut v.assign_time, cell),
    },
    Column {
        name: "restored_until",
        write: |v| output::time(v.restored_until_time.as_ref()),
        read: |cell, v| set_time(&mut v.restored_until_time, cell),
    },
    Column {
        name: "batch",
        write: |v| v.batch.clone(),
        read: |cell, v| named(&mut v.batch, "batches", cell),
    },
    Column { name: "labels", write: write_labels, read: read_labels },
    Column { name: "name", write: |v| v.name.clone(), read: |cell, v| named(&mut v.name, "vouchers", cell) },
];

/// A row that could not be read, for people.
#[derive(Debug)]
pub struct Bad {
    /// Where it stands in the file.
    pub line: u64,
    /// Which column, and why.
    pub why: String,
}

/// The rows of a file, each with its line, and those that cannot be read.
pub type Read = (Vec<(u64, Voucher)>, Vec<Bad>);

/// Reads a file whose head has a column `code`.
///
/// # Errors
/// Where the head names a column twice, or one that nobody would look at.
pub fn read(path: &Path) -> Result<Read, Failure> {
    let mut rows = customers::csv_with(path, "code")?;
    let columns = columns(path, &mut rows)?;
    let (mut vouchers, mut bad) = (Vec::new(), Vec::new());
    for row in rows.records() {
        let row = match row {
            Err(error) if matches!(error.kind(), csv::ErrorKind::UnequalLengths { .. }) => {
                let line = error.position().map_or(0, csv::Position::line);
                bad.push(Bad { line, why: "has not as many cells as the head has columns".to_owned() });
                continue;
            }
            row => row.map_err(|error| Failure::at(path.display(), error))?,
        };
        let line = row.position().map_or(0, csv::Position::line);
        let mut voucher = Voucher::default();
        let cells = columns.iter().zip(&row).filter(|(_, cell)| !cell.is_empty());
        let wrong = cells
            .filter_map(|(column, cell)| {
                let why = (column.read)(cell, &mut voucher).err()?;
                Some(format!("column {}: {why}", column.name))
            })
            .collect::<Vec<_>>();
        match wrong.is_empty() {
            true => vouchers.push((line, voucher)),
            false => bad.push(Bad { line, why: wrong.join("; ") }),
        }
    }
    Ok((vouchers, bad))
}

fn columns(path: &Path, rows: &mut csv::Reader<File>) -> Result<Vec<&'static Column>, Failure> {
    let head = rows.headers().map_err(|error| Failure::at(path.display(), error))?;
    let mut columns: Vec<&'static Column> = Vec::new();
    for name in head {
        let known = COLUMNS.iter().find(|column| column.name == name).ok_or_else(|| {
            let all: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
            Failure::at(path.display(), format!("column `{name}` is not known; known are {}", all.join(", ")))
        })?;
        if columns.iter().any(|column| column.name == name) {
            return Err(Failure::at(path.display(), format!("column `{name}` stands there twice")));
        }
        columns.push(known);
    }
    Ok(columns)
}

fn set(field: &mut String, cell: &str) -> Result<(), String> {
    cell.clone_into(field);
    Ok(())
}

/// `customers/7`, or `7` alone.
fn named(field: &mut String, collection: &str, cell: &str) -> Result<(), String> {
    *field = crate::name::full(collection, cell);
    Ok(())
}

fn own(voucher: &mut Voucher) -> &mut Interval {
    voucher.validity.get_or_insert_default()
}

fn bound(voucher: &Voucher, of: fn(Interval) -> Option<prost_types::Timestamp>) -> String {
    output::time(voucher.validity.and_then(of).as_ref())
}

fn set_time(field: &mut Option<prost_types::Timestamp>, cell: &str) -> Result<(), String> {
    let at = cell.parse().map_err(|_| format!("`{cell}` is no moment: write 2026-12-31T23:00:00Z"))?;
    *field = Some(to_timestamp(at));
    Ok(())
}

fn number(cell: &str) -> Result<i64, String> {
    cell.parse().map_err(|_| format!("`{cell}` is no number"))
}

fn set_number(field: &mut i64, cell: &str) -> Result<(), String> {
    *field = number(cell)?;
    Ok(())
}

fn unless_zero(number: i64) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

const UNLIMITED: &str = "unlimited";

fn write_max_uses(voucher: &Voucher) -> String {
    let limit = voucher.max_uses.map(|most| most.to_string());
    limit.or(voucher.unlimited_uses.then(|| UNLIMITED.to_owned())).unwrap_or_default()
}

fn read_max_uses(cell: &str, voucher: &mut Voucher) -> Result<(), String> {
    voucher.unlimited_uses = cell == UNLIMITED;
    if !voucher.unlimited_uses {
        let wrong = |_| format!("`{cell}` is neither a number nor `{UNLIMITED}`");
        voucher.max_uses = Some(number(cell).map_err(wrong)?);
    }
    Ok(())
}

fn amount(money: Option<&Money>) -> String {
    money.map(|money| money::show(Some(money))).unwrap_or_default()
}

fn set_amount(field: &mut Option<Money>, cell: &str) -> Result<(), String> {
    *field = Some(money::read(cell)?);
    Ok(())
}

fn write_state(voucher: &Voucher) -> String {
    voucher.state().as_str_name().trim_start_matches("VOUCHER_STATE_").to_owned()
}

fn read_state(cell: &str, voucher: &mut Voucher) -> Result<(), String> {
    let known = VoucherState::from_str_name(&format!("VOUCHER_STATE_{}", cell.to_ascii_uppercase()));
    let state = known.filter(|state| *state != VoucherState::Unspecified);
    voucher.set_state(state.ok_or_else(|| format!("`{cell}` is no state"))?);
    Ok(())
}

fn read_disabled(cell: &str, voucher: &mut Voucher) -> Result<(), String> {
    voucher.disabled = match cell {
        "true" => true,
        "false" => false,
        _ => return Err(format!("`{cell}` is neither true nor false")),
    };
    Ok(())
}

fn write_labels(voucher: &Voucher) -> String {
    if voucher.labels.is_empty() { String::new() } else { serde_json::json!(voucher.labels).to_string() }
}

fn read_labels(cell: &str, voucher: &mut Voucher) -> Result<(), String> {
    let labels: Result<BTreeMap<String, String>, _> = serde_json::from_str(cell);
    voucher.labels =
        labels.map_err(|_| format!("`{cell}` is no object of texts: write {{\"channel\":\"print\"}}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("codes.csv");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let at = |text: &str| Some(to_timestamp(text.parse().unwrap()));
        let voucher = Voucher {
            name: "vouchers/Spring".to_owned(),
            code: "Spring".to_owned(),
            incentive: "incentives/ten-off".to_owned(),
            customer: "customers/7".to_owned(),
            source_id: "order 1, line 2".to_owned(),
            validity: Some(Interval { start_time: None, end_time: at("2026-12-31T23:00:00.5Z") }),
            max_uses: Some(3),
            uses: 2,
            initial_balance: Some(money::read("50.00 EUR").unwrap()),
            balance: Some(money::read("10.00 EUR").unwrap()),
            adjustments: Some(money::read_signed("-5.25 EUR").unwrap()),
            state: VoucherState::Exhausted.into(),
            create_time: at("2026-01-01T00:00:00Z"),
            assign_time: at("2026-01-02T00:00:00Z"),
            batch: "batches/b".to_owned(),
            labels: [("channel".to_owned(), "print, \"B\"".to_owned())].into(),
            disabled: true,
            restored_until_time: at("2027-01-01T00:00:00Z"),
            ..Voucher::default()
        };
        let mut rows = csv::Writer::from_writer(Vec::new());
        rows.write_record(COLUMNS.iter().map(|column| column.name)).unwrap();
        rows.write_record(COLUMNS.iter().map(|column| (column.write)(&voucher))).unwrap();
        let (_folder, path) = file(&String::from_utf8(rows.into_inner().unwrap()).unwrap());
        let (read, bad) = read(&path).unwrap();
        assert!(bad.is_empty());
        assert_eq!(read, [(2, voucher)]);
    }

    #[test]
    fn a_cell_that_cannot_be_read_fails_its_row_alone_and_an_absent_one_says_nothing() {
        let (_folder, path) = file("code,max_uses,valid_until\nA,x,tomorrow\nB,unlimited,\nC,,\n");
        let (read, bad) = read(&path).unwrap();
        assert_eq!(bad.len(), 1);
        assert_eq!(bad[0].line, 2);
        assert!(bad[0].why.contains("column max_uses") && bad[0].why.contains("column valid_until"));
        assert_eq!((read[0].1.max_uses, read[0].1.unlimited_uses), (None, true));
        assert_eq!((read[1].1.max_uses, read[1].1.unlimited_uses), (None, false));
    }

    #[test]
    fn a_column_that_nobody_would_look_at_is_refused_by_name() {
        let (_folder, path) = file("code,valid_untill\nA,\n");
        assert!(read(&path).unwrap_err().to_string().contains("column `valid_untill` is not known"));
        let (_folder, path) = file("code,code\nA,A\n");
        assert!(read(&path).unwrap_err().to_string().contains("`code` stands there twice"));
    }
}
