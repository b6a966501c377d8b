//! Runs a job: starts the workers, collects what they count each second, and makes the report.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::http2;
use crate::idle::Idle;
use crate::job::{Host, Job, Load, Protocol};
use crate::lane::{Lane, Window, Worker};
use crate::number::{ms, ratio, real};
use crate::pace::Arrivals;
use crate::process::{Usage, own_cpu, usage_of_tree};
use crate::report::{ProcessReport, Report, Second, Summary};
use crate::tally::Tally;
use crate::template::Counters;

/// Runs a job to its end, or until `stop` is ready; `tell` hears of each second.
///
/// # Errors
/// [`io::Error`] when a thread cannot be started.
pub async fn run(
    job: &Job,
    host: &Host,
    stop: impl Future<Output = ()>,
    tell: &mut dyn FnMut(&Second),
) -> io::Result<Report> {
    let idle = Idle::open(&host.dial, job.idle_connections).await;
    let started_at = host.clock.now();
    let begin = Instant::now();
    let from = begin + job.warm_up;
    let window = Window {
        begin,
        from,
        end: from + job.duration,
    };
    let workers = Workers::start(job, host, window)?;
    let mut collected = Collected::new(job, window, workers.tallies.clone());
    tokio::pin!(stop);
    let ended_early = collected.watch(&mut stop, tell).await;
    let measured = Instant::now()
        .min(window.end)
        .saturating_duration_since(from);
    let usage = collected.uses.end(&job.pids);
    let counters = Arc::clone(&workers.counters);
    if ended_early {
        drop(workers.stop);
    } else {
        // Each answer that is still missing has its own time-out.
        let mut done = workers.done;
        tokio::select! {
            () = &mut stop => drop(workers.stop),
            () = async { while done.join_next().await.is_some() {} } => {}
        }
    }
    collected.drain();
    Ok(Report::new(Summary {
        job,
        started_at,
        ended_early,
        measured,
        tally: collected.total,
        seconds: collected.seconds,
        usage,
        idle: idle.report(),
        tokens_used: counters.tokens_used(),
    }))
}

struct Workers {
    tallies: Vec<Arc<Mutex<Tally>>>,
    counters: Arc<Counters>,
    /// Dropped, it ends them at once.
    stop: watch::Sender<()>,
    done: JoinSet<()>,
}

impl Workers {
    fn start(job: &Job, host: &Host, window: Window) -> io::Result<Self> {
        let threads = job.threads.clamp(1, job.connections.max(1));
        let counters = Arc::new(Counters::default());
        let (stop, stopped) = watch::channel(());
        let mut workers = Self {
            tallies: Vec::new(),
            counters,
            stop,
            done: JoinSet::new(),
        };
        for number in 0..threads {
            let tally = Arc::new(Mutex::new(Tally::new(job.scenario.step_names.len())));
            workers.tallies.push(Arc::clone(&tally));
            let worker = Arc::new(Worker {
                scenario: Arc::clone(&job.scenario),
                dial: Arc::clone(&host.dial),
                counters: Arc::clone(&workers.counters),
                tokens: Arc::clone(&job.tokens),
                arrivals: arrivals(job.load, window.begin, number, threads),
                window,
                timeout: job.timeout,
                fine_timer: host.fine_timer,
                tally,
            });
            let more = usize::from(number < job.connections % threads);
            let connections = job.connections / threads + more;
            let driven = drive(worker, connections, job.protocol, stopped.clone());
            if threads == 1 {
                workers.done.spawn(driven);
                continue;
            }
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let (done, ended) = oneshot::channel();
            std::thread::Builder::new()
                .name(format!("load-{number}"))
                .spawn(move || {
                    runtime.block_on(driven);
                    let _ = done.send(());
                })?;
            workers.done.spawn(async move { drop(ended.await) });
        }
        Ok(workers)
    }
}

/// A worker's part of an open loop: every `threads`-th arrival.
fn arrivals(load: Load, begin: Instant, number: usize, threads: usize) -> Option<Arrivals> {
    let (rate, poisson) = match load {
        Load::Closed => return None,
        Load::Constant(rate) => (rate, false),
        Load::Poisson(rate) => (rate, true),
    };
    let part = |count: usize| u32::try_from(count).map_or(1.0, f64::from);
    let offset = Duration::try_from_secs_f64(part(number) / rate).unwrap_or_default();
    Some(Arrivals::new(begin, offset, rate / part(threads), poisson))
}

async fn drive(
    worker: Arc<Worker>,
    connections: usize,
    protocol: Protocol,
    mut stopped: watch::Receiver<()>,
) {
    let mut lanes = JoinSet::new();
    for _ in 0..connections {
        match protocol {
            Protocol::Http1 => {
                lanes.spawn(Lane::new(Arc::clone(&worker), None).run());
            }
            Protocol::Http2 { streams } => {
                let shared = Arc::new(http2::Shared::new(worker.scenario.origins.len()));
                for _ in 0..streams {
                    let shared = Some(Arc::clone(&shared));
                    lanes.spawn(Lane::new(Arc::clone(&worker), shared).run());
                }
            }
        }
    }
    tokio::select! {
        _ = stopped.changed() => {}
        () = async { while lanes.join_next().await.is_some() {} } => {}
    }
}

