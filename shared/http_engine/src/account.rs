//! What an HTTP/2 client makes us do, and how long it makes us wait. The protocol lets a client send
//! any number of frames that cost it nine bytes and us an answer; here they have budgets. It also lets
//! a client hold answers back by windows of nothing; here that has an end.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::frames::{Head, Seen, kind};
use crate::limits::Limits;

/// Requests that one connection may have at once.
pub(crate) const MOST_STREAMS: u32 = 100;
/// What a client may send of one body, and of all, before somebody has read it. The first is the
/// protocol's own default (RFC 9113 §6.9.2), so that both sides agree on it from the first byte on.
pub(crate) const STREAM_WINDOW: u32 = 65_535;
pub(crate) const CONNECTION_WINDOW: u32 = 256 * 1024;

/// Requests given up in a second: a browser that leaves a page gives up all of its own at once.
const RESETS: u32 = 2 * MOST_STREAMS;
/// Streams that we had to reset in a second, whoever's fault that was (CVE-2025-8671).
const OWN_RESETS: u32 = 2 * MOST_STREAMS;
/// A client states its settings once; some adapt them.
const SETTINGS: u32 = 20;
/// Clients that measure the way here send one for each round trip with data.
const PINGS: u32 = 100;
/// An empty frame may end a body; it has no other use.
const EMPTY_DATA: u32 = 100;
/// Priorities and what is unknown: browsers send a few for each request.
const OTHERS: u32 = 2 * MOST_STREAMS;
/// Windows are widened as answers are read, which is counted with the answers, and rarely besides.
const WINDOW_UPDATES: u32 = 200;
/// What a request, and a piece of an answer, allow of them: clients widen two windows after as little
/// as 4 KiB.
const UPDATES_PER_REQUEST: u32 = 4;
const UPDATES_PER_PIECE: u32 = 10;
/// How many of those may be saved up.
const UPDATES_SAVED: u32 = 20_000;
/// Compression state that a client may ask us to keep (RFC 7541 §4.2); browsers ask for 64 KiB.
const MOST_TABLE: u32 = 64 * 1024;

const HEADER_TABLE_SIZE: u16 = 1;
const INITIAL_WINDOW_SIZE: u16 = 4;

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nobody has used it for a while.
    Idle,
    /// The client sends or reads too slowly.
    Slow,
    /// The client asks for too much.
    Greedy,
}

/// So many in a second, and at most twice that for once.
#[derive(Debug)]
struct Budget {
    most: u32,
    left: u32,
    since: Instant,
}

impl Budget {
    fn new(most: u32, now: Instant) -> Self {
        Self {
            most,
            left: most,
            since: now,
        }
    }

    /// Takes one. Whether there was one.
    fn take(&mut self, now: Instant) -> bool {
        if self.left == 0 {
            let passed = now.duration_since(self.since).as_millis();
            let back = passed.saturating_mul(u128::from(self.most)) / 1000;
            let back = u32::try_from(back).unwrap_or(u32::MAX).min(self.most);
            if back == 0 {
                return false;
            }
            self.left = back;
            self.since = now;
        }
        self.left -= 1;
        true
    }
}

/// How far one side is behind, given what moved meanwhile.
#[derive(Debug, Default)]
struct Lateness {
    late: Duration,
    moved: u64,
}

impl Lateness {
    fn moved(&mut self, bytes: u32) {
        self.moved += u64::from(bytes);
    }

    /// Time has passed in which the client was, or was not, the one to move. What moved counts for the
    /// time that the least rate would have taken.
    fn pass(&mut self, passed: Duration, waiting: bool, least_rate: u64) -> Duration {
        let earned = self.moved.saturating_mul(1000) / least_rate.max(1);
        self.moved = 0;
        if waiting {
            self.late += passed;
        }
        self.late = self.late.saturating_sub(Duration::from_millis(earned));
        self.late
    }
}

#[derive(Debug)]
struct Stream {
    /// The client has not sent all of its request.
    asking: bool,
    /// Some of the answer is out and more is to come.
    answering: bool,
    /// All of the answer is out.
    answered: bool,
    /// What may be sent in either direction.
    in_window: i64,
    out_window: i64,
    sending: Lateness,
    reading: Lateness,
}

