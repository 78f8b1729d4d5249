//! Text as Markdown, and links from page to page.

/// The top of the tree, where what is not in the handbook is read.
pub const TREE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main");

/// What is said at the head of every page, so that nobody mends it by hand.
pub fn written(from: &str) -> String {
    format!("<!-- Written from {from} by `tandem handbook`: do not mend it here. -->\n\n")
}

/// A comment as Markdown: paragraphs and lists as they are, and what would be markup as the text it is. Lines after the first
/// are indented by so many spaces.
pub fn prose(comment: &str, indent: usize) -> String {
    let mut lines = comment.lines().map(|line| escaped(line.strip_prefix(' ').unwrap_or(line)));
    let first = lines.next().unwrap_or_default();
    let spaces = " ".repeat(indent);
    lines.fold(first, |text, line| {
        let line = line.trim_end();
        if line.is_empty() { text + "\n" } else { format!("{text}\n{spaces}{line}") }
    })
}

/// A comment in one line, for a cell of a table.
pub fn cell(comment: &str) -> String {
    let words: Vec<&str> = comment.split_whitespace().collect();
    escaped(&words.join(" ")).replace('|', "\\|")
}

/// The first sentence of a comment.
pub fn first_sentence(comment: &str) -> String {
    let text = comment.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    let end = text.find(". ").map_or(text.len(), |end| end + 1);
    escaped(&text[..end])
}

/// Without markup of its own, code in backticks apart.
fn escaped(line: &str) -> String {
    let mut text = String::new();
    let mut is_code = false;
    let mut before = ' ';
    let mut rest = line.chars().peekable();
    while let Some(one) = rest.next() {
        is_code ^= one == '`';
        let inside_word = before.is_alphanumeric() && rest.peek().is_some_and(|next| next.is_alphanumeric());
        let is_markup = matches!(one, '*' | '<' | '[' | ']') || (one == '_' && !inside_word);
        if is_markup && !is_code {
            text.push('\\');
        }
        text.push(one);
        before = one;
    }
    text
}

/// The way from one page to another, both below the same folder; nothing where they are one.
pub fn way(from: &str, to: &str) -> String {
    if from == to {
        return String::new();
    }
    let (from, to): (Vec<&str>, Vec<&str>) = (from.split('/').collect(), to.split('/').collect());
    let shared = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
    let up = from.len() - 1 - shared.min(from.len() - 1);
    "../".repeat(up) + &to[shared.min(to.len() - 1)..].join("/")
}

/// The anchor of a heading that is one name.
pub fn anchor(name: &str) -> String {
    name.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_markup_stays_the_text_it_is() {
        assert_eq!(
            prose(" named, \"*\" names all\n of [start, end)", 2),
            "named, \"\\*\" names all\n  of \\[start, end)"
        );
        assert_eq!(
            prose(" `map<string, A>` of snake_case, \"_\"", 0),
            "`map<string, A>` of snake_case, \"\\_\""
        );
        assert_eq!(prose(" a\n\n b", 2), "a\n\n  b");
        assert_eq!(cell(" a | b\n c"), "a \\| b c");
        assert_eq!(first_sentence(" One\n line. Another."), "One line.");
    }

    #[test]
    fn a_link_goes_the_shortest_way() {
        assert_eq!(way("api/campaign/order.md", "api/campaign/order.md"), "");
        assert_eq!(way("api/campaign/order.md", "api/campaign/mix.md"), "mix.md");
        assert_eq!(way("api/campaign/order.md", "api/common/money.md"), "../common/money.md");
        assert_eq!(way("api/campaign/order.md", "errors.md"), "../../errors.md");
        assert_eq!(way("events.md", "api/campaign/order.md"), "api/campaign/order.md");
    }
}
