//! Query parameters and Duffel's cursor paging: `limit` 1 to 200, default 50; `after` and `before` are
//! opaque and null at the ends.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::answer::Problem;
use crate::query::Query;

/// The query of a request, decoded; a name may come several times.
pub(crate) struct Params(Query);

impl Params {
    pub(crate) fn parse(query: Option<&str>) -> Self {
        Self(Query::parse(query))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.first(name)
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.all(name)
    }

    /// A `true`/`false` parameter.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Problem::inclusion(&format!("/{name}"), &["true", "false"])),
        }
    }

    /// A whole number within `low..=high`.
    pub(crate) fn number(
        &self,
        name: &str,
        low: usize,
        high: usize,
    ) -> Result<Option<usize>, Problem> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) if (low..=high).contains(&number) => Ok(Some(number)),
            _ => Err(Problem::format(
                &format!("/{name}"),
                &format!("must be a number between {low} and {high}"),
            )),
        }
    }
}

/// One page of `items` and its `meta`. A page begins after (or ends before) the item whose id the
/// cursor holds, so nothing is shown twice when the list grows at its front.
pub(crate) fn page<'a, T>(
    params: &Params,
    items: &'a [T],
    id: impl Fn(&T) -> &str,
) -> Result<(&'a [T], Value), Problem> {
    let limit = params.number("limit", 1, 200)?.unwrap_or(50);
    let find = |name: &str| {
        params
            .get(name)
            .map(|cursor| {
                let wanted = read(cursor);
                items
                    .iter()
                    .position(|item| Some(id(item)) == wanted.as_deref())
                    .ok_or_else(|| Problem::format(&format!("/{name}"), "is not a valid cursor"))
            })
            .transpose()
    };
    let (start, end) = match (find("after")?, find("before")?) {
        (Some(_), Some(_)) => {
            return Err(Problem::format(
                "/after",
                "can't be used together with 'before'",
            ));
        }
        (Some(after), None) => (after + 1, (after + 1 + limit).min(items.len())),
        (None, Some(before)) => (before.saturating_sub(limit), before),
        (None, None) => (0, limit.min(items.len())),
    };
    let shown = items.get(start..end).unwrap_or_default();
    let cursor = |item: Option<&T>| item.map(|item| write(id(item)));
    let meta = json!({
        "limit": limit,
        "before": if start > 0 { cursor(shown.first()) } else { None },
        "after": if end < items.len() { cursor(shown.last()) } else { None },
    });
    Ok((shown, meta))
}

fn write(id: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("after:{id}"))
}

fn read(cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.strip_prefix("after:").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walking_forth_and_back_shows_every_item_once() {
        let items: Vec<String> = (0..7).map(|n| n.to_string()).collect();
        let get = |query: String| {
            let params = Params::parse(Some(&query));
            let (shown, meta) = page(&params, &items, |item| item).unwrap();
            (shown.concat(), meta)
        };
        let (first, meta) = get("limit=3".to_owned());
        assert_eq!((first.as_str(), &meta["before"]), ("012", &Value::Null));
        let (second, meta) = get(format!("limit=3&after={}", meta["after"].as_str().unwrap()));
        assert_eq!(second, "345");
        let (third, last) = get(format!("limit=3&after={}", meta["after"].as_str().unwrap()));
        assert_eq!((third.as_str(), &last["after"]), ("6", &Value::Null));
        let (back, _) = get(format!(
            "limit=3&before={}",
            meta["before"].as_str().unwrap()
        ));
        assert_eq!(back, "012");
        for query in ["limit=0", "limit=201", "limit=x", "after=zzz"] {
            assert!(page(&Params::parse(Some(query)), &items, |item| item).is_err());
        }
    }
}
