//! The second level: answers of other instances, and their purges.

use std::sync::{Arc, Weak};
use std::time::Duration;

use http::{HeaderMap, header};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::cache::{AddressError, Inner, Options};
use crate::codec::{Mark, Value, decode};
use crate::key::Key;
use crate::link::Unavailable;
use crate::moment::Moment;
use crate::purge::{Purge, Verdict};
use crate::remote::{News, Remote, new_epoch};
use crate::rule::Rule;
use crate::stored::Stored;

/// How often the log of purges is looked at.
const INTERVAL: Duration = Duration::from_millis(200);

/// How many answers wait to be written; those beyond are not, for the origin has them anyway.
const MOST_WAITING: usize = 256;

/// How long an answer that can be validated is kept after its lifetime, in milliseconds.
const VALIDATION_TIME: i64 = 600_000;

/// The longest that Redis keeps an answer, in milliseconds.
const LONGEST: i64 = 7 * 86_400_000;

pub(crate) struct Shared {
    pub(crate) remote: Arc<Remote>,
    waiting: mpsc::Sender<Write>,
}

struct Write {
    key: Key,
    mark: Mark,
    stored: Arc<Stored>,
    ttl: Duration,
}

impl Shared {
    pub(crate) fn new(options: &Options) -> Result<Option<Self>, AddressError> {
        let Some(url) = &options.redis else {
            return Ok(None);
        };
        let remote = Remote::new(url, &options.prefix, new_epoch(), options.timeout);
        let remote = Arc::new(remote.map_err(|_| AddressError)?);
        let (waiting, writes) = mpsc::channel(MOST_WAITING);
        tokio::spawn(write_behind(Arc::clone(&remote), writes));
        Ok(Some(Self { remote, waiting }))
    }

    /// Has an answer written, unless it is personal or Redis is behind.
    pub(crate) fn offer(
        &self,
        key: &Key,
        rule: &Rule,
        mark: Option<&Mark>,
        stored: &Arc<Stored>,
        now: Moment,
    ) {
        let (Some(mark), Some(ttl)) = (mark, ttl(stored, now)) else {
            return;
        };
        if !may_share(key, rule) || is_chosen_by_a_secret(stored) {
            return;
        }
        // Full is no error.
        let _ = self.waiting.try_send(Write {
            key: key.clone(),
            mark: mark.clone(),
            stored: Arc::clone(stored),
            ttl,
        });
    }
}

/// Answers for one caller stay in the process, unless the rule says otherwise.
fn may_share(key: &Key, rule: &Rule) -> bool {
    key.caller().is_empty() || rule.personal_on_redis
}

/// Whether the answer bears credentials, for it varies by them.
fn is_chosen_by_a_secret(stored: &Stored) -> bool {
    let mut selectors = stored.labels.selectors.iter();
    selectors.any(|selector| [header::AUTHORIZATION, header::COOKIE].contains(&selector.name))
}

/// How long Redis keeps an answer; `None` when it is of no use.
fn ttl(stored: &Stored, now: Moment) -> Option<Duration> {
    let freshness = &stored.freshness;
    let stale = freshness
        .stale_while_revalidate
        .max(freshness.stale_if_error)
        .max(if stored.has_validator() {
            VALIDATION_TIME
        } else {
            0
        });
    let millis = stored
        .remaining(now)
        .max(0)
        .saturating_add(stale)
        .min(LONGEST);
    u64::try_from(millis)
        .ok()
        .filter(|millis| *millis > 0)
        .map(Duration::from_millis)
}

async fn write_behind(remote: Arc<Remote>, mut writes: mpsc::Receiver<Write>) {
    while let Some(write) = writes.recv().await {
        let Write {
            key,
            mark,
            stored,
            ttl,
        } = write;
        remote.write(&key, &mark, &stored, ttl).await;
    }
}

/// Follows the log of purges for as long as the cache is there.
pub(crate) async fn follow(cache: Weak<Inner>) {
    while let Some(inner) = cache.upgrade() {
        if let Some(shared) = &inner.shared {
            // What fails is tried again the next time.
            let _ = shared.remote.send_unsent().await;
            let _ = inner.catch_up().await;
        }
        drop(inner);
        sleep(INTERVAL).await;
    }
}

impl Inner {
    /// Applies the purges of other instances. When some may have been missed, everything goes.
    pub(crate) async fn catch_up(&self) -> Result<(), Unavailable> {
        let Some(shared) = &self.shared else {
            return Ok(());
        };
        // The first look at an empty Redis begins the log, the second one knows it.
        for _ in 0..2 {
            match shared.remote.news().await? {
                News::Purges(purges) => {
                    for purge in purges {
                        self.apply(&purge);
                    }
                }
                News::Gap => {
                    self.apply(&Purge::everything());
                }
            }
            if shared.remote.mark().is_some() {
                break;
            }
        }
        Ok(())
    }

    /// The answer that Redis has for the request.
    pub(crate) async fn recall(
        &self,
        key: &Key,
        rule: &Rule,
        request: &HeaderMap,
        now: Moment,
    ) -> Option<Arc<Stored>> {
        let remote = &self
            .shared
            .as_ref()
            .filter(|_| may_share(key, rule))?
            .remote;
        let (bytes, is_current) = remote.read(key, request).await?;
        if !is_current {
            self.catch_up().await.ok()?;
        }
        let seen = self.seen();
        let Value::Answer {
            key: own,
            mark,
            stored,
        } = decode(bytes, seen)?
        else {
            return None;
        };
        if own != *key || !stored.is_selected_by(request) {
            return None;
        }
        match remote.verdict(&mark, key, &stored) {
            Verdict::Untouched => {}
            Verdict::Expired => stored.expire(now),
            Verdict::Removed => return None,
        }
        remote.hits.increment();
        Some(stored)
    }
}
