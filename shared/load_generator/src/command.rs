//! `interline bench`: options, and what becomes of them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use travel_types::Clock;
use travel_types::jiff::tz::TimeZone;

use crate::dial::TcpDial;
use crate::job::{Host, Job, Load, Protocol};
use crate::limit::Limit;
use crate::progress::Progress;
use crate::report::Report;
use crate::scenario::{InputError, Requests, build};
use crate::units::{digits, duration, rate, share};

const EXAMPLES: &str = "\
Examples:
  The highest rate over 64 connections:
    interline bench http://127.0.0.1:8080/health/live --connections 64

  Latency at 2,000 requests a second, and the processor time of the gateway:
    interline bench http://127.0.0.1:8080/ --rate 2000 --duration 30s --warm-up 5s --pid 4711

  Searches and what follows them, with a result to look at:
    interline bench http://127.0.0.1:8080 --scenario tests/load/search.toml --rate 50 --html result.html

  In a pipeline: fails when 99 % are not answered within 50 ms:
    interline bench http://127.0.0.1:8080/ --rate 500 --fail-above p99=50ms --max-error-rate 0.1%";

/// The options of `interline bench`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct BenchOptions {
    /// Where to send to: http://host:port/path. Several are mixed evenly. May contain {uuid}, {seq},
    /// {date+30}, {random:1-100} and {token}, as may headers and bodies.
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// Scenario file (TOML): flows of steps with weights. The URL is then the base of its paths.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Method; GET, or POST when there is a body.
    #[arg(short = 'X', long)]
    method: Option<String>,
    /// Header, as 'Name: value'; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// Body, as text.
    #[arg(short, long, conflicts_with = "body_file")]
    body: Option<String>,
    /// File whose text is the body.
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,
    /// File of bearer tokens, one a line, sent in turn.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Statuses that are good: 200, or 2xx, or 200,404. Without it, all below 400.
    #[arg(long, value_name = "STATUS")]
    expect: Option<String>,
    /// Connections that carry requests. In an open loop they are the most that can be under way.
    #[arg(short, long, value_name = "N", default_value_t = 64)]
    connections: usize,
    /// Open loop: so many requests (or flows) a second, however slow the answers are. Without it, each
    /// connection sends again when it has its answer.
    #[arg(short, long, value_name = "PER_SECOND", value_parser = rate)]
    rate: Option<f64>,
    /// Open loop with the random distances of independent callers instead of equal ones.
    #[arg(long, requires = "rate")]
    poisson: bool,
    /// How long to measure: 10s, 500ms, 2m.
    #[arg(short, long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    duration: Duration,
    /// How long to send before that without counting.
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    warm_up: Duration,
    /// How long to wait for a whole answer.
    #[arg(short, long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    timeout: Duration,
    /// Threads of the generator.
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// HTTP/2 without TLS, by prior knowledge.
    #[arg(long)]
    http2: bool,
    /// Streams on each connection of HTTP/2.
    #[arg(long, value_name = "N", default_value_t = 10, requires = "http2")]
    streams: usize,
    /// Opens and holds so many more connections that carry nothing.
    #[arg(long, value_name = "N", default_value_t = 0)]
    idle_connections: usize,
    /// Process whose processor time and memory are measured, with all that descend from it; may be
    /// given several times.
    #[arg(long = "pid", value_name = "PID")]
    pids: Vec<u32>,
    /// Writes the result as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes the result as one self-contained page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Ends with 1 when a latency is above a limit: p99=50ms, mean=5ms, max=1s; may be given several
    /// times.
    #[arg(long, value_name = "LIMIT")]
    fail_above: Vec<Limit>,
    /// Ends with 1 when a greater share of the requests fails: 0.01 or 1%.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    max_error_rate: Option<f64>,
}

