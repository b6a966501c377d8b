//! Credentials beside a person's log-in, through the gateway: OAuth clients, API keys, and the keys that
//! sign tokens.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Client, Stack};
use tokio::time::Instant;

use crate::{in_both_sizes, search_path};

const ME: &str = "/api/v1/auth/me";
const CLIENTS: &str = "/api/v1/auth/clients";
const KEYS: &str = "/api/v1/auth/api-keys";
/// By then every verifier must refuse what was revoked.
const A_SECOND: Duration = Duration::from_secs(1);

async fn refused_after(client: &Client, path: &str, since: Instant) -> Duration {
    testkit::wait_until("the credentials to be refused", async || {
        (client.get(path).await.status == 401).then_some(())
    })
    .await;
    since.elapsed()
}

/// A client for itself: its id, its secret and the form that gets it a token.
async fn machine(stack: &Stack, admin: &Client) -> (String, String) {
    let body = json!({"name": "Nightly", "scopes": ["offers:read"]});
    let answer = admin.post(CLIENTS, &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let text = |name: &str| answer.data()[name].as_str().unwrap().to_owned();
    let (id, secret) = (text("client_id"), text("client_secret"));
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let answer = stack.gateway().send_form("/oauth/token", &form).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let tokens: Value = serde_json::from_str(&answer.text).unwrap();
    (id, tokens["access_token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_machine_client_searches_until_it_is_deleted() {
    in_both_sizes(&[], async |stack| {
        let admin = stack.log_in("admin").await;
        let (id, token) = machine(&stack, &admin).await;
        let client = stack.gateway().bearer(&token);
        assert_eq!(client.get(&search_path(30)).await.status, 200);
        // Its scope and its kind are its bounds.
        assert_eq!(client.get("/api/v1/flights/orders").await.status, 403);
        let keys = client.get(KEYS).await;
        assert_eq!(keys.status, 403);
        assert!(keys.text.contains("LOGIN_REQUIRED"), "{}", keys.text);
        let began = Instant::now();
        let path = format!("{CLIENTS}/{id}");
        assert_eq!(admin.send("DELETE", &path, None).await.status, 204);
        let took = refused_after(&client, &search_path(30), began).await;
        assert!(took < A_SECOND, "{took:?}");
    })
    .await;
}

#[tokio::test]
async fn compromised_keys_are_refused_within_a_second_and_a_planned_rotation_refuses_nobody() {
    in_both_sizes(&[], async |stack| {
        let admin = stack.log_in("admin").await;
        let agent = stack.log_in("agent").await;
        let rotations = "/api/v1/auth/signing-keys/rotations";
        let answer = admin.post(rotations, &json!({"compromised": false})).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert_eq!(agent.get(ME).await.status, 200);
        let began = Instant::now();
        let answer = admin.post(rotations, &json!({"compromised": true})).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let took = refused_after(&agent, ME, began).await;
        assert!(took < A_SECOND, "{took:?}");
        let again = stack.log_in("agent").await;
        assert_eq!(again.get(ME).await.status, 200, "new tokens are believed");
    })
    .await;
}
