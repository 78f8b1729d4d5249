//! No circle between files, none between the rooms of a service: read from what each file names.
//!
//! A file and those in the folder of its name are one here: they were one before they were split.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

use crate::architecture::{files, root};

/// Where a module is in its crate: `order::commands::batch`.
type Place = Vec<String>;

/// Which module names which others.
type Graph<N> = BTreeMap<N, BTreeSet<N>>;

/// The order of a service's rooms: each may name those before it and none behind it. What speaks to the wire (`rpc`, `serve`) stands
/// above all of them: it may name any room, and nothing but the wire names it.
const ROOMS: [(&str, &[&str]); 2] = [
    (
        "campaign-svc/src",
        &[
            "field",
            "event",
            "settings",
            "catalogue",
            "erased",
            "redemption",
            "objective",
            "product",
            "campaign",
            "rule",
            "relationship",
            "pricing",
            "order",
            "erasure",
        ],
    ),
    (
        "relationship-svc/src",
        &[
            "event",
            "campaign",
            "settings",
            "attribute",
            "customer",
            "consent",
            "relationship",
            "interaction",
            "segment",
            "incentive",
            "rule",
            "voucher",
            "redemption",
            "erasure",
            "merge",
        ],
    ),
];

/// The whole service, which knows all of its rooms and is known to all.
const HOUSE: [&str; 7] = ["app", "config", "lib", "main", "serve", "testing", "tests"];

fn place(root: &Path, file: &Path) -> Place {
    let relative = file.strip_prefix(root).unwrap().with_extension("");
    let mut place: Place = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(place.last().map(String::as_str), Some("mod" | "lib")) {
        place.pop();
    }
    place
}

/// The modules of a crate and what each names of the others, tests apart.
fn graph(root: &Path) -> Graph<Place> {
    let is_test = |place: &Place| place.iter().any(|part| part == "tests" || part == "testing");
    let modules: BTreeMap<Place, PathBuf> = files(root)
        .into_iter()
        .map(|file| (place(root, &file), file))
        .filter(|(place, _)| !is_test(place))
        .collect();
    let known: BTreeSet<Place> = modules.keys().cloned().collect();
    let mut graph = Graph::new();
    for (place, file) in &modules {
        let syntax = syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap();
        let mut names = Names { own: place, known: &known, named: BTreeSet::new() };
        names.visit_file(&syntax);
        graph.insert(place.clone(), names.named);
    }
    graph
}

/// Gathers the modules that a file names.
struct Names<'a> {
    own: &'a Place,
    known: &'a BTreeSet<Place>,
    named: BTreeSet<Place>,
}

impl Names<'_> {
    /// The longest beginning of a path that is a module.
    fn take(&mut self, path: &[String]) {
        let (mut at, mut rest): (Place, &[String]) = match path.split_first() {
            Some((first, rest)) if first == "crate" => (Place::new(), rest),
            Some((first, rest)) if first == "self" => (self.own.clone(), rest),
            Some((first, _)) if first == "super" => (self.own.clone(), path),
            Some((first, _)) => {
                let child: Place = self.own.iter().cloned().chain([first.clone()]).collect();
                if !self.known.contains(&child) {
                    return;
                }
                (self.own.clone(), path)
            }
            None => return,
        };
        while let Some((first, behind)) = rest.split_first() {
            match first.as_str() {
                "super" => {
                    at.pop();
                }
                name => {
                    let next: Place = at.iter().cloned().chain([name.to_owned()]).collect();
                    if !self.known.contains(&next) {
                        break;
                    }
                    at = next;
                }
            }
            rest = behind;
        }
        if !at.is_empty() && !is_within(&at, self.own) && !is_within(self.own, &at) {
            self.named.insert(at);
        }
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: String| before.iter().cloned().chain([name]).collect::<Vec<_>>();
        match tree {
            syn::UseTree::Path(path) => self.tree(&with(path.ident.to_string()), &path.tree),
            syn::UseTree::Name(name) => self.take(&with(name.ident.to_string())),
            syn::UseTree::Rename(name) => self.take(&with(name.ident.to_string())),
            syn::UseTree::Glob(_) => self.take(before),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(before, item)),
        }
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if parts.len() > 1 {
            self.take(&parts);
        }
        visit::visit_path(self, path);
    }
}

/// Whether `inner` is in the folder of `outer`, or is it.
fn is_within(inner: &Place, outer: &Place) -> bool {
    inner.len() >= outer.len() && inner[..outer.len()] == outer[..]
}

/// A way from `from` back to itself, if there is one.
fn circle<N: Ord + Clone>(graph: &Graph<N>, from: &N) -> Option<Vec<N>> {
    let mut before: BTreeMap<N, N> = BTreeMap::new();
    let mut open = vec![from.clone()];
    while let Some(at) = open.pop() {
        for next in graph.get(&at).into_iter().flatten() {
            if next == from {
                let mut way = vec![from.clone(), at.clone()];
                let mut last = &at;
                while let Some(earlier) = before.get(last) {
                    way.push(earlier.clone());
                    last = earlier;
                }
                way.reverse();
                return Some(way);
            }
            if !before.contains_key(next) {
                before.insert(next.clone(), at.clone());
                open.push(next.clone());
            }
        }
    }
    None
}

fn is_house(place: &Place) -> bool {
    place.first().is_none_or(|room| HOUSE.contains(&room.as_str()))
}

fn is_wire(place: &Place) -> bool {
    place.iter().any(|part| part == "rpc" || part == "serve")
}

#[test]
fn files_name_each_other_in_one_direction_only() {
    let mut found = BTreeSet::new();
    for folder in
        ["shared/kernel/src", "shared/platform/src", "campaign-svc/src", "relationship-svc/src", "cli/src"]
    {
        let mut graph = graph(&root().join(folder));
        if folder.contains("-svc/") {
            graph.retain(|place, _| !is_house(place));
            graph.values_mut().for_each(|named| named.retain(|place| !is_house(place)));
        }
        for place in graph.keys() {
            if let Some(way) = circle(&graph, place) {
                let names: Vec<String> = way.iter().map(|place| place.join("/")).collect();
                let least = names[1..].iter().min().cloned().unwrap_or_default();
                // Each circle once: from its least name.
                if names[0] == least {
                    found.insert(format!("{folder}: {}", names.join(" -> ")));
                }
            }
        }
    }
    assert!(found.is_empty(), "circles:\n{}", found.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn rooms_stand_on_those_before_them() {
    let mut breaches = Vec::new();
    for (folder, order) in ROOMS {
        let rank = |room: &str| order.iter().position(|one| *one == room);
        for (place, named) in graph(&root().join(folder)) {
            if is_house(&place) {
                continue;
            }
            let wire = named.iter().filter(|other| is_wire(other) && !is_wire(&place));
            breaches
                .extend(wire.map(|other| format!("{folder}: {} names {}", place.join("/"), other.join("/"))));
            if is_wire(&place) {
                continue;
            }
            let Some(own) = rank(&place[0]) else {
                breaches.push(format!("{folder}: {} has no place in the order of rooms", place[0]));
                continue;
            };
            let above = named.iter().filter(|other| !is_house(other));
            let above = above.filter(|other| rank(&other[0]).is_some_and(|rank| rank > own));
            breaches.extend(
                above.map(|other| format!("{folder}: {} names {}", place.join("/"), other.join("/"))),
            );
        }
    }
    assert!(breaches.is_empty(), "rooms point up:\n{}", breaches.join("\n"));
}
