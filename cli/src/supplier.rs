//! `interline supplier record` and `replay`: a listener between a service and a supplier that writes
//! down what goes by, masked, and one that answers from such a file.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use service_kit::{StartError, bind, shutdown_signal};
use settings::{Settings, Sources};
use supplier_client::recording::{
    Exchange, Forwarded, Outcome, Recorder, RecorderConfig, Recording, RecordingError, Replay,
    Served,
};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::sleep;
use travel_types::Clock;

use crate::screen::Screen;

/// Requests under way may take so long to end after Ctrl-C.
const DRAIN: Duration = Duration::from_secs(5);
/// Longest body of a request to a replay. Bytes.
const MAX_BODY: usize = 16 * 1024 * 1024;

#[derive(clap::Subcommand)]
pub(crate) enum SupplierCommand {
    /// Passes requests on to a supplier, unchanged, and writes every exchange to a file.
    ///
    /// Credentials, card numbers and travellers' data are masked before anything is written; amounts,
    /// ids and dates of travel stay. The same value has the same stand-in throughout the file. Nothing
    /// is retried. Point the service's `suppliers.<name>.base_url` at the address that is shown; Ctrl-C
    /// ends the recording. Read the file before you send it to anybody.
    Record(RecordOptions),
    /// Answers requests from a recorded file.
    ///
    /// A request is found by method, path and query, and by its body if several were recorded; values
    /// that are masked in the file match any value. The same request again gets the next recorded
    /// answer, the last one is repeated. What was not recorded is a 404 that names the nearest.
    ///
    /// A reference that the client makes itself, as of an order, is taken for the recorded one and put
    /// into the answers in its place, so that what was ordered and cancelled in the recording can be
    /// ordered and cancelled again. All else in the answers is as recorded.
    Replay(ReplayOptions),
}

#[derive(clap::Args)]
pub(crate) struct RecordOptions {
    /// Base URL of the supplier, e.g. https://api.duffel.com; a path prefix is kept.
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
    /// File to write, one JSON line per exchange; readable by you alone.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Replaces the file if it exists.
    #[arg(long)]
    pub(crate) force: bool,
    /// Port to listen on, at 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Ends after so many exchanges.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Longest wait for a complete answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 130, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,
    /// Longest body in either direction, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 16 * 1024 * 1024)]
    pub(crate) max_body: usize,
    /// Keeps bodies that are neither JSON nor a form nor text, in Base64 and UNMASKED. Without it their
    /// length alone is kept.
    #[arg(long)]
    pub(crate) raw_bodies: bool,
    /// Service that is pointed here, e.g. flight_service: shows the variable to set.
    #[arg(long, requires = "supplier")]
    pub(crate) service: Option<String>,
    /// Supplier's name in that service's configuration, e.g. duffel.
    #[arg(long, requires = "service")]
    pub(crate) supplier: Option<String>,
}

#[derive(clap::Args)]
pub(crate) struct ReplayOptions {
    /// File that `interline supplier record` wrote.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Port to listen on, at 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// How long answers take.
    #[arg(long, value_enum, default_value_t = Latency::None)]
    pub(crate) latency: Latency,
    /// Parameter or JSON member that is not compared, because it is another each time, e.g.
    /// supplier_timeout. May be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) ignore: Vec<String>,
    /// Service that is pointed here, e.g. flight_service: shows the variable to set.
    #[arg(long, requires = "supplier")]
    pub(crate) service: Option<String>,
    /// Supplier's name in that service's configuration, e.g. duffel.
    #[arg(long, requires = "service")]
    pub(crate) supplier: Option<String>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Latency {
    /// As long as the supplier took.
    AsRecorded,
    /// None.
    None,
}

pub(crate) fn supplier(command: SupplierCommand) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::Other(error.to_string()))?;
    let result = runtime.block_on(async {
        match command {
            SupplierCommand::Record(options) => record(&options).await,
            SupplierCommand::Replay(options) => replay(&options).await,
        }
    });
    runtime.shutdown_timeout(Duration::from_millis(500));
    result
}

