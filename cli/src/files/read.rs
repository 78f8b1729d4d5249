//! From the rows of a file to what is sent of them: each with its line, and those that cannot be read with column and reason.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tandem_proto::requests::Partial as _;

use super::column::{self, Slot, Table};
use super::escape::meant;
use super::forms::Forms;
use super::source::{Source, Taken};
use super::text::{Row, Rows};
use crate::failure::Failure;

/// Separators that a file may have.
const SEPARATORS: &[u8] = b",;\t";
/// Rows that are sent together.
const WINDOW_ROWS: usize = 1_000;
/// Bytes of them.
const WINDOW_BYTES: usize = 1024 * 1024;

/// How a file is read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The file")]
pub struct Reading {
    /// CSV with a head, separated by `,`, `;` or tab; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
    /// Its encoding: windows-1252, utf-16le, …; default: UTF-8, or what its first bytes say.
    #[arg(long, value_name = "LABEL")]
    pub encoding: Option<String>,
    /// How it writes dates, as strptime reads them: `%d.%m.%Y`; default: 1990-02-28.
    #[arg(long, value_name = "FORM")]
    pub date_format: Option<String>,
    /// Where its dates are meant that say no time zone: Europe/Vienna.
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// Rows that are refused go here, as they stand, with line, column and reason: mend them and import this file.
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Goes on at this line, where an import broke off; --rejects is added to.
    #[arg(long, value_name = "LINE")]
    pub from_line: Option<u64>,
}

/// How what is there is changed.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "The file")]
pub struct Changing {
    /// An empty cell clears its field; otherwise it says nothing.
    #[arg(long)]
    pub clear_empty: bool,
    /// Columns that are attributes, beside those that are called `attr.NAME`.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub attributes: Vec<String>,
}

/// A row that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The line on which it begins.
    pub line: u64,
    /// As it stands.
    pub cells: Vec<Vec<u8>>,
    /// Where what is wrong stands, several with commas between them; empty where that is no column.
    pub column: String,
    /// What is wrong.
    pub reason: String,
}

/// A row to be sent.
#[derive(Debug, Clone)]
pub struct Sent<T> {
    /// The line on which it begins.
    pub line: u64,
    /// As it stands.
    pub cells: Vec<Vec<u8>>,
    /// What it says.
    pub item: T,
    /// What it changes, where that is not just what the item says.
    pub mask: Option<Arc<Vec<String>>>,
}

/// Rows that are sent and settled together.
#[derive(Debug)]
pub struct Window<T> {
    /// Those with one mask one after the other.
    pub rows: Vec<Sent<T>>,
    /// Those that could not be read.
    pub refused: Vec<Refused>,
    /// The line behind its last row begins here, or later.
    pub next_line: u64,
    /// Bytes of the file that were read with it.
    pub taken: u64,
}

