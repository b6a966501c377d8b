//! `interline`: the whole system in one process, each service on its own port over HTTP, exactly as it
//! is deployed apart.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use service_kit::{Running, ServiceSpec, StartError, bind, shutdown_signal, start, start_logging};
use settings::{Settings, Source, Sources};
use supplier_client::{
    ApiClient, ApiClientConfig, Auth, CallCx, Safety, SupplierMetrics, Transport as _, WireRequest,
    by_status,
};
use telemetry::{Correlation, Metrics};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use travel_types::Clock;
use travel_types::jiff::{ToSpan as _, tz::TimeZone};

use crate::data_folder;
use crate::screen::Screen;

/// The gateway is the one service whose port people type.
const GATEWAY: &str = "api_gateway";
/// The accounts of the sandbox; `auth_service` makes them in development.
const ACCOUNTS: [&str; 3] = [
    "traveller@interline.test",
    "agent@interline.test",
    "admin@interline.test",
];
const PASSWORD: &str = "interline-sandbox";

#[derive(clap::Args)]
pub(crate) struct UpOptions {
    /// Port of the gateway; 0 takes a free one. The other services move by themselves if their ports
    /// are taken.
    #[arg(long)]
    port: Option<u16>,
    /// Folder for keys and databases, of one running system [default: .interline].
    #[arg(long, value_name = "FOLDER", conflicts_with = "ephemeral")]
    data_dir: Option<PathBuf>,
    /// Leaves nothing on disk: everything is forgotten at the end.
    #[arg(long)]
    ephemeral: bool,
    /// What to log: error, warn, info, debug, trace, or directives such as info,supplier_client=debug.
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Configuration file (TOML, one table per service and `[all]`).
    #[arg(long, value_name = "FILE", env = "INTERLINE_CONFIG")]
    config: Option<PathBuf>,
}

pub(crate) fn up(options: &UpOptions) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::Other(error.to_string()))?;
    let folder = options.ephemeral.then(ephemeral_folder);
    let result = runtime.block_on(run(options, folder.as_deref()));
    // Blocking work that outlives the drain time must not hold the process.
    runtime.shutdown_timeout(Duration::from_millis(500));
    if let Some(folder) = folder {
        drop(std::fs::remove_dir_all(folder));
    }
    result
}

fn ephemeral_folder() -> PathBuf {
    let name = Correlation::new()
        .request_id()
        .replace("req_", "interline-");
    std::env::temp_dir().join(name)
}

/// A service with its configuration and its port.
struct Bound {
    spec: ServiceSpec,
    settings: Settings,
    listener: TcpListener,
    url: String,
}

async fn run(options: &UpOptions, ephemeral: Option<&Path>) -> Result<(), StartError> {
    let began = Instant::now();
    let screen = Screen::new();
    let sources = sources(options, ephemeral);
    let services = crate::services();
    crate::check_names(&sources)?;
    screen.line(&screen.bold("Interline is starting"));
    let bound = bind_all(services, &sources).await?;
    let Some(gateway) = bound.iter().find(|bound| bound.spec.name == GATEWAY) else {
        return Err(StartError::Other("there is no gateway".to_owned()));
    };
    start_logging(&gateway.settings)?;
    let url = public_url(&gateway.url);
    let data_dir: PathBuf = gateway.settings.get::<String>("data_dir")?.into();
    // Held until everything has stopped.
    let _locks = lock_folders(&bound)?;
    let bound = connect(bound, &sources)?;
    let urls: BTreeMap<&str, String> = bound
        .iter()
        .map(|bound| (bound.spec.name, bound.url.clone()))
        .collect();
    let rows = rows(&bound)?;
    let mut running = Vec::new();
    for bound in bound {
        screen.line(&screen.dim(&format!("  starting {}", bound.spec.name)));
        match start(&bound.spec, bound.settings, Clock::system(), bound.listener).await {
            Ok(service) => running.push(service),
            Err(error) => {
                stop_all(running).await;
                return Err(match error {
                    StartError::Other(text) => {
                        StartError::Other(format!("{}: {text}", bound.spec.name))
                    }
                    error => error,
                });
            }
        }
    }
    write_listeners(&data_dir, &urls)?;
    let seconds = began.elapsed().as_secs_f64();
    let token = log_in(&url).await;
    announce(&screen, &url, &rows, seconds, token.as_deref());
    shutdown_signal().await;
    screen.line("Stopping; requests that are under way may end.");
    stop_all(running).await;
    drop(std::fs::remove_file(data_dir.join("listeners.json")));
    Ok(())
}

