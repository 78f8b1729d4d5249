//! Rows on their way into a file.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use clap::Args;
use csv::{QuoteStyle, WriterBuilder};

use super::column::{ATTRIBUTE, Table};
use super::escape::escaped;
use super::source::STANDARD;
use crate::failure::Failure;
use crate::output::{self, Format};

/// Where an export goes.
#[derive(Debug, Clone, Args)]
pub struct To {
    /// The file; default, and `-`: standard output.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl To {
    fn open(&self) -> Result<Box<dyn Write>, Failure> {
        match self.file.as_deref().filter(|path| path.as_os_str() != STANDARD) {
            None => Ok(Box::new(BufWriter::new(io::stdout()))),
            Some(path) => {
                let file = File::create(path).map_err(|error| Failure::at(path.display(), error))?;
                Ok(Box::new(BufWriter::new(file)))
            }
        }
    }
}

/// Rows of CSV.
pub struct Rows<W: Write> {
    into: W,
    separator: u8,
}

impl<W: Write> Rows<W> {
    /// Into `into`.
    pub fn new(into: W, separator: u8) -> Self {
        Self { into, separator }
    }

    /// Writes a row. White space around a cell counts where it is quoted, so such rows are quoted as a whole.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write<C: AsRef<[u8]>>(&mut self, cells: &[C]) -> Result<(), Failure> {
        let spaced = |cell: &C| {
            let text = String::from_utf8_lossy(cell.as_ref());
            text.trim().len() != text.len()
        };
        // A row of one empty cell would be an empty line.
        let is_exact = cells.iter().any(spaced) || cells.len() == 1;
        let style = if is_exact { QuoteStyle::Always } else { QuoteStyle::Necessary };
        let mut builder = WriterBuilder::new();
        let builder = builder.delimiter(self.separator).quote_style(style).buffer_capacity(1024);
        let mut row = builder.from_writer(&mut self.into);
        row.write_record(cells).map_err(|error| Failure::said(error.to_string()))?;
        Ok(row.flush()?)
    }

    /// What it was written into.
    #[cfg(test)]
    pub fn into_inner(self) -> W {
        self.into
    }

    /// Hands everything on.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.into.flush()?)
    }
}

/// Opens a file to add rows to, or to begin anew.
///
/// # Errors
/// Where it cannot be written.
pub fn open(path: &Path, goes_on: bool) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    let options = if goes_on { options.append(true) } else { options.write(true).truncate(true) };
    options.create(true).open(path).map_err(|error| Failure::at(path.display(), error))
}

/// An export that goes on: rows of CSV under a head, or one message of the contract on each line.
pub struct Export<K: Table> {
    rows: Rows<Box<dyn Write>>,
    format: Format,
    /// Those that have columns of their own.
    attributes: Vec<String>,
    written: u64,
    bar: indicatif::ProgressBar,
    kind: PhantomData<K>,
}

impl<K: Table> Export<K> {
    /// Begins it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn begin(to: &To, format: Format, attributes: Vec<String>) -> Result<Self, Failure> {
        let (rows, bar) = (Rows::new(to.open()?, b','), output::counter());
        let mut export = Self { rows, format, attributes, written: 0, bar, kind: PhantomData };
        if format == Format::Table {
            let names = K::columns().iter().map(|column| column.name.to_owned());
            let own = export.attributes.iter().map(|name| format!("{ATTRIBUTE}{name}"));
            let head: Vec<String> = names.chain(own).collect();
            export.rows.write(&head)?;
        }
        Ok(export)
    }

    /// Writes these.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn write(&mut self, items: Vec<K::Item>) -> Result<(), Failure> {
        for mut item in items {
            self.written += 1;
            if self.format == Format::Json {
                writeln!(self.rows.into, "{}", output::json(K::MESSAGE, &item)?)?;
                continue;
            }
            let own = own(K::attributes(&mut item), &self.attributes);
            let cells = K::columns().iter().map(|column| (column.write)(&item)).chain(own);
            let cells: Vec<String> = cells.map(|cell| escaped(&cell).into_owned()).collect();
            self.rows.write(&cells)?;
        }
        self.bar.set_message(format!("{} {} written", indicatif::HumanCount(self.written), K::MANY));
        Ok(())
    }

    /// Ends it.
    ///
    /// # Errors
    /// Where something cannot be written.
    pub fn end(mut self) -> Result<(), Failure> {
        self.rows.flush()?;
        self.bar.finish();
        Ok(())
    }
}

/// The cells of attributes that have columns of their own; the others stay. So does one of white space: its cell would say nothing.
fn own(of: Option<&mut BTreeMap<String, String>>, names: &[String]) -> Vec<String> {
    let Some(of) = of else { return Vec::new() };
    let mut take = |name: &String| {
        let is_said = of.get(name).is_some_and(|value| !value.trim().is_empty());
        if is_said { of.remove(name) } else { None }
    };
    names.iter().map(|name| take(name).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_get_columns_of_their_own_where_a_cell_says_them() {
        let pairs = [("hat", "straw"), ("shoe", " "), ("size", "L")];
        let mut of: BTreeMap<String, String> =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let names = ["size", "none", "shoe"].map(str::to_owned);
        assert_eq!(own(Some(&mut of), &names), ["L", "", ""]);
        assert_eq!(of.into_keys().collect::<Vec<_>>(), ["hat", "shoe"]);
        assert!(own(None, &names).is_empty(), "codes have none");
    }

    #[test]
    fn rows_with_white_space_around_a_cell_are_quoted_and_an_empty_row_is_no_empty_line() {
        let mut rows = Rows::new(Vec::new(), b';');
        for row in [&["a", "b,c"][..], &["a ", "b"], &[""]] {
            rows.write(row).unwrap();
        }
        assert_eq!(rows.into_inner(), b"a;b,c\n\"a \";\"b\"\n\"\"\n");
    }
}