/// How a kind takes its own rows in.
pub type Settle<T> = Box<dyn Fn(&mut T) -> Result<(), (&'static str, String)> + Send>;

/// The rows of a file.
pub struct Reader<K: Table> {
    rows: Rows,
    /// What its places are for.
    pub slots: Arc<Vec<Slot<K::Item>>>,
    /// Of its head, as it stands.
    pub head: Vec<Vec<u8>>,
    /// Its size, where that is known.
    pub total: Option<u64>,
    /// Whether what is written of its rows needs the mark of UTF-8.
    pub marked: bool,
    is_decoded: bool,
    taken: Taken,
    forms: Forms,
    clears: Option<Arc<Vec<String>>>,
    from_line: u64,
    settle: Settle<K::Item>,
    held: Option<Sent<K::Item>>,
}

impl<K: Table> Reader<K> {
    /// Opens a file and reads its head.
    ///
    /// # Errors
    /// Where the file cannot be read, or its head is wrong.
    pub fn open(how: &Reading, change: &Changing, settle: Settle<K::Item>) -> Result<Self, Failure> {
        let forms = Forms::new(how.date_format.as_deref(), how.time_zone.as_deref())?;
        let source = Source::open(&how.file, how.encoding.as_deref())?;
        let from_line = how.from_line.unwrap_or(0);
        let reader = Self::of(source, forms, change, settle)
            .map_err(|failure| Failure::at(how.file.display(), failure))?;
        Ok(Self { from_line, ..reader })
    }

    /// The same of what is open.
    ///
    /// # Errors
    /// As above.
    pub fn of(
        source: Source,
        forms: Forms,
        change: &Changing,
        settle: Settle<K::Item>,
    ) -> Result<Self, Failure> {
        let (is_decoded, total, taken) = (source.is_decoded, source.total, source.taken.clone());
        let marked = source.has_mark || is_decoded;
        let attributes = &change.attributes;
        let mut rows = Rows::new(source.text, SEPARATORS, |cells| column::seems::<K>(cells, attributes))?;
        let head = rows.next()?.ok_or_else(|| Failure::said("there is no head"))?;
        if let Some(why) = head.broken {
            return Err(Failure::said(format!("the head cannot be read: {why}")));
        }
        let slots = column::slots::<K>(&head.cells, attributes)?;
        let named = slots.iter().filter(|slot| slot.name() != K::KEY).filter_map(Slot::path);
        let clears = change.clear_empty.then(|| Arc::new(named.collect::<Vec<_>>()));
        let slots = Arc::new(slots);
        Ok(Self {
            rows,
            slots,
            head: head.cells,
            total,
            marked,
            is_decoded,
            taken,
            forms,
            clears: clears.filter(|paths| !paths.is_empty()),
            from_line: 0,
            settle,
            held: None,
        })
    }

    /// Between the cells of its rows.
    pub fn separator(&self) -> u8 {
        self.rows.separator
    }

    /// The next rows, as many as are sent together: each thing once, so that their order does not matter.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn next(&mut self) -> io::Result<Option<Window<K::Item>>> {
        let mut window = Window { rows: Vec::new(), refused: Vec::new(), next_line: 0, taken: 0 };
        let (mut bytes, mut keys) = (0, HashSet::new());
        while window.rows.len() + window.refused.len() < WINDOW_ROWS && bytes < WINDOW_BYTES {
            let row = match self.held.take() {
                Some(row) => Ok(row),
                None => match self.rows.next()? {
                    Some(row) if row.line < self.from_line || row.is_empty() => continue,
                    Some(row) => self.read(row),
                    None => break,
                },
            };
            match row {
                Err(refused) => {
                    bytes += refused.cells.iter().map(Vec::len).sum::<usize>();
                    window.next_line = refused.line + 1;
                    window.refused.push(refused);
                }
                Ok(row) if !keys.insert(self.key(&row.cells)) => {
                    self.held = Some(row);
                    break;
                }
                Ok(row) => {
                    bytes += row.cells.iter().map(Vec::len).sum::<usize>();
                    window.next_line = row.line + 1;
                    window.rows.push(row);
                }
            }
        }
        if window.rows.is_empty() && window.refused.is_empty() {
            return Ok(None);
        }
        window.rows.sort_by(|one, other| one.mask.cmp(&other.mask));
        window.taken = self.taken.bytes();
        Ok(Some(window))
    }

    /// What a row is about.
    fn key(&self, cells: &[Vec<u8>]) -> Vec<u8> {
        let at = self.slots.iter().position(|slot| slot.name() == K::KEY);
        at.and_then(|at| cells.get(at)).cloned().unwrap_or_default()
    }

    /// What a row says, or what is wrong with it, all of it.
    fn read(&self, row: Row) -> Result<Sent<K::Item>, Refused> {
        let Row { line, cells, broken } = row;
        let (wanted, count) = (self.slots.len(), cells.len());
        let is_longer = cells.iter().skip(wanted).any(|cell| !cell.is_empty());
        let lengths = || format!("has {count} cells, and the head has {wanted} columns");
        let broken = broken.map(str::to_owned).or_else(|| (count < wanted || is_longer).then(lengths));
        if let Some(why) = broken {
            return Err(refused(line, cells, vec![(String::new(), why)]));
        }
        let (mut item, mut said, mut wrong) = (K::Item::default(), Vec::new(), Vec::new());
        for (slot, cell) in self.slots.iter().zip(&cells) {
            match self.take(slot, cell, &mut item) {
                Ok(true) => said.extend(slot.path()),
                Ok(false) if slot.name() == K::KEY => wrong.push((slot.name(), "is needed".to_owned())),
                Ok(false) => {}
                Err(why) => wrong.push((slot.name(), why)),
            }
        }
        if wrong.is_empty()
            && let Err((column, why)) = (self.settle)(&mut item)
        {
            wrong.push((column.to_owned(), why));
        }
        match wrong.is_empty() {
            true => Ok(Sent { line, mask: self.mask(&item, said), cells, item }),
            false => Err(refused(line, cells, wrong)),
        }
    }

    /// Takes a cell in. Whether it says something.
    fn take(&self, slot: &Slot<K::Item>, cell: &[u8], item: &mut K::Item) -> Result<bool, String> {
        if matches!(slot, Slot::Reject) {
            return Ok(false);
        }
        let Ok(text) = std::str::from_utf8(cell) else {
            let shown = String::from_utf8_lossy(cell);
            return Err(format!(
                "`{shown}` is not UTF-8: say --encoding windows-1252, or whatever the file has"
            ));
        };
        if self.is_decoded && text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(format!("`{text}` cannot be read in this encoding: see --encoding"));
        }
        let text = meant(text);
        if text.trim().is_empty() {
            return Ok(false);
        }
        match slot {
            Slot::Nameless => return Err(format!("`{text}` stands in a column without a name")),
            Slot::Column(column) => (column.read)(text, &self.forms, item)?,
            Slot::Attribute(name) => {
                K::attributes(item)
                    .into_iter()
                    .for_each(|all| drop(all.insert(name.clone(), text.to_owned())));
            }
            Slot::Reject => {}
        }
        Ok(true)
    }

    /// What a row changes. Nothing is named where the item says it all itself: then its fields are those that it says.
    fn mask(&self, item: &K::Item, mut said: Vec<String>) -> Option<Arc<Vec<String>>> {
        if self.clears.is_some() || !K::IS_MASKED {
            return self.clears.clone();
        }
        let known = item.said();
        let key =
            K::columns().iter().find(|column| column.name == K::KEY).and_then(|column| column.fields.first());
        said.retain(|path| Some(&path.as_str()) != key);
        let tells = |path: &String| known.contains(&path.as_str());
        if said.iter().all(tells) { None } else { Some(Arc::new(said)) }
    }
}

/// One column and reason, or all of them with the column before each reason.
fn refused(line: u64, cells: Vec<Vec<u8>>, wrong: Vec<(String, String)>) -> Refused {
    let (column, reason) = together(wrong);
    Refused { line, cells, column, reason }
}

/// What is wrong with a row as two cells: where, and why. Where several things are wrong each why has its where.
pub fn together(mut wrong: Vec<(String, String)>) -> (String, String) {
    if wrong.len() == 1 {
        return wrong.swap_remove(0);
    }
    let mut columns: Vec<&str> = wrong.iter().map(|(column, _)| column.as_str()).collect();
    columns.retain(|column| !column.is_empty());
    columns.dedup();
    let reasons: Vec<String> = wrong
        .iter()
        .map(|(column, why)| if column.is_empty() { why.clone() } else { format!("{column}: {why}") })
        .collect();
    (columns.join(", "), reasons.join("; "))
}
