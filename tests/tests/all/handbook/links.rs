//! The links of pages, and the anchors they lead to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The top of the tree as pages of the book name what is outside of it.
const TREE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");

/// Every page below a folder, by its path from there.
pub fn markdown(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["book", "node_modules", "target"].contains(&name.as_str()) {
            found.extend(markdown(&path).into_iter().map(|below| format!("{name}/{below}")));
        } else if name.ends_with(".md") {
            found.push(name);
        }
    }
    found.sort();
    found
}

fn parser(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
}

/// Where the links of a page lead, as they are written.
pub fn links(text: &str) -> Vec<String> {
    let link = |event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.to_string()),
        _ => None,
    };
    parser(text).filter_map(link).collect()
}

/// The anchors of the headings, as GitHub and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let (mut found, mut known) = (BTreeSet::new(), BTreeMap::<String, usize>::new());
    let mut heading: Option<String> = None;
    for event in parser(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let plain = anchor(&heading.take().unwrap_or_default());
                let times = known.entry(plain.clone()).or_default();
                found.insert(if *times == 0 { plain } else { format!("{plain}-{times}") });
                *times += 1;
            }
            Event::Text(said) | Event::Code(said) => heading.iter_mut().for_each(|text| text.push_str(&said)),
            _ => {}
        }
    }
    found
}

fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
    heading.trim().to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The links of a page of the tree that lead nowhere.
pub fn broken(root: &Path, page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root.join(page)).unwrap();
    let is_of_the_book = page.starts_with("docs/handbook/src/");
    links(&text)
        .into_iter()
        .filter_map(|link| Some(format!("{page}: {link}: {}", wrong(root, page, is_of_the_book, &link)?)))
        .collect()
}

fn wrong(root: &Path, page: &str, is_of_the_book: bool, link: &str) -> Option<&'static str> {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let from = Path::new(page).parent().unwrap_or(Path::new(""));
    let target = match path.strip_prefix(TREE) {
        Some(inside) => PathBuf::from(inside),
        None if path.contains("://") || path.starts_with("mailto:") => return None,
        None if path.is_empty() => PathBuf::from(page),
        None => plain(&from.join(path)),
    };
    if is_of_the_book && !path.starts_with(TREE) && !target.starts_with("docs/handbook/src") {
        return Some("leads out of the book: name it by its address");
    }
    let file = root.join(&target);
    if !file.exists() {
        return Some("is not there");
    }
    let is_page = target.extension().is_some_and(|extension| extension == "md");
    if !anchor.is_empty() && is_page && !anchors(&std::fs::read_to_string(file).unwrap()).contains(anchor) {
        return Some("has no such heading");
    }
    None
}

/// Without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            part => plain.push(part),
        }
        plain
    })
}

#[test]
fn anchors_are_those_of_the_headings() {
    let anchors = anchors(
        "# What a *rule* may say\n## `basket`\n## ErrorReason\n## `basket`\n## Monday is 1, isn't it?\n",
    );
    let wanted = ["basket", "basket-1", "errorreason", "monday-is-1-isnt-it", "what-a-rule-may-say"];
    assert_eq!(anchors.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
    assert_eq!(links("[a](b.md#c) <https://d> `[no](e)`\n```text\n[no](f)\n```\n"), ["b.md#c", "https://d"]);
}
