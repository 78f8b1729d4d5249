//! Compiles the contracts with protox (no protoc) into Rust types and one descriptor set for reflection.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FileDescriptorSet};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=tandem");
    println!("cargo:rerun-if-changed=google");
    let descriptors = protox::compile(sources(Path::new("tandem"))?, ["."])?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    fs::write(out.join("requests.rs"), requests(&descriptors))?;
    tonic_prost_build::configure()
        .build_transport(true)
        .extern_path(".google.rpc.Status", "::tonic_types::Status")
        .bytes(".")
        // Sorted, so that one message has one encoding: request_ids are compared by the hash of it.
        .btree_map(".")
        .compile_fds(descriptors)?;
    Ok(())
}

/// The traits of `requests.rs` for every request that has their fields.
fn requests(descriptors: &FileDescriptorSet) -> String {
    let mut text = String::new();
    for file in descriptors.file.iter().filter(|file| file.package().starts_with("tandem.")) {
        let module = file.package().trim_start_matches("tandem.").replace('.', "::");
        for message in &file.message_type {
            let path = format!("crate::{module}::{}", message.name());
            match message.name().strip_suffix("Request") {
                Some(method) => text += &implementations(message, method, &path),
                // A resource.
                None if has(message, &["name", "etag"]) => {
                    text += &named(message, &path);
                    text += &partial(message, &path);
                }
                None => {}
            }
        }
    }
    text
}

fn has(message: &DescriptorProto, names: &[&str]) -> bool {
    let plain =
        |name: &str| message.field.iter().any(|field| field.name() == name && !field.proto3_optional());
    names.iter().all(|name| plain(name))
}

fn borrow(field: &str) -> String {
    format!("fn {field}(&self) -> &str {{ &self.{field} }}")
}

/// `name` and `etag`, whichever there are.
fn named(message: &DescriptorProto, path: &str) -> String {
    let mut text = String::new();
    for (of, field) in [("Named", "name"), ("Etagged", "etag")] {
        if has(message, &[field]) {
            text += &format!("impl {of} for {path} {{ {} }}\n", borrow(field));
        }
    }
    text
}

/// Which fields say something: what is not there, empty or zero says nothing, except where `optional` tells zero apart.
fn partial(message: &DescriptorProto, path: &str) -> String {
    let mut text = String::new();
    for field in &message.field {
        let name = field.name();
        let said = match field.r#type() {
            _ if field.label() == Label::Repeated => format!("!self.{name}.is_empty()"),
            Type::Message => format!("self.{name}.is_some()"),
            _ if field.proto3_optional() => format!("self.{name}.is_some()"),
            Type::String | Type::Bytes => format!("!self.{name}.is_empty()"),
            Type::Bool => format!("self.{name}"),
            _ => format!("self.{name} != 0"),
        };
        text += &format!("if {said} {{ said.push({name:?}); }}\n");
    }
    format!(
        "impl Partial for {path} {{ fn said(&self) -> Vec<&'static str> {{ let mut said = Vec::new(); {text} said }} }}\n"
    )
}

fn implementations(message: &DescriptorProto, method: &str, path: &str) -> String {
    let constant = format!("const METHOD: &'static str = {method:?};");
    let mut text = named(message, path);
    if has(message, &["request_id"]) {
        let take = "fn take_request_id(&mut self) -> String { std::mem::take(&mut self.request_id) }";
        text += &format!("impl Repeatable for {path} {{ {constant} {take} }}\n");
        text += &resource(message, method, path);
    }
    if has(message, &["page_size", "page_token", "filter", "order_by"]) {
        let size = "fn page_size(&self) -> i32 { self.page_size }";
        let texts = ["page_token", "filter", "order_by"].map(borrow).join(" ");
        text += &format!("impl Listing for {path} {{ {constant} {size} {texts} }}\n");
    }
    text
}

/// What creates or changes the resource that the method is called after.
fn resource(message: &DescriptorProto, method: &str, path: &str) -> String {
    let of = |kind: &str| message.field.iter().find(|field| field.type_name().ends_with(&format!(".{kind}")));
    let (creates, updates) = (method.strip_prefix("Create"), method.strip_prefix("Update"));
    let Some(field) = creates.or(updates).and_then(of) else { return String::new() };
    let (name, kind) = (field.name(), field.type_name().rsplit('.').next().unwrap_or_default());
    let module = path.rsplit_once("::").map_or(path, |(module, _)| module);
    let common = format!(
        "type Resource = {module}::{kind}; const RESOURCE: &'static str = {name:?};
         fn take_resource(&mut self) -> Self::Resource {{ self.{name}.take().unwrap_or_default() }}"
    );
    let id = format!("{name}_id");
    if creates.is_some() && has(message, &[&id]) {
        let id = format!("const ID: &'static str = {id:?}; fn id(&self) -> &str {{ &self.{id} }}");
        format!("impl Creating for {path} {{ {common} {id} }}\n")
    } else if updates.is_some() && has(message, &["update_mask"]) {
        let mask = "fn mask(&self) -> Option<&FieldMask> { self.update_mask.as_ref() }";
        format!("impl Updating for {path} {{ {common} {mask} }}\n")
    } else {
        String::new()
    }
}

fn sources(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|e| e == "proto") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