/// What was counted so far.
struct Collected {
    window: Window,
    tallies: Vec<Arc<Mutex<Tally>>>,
    spare: Tally,
    total: Tally,
    seconds: Vec<Second>,
    uses: Uses,
}

impl Collected {
    fn new(job: &Job, window: Window, tallies: Vec<Arc<Mutex<Tally>>>) -> Self {
        let steps = job.scenario.step_names.len();
        Self {
            window,
            tallies,
            spare: Tally::new(steps),
            total: Tally::new(steps),
            seconds: Vec::new(),
            uses: Uses::begin(&job.pids),
        }
    }

    /// Collects each second until the end; true if it was stopped before.
    async fn watch(
        &mut self,
        stop: &mut (impl Future<Output = ()> + Unpin),
        tell: &mut dyn FnMut(&Second),
    ) -> bool {
        let Window { begin, from, end } = self.window;
        let mut last = begin;
        while last < end {
            let next = last + Duration::from_secs(1);
            let next = if last < from {
                next.min(from)
            } else {
                next.min(end)
            };
            let stopped = tokio::select! {
                () = &mut *stop => true,
                () = tokio::time::sleep_until(next) => false,
            };
            let now = if stopped { Instant::now() } else { next };
            let counted = self.drain();
            let warming_up = last < from;
            let since = if warming_up { begin } else { from };
            let second = Second::new(&counted, now - since, now - last, warming_up);
            tell(&second);
            if !warming_up {
                self.uses.sample();
                self.seconds.push(second);
            } else if next == from {
                self.uses.restart();
            }
            if stopped {
                return true;
            }
            last = next;
        }
        false
    }

    /// Takes what the workers have counted, adds it to the total, and gives it.
    fn drain(&mut self) -> Tally {
        let mut counted = Tally::new(self.total.steps.len());
        for tally in &self.tallies {
            {
                let mut tally = tally.lock().unwrap_or_else(|broken| broken.into_inner());
                std::mem::swap(&mut *tally, &mut self.spare);
            }
            counted.add(&self.spare);
            self.spare.clear();
        }
        self.total.add(&counted);
        counted
    }
}

/// What processes used since counting began.
struct Uses {
    begun: Instant,
    own: Option<Duration>,
    processes: Vec<(u32, Option<Usage>, u64)>,
}

/// The same, at the end.
pub(crate) struct UsesReport {
    /// Processor time of the generator by the time that passed: 1.0 is one core.
    pub(crate) generator_cores: Option<f64>,
    pub(crate) generator_cpu: Option<Duration>,
    pub(crate) processes: Vec<ProcessReport>,
}

impl Uses {
    fn begin(pids: &[u32]) -> Self {
        let usage = |pid: &u32| (*pid, usage_of_tree(*pid), 0);
        Self {
            begun: Instant::now(),
            own: own_cpu(),
            processes: pids.iter().map(usage).collect(),
        }
    }

    fn restart(&mut self) {
        let pids: Vec<u32> = self.processes.iter().map(|(pid, ..)| *pid).collect();
        *self = Self::begin(&pids);
    }

    /// Notes the memory, whose peak is reported.
    fn sample(&mut self) {
        for (pid, _, peak) in &mut self.processes {
            let now = usage_of_tree(*pid).unwrap_or_default();
            *peak = now.rss_kib.max(*peak);
        }
    }

    fn end(&self, pids: &[u32]) -> UsesReport {
        let passed = self.begun.elapsed().as_secs_f64();
        let since =
            |first: Option<Duration>, last: Option<Duration>| Some(last?.saturating_sub(first?));
        let own = since(self.own, own_cpu());
        let now = Self::begin(pids);
        let processes = self.processes.iter().zip(&now.processes);
        UsesReport {
            generator_cores: own.map(|own| ratio(own.as_secs_f64(), passed)),
            generator_cpu: own,
            processes: processes
                .map(|((pid, first, peak), (_, last, _))| {
                    let cpu = since(first.map(|usage| usage.cpu), last.map(|usage| usage.cpu));
                    ProcessReport {
                        pid: *pid,
                        name: crate::process::name(*pid).unwrap_or_default(),
                        cpu_s: cpu.map(|cpu| cpu.as_secs_f64()),
                        cores: cpu.map(|cpu| ratio(cpu.as_secs_f64(), passed)),
                        cpu_us_per_request: None,
                        rss_peak_mib: real(last.map_or(0, |usage| usage.rss_kib).max(*peak))
                            / 1024.0,
                    }
                })
                .collect(),
        }
    }
}

impl Second {
    fn new(counted: &Tally, at: Duration, length: Duration, warming_up: bool) -> Self {
        let latency = counted.latency();
        let requests = counted.requests();
        Self {
            at_s: at.as_secs_f64(),
            warming_up,
            rate: ratio(real(requests), length.as_secs_f64()),
            requests,
            errors: counted.failed_requests(),
            p50_ms: ms(latency.value_at_quantile(0.5)),
            p99_ms: ms(latency.value_at_quantile(0.99)),
            max_ms: ms(latency.max()),
        }
    }
}
