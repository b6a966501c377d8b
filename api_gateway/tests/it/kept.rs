//! Answers that are kept, for whom, and for how long.

use std::time::Duration;

use auth::Role;
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::stack::Stack;

const SEARCH: &str = "/api/v1/flights/offers?a=1&b=2";

async fn keeping() -> Stack {
    Stack::with(|sources| sources.with("test", "cache.flights.fresh_seconds", 30)).await
}

#[tokio::test]
async fn what_one_caller_searched_for_is_there_for_all_and_the_service_is_asked_once() {
    let stack = keeping().await;
    let first = stack.agent("GET", SEARCH).send().await.unwrap();
    assert_eq!(
        first.headers()["cache-status"],
        "interline; fwd=uri-miss; stored"
    );
    let other = stack.token(Role::Traveller);
    for spelling in [SEARCH, "/api/v1/flights/%6fffers?b=2&a=1"] {
        let request = stack.client.get(stack.url(spelling)).bearer_auth(&other);
        let answer = request.header("x-request-id", "mine").send().await.unwrap();
        let fields = answer.headers();
        assert_eq!(fields["cache-status"], "interline; hit; ttl=30");
        assert_eq!(fields["age"], "0");
        assert_eq!(fields["x-request-id"], "mine", "this request's own");
        assert_eq!(fields["x-content-type-options"], "nosniff");
        assert_eq!(fields["cache-control"], "private, no-store", "for browsers");
        assert!(fields.contains_key("ratelimit"), "a hit counts as well");
        assert_eq!(answer.text().await.unwrap(), "{\"echo\":true}");
    }
    assert_eq!(stack.echo.take().len(), 1);
}

#[tokio::test]
async fn a_kept_answer_is_for_those_who_may_see_it() {
    let stack = keeping().await;
    stack.agent("GET", SEARCH).send().await.unwrap();
    assert_eq!(stack.status_of("GET", SEARCH, None).await, 401);
    assert_eq!(stack.status_of("GET", SEARCH, Some("forged")).await, 401);
}

#[tokio::test]
async fn what_belongs_to_somebody_is_never_kept() {
    let stack = keeping().await;
    for path in ["/api/v1/flights/orders", "/api/v1/flights/offers/off_1"] {
        for _ in 0..2 {
            let answer = stack.agent("GET", path).send().await.unwrap();
            assert!(!answer.headers().contains_key("age"));
        }
        assert_eq!(stack.echo.take().len(), 2, "{path}");
    }
    // Nor is a search whose body might say something that the key does not.
    for _ in 0..2 {
        let request = stack.agent("GET", "/api/v1/flights/offers?fat=1");
        request.body("{}").send().await.unwrap();
    }
    assert_eq!(stack.echo.take().len(), 2);
}

#[tokio::test]
async fn fifty_who_ask_for_the_same_at_once_ask_the_service_once() {
    let stack = keeping().await;
    let asking = (0..50).map(|_| stack.agent("GET", SEARCH).send());
    for answer in join_all(asking).await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    assert_eq!(stack.echo.take().len(), 1);
}

#[tokio::test]
async fn after_a_sale_the_old_answer_bridges_only_the_time_until_the_new_one_is_there() {
    let stack = keeping().await;
    stack.agent("GET", SEARCH).send().await.unwrap();
    let sold = stack.agent("POST", "/api/v1/flights/orders").send();
    assert_eq!(sold.await.unwrap().status(), 200);
    stack.echo.take();
    stack.agent("GET", SEARCH).send().await.unwrap();
    let asked_anew = async {
        while stack.echo.take().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), asked_anew).await.unwrap();
}

#[tokio::test]
async fn an_error_is_not_kept() {
    let stack = keeping().await;
    for _ in 0..2 {
        let answer = stack
            .agent("GET", "/api/v1/flights/offers?do=401")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 401);
    }
    assert_eq!(stack.echo.take().len(), 2);
}
