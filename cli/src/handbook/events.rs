//! The page of every event.

use prost_reflect::MessageDescriptor;

use super::Page;
use super::contract::{EVENTS, fields, said};
use super::text::{anchor, prose, written};
use crate::events::declared;
use crate::failure::Failure;

const HEAD: &str = "# Every event

How to follow them: [Events and cursors](../events.md). Each travels in an [Event](api/common/event.md#event), whose `type` names
the message and whose `payload` is it.
";

/// The page.
pub fn page() -> Result<Page, Failure> {
    let mut text = written("the contracts") + HEAD;
    for (service, package) in [("campaign-svc", "campaign"), ("relationship-svc", "relationship")] {
        let events = declared(&format!("tandem.{package}.v1"))?;
        text += &format!("\n## {service}\n\n");
        let names = events.iter().map(|event| format!("[{}](#{})", event.name(), anchor(event.name())));
        text += &(names.collect::<Vec<_>>().join(" · ") + "\n");
        events.iter().for_each(|event| text += &shown(event));
    }
    Ok(Page { path: EVENTS.to_owned(), text })
}

fn shown(event: &MessageDescriptor) -> String {
    let says = prose(&said(&event.parent_file(), event.path()), 0);
    format!("\n### {}\n\n{says} Type `{}`.\n\n{}", event.name(), event.full_name(), fields(event, EVENTS))
}