async fn record(options: &RecordOptions) -> Result<(), StartError> {
    check(options.service.as_deref(), options.supplier.as_deref())?;
    // The port first: an address that is taken must not cost the old file.
    let (listener, url) = listen(options.port).await?;
    let tape = Tape::new(options)?;
    let screen = Screen::new();
    screen.line(&format!(
        "Recording {} to {}",
        options.to,
        options.file.display()
    ));
    show(
        &screen,
        &url,
        options.service.as_deref(),
        options.supplier.as_deref(),
    );
    let count = Arc::clone(&tape.count);
    run(listener, recording(tape.clone()), async move {
        tokio::select! {
            () = shutdown_signal() => {}
            () = tape.ended() => {}
        }
    })
    .await?;
    screen.line(&format!(
        "{} exchanges in {}",
        count.load(Ordering::SeqCst),
        options.file.display()
    ));
    Ok(())
}

async fn replay(options: &ReplayOptions) -> Result<(), StartError> {
    check(options.service.as_deref(), options.supplier.as_deref())?;
    let replay = Replay::open(&options.file).map_err(told)?;
    let replay = replay.ignoring(options.ignore.iter().cloned());
    if replay.truncated() {
        note("warning: the last line of the file is cut off, and left out");
    }
    let (listener, url) = listen(options.port).await?;
    let screen = Screen::new();
    screen.line(&format!(
        "Replaying {} exchanges of {}",
        replay.exchanges().len(),
        options.file.display()
    ));
    show(
        &screen,
        &url,
        options.service.as_deref(),
        options.supplier.as_deref(),
    );
    let router = replaying(Arc::new(replay), options.latency);
    run(listener, router, shutdown_signal()).await
}

/// Refuses a supplier that the service does not have: it would refuse the variable that is shown.
pub(crate) fn check(service: Option<&str>, supplier: Option<&str>) -> Result<(), StartError> {
    let (Some(service), Some(supplier)) = (service, supplier) else {
        return Ok(());
    };
    let spec = crate::find(service)?;
    let settings = Settings::load(spec.name, &spec.defaults(), &Sources::default())?;
    let known = settings.names_below("suppliers");
    if known.iter().any(|name| name == supplier) {
        return Ok(());
    }
    let known = match known.is_empty() {
        true => "it has none".to_owned(),
        false => format!("there are {}", known.join(", ")),
    };
    Err(StartError::Other(format!(
        "{service} has no supplier '{supplier}'; {known}"
    )))
}

async fn listen(port: u16) -> Result<(TcpListener, String), StartError> {
    let wrong = |error: std::io::Error| StartError::Listen {
        address: format!("127.0.0.1:{port}"),
        problem: error.to_string(),
    };
    let listener = bind("127.0.0.1", port).await.map_err(wrong)?;
    let address = listener.local_addr().map_err(wrong)?;
    Ok((listener, format!("http://{address}")))
}

async fn run(
    listener: TcpListener,
    router: Router,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), StartError> {
    let ending = Arc::new(Notify::new());
    let told = Arc::clone(&ending);
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        end.await;
        told.notify_one();
    });
    let drained = async {
        ending.notified().await;
        sleep(DRAIN).await;
    };
    tokio::select! {
        result = async { server.await } => {
            result.map_err(|error| StartError::Other(error.to_string()))
        }
        () = drained => Ok(()),
    }
}

/// Where to point a service.
fn show(screen: &Screen, url: &str, service: Option<&str>, supplier: Option<&str>) {
    screen.line("");
    screen.line(&format!("  suppliers.<name>.base_url = \"{url}\""));
    screen.line(&format!("  {}", variable(url, service, supplier)));
    screen.line("");
    screen.line(&screen.dim("Ctrl-C ends it."));
}

/// The environment variable that points a service at this address.
pub(crate) fn variable(url: &str, service: Option<&str>, supplier: Option<&str>) -> String {
    let (service, supplier, example) = match (service, supplier) {
        (Some(service), Some(supplier)) => (service, supplier, ""),
        _ => ("flight_service", "duffel", "    (for example)"),
    };
    let (service, supplier) = (service.to_uppercase(), supplier.to_uppercase());
    format!("INTERLINE__{service}__SUPPLIERS__{supplier}__BASE_URL={url}{example}")
}

