//! How many requests a caller has, and what the others notice of it.

use auth::Role;

use crate::stack::Stack;

const SEARCH: &str = "/api/v1/flights/offers";

fn field<'a>(answer: &'a reqwest::Response, name: &str) -> &'a str {
    answer.headers()[name].to_str().unwrap()
}

#[tokio::test]
async fn one_request_too_many_is_429_with_the_time_to_wait_and_costs_nobody_else() {
    let stack = Stack::with(|sources| {
        sources
            .with("test", "limits.search.quota", 6)
            .with("test", "limits.search.burst", 2)
    })
    .await;
    for left in [1, 0] {
        let answer = stack.agent("GET", SEARCH).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(
            field(&answer, "ratelimit-policy"),
            "\"search\";q=6;w=60;burst=2"
        );
        let stands = field(&answer, "ratelimit");
        assert!(
            stands.starts_with(&format!("\"search\";r={left};t=")),
            "{stands}"
        );
    }
    let refused = stack.agent("GET", SEARCH).send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(field(&refused, "retry-after"), "10");
    assert!(field(&refused, "ratelimit").starts_with("\"search\";r=0;t="));
    let body: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(body["errors"][0]["code"], "RATE_LIMITED");
    // Other work of the same caller, and a key of the same account.
    let other = stack.agent("GET", "/api/v1/flights/orders").send();
    assert_eq!(other.await.unwrap().status(), 200);
    assert_eq!(stack.echo.take().len(), 3, "the refused one went nowhere");
}

#[tokio::test]
async fn roles_have_quotas_of_their_own() {
    let stack = Stack::with(|sources| {
        sources
            .with("test", "limits.search.quota", 1)
            .with("test", "limits.search.burst", 1)
            .with("test", "limits.search.roles", settings_list(&["agent=3"]))
    })
    .await;
    for (role, allowed) in [(Role::Agent, 3), (Role::Support, 1)] {
        let subject = stack.token_for(role, &format!("usr_{}", role.as_str()));
        let mut passed = 0;
        for _ in 0..5 {
            passed += u32::from(stack.status_of("GET", SEARCH, Some(&subject)).await == 200);
        }
        assert_eq!(passed, allowed, "{role:?}");
    }
}

fn settings_list(items: &[&str]) -> toml::Value {
    toml::Value::Array(items.iter().map(|item| (*item).into()).collect())
}

#[tokio::test]
async fn nobody_in_particular_is_counted_by_address_and_pages_of_the_gateway_are_not_counted() {
    let stack = Stack::with(|sources| {
        sources
            .with("test", "limits.login.quota", 2)
            .with("test", "limits.login.burst", 0)
            .with("test", "limits.page.quota", 1)
    })
    .await;
    let log_in = || async { stack.status_of("POST", "/api/v1/auth/login", None).await };
    let first = [log_in().await, log_in().await, log_in().await];
    assert_eq!(first, [200, 200, 429]);
    for _ in 0..5 {
        assert_eq!(stack.status_of("GET", "/health/live", None).await, 200);
    }
}
