//! Routes that a file adds, to services that are somebody else's.

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse as _;

use crate::stack::{Stack, folder, serve};

/// Answers with the names of the fields that it got.
async fn names(request: Request) -> axum::response::Response {
    let mut names: Vec<&str> = request.headers().keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    let said = format!("{} {}", request.uri(), names.join(","));
    ([("x-theirs", "1"), ("server", "theirs/1")], said).into_response()
}

/// A gateway with this routes file, which is read when it starts.
async fn with_file(text: &str) -> Stack {
    let folder = folder();
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("routes.toml");
    let url = serve(Router::new().fallback(names)).await;
    std::fs::write(&file, text.replace("URL", &url)).unwrap();
    let named = file.display().to_string();
    let stack = Stack::with(|sources| sources.with("test", "routes.file", named)).await;
    std::fs::remove_dir_all(&folder).unwrap();
    stack
}

const ROUTES: &str = r#"
[[service]]
name = "theirs"
title = "Theirs"
url = "URL"
foreign = true
prefixes = ["/theirs"]
deadline_ms = 1000

[[service.route]]
method = "GET"
path = "/theirs/open/{*rest}"
access = "public"
class = "read"

[[service.route]]
method = "GET"
path = "/theirs/closed/{*rest}"
access = "authenticated"
class = "read"
"#;

#[tokio::test]
async fn a_foreign_service_gets_what_the_client_says_but_neither_credentials_nor_our_word() {
    let stack = with_file(ROUTES).await;
    let answer = stack
        .agent("GET", "/theirs/closed/a/b?c=d")
        .header("x-of-client", "1")
        .header("x-interline-identity", "forged")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["x-theirs"], "1");
    assert!(!answer.headers().contains_key("server"));
    let said = answer.text().await.unwrap();
    assert_eq!(
        said,
        "/theirs/closed/a/b?c=d accept,accept-encoding,host,traceparent,x-of-client,x-request-id"
    );
}

#[tokio::test]
async fn what_a_file_adds_is_as_closed_as_it_says() {
    let stack = with_file(ROUTES).await;
    assert_eq!(stack.status_of("GET", "/theirs/open/x", None).await, 200);
    assert_eq!(stack.status_of("GET", "/theirs/closed/x", None).await, 401);
    assert_eq!(stack.status_of("GET", "/theirs/else", None).await, 404);
    assert_eq!(stack.status_of("GET", "/theirs/open", None).await, 404);
    assert_eq!(stack.status_of("POST", "/theirs/open/x", None).await, 405);
    let dots = stack.status_of("GET", "/theirs/open/../closed/x", None);
    assert_eq!(dots.await, 400);
}

const KEPT: &str = r#"
[[cache]]
name = "theirs"
audience = "everyone"
fresh_seconds = 60

[[service]]
name = "theirs"
title = "Theirs"
url = "URL"
foreign = true
prefixes = ["/theirs"]
deadline_ms = 1000

[[service.route]]
method = "GET"
path = "/theirs/{id}"
access = "public"
class = "read"
cache = "theirs"

[[service.route]]
method = "POST"
path = "/theirs/{id}"
access = "public"
class = "write"
"#;

#[tokio::test]
async fn what_somebody_changed_is_asked_for_anew_and_the_rest_is_not() {
    let stack = with_file(KEPT).await;
    let is_kept = async |path: &str| {
        let answer = stack.client.get(stack.url(path)).send().await.unwrap();
        answer.headers().contains_key("age")
    };
    for path in ["/theirs/a", "/theirs/b"] {
        assert!(!is_kept(path).await);
        assert!(is_kept(path).await);
    }
    let changed = stack.client.post(stack.url("/theirs/a")).send().await;
    assert_eq!(changed.unwrap().status(), 200);
    assert!(!is_kept("/theirs/a").await);
    assert!(is_kept("/theirs/b").await);
}
