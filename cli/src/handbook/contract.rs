//! What the contracts say of their parts, and where in the handbook each part stands.

use prost_reflect::{FieldDescriptor, FileDescriptor, Kind, MessageDescriptor, OneofDescriptor};

use super::text::{anchor, prose, way};

/// The page of the reasons of errors.
pub const ERRORS: &str = "errors.md";
/// The page of the events.
pub const EVENTS: &str = "events.md";

/// What a comment says of the part of a file that is at this path.
pub fn said(file: &FileDescriptor, path: &[i32]) -> String {
    let places = file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location);
    let here = places.filter(|place| place.path == path).find_map(|place| place.leading_comments.clone());
    here.unwrap_or_default()
}

/// The fields of a message, as a list; `from` is the page on which it stands.
pub fn fields(message: &MessageDescriptor, from: &str) -> String {
    let mut text = String::new();
    let mut told: Vec<OneofDescriptor> = Vec::new();
    for field in declared_order(message) {
        // What is `optional` stands in a oneof of its own.
        match field.containing_oneof().filter(|_| !is_optional(&field)) {
            None => text += &shown(&field, from, 0),
            Some(oneof) if told.contains(&oneof) => {}
            Some(oneof) => {
                let says = prose(&said(&message.parent_file(), oneof.path()), 2);
                text += &format!("- **{}**, one of: {says}\n", oneof.name());
                oneof.fields().for_each(|field| text += &shown(&field, from, 2));
                told.push(oneof);
            }
        }
    }
    if text.is_empty() { "It has no fields.\n".to_owned() } else { text }
}

/// As the contract has them, which is the order to read them in.
fn declared_order(message: &MessageDescriptor) -> Vec<FieldDescriptor> {
    let names = message.descriptor_proto().field.iter().map(|field| field.name().to_owned());
    names.filter_map(|name| message.get_field_by_name(&name)).collect()
}

fn shown(field: &FieldDescriptor, from: &str, indent: usize) -> String {
    let message = field.parent_message();
    let says = prose(&said(&message.parent_file(), field.path()), indent + 2);
    let list = if field.is_list() { "repeated " } else { "" };
    let optional = if is_optional(field) { "optional " } else { "" };
    let spaces = " ".repeat(indent);
    format!("{spaces}- **{}**, {list}{optional}{}: {says}\n", field.name(), kind(field, from))
}

fn is_optional(field: &FieldDescriptor) -> bool {
    field.field_descriptor_proto().proto3_optional()
}

fn kind(field: &FieldDescriptor, from: &str) -> String {
    if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
        return format!(
            "map of {} to {}",
            of_kind(&entry.map_entry_key_field().kind(), from),
            of_kind(&entry.map_entry_value_field().kind(), from)
        );
    }
    of_kind(&field.kind(), from)
}

fn of_kind(kind: &Kind, from: &str) -> String {
    match kind {
        Kind::Message(message) => link(message, from),
        Kind::Enum(of) => named(&of.parent_file(), of.name(), of.full_name(), from),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

/// A link to a message.
pub fn link(message: &MessageDescriptor, from: &str) -> String {
    named(&message.parent_file(), message.name(), message.full_name(), from)
}

/// A link to where it stands; of what is not ours its full name.
fn named(file: &FileDescriptor, name: &str, full: &str, from: &str) -> String {
    if !file.package_name().starts_with("tandem.") {
        return format!("`{full}`");
    }
    let home = if is_of_errors(file) { ERRORS.to_owned() } else { path(file) };
    format!("[{name}]({}#{})", way(from, &home), anchor(name))
}

/// Whether it holds reasons of errors, which have a page of their own.
pub fn is_of_errors(file: &FileDescriptor) -> bool {
    file.name().ends_with("/error.proto")
}

/// `api/campaign/order.md` of `tandem/campaign/v1/order.proto`.
pub fn path(file: &FileDescriptor) -> String {
    let name = file.name().trim_start_matches("tandem/").replace("/v1/", "/");
    format!("api/{}.md", name.trim_end_matches(".proto"))
}
