//! What one worker counts, and sums of it.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::failure::{Failure, FailureKind};
use crate::number::nanos;

/// An hour, in nanoseconds: no time-out is longer.
const LONGEST: u64 = 3_600_000_000_000;

/// Sends that are this late although a lane was free are the generator's own fault. Timers and a busy
/// machine explain less.
pub(crate) const LATE: Duration = Duration::from_millis(5);

/// Times between 1 ns and an hour, to three digits.
#[allow(
    clippy::expect_used,
    reason = "the bounds are constants, and every test makes a histogram of them"
)]
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("valid bounds")
}

/// The failures of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct FailureCount {
    /// How many.
    pub count: u64,
    /// What was seen first.
    pub example: String,
}

/// The counts of one step.
pub(crate) struct StepTally {
    /// From the moment at which the request was due.
    pub(crate) latency: Histogram<u64>,
    /// From the moment at which it was sent.
    pub(crate) service: Histogram<u64>,
    pub(crate) good: u64,
    pub(crate) failed: u64,
}

/// Everything that is counted.
pub(crate) struct Tally {
    pub(crate) steps: Vec<StepTally>,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) failures: BTreeMap<FailureKind, FailureCount>,
    pub(crate) bytes: u64,
    /// How late requests were sent for which a lane was waiting.
    pub(crate) lateness: Histogram<u64>,
    pub(crate) late: u64,
}

impl Tally {
    pub(crate) fn new(steps: usize) -> Self {
        let step = || StepTally {
            latency: histogram(),
            service: histogram(),
            good: 0,
            failed: 0,
        };
        Self {
            steps: std::iter::repeat_with(step).take(steps).collect(),
            statuses: BTreeMap::new(),
            failures: BTreeMap::new(),
            bytes: 0,
            lateness: histogram(),
            late: 0,
        }
    }

    /// A whole answer that was allowed.
    pub(crate) fn good(&mut self, step: usize) {
        if let Some(step) = self.steps.get_mut(step) {
            step.good += 1;
        }
    }

    pub(crate) fn failed(&mut self, step: usize, failure: Failure) {
        if let Some(step) = self.steps.get_mut(step) {
            step.failed += 1;
        }
        let failures = self.failures.entry(failure.kind).or_default();
        failures.count += 1;
        if failures.example.is_empty() {
            failures.example = failure.detail;
        }
    }

    /// How long a request took, or for how long its answer was waited for in vain.
    pub(crate) fn took(&mut self, step: usize, latency: Duration, service: Option<Duration>) {
        if let Some(step) = self.steps.get_mut(step) {
            step.latency.saturating_record(nanos(latency));
            if let Some(service) = service {
                step.service.saturating_record(nanos(service));
            }
        }
    }

    /// How late a request was sent for which a lane was waiting.
    pub(crate) fn sent(&mut self, late: Duration) {
        self.lateness.saturating_record(nanos(late));
        if late > LATE {
            self.late += 1;
        }
    }

    pub(crate) fn requests(&self) -> u64 {
        self.steps.iter().map(|step| step.good + step.failed).sum()
    }

    pub(crate) fn failed_requests(&self) -> u64 {
        self.steps.iter().map(|step| step.failed).sum()
    }

    /// The times of all steps.
    pub(crate) fn latency(&self) -> Histogram<u64> {
        self.sum(|step| &step.latency)
    }

    /// The times of all steps, without the wait for a free lane.
    pub(crate) fn service(&self) -> Histogram<u64> {
        self.sum(|step| &step.service)
    }

    fn sum(&self, of: impl Fn(&StepTally) -> &Histogram<u64>) -> Histogram<u64> {
        let mut sum = histogram();
        for step in &self.steps {
            sum += of(step);
        }
        sum
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (step, more) in self.steps.iter_mut().zip(&other.steps) {
            step.latency += &more.latency;
            step.service += &more.service;
            step.good += more.good;
            step.failed += more.failed;
        }
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (kind, more) in &other.failures {
            let failures = self.failures.entry(*kind).or_default();
            failures.count += more.count;
            if failures.example.is_empty() {
                failures.example.clone_from(&more.example);
            }
        }
        self.bytes += other.bytes;
        self.lateness += &other.lateness;
        self.late += other.late;
    }

    pub(crate) fn clear(&mut self) {
        for step in &mut self.steps {
            step.latency.reset();
            step.service.reset();
            step.good = 0;
            step.failed = 0;
        }
        self.statuses.clear();
        self.failures.clear();
        self.bytes = 0;
        self.lateness.reset();
        self.late = 0;
    }
}
