//! One timer for all that a connection waits for. Arming a timer costs more than answering from a
//! cache, so it is armed early and looked at again when it fires, instead of anew for every wait.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// Says when a moment has passed; the moment may be another one each time.
#[derive(Debug)]
pub(crate) struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    pub(crate) fn new() -> Self {
        Self(None)
    }

    /// Ready when `until` has passed; the task is woken then, or earlier.
    pub(crate) fn poll_passed(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(until);
        }
        Poll::Pending
    }
}
