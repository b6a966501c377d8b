//! What ends before its time ends everywhere within a second.

use serde_json::json;
use testkit::{Client, Stack};
use tokio::time::{Duration, Instant, sleep};

use crate::in_both_sizes;

const ME: &str = "/api/v1/auth/me";
const KEYS: &str = "/api/v1/auth/api-keys";

/// How long it takes until a caller is refused.
async fn until_refused(caller: &Client) -> Duration {
    let began = Instant::now();
    while caller.get(ME).await.status != 401 {
        assert!(began.elapsed() < Duration::from_secs(10), "never refused");
        sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

#[tokio::test]
async fn an_access_token_is_refused_within_a_second_of_the_log_out_and_no_other_is() {
    in_both_sizes(&[], async |stack: Stack| {
        let leaving = stack.log_in("traveller").await;
        let staying = stack.log_in("traveller").await;
        for caller in [&leaving, &staying] {
            assert_eq!(caller.get(ME).await.status, 200);
        }
        let over = leaving.send("POST", "/api/v1/auth/logout", None).await;
        assert_eq!(over.status, 204, "{}", over.text);
        let took = until_refused(&leaving).await;
        println!("refused {took:?} after the log-out");
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(staying.get(ME).await.status, 200);
        stack.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_api_key_works_within_its_scopes_and_is_refused_within_a_second_of_its_deletion() {
    in_both_sizes(&[], async |stack: Stack| {
        let owner = stack.log_in("agent").await;
        let wanted = json!({"name": "Price report", "scopes": ["offers:read"]});
        let made = owner.post(KEYS, &wanted).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let key = made.data()["key"].as_str().unwrap();
        let keyed = stack.gateway().with("x-api-key", key);
        let places = "/api/v1/places?query=lon";
        assert_eq!(keyed.get(places).await.status, 200);
        let me = keyed.get(ME).await;
        assert_eq!((me.status, &me.data()["role"]), (200, &json!("agent")));
        // What the owner may and the key may not, and what wants the owner itself.
        let orders = keyed.get("/api/v1/flights/orders").await;
        assert_eq!((orders.status, orders.code()), (403, "FORBIDDEN"));
        for answer in [keyed.post(KEYS, &wanted).await, keyed.get(KEYS).await] {
            assert_eq!((answer.status, answer.code()), (403, "LOGIN_REQUIRED"));
        }
        let both = owner.clone().with("x-api-key", key).get(ME).await;
        assert_eq!((both.status, both.code()), (400, "BAD_REQUEST"));
        let path = format!("{KEYS}/{}", made.data()["id"].as_str().unwrap());
        assert_eq!(owner.send("DELETE", &path, None).await.status, 204);
        let took = until_refused(&keyed).await;
        println!("refused {took:?} after the key was deleted");
        assert!(took < Duration::from_secs(1), "{took:?}");
        stack.stop().await;
    })
    .await;
}
