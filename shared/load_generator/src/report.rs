//! The result of a run, as `--json` writes it.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use travel_types::jiff::Timestamp;

use crate::failure::FailureKind;
use crate::idle::IdleReport;
use crate::job::{Job, Load, Protocol};
use crate::number::{ms, ratio, real};
use crate::run::UsesReport;
use crate::tally::{FailureCount, LATE, Tally};

/// The result of a run. Times are in the unit that a name ends with.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// When it began.
    pub started_at: String,
    /// Whether it was stopped before its time.
    pub ended_early: bool,
    /// What was ordered.
    pub settings: Settings,
    /// The time that counts: from the end of the warm-up on.
    pub measured_s: f64,
    /// Requests that were due in that time.
    pub requests: u64,
    /// Requests a second.
    pub rate: f64,
    /// Megabytes (10⁶) a second that were received.
    pub megabytes_per_s: f64,
    /// Failed requests, of every kind.
    pub errors: u64,
    /// Failed requests by requests.
    pub error_rate: f64,
    /// Failed requests by kind.
    pub error_kinds: BTreeMap<FailureKind, FailureCount>,
    /// Answers by status, allowed or not.
    pub statuses: BTreeMap<u16, u64>,
    /// From the moment at which a request was due to the end of its answer, time-outs and requests that
    /// were never sent included: no request hides behind a slow one. In a closed loop a request is due
    /// when it is sent.
    pub latency: Latency,
    /// In an open loop: from the sending to the end of the answer. What a caller sees who comes when
    /// the target has time; not what callers of this rate see.
    pub service: Option<Latency>,
    /// Latency by percentile.
    pub curve: Vec<CurvePoint>,
    /// By step of the scenario, or by URL.
    pub steps: Vec<StepReport>,
    /// By second.
    pub seconds: Vec<Second>,
    /// The processes of `--pid`.
    pub processes: Vec<ProcessReport>,
    /// What the generator itself did.
    pub generator: GeneratorReport,
    /// The connections of `--idle-connections`.
    pub idle: IdleReport,
    /// What a reader of the numbers must know.
    pub notes: Vec<String>,
    /// The limits that were broken; empty if none was.
    pub broken_limits: Vec<String>,
    #[serde(skip)]
    histogram: Histogram<u64>,
}

/// What was ordered, in words.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// Hosts and ports.
    pub targets: Vec<String>,
    /// Closed or open, with the rate.
    pub load: String,
    /// Protocol and streams.
    pub protocol: String,
    /// Connections that carry requests.
    pub connections: usize,
    /// Connections that carry nothing.
    pub idle_connections: usize,
    /// Threads of the generator.
    pub threads: usize,
    /// Time that is not counted.
    pub warm_up_s: f64,
    /// Time that is counted, as ordered.
    pub duration_s: f64,
    /// For a whole answer.
    pub timeout_s: f64,
    /// Different bearer tokens.
    pub tokens: usize,
}

/// A distribution of times.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are the meaning")]
pub struct Latency {
    pub count: u64,
    pub min_ms: f64,
    pub mean_ms: f64,
    pub stddev_ms: f64,
    pub p50_ms: f64,
    pub p75_ms: f64,
    pub p90_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub p99_9_ms: f64,
    pub p99_99_ms: f64,
    pub max_ms: f64,
}

/// One point of the percentile plot.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CurvePoint {
    /// Between 0 and 1.
    pub quantile: f64,
    /// See [`Report::latency`].
    pub latency_ms: f64,
    /// See [`Report::service`].
    pub service_ms: Option<f64>,
}

/// One step of the scenario.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    /// Its name, or the URL.
    pub name: String,
    /// Requests, good and failed.
    pub requests: u64,
    /// Failed ones.
    pub errors: u64,
    /// See [`Report::latency`].
    pub latency: Latency,
}

