//! The gateway as a program of its own.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request makes and drops some forty pieces of memory; the system's allocator would take a sixth of
/// its time for them.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    service_kit::main(&api_gateway::service())
}
