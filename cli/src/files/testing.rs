//! Files as tests write and read them.

use std::io::Cursor;

use super::column::Table;
use super::escape::escaped;
use super::forms::Forms;
use super::read::{Changing, Reader, Refused, Sent};
use super::source::Source;
use super::write::Rows;
use crate::failure::Failure;

/// What is read of a file: the rows that are sent, and those that are refused.
pub type Read<T> = (Vec<Sent<T>>, Vec<Refused>);

/// Reads a text as a file of this kind.
pub fn read<K: Table>(text: impl Into<Vec<u8>>) -> Result<Read<K::Item>, Failure> {
    read_by::<K>(text, Forms::default(), &Changing::default())
}

/// The same as these flags say.
pub fn read_by<K: Table>(
    text: impl Into<Vec<u8>>,
    forms: Forms,
    change: &Changing,
) -> Result<Read<K::Item>, Failure> {
    let source = Source::of(Cursor::new(text.into()), None, None)?;
    let mut reader = Reader::<K>::of(source, forms, change, Box::new(|_| Ok(())))?;
    let (mut sent, mut refused) = (Vec::new(), Vec::new());
    while let Some(window) = reader.next()? {
        sent.extend(window.rows);
        refused.extend(window.refused);
    }
    Ok((sent, refused))
}

/// What items are once they were written into a file and read again. One file with all columns.
pub fn there_and_back<K: Table>(items: &[K::Item]) -> Vec<K::Item> {
    let mut rows = Rows::new(Vec::new(), b',');
    let head: Vec<&str> = K::columns().iter().map(|column| column.name).collect();
    rows.write(&head).unwrap();
    for item in items {
        let cells = K::columns().iter().map(|column| (column.write)(item));
        let cells: Vec<String> = cells.map(|cell| escaped(&cell).into_owned()).collect();
        assert!(cells.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])), "{cells:?}");
        rows.write(&cells).unwrap();
    }
    let (mut sent, refused) = read::<K>(rows.into_inner()).unwrap();
    assert_eq!(refused, []);
    sent.sort_by_key(|row| row.line);
    sent.into_iter().map(|row| row.item).collect()
}
