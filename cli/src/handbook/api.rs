//! The pages of the contracts: one for each file, with every service, method, message, enum and field and what is said of it.

use prost_reflect::{DescriptorPool, EnumDescriptor, FileDescriptor, MessageDescriptor, MethodDescriptor};

use super::Page;
use super::contract::{EVENTS, fields, is_of_errors, link, path, said};
use super::text::{TREE, anchor, first_sentence, prose, way, written};
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
        text += &format!("\nThe events themselves: [Every event]({}).\n", way(&from, EVENTS));
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
