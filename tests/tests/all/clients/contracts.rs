//! What stands in the contracts for other languages.

use std::fs;

use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use crate::architecture::root;

/// "voucher_change" as "VoucherChange".
fn camel(words: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    words.split('_').map(capital).collect()
}

/// What is missing or other than the rule in docs/adr/0034-contracts-for-every-language.md.
fn wrong(file: &FileDescriptorProto) -> Vec<String> {
    let options = file.options.clone().unwrap_or_default();
    let room = file.package().split('.').nth(1).unwrap();
    let stem = file.name().rsplit('/').next().unwrap().trim_end_matches(".proto");
    let module = "github.com/tandem-marketing/tandem/clients/go/tandem";
    let wanted = [
        ("csharp_namespace", options.csharp_namespace(), format!("Tandem.{}.V1", camel(room))),
        ("go_package", options.go_package(), format!("{module}/{room}/v1;{room}v1")),
        ("java_outer_classname", options.java_outer_classname(), format!("{}Proto", camel(stem))),
        ("java_package", options.java_package(), format!("io.github.tandem_marketing.{room}.v1")),
    ];
    let mut wrong: Vec<String> = wanted
        .iter()
        .filter(|(_, has, wanted)| has != wanted)
        .map(|(option, has, wanted)| format!("{}: option {option} = {wanted:?}, not {has:?}", file.name()))
        .collect();
    if !options.java_multiple_files() {
        wrong.push(format!("{}: option java_multiple_files = true", file.name()));
    }
    wrong
}

#[test]
fn every_contract_says_where_its_code_belongs_in_go_java_and_c_sharp() {
    let all = FileDescriptorSet::decode(tandem_proto::DESCRIPTORS).unwrap();
    let ours: Vec<_> = all.file.iter().filter(|file| file.package().starts_with("tandem.")).collect();
    assert!(ours.len() > 20, "{} contracts", ours.len());
    let wrong: Vec<String> = ours.iter().flat_map(|file| wrong(file)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn google_rpc_is_the_one_that_every_go_and_java_program_links() {
    for (file, package) in [("status", "status"), ("error_details", "errdetails"), ("code", "code")] {
        let text = fs::read_to_string(root().join(format!("proto/google/rpc/{file}.proto"))).unwrap();
        let go = format!(
            r#"option go_package = "google.golang.org/genproto/googleapis/rpc/{package};{package}";"#
        );
        for option in
            [&go, r#"option java_package = "com.google.rpc";"#, "option java_multiple_files = true;"]
        {
            assert!(text.lines().any(|line| line == option), "{file}.proto: {option}");
        }
    }
}
