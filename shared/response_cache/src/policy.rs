//! Whether an answer may be stored (RFC 9111 §3).

use http::{HeaderMap, StatusCode, header};

use crate::directives::{Directives, Wishes};
use crate::freshness::{Exchange, is_heuristically_cacheable, is_understood, stated_lifetime};
use crate::vary::{Selector, selectors};
use crate::{Audience, Rule};

/// What the answer's variants are told apart by, if it may be stored.
pub(crate) fn storable(
    request: &HeaderMap,
    status: StatusCode,
    response: &HeaderMap,
    directives: &Directives,
    rule: &Rule,
    exchange: Exchange,
) -> Option<Vec<Selector>> {
    let may = is_final_and_whole(status)
        && rule.allows_status(status.as_u16())
        && origin_permits(status, directives, rule)
        && is_for_the_audience(request, response, directives, rule)
        && has_a_use(status, response, directives, rule, exchange)
        && !Wishes::of_request(request).no_store;
    if !may {
        return None;
    }
    selectors(response, request, rule.vary.as_deref())
}

fn is_final_and_whole(status: StatusCode) -> bool {
    status.as_u16() >= 200
        && status != StatusCode::PARTIAL_CONTENT
        && status != StatusCode::NOT_MODIFIED
        && status != StatusCode::RANGE_NOT_SATISFIABLE
}

fn origin_permits(status: StatusCode, directives: &Directives, rule: &Rule) -> bool {
    if directives.must_understand {
        // Whoever understands the status passes over no-store (RFC 9111 §5.2.2.3).
        return is_understood(status);
    }
    !directives.no_store || rule.overrides_origin
}

fn is_for_the_audience(
    request: &HeaderMap,
    response: &HeaderMap,
    directives: &Directives,
    rule: &Rule,
) -> bool {
    let personal = rule.audience == Audience::Caller;
    if directives.private && !(personal && rule.overrides_origin) {
        return false;
    }
    if response.contains_key(header::SET_COOKIE) && !personal && !rule.shares_cookies {
        return false;
    }
    // RFC 9111 §3.5.
    let origin_allows =
        directives.public || directives.s_maxage.is_some() || directives.must_revalidate;
    let rule_allows = match rule.audience {
        Audience::Everyone => true,
        Audience::Caller => rule.overrides_origin,
        Audience::Public => false,
    };
    origin_allows || rule_allows || !request.contains_key(header::AUTHORIZATION)
}

