//! How many requests a service takes at once before they begin to queue inside it: measured, never
//! configured. Without I/O or clock; it is told what time it is.
//!
//! While latency stays near what it is without a queue (the baseline), the limit grows by its square
//! root; beyond that it shrinks in proportion (Netflix' `Gradient2` and Envoy's adaptive concurrency).
//! The question is what latency is without a queue, under a load that always makes one. Gradient2 takes
//! a long average, which drifts up with an overload that lasts. Here, while requests are being refused,
//! a probe halves the limit now and then, and halves it again as long as that makes requests quicker:
//! what is left then is the baseline. It finds a service that has become slower for good just as well.
//!
//! A window is made of the requests that were let in while it was open, and is judged when they are done:
//! of those that are done within a time the slow ones would be missing.
//!
//! Each class has a baseline of its own: a search that takes two seconds is no sign of trouble because a
//! look-up takes two milliseconds. Only what is in the way counts: while less than a third of the limit
//! is in use, slow answers are somebody else's doing, and the baseline follows them.

use std::time::Duration;

use tokio::time::Instant;

use crate::class::{Class, PerClass};
use crate::policy::LimitPolicy;

/// Requests that a window is made of, and the least time in which they come.
const COHORT: u32 = 10;
const WINDOW: Duration = Duration::from_millis(100);
/// The same for a probe, which everything else is held against; and how many of one class speak for it.
const PROBE_COHORT: u32 = 2 * COHORT;
const ENOUGH: u64 = 8;
/// Up to which change, up or down, in thousandths, it may be chance.
const CHANCE: u64 = 1_400;
/// Of how many requests one may be left out; and after how many times the latency that is known, of how
/// many one. Without most of them a window says nothing: it may be the quick ones.
const STRAGGLERS: u32 = 20;
const LONG: u32 = 4;
const MANY_STRAGGLERS: u32 = 4;
/// The longest latency that is told apart from a longer one: an hour, in microseconds.
const FOREVER: u64 = 3_600_000_000;
/// A limit of which a third was in use is in the way: bursts come, and the least class has half of it.
const IN_THE_WAY: u64 = 3;
/// A probe without enough requests is given up after this long, or this many times their latency.
const PATIENCE: Duration = Duration::from_secs(2);
const PATIENT: u32 = 8;
/// One, in thousandths: of limits and of ratios.
const ONE: u64 = 1_000;

#[derive(Debug)]
pub(crate) struct Gradient {
    policy: LimitPolicy,
    /// Thousandths of a request.
    limit: u64,
    allowed: PerClass<u32>,
    tracks: PerClass<Track>,
    window: Window,
    /// Whether anybody was refused since the last probe.
    pressed: bool,
    /// Whether the baseline was ever measured without pressure.
    trusted: bool,
    /// Since when, or at what in between, the limit has been shrinking.
    mark: Option<Mark>,
    probe: Option<Probe>,
    probed: Instant,
    probe_took: Duration,
}

#[derive(Debug)]
struct Window {
    number: u32,
    since: Instant,
    /// Whether who is let in belongs to it.
    open: bool,
    admitted: u32,
    done: u32,
    /// The most requests at once.
    peak: u32,
    /// Whether anybody was refused.
    refused: bool,
}

/// Latencies of one class, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Track {
    baseline: Option<u64>,
    sum: u64,
    count: u64,
    /// What a probe began from.
    reference: Option<u64>,
}

/// How things were before the limit shrank.
#[derive(Clone, Copy, Debug)]
struct Mark {
    limit: u64,
    peak: u64,
    ratio: u64,
}

#[derive(Debug)]
struct Probe {
    started: Instant,
    level: u64,
    halvings: u32,
}

impl Gradient {
    pub(crate) fn new(policy: LimitPolicy, now: Instant) -> Self {
        let limit = u64::from(policy.initial) * ONE;
        let mut gradient = Self {
            policy,
            limit,
            allowed: PerClass::default(),
            tracks: PerClass::default(),
            window: Window::new(0, now),
            pressed: false,
            trusted: false,
            mark: None,
            probe: None,
            probed: now,
            probe_took: Duration::ZERO,
        };
        gradient.set(limit);
        gradient
    }

    /// The limit, whole requests.
    pub(crate) fn limit(&self) -> u32 {
        whole(self.limit)
    }

    /// With how many requests under way another one of this class may still be let in.
    pub(crate) fn allowed(&self, class: Class) -> u32 {
        *self.allowed.get(class)
    }

    /// What a request of the class takes without a queue.
    pub(crate) fn baseline(&self, class: Class) -> Option<Duration> {
        self.tracks.get(class).baseline.map(Duration::from_micros)
    }

