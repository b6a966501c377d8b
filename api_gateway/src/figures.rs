//! Figures of the parts that count by themselves, brought into the metrics now and then: counting twice
//! for every request would cost more than what is counted.

use std::sync::Arc;
use std::time::Duration;

use service_kit::{Context, StartError};
use telemetry::{IntCounterVec, IntGaugeVec};
use tokio::time::sleep;

use crate::pipeline::Pipeline;

/// How old the figures may be; also how often idle connections to services are looked through.
const EVERY: Duration = Duration::from_secs(2);

struct Figures {
    limits: IntCounterVec,
    limit_keys: IntGaugeVec,
    answers: IntCounterVec,
    kept: IntGaugeVec,
}

/// Keeps the metrics up to date until the service ends.
///
/// # Errors
/// [`StartError`] for a metric that is there already.
pub(crate) fn follow(context: &Context, pipeline: &Arc<Pipeline>) -> Result<(), StartError> {
    let metrics = &context.metrics;
    let figures = Figures {
        limits: metrics.counter(
            "interline_gateway_limit_decisions_total",
            "Requests that were counted, by outcome, and failures of Redis to count.",
            &["outcome"],
        )?,
        limit_keys: metrics.gauge(
            "interline_gateway_limit_keys",
            "Callers that limits are kept for.",
            &[],
        )?,
        answers: metrics.counter(
            "interline_gateway_cache_total",
            "What became of requests for answers that may be kept, and of the answers.",
            &["outcome"],
        )?,
        kept: metrics.gauge(
            "interline_gateway_cache",
            "Answers in memory (what=entries) and the bytes that they occupy (what=bytes).",
            &["what"],
        )?,
    };
    let (pipeline, shutdown) = (Arc::clone(pipeline), context.shutdown.clone());
    context.tasks.spawn(async move {
        let following = async {
            loop {
                sleep(EVERY).await;
                pipeline.upstreams.reap();
                figures.update(&pipeline);
            }
        };
        shutdown.run_until_cancelled(following).await;
    });
    Ok(())
}

impl Figures {
    fn update(&self, pipeline: &Pipeline) {
        let limits = pipeline.rates.stats();
        for (outcome, now) in [
            ("allowed", limits.allowed),
            ("rejected", limits.rejected),
            ("store_error", limits.store_errors),
        ] {
            raise(&self.limits, outcome, now);
        }
        set(&self.limit_keys, &[], limits.keys);
        let answers = pipeline.answers.metrics();
        for (outcome, now) in [
            ("hit", answers.hits),
            ("miss", answers.misses),
            ("stale", answers.stale),
            ("revalidated", answers.revalidations),
            ("collapsed", answers.collapsed),
            ("stored", answers.stores),
            ("evicted", answers.evictions),
        ] {
            raise(&self.answers, outcome, now);
        }
        set(&self.kept, &["bytes"], answers.bytes);
        set(&self.kept, &["entries"], answers.entries);
    }
}

/// Brings a counter to a sum that was counted elsewhere.
fn raise(counter: &IntCounterVec, outcome: &str, now: u64) {
    let counter = counter.with_label_values(&[outcome]);
    counter.inc_by(now.saturating_sub(counter.get()));
}

fn set(gauge: &IntGaugeVec, labels: &[&str], now: u64) {
    gauge
        .with_label_values(labels)
        .set(i64::try_from(now).unwrap_or(i64::MAX));
}
