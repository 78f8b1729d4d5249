//! Rows of a text: cells between separators, quoted where they hold one, or a line break.
//!
//! The rows are cut here rather than by a library, because what is broken must fail alone. A reader that is generous with
//! quotes glues whatever stands behind one to its cell, and lets a quote that is never closed take the rest of the
//! file along; here such a row ends with its line, and the next one begins with the next. A test compares what is
//! whole with what the csv crate reads of it.

use std::collections::VecDeque;
use std::io::{self, BufRead};
use std::mem;

/// The longest row that is read.
const MAX_ROW_BYTES: usize = 1024 * 1024;

/// A row as it stands in a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// In the order of columns.
    pub cells: Vec<Vec<u8>>,
    /// Why it cannot be read, where it cannot; the cells are then what the first line seems to have.
    pub broken: Option<&'static str>,
}

impl Row {
    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        self.broken.is_none() && self.cells.iter().all(Vec::is_empty)
    }
}

/// A line without its end.
#[derive(Debug, Clone)]
struct Line {
    number: u64,
    text: Vec<u8>,
    /// The line break behind it, nothing at the end of the text.
    end: &'static [u8],
    /// It is longer than a row may be; this is its beginning.
    is_cut: bool,
}

/// The lines of a text, whichever line breaks it has.
struct Lines {
    from: Box<dyn BufRead + Send>,
    number: u64,
    /// To be read again.
    again: VecDeque<Line>,
}

impl Lines {
    fn next(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.again.pop_front() {
            return Ok(Some(line));
        }
        let (mut text, mut is_cut, mut any) = (Vec::new(), false, false);
        let end = loop {
            let read = self.from.fill_buf()?;
            if read.is_empty() {
                break &b""[..];
            }
            any = true;
            let found = read.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &read[..found.unwrap_or(read.len())];
            let room = MAX_ROW_BYTES.saturating_sub(text.len());
            is_cut |= part.len() > room;
            text.extend_from_slice(&part[..part.len().min(room)]);
            let (length, byte) = (part.len(), found.map(|at| read[at]));
            self.from.consume(length + usize::from(found.is_some()));
            match byte {
                Some(b'\n') => break b"\n",
                Some(_) if self.from.fill_buf()?.first() == Some(&b'\n') => {
                    self.from.consume(1);
                    break b"\r\n";
                }
                Some(_) => break b"\r",
                None => {}
            }
        };
        if !any {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(Line { number: self.number, text, end, is_cut }))
    }
}

/// Where the reading of a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the beginning of a cell.
    Start,
    Plain,
    Quoted,
    /// Behind a quote within quotes: the end, or the first half of one that is meant.
    Quote,
    /// Behind the end of quotes.
    Behind,
}

/// Cuts lines into cells.
struct Cutter {
    separator: u8,
    state: State,
    cells: Vec<Vec<u8>>,
    cell: Vec<u8>,
    is_quoted: bool,
}

impl Cutter {
    fn new(separator: u8) -> Self {
        Self { separator, state: State::Start, cells: Vec::new(), cell: Vec::new(), is_quoted: false }
    }

    /// Takes a line in. False where something stands behind the end of quotes.
    fn take(&mut self, line: &[u8]) -> bool {
        for &byte in line {
            self.state = match (self.state, byte) {
                (State::Quoted, b'"') => State::Quote,
                (State::Quoted, _) => self.keep(byte, State::Quoted),
                (State::Quote, b'"') => self.keep(byte, State::Quoted),
                (_, _) if byte == self.separator => self.end_cell(),
                (State::Start, b'"') => {
                    self.is_quoted = true;
                    State::Quoted
                }
                (State::Quote | State::Behind, b' ' | b'\t') => State::Behind,
                (State::Quote | State::Behind, _) => return false,
                (State::Start | State::Plain, _) => self.keep(byte, State::Plain),
            };
        }
        true
    }

    fn keep(&mut self, byte: u8, next: State) -> State {
        self.cell.push(byte);
        next
    }

    fn end_cell(&mut self) -> State {
        let cell = mem::take(&mut self.cell);
        // Whoever quotes means every character.
        self.cells.push(if mem::take(&mut self.is_quoted) { cell } else { trimmed(&cell).to_vec() });
        State::Start
    }
}

