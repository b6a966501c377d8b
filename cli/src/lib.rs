//! The `interline` command: the whole system in one process, one service alone, and what operators ask
//! about either.

mod config;
mod documents;
mod screen;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use service_kit::{Options, ServiceSpec, exit_with};

pub use documents::merged_document;

/// Every service, in the order in which they are started. One line each.
pub fn services() -> Vec<ServiceSpec> {
    vec![
        sandbox::service(),
        auth_service::service(),
        flight_service::service(),
        api_gateway::service(),
    ]
}

/// One REST API over everything a trip is made of.
///
/// Without a command, starts the whole system in one process, with simulated suppliers and nothing else
/// needed, and says where everything listens.
#[derive(Parser)]
#[command(name = "interline", version)]
struct Interline {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: up::UpOptions,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one service alone, as in a container.
    Serve {
        /// Its name, e.g. flight_service.
        service: String,
        #[command(flatten)]
        options: Options,
    },
    /// Writes the OpenAPI documents, one per service and the merged one.
    Openapi(documents::OpenapiOptions),
    /// Lists every configuration key of a service: value, default, source, meaning.
    Config(config::ConfigOptions),
}

/// The whole of `main`.
pub fn run() -> ExitCode {
    let interline = Interline::parse();
    let result = match interline.command {
        None => up::up(&interline.up),
        Some(Command::Serve { service, options }) => match find(&service) {
            Ok(spec) => return service_kit::run_alone(&spec, &options),
            Err(error) => Err(error),
        },
        Some(Command::Openapi(options)) => documents::openapi(&options),
        Some(Command::Config(options)) => config::config(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit_with(&error),
    }
}

fn find(name: &str) -> Result<ServiceSpec, service_kit::StartError> {
    let services = services();
    let names: Vec<&str> = services.iter().map(|spec| spec.name).collect();
    let unknown = format!(
        "there is no service '{name}'; there are {}",
        names.join(", ")
    );
    services
        .into_iter()
        .find(|spec| spec.name == name)
        .ok_or(service_kit::StartError::Other(unknown))
}
