//! How large an answer may be.

use prost::Message;

/// What a list, a batch or a block of a stream holds at most, in bytes. Clients of every language read 4 MiB where nobody
/// told them otherwise; the rest is for what surrounds the items.
pub const ANSWER_BYTES: usize = 3 * 1024 * 1024;
/// Of each item: its tag and its length.
const AROUND: usize = 8;

/// As many of these as one answer holds, in their order: at least one.
pub fn fitting<M: Message>(messages: impl IntoIterator<Item = M>) -> Vec<M> {
    let (mut fit, mut bytes) = (Vec::new(), 0);
    for message in messages {
        bytes += message.encoded_len() + AROUND;
        if bytes > ANSWER_BYTES && !fit.is_empty() {
            break;
        }
        fit.push(message);
    }
    fit
}

/// The row behind which the next page begins, where the first `shown` of these rows are not all.
pub fn cut<T>(rows: &[T], shown: usize) -> Option<&T> {
    rows.get(shown.checked_sub(1)?).filter(|_| shown < rows.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_before_it_is_too_large_and_has_at_least_one() {
        let megabyte = || "m".repeat(1024 * 1024);
        assert_eq!(fitting(std::iter::repeat_with(megabyte).take(5)).len(), 2);
        assert_eq!(fitting(std::iter::repeat_with(megabyte).take(1)).len(), 1);
        assert_eq!(fitting(["m".repeat(5 * 1024 * 1024), String::new()]).len(), 1);
        assert_eq!(fitting(vec![String::new(); 1_000]).len(), 1_000);
    }

    #[test]
    fn the_next_page_begins_behind_the_last_row_that_was_shown() {
        assert_eq!(
            [0, 1, 2, 3].map(|shown| cut(&["a", "b", "c"], shown)),
            [None, Some(&"a"), Some(&"b"), None]
        );
    }
}