    /// A request was let in; so many are under way with it. Gives back the window that it belongs to, if
    /// any.
    pub(crate) fn entered(&mut self, under_way: u32, now: Instant) -> Option<u32> {
        self.judge(now);
        // Until the requests from before a probe are gone, it measures nothing.
        let reserve = u64::from(self.policy.money_percent.max(100));
        let early = |probe: &Probe| u64::from(under_way) * ONE > probe.level * reserve / 100;
        if self.probe.as_ref().is_some_and(early) {
            return None;
        }
        let window = &mut self.window;
        window.peak = window.peak.max(under_way);
        if !window.open {
            return None;
        }
        window.admitted += 1;
        let cohort = self.probe.as_ref().map_or(COHORT, |_| PROBE_COHORT);
        let full = window.admitted >= cohort;
        window.open = !(full && now.saturating_duration_since(window.since) >= WINDOW);
        Some(window.number)
    }

    pub(crate) fn refused(&mut self, now: Instant) {
        self.window.refused = true;
        self.pressed = true;
        self.judge(now);
    }

    /// A request of a window is over; it took this long, if that says anything.
    pub(crate) fn ended(&mut self, class: Class, window: u32, sample: Option<(Duration, Instant)>) {
        if window != self.window.number {
            return;
        }
        self.window.done += 1;
        let Some((latency, now)) = sample else { return };
        let track = self.tracks.get_mut(class);
        let micros = u64::try_from(latency.as_micros()).unwrap_or(FOREVER);
        track.sum += micros.min(FOREVER);
        track.count += 1;
        self.judge(now);
    }

    /// Ends the window if its requests are done, and a probe for which none come.
    fn judge(&mut self, now: Instant) {
        let window = &self.window;
        let age = now.saturating_duration_since(window.since);
        if window.open {
            let longest = PATIENCE.max(self.known_latency().saturating_mul(PATIENT));
            if let Some(probe) = self.probe.as_ref().filter(|_| age > longest) {
                self.leave_probe(probe.started, now);
            }
            return;
        }
        let under_way = window.admitted - window.done;
        let long = age >= WINDOW.max(self.known_latency().saturating_mul(LONG));
        let few = under_way <= window.admitted / STRAGGLERS;
        let most = long && under_way <= window.admitted / MANY_STRAGGLERS;
        if !(few || most) {
            return;
        }
        let samples: u64 = Class::ALL
            .iter()
            .map(|class| self.tracks.get(*class).count)
            .sum();
        if samples >= u64::from(COHORT / 2) {
            match &self.probe {
                Some(_) => self.end_probe_window(now),
                None => self.end_window(now),
            }
        }
        self.open_window(now);
    }

    fn end_window(&mut self, now: Instant) {
        let peak = u64::from(self.window.peak);
        let limited = self.window.refused || peak * IN_THE_WAY * ONE >= self.limit;
        self.learn(limited);
        if !limited {
            self.mark = None;
            return;
        }
        let ratio = self.ratio(|track| track.baseline);
        let tolerated = u64::from(self.policy.tolerance_percent) * ONE * ONE / 100;
        let gradient = (tolerated / ratio.max(1)).clamp(ONE / 2, ONE);
        if self.is_in_vain(Mark {
            limit: self.limit,
            peak,
            ratio,
        }) {
            return;
        }
        self.set(self.limit * gradient / ONE + (self.limit * ONE).isqrt());
        // A probe costs something: it takes up no more than a tenth of the time.
        let rare = self.probe_took.saturating_mul(10);
        let since = now.saturating_duration_since(self.probed);
        let regular = since >= rare.max(Duration::from_millis(self.policy.probe_ms));
        if self.pressed && (regular || !self.trusted) {
            self.begin_probe(now);
        }
    }

    /// Whether fewer requests at once have made none of them quicker: then it is not their number that
    /// makes them slow. The limit is what it was before, and what they take is the baseline.
    fn is_in_vain(&mut self, now: Mark) -> bool {
        if now.ratio * 100 <= u64::from(self.policy.tolerance_percent) * ONE {
            self.mark = None;
            return false;
        }
        let before = *self.mark.get_or_insert(now);
        if now.peak * 10 > before.peak * 6 {
            return false;
        }
        if now.ratio * 10 < before.ratio * 9 {
            self.mark = Some(now);
            return false;
        }
        self.mark = None;
        self.rebase();
        self.set(before.limit);
        true
    }

    /// Follows latency while nothing is in the way. What is learnt under pressure, for want of anything
    /// better, is held until the next probe.
    fn learn(&mut self, limited: bool) {
        self.trusted |= !limited;
        for class in Class::ALL {
            let track = self.tracks.get_mut(class);
            let Some(average) = track.average() else {
                continue;
            };
            track.baseline = match track.baseline {
                None => Some(average),
                Some(known) if !limited => Some((3 * known + average).div_ceil(4)),
                known => known,
            };
        }
    }

