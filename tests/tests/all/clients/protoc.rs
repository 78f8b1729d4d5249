//! Ours alone is generated: by each template, by plain protoc, and by buf in managed mode.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

use tempfile::TempDir;

use super::step::{command, output};
use super::{alone, language};
use crate::architecture::root;

/// Every file below a folder, as it is called there.
fn below(folder: &Path) -> BTreeSet<String> {
    fn walk(folder: &Path, top: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, top, found);
            } else {
                found.insert(path.strip_prefix(top).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(folder, folder, &mut found);
    found
}

/// The contracts, as protoc is told of them.
fn contracts() -> Vec<String> {
    let proto = root().join("proto");
    below(&proto.join("tandem")).iter().map(|file| format!("tandem/{file}")).collect()
}

fn assert_ours_alone(generated: &BTreeSet<String>, ours: &str) {
    assert!(generated.len() > 20, "{generated:?}");
    let others: Vec<_> = generated.iter().filter(|file| !file.starts_with(ours)).collect();
    assert!(others.is_empty(), "not ours: {others:?}");
}

/// What a Go program that was generated links of google.rpc, and of our own.
fn assert_links(generated: &Path, module: &str) {
    let text = fs::read_to_string(generated.join("tandem/campaign/v1/pricing.pb.go")).unwrap();
    let common = format!("{module}/tandem/common/v1");
    for import in ["google.golang.org/genproto/googleapis/rpc/status", &common] {
        assert!(text.contains(&format!("\"{import}\"\n")), "{import} is not linked");
    }
}

#[tokio::test]
async fn protoc_alone_generates_go() {
    let _alone = alone().await;
    if !(language("python").is_at_hand() && language("go").is_at_hand()) {
        return;
    }
    let out = TempDir::new().unwrap();
    let mut plugin = command("go");
    plugin.current_dir(root().join("clients/go")).args(["tool", "-n", "protoc-gen-go"]);
    let plugin = output(&mut plugin).unwrap();
    let module = "github.com/tandem-marketing/tandem/clients/go";
    let mut protoc = command("clients/python/environment/bin/python");
    protoc.args(["-m", "grpc_tools.protoc", "--proto_path=proto"]).args(contracts());
    protoc.arg(format!("--plugin=protoc-gen-go={}", plugin.trim()));
    protoc.arg(format!("--go_out={}", out.path().display())).arg(format!("--go_opt=module={module}"));
    output(&mut protoc).unwrap();
    assert_ours_alone(&below(out.path()), "tandem/");
    assert_links(out.path(), module);
}

#[tokio::test]
async fn protoc_alone_generates_c_sharp() {
    let _alone = alone().await;
    let Some(tools) = java_tools() else { return };
    // As read already: protoc alone does not bring google.protobuf.
    let read = tools.path().join("contracts.bin");
    fs::write(&read, tandem_proto::DESCRIPTORS).unwrap();
    let out = tools.path().join("out");
    fs::create_dir(&out).unwrap();
    let mut protoc = process::Command::new(tools.path().join("protoc"));
    protoc.arg(format!("--descriptor_set_in={}", read.display())).args(contracts());
    protoc.arg(format!("--csharp_out={}", out.display())).arg("--csharp_opt=base_namespace=");
    output(&mut protoc).unwrap();
    assert_ours_alone(&below(&out), "Tandem/");
}

#[tokio::test]
async fn buf_generates_go_under_an_import_path_of_ones_own() {
    let _alone = alone().await;
    if !language("go").is_at_hand() {
        return;
    }
    let client = root().join("clients/go");
    let template = fs::read_to_string(client.join("buf.gen.yaml")).unwrap();
    // What the template shows for it, taken at its word.
    let shown =
        template.lines().skip_while(|line| *line != "#   managed:").take_while(|line| line.starts_with('#'));
    let managed: String = shown.map(|line| line.trim_start_matches("#   ").to_owned() + "\n").collect();
    let own = template.replace(
        "module=github.com/tandem-marketing/tandem/clients/go",
        "module=example.com/your/module/gen",
    );
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("own.gen.yaml");
    fs::write(&path, own.replace("version: v2\n", &format!("version: v2\n{managed}"))).unwrap();
    let mut buf = command("../buf");
    buf.current_dir(&client)
        .args(["generate", "--template"])
        .arg(&path)
        .arg("--output")
        .arg(folder.path().join("out"));
    output(&mut buf).unwrap();
    let out = folder.path().join("out");
    assert_ours_alone(&below(&out), "tandem/");
    assert_links(&out, "example.com/your/module/gen");
}

/// The protoc and the plugin that Maven has fetched, by the names that buf looks for.
fn java_tools() -> Option<TempDir> {
    let java = language("java");
    if !java.is_at_hand() {
        return None;
    }
    java.build();
    let tools = TempDir::new().unwrap();
    for entry in fs::read_dir(root().join("clients/java/target/protoc-plugins")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let called = if name.starts_with("protoc-gen-") { "protoc-gen-grpc-java" } else { "protoc" };
        symlink(&path, tools.path().join(called)).unwrap();
    }
    Some(tools)
}

#[tokio::test]
async fn buf_generates_the_java_that_maven_does() {
    let _alone = alone().await;
    if !language("typescript").is_at_hand() {
        return;
    }
    let Some(tools) = java_tools() else { return };
    let client = root().join("clients/java");
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let path = env::join_paths([tools.path().to_owned()].into_iter().chain(folders)).unwrap();
    let out = tools.path().join("out");
    let mut buf = command("../buf");
    buf.current_dir(&client).env("PATH", path).args(["generate", "--output"]).arg(&out);
    output(&mut buf).unwrap();
    let by_maven =
        ["java", "grpc-java"].map(|part| below(&client.join("target/generated-sources/protobuf").join(part)));
    assert_eq!(below(&out.join("generated")), by_maven.into_iter().flatten().collect());
}
