//! One call's way through the policies, in their order.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep, timeout_at};

use crate::CallCx;
use crate::auth::Auth;
use crate::classify::{Verdict, settle, unless_unknown};
use crate::client::ApiClient;
use crate::engine::{SendCause, SendFailure};
use crate::error::{Blame, Retry, SOON, Sent, SupplierError, SupplierErrorKind};
use crate::metrics::Ending;
use crate::oauth2::AccessToken;
use crate::retry::asked_wait;
use crate::wire::{Safety, WireRequest, WireResponse};

/// What came of an attempt that was made.
enum Attempt {
    /// A complete answer, and the wait that it asks for.
    Answered(WireResponse, Verdict, Option<Duration>),
    /// No complete answer.
    Failed(SendFailure),
    /// 401 to a token.
    Refused(Arc<AccessToken>),
}

/// What the attempts of a call have come to so far.
#[derive(Default)]
struct Progress {
    made: u32,
    /// Whether a refused token has been replaced.
    renewed: bool,
    /// The error to give back if no further attempt can be made.
    last: Option<SupplierError>,
    /// Whether an earlier attempt may have acted unseen.
    unclear: bool,
}

impl ApiClient {
    /// The whole call, measured.
    pub(crate) async fn observed(
        &self,
        cx: &CallCx,
        request: &WireRequest,
    ) -> Result<WireResponse, SupplierError> {
        let mut ending = Ending::of_call(&self.metrics, &self.config.name, request.operation());
        let result = self.run(cx, request, &mut ending).await;
        if let Err(error) = &result {
            ending.outcome = error.kind.as_str();
        }
        result
    }

    async fn run(
        &self,
        cx: &CallCx,
        request: &WireRequest,
        ending: &mut Ending<'_>,
    ) -> Result<WireResponse, SupplierError> {
        // Asked before anything is waited for: what will be refused is refused at once.
        let now = Instant::now();
        if now >= cx.deadline {
            return Err(too_late());
        }
        if let Some(wait) = self.breaker.refusal(now) {
            return Err(left_alone(wait));
        }
        // The deadline needs no layer of its own: every wait below ends with it.
        let _place = self.bulkhead.enter(cx.deadline).await?;
        let mut progress = Progress::default();
        loop {
            let attempt = match self.attempt(cx, request, &mut progress).await {
                Ok(attempt) => attempt,
                // Not made. If earlier attempts were, what became of them is what the caller must know.
                Err(error) => return Err(progress.last.take().unwrap_or(error)),
            };
            // One layer repeats, the one next to the supplier: a chain of three services that each tried
            // three times would send it 27 requests. What one of our own services has answered, or is
            // still working on, is therefore not asked again.
            let (error, wait, repeatable) = match attempt {
                Attempt::Answered(response, verdict, asked) => {
                    let repeatable = *request.safety() != Safety::Unsafe
                        && !self.config.internal
                        && matches!(
                            verdict,
                            Verdict::Throttled | Verdict::Failure { retry: true }
                        );
                    match settle(request, response, verdict, asked) {
                        Ok(response) => {
                            ending.outcome = verdict.as_str();
                            return Ok(response);
                        }
                        Err(error) => (error, asked, repeatable),
                    }
                }
                Attempt::Failed(failure) => {
                    let slow_service = self.config.internal && failure.cause == SendCause::TimedOut;
                    let repeatable = may_repeat(request, &failure) && !slow_service;
                    (error_of(request, failure), None, repeatable)
                }
                Attempt::Refused(token) => {
                    if self.renew(&token, &mut progress) {
                        continue;
                    }
                    let detail = "HTTP 401 to a token";
                    let error = SupplierError::new(SupplierErrorKind::NotAuthorised, detail);
                    (error, None, false)
                }
            };
            let error = progress.remember(request, error);
            if !repeatable || !self.retry(cx, &progress, wait).await {
                return Err(error);
            }
        }
    }

    /// One attempt: token, pacing, breaker, time-out, send, classify.
    ///
    /// # Errors
    /// If it was not made.
    async fn attempt(
        &self,
        cx: &CallCx,
        request: &WireRequest,
        progress: &mut Progress,
    ) -> Result<Attempt, SupplierError> {
        let token = self.auth.token(cx).await?;
        self.pacer.turn(cx.deadline).await?;
        let now = Instant::now();
        if now >= cx.deadline {
            return Err(too_late());
        }
        let full = Duration::from_millis(self.config.policy.attempt_timeout_ms);
        let until = cx.deadline.min(now + full);
        let outgoing = self.outgoing(cx, request, token.as_deref(), until)?;
        let ticket = self.breaker.admit(now).map_err(left_alone)?;

        let operation = request.operation();
        if progress.made == 0 {
            self.budget.earn();
        } else {
            self.metrics.retry(&self.config.name, operation);
        }
        progress.made += 1;
        let mut ending = Ending::of_attempt(&self.metrics, &self.config.name, operation);
        let sent = timeout_at(until, self.engine.send(outgoing)).await;
        let end = Instant::now();

        let incoming = match sent.unwrap_or_else(|_| Err(timed_out())) {
            Ok(incoming) => incoming,
            Err(failure) => {
                ending.outcome = failure.cause.as_str();
                self.log(cx, request, progress, ending.outcome, &failure.detail);
                let fair = Duration::from_millis(self.config.policy.breaker.fair_timeout_ms);
                match failure.cause {
                    // Ours, or the fault of a caller who gave it no time.
                    SendCause::Unbuildable => drop(ticket),
                    SendCause::TimedOut if until - now < fair.min(full) => drop(ticket),
                    SendCause::Connect => ticket.failed(end),
                    _ if commits(request) => drop(ticket),
                    _ => ticket.failed(end),
                }
                return Ok(Attempt::Failed(failure));
            }
        };
        if let (StatusCode::UNAUTHORIZED, Some(token)) = (incoming.status, token) {
            ending.outcome = "refused_token";
            ticket.succeeded(end);
            return Ok(Attempt::Refused(token));
        }
        let response = WireResponse::new(request, incoming.status, incoming.headers, incoming.body);
        let verdict = (self.classifier)(request, &response);
        ending.outcome = verdict.as_str();
        let throttled = verdict == Verdict::Throttled;
        let asked = asked_wait(&response.headers, throttled, self.clock.now());
        match verdict {
            Verdict::Success | Verdict::Answer => ticket.succeeded(end),
            Verdict::Throttled => {
                drop(ticket);
                if let Some(wait) = asked {
                    self.pacer.pause(end, wait);
                }
            }
            Verdict::Failure { .. } if commits(request) => drop(ticket),
            Verdict::Failure { .. } => ticket.failed(end),
        }
        if !matches!(verdict, Verdict::Success | Verdict::Answer) {
            let detail = format!("HTTP {}", response.status.as_u16());
            self.log(cx, request, progress, ending.outcome, &detail);
        }
        Ok(Attempt::Answered(response, verdict, asked))
    }

