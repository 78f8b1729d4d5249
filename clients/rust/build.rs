//! Generates the clients of Tandem's own contracts, by protox in place of protoc. google.rpc is that of tonic-types.

const CONTRACTS: &str = "../../proto";
/// What is called; what they name comes along.
const CALLED: [&str; 7] = [
    "campaign/v1/error.proto",
    "campaign/v1/event.proto",
    "campaign/v1/order.proto",
    "campaign/v1/pricing.proto",
    "campaign/v1/product.proto",
    "relationship/v1/incentive.proto",
    "relationship/v1/voucher_service.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={CONTRACTS}/tandem");
    println!("cargo:rerun-if-changed={CONTRACTS}/google");
    let files = CALLED.map(|file| format!("tandem/{file}"));
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .build_server(false)
        .extern_path(".google.rpc.Status", "::tonic_types::Status")
        .compile_fds_with_config(protox::compile(files, [CONTRACTS])?, config)?;
    Ok(())
}