/// How long the gateway drains alone, so that the requests it has still find their services.
const HEAD_START: Duration = Duration::from_secs(3);

/// Stops the gateway, then the services behind it. Each drains by itself.
async fn stop_all(running: Vec<Running>) {
    let mut stops = Vec::new();
    // The gateway was started last.
    for (index, service) in running.into_iter().rev().enumerate() {
        let mut stop = tokio::spawn(service.stop());
        if index == 0 {
            drop(timeout(HEAD_START, &mut stop).await);
        }
        stops.push(stop);
    }
    for stop in stops {
        if !stop.is_finished() {
            drop(stop.await);
        }
    }
}

fn sources(options: &UpOptions, ephemeral: Option<&Path>) -> Sources {
    let mut sources = Sources::from_process();
    sources.file.clone_from(&options.config);
    let folder = ephemeral
        .map(Path::to_path_buf)
        .or(options.data_dir.clone());
    if let Some(folder) = folder {
        let folder = folder.display().to_string();
        sources = sources.with("--data-dir", "data_dir", folder);
    }
    if let Some(filter) = &options.log {
        sources = sources.with("--log", "log.filter", filter.clone());
    }
    if let Some(port) = options.port {
        sources = sources.with(PORT_OPTION, "listen.port", i64::from(port));
    }
    sources
}

const PORT_OPTION: &str = "--port";

/// `--port` is the gateway's alone.
fn sources_of(service: &str, sources: &Sources) -> Sources {
    let mut own = sources.clone();
    if service != GATEWAY {
        own.options.retain(|(name, ..)| name != PORT_OPTION);
    }
    own
}

/// Takes the folders of all services, each once, however it is written.
fn lock_folders(bound: &[Bound]) -> Result<Vec<File>, StartError> {
    let mut folders = BTreeSet::new();
    for bound in bound {
        let folder: PathBuf = bound.settings.get::<String>("data_dir")?.into();
        data_folder::make(&folder)?;
        let real = folder.canonicalize();
        folders.insert(real.map_err(|error| StartError::folder(&folder, error))?);
    }
    folders.iter().map(|real| data_folder::take(real)).collect()
}

/// Binds every port before anything is announced or started. A taken port of the gateway is an error;
/// any other service moves to a free one.
async fn bind_all(services: Vec<ServiceSpec>, sources: &Sources) -> Result<Vec<Bound>, StartError> {
    let mut all = Vec::new();
    for spec in services {
        let own = sources_of(spec.name, sources);
        let settings = Settings::load(spec.name, &spec.defaults(), &own)?;
        let host: String = settings.get("listen.host")?;
        let port: u16 = settings.get("listen.port")?;
        let listener = match bind(&host, port).await {
            Err(_) if spec.name != GATEWAY => bind(&host, 0).await,
            bound => bound,
        }
        .map_err(|error| StartError::Listen {
            address: format!("{host}:{port}"),
            problem: error.to_string(),
        })?;
        let address = listener
            .local_addr()
            .map_err(|error| StartError::Other(error.to_string()))?;
        all.push(Bound {
            spec,
            settings,
            listener,
            url: format!("http://{address}"),
        });
    }
    Ok(all)
}

/// Tells every service where the others really are: a default address of a service that has moved is
/// replaced, what somebody configured is left alone.
fn connect(all: Vec<Bound>, sources: &Sources) -> Result<Vec<Bound>, StartError> {
    let mut moved = Vec::new();
    for bound in &all {
        let defaults =
            Settings::load(bound.spec.name, &bound.spec.defaults(), &Sources::default())?;
        let port: u16 = defaults.get("listen.port")?;
        let default = format!("http://127.0.0.1:{port}");
        // The name of the issuer, too, follows a port that somebody chose; one that is free by chance
        // today would make tokens worthless tomorrow.
        let chosen: u16 = bound.settings.get("listen.port")?;
        if bound.spec.name == GATEWAY && chosen != 0 {
            moved.push((public_url(&default), public_url(&bound.url)));
        }
        moved.push((default, bound.url.clone()));
    }
    let mut connected = Vec::new();
    for mut bound in all {
        let mut own = sources_of(bound.spec.name, sources);
        for key in bound.settings.report() {
            if key.source != Source::Default {
                continue;
            }
            let Ok(value) = bound.settings.get::<String>(&key.key) else {
                continue;
            };
            for (default, real) in &moved {
                let rest = value.strip_prefix(default.as_str());
                if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
                    own = own.with("the one-process start", &key.key, format!("{real}{rest}"));
                }
            }
        }
        bound.settings = Settings::load(bound.spec.name, &bound.spec.defaults(), &own)?;
        connected.push(bound);
    }
    Ok(connected)
}