/// Whether the answer is explicitly cacheable or of a status that is, and will ever be of use.
fn has_a_use(
    status: StatusCode,
    response: &HeaderMap,
    directives: &Directives,
    rule: &Rule,
    exchange: Exchange,
) -> bool {
    let stated = stated_lifetime(response, directives, exchange.answered);
    let cacheable = stated.is_some()
        || directives.public
        || is_heuristically_cacheable(status)
        || rule.freshness.is_some_and(|_| status.as_u16() >= 400);
    let lives = stated.is_some_and(|lifetime| lifetime > 0) || rule.freshness.is_some();
    let validates =
        response.contains_key(header::ETAG) || response.contains_key(header::LAST_MODIFIED);
    let outlives = directives.stale_if_error.is_some()
        || directives.stale_while_revalidate.is_some()
        || !rule.stale_if_error.is_zero()
        || !rule.stale_while_revalidate.is_zero();
    cacheable && (lives || validates || outlives)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::moment::Moment;

    const PUBLIC: Rule = Rule {
        enabled: true,
        audience: Audience::Public,
        freshness: None,
        heuristic: false,
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        overrides_origin: false,
        negative: Vec::new(),
        tags: Vec::new(),
        tags_from_response: false,
        ignored_query: Vec::new(),
        vary: None,
        shares_cookies: false,
        personal_on_redis: false,
    };

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn stores_for(
        rule: &Rule,
        request: &[(&'static str, &str)],
        status: u16,
        response: &[(&'static str, &str)],
    ) -> bool {
        let response = headers(response);
        let directives = Directives::of_response(&response);
        let exchange = Exchange {
            asked: Moment(0),
            answered: Moment(0),
        };
        let status = StatusCode::from_u16(status).unwrap();
        storable(
            &headers(request),
            status,
            &response,
            &directives,
            rule,
            exchange,
        )
        .is_some()
    }

    fn stores(status: u16, response: &[(&'static str, &str)]) -> bool {
        stores_for(&PUBLIC, &[], status, response)
    }

    #[test]
    fn only_what_may_be_and_has_a_use_is_stored() {
        assert!(stores(200, &[("cache-control", "max-age=1")]));
        assert!(stores(200, &[("etag", "\"a\"")]));
        assert!(!stores(200, &[]));
        assert!(!stores(201, &[("etag", "\"a\"")]));
        assert!(stores(302, &[("cache-control", "max-age=1")]));
        assert!(!stores(302, &[("etag", "\"a\"")]));
        assert!(!stores(206, &[("cache-control", "max-age=1")]));
        assert!(!stores(200, &[("cache-control", "no-store, max-age=1")]));
        assert!(!stores(200, &[("cache-control", "private, max-age=1")]));
        assert!(!stores(
            200,
            &[("cache-control", "max-age=1"), ("vary", "*")]
        ));
        assert!(!stores_for(
            &PUBLIC,
            &[("cache-control", "no-store")],
            200,
            &[("cache-control", "max-age=1")]
        ));
    }

    #[test]
    fn an_error_is_stored_only_when_the_rule_names_it() {
        let response = [("cache-control", "max-age=60")];
        for status in [400, 404, 410, 500, 503] {
            assert!(!stores(status, &response), "{status}");
        }
        let rule = Rule {
            negative: vec![404..=404],
            ..PUBLIC
        };
        assert!(stores_for(&rule, &[], 404, &response));
        assert!(!stores_for(&rule, &[], 410, &response));
    }

    #[test]
    fn must_understand_outweighs_no_store_for_a_known_status_only() {
        let rule = Rule {
            negative: vec![400..=599],
            ..PUBLIC
        };
        let response = [("cache-control", "max-age=60, no-store, must-understand")];
        assert!(stores_for(&rule, &[], 200, &response));
        assert!(!stores_for(&rule, &[], 599, &response));
    }

    #[test]
    fn what_was_asked_with_credentials_is_stored_only_where_it_is_allowed() {
        let request = [("authorization", "x")];
        let of = |audience, overrides_origin, cc: &str| {
            let rule = Rule {
                audience,
                overrides_origin,
                freshness: Some(Duration::from_secs(1)),
                ..PUBLIC
            };
            stores_for(&rule, &request, 200, &[("cache-control", cc)])
        };
        for audience in [Audience::Public, Audience::Caller] {
            assert!(!of(audience, false, "max-age=60"));
            for allowing in [
                "public, max-age=60",
                "s-maxage=60",
                "max-age=60, must-revalidate",
            ] {
                assert!(of(audience, false, allowing), "{allowing}");
            }
        }
        assert!(of(Audience::Everyone, false, "max-age=60"));
        assert!(of(Audience::Caller, true, "private, no-store"));
        assert!(!of(Audience::Everyone, true, "private"));
    }

    #[test]
    fn a_cookie_is_not_shared_unless_the_rule_says_so() {
        let response = [("cache-control", "max-age=60"), ("set-cookie", "a=b")];
        assert!(!stores(200, &response));
        let rule = Rule {
            shares_cookies: true,
            ..PUBLIC
        };
        assert!(stores_for(&rule, &[], 200, &response));
        let rule = Rule {
            audience: Audience::Caller,
            ..PUBLIC
        };
        assert!(stores_for(&rule, &[], 200, &response));
    }
}
