//! Compiles the contracts with protox (no protoc) into Rust types and one descriptor set for reflection.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use prost::Message;
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
            if let Some(method) = message.name().strip_suffix("Request") {
                text += &implementations(message, method, &format!("crate::{module}::{}", message.name()));
            }
        }
    }
    text
}

fn implementations(message: &DescriptorProto, method: &str, path: &str) -> String {
    let has = |names: &[&str]| {
        names
            .iter()
            .all(|name| message.field.iter().any(|field| field.name() == *name && !field.proto3_optional()))
    };
    let constant = format!("const METHOD: &'static str = {method:?};");
    let borrow = |field: &str| format!("fn {field}(&self) -> &str {{ &self.{field} }}");
    let mut text = String::new();
    if has(&["request_id"]) {
        let take = "fn take_request_id(&mut self) -> String { std::mem::take(&mut self.request_id) }";
        text += &format!("impl Repeatable for {path} {{ {constant} {take} }}\n");
    }
    if has(&["name"]) {
        text += &format!("impl Named for {path} {{ {} }}\n", borrow("name"));
    }
    if has(&["etag"]) {
        text += &format!("impl Etagged for {path} {{ {} }}\n", borrow("etag"));
    }
    if has(&["page_size", "page_token", "filter", "order_by"]) {
        let size = "fn page_size(&self) -> i32 { self.page_size }";
        let texts = ["page_token", "filter", "order_by"].map(borrow).join(" ");
        text += &format!("impl Listing for {path} {{ {constant} {size} {texts} }}\n");
    }
    text
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
