//! What clients/README.md shows of each client stands in the program.

use std::fs;

use crate::architecture::root;
use crate::readme::blocks;

const PROGRAMS: [(&str, &str); 5] = [
    ("go", "go/main.go"),
    ("java", "java/src/main/java/shop/Main.java"),
    ("python", "python/main.py"),
    ("rust", "rust/src/main.rs"),
    ("typescript", "typescript/main.ts"),
];

/// Lines without what they are all indented by.
fn flush(text: &str) -> String {
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let indent = lines().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    text.lines().map(|line| line.get(indent..).unwrap_or("").to_owned() + "\n").collect()
}

#[test]
fn the_lines_that_are_shown_of_a_client_stand_in_its_program() {
    let folder = root().join("clients");
    let blocks = blocks(&fs::read_to_string(folder.join("README.md")).unwrap());
    for (language, program) in PROGRAMS {
        let shown: Vec<_> = blocks.iter().filter(|block| block.language == language).collect();
        assert_eq!(shown.len(), 1, "clients/README.md shows one passage in {language}");
        let text = &shown[0].text;
        let count = text.lines().count();
        assert!((6..=13).contains(&count), "{language}: some ten lines, not {count}");
        let source = fs::read_to_string(folder.join(program)).unwrap();
        let lines: Vec<&str> = source.lines().collect();
        let passage = |window: &&[&str]| flush(&window.join("\n")) == *text;
        assert!(lines.windows(count).any(|window| passage(&window)), "{program} has no such lines:\n{text}");
    }
}
