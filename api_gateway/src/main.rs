//! The front door: routes by the catalogue, authenticates, proxies.

fn main() -> std::process::ExitCode {
    service_kit::main(&api_gateway::service())
}
