//! How far a run is, on standard error.

use std::io::{IsTerminal as _, Write as _};

use crate::report::Second;
use crate::units::human_ms;

/// Where nobody watches, a line each so many seconds shows that it runs.
const WITHOUT_TERMINAL: u64 = 10;

/// Tells of each second.
pub(crate) struct Progress {
    every: u64,
    told: u64,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self {
            every: if terminal { 1 } else { WITHOUT_TERMINAL },
            told: 0,
        }
    }

    pub(crate) fn tell(&mut self, second: &Second) {
        self.told += 1;
        if self.told.is_multiple_of(self.every) {
            // Nobody may be reading, which is no reason to stop.
            drop(writeln!(std::io::stderr(), "{}", line(second)));
        }
    }
}

fn line(second: &Second) -> String {
    let at = second.at_s;
    if second.warming_up {
        return format!("{at:6.1} s  warming up");
    }
    format!(
        "{at:6.1} s  {:>9.1}/s  p50 {:>8}  p99 {:>8}  errors {}",
        second.rate,
        human_ms(second.p50_ms),
        human_ms(second.p99_ms),
        second.errors
    )
}
