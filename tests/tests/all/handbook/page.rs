//! A page as its examples see it: what is set up, what is typed, and what that prints.

use std::path::Path;

use crate::readme::{Block, blocks};

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Documents of a set-up: they are applied.
    Yaml,
    /// What is typed, and what it prints.
    Console,
    /// A formula or a picture: no example.
    Text,
}

impl Kind {
    pub fn of(language: &str) -> Option<Self> {
        match language {
            "yaml" => Some(Self::Yaml),
            "console" => Some(Self::Console),
            "text" => Some(Self::Text),
            _ => None,
        }
    }
}

/// A page with its blocks in their order.
pub struct Page {
    /// From the folder of the pages: `orders.md`.
    pub path: String,
    pub lines: usize,
    pub blocks: Vec<Block>,
}

/// What is done, and what has to come of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// These documents are applied.
    Apply(String),
    /// This is typed, and prints that.
    Type { command: String, prints: String },
}

impl Page {
    pub fn read(folder: &Path, path: &str) -> Self {
        let text = std::fs::read_to_string(folder.join(path)).unwrap();
        Self { path: path.to_owned(), lines: text.lines().count(), blocks: blocks(&text) }
    }

    /// Whether it has examples.
    pub fn is_run(&self) -> bool {
        self.examples() > 0
    }

    /// How many things are typed.
    pub fn examples(&self) -> usize {
        self.steps().iter().filter(|step| matches!(step, Step::Type { .. })).count()
    }

    /// Its name, which is that of its tenant too: pages do not meet.
    pub fn tenant(&self) -> String {
        self.path.trim_end_matches(".md").replace('/', "-")
    }

    /// Everything that is done, from the first block to the last.
    pub fn steps(&self) -> Vec<Step> {
        let step = |block: &Block| match Kind::of(&block.language) {
            Some(Kind::Yaml) => vec![Step::Apply(block.text.clone())],
            Some(Kind::Console) => typed(&self.path, &block.text),
            _ => Vec::new(),
        };
        self.blocks.iter().flat_map(step).collect()
    }
}

/// `$ ` begins what is typed, which a backslash at the end of a line goes on with; the rest is printed.
fn typed(path: &str, text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (None, Some(Step::Type { command, .. })) if goes_on => command.extend(["\n", line]),
            (Some(begun), _) => {
                steps.push(Step::Type { command: begun.to_owned(), prints: String::new() });
            }
            (None, Some(Step::Type { prints, .. })) => prints.extend([line, "\n"]),
            (None, _) => panic!("{path}: a console block begins with what is typed, not with {line:?}"),
        }
        goes_on = (goes_on || line.starts_with("$ ")) && line.ends_with('\\');
    }
    steps
}

#[test]
fn what_is_typed_goes_on_after_a_backslash_and_the_rest_is_printed() {
    let block = "$ a \\\n  b\nsaid\nmore\n$ c\n";
    let step =
        |command: &str, prints: &str| Step::Type { command: command.to_owned(), prints: prints.to_owned() };
    assert_eq!(typed("a.md", block), [step("a \\\n  b", "said\nmore\n"), step("c", "")]);
}
