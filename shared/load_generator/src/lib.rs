//! An HTTP load generator that tells the truth about latency.
//!
//! In a closed loop a connection sends again when it has its answer; in an open loop requests are due
//! at their own times, and latency counts from there, so that a target which stalls cannot hold back the
//! requests that would have felt it ("coordinated omission"). [`run`] takes a [`Job`] and gives a
//! [`Report`]; [`bench`] is the command.

mod chart;
mod command;
mod dial;
mod expect;
mod failure;
mod html;
mod http1;
mod http2;
mod idle;
mod job;
mod lane;
mod limit;
mod number;
mod pace;
mod process;
mod progress;
mod report;
mod run;
mod scenario;
mod tally;
mod template;
mod text;
mod units;

pub use command::{BenchOptions, bench};
pub use dial::{Dial, Stream, TcpDial};
pub use failure::FailureKind;
pub use html::page;
pub use idle::IdleReport;
pub use job::{Host, Job, Load, Protocol};
pub use limit::Limit;
pub use report::{
    CurvePoint, GeneratorReport, Latency, ProcessReport, Report, Second, Settings, StepReport,
};
pub use run::run;
pub use scenario::{InputError, Requests, Scenario, build};
pub use tally::FailureCount;
pub use text::table;