/// The gateway under the name that people type.
fn public_url(url: &str) -> String {
    url.replace("127.0.0.1", "localhost")
}

fn rows(bound: &[Bound]) -> Result<Vec<[String; 3]>, StartError> {
    let catalog = api_gateway::catalog()
        .map_err(|error| StartError::Other(format!("services/catalog.toml: {error}")))?;
    let mut rows: Vec<[String; 3]> = Vec::new();
    for bound in bound {
        let wanted: u16 = bound.settings.get("listen.port")?;
        let title = catalog
            .services
            .iter()
            .find(|service| service.name == bound.spec.name)
            .map_or("Gateway", |service| service.title.as_str());
        let moved = wanted != 0 && !bound.url.ends_with(&format!(":{wanted}"));
        let note = if moved {
            format!("{title} ({wanted} was taken)")
        } else {
            title.to_owned()
        };
        let url = if bound.spec.name == GATEWAY {
            public_url(&bound.url)
        } else {
            bound.url.clone()
        };
        rows.push([bound.spec.name.to_owned(), url, note]);
    }
    // The gateway first: it is what people want.
    rows.rotate_right(1);
    Ok(rows)
}

fn write_listeners(folder: &Path, urls: &BTreeMap<&str, String>) -> Result<(), StartError> {
    let text =
        serde_json::to_string_pretty(urls).map_err(|error| StartError::Other(error.to_string()))?;
    std::fs::write(folder.join("listeners.json"), text)
        .map_err(|error| StartError::folder(folder, error))
}

/// An access token of the agent, so that the first request can be pasted as it is shown.
async fn log_in(url: &str) -> Option<String> {
    let metrics = SupplierMetrics::register(&Metrics::new()).ok()?;
    let config = ApiClientConfig::new("api_gateway", url).ok()?;
    let client = ApiClient::new(config, by_status, Auth::None, &metrics, Clock::system()).ok()?;
    let [_, agent, _] = ACCOUNTS;
    let request = WireRequest::post("login", "/api/v1/auth/login", Safety::Safe)
        .json(&serde_json::json!({ "email": agent, "password": PASSWORD }))
        .ok()?;
    let cx = CallCx::new(Instant::now() + Duration::from_secs(5), Correlation::new());
    let answer: serde_json::Value = client.call(&cx, request).await.ok()?.json().ok()?;
    answer
        .pointer("/data/access_token")?
        .as_str()
        .map(str::to_owned)
}

fn announce(screen: &Screen, url: &str, rows: &[[String; 3]], seconds: f64, token: Option<&str>) {
    screen.line("");
    screen.line(&screen.bold(&format!("Interline is ready after {seconds:.1} s")));
    screen.line("");
    screen.table(rows);
    screen.line("");
    screen.line(&format!("  Start page     {url}/"));
    screen.line(&format!("  Documentation  {url}/api-docs"));
    screen.line("");
    screen.line(&screen.bold("Sandbox accounts"));
    for account in ACCOUNTS {
        screen.line(&format!("  {account}  {PASSWORD}"));
    }
    let Some(token) = token else {
        screen.line("");
        screen.line("Nobody could be logged in for a first request; the log says why.");
        return;
    };
    let day = Clock::system()
        .now()
        .to_zoned(TimeZone::UTC)
        .date()
        .saturating_add(30.days());
    screen.line("");
    screen.line(&screen.bold("A first request, as the agent (the token lives for 15 minutes)"));
    screen.line(&format!(
        "curl -s '{url}/api/v1/flights/offers?origin=LHR&destination=JFK&departure_date={day}&adults=1&limit=3' \\\n  -H 'Authorization: Bearer {token}'"
    ));
    screen.line("");
    screen.line(&screen.dim("Ctrl-C stops everything."));
}