/// One connection's account.
#[derive(Debug)]
pub(crate) struct Account {
    limits: Limits,
    streams: HashMap<u32, Stream>,
    /// The last stream that the client began.
    pub(crate) last_stream: u32,
    in_window: i64,
    out_window: i64,
    /// What a new stream's answer may have at first.
    first_window: u32,
    resets: Budget,
    own_resets: Budget,
    settings: Budget,
    pings: Budget,
    empty_data: Budget,
    others: Budget,
    updates: Budget,
    updates_saved: u32,
    /// Since when a frame, or a header of several, is incomplete.
    incomplete: Option<Instant>,
    within_headers: bool,
    /// Since when there has been no request; the header must come soon at first.
    unused: Instant,
    first: bool,
    /// The system takes no more of what is to be sent.
    pub(crate) full: bool,
    pub(crate) written: u64,
    connection: Lateness,
    looked: Option<Instant>,
}

impl Account {
    pub(crate) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            streams: HashMap::new(),
            last_stream: 0,
            in_window: STREAM_WINDOW.into(),
            out_window: STREAM_WINDOW.into(),
            first_window: STREAM_WINDOW,
            resets: Budget::new(RESETS, now),
            own_resets: Budget::new(OWN_RESETS, now),
            settings: Budget::new(SETTINGS, now),
            pings: Budget::new(PINGS, now),
            empty_data: Budget::new(EMPTY_DATA, now),
            others: Budget::new(OTHERS, now),
            updates: Budget::new(WINDOW_UPDATES, now),
            updates_saved: 0,
            incomplete: None,
            within_headers: false,
            unused: now,
            first: true,
            full: false,
            written: 0,
            connection: Lateness::default(),
            looked: None,
        }
    }

    /// The client sent something. Whether that was still within its budget.
    pub(crate) fn received(&mut self, seen: Seen, now: Instant) -> bool {
        match seen {
            Seen::Begun(head) => return self.begun(head, now),
            Seen::Payload(head, length) if head.kind == kind::DATA => {
                self.in_window -= i64::from(length);
                if let Some(stream) = self.streams.get_mut(&head.stream) {
                    stream.in_window -= i64::from(length);
                    stream.sending.moved(length);
                }
            }
            Seen::Setting(HEADER_TABLE_SIZE, size) => return size <= MOST_TABLE,
            Seen::Setting(INITIAL_WINDOW_SIZE, size) => {
                // RFC 9113 §6.9.2: it moves the windows of the streams that exist.
                let wider = i64::from(size) - i64::from(self.first_window);
                self.first_window = size;
                for stream in self.streams.values_mut() {
                    stream.out_window += wider;
                }
            }
            Seen::Wider(0, by) => self.out_window += i64::from(by),
            Seen::Wider(stream, by) => {
                if let Some(stream) = self.streams.get_mut(&stream) {
                    stream.out_window += i64::from(by);
                }
            }
            Seen::Ended(head) => {
                if head.ends_headers() {
                    self.within_headers = false;
                    self.first = false;
                }
                if !self.within_headers {
                    // What is incomplete now is another frame.
                    self.incomplete = None;
                }
                let mut over = head.kind == kind::RST_STREAM;
                if head.ends_stream()
                    && let Some(stream) = self.streams.get_mut(&head.stream)
                {
                    stream.asking = false;
                    over = stream.answered;
                }
                if over {
                    self.close(head.stream, now);
                }
            }
            Seen::Payload(..) | Seen::Setting(..) => {}
        }
        true
    }

    fn begun(&mut self, head: Head, now: Instant) -> bool {
        let budget = match head.kind {
            kind::DATA if head.length == 0 && !head.ends_stream() => &mut self.empty_data,
            kind::DATA | kind::CONTINUATION => return true,
            kind::HEADERS => {
                self.within_headers = true;
                return self.open(head.stream);
            }
            // Nobody can acknowledge more than we ask.
            kind::SETTINGS if head.is_ack() => return true,
            kind::SETTINGS => &mut self.settings,
            kind::PING => &mut self.pings,
            kind::RST_STREAM => &mut self.resets,
            kind::WINDOW_UPDATE if self.updates_saved > 0 => {
                self.updates_saved -= 1;
                return true;
            }
            kind::WINDOW_UPDATE => &mut self.updates,
            _ => &mut self.others,
        };
        budget.take(now)
    }

    fn open(&mut self, stream: u32) -> bool {
        if stream <= self.last_stream {
            return true;
        }
        self.last_stream = stream;
        self.save_updates(UPDATES_PER_REQUEST);
        self.streams.insert(
            stream,
            Stream {
                asking: true,
                answering: false,
                answered: false,
                in_window: STREAM_WINDOW.into(),
                out_window: self.first_window.into(),
                sending: Lateness::default(),
                reading: Lateness::default(),
            },
        );
        // Those beyond the limit are refused, but so many at once come from no client that knows it.
        u32::try_from(self.streams.len()).is_ok_and(|count| count <= 4 * MOST_STREAMS)
    }

    /// We sent something. Whether the client may still make us do so.
    pub(crate) fn sent(&mut self, seen: Seen, now: Instant) -> bool {
        match seen {
            Seen::Begun(head) if head.kind == kind::DATA => {
                self.save_updates(UPDATES_PER_PIECE);
                self.out_window -= i64::from(head.length);
                if let Some(stream) = self.streams.get_mut(&head.stream) {
                    stream.out_window -= i64::from(head.length);
                    stream.reading.moved(head.length);
                }
            }
            Seen::Begun(head) if head.kind == kind::HEADERS => {
                if let Some(stream) = self.streams.get_mut(&head.stream) {
                    stream.answering = true;
                }
            }
            Seen::Begun(head) if head.kind == kind::RST_STREAM => {
                self.close(head.stream, now);
                return self.own_resets.take(now);
            }
            Seen::Wider(0, by) => self.in_window += i64::from(by),
            Seen::Wider(stream, by) => {
                if let Some(stream) = self.streams.get_mut(&stream) {
                    stream.in_window += i64::from(by);
                }
            }
            Seen::Ended(head) if head.ends_stream() => {
                let mut over = false;
                if let Some(stream) = self.streams.get_mut(&head.stream) {
                    (stream.answering, stream.answered) = (false, true);
                    // The rest of a request is reset or comes.
                    over = !stream.asking;
                }
                if over {
                    self.close(head.stream, now);
                }
            }
            _ => {}
        }
        true
    }

    fn save_updates(&mut self, more: u32) {
        self.updates_saved = (self.updates_saved + more).min(UPDATES_SAVED);
    }

    fn close(&mut self, stream: u32, now: Instant) {
        self.streams.remove(&stream);
        if self.streams.is_empty() {
            self.unused = now;
        }
    }

    /// Whether a frame, or a header of several, is there in part.
    pub(crate) fn note_incomplete(&mut self, partial: bool, now: Instant) {
        if partial || self.within_headers {
            self.incomplete.get_or_insert(now);
        } else {
            self.incomplete = None;
        }
    }

    /// Everything that was to be sent has gone to the system.
    pub(crate) fn note_empty(&mut self) {
        self.full = false;
        self.connection = Lateness::default();
    }

    fn is_busy(&self) -> bool {
        !self.streams.is_empty() || self.incomplete.is_some() || self.full
    }

    /// When to look again.
    pub(crate) fn next_look(&mut self, now: Instant) -> Instant {
        if self.is_busy() {
            let step = self.limits.slow.min(self.limits.header) / 8;
            let step = step.clamp(Duration::from_millis(5), Duration::from_secs(1));
            *self.looked.get_or_insert(now) + step
        } else {
            self.looked = None;
            self.unused + self.patience()
        }
    }

    /// How long there may be no request.
    fn patience(&self) -> Duration {
        if self.first {
            self.limits.header
        } else {
            self.limits.idle
        }
    }

    /// Whether the connection has to end, now that time has passed.
    pub(crate) fn look(&mut self, now: Instant) -> Option<Verdict> {
        let limits = &self.limits;
        if self
            .incomplete
            .is_some_and(|since| now >= since + limits.header)
        {
            return Some(Verdict::Slow);
        }
        if !self.is_busy() {
            let over = now >= self.unused + self.patience();
            return over.then_some(Verdict::Idle);
        }
        let passed = self.looked.map_or(Duration::ZERO, |looked| now - looked);
        self.looked = Some(now);
        let rate = limits.least_rate;
        self.connection.moved += std::mem::take(&mut self.written);
        let mut slow = self.connection.pass(passed, self.full, rate) > limits.slow * 2;
        for stream in self.streams.values_mut() {
            let asked = stream.asking && stream.in_window > 0 && self.in_window > 0;
            slow |= stream.sending.pass(passed, asked, rate) > limits.slow;
            let held = stream.out_window <= 0 || self.out_window <= 0;
            let held = stream.answering && held;
            slow |= stream.reading.pass(passed, held, rate) > limits.slow * 2;
        }
        slow.then_some(Verdict::Slow)
    }
}