    fn begin_probe(&mut self, now: Instant) {
        self.probe = Some(Probe {
            started: now,
            level: self.limit,
            halvings: 0,
        });
        self.halve();
    }

    fn halve(&mut self) {
        for class in Class::ALL {
            let track = self.tracks.get_mut(class);
            track.reference = track.average().or(track.reference);
        }
        let least = u64::from(self.policy.min) * ONE;
        if let Some(probe) = &mut self.probe {
            probe.level = (probe.level / 2).max(least.min(probe.level));
            probe.halvings += 1;
        }
        self.set(self.limit);
    }

    fn end_probe_window(&mut self, now: Instant) {
        let Some(probe) = &self.probe else { return };
        let (started, level, halvings) = (probe.started, probe.level, probe.halvings);
        let quicker = self.ratio(|track| track.reference) * 10 < 9 * ONE;
        if quicker && level > u64::from(self.policy.min) * ONE {
            self.halve();
            return;
        }
        self.rebase();
        if halvings > 1 {
            self.limit = self.limit.min(level * 2);
        }
        self.leave_probe(started, now);
    }

    /// Takes what was measured in the window for what requests take without a queue.
    fn rebase(&mut self) {
        // Few requests of a class say little of it; all of them together say whether things have
        // changed. Small changes are left out: they would add up to a drift. What was learnt with a
        // queue in it is forgotten.
        let change = self.ratio(|track| track.baseline);
        for class in Class::ALL {
            let track = self.tracks.get_mut(class);
            let average = track.average();
            track.baseline = match track.baseline {
                Some(_) if track.count >= ENOUGH => average,
                Some(known) if change > CHANCE => Some(known.saturating_mul(change) / ONE),
                Some(_) if change < ONE * ONE / CHANCE => average,
                Some(known) => Some(average.map_or(known, |average| (7 * known + average) / 8)),
                None => average,
            };
        }
    }

    fn leave_probe(&mut self, started: Instant, now: Instant) {
        self.probe = None;
        self.trusted = true;
        self.probed = now;
        self.probe_took = now.saturating_duration_since(started);
        self.pressed = false;
        self.mark = None;
        self.set(self.limit);
        self.open_window(now);
    }

    fn open_window(&mut self, now: Instant) {
        for class in Class::ALL {
            let track = self.tracks.get_mut(class);
            (track.sum, track.count) = (0, 0);
        }
        self.window = Window::new(self.window.number.wrapping_add(1), now);
    }

    fn set(&mut self, limit: u64) {
        let (min, max) = (u64::from(self.policy.min), u64::from(self.policy.max));
        self.limit = limit.clamp(min * ONE, max.max(min) * ONE);
        let level = self.probe.as_ref().map_or(self.limit, |probe| probe.level);
        let policy = &self.policy;
        let share = |of: u64, percent: u32| whole(of * u64::from(percent) / 100).max(1);
        self.allowed = PerClass {
            background: share(level, policy.background_percent),
            search: share(level, policy.search_percent),
            interactive: share(level, policy.interactive_percent),
            // What costs money pays for no probe.
            money: share(self.limit, policy.money_percent),
        };
    }

    /// How much slower requests are than they were, on average over all of them, in thousandths.
    fn ratio(&self, than: impl Fn(&Track) -> Option<u64>) -> u64 {
        let (mut sum, mut count) = (0, 0);
        for class in Class::ALL {
            let track = self.tracks.get(class);
            if let (Some(average), Some(than)) = (track.average(), than(track)) {
                sum += track.count * (average.saturating_mul(ONE) / than.max(1));
                count += track.count;
            }
        }
        sum.checked_div(count).unwrap_or(ONE)
    }

    /// What the slowest class takes, as far as that is known.
    fn known_latency(&self) -> Duration {
        let known = Class::ALL.iter().filter_map(|class| {
            let track = self.tracks.get(*class);
            track.average().max(track.baseline)
        });
        Duration::from_micros(known.max().unwrap_or_default())
    }
}

impl Window {
    fn new(number: u32, since: Instant) -> Self {
        Self {
            number,
            since,
            open: true,
            admitted: 0,
            done: 0,
            peak: 0,
            refused: false,
        }
    }
}

impl Track {
    fn average(&self) -> Option<u64> {
        self.sum.checked_div(self.count)
    }
}

fn whole(thousandths: u64) -> u32 {
    u32::try_from(thousandths / ONE).unwrap_or(u32::MAX)
}
