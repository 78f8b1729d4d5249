//! Tables for people, JSON for programs.

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use prost_types::FileDescriptorSet;
use std::sync::OnceLock;

use crate::failure::Failure;

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// A table with a head.
pub fn table<C: Into<comfy_table::Cell>, const N: usize>(head: [C; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY).set_header(head);
    table
}

/// Numbers stand right.
pub fn right(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// A moment as people read it; absent is nothing.
pub fn time(at: Option<&prost_types::Timestamp>) -> String {
    let at = at.and_then(|at| jiff::Timestamp::new(at.seconds, at.nanos).ok());
    at.map_or_else(String::new, |at| at.to_string())
}

/// A message of the contracts as proto3 JSON, on one line.
pub fn json<M: Message>(name: &str, message: &M) -> Result<String, Failure> {
    let descriptor = pool()?
        .get_message_by_name(name)
        .ok_or_else(|| Failure::said(format!("{name} is not in the contracts")))?;
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
        .map_err(|error| Failure::at(name, error))?;
    serde_json::to_string(&dynamic).map_err(|error| Failure::at(name, error))
}

/// The same as a part of a larger document.
pub fn value<M: Message>(name: &str, message: &M) -> Result<serde_json::Value, Failure> {
    serde_json::from_str(&json(name, message)?).map_err(|error| Failure::at(name, error))
}

/// Every contract, and the details of errors. Payloads of events are looked up in it too.
pub fn pool() -> Result<&'static DescriptorPool, Failure> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    let all = || {
        let mut pool = DescriptorPool::decode(tandem_proto::DESCRIPTORS).ok()?;
        let mut details = FileDescriptorSet::decode(tonic_types::pb::FILE_DESCRIPTOR_SET).ok()?;
        // All it needs is in the contracts already, partly under other names.
        details.file.retain(|file| file.name() == "error_details.proto");
        pool.add_file_descriptor_set(details).ok()?;
        Some(pool)
    };
    POOL.get_or_init(all).as_ref().ok_or_else(|| Failure::said("the contracts cannot be read"))
}

/// A progress bar for long work, on standard error so that answers stay clean.
pub fn progress(total: u64, what: &str) -> indicatif::ProgressBar {
    let bar = indicatif::ProgressBar::new(total);
    if let Ok(style) = indicatif::ProgressStyle::with_template(
        "{msg} {bar:40} {human_pos}/{human_len} {percent}% {per_sec} {eta}",
    ) {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

/// The same for a file of so many bytes, which is told in rows beside it; of what has no size only rows are told.
pub fn reading(total: Option<u64>) -> indicatif::ProgressBar {
    let Some(total) = total else { return counter() };
    let bar = indicatif::ProgressBar::new(total);
    let form = "{msg} {bar:40} {bytes}/{total_bytes} {percent}% {eta}";
    bar.set_style(indicatif::ProgressStyle::with_template(form).unwrap_or_else(|_| bar.style()));
    bar
}

/// The same for work whose end nobody knows.
pub fn counter() -> indicatif::ProgressBar {
    indicatif::ProgressBar::new_spinner()
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::Any;
    use tandem_proto::relationship::v1::{ImportVouchersResponse, VoucherImportFailure};
    use tonic_types::pb::{ErrorInfo, Status};

    #[test]
    fn the_details_of_an_error_are_written_too() {
        let info = ErrorInfo { reason: "INVALID_CODE".to_owned(), ..ErrorInfo::default() };
        let type_url = "type.googleapis.com/google.rpc.ErrorInfo".to_owned();
        let details = vec![Any { type_url, value: info.encode_to_vec() }];
        let failure = VoucherImportFailure {
            status: Some(Status { details, ..Status::default() }),
            ..Default::default()
        };
        let answer = ImportVouchersResponse { failures: vec![failure], ..Default::default() };
        let written = json("tandem.relationship.v1.ImportVouchersResponse", &answer).unwrap();
        assert!(written.contains("INVALID_CODE"), "{written}");
    }
}
