//! What the instances of a service share over Redis: answers, and the log of purges.
//!
//! Each purge has a number. Redis keeps the last number and, in the same key, an epoch, which is another
//! one after Redis lost its data. An answer bears the number that its asker knew: whoever reads it judges
//! it by the purges since. The number comes along with every answer that is read, so that nobody uses
//! one before knowing all purges that Redis knows.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use redis::{Cmd, Pipeline, RedisResult, Script};

use crate::codec::{Mark, Value, decode, encode_answer, encode_varies};
use crate::key::Key;
use crate::link::{Call, Link, Unavailable};
use crate::metrics::Counter;
use crate::purge::{Log, Purge, Verdict};
use crate::stored::Stored;
use crate::vary::{Selector, normalised};

/// The most purges that Redis keeps; an instance that missed more forgets everything.
const MOST_LOGGED: usize = 10_000;

/// How long the log lives on without a purge. Afterwards all begin anew.
const LOG_TTL: Duration = Duration::from_secs(30 * 86_400);

/// Appends a purge. A log whose head is lost is worthless.
const PUBLISH: &str = r"
local head = redis.call('GET', KEYS[1])
local epoch, number = ARGV[2], 0
if head then
    epoch, number = string.match(head, '^(.-):(%d+)$')
else
    redis.call('DEL', KEYS[2])
end
number = string.format('%d', number + 1)
redis.call('ZADD', KEYS[2], number, number .. ':' .. ARGV[1])
redis.call('SET', KEYS[1], epoch .. ':' .. number, 'PX', ARGV[4])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -ARGV[3] - 1)
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
";

/// The head, and the purges after a number of the same epoch.
const NEWS: &str = r"
local head = redis.call('GET', KEYS[1])
if not head then
    return {'', {}}
end
local epoch, number = string.match(head, '^(.-):(%d+)$')
if epoch ~= ARGV[1] or number == ARGV[2] then
    return {head, {}}
end
return {head, redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[2], '+inf')}
";

/// What the log had to say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// These purges of other instances, in their order.
    Purges(Vec<Purge>),
    /// Something may have been missed.
    Gap,
}

pub(crate) struct Remote {
    link: Link,
    prefix: String,
    /// Tells this instance's purges from those of others.
    instance: String,
    publish: Script,
    news: Script,
    known: Mutex<Known>,
    /// One at a time, so that no news is counted twice.
    asking: tokio::sync::Mutex<()>,
    pub(crate) hits: Counter,
}

#[derive(Debug, Default)]
struct Known {
    /// Empty until Redis has told it.
    epoch: String,
    log: Log,
    /// Purges that Redis has not taken yet.
    unsent: Vec<Purge>,
}

