//! The `interline` command: the whole system in one process, one service alone, and what operators ask
//! about either.

mod audit_log;
mod config;
mod data_folder;
mod deployment;
mod documents;
mod health;
mod screen;
mod supplier;
#[cfg(test)]
mod supplier_tests;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use service_kit::{Options, ServiceSpec, StartError, exit_with};
use settings::Sources;

pub use deployment::deployment_files;
pub use documents::merged_document;

/// Every service, in the order in which they are started. One line each.
pub fn services() -> Vec<ServiceSpec> {
    vec![
        sandbox::service(),
        auth_service::service(),
        flight_service::service(),
        hotel_service::service(),
        car_service::service(),
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
    /// Verifies the audit log.
    #[command(subcommand)]
    Audit(audit_log::AuditCommand),
    /// Records what goes between a service and a supplier, masked, and serves it back.
    #[command(subcommand)]
    Supplier(supplier::SupplierCommand),
    /// Writes what deployments have to know of each service: port, addresses, secret keys.
    Services(deployment::ServicesOptions),
    /// Asks a service whether it is well, and fails if it is not.
    Health(health::HealthOptions),
    /// Sends HTTP load to any server, and reports rate, latency and processor time.
    Bench(Box<load_generator::BenchOptions>),
}

/// The whole of `main`.
pub fn run() -> ExitCode {
    let interline = Interline::parse();
    let result = match interline.command {
        None => up::up(&interline.up),
        Some(Command::Serve { service, options }) => match find(&service) {
            Ok(spec) => match check_names(&options.sources()) {
                Ok(()) => return service_kit::run_alone(&spec, &options),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        },
        Some(Command::Openapi(options)) => documents::openapi(&options),
        Some(Command::Config(options)) => config::config(&options),
        Some(Command::Audit(command)) => return audit_log::audit(&command),
        Some(Command::Services(options)) => deployment::services(&options),
        Some(Command::Health(options)) => health::health(&options),
        Some(Command::Supplier(command)) => supplier::supplier(command),
        Some(Command::Bench(options)) => return load_generator::bench(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit_with(&error),
    }
}

/// Refuses variables and sections that speak of services which do not exist: a mistyped name would
/// otherwise change nothing, and nobody would know.
fn check_names(sources: &Sources) -> Result<(), StartError> {
    let services = services();
    for (name, origin) in sources.services()? {
        if !services.iter().any(|spec| spec.name == name) {
            let known: Vec<&str> = services.iter().map(|spec| spec.name).collect();
            return Err(StartError::Other(format!(
                "{origin} speaks of the service '{name}', which does not exist; there are {}, \
                 and 'all' for every one of them",
                known.join(", ")
            )));
        }
    }
    Ok(())
}

fn find(name: &str) -> Result<ServiceSpec, StartError> {
    let services = services();
    let names: Vec<&str> = services.iter().map(|spec| spec.name).collect();
    let unknown = format!(
        "there is no service '{name}'; there are {}",
        names.join(", ")
    );
    services
        .into_iter()
        .find(|spec| spec.name == name)
        .ok_or(StartError::Other(unknown))
}
