//! The hotel service as a program of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::main(&hotel_service::service())
}
