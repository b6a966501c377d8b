//! `Cache-Control` (RFC 9111 §5.2) and the targeted fields of RFC 9213, read into one form.

use http::{HeaderMap, HeaderName, header};

/// The targeted fields that concern this cache, first the one that only it reads (RFC 9213 §2).
pub(crate) const TARGETED: [HeaderName; 2] = [
    HeaderName::from_static("interline-cdn-cache-control"),
    HeaderName::from_static("cdn-cache-control"),
];

/// The longest lifetime that is told apart, in seconds (RFC 9111 §1.2.2).
const LONGEST: i64 = 1 << 31;

/// Directives of a response. Times are in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    pub(crate) max_age: Option<i64>,
    pub(crate) s_maxage: Option<i64>,
    pub(crate) stale_while_revalidate: Option<i64>,
    pub(crate) stale_if_error: Option<i64>,
    pub(crate) no_store: bool,
    pub(crate) no_cache: bool,
    pub(crate) private: bool,
    pub(crate) public: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) proxy_revalidate: bool,
    pub(crate) must_understand: bool,
    /// Fields that `no-cache="…"` and `private="…"` keep out of the cache.
    pub(crate) unstored_fields: Vec<HeaderName>,
    /// They come from a targeted field: `Cache-Control` and `Expires` do not count (RFC 9213 §2.1).
    pub(crate) targeted: bool,
}

impl Directives {
    /// What the response says to this cache.
    pub(crate) fn of_response(headers: &HeaderMap) -> Self {
        for name in &TARGETED {
            if let Some(found) = Self::targeted(headers, name) {
                return found;
            }
        }
        let mut found = Self::default();
        for line in headers.get_all(header::CACHE_CONTROL) {
            let Ok(line) = line.to_str() else { continue };
            for (name, value) in members(line) {
                found.take(&name.to_ascii_lowercase(), value);
            }
        }
        found
    }

    fn take(&mut self, name: &str, value: Option<&str>) {
        // A lifetime that cannot be read is one that is over (RFC 9111 §4.2.1); of two, the first
        // counts.
        let seconds = || Some(value.and_then(delta_seconds).unwrap_or(0));
        match name {
            "max-age" => self.max_age = self.max_age.or_else(seconds),
            "s-maxage" => self.s_maxage = self.s_maxage.or_else(seconds),
            "stale-while-revalidate" => {
                self.stale_while_revalidate = self.stale_while_revalidate.or_else(seconds);
            }
            "stale-if-error" => self.stale_if_error = self.stale_if_error.or_else(seconds),
            "no-store" => self.no_store = true,
            "no-cache" => match value {
                None => self.no_cache = true,
                Some(fields) => self.keep_out(fields),
            },
            "private" => match value {
                None => self.private = true,
                Some(fields) => self.keep_out(fields),
            },
            "public" => self.public = true,
            "must-revalidate" => self.must_revalidate = true,
            "proxy-revalidate" => self.proxy_revalidate = true,
            "must-understand" => self.must_understand = true,
            _ => {}
        }
    }

    fn keep_out(&mut self, fields: &str) {
        let names = unquoted(fields).split(',');
        self.unstored_fields
            .extend(names.filter_map(|name| HeaderName::try_from(name.trim()).ok()));
    }

    /// A targeted field counts only when it is a dictionary of structured fields, is not empty, and
    /// gives its directives values of the right type; else it is as if it were not there.
    fn targeted(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut lines = headers.get_all(name).iter().peekable();
        lines.peek()?;
        let mut text = String::new();
        for line in lines {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(line.to_str().ok()?);
        }
        let dictionary = crate::dictionary::parse(&text)?;
        if dictionary.is_empty() {
            return None;
        }
        let mut found = Self {
            targeted: true,
            ..Self::default()
        };
        for (name, value) in dictionary {
            use crate::dictionary::Value;
            let takes_seconds = matches!(
                name.as_str(),
                "max-age" | "s-maxage" | "stale-while-revalidate" | "stale-if-error"
            );
            match value {
                Value::Integer(seconds) if takes_seconds && seconds >= 0 => {
                    found.take(&name, Some(&seconds.to_string()));
                }
                _ if takes_seconds => return None,
                Value::Boolean(false) => {}
                Value::Boolean(true) => found.take(&name, None),
                Value::Text(fields) => found.take(&name, Some(&fields)),
                Value::Integer(_) | Value::Other => {}
            }
        }
        Some(found)
    }
}

/// Directives of a request (RFC 9111 §5.2.1). Times are in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    pub(crate) max_age: Option<i64>,
    pub(crate) min_fresh: Option<i64>,
    /// `max-stale` without a number is the longest.
    pub(crate) max_stale: Option<i64>,
    pub(crate) no_cache: bool,
    pub(crate) no_store: bool,
    pub(crate) only_if_cached: bool,
}

