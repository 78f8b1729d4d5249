//! As much of a shell as README.md uses: words, quotes, variables, `NAME=$(…)`, and `grpcurl … | jq -r .field`. What it does
//! not know, it does not pass over: it panics.

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

use serde_json::Value;

use super::call::call;

/// What has been set.
#[derive(Debug, Default)]
pub struct Shell(HashMap<String, String>);

impl Shell {
    /// Runs every command of `text`; answers the methods that were called and what they answered.
    pub async fn run(&mut self, text: &str) -> Vec<(String, Value)> {
        let mut answers = Vec::new();
        for command in commands(text) {
            let (name, command) = match assignment(&command) {
                Some((name, inner)) => (Some(name.to_owned()), inner.to_owned()),
                None => (None, command),
            };
            let (method, answer, printed) = self.pipe(&command).await;
            if let Some(name) = name {
                self.0.insert(name, printed);
            }
            answers.push((method, answer));
        }
        answers
    }

    /// `grpcurl -plaintext -d BODY ADDRESS METHOD`, perhaps with `| jq -r .FIELD`: the method, its answer, and what is
    /// printed.
    async fn pipe(&self, command: &str) -> (String, Value, String) {
        let words = self.words(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (call_words, filter) = match words.iter().position(|word| *word == "|") {
            Some(at) => (&words[..at], Some(&words[at + 1..])),
            None => (&words[..], None),
        };
        let ["grpcurl", "-plaintext", "-d", body, address, method] = call_words else {
            panic!("not a call that is known here: {command}");
        };
        let answer = call(address, method, body).await;
        let printed = match filter {
            None => answer.to_string(),
            Some(["jq", "-r", field]) => {
                let pointer = field.replace('.', "/");
                let found = answer.pointer(&pointer).and_then(Value::as_str);
                found.unwrap_or_else(|| panic!("{field} is not in {answer}")).to_owned()
            }
            Some(other) => panic!("not a filter that is known here: {other:?}"),
        };
        ((*method).to_owned(), answer, printed)
    }

    /// Words after quotes and variables. Without globs, and a variable is one word: none here holds a space.
    fn words(&self, command: &str) -> Vec<String> {
        let (mut words, mut word): (Vec<String>, Option<String>) = (Vec::new(), None);
        let mut rest = command.chars().peekable();
        let mut quoted = false;
        while let Some(one) = rest.next() {
            match one {
                '\'' if !quoted => {
                    word.get_or_insert_default().extend(rest.by_ref().take_while(|one| *one != '\''));
                }
                '"' => {
                    quoted = !quoted;
                    word.get_or_insert_default();
                }
                '\\' if rest.peek() == Some(&'\n') => _ = rest.next(),
                '\\' => word.get_or_insert_default().extend(rest.next()),
                '$' => word.get_or_insert_default().push_str(&self.variable(&mut rest)),
                one if one.is_whitespace() && !quoted => words.extend(word.take()),
                one => word.get_or_insert_default().push(one),
            }
        }
        assert!(!quoted, "a quote does not end: {command}");
        words.extend(word);
        words
    }

    fn variable(&self, rest: &mut Peekable<Chars<'_>>) -> String {
        let mut name = String::new();
        while let Some(one) = rest.next_if(|one| one.is_ascii_alphanumeric() || *one == '_') {
            name.push(one);
        }
        self.0.get(&name).unwrap_or_else(|| panic!("${name} is not set")).clone()
    }
}

/// `NAME=$(…)`.
fn assignment(command: &str) -> Option<(&str, &str)> {
    let (name, rest) = command.split_once("=$(")?;
    let is_name = name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_');
    is_name.then(|| (name, rest.strip_suffix(')').unwrap_or_else(|| panic!("does not end: {command}"))))
}

/// Lines that belong together: inside quotes or after a backslash a command goes on.
fn commands(text: &str) -> Vec<String> {
    let (mut commands, mut command): (Vec<String>, String) = Default::default();
    for line in text.lines() {
        command.push_str(line);
        if command.matches('\'').count() % 2 == 1 || line.ends_with('\\') {
            command.push('\n');
        } else {
            commands.push(std::mem::take(&mut command));
        }
    }
    assert!(command.is_empty(), "a command does not end: {command}");
    commands.retain(|command| !command.is_empty() && !command.starts_with('#'));
    commands
}

#[test]
fn words_are_split_as_a_shell_splits_them() {
    let shell = Shell(HashMap::from([("TOKEN".to_owned(), "abc".to_owned())]));
    let words = shell.words("a 'b \"c\"' \\\n  d'e '$TOKEN' f' \"g $TOKEN\" | jq");
    assert_eq!(words, ["a", "b \"c\"", "de abc f", "g abc", "|", "jq"]);
    assert_eq!(commands("# no\na 'b\nc' \\\n d\n\ne"), ["a 'b\nc' \\\n d", "e"]);
    assert_eq!(assignment("X=$(a b)"), Some(("X", "a b")));
    assert_eq!(assignment("a 'X=$(b)'"), None);
}
