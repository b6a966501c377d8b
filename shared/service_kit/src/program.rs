//! A service as a program of its own: options, logging, signals.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use settings::{Settings, Sources};
use telemetry::{LogFormat, init_logging};
use tokio::signal;
use travel_types::Clock;

use crate::{ServiceSpec, StartError, bind, start};

/// What every service's program takes.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// Configuration file (TOML, one table per service and `[all]`).
    #[arg(long, value_name = "FILE", env = "INTERLINE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Port to listen on; 0 takes a free one.
    #[arg(long)]
    pub port: Option<u16>,
    /// Folder for keys and databases.
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// What to log: error, warn, info, debug, trace, or directives such as info,supplier_client=debug.
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
}

impl Options {
    /// File, environment and these options as layers of configuration.
    pub fn sources(&self) -> Sources {
        let mut sources = Sources::from_process();
        sources.file.clone_from(&self.config);
        if let Some(port) = self.port {
            sources = sources.with("--port", "listen.port", i64::from(port));
        }
        if let Some(folder) = &self.data_dir {
            let folder = folder.display().to_string();
            sources = sources.with("--data-dir", "data_dir", folder);
        }
        if let Some(filter) = &self.log {
            sources = sources.with("--log", "log.filter", filter.clone());
        }
        sources
    }
}

#[derive(Parser)]
#[command(version)]
struct Program {
    #[command(flatten)]
    options: Options,
}

/// The whole of a service's `main`.
pub fn main(spec: &ServiceSpec) -> ExitCode {
    use clap::{CommandFactory as _, FromArgMatches as _};
    let command = Program::command().name(spec.name);
    let options = match Program::from_arg_matches(&command.get_matches()) {
        Ok(program) => program.options,
        Err(error) => error.exit(),
    };
    run_alone(spec, &options)
}

/// Runs one service until the process is told to end.
pub fn run_alone(spec: &ServiceSpec, options: &Options) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return exit_with(&StartError::Other(error.to_string())),
    };
    match runtime.block_on(serve(spec, options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit_with(&error),
    }
}

/// Says in one line why the program ends, and gives its exit code.
pub fn exit_with(error: &StartError) -> ExitCode {
    // There may be no log yet; and a closed standard error is no reason to fail differently.
    drop(writeln!(std::io::stderr(), "interline: {error}"));
    ExitCode::FAILURE
}

async fn serve(spec: &ServiceSpec, options: &Options) -> Result<(), StartError> {
    let settings = Settings::load(spec.name, &spec.defaults(), &options.sources())?;
    start_logging(&settings)?;
    let host: String = settings.get("listen.host")?;
    let port: u16 = settings.get("listen.port")?;
    let listener = bind(&host, port)
        .await
        .map_err(|error| StartError::Listen {
            address: format!("{host}:{port}"),
            problem: error.to_string(),
        })?;
    let running = start(spec, settings, Clock::system(), listener).await?;
    tracing::info!(service = spec.name, url = running.url(), "listening");
    shutdown_signal().await;
    tracing::info!(service = spec.name, "draining");
    running.stop().await;
    Ok(())
}

/// Starts logging as a service's configuration says.
///
/// # Errors
/// [`StartError::Other`] for a filter or format that is none.
pub fn start_logging(settings: &Settings) -> Result<(), StartError> {
    let format = match settings.get::<String>("log.format")?.as_str() {
        "json" => LogFormat::Json,
        "readable" => LogFormat::Readable {
            colour: std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        },
        other => {
            return Err(StartError::Other(format!(
                "configuration key 'log.format' is '{other}'; it must be readable or json"
            )));
        }
    };
    init_logging(&settings.get::<String>("log.filter")?, format).map_err(StartError::Other)
}

/// Waits for Ctrl-C or, on Unix, SIGTERM.
pub async fn shutdown_signal() {
    let interrupt = async {
        if signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut stream) => {
                stream.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