/// A recorder and how many exchanges it may still take.
#[derive(Clone)]
pub(crate) struct Tape {
    recorder: Arc<Recorder>,
    max_body: usize,
    limit: u64,
    /// Exchanges that have begun.
    taken: Arc<AtomicU64>,
    /// Exchanges that are over.
    ended: Arc<AtomicU64>,
    /// Exchanges that are in the file.
    count: Arc<AtomicU64>,
    full: Arc<Notify>,
}

impl Tape {
    pub(crate) fn new(options: &RecordOptions) -> Result<Self, StartError> {
        let config = RecorderConfig {
            base_url: options.to.clone(),
            timeout: Duration::from_secs(options.timeout),
            max_body_bytes: options.max_body,
            raw_bodies: options.raw_bodies,
        };
        let create = || Recording::create(&options.file, options.force);
        let recorder = Recorder::new(config, create, Clock::system()).map_err(told)?;
        Ok(Self {
            recorder: Arc::new(recorder),
            max_body: options.max_body,
            limit: options.limit.unwrap_or(u64::MAX),
            taken: Arc::default(),
            ended: Arc::default(),
            count: Arc::default(),
            full: Arc::default(),
        })
    }

    /// Waits until the limit is reached.
    pub(crate) async fn ended(&self) {
        self.full.notified().await;
    }

    async fn take(self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let Ok(body) = to_bytes(body, self.max_body).await else {
            let text = "interline supplier record: the body is cut off or longer than --max-body\n";
            return (StatusCode::PAYLOAD_TOO_LARGE, text).into_response();
        };
        if self.taken.fetch_add(1, Ordering::SeqCst) >= self.limit {
            let text = "interline supplier record: the limit is reached, the recording ends\n";
            return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
        }
        let request = http::Request::from_parts(head, body);
        // Not in the handler itself, which ends when the client goes away.
        let exchange = tokio::spawn(async move {
            let Forwarded {
                answer,
                exchange,
                written,
            } = self.recorder.forward(request).await;
            note(&summary(&exchange));
            match written {
                Ok(()) => drop(self.count.fetch_add(1, Ordering::SeqCst)),
                Err(error) => note(&format!("error: not recorded: {error}")),
            }
            if self.ended.fetch_add(1, Ordering::SeqCst) + 1 >= self.limit {
                self.full.notify_one();
            }
            answer
        });
        match exchange.await {
            Ok(answer) => answer.map(Body::from).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// Passes every request on.
pub(crate) fn recording(tape: Tape) -> Router {
    Router::new().fallback(move |request: Request| tape.clone().take(request))
}

/// Answers every request from the recording.
pub(crate) fn replaying(replay: Arc<Replay>, latency: Latency) -> Router {
    Router::new().fallback(move |request: Request| {
        let replay = Arc::clone(&replay);
        async move { give(&replay, latency, request).await }
    })
}

async fn give(replay: &Replay, latency: Latency, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        let text = "interline supplier replay: the body is cut off or too long\n";
        return (StatusCode::PAYLOAD_TOO_LARGE, text).into_response();
    };
    let Served { answer, source } = replay.serve(&http::Request::from_parts(head, body));
    match source {
        Ok(matched) => {
            let lost = if matched.lost_body() {
                "; its body was not kept"
            } else {
                ""
            };
            let exchange = matched.exchange;
            note(&format!(
                "{} as recorded in line {}{lost}",
                summary(exchange),
                matched.line
            ));
            if matches!(latency, Latency::AsRecorded) {
                sleep(Duration::from_millis(exchange.duration_ms)).await;
            }
        }
        Err(unmatched) => note(&format!(
            "404 {unmatched} (--ignore NAME leaves a parameter or member out of the comparison)"
        )),
    }
    answer.map(Body::from).into_response()
}

/// One exchange in one line, masked.
fn summary(exchange: &Exchange) -> String {
    let Exchange {
        duration_ms,
        request,
        outcome,
        ..
    } = exchange;
    match outcome {
        Outcome::Response(response) => {
            format!("{} {request} ({duration_ms} ms)", response.status)
        }
        Outcome::Failure(failure) => format!(
            "502 {request} ({duration_ms} ms; no answer: {}: {})",
            failure.cause, failure.detail
        ),
    }
}

fn told(error: RecordingError) -> StartError {
    StartError::Other(error.to_string())
}

/// A line on standard error, where it does not mix with what is piped on.
fn note(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}
