//! Cells that a spreadsheet would run. Such a cell gets an apostrophe before it when it is written and loses it when it is read; so
//! does one that has an apostrophe there already, or what is read would not be what was written.

use std::borrow::Cow;

const MARK: char = '\'';

/// Whether a spreadsheet would run it, were there no apostrophe before it.
fn would_run(cell: &str) -> bool {
    cell.trim_start_matches(MARK).starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// As it is written.
pub fn escaped(cell: &str) -> Cow<'_, str> {
    if would_run(cell) { Cow::Owned(format!("{MARK}{cell}")) } else { Cow::Borrowed(cell) }
}

/// As it was meant.
pub fn meant(cell: &str) -> &str {
    cell.strip_prefix(MARK).filter(|rest| would_run(rest)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_a_spreadsheet_would_run_is_marked() {
        for cell in ["=1+1", "+43 660", "-5.00 EUR", "@me", "\tx", "\rx", "'=x"] {
            assert_eq!(escaped(cell), format!("'{cell}"));
        }
        for cell in ["", "'", "'s-Gravenhage", "a=b", "7", "\"=\""] {
            assert_eq!((escaped(cell).as_ref(), meant(cell)), (cell, cell));
        }
        assert_eq!(meant("+43 660"), "+43 660", "whoever writes no mark means none");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(cell in "['=+@\t\r a-]{0,6}") {
            let written = escaped(&cell);
            prop_assert_eq!(meant(&written), &cell);
            prop_assert!(!written.starts_with(['=', '+', '-', '@', '\t', '\r']));
        }
    }
}