/// What was counted in one second.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Second {
    /// Its end, since counting began; in the warm-up, since the run began.
    pub at_s: f64,
    /// Whether it lies in the warm-up, in which nothing is counted.
    pub warming_up: bool,
    /// Requests a second.
    pub rate: f64,
    /// Requests, good and failed.
    pub requests: u64,
    /// Failed ones.
    pub errors: u64,
    /// Median latency.
    pub p50_ms: f64,
    /// 99 % were faster.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// What a process and all that descend from it used.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessReport {
    /// Of the process that was named.
    pub pid: u32,
    /// Its program.
    pub name: String,
    /// User and system time in the time that counts; none if the process was not there throughout.
    pub cpu_s: Option<f64>,
    /// By the time that passed: 1.0 is one core.
    pub cores: Option<f64>,
    /// By the requests that were sent.
    pub cpu_us_per_request: Option<f64>,
    /// The most resident memory that was seen, once a second.
    pub rss_peak_mib: f64,
}

/// What the generator itself did.
#[derive(Clone, Debug, Serialize)]
pub struct GeneratorReport {
    /// Its own processor time: 1.0 is one core.
    pub cores: Option<f64>,
    /// Its own processor time by the requests that were sent.
    pub cpu_us_per_request: Option<f64>,
    /// Requests of an open loop that found a free connection and were sent more than 5 ms late all the
    /// same.
    pub late: u64,
    /// How late were 99 % of those that found a free connection, at most.
    pub lateness_p99_ms: f64,
    /// Whether the numbers say more about the generator than about the target.
    pub was_the_bottleneck: bool,
}

/// What a run leaves behind.
pub(crate) struct Summary<'a> {
    pub(crate) job: &'a Job,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_early: bool,
    pub(crate) measured: Duration,
    pub(crate) tally: Tally,
    pub(crate) seconds: Vec<Second>,
    pub(crate) usage: UsesReport,
    pub(crate) idle: IdleReport,
    pub(crate) tokens_used: u64,
}

impl Report {
    pub(crate) fn new(summary: Summary<'_>) -> Self {
        let Summary { job, tally, .. } = summary;
        let requests = tally.requests();
        let errors = tally.failed_requests();
        let measured_s = summary.measured.as_secs_f64();
        let histogram = tally.latency();
        let open = job.load != Load::Closed;
        let service = open.then(|| tally.service());
        let unsent = tally
            .failures
            .get(&FailureKind::Unsent)
            .map_or(0, |unsent| unsent.count);
        let sent = requests - unsent;
        let per_request = |cpu_s: Option<f64>| {
            cpu_s
                .filter(|_| sent > 0)
                .map(|cpu_s| cpu_s * 1e6 / real(sent))
        };
        let mut processes = summary.usage.processes;
        for process in &mut processes {
            process.cpu_us_per_request = per_request(process.cpu_s);
        }
        let generator = generator(job, &tally, summary.usage.generator_cores, || {
            per_request(summary.usage.generator_cpu.map(|cpu| cpu.as_secs_f64()))
        });
        let mut notes = notes(job, &tally, &generator, unsent, summary.tokens_used);
        if summary.ended_early {
            notes.insert(0, "Ended early: this is the result so far.".to_owned());
        }
        let steps = job.scenario.step_names.iter().zip(&tally.steps);
        let steps = steps.map(|(name, step)| StepReport {
            name: name.clone(),
            requests: step.good + step.failed,
            errors: step.failed,
            latency: Latency::of(&step.latency),
        });
        Self {
            started_at: summary.started_at.to_string(),
            ended_early: summary.ended_early,
            settings: Settings::of(job),
            measured_s,
            requests,
            rate: ratio(real(sent), measured_s),
            megabytes_per_s: ratio(real(tally.bytes), measured_s) / 1e6,
            errors,
            error_rate: ratio(real(errors), real(requests)),
            latency: Latency::of(&histogram),
            curve: curve(&histogram, service.as_ref()),
            service: service.as_ref().map(Latency::of),
            steps: steps.collect(),
            error_kinds: tally.failures,
            statuses: tally.statuses,
            seconds: summary.seconds,
            processes,
            generator,
            idle: summary.idle,
            notes,
            broken_limits: Vec::new(),
            histogram,
        }
    }

    /// The latency that this part of the requests did not exceed.
    pub fn latency_at(&self, quantile: f64) -> f64 {
        ms(self.histogram.value_at_quantile(quantile))
    }
}