/// Without white space around it: of a text by what Unicode calls white space, of anything else by ASCII.
fn trimmed(cell: &[u8]) -> &[u8] {
    std::str::from_utf8(cell).map_or_else(|_| cell.trim_ascii(), |text| text.trim().as_bytes())
}

/// The rows of a text.
pub struct Rows {
    lines: Lines,
    /// Between cells.
    pub separator: u8,
}

impl Rows {
    /// Of `text`, with the separator of `choices` under which its first line seems best.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn new(
        text: Box<dyn BufRead + Send>,
        choices: &[u8],
        seems: impl Fn(&[Vec<u8>]) -> usize,
    ) -> io::Result<Self> {
        let mut lines = Lines { from: text, number: 0, again: VecDeque::new() };
        let separator = choices.first().copied().unwrap_or(b',');
        let Some(first) = first(&mut lines)? else { return Ok(Self { lines, separator }) };
        // What spreadsheets write above a head.
        if let Some([separator]) = first.text.strip_prefix(b"sep=") {
            return Ok(Self { lines, separator: *separator });
        }
        let under = |separator: u8| {
            let mut cutter = Cutter::new(separator);
            let is_whole = cutter.take(&first.text);
            cutter.end_cell();
            if is_whole { seems(&cutter.cells) } else { 0 }
        };
        // The first of the best.
        let best = choices.iter().copied().rev().max_by_key(|separator| under(*separator));
        lines.again.push_front(first);
        Ok(Self { lines, separator: best.unwrap_or(separator) })
    }

    /// The next row; lines with nothing on them are none.
    ///
    /// # Errors
    /// Where the text cannot be read.
    pub fn next(&mut self) -> io::Result<Option<Row>> {
        let Some(first) = first(&mut self.lines)? else { return Ok(None) };
        if first.is_cut {
            return Ok(Some(self.broken(first, "the line is longer than 1 MiB")));
        }
        let mut cutter = Cutter::new(self.separator);
        let (mut bytes, mut more) = (0, Vec::<Line>::new());
        let broken = loop {
            let line = more.last().unwrap_or(&first);
            bytes += line.text.len() + line.end.len();
            if !cutter.take(&line.text) {
                break "something stands behind the quote that ends a cell; a quote within quotes is written twice";
            }
            if cutter.state != State::Quoted {
                cutter.end_cell();
                return Ok(Some(Row { line: first.number, cells: cutter.cells, broken: None }));
            }
            cutter.cell.extend_from_slice(line.end);
            let next = if bytes < MAX_ROW_BYTES { self.lines.next()? } else { None };
            match next.filter(|_| !line.is_cut) {
                Some(next) => more.push(next),
                None => break "a quote is opened and never closed",
            }
        };
        more.into_iter().rev().for_each(|line| self.lines.again.push_front(line));
        Ok(Some(self.broken(first, broken)))
    }

    fn broken(&self, line: Line, why: &'static str) -> Row {
        Row { line: line.number, cells: cut(&line.text, self.separator), broken: Some(why) }
    }
}

/// The next line with something on it.
fn first(lines: &mut Lines) -> io::Result<Option<Line>> {
    loop {
        match lines.next()? {
            Some(line) if line.text.trim_ascii().is_empty() => {}
            line => return Ok(line),
        }
    }
}

