//! Answers that are kept: which routes have a rule, and how an answer of the cache is put together.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use auth::Identity;
use bytes::{BufMut as _, BytesMut};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use http_engine::{Outgoing, WrittenFields};
use response_cache::{Audience, Hit, Key, Lookup, ResponseCache, Rule};
use service_kit::StartError;
use settings::Settings;

use crate::catalog::{CacheRow, Catalog};

/// The rules of a catalogue by their names, with the times that are configured.
///
/// # Errors
/// [`StartError`] for a time that is none.
pub(crate) fn rules(
    catalog: &Catalog,
    settings: &Settings,
) -> Result<HashMap<String, Arc<Rule>>, StartError> {
    let rules = catalog.caches().iter().map(|row| {
        let seconds = |key: &str, default: u64| -> Result<Duration, StartError> {
            let seconds = match row.configured {
                true => settings.get(&format!("cache.{}.{key}", row.name))?,
                false => default,
            };
            Ok(Duration::from_secs(seconds))
        };
        let rule = rule(row, seconds)?;
        Ok((row.name.clone(), Arc::new(rule)))
    });
    rules.collect()
}

fn rule(
    row: &CacheRow,
    seconds: impl Fn(&str, u64) -> Result<Duration, StartError>,
) -> Result<Rule, StartError> {
    let fresh = seconds("fresh_seconds", row.fresh_seconds)?;
    Ok(Rule {
        enabled: !row.configured || !fresh.is_zero(),
        audience: row.audience.into(),
        freshness: (!fresh.is_zero()).then_some(fresh),
        heuristic: row.heuristic,
        stale_while_revalidate: seconds(
            "stale_while_revalidate_seconds",
            row.stale_while_revalidate_seconds,
        )?,
        stale_if_error: seconds("stale_if_error_seconds", row.stale_if_error_seconds)?,
        negative: row.errors.then_some(400..=599).into_iter().collect(),
        shares_cookies: row.shares_cookies,
        tags: vec![row.tag()],
        ..Rule::default()
    })
}

/// What tells a caller's answers from another's; nothing where all share them.
pub(crate) fn partition(rule: &Rule, caller: &Identity) -> String {
    match rule.audience {
        Audience::Caller if !caller.is_anonymous() => format!(
            "{}|{:?}|{}",
            caller.subject(),
            caller.role(),
            caller.api_key().or(caller.client()).unwrap_or_default()
        ),
        Audience::Caller | Audience::Public | Audience::Everyone => String::new(),
    }
}

/// A fresh answer out of memory, if there is one. `caller` tells callers apart.
pub(crate) fn look(
    cache: &ResponseCache,
    rule: &Rule,
    request: &Parts,
    target: &Uri,
    caller: &str,
) -> (Option<Key>, Option<Hit>) {
    let Some(key) = Key::new(target, rule, caller) else {
        return (None, None);
    };
    let found = cache.lookup(&key, &request.headers, &request.method, cache.now());
    let hit = match found {
        Lookup::Fresh(hit) => Some(hit),
        Lookup::Stale(_) | Lookup::Miss { .. } => None,
    };
    (Some(key), hit)
}

/// The answer of a hit. What is stored goes out as it is written down, where the request lets it.
pub(crate) fn of_hit(hit: &Hit, method: &Method, asked: &HeaderMap) -> Response<Outgoing> {
    let stored = hit.stored();
    let whole = [header::DATE, header::CONTENT_LENGTH]
        .iter()
        .all(|name| stored.headers().contains_key(name));
    let plain = *method == Method::GET && stored.status() == StatusCode::OK;
    if !whole || !plain || !hit.is_verbatim(asked) {
        return hit.respond(method, asked).map(Outgoing::stream);
    }
    let block = stored.header_block();
    let mut lines = BytesMut::with_capacity(block.len() + 384);
    lines.put_slice(block);
    hit.put_fields(&mut lines);
    let mut response = Response::new(Outgoing::from(stored.body().clone()));
    response.extensions_mut().insert(WrittenFields(lines));
    response
}
