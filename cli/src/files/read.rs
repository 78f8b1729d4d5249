//! From the rows of a file to what is sent of them: each with its line, and those that cannot be read with column and reason.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

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

/// The fields that a row changes; `None`: those that it says.
pub type Mask = Option<Arc<Vec<String>>>;

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
    pub mask: Mask,
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
    clears: Mask,
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
                Ok(row) if K::MASKED.is_some_and(|of| !keys.insert((of.name)(&row.item).to_owned())) => {
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
    fn mask(&self, item: &K::Item, mut said: Vec<String>) -> Mask {
        let Some(masked) = K::MASKED.filter(|_| self.clears.is_none()) else { return self.clears.clone() };
        let known = (masked.said)(item);
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

#[cfg(test)]
mod tests {
    use super::super::testing::{Read, read, read_by};
    use super::*;
    use crate::customers::table::Customers;

    fn told((_, refused): &Read<<Customers as Table>::Item>) -> Vec<(u64, &str, &str)> {
        refused.iter().map(|one| (one.line, one.column.as_str(), one.reason.as_str())).collect()
    }

    fn named(rows: &Read<<Customers as Table>::Item>) -> Vec<(u64, &str)> {
        let mut rows: Vec<_> = rows.0.iter().map(|row| (row.line, row.item.display_name.as_str())).collect();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn every_row_that_can_be_read_goes_in_and_every_other_is_told_by_line_column_and_reason() {
        let text = b"\xEF\xBB\xBFID;Display Name;birthday\r\n1;Ada;1990-02-28\r\n2;Jos\xE9;\r\n3;Bob\r\n\r\n\
            4;\"Eve\r\nII\";\r\n5;Ann;28.2.90\r\n;Nobody;\r\n6;Dan;;x\r\n7;Kim;;\r\n;;\r\n8;\"x\"y;\r\n9;Zoe;--02-29";
        let rows = read::<Customers>(&text[..]).unwrap();
        assert_eq!(named(&rows), [(2, "Ada"), (6, "Eve\r\nII"), (11, "Kim"), (14, "Zoe")]);
        let told = told(&rows);
        let places: Vec<_> = told.iter().map(|(line, column, _)| (*line, *column)).collect();
        let wanted = [(3, "display_name"), (4, ""), (8, "birthday"), (9, "id"), (10, ""), (13, "")];
        assert_eq!(places, wanted);
        for (at, part) in
            [(0, "--encoding windows-1252"), (1, "has 2 cells"), (2, "--date-format"), (4, "has 4 cells")]
        {
            assert!(told[at].2.contains(part), "{:?}", told[at]);
        }
        assert_eq!(rows.1[0].cells[1], b"Jos\xE9", "as it stands");
    }

    #[test]
    fn several_wrong_cells_of_a_row_are_told_together() {
        let rows = read::<Customers>("id,birthday,since_time\n1,x,y\n").unwrap();
        let (line, columns, reason) = told(&rows)[0];
        assert_eq!((line, columns), (2, "birthday, since_time"));
        assert!(reason.starts_with("birthday: `x`") && reason.contains("; since_time: `y`"), "{reason}");
    }

    #[test]
    fn the_head_is_told_of_all_that_is_wrong_with_it() {
        let said = |text: &str, attributes: &[&str]| {
            let attributes = attributes.iter().map(|name| (*name).to_owned()).collect();
            let change = Changing { attributes, ..Changing::default() };
            read_by::<Customers>(text, Forms::default(), &change).unwrap_err().to_string()
        };
        let wrong = said("email,E-Mail,EMAIL,attr.a,shoe size\n", &["Country", "hat"]);
        for part in [
            "column `E-Mail` is not known",
            "column `email` stands there twice",
            "column `shoe size` is not known",
            "the head has no column `id`",
            "--attributes: `Country` is a column of its own",
            "--attributes: the head has no column `hat`",
            "known columns are id, display_name, email",
            "attr.NAME",
        ] {
            assert!(wrong.contains(part), "{part}: {wrong}");
        }
        let twice = said("id,shoe_size,attr.shoe_size\n", &["shoe_size"]);
        assert!(twice.contains("`attr.shoe_size` stands there twice"), "{twice}");
        assert!(said("", &[]).contains("no head"));
        assert!(said("id,\"x\n", &[]).contains("the head cannot be read"));
    }

    #[test]
    fn an_empty_cell_says_nothing_and_what_a_row_does_not_say_all_itself_is_named() {
        let head = "id,country,attr.Shoe size,Hat,tags\n";
        let text = format!("{head}1,AT,,,\n2,AT,42,,\n3,,,straw,a\n4,,43,,\n");
        let mut change = Changing { attributes: vec!["hat".to_owned()], ..Changing::default() };
        let masks = |change: &Changing| -> Vec<(u64, Option<String>)> {
            let (rows, _) = read_by::<Customers>(text.as_str(), Forms::default(), change).unwrap();
            rows.iter().map(|row| (row.line, row.mask.as_ref().map(|paths| paths.join(" ")))).collect()
        };
        let named = |paths: &str| Some(paths.to_owned());
        let wanted = [
            (2, None),
            (5, named("attributes.Shoe size")),
            (4, named("attributes.hat tags")),
            (3, named("country attributes.Shoe size")),
        ];
        assert_eq!(masks(&change), wanted, "those with one mask stand together");
        change.clear_empty = true;
        let all = named("country attributes.Shoe size attributes.hat tags");
        assert!(masks(&change).iter().all(|(_, mask)| *mask == all));
        let (rows, _) = read_by::<Customers>(text.as_str(), Forms::default(), &change).unwrap();
        assert_eq!(rows[1].item.attributes["Shoe size"], "42");
    }

    #[test]
    fn an_id_that_comes_twice_is_sent_apart_and_rejects_columns_are_passed_over() {
        let text = "reject.line,reject.column,reject.reason,id,email\n3,email,bad,1,a@x.org\n4,,,1,b@x.org\n";
        let source = Source::of(std::io::Cursor::new(text.as_bytes().to_vec()), None, None).unwrap();
        let (forms, change) = (Forms::default(), Changing::default());
        let mut reader = Reader::<Customers>::of(source, forms, &change, Box::new(|_| Ok(()))).unwrap();
        let windows = std::iter::from_fn(|| reader.next().unwrap());
        let sizes: Vec<_> = windows.map(|window| (window.rows.len(), window.next_line)).collect();
        assert_eq!(sizes, [(1, 3), (1, 4)]);
    }
}