/// Runs the command. Its exit code is 0, or 1 when a limit was broken or an option was wrong.
pub fn bench(options: &BenchOptions) -> ExitCode {
    match measure(options) {
        Ok(report) if report.broken_limits.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(InputError(told)) => {
            drop(writeln!(std::io::stderr(), "interline: {told}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &BenchOptions) -> Result<Report, InputError> {
    let clock = Clock::system();
    let job = options.job(&clock)?;
    let told = |error: std::io::Error| InputError(error.to_string());
    allow_many_files();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(told)?;
    let mut report = runtime.block_on(async {
        let dial = TcpDial::resolve(&job).await.map_err(told)?;
        let host = Host {
            dial: Arc::new(dial),
            clock,
            fine_timer: true,
        };
        let mut progress = Progress::new();
        let interrupted = async {
            // Without a handler, Ctrl-C ends the program as ever.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        crate::run(&job, &host, interrupted, &mut |second| {
            progress.tell(second)
        })
        .await
        .map_err(told)
    })?;
    report.broken_limits = options.broken_limits(&report);
    // A reader that went away is no reason to fail.
    drop(std::io::stdout().write_all(crate::table(&report).as_bytes()));
    if let Some(path) = &options.json {
        let json = serde_json::to_vec_pretty(&report).map_err(|e| InputError(e.to_string()))?;
        write("--json", path, &json)?;
    }
    if let Some(path) = &options.html {
        write("--html", path, crate::page(&report).as_bytes())?;
    }
    Ok(report)
}

impl BenchOptions {
    /// What the options order.
    ///
    /// # Errors
    /// [`InputError`] names the option that is wrong.
    pub(crate) fn job(&self, clock: &Clock) -> Result<Job, InputError> {
        let wrong = |option: &str, told: &str| InputError(format!("{option}: {told}"));
        for (option, count) in [
            ("--connections", self.connections),
            ("--threads", self.threads),
            ("--streams", self.streams),
        ] {
            if count == 0 {
                return Err(wrong(option, "must be at least 1"));
            }
        }
        if self.threads > self.connections {
            return Err(wrong("--threads", "cannot be more than --connections"));
        }
        for (option, time, most) in [
            (
                "--duration",
                self.duration,
                Duration::from_secs(7 * 24 * 3600),
            ),
            ("--timeout", self.timeout, Duration::from_secs(3600)),
        ] {
            if time.is_zero() || time > most {
                return Err(wrong(
                    option,
                    &format!("must be above 0 and at most {most:?}"),
                ));
            }
        }
        if let Some(pid) = self
            .pids
            .iter()
            .find(|pid| crate::process::name(**pid).is_none())
        {
            return Err(wrong(
                "--pid",
                &format!("there is no process {pid} to be measured"),
            ));
        }
        let tokens = match &self.token_file {
            None => Vec::new(),
            Some(path) => tokens(path)?,
        };
        let body = match &self.body_file {
            None => self.body.clone(),
            Some(path) => Some(read("--body-file", path)?),
        };
        let scenario = self.scenario.as_deref();
        let scenario = scenario.map(|path| read("--scenario", path)).transpose()?;
        let requests = Requests {
            urls: self.urls.clone(),
            method: self.method.clone(),
            headers: self.headers.clone(),
            body,
            expect: self.expect.clone(),
            scenario,
            has_tokens: !tokens.is_empty(),
        };
        let today = clock.now().to_zoned(TimeZone::UTC).date();
        Ok(Job {
            scenario: Arc::new(build(&requests, today)?),
            load: match (self.rate, self.poisson) {
                (None, _) => Load::Closed,
                (Some(rate), false) => Load::Constant(rate),
                (Some(rate), true) => Load::Poisson(rate),
            },
            protocol: match self.http2 {
                false => Protocol::Http1,
                true => Protocol::Http2 {
                    streams: self.streams,
                },
            },
            connections: self.connections,
            idle_connections: self.idle_connections,
            threads: self.threads,
            warm_up: self.warm_up,
            duration: self.duration,
            timeout: self.timeout,
            tokens: tokens.into(),
            pids: self.pids.clone(),
        })
    }

    fn broken_limits(&self, report: &Report) -> Vec<String> {
        let limits = self.fail_above.iter();
        let mut broken: Vec<String> = limits.filter_map(|limit| limit.broken(report)).collect();
        if let Some(most) = self.max_error_rate {
            let percent = |share: f64| digits(share * 100.0);
            if report.error_rate > most {
                let (is, most) = (percent(report.error_rate), percent(most));
                broken.push(format!("errors are {is} % of the requests, above {most} %"));
            } else if report.requests == 0 {
                broken.push("no request was sent".to_owned());
            }
        }
        broken
    }
}

fn read(option: &str, path: &Path) -> Result<String, InputError> {
    std::fs::read_to_string(path)
        .map_err(|error| InputError(format!("{option} {}: {error}", path.display())))
}

fn write(option: &str, path: &Path, bytes: &[u8]) -> Result<(), InputError> {
    std::fs::write(path, bytes)
        .map_err(|error| InputError(format!("{option} {}: {error}", path.display())))
}

fn tokens(path: &Path) -> Result<Vec<String>, InputError> {
    let text = read("--token-file", path)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let tokens: Vec<String> = lines.map(str::to_owned).collect();
    let wrong = |told: String| {
        let path = path.display();
        Err(InputError(format!("--token-file {path}: {told}")))
    };
    if tokens.is_empty() {
        return wrong("it has no token".to_owned());
    }
    // The number of the line, and nothing of what it holds.
    let bad = |token: &String| !token.bytes().all(|byte| byte.is_ascii_graphic());
    if let Some(at) = tokens.iter().position(bad) {
        return wrong(format!("token {} has a character that none has", at + 1));
    }
    Ok(tokens)
}

/// Many connections need many files: as many as are allowed are asked for.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: maximum,
        maximum,
    };
    // Where it is refused, the connections that find no file say so.
    let _ = setrlimit(Resource::Nofile, most);
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
