//! The auth service as a program of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::main(&auth_service::service())
}
