//! The threads that compute hashes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::hashing::{HashingError, words};

type Job = Box<dyn FnOnce() + Send>;

/// As many threads as hashes are computed at once. They end with the value.
pub(super) struct Threads(Mutex<Sender<Job>>);

impl Threads {
    pub(super) fn start(count: usize) -> Result<Self, HashingError> {
        let (sender, receiver) = channel::<Job>();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..count {
            let receiver = Arc::clone(&receiver);
            std::thread::Builder::new()
                .name("password hash".to_owned())
                .spawn(move || {
                    yield_to_others();
                    while let Some(job) = next(&receiver) {
                        // A thread that were lost would be a turn that never comes back.
                        drop(catch_unwind(AssertUnwindSafe(job)));
                    }
                })
                .map_err(words)?;
        }
        Ok(Self(Mutex::new(sender)))
    }

    /// Queues a job. There are no more at once than turns, so none waits for long.
    pub(super) fn run(&self, job: Job) -> Result<(), HashingError> {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sender.send(job).map_err(words)
    }
}

fn next(receiver: &Mutex<Receiver<Job>>) -> Option<Job> {
    let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
    receiver.recv().ok()
}

/// Gives this thread the lowest priority, so that whoever else has work to do goes first. On Linux a
/// priority belongs to the thread; elsewhere to the whole process, which must keep its own.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::warn!(%error, "password hashes are computed at the usual priority");
    }
}
