//! The gateway's own pages: complete without another host, under a strict content policy.

use serde_json::Value;

use crate::stack::Stack;

#[tokio::test]
async fn every_page_is_complete_without_another_host() {
    let stack = Stack::new().await;
    for path in ["/", "/api-docs"] {
        let answer = stack.client.get(stack.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'"));
        let html = answer.text().await.unwrap();
        let mut files = 0;
        for attribute in ["src=\"", "href=\""] {
            for rest in html.split(attribute).skip(1) {
                let target = rest.split('"').next().unwrap();
                assert!(
                    target.starts_with('/') && !target.starts_with("//") || target.starts_with('#'),
                    "{target}"
                );
                if target.starts_with('#') {
                    continue;
                }
                let linked = stack.client.get(stack.url(target)).send().await.unwrap();
                assert_eq!(linked.status(), 200, "{target}");
                assert_eq!(linked.headers()["x-content-type-options"], "nosniff");
                files += 1;
            }
        }
        assert!(files >= 4, "{path}");
    }
    for path in [
        "/pages/nothing.css",
        "/api-docs/index.html",
        "/api-docs/swagger-initializer.js",
    ] {
        assert_eq!(
            stack
                .client
                .get(stack.url(path))
                .send()
                .await
                .unwrap()
                .status(),
            404
        );
    }
}

#[tokio::test]
async fn the_landing_page_has_a_first_request_that_can_be_pasted_and_accounts_in_development_only()
{
    let stack = Stack::new().await;
    let html = stack
        .client
        .get(stack.url("/"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        html.contains("departure_date=2026-12-21"),
        "thirty days after the clock's today"
    );
    assert!(
        html.contains("\"email\":\"traveller@interline.test\",\"password\":\"interline-sandbox\"")
    );
    assert!(html.contains("agent@interline.test"));
    let stack = Stack::with(|sources| {
        let keys =
            std::env::temp_dir().join(format!("interline-gateway-key-{}", std::process::id()));
        drop(auth::HopSigner::development(&keys, travel_types::Clock::system()).unwrap());
        let pem = std::fs::read_to_string(keys.join("keys/identity.pem")).unwrap();
        std::fs::remove_dir_all(keys).unwrap();
        let sources = sources.with("test", "profile", "production");
        sources.with("test", "identity.private_key", pem)
    })
    .await;
    let html = stack
        .client
        .get(stack.url("/"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(!html.contains("interline-sandbox") && !html.contains("interline.test"));
}

#[tokio::test]
async fn production_refuses_to_sign_with_a_key_of_its_own_making() {
    let spec = api_gateway::service();
    let sources = settings::Sources::default().with("test", "profile", "production");
    let settings = settings::Settings::load(spec.name, &spec.defaults(), &sources).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let clock = travel_types::Clock::system();
    let error = service_kit::start(&spec, settings, clock, listener)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("identity.private_key"),
        "{error}"
    );
}

#[tokio::test]
async fn the_openapi_document_is_served_once_and_then_known_by_its_tag() {
    let stack = Stack::new().await;
    let answer = stack
        .client
        .get(stack.url("/openapi.json"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    let tag = answer.headers()["etag"].clone();
    assert_eq!(answer.json::<Value>().await.unwrap()["openapi"], "3.1.0");
    let again = stack
        .client
        .get(stack.url("/openapi.json"))
        .header("if-none-match", tag);
    assert_eq!(again.send().await.unwrap().status(), 304);
    let head = stack
        .client
        .head(stack.url("/openapi.json"))
        .send()
        .await
        .unwrap();
    assert_eq!(head.status(), 200);
    assert!(head.text().await.unwrap().is_empty());
}

#[tokio::test]
async fn upstreams_are_configured_by_the_variable_that_the_manual_names() {
    let spec = api_gateway::service();
    let mut sources = settings::Sources::default();
    let name = "INTERLINE__API_GATEWAY__UPSTREAMS__FLIGHT_SERVICE__URL";
    sources
        .environment
        .push((name.to_owned(), "http://flights:1".to_owned()));
    let settings = settings::Settings::load(spec.name, &spec.defaults(), &sources).unwrap();
    let url: String = settings.get("upstreams.flight_service.url").unwrap();
    assert_eq!(url, "http://flights:1");
    for key in settings.report() {
        assert!(!key.meaning.is_empty(), "{} has no comment", key.key);
    }
}