/// The cells of one line, as they seem to be.
fn cut(line: &[u8], separator: u8) -> Vec<Vec<u8>> {
    let mut cutter = Cutter::new(separator);
    if !cutter.take(line) || cutter.state == State::Quoted {
        return line.split(|byte| *byte == separator).map(|cell| trimmed(cell).to_vec()).collect();
    }
    cutter.end_cell();
    cutter.cells
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn rows(text: &[u8]) -> Vec<Row> {
        // In small pieces, so that whatever lies across two of them is read too.
        let text = io::BufReader::with_capacity(3, Cursor::new(text.to_vec()));
        let mut rows = Rows::new(Box::new(text), b",", |_| 0).unwrap();
        std::iter::from_fn(|| rows.next().unwrap()).collect()
    }

    fn told(text: &str) -> Vec<(u64, String, bool)> {
        let cells = |row: &Row| {
            let cells: Vec<_> =
                row.cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
            cells.join("|")
        };
        rows(text.as_bytes()).iter().map(|row| (row.line, cells(row), row.broken.is_some())).collect()
    }

    fn whole(line: u64, cells: &str) -> (u64, String, bool) {
        (line, cells.to_owned(), false)
    }

    #[test]
    fn a_row_is_told_by_the_line_on_which_it_begins_whichever_line_breaks_there_are() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "", "1,\"x", "y\"", " \t", "2,z"].join(end);
            let broken = format!("1|x{end}y");
            assert_eq!(told(&text), [whole(1, "a|b"), whole(3, &broken), whole(6, "2|z")], "{end:?}");
        }
    }

    #[test]
    fn white_space_around_a_cell_goes_unless_it_is_quoted() {
        assert_eq!(told(" a , \u{a0}b\t,\" c \" ,"), [whole(1, "a|b| c |")]);
        assert_eq!(told("5\" pipe,\"a \"\"b\"\"\",\"\""), [whole(1, "5\" pipe|a \"b\"|")]);
    }

    #[test]
    fn a_quote_that_is_broken_spoils_its_own_line_alone() {
        let text = "1,\"open\n2,b\n3,\"x\" y\n4,\"c\nd\"\n5,\"never\n6,e\n";
        let lines: Vec<(u64, bool)> = told(text).iter().map(|(line, _, broken)| (*line, *broken)).collect();
        assert_eq!(lines, [(1, true), (2, false), (3, true), (4, false), (6, true), (7, false)]);
        assert_eq!(told("1,\"a\"b,c")[0].1, "1|\"a\"b|c", "what seems to be there is kept");
        let long = format!("1,\"open\n{}2,b\n", "x,y\n".repeat(MAX_ROW_BYTES / 2));
        let found = rows(long.as_bytes());
        assert!(found[0].broken.is_some() && found[1..].iter().all(|row| row.broken.is_none()));
        assert_eq!(found.last().unwrap().cells, [b"2", b"b"]);
        let long = format!("1,{}\n2,b\n", "x".repeat(3 * MAX_ROW_BYTES));
        let found = rows(long.as_bytes());
        assert_eq!((found.len(), found[0].broken.is_some(), found[1].line), (2, true, 2));
    }

    #[test]
    fn the_separator_is_the_one_under_which_the_head_seems_best() {
        let of = |text: &str| {
            let text = Box::new(Cursor::new(text.to_owned().into_bytes()));
            Rows::new(text, b",;\t", |cells| cells.len()).unwrap().separator
        };
        assert_eq!(
            [of("a,b"), of("\na;b;c,d\n"), of("a\tb"), of("a"), of("")],
            [b',', b';', b'\t', b',', b',']
        );
        assert_eq!([of("\"a;b;c\",d"), of("sep=;\na,b,c"), of("sep=|\na")], [b',', b';', b'|']);
    }

    proptest! {
        #[test]
        fn what_is_whole_is_read_as_the_csv_crate_reads_it(
            rows in proptest::collection::vec(proptest::collection::vec("[ab\",;\n\r é]{0,6}", 2..4), 1..5),
            always in any::<bool>(),
        ) {
            let style = if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
            let mut writer = csv::WriterBuilder::new().quote_style(style).flexible(true).from_writer(Vec::new());
            rows.iter().for_each(|row| writer.write_record(row).unwrap());
            let text = writer.into_inner().unwrap();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&text[..]);
            let trim = |cell: &[u8]| if always { cell.to_vec() } else { trimmed(cell).to_vec() };
            let wanted: Vec<Vec<Vec<u8>>> =
                reader.byte_records().map(|row| row.unwrap().iter().map(trim).collect()).collect();
            let read = super::tests::rows(&text);
            prop_assert!(read.iter().all(|row| row.broken.is_none()));
            let all_quoted = |cell: &Vec<u8>| always || trimmed(cell) == &cell[..];
            if rows.iter().flatten().all(|cell| all_quoted(&cell.clone().into_bytes())) {
                let read: Vec<Vec<Vec<u8>>> = read.into_iter().map(|row| row.cells).collect();
                prop_assert_eq!(read, wanted);
            }
        }
    }
}
