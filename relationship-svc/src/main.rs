//! The program.

use std::process::ExitCode;

use relationship_svc::App;
use tandem_platform::shell::command;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command::main::<App>(env!("CARGO_PKG_VERSION"))
}
