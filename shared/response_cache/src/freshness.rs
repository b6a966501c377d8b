//! Ages and lifetimes (RFC 9111 §4.2), and what is done with an answer by its age.

use http::{HeaderMap, StatusCode, header};

use crate::Rule;
use crate::directives::{Directives, Wishes, delta_seconds};
use crate::moment::{Moment, date_of, millis};

/// A heuristic lifetime ends after a day, however old the resource is.
const LONGEST_HEURISTIC: i64 = 24 * 3_600_000;

/// When an exchange took place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange {
    pub(crate) asked: Moment,
    pub(crate) answered: Moment,
}

/// How long an answer may be used. Times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Freshness {
    /// When the answer was of age zero.
    pub(crate) born: Moment,
    pub(crate) lifetime: i64,
    pub(crate) stale_while_revalidate: i64,
    pub(crate) stale_if_error: i64,
    /// Never used without asking the origin (`no-cache`).
    pub(crate) always_validate: bool,
    /// Never used stale on the cache's or the client's own account (`must-revalidate` and its like).
    pub(crate) never_stale: bool,
}

impl Freshness {
    pub(crate) fn new(
        status: StatusCode,
        headers: &HeaderMap,
        directives: &Directives,
        rule: &Rule,
        exchange: Exchange,
    ) -> Self {
        let seconds = |seconds: i64| seconds.saturating_mul(1_000);
        let stated = stated_lifetime(headers, directives, exchange.answered);
        let born = exchange.answered.minus(initial_age(headers, exchange));
        // What stands at 400 or above is here only because the rule lets it.
        let has_default = is_heuristically_cacheable(status) || status.as_u16() >= 400;
        let by_rule = rule.freshness.filter(|_| has_default).map(millis);
        if rule.overrides_origin {
            return Self {
                born: exchange.answered,
                lifetime: by_rule.unwrap_or(0),
                stale_while_revalidate: millis(rule.stale_while_revalidate),
                stale_if_error: millis(rule.stale_if_error),
                always_validate: false,
                never_stale: false,
            };
        }
        let lifetime = stated
            .or(by_rule)
            .or_else(|| heuristic_lifetime(status, headers, directives, rule, exchange))
            .unwrap_or(0);
        let explicit = directives.must_revalidate || directives.proxy_revalidate;
        // s-maxage alone implies proxy-revalidate (RFC 9111 §5.2.2.10); an origin that names a stale
        // time beside it has said that it means less.
        let implied = directives.s_maxage.is_some();
        let stale = |directive: Option<i64>, of_rule| match directive {
            _ if explicit => 0,
            Some(stated) => seconds(stated),
            None if implied => 0,
            None => millis(of_rule),
        };
        Self {
            born,
            lifetime,
            stale_while_revalidate: stale(
                directives.stale_while_revalidate,
                rule.stale_while_revalidate,
            ),
            stale_if_error: stale(directives.stale_if_error, rule.stale_if_error),
            always_validate: directives.no_cache,
            never_stale: explicit || implied,
        }
    }

    /// The age in milliseconds.
    pub(crate) fn age(&self, now: Moment) -> i64 {
        now.since(self.born).max(0)
    }

    /// What is left of the lifetime in milliseconds; negative once it is over.
    pub(crate) fn remaining(&self, now: Moment) -> i64 {
        self.lifetime.saturating_sub(self.age(now))
    }

    /// Whether a request may have the answer at this age without the origin being asked (RFC 9111
    /// §4.2, §5.2.1). `remaining` may be less than [`Freshness::remaining`], after a purge.
    pub(crate) fn suffices(&self, remaining: i64, now: Moment, wishes: &Wishes) -> bool {
        let millis = |seconds: i64| seconds.saturating_mul(1_000);
        if self.always_validate || wishes.no_cache {
            return false;
        }
        if wishes
            .max_age
            .is_some_and(|limit| self.age(now) > millis(limit))
        {
            return false;
        }
        let wanted = millis(wishes.min_fresh.unwrap_or(0));
        (remaining > 0 && remaining >= wanted)
            || (!self.never_stale
                && wishes
                    .max_stale
                    .is_some_and(|limit| remaining.saturating_add(millis(limit)) >= 0))
    }
}

/// Whether the meaning of the status is known to this cache, as `must-understand` wants it (RFC 9111
/// §5.2.2.3).
pub(crate) fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300..=303 | 307 | 308 | 400..=451 | 500..=511
    )
}

