//! The pages of the contracts: one for each file, with every service, method, message, enum and field and what is said of it.

use prost_reflect::{
    DescriptorPool, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
    MethodDescriptor, OneofDescriptor,
};

use super::text::{TREE, anchor, first_sentence, prose, way, written};
use super::{Page, errors, events};
use crate::events::declared;
use crate::failure::Failure;

/// The page of all services.
const INDEX: &str = "api.md";

const HEAD: &str = "# The API

Every service, method, message and field of the contracts, with what the contracts say of it. Clients are generated from
the contracts themselves: ";

/// One page for every file of ours, and the one that lists them.
pub fn pages(pool: &DescriptorPool) -> Result<Vec<Page>, Failure> {
    let mut index = format!("{}{HEAD}[clients]({TREE}/clients/README.md).\n", written("the contracts"));
    let mut pages = Vec::new();
    for (package, service) in
        [("campaign", "campaign-svc"), ("relationship", "relationship-svc"), ("common", "What both share")]
    {
        index += &format!("\n## {service}\n\n");
        // What has a page of its own.
        let events =
            if package == "common" { Vec::new() } else { declared(&format!("tandem.{package}.v1"))? };
        let of_package = |file: &FileDescriptor| file.package_name() == format!("tandem.{package}.v1");
        let mut files: Vec<_> = pool.files().filter(|file| of_package(file) && !is_of_errors(file)).collect();
        files.sort_by_key(|file| (file.services().len() == 0, file.name().to_owned()));
        for file in files {
            index += &listed(&file);
            pages.push(Page { path: path(&file), text: page(&file, &events) });
        }
    }
    pages.push(Page { path: INDEX.to_owned(), text: index });
    Ok(pages)
}

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

fn link(message: &MessageDescriptor, from: &str) -> String {
    named(&message.parent_file(), message.name(), message.full_name(), from)
}

/// A link to where it stands; of what is not ours its full name.
fn named(file: &FileDescriptor, name: &str, full: &str, from: &str) -> String {
    if !file.package_name().starts_with("tandem.") {
        return format!("`{full}`");
    }
    let home = if is_of_errors(file) { errors::PATH.to_owned() } else { path(file) };
    format!("[{name}]({}#{})", way(from, &home), anchor(name))
}

fn is_of_errors(file: &FileDescriptor) -> bool {
    file.name().ends_with("/error.proto")
}

/// `api/campaign/order.md` of `tandem/campaign/v1/order.proto`.
fn path(file: &FileDescriptor) -> String {
    let name = file.name().trim_start_matches("tandem/").replace("/v1/", "/");
    format!("api/{}.md", name.trim_end_matches(".proto"))
}

/// What of a file stands in the index.
fn listed(file: &FileDescriptor) -> String {
    let path = path(file);
    if file.services().len() == 0 {
        let names = file.messages().map(|message| message.name().to_owned());
        let names: Vec<String> = names.filter(|name| !is_of_a_call(name)).collect();
        return format!("- [{}]({path}): {}\n", title(file), names.join(", "));
    }
    let mut text = String::new();
    for service in file.services() {
        let name = service.name();
        let says = first_sentence(&said(file, service.path()));
        text += &format!("- [{name}]({path}#{}): {says}\n", anchor(name));
        for method in service.methods() {
            let says = first_sentence(&said(file, method.path()));
            text += &format!("  - [{}]({path}#{}): {says}\n", method.name(), anchor(method.name()));
        }
    }
    text
}

fn is_of_a_call(name: &str) -> bool {
    name.ends_with("Request") || name.ends_with("Response")
}

fn title(file: &FileDescriptor) -> String {
    let name = file.name().rsplit('/').next().unwrap_or_default();
    name.trim_end_matches(".proto").replace('_', " ")
}

fn page(file: &FileDescriptor, elsewhere: &[MessageDescriptor]) -> String {
    let from = path(file);
    let mut text = written("the contracts");
    text += &format!("# {}: {}\n\n", file.package_name(), title(file));
    text += &format!("From [{0}]({TREE}/proto/{0}).\n", file.name());
    for service in file.services() {
        text += &format!("\n## {}\n\n{}\n", service.name(), prose(&said(file, service.path()), 0));
        service.methods().for_each(|method| text += &called(&method, &from));
    }
    for message in file.messages().filter(|message| !elsewhere.contains(message)) {
        let says = prose(&said(file, message.path()), 0);
        text += &format!("\n## {}\n\n{says}\n\n{}", message.name(), fields(&message, &from));
    }
    if !elsewhere.is_empty() && elsewhere.iter().any(|message| message.parent_file() == *file) {
        text += &format!("\nThe events themselves: [Every event]({}).\n", way(&from, events::PATH));
    }
    file.enums().for_each(|one| text += &values(&one));
    text
}

fn called(method: &MethodDescriptor, from: &str) -> String {
    let stream = |streams: bool| if streams { "a stream of " } else { "" };
    let says = prose(&said(&method.parent_service().parent_file(), method.path()), 0);
    format!(
        "\n### {}\n\n{says}\n\nTakes {}{}, answers {}{}.\n",
        method.name(),
        stream(method.is_client_streaming()),
        link(&method.input(), from),
        stream(method.is_server_streaming()),
        link(&method.output(), from)
    )
}

fn values(of: &EnumDescriptor) -> String {
    let mut text = format!("\n## {}\n\n{}\n\n", of.name(), prose(&said(&of.parent_file(), of.path()), 0));
    for value in of.values() {
        let says = prose(&said(&of.parent_file(), value.path()), 2);
        text += &format!("- `{}`: {says}\n", value.name());
    }
    text
}
