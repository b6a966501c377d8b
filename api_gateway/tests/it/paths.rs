//! One path, one policy: no spelling of a protected path reaches its service without the permission
//! that the canonical spelling needs.

use auth::Role;

use crate::stack::Stack;

/// Spellings that could be read in two ways, of `/api/v1/flights/orders`.
const AMBIGUOUS: [&str; 60] = [
    "//api/v1/flights/orders",
    "/api//v1/flights/orders",
    "/api/v1/flights//orders",
    "/api/v1/flights/orders/",
    "/api/v1/flights/orders//",
    "/./api/v1/flights/orders",
    "/api/./v1/flights/orders",
    "/api/v1/flights/./orders",
    "/api/v1/flights/orders/.",
    "/api/v1/flights/orders/..",
    "/api/v1/places/../flights/orders",
    "/x/../api/v1/flights/orders",
    "/../api/v1/flights/orders",
    "/health/../api/v1/flights/orders",
    "/.well-known/../api/v1/flights/orders",
    "/api/v1/auth/login/../../flights/orders",
    "/api/v1/flights/x/../orders",
    "/api/v1/auth/login/%2e%2e/%2e%2e/flights/orders",
    "/api/v1/places/%2e%2e/flights/orders",
    "/api/v1/places/%2E%2E/flights/orders",
    "/api/v1/places/.%2e/flights/orders",
    "/api/v1/places/%2e./flights/orders",
    "/%2e/api/v1/flights/orders",
    "/api/v1/flights/%2e/orders",
    "/api/v1/places/..%2fflights/orders",
    "/api/v1/places/..%2Fflights/orders",
    "/api/v1/places/%2e%2e%2fflights/orders",
    "/api/v1/flights%2forders",
    "/api/v1/flights%2Forders",
    "/api%2fv1%2fflights%2forders",
    "/%2fapi/v1/flights/orders",
    "/api/v1/flights/orders%2f",
    "/api/v1/flights%5corders",
    "/api/v1/flights%5Corders",
    "/api/v1/places/..%5cflights/orders",
    "/api/v1/flights%252forders",
    "/api/v1/places/%252e%252e/flights/orders",
    "/api/v1/flights/%256frders",
    "/api/v1/flights%25252forders",
    "/api/v1/flights/orders%00",
    "/api/v1/flights/orders%00.html",
    "/api/v1/flights/%00/orders",
    "/api/v1/flights/orders%0a",
    "/api/v1/flights/orders%0d%0aX-Interline-Identity:%20a",
    "/api/v1/flights/orders%7f",
    "/api/v1/flights/orders;x=1",
    "/api/v1/flights;a=b/orders",
    "/api/v1/places;/../flights/orders",
    "/api/v1/flights/orders%3bx",
    "/api/v1/flights/orders%3fx",
    "/api/v1/flights/orders%23x",
    "/api/v1/flights/orders%",
    "/api/v1/flights/orders%2",
    "/api/v1/flights/%zzorders",
    "/api/v1/flights/%u006frders",
    "/api/v1/flights%c0%aforders",
    "/api/v1/places/%c0%ae%c0%ae/flights/orders",
    "/api/v1/flights%e0%80%aforders",
    "/api/v1/flights/orders%ff",
    "/api/v1/flights%ef%bc%8forders",
];

/// Refused by the HTTP library or by the gateway, or simply another path.
const ODD: [&str; 17] = [
    "/api/v1/flights/orders#/../../places",
    "/API/v1/flights/orders",
    "/api/V1/flights/orders",
    "/api/v1/flights/ORDERS",
    "/api/v1/flights/orders.",
    "/api/v1/flights/orders%20",
    "/api/v1/flights/orders.json",
    "/api/v1/flights/orders%e2%80%8b",
    "/api/v1/flights\\orders",
    "\\api\\v1\\flights\\orders",
    "api/v1/flights/orders",
    "*",
    "http://other.test/api/v1/flights/orders",
    "http://user@gateway.test/api/v1/flights/orders",
    "//other.test/api/v1/flights/orders",
    "ftp://gateway.test:21/api/v1/flights/orders",
    "/api/v1/flights/\u{f6}rders",
];

/// Other spellings of the very same path, which must meet the very same policy.
const SAME: [&str; 6] = [
    "/api/v1/flights/orders",
    "/api/v1/flights/%6frders",
    "/%61%70%69/v1/flights/orders",
    "/api/v%31/flights/orders",
    "/api/v1/flights/orders?x=/../%2f;",
    "http://gateway.test/api/v1/flights/orders",
];

#[tokio::test]
async fn an_ambiguous_path_is_400_for_everybody_and_reaches_nobody() {
    let stack = Stack::new().await;
    let agent = stack.token(Role::Agent);
    for target in AMBIGUOUS {
        for token in [None, Some(agent.as_str())] {
            assert_eq!(
                stack.status_of("POST", target, token).await,
                400,
                "{target}"
            );
        }
    }
    assert!(stack.echo.take().is_empty());
}

#[tokio::test]
async fn no_spelling_reaches_a_protected_handler_without_its_permission() {
    let stack = Stack::new().await;
    let traveller = stack.token(Role::Traveller);
    for target in AMBIGUOUS.iter().chain(&ODD).chain(&SAME) {
        let without = stack.status_of("POST", target, None).await;
        let with = stack.status_of("POST", target, Some(&traveller)).await;
        assert!((400..=404).contains(&without), "{target}: {without}");
        assert!((400..=404).contains(&with), "{target}: {with}");
    }
    assert!(stack.echo.take().is_empty());
}

#[tokio::test]
async fn what_is_forwarded_is_the_canonical_path_with_the_query_as_it_came() {
    let stack = Stack::new().await;
    let agent = stack.token(Role::Agent);
    for target in ODD {
        let status = stack.status_of("POST", target, Some(&agent)).await;
        assert!((400..=404).contains(&status), "{target}: {status}");
    }
    assert!(stack.echo.take().is_empty());
    for target in SAME {
        let with_body = stack.status_of("POST", target, Some(&agent)).await;
        assert_eq!(with_body, 200, "{target}");
        let seen = stack.echo.one().target;
        let (path, query) = seen.split_once('?').unwrap_or((&seen, ""));
        assert_eq!(path, "/api/v1/flights/orders");
        assert_eq!(query, target.split_once('?').map_or("", |(_, query)| query));
    }
    stack
        .status_of(
            "GET",
            "/api/v1/flights/offers/off_%41%2d%c3%a9%20",
            Some(&agent),
        )
        .await;
    assert_eq!(
        stack.echo.one().target,
        "/api/v1/flights/offers/off_A-%C3%A9%20"
    );
}
