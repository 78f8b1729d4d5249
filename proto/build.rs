//! Compiles the contracts with protox (no protoc) into Rust types and one descriptor set for reflection.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=tandem");
    println!("cargo:rerun-if-changed=google");
    let descriptors = protox::compile(sources(Path::new("tandem"))?, ["."])?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_transport(true)
        .extern_path(".google.rpc.Status", "::tonic_types::Status")
        .bytes(".")
        // Sorted, so that one message has one encoding: request_ids are compared by the hash of it.
        .btree_map(".")
        .compile_fds(descriptors)?;
    Ok(())
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
