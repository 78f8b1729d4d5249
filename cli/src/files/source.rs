//! Where rows come from: a file or standard input, in whatever encoding, as the bytes of UTF-8.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs::{Encoding, REPLACEMENT, UTF_8};
use encoding_rs_io::DecodeReaderBytesBuilder;

use crate::failure::Failure;

/// Stands for standard input or output.
pub const STANDARD: &str = "-";
/// What is read at once.
const BUFFER: usize = 64 * 1024;
const LONGEST_BOM: u64 = 3;

/// What is read from.
pub struct Source {
    /// UTF-8; where it was read as it is, perhaps with bytes that are none.
    pub text: Box<dyn BufRead + Send>,
    /// It was in another encoding: what that could not read is U+FFFD.
    pub is_decoded: bool,
    /// It began with the mark of UTF-8.
    pub has_mark: bool,
    /// Its size in bytes, where that is known.
    pub total: Option<u64>,
    /// Bytes that have been taken from it.
    pub taken: Taken,
}

/// How far a source was read.
#[derive(Debug, Clone, Default)]
pub struct Taken(Arc<AtomicU64>);

impl Taken {
    /// In bytes.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts what is read.
struct Counted<R>(R, Taken);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(into)?;
        self.1.0.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Source {
    /// Opens `path`, or standard input for `-`. A mark at its beginning says the encoding, else `label` does, else it is UTF-8.
    ///
    /// # Errors
    /// Where it cannot be read, or nobody knows the encoding.
    pub fn open(path: &Path, label: Option<&str>) -> Result<Self, Failure> {
        let wanted = label.map(encoding).transpose()?;
        if path.as_os_str() == STANDARD {
            return Ok(Self::of(io::stdin(), None, wanted)?);
        }
        let at = |error| Failure::at(path.display(), error);
        let file = File::open(path).map_err(at)?;
        let about = file.metadata().map_err(at)?;
        Self::of(file, about.is_file().then_some(about.len()), wanted).map_err(at)
    }

    /// The same of what is open.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn of(
        from: impl Read + Send + 'static,
        total: Option<u64>,
        wanted: Option<&'static Encoding>,
    ) -> io::Result<Self> {
        let taken = Taken::default();
        let mut from = Counted(from, taken.clone());
        let mut start = Vec::new();
        from.by_ref().take(LONGEST_BOM).read_to_end(&mut start)?;
        let mark = Encoding::for_bom(&start);
        let encoding = mark.map(|(encoding, _)| encoding).or(wanted).unwrap_or(UTF_8);
        let has_mark = mark.is_some_and(|(encoding, _)| encoding == UTF_8);
        let is_decoded = encoding != UTF_8;
        let text: Box<dyn BufRead + Send> = if is_decoded {
            let whole = Cursor::new(start).chain(from);
            let decoded = DecodeReaderBytesBuilder::new().encoding(Some(encoding)).build(whole);
            Box::new(BufReader::with_capacity(BUFFER, decoded))
        } else {
            let rest = start.split_off(if has_mark { start.len() } else { 0 });
            Box::new(BufReader::with_capacity(BUFFER, Cursor::new(rest).chain(from)))
        };
        Ok(Self { text, is_decoded, has_mark, total, taken })
    }
}

/// The encoding of a label, as the web knows them.
fn encoding(label: &str) -> Result<&'static Encoding, Failure> {
    let known = Encoding::for_label(label.as_bytes()).filter(|known| *known != REPLACEMENT);
    known.ok_or_else(|| {
        let known =
            "windows-1252, iso-8859-15, macintosh, utf-16le, windows-1250, koi8-r, shift_jis, gbk, big5";
        Failure::at(
            "--encoding",
            format!("`{label}` is no encoding that is known here; known are {known}, …"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], label: Option<&str>) -> (Vec<u8>, bool) {
        let wanted = label.map(|label| encoding(label).unwrap());
        let mut source = Source::of(Cursor::new(bytes.to_vec()), None, wanted).unwrap();
        let mut text = Vec::new();
        source.text.read_to_end(&mut text).unwrap();
        assert_eq!(source.taken.bytes(), bytes.len() as u64);
        (text, source.is_decoded)
    }

    #[test]
    fn a_mark_says_the_encoding_then_the_label_then_it_is_utf_8_as_it_stands() {
        assert_eq!(read("é".as_bytes(), None), ("é".into(), false));
        assert_eq!(read(b"\xEF\xBB\xBF\xC3\xA9", None), ("é".into(), false));
        assert_eq!(read(b"\xE9", None), (b"\xE9".to_vec(), false), "told by whoever reads the row");
        assert_eq!(read(b"\xE9\x80", Some("windows-1252")), ("é€".into(), true));
        assert_eq!(read(b"\xE9", Some("Latin1")), ("é".into(), true));
        assert_eq!(read(b"\xEF\xBB\xBF\xC3\xA9", Some("windows-1252")), ("é".into(), false));
        assert_eq!(read(b"\xFF\xFE\xE9\0", None), ("é".into(), true));
        assert_eq!(read(b"\xFE\xFF\0\xE9", Some("utf-8")), ("é".into(), true));
        assert_eq!(read(b"\xE9\0", Some("utf-16le")), ("é".into(), true));
        assert_eq!(read(b"a\x81", Some("shift_jis")).0, "a\u{FFFD}".as_bytes());
        assert_eq!(read(b"", None), (Vec::new(), false));
        assert_eq!(read(b"x", None), (b"x".to_vec(), false));
    }

    #[test]
    fn an_encoding_that_nobody_knows_is_refused_with_examples() {
        for label in ["utf-7", "iso-2022-kr", "latin-99"] {
            let said = encoding(label).unwrap_err().to_string();
            assert!(said.contains(label) && said.contains("windows-1252"), "{said}");
        }
    }
}