fn generator(
    job: &Job,
    tally: &Tally,
    cores: Option<f64>,
    cpu_us_per_request: impl Fn() -> Option<f64>,
) -> GeneratorReport {
    let threads = u32::try_from(job.threads).map_or(f64::MAX, f64::from);
    let waited_for = tally.lateness.len();
    GeneratorReport {
        cores,
        cpu_us_per_request: cpu_us_per_request(),
        late: tally.late,
        lateness_p99_ms: ms(tally.lateness.value_at_quantile(0.99)),
        // A few are what any machine does now and then.
        was_the_bottleneck: tally.late >= 10 && ratio(real(tally.late), real(waited_for)) > 0.01
            || cores.is_some_and(|cores| cores > 0.95 * threads),
    }
}

fn notes(
    job: &Job,
    tally: &Tally,
    generator: &GeneratorReport,
    unsent: u64,
    tokens_used: u64,
) -> Vec<String> {
    let mut notes = Vec::new();
    if generator.was_the_bottleneck {
        notes.push(format!(
            "The generator itself was the bottleneck: {} sends were more than {} ms late although a \
             connection was free, and it used {:.2} cores with --threads {}. Give it more, or a machine \
             of its own.",
            tally.late,
            LATE.as_millis(),
            generator.cores.unwrap_or_default(),
            job.threads
        ));
    }
    if unsent > 0 {
        notes.push(format!(
            "{unsent} requests were due and never sent, because no connection was free until the end: \
             the target is slower than the rate, or --connections is too low."
        ));
    }
    if job.tokens.len() > 1 && tokens_used > u64::try_from(job.tokens.len()).unwrap_or(u64::MAX) {
        notes.push(format!(
            "The {} tokens were used {:.1} times each: a cache of verified tokens may have known them.",
            job.tokens.len(),
            real(tokens_used) / u32::try_from(job.tokens.len()).map_or(f64::MAX, f64::from)
        ));
    }
    notes
}

impl Settings {
    fn of(job: &Job) -> Self {
        let targets = job.scenario.origins.iter();
        Self {
            targets: targets.map(|origin| origin.authority.clone()).collect(),
            load: match job.load {
                Load::Closed => "closed loop".to_owned(),
                Load::Constant(rate) => format!("open loop, constant {rate}/s"),
                Load::Poisson(rate) => format!("open loop, Poisson {rate}/s"),
            },
            protocol: match job.protocol {
                Protocol::Http1 => "HTTP/1.1".to_owned(),
                Protocol::Http2 { streams } => format!("HTTP/2, {streams} streams a connection"),
            },
            connections: job.connections,
            idle_connections: job.idle_connections,
            threads: job.threads,
            warm_up_s: job.warm_up.as_secs_f64(),
            duration_s: job.duration.as_secs_f64(),
            timeout_s: job.timeout.as_secs_f64(),
            tokens: job.tokens.len(),
        }
    }
}

impl Latency {
    fn of(times: &Histogram<u64>) -> Self {
        let at = |quantile| ms(times.value_at_quantile(quantile));
        Self {
            count: times.len(),
            min_ms: ms(times.min()),
            mean_ms: times.mean() / 1e6,
            stddev_ms: times.stdev() / 1e6,
            p50_ms: at(0.5),
            p75_ms: at(0.75),
            p90_ms: at(0.9),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            p99_9_ms: at(0.999),
            p99_99_ms: at(0.9999),
            max_ms: ms(times.max()),
        }
    }
}

/// Points at equal distances on an axis of nines (90 %, 99 %, …), as far as the count carries.
fn curve(latency: &Histogram<u64>, service: Option<&Histogram<u64>>) -> Vec<CurvePoint> {
    if latency.is_empty() {
        return Vec::new();
    }
    let nines = real(latency.len()).log10();
    let steps = std::iter::successors(Some(0.0), |x| Some(x + 0.04));
    let mut points: Vec<f64> = steps.take_while(|x| *x < nines).collect();
    points.push(nines);
    let of = |x: f64| {
        let quantile = 1.0 - 10_f64.powf(-x);
        let service = service.filter(|service| !service.is_empty());
        CurvePoint {
            quantile,
            latency_ms: ms(latency.value_at_quantile(quantile)),
            service_ms: service.map(|service| ms(service.value_at_quantile(quantile))),
        }
    };
    points.into_iter().map(of).collect()
}
