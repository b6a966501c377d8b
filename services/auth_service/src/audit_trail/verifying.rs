//! Verifying the log on behalf of an admin: beside the service's other work, one run at a time.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use audit::{AuditLog, Heads, HeadsError, Record};
use jiff::Timestamp;
use serde::Serialize;
use service_kit::error::codes;
use service_kit::{ApiError, Context};
use tokio::sync::watch;
use travel_types::Clock;
use utoipa::ToSchema;

/// What a verification found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Verification {
    /// Whether nothing is wrong.
    valid: bool,
    /// How many records were found to be good, up to the first bad one.
    records: u64,
    /// The number of the first bad record, or of the first that is missing.
    first_bad_index: Option<u64>,
    /// What is wrong, in words.
    problem: Option<String>,
    /// The newest signed head. What came after it is chained, but could be cut off without a trace.
    head: Option<SignedHead>,
    /// When the verification ended.
    #[schema(value_type = String, format = DateTime)]
    verified_at: Timestamp,
}

/// The log's end, as it was signed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SignedHead {
    /// The last record's number.
    seq: i64,
    /// Its hash.
    hash: String,
    /// When it was signed.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The id of the key that signed.
    kid: String,
    /// The Ed25519 signature in base64.
    signature: String,
}

/// A verification that is not over.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Running {
    /// `running`.
    #[schema(example = "running")]
    status: &'static str,
    /// Records that are verified already.
    records: u64,
    /// Records that there are.
    of: u64,
}

/// What there is to say after a wait.
#[derive(Debug)]
pub(crate) enum Answer {
    Done(Verification),
    Running(Running),
}

type Outcome = Result<Verification, ApiError>;

/// The one run, if there is one.
#[derive(Clone)]
struct Run {
    outcome: watch::Receiver<Option<Outcome>>,
    progress: Arc<(AtomicU64, AtomicU64)>,
}

/// Verifies the log, one run at a time: requests that come meanwhile wait for the same one.
#[derive(Clone)]
pub(crate) struct Verifier {
    log: AuditLog,
    heads_file: PathBuf,
    context: Context,
    run: Arc<Mutex<Option<Run>>>,
}

impl Verifier {
    pub(crate) fn new(log: AuditLog, heads_file: PathBuf, context: &Context) -> Self {
        Self {
            log,
            heads_file,
            context: context.clone(),
            run: Arc::default(),
        }
    }

    /// What a verification finds, if it is over within `patience`; if not, how far it is. The next call
    /// then waits for the same run and gets its result.
    pub(crate) async fn verify(
        &self,
        actor: &str,
        request_id: &str,
        patience: Duration,
    ) -> Result<Answer, ApiError> {
        let mut run = self.run_of(actor, request_id);
        if !patience.is_zero() {
            let over = run.outcome.wait_for(Option::is_some);
            drop(tokio::time::timeout(patience, over).await);
        }
        let outcome = run.outcome.borrow().clone();
        match outcome {
            Some(outcome) => {
                // Told once; whoever asks next gets a fresh one.
                self.slot()
                    .take_if(|now| Arc::ptr_eq(&now.progress, &run.progress));
                outcome.map(Answer::Done)
            }
            None => Ok(Answer::Running(Running {
                status: "running",
                records: run.progress.0.load(Ordering::Relaxed),
                of: run.progress.1.load(Ordering::Relaxed),
            })),
        }
    }

    fn slot(&self) -> MutexGuard<'_, Option<Run>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run that goes on or was not told of yet, or a new one.
    fn run_of(&self, actor: &str, request_id: &str) -> Run {
        let mut slot = self.slot();
        if let Some(run) = slot.as_ref() {
            return run.clone();
        }
        let (tell, outcome) = watch::channel(None);
        let run = Run {
            outcome,
            progress: Arc::default(),
        };
        *slot = Some(run.clone());
        let verifier = self.clone();
        let record = Record {
            actor: Some(actor.to_owned()),
            action: "audit_verify",
            request_id: Some(request_id.to_owned()),
            ..Record::default()
        };
        let progress = Arc::clone(&run.progress);
        self.context.tasks.spawn(async move {
            let outcome = tokio::select! {
                () = verifier.context.shutdown.cancelled() => {
                    Err(ApiError::new(&codes::SERVICE_UNAVAILABLE))
                }
                outcome = verifier.work(record, &progress) => outcome,
            };
            tell.send_replace(Some(outcome));
        });
        run
    }

    async fn work(&self, record: Record, progress: &(AtomicU64, AtomicU64)) -> Outcome {
        let found = self.look(progress).await?;
        let mut record = Record {
            succeeded: found.valid,
            ..record
        };
        record
            .details
            .insert("records".to_owned(), found.records.into());
        if let Some(index) = found.first_bad_index {
            record
                .details
                .insert("first_bad_index".to_owned(), index.into());
        }
        if !found.valid {
            tracing::error!(
                first_bad_index = found.first_bad_index,
                problem = found.problem,
                "the audit log is not valid"
            );
        }
        // A log that is damaged may not be one that can be written to; what was found must be told.
        if let Err(error) = self.log.append_alone(&record).await {
            tracing::error!(%error, "a verification of the audit log was not recorded");
        }
        Ok(found)
    }

    async fn look(&self, progress: &(AtomicU64, AtomicU64)) -> Outcome {
        let clock = &self.context.clock;
        // Before the log is read: what is appended meanwhile is no fault.
        let heads = match self.heads().await {
            Ok(heads) => heads,
            Err(problem) => return Ok(unreadable_heads(&problem, clock)),
        };
        let report = self
            .log
            .verify_telling(&heads, |done, of| {
                progress.0.store(done, Ordering::Relaxed);
                progress.1.store(of, Ordering::Relaxed);
            })
            .await?;
        Ok(Verification {
            valid: report.valid,
            records: report.records,
            first_bad_index: report.first_bad_index,
            problem: report.fault.as_ref().map(ToString::to_string),
            head: report.head.map(|head| SignedHead {
                seq: head.seq,
                hash: head.hash,
                at: head.at,
                kid: head.kid,
                signature: head.signature,
            }),
            verified_at: clock.now(),
        })
    }

    async fn heads(&self) -> Result<Heads, HeadsError> {
        let file = self.heads_file.clone();
        let name = file.display().to_string();
        tokio::task::spawn_blocking(move || Heads::read(&[file]))
            .await
            .unwrap_or_else(|error| {
                Err(HeadsError::File {
                    file: name,
                    problem: error.to_string(),
                })
            })
    }
}

/// A log whose heads cannot be read is not proven, so it is not called valid.
fn unreadable_heads(problem: &HeadsError, clock: &Clock) -> Verification {
    tracing::error!(error = %problem, "the signed heads of the audit log cannot be read");
    Verification {
        valid: false,
        records: 0,
        first_bad_index: None,
        problem: Some(match problem {
            HeadsError::File { .. } => "the file of signed heads cannot be read".to_owned(),
            HeadsError::Line { line, .. } => {
                format!("line {line} of the file of signed heads is not a signed head")
            }
        }),
        head: None,
        verified_at: clock.now(),
    }
}