impl Remote {
    pub(crate) fn new(
        url: &str,
        prefix: &str,
        instance: String,
        timeout: Duration,
    ) -> RedisResult<Self> {
        Ok(Self {
            link: Link::new(url, timeout)?,
            prefix: prefix.to_owned(),
            instance,
            publish: Script::new(PUBLISH),
            news: Script::new(NEWS),
            known: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            hits: Counter::default(),
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn errors(&self) -> u64 {
        self.link.errors.get()
    }

    /// What an answer that is asked for now will have seen. `None` before Redis has told its epoch.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let known = self.known();
        (!known.epoch.is_empty()).then(|| Mark {
            epoch: known.epoch.clone(),
            number: known.log.last(),
        })
    }

    /// The bytes that Redis has for the request, and whether all purges that it knows are known here.
    pub(crate) async fn read(&self, key: &Key, request: &HeaderMap) -> Option<(Bytes, bool)> {
        if self.link.is_paused() {
            return None;
        }
        let (head, value) = self.read_one(&self.value_key(key, &[])).await?;
        let value = value?;
        let Some(Value::Varies(names)) = decode(value.clone(), 0) else {
            return Some((value, self.is_current(&head?)));
        };
        let selectors: Vec<Selector> = names
            .into_iter()
            .map(|name| Selector {
                value: normalised(request, &name),
                name,
            })
            .collect();
        let (head, value) = self.read_one(&self.value_key(key, &selectors)).await?;
        Some((value?, self.is_current(&head?)))
    }

    async fn read_one(&self, value_key: &str) -> Option<(Option<String>, Option<Bytes>)> {
        let mut command = Cmd::new();
        command.arg("MGET").arg(self.head_key()).arg(value_key);
        let found = self.link.call(Call::Command(&command)).await;
        let (head, value): (Option<String>, Option<Vec<u8>>) = found.ok()?;
        Some((head, value.map(Bytes::from)))
    }

    fn is_current(&self, head: &str) -> bool {
        let known = self.known();
        parse_head(head)
            .is_some_and(|(epoch, number)| epoch == known.epoch && number == known.log.last())
    }

    /// Judges an answer by all purges that are known.
    pub(crate) fn verdict(&self, mark: &Mark, key: &Key, stored: &Stored) -> Verdict {
        let known = self.known();
        let tags = &stored.labels.tags;
        if mark.epoch != known.epoch || known.unsent.iter().any(|purge| purge.covers(key, tags)) {
            return Verdict::Removed;
        }
        known.log.verdict(mark.number, key, tags)
    }

    /// Writes an answer.
    pub(crate) async fn write(&self, key: &Key, mark: &Mark, stored: &Stored, ttl: Duration) {
        if self.link.is_paused() {
            return;
        }
        let Some(value) = encode_answer(key, mark, stored) else {
            return;
        };
        let selectors = &stored.labels.selectors;
        let mut pipeline = Pipeline::new();
        let mut set = |key: String, value: &[u8]| {
            let command = pipeline.cmd("SET").arg(key).arg(value);
            command.arg("PX").arg(millis(ttl)).ignore();
        };
        set(self.value_key(key, selectors), &value);
        if !selectors.is_empty()
            && let Some(varies) = encode_varies(selectors)
        {
            set(self.value_key(key, &[]), &varies);
        }
        // Counted and logged by the link; the next one reads from the origin instead.
        let _ = self.link.call::<()>(Call::Pipeline(&pipeline)).await;
    }

    /// Notes a purge for [`Remote::send_unsent`]. Until Redis has taken it, nothing that it covers is
    /// read from there.
    pub(crate) fn note(&self, purge: &Purge) {
        let unsent = &mut self.known().unsent;
        if unsent.len() < 1_000 {
            unsent.push(purge.clone());
        } else {
            // So many are as good as all.
            *unsent = vec![Purge::everything()];
        }
    }

    /// Tells the others of the purges that were noted.
    pub(crate) async fn send_unsent(&self) -> Result<(), Unavailable> {
        loop {
            let Some(purge) = self.known().unsent.first().cloned() else {
                return Ok(());
            };
            let mut call = self.publish.prepare_invoke();
            call.key(self.head_key()).key(self.log_key());
            call.arg(format!("{}:{}", self.instance, purge.to_text()))
                .arg(new_epoch())
                .arg(MOST_LOGGED)
                .arg(millis(LOG_TTL));
            self.link.call::<()>(Call::Script(&call)).await?;
            let mut known = self.known();
            // Another task may have sent it too: then it is told twice, which does no harm.
            if let Some(position) = known.unsent.iter().position(|other| *other == purge) {
                known.unsent.remove(position);
            }
        }
    }

    /// Asks for the purges since the last time. Those of this instance are done already.
    pub(crate) async fn news(&self) -> Result<News, Unavailable> {
        let _one_at_a_time = self.asking.lock().await;
        let (epoch, last) = {
            let known = self.known();
            (known.epoch.clone(), known.log.last())
        };
        let mut call = self.news.prepare_invoke();
        call.key(self.head_key()).key(self.log_key());
        call.arg(&epoch).arg(last);
        let (head, lines): (String, Vec<String>) = self.link.call(Call::Script(&call)).await?;
        let Some((new_epoch, number)) = parse_head(&head) else {
            self.begin_epoch().await?;
            return Ok(self.forget(String::new(), 0, epoch.is_empty()));
        };
        if new_epoch != epoch {
            return Ok(self.forget(new_epoch.to_owned(), number, false));
        }
        let entries: Option<Vec<_>> = lines.iter().map(|line| parse_line(line)).collect();
        let expected = number.checked_sub(last).map(usize::try_from);
        let entries = match entries {
            Some(entries) if expected == Some(Ok(entries.len())) => entries,
            _ => return Ok(self.forget(new_epoch.to_owned(), number, false)),
        };
        let mut purges = Vec::new();
        let mut known = self.known();
        for (number, instance, purge) in entries {
            known.log.append(number, purge.clone());
            if instance != self.instance {
                purges.push(purge);
            }
        }
        Ok(News::Purges(purges))
    }

    fn forget(&self, epoch: String, number: u64, was_so: bool) -> News {
        let mut known = self.known();
        known.epoch = epoch;
        known.log.restart(number);
        if was_so {
            News::Purges(Vec::new())
        } else {
            News::Gap
        }
    }

    async fn begin_epoch(&self) -> Result<(), Unavailable> {
        let mut command = Cmd::new();
        command.arg("SET").arg(self.head_key());
        command.arg(format!("{}:0", new_epoch()));
        command.arg("NX").arg("PX").arg(millis(LOG_TTL));
        self.link.call::<()>(Call::Command(&command)).await
    }

    fn head_key(&self) -> String {
        format!("{}:head", self.prefix)
    }

    fn log_key(&self) -> String {
        format!("{}:log", self.prefix)
    }

    /// A digest, for a path may hold what somebody searched for. Two answers with one digest push out
    /// each other, and are not taken for each other.
    fn value_key(&self, key: &Key, selectors: &[Selector]) -> String {
        let digest = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, key.target(), key.caller()).hash(&mut hasher);
            for selector in selectors {
                (selector.name.as_str(), &selector.value).hash(&mut hasher);
            }
            hasher.finish()
        };
        format!("{}:v:{:016x}{:016x}", self.prefix, digest(0), digest(1))
    }
}

fn parse_head(head: &str) -> Option<(&str, u64)> {
    let (epoch, number) = head.rsplit_once(':')?;
    Some((epoch, number.parse().ok()?))
}

fn parse_line(line: &str) -> Option<(u64, String, Purge)> {
    let (number, rest) = line.split_once(':')?;
    let (instance, purge) = rest.split_once(':')?;
    let number = number.parse().ok()?;
    Some((number, instance.to_owned(), Purge::from_text(purge)))
}

/// A name that no other epoch has.
pub(crate) fn new_epoch() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one(0_u8))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