    /// Waits for the next attempt if there may be one.
    async fn retry(&self, cx: &CallCx, progress: &Progress, asked: Option<Duration>) -> bool {
        if progress.made >= self.config.policy.retry.max_attempts {
            return false;
        }
        let wait = self.backoff.wait(progress.made, asked);
        let in_time = Instant::now()
            .checked_add(wait)
            .is_some_and(|at| at < cx.deadline);
        // The budget is asked last: a retry that time forbids is not paid for.
        if !in_time || !self.budget.spend() {
            return false;
        }
        sleep(wait).await;
        true
    }

    /// Whether a call whose token was refused goes on with another token.
    fn renew(&self, token: &AccessToken, progress: &mut Progress) -> bool {
        let Auth::OAuth2(client) = &self.auth else {
            return false;
        };
        if progress.renewed {
            client.refused_again();
            return false;
        }
        // Once more even where nothing else is repeated, but never beyond the stated attempts.
        if progress.made >= self.config.policy.retry.max_attempts.max(2) {
            return false;
        }
        progress.renewed = true;
        client.refused(token)
    }

    fn log(
        &self,
        cx: &CallCx,
        request: &WireRequest,
        progress: &Progress,
        outcome: &'static str,
        detail: &str,
    ) {
        tracing::warn!(
            supplier = %self.config.name,
            operation = request.operation(),
            request_id = cx.correlation.request_id(),
            attempt = progress.made,
            outcome,
            detail,
            "supplier attempt failed"
        );
    }
}

impl Progress {
    /// Keeps an attempt's error, which an earlier attempt that may have acted turns into an unknown
    /// outcome: a 429 to the second says nothing about the first.
    fn remember(&mut self, request: &WireRequest, mut error: SupplierError) -> SupplierError {
        if self.unclear && error.kind != SupplierErrorKind::OutcomeUnknown {
            error.sent = error.sent.max(Sent::Maybe);
            error = unless_unknown(request, error);
        }
        self.unclear |= error.kind == SupplierErrorKind::OutcomeUnknown;
        self.last = Some(error.clone());
        error
    }
}

/// Whether a request without an answer may be sent again: whatever surely never left us, and whatever
/// the supplier does only once.
fn may_repeat(request: &WireRequest, failure: &SendFailure) -> bool {
    match failure.cause {
        // The same would be unbuildable, or too long, again.
        SendCause::Unbuildable | SendCause::TooLarge => false,
        SendCause::Connect | SendCause::Broken | SendCause::TimedOut => {
            failure.sent == Sent::No || *request.safety() != Safety::Unsafe
        }
    }
}

pub(crate) fn error_of(request: &WireRequest, failure: SendFailure) -> SupplierError {
    let (kind, retry) = match failure.cause {
        SendCause::TimedOut => (SupplierErrorKind::Timeout, Retry::Now),
        SendCause::Unbuildable => (SupplierErrorKind::InvalidRequest, Retry::Never),
        SendCause::TooLarge => (SupplierErrorKind::Protocol, Retry::Never),
        SendCause::Connect | SendCause::Broken => {
            (SupplierErrorKind::Unavailable, Retry::After(SOON))
        }
    };
    let error = SupplierError::new(kind, failure.detail)
        .with_blame(failure.blame)
        .with_retry(retry)
        .with_sent(failure.sent);
    unless_unknown(request, error)
}

pub(crate) fn timed_out() -> SendFailure {
    SendFailure {
        sent: Sent::Maybe,
        blame: Blame::Supplier,
        cause: SendCause::TimedOut,
        detail: "no complete answer in time".to_owned(),
    }
}

fn left_alone(wait: Duration) -> SupplierError {
    SupplierError::new(
        SupplierErrorKind::Unavailable,
        "the supplier is left alone after failures",
    )
    .with_retry(Retry::After(wait))
    .with_sent(Sent::No)
}

fn too_late() -> SupplierError {
    SupplierError::new(SupplierErrorKind::Timeout, "the deadline has passed")
        .with_blame(Blame::Us)
        .with_sent(Sent::No)
}

/// Whether an attempt may have changed something that cannot be done twice. Its failure does not count
/// against the supplier: it says little about whether the supplier can be asked, and an open breaker
/// would keep away the very questions that settle the unknown outcome. A supplier that is down is found
/// out by the requests that change nothing, which come before every such attempt.
fn commits(request: &WireRequest) -> bool {
    *request.safety() == Safety::Unsafe
}