/// Whether answers of the status live on without the origin saying so (RFC 9110 §15.1).
pub(crate) fn is_heuristically_cacheable(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// What the origin says, in milliseconds (RFC 9111 §4.2.1).
pub(crate) fn stated_lifetime(
    headers: &HeaderMap,
    directives: &Directives,
    answered: Moment,
) -> Option<i64> {
    if let Some(seconds) = directives.s_maxage.or(directives.max_age) {
        return Some(seconds.saturating_mul(1_000));
    }
    if directives.targeted || !headers.contains_key(header::EXPIRES) {
        return None;
    }
    // An unreadable Expires is in the past (RFC 9111 §5.3).
    let Some(expires) = date_of(headers, &header::EXPIRES) else {
        return Some(0);
    };
    let date = date_of(headers, &header::DATE).unwrap_or(answered);
    Some(expires.since(date).max(0))
}

fn heuristic_lifetime(
    status: StatusCode,
    headers: &HeaderMap,
    directives: &Directives,
    rule: &Rule,
    exchange: Exchange,
) -> Option<i64> {
    if !rule.heuristic || !(is_heuristically_cacheable(status) || directives.public) {
        return None;
    }
    let modified = date_of(headers, &header::LAST_MODIFIED)?;
    let date = date_of(headers, &header::DATE).unwrap_or(exchange.answered);
    Some((date.since(modified) / 10).clamp(0, LONGEST_HEURISTIC))
}

/// `corrected_initial_age` of RFC 9111 §4.2.3 in milliseconds. Dates have whole seconds, so seconds are
/// compared: else an answer would be half a second old at its birth.
fn initial_age(headers: &HeaderMap, exchange: Exchange) -> i64 {
    let apparent = date_of(headers, &header::DATE)
        .map_or(0, |date| exchange.answered.seconds() - date.seconds())
        .max(0)
        .saturating_mul(1_000);
    // Of several ages the first counts, and one that is no number does not (RFC 9111 §5.1).
    let stated = headers
        .get(header::AGE)
        .and_then(|age| age.to_str().ok()?.split(',').next())
        .filter(|age| !age.contains('"'))
        .and_then(|age| delta_seconds(age.trim()))
        .unwrap_or(0)
        .saturating_mul(1_000);
    let delay = exchange.answered.since(exchange.asked).max(0);
    apparent.max(stated.saturating_add(delay))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Moment = Moment(1_800_000_000_000);

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn date(offset: i64) -> String {
        let at = NOW.minus(-offset * 1_000).http_date().unwrap();
        at.to_str().unwrap().to_owned()
    }

    fn under(rule: &Rule, status: u16, fields: &[(&'static str, &str)]) -> Freshness {
        let headers = headers(fields);
        let directives = Directives::of_response(&headers);
        let exchange = Exchange {
            asked: NOW,
            answered: NOW,
        };
        let status = StatusCode::from_u16(status).unwrap();
        Freshness::new(status, &headers, &directives, rule, exchange)
    }

    fn of(fields: &[(&'static str, &str)]) -> Freshness {
        under(&Rule::default(), 200, fields)
    }

    /// Seconds that are left at once.
    fn left(fields: &[(&'static str, &str)]) -> i64 {
        of(fields).remaining(NOW) / 1_000
    }

    #[test]
    fn the_more_particular_lifetime_wins() {
        let past = date(-100);
        assert_eq!(
            left(&[
                ("cache-control", "max-age=10, s-maxage=20"),
                ("expires", &past)
            ]),
            20
        );
        assert_eq!(
            left(&[("cache-control", "max-age=10"), ("expires", &past)]),
            10
        );
        assert_eq!(left(&[("expires", &date(30)), ("date", &date(0))]), 30);
        assert_eq!(left(&[("expires", &date(30)), ("date", "foo")]), 30);
        assert_eq!(left(&[("expires", "0")]), 0);
        assert_eq!(
            left(&[
                ("cdn-cache-control", "max-age=9"),
                ("cache-control", "no-store")
            ]),
            9
        );
    }

    #[test]
    fn the_larger_of_both_ages_counts() {
        let cc = ("cache-control", "max-age=100");
        assert_eq!(left(&[cc, ("date", &date(-30))]), 70);
        assert_eq!(left(&[cc, ("date", &date(-30)), ("age", "40")]), 60);
        assert_eq!(left(&[cc, ("date", &date(-30)), ("age", "20")]), 70);
        assert_eq!(left(&[cc, ("date", &date(50)), ("age", "40")]), 60);
    }

    #[test]
    fn an_age_that_is_no_number_does_not_count_and_of_several_the_first_does() {
        let cc = ("cache-control", "max-age=100");
        for (age, expected) in [
            ("abc", 100),
            ("-7", 100),
            ("7.0", 100),
            ("7, 0", 93),
            ("0, 7", 100),
            ("\"7\"", 100),
        ] {
            assert_eq!(left(&[cc, ("age", age)]), expected, "{age}");
        }
        assert_eq!(left(&[cc, ("age", "7"), ("age", "0")]), 93);
        assert!(left(&[cc, ("age", "99999999999999999999")]) < 0);
    }

    #[test]
    fn the_time_that_the_origin_took_is_part_of_the_age() {
        let headers = headers(&[("cache-control", "max-age=100"), ("age", "10")]);
        let exchange = Exchange {
            asked: NOW.minus(5_000),
            answered: NOW,
        };
        assert_eq!(initial_age(&headers, exchange), 15_000);
    }

    #[test]
    fn a_rule_fills_in_what_the_origin_does_not_say_or_overrides_it() {
        let mut rule = Rule {
            freshness: Some(Duration::from_secs(7)),
            stale_if_error: Duration::from_secs(5),
            ..Rule::default()
        };
        assert_eq!(under(&rule, 200, &[]).lifetime, 7_000);
        let said = [("cache-control", "max-age=3, stale-if-error=9")];
        let found = under(&rule, 200, &said);
        assert_eq!((found.lifetime, found.stale_if_error), (3_000, 9_000));
        rule.overrides_origin = true;
        let found = under(
            &rule,
            200,
            &[("cache-control", "no-store, must-revalidate")],
        );
        assert_eq!(
            (found.lifetime, found.stale_if_error, found.never_stale),
            (7_000, 5_000, false)
        );
    }

    #[test]
    fn a_heuristic_lifetime_needs_the_rule_a_status_and_a_date() {
        let rule = Rule {
            heuristic: true,
            ..Rule::default()
        };
        let modified = date(-1_000);
        let fields = [("last-modified", modified.as_str()), ("date", &date(0))];
        assert_eq!(under(&rule, 200, &fields).lifetime, 100_000);
        assert_eq!(under(&rule, 201, &fields).lifetime, 0);
        assert_eq!(under(&rule, 200, &[]).lifetime, 0);
        assert_eq!(of(&fields).lifetime, 0);
        let old = date(-100_000_000);
        assert_eq!(
            under(&rule, 200, &[("last-modified", &old)]).lifetime,
            LONGEST_HEURISTIC
        );
    }

    #[test]
    fn stale_is_never_served_where_the_origin_forbids_it() {
        let rule = Rule {
            stale_if_error: Duration::from_secs(60),
            stale_while_revalidate: Duration::from_secs(60),
            ..Rule::default()
        };
        for forbidding in ["must-revalidate", "proxy-revalidate", "s-maxage=2"] {
            let cc = format!("max-age=2, {forbidding}");
            let found = under(&rule, 200, &[("cache-control", &cc)]);
            assert_eq!(
                (found.stale_if_error, found.stale_while_revalidate),
                (0, 0),
                "{cc}"
            );
            assert!(found.never_stale);
        }
    }

    #[test]
    fn a_request_may_ask_for_more_or_less_than_fresh() {
        let found = of(&[("cache-control", "max-age=100"), ("age", "40")]);
        let suffices = |wishes: Wishes| found.suffices(found.remaining(NOW), NOW, &wishes);
        let wish = Wishes::default();
        assert!(suffices(wish));
        assert!(!suffices(Wishes {
            no_cache: true,
            ..wish
        }));
        assert!(!suffices(Wishes {
            max_age: Some(0),
            ..wish
        }));
        assert!(!suffices(Wishes {
            max_age: Some(39),
            ..wish
        }));
        assert!(suffices(Wishes {
            max_age: Some(41),
            ..wish
        }));
        assert!(!suffices(Wishes {
            min_fresh: Some(61),
            ..wish
        }));
        assert!(suffices(Wishes {
            min_fresh: Some(60),
            ..wish
        }));
        let stale = of(&[("cache-control", "max-age=100"), ("age", "140")]);
        let suffices = |wishes: Wishes| stale.suffices(stale.remaining(NOW), NOW, &wishes);
        assert!(!suffices(wish));
        assert!(suffices(Wishes {
            max_stale: Some(40),
            ..wish
        }));
        assert!(!suffices(Wishes {
            max_stale: Some(39),
            ..wish
        }));
    }
}
