//! The car service as a program of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::main(&car_service::service())
}
