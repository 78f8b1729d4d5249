//! Rows that were refused: into a file that can be mended and imported, or the first of them to whoever waits.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::read::{Reading, Refused};
use super::write::{Rows, open};
use crate::failure::Failure;

/// Before the head of a file.
const COLUMNS: [&str; 3] = ["reject.line", "reject.column", "reject.reason"];
/// Rows that are told where they go into no file.
const TOLD: usize = 20;
/// What a file begins with that says of itself that it is UTF-8.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Where refused rows go.
pub struct Rejects {
    file: Option<(PathBuf, Rows<BufWriter<File>>)>,
    told: Vec<String>,
    /// Columns of the head that an earlier import had added.
    added: Vec<bool>,
    /// All of them.
    pub count: u64,
}

/// What the file of rejects has of the one that is imported.
pub struct Like<'a> {
    /// Its head.
    pub head: &'a [Vec<u8>],
    /// Its separator.
    pub separator: u8,
    /// Whether it begins with a mark.
    pub marked: bool,
    /// Which columns are an earlier import's.
    pub added: Vec<bool>,
}

impl Rejects {
    /// Opens the file of --rejects, where there is one.
    ///
    /// # Errors
    /// Where it cannot be written, or is what is imported.
    pub fn open(how: &Reading, like: Like<'_>) -> Result<Self, Failure> {
        let mut rejects = Self { file: None, told: Vec::new(), added: like.added, count: 0 };
        let Some(path) = &how.rejects else { return Ok(rejects) };
        if is_same(path, &how.file) {
            return Err(Failure::said("--rejects: this is the file that is imported; name another one"));
        }
        let goes_on = how.from_line.is_some() && path.metadata().is_ok_and(|about| about.len() > 0);
        let mut file = BufWriter::new(open(path, goes_on)?);
        if like.marked && !goes_on {
            file.write_all(MARK)?;
        }
        let mut rows = Rows::new(file, like.separator);
        if !goes_on {
            let own = COLUMNS.iter().map(|name| name.as_bytes());
            rows.write(&own.chain(rejects.kept(like.head)).collect::<Vec<_>>())?;
            rows.flush()?;
        }
        rejects.file = Some((path.clone(), rows));
        Ok(rejects)
    }

    /// Keeps these rows, in the order of their lines.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn keep(&mut self, mut refused: Vec<Refused>) -> Result<(), Failure> {
        refused.sort_by_key(|one| one.line);
        self.count += refused.len() as u64;
        for one in &refused {
            if let Some((_, rows)) = &mut self.file {
                let line = one.line.to_string();
                let own = [line.as_bytes(), one.column.as_bytes(), one.reason.as_bytes()];
                let kept = kept(&self.added, &one.cells);
                rows.write(&own.into_iter().chain(kept).collect::<Vec<_>>())?;
            } else if self.told.len() < TOLD {
                let column = if one.column.is_empty() { String::new() } else { format!("{}: ", one.column) };
                // Several columns stand before their reasons already.
                let column = if one.column.contains(", ") { "" } else { &column };
                self.told.push(format!("line {}: {column}{}", one.line, one.reason));
            }
        }
        match &mut self.file {
            Some((_, rows)) if !refused.is_empty() => rows.flush(),
            _ => Ok(()),
        }
    }

    /// What to tell of them: each on a line.
    pub fn told(&self) -> Vec<String> {
        let more = self.count - self.told.len() as u64;
        let last = match &self.file {
            _ if self.count == 0 => None,
            Some((path, _)) => Some(format!("mend them in {} and import that", path.display())),
            None if more > 0 => Some(format!("and {more} more; --rejects FILE keeps them all")),
            None => None,
        };
        self.told.iter().cloned().chain(last).collect()
    }

    fn kept<'c>(&self, cells: &'c [Vec<u8>]) -> impl Iterator<Item = &'c [u8]> + use<'c> {
        kept(&self.added, cells)
    }
}

/// The cells without those that an earlier import had added.
fn kept<'c>(added: &[bool], cells: &'c [Vec<u8>]) -> impl Iterator<Item = &'c [u8]> + use<'c> {
    let added = added.to_vec();
    let kept = move |at: &usize| !added.get(*at).copied().unwrap_or(false);
    cells.iter().enumerate().filter(move |(at, _)| kept(at)).map(|(_, cell)| cell.as_slice())
}

fn is_same(one: &Path, other: &Path) -> bool {
    one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}
