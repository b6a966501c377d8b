//! Connections that are held and carry nothing, as those of many quiet callers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

use crate::dial::{Dial, Stream};

/// Dials under way at once: more overflow the accept queue of many servers.
const AT_ONCE: usize = 64;

/// What became of the idle connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IdleReport {
    /// That could be opened.
    pub opened: u64,
    /// That could not.
    pub refused: u64,
    /// That the other side closed before the end of the run.
    pub closed_by_server: u64,
    /// Why the first could not be opened.
    pub example: String,
}

/// Idle connections, open as long as this lives.
pub(crate) struct Idle {
    report: IdleReport,
    closed: Arc<AtomicU64>,
    _held: JoinSet<()>,
}

impl Idle {
    /// Opens them, which is done when this returns.
    pub(crate) async fn open(dial: &Arc<dyn Dial>, count: usize) -> Self {
        let mut report = IdleReport::default();
        let closed = Arc::new(AtomicU64::new(0));
        let mut held = JoinSet::new();
        let mut dials = JoinSet::new();
        let mut left = count;
        loop {
            while left > 0 && dials.len() < AT_ONCE {
                let dial = Arc::clone(dial);
                dials.spawn(async move { dial.dial(0).await });
                left -= 1;
            }
            match dials.join_next().await {
                None => break,
                Some(Ok(Ok(stream))) => {
                    report.opened += 1;
                    held.spawn(hold(stream, Arc::clone(&closed)));
                }
                Some(outcome) => {
                    report.refused += 1;
                    if let Ok(Err(error)) = outcome
                        && report.example.is_empty()
                    {
                        report.example = error.to_string();
                    }
                }
            }
        }
        Self {
            report,
            closed,
            _held: held,
        }
    }

    pub(crate) fn report(&self) -> IdleReport {
        IdleReport {
            closed_by_server: self.closed.load(Ordering::Relaxed),
            ..self.report.clone()
        }
    }
}

/// Reads what comes (a server may say why it closes) until the other side closes.
async fn hold(mut stream: Box<dyn Stream>, closed: Arc<AtomicU64>) {
    let mut said = [0; 256];
    while matches!(stream.read(&mut said).await, Ok(1..)) {}
    closed.fetch_add(1, Ordering::Relaxed);
}