impl Wishes {
    pub(crate) fn of_request(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        let mut any = false;
        for line in headers.get_all(header::CACHE_CONTROL) {
            any = true;
            let Ok(line) = line.to_str() else { continue };
            for (name, value) in members(line) {
                found.take(name, value);
            }
        }
        // RFC 9111 §5.4: only without Cache-Control.
        if !any && let Some(pragma) = headers.get(header::PRAGMA) {
            found.no_cache = pragma.as_bytes().eq_ignore_ascii_case(b"no-cache");
        }
        found
    }

    fn take(&mut self, name: &str, value: Option<&str>) {
        let is = |directive: &str| name.eq_ignore_ascii_case(directive);
        let seconds = value.and_then(delta_seconds);
        if is("max-age") {
            self.max_age = self.max_age.or(seconds);
        } else if is("min-fresh") {
            self.min_fresh = self.min_fresh.or(seconds);
        } else if is("max-stale") {
            self.max_stale = match value {
                None => Some(LONGEST),
                Some(_) => seconds,
            };
        } else if is("no-cache") {
            self.no_cache = true;
        } else if is("no-store") {
            self.no_store = true;
        } else if is("only-if-cached") {
            self.only_if_cached = true;
        }
    }
}

/// The members of a list, quoted commas left alone, as name and value. A name with a space before its
/// `=` is no name, and so never one that is known.
fn members(line: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    split_list(line).map(|member| match member.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (member, None),
    })
}

/// Splits at the commas outside of quoted strings; members are trimmed, empty ones left out.
pub(crate) fn split_list(line: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    line.split(move |letter| {
        if escaped {
            escaped = false;
        } else {
            match letter {
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                ',' if !quoted => return true,
                _ => {}
            }
        }
        false
    })
    .map(str::trim)
    .filter(|member| !member.is_empty())
}

fn unquoted(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value)
}

/// Digits, quoted or not; more than can be told apart is the longest time.
pub(crate) fn delta_seconds(value: &str) -> Option<i64> {
    let digits = unquoted(value);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(LONGEST).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(fields: &[(&'static str, &str)]) -> Directives {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        Directives::of_response(&headers)
    }

    fn max_age(value: &str) -> Option<i64> {
        response(&[("cache-control", value)]).max_age
    }

    #[test]
    fn a_lifetime_is_read_as_the_grammar_says_and_else_is_over() {
        assert_eq!(max_age("foobar, MaX-aGe=003600"), Some(3600));
        assert_eq!(max_age("max-age=\"3600\""), Some(3600));
        assert_eq!(max_age("max-age=99999999999999999999"), Some(LONGEST));
        assert_eq!(max_age("max-age=1, max-age=3600"), Some(1));
        assert_eq!(max_age("extension=\"max-age=3600, x\""), None);
        assert_eq!(max_age("max-age =3600"), None);
        for broken in ["'3600'", "-1", "3600.0", "a1", "1a", " 3600", ""] {
            assert_eq!(max_age(&format!("max-age={broken}")), Some(0), "{broken}");
        }
    }

    #[test]
    fn fields_that_are_named_are_kept_out_and_the_rest_may_be_stored() {
        let found = response(&[("cache-control", "no-cache=\"a, b\", private=c, max-age=1")]);
        assert!(!found.no_cache && !found.private);
        assert_eq!(found.unstored_fields, ["a", "b", "c"]);
        assert_eq!(found.max_age, Some(1));
    }

    #[test]
    fn a_targeted_field_counts_only_when_it_can_be_read() {
        let plain = ("cache-control", "no-store");
        for broken in [
            "max-age=10, &&&&",
            "max-age=\"10\"",
            "MaX-age=1",
            "",
            "max-age=-1",
        ] {
            let found = response(&[plain, ("cdn-cache-control", broken)]);
            assert!(found.no_store && !found.targeted, "{broken}");
        }
        let found = response(&[plain, ("cdn-cache-control", "foo, max-age=10;x=1")]);
        assert_eq!((found.max_age, found.no_store), (Some(10), false));
        let own = ("interline-cdn-cache-control", "max-age=7, no-cache=?0");
        let found = response(&[("cdn-cache-control", "no-store"), own]);
        assert_eq!(
            (found.max_age, found.no_cache, found.no_store),
            (Some(7), false, false)
        );
    }

    #[test]
    fn pragma_counts_only_without_cache_control() {
        let mut headers = HeaderMap::new();
        headers.insert("pragma", "No-Cache".parse().unwrap());
        assert!(Wishes::of_request(&headers).no_cache);
        headers.insert("cache-control", "max-stale".parse().unwrap());
        let wishes = Wishes::of_request(&headers);
        assert_eq!((wishes.no_cache, wishes.max_stale), (false, Some(LONGEST)));
    }
}
