use auth::{Identity, Permission, Role};
use serde_json::json;
use travel_types::Clock;

use crate::service::{PASSWORD, data, json_of, on_each_engine};

const ME: &str = "/api/v1/auth/me";
const CHANGE: &str = "/api/v1/auth/me/password";
const LOGOUT: &str = "/api/v1/auth/logout";
const EMAIL: &str = "agent@interline.test";
const WORDS: &str = "three kiwis on a tram";

#[tokio::test]
async fn a_name_can_be_changed_by_a_log_in_of_ones_own_alone() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let agent = service.logged_in("agent", &clock).await;
        let body = json!({"full_name": " Arthur \u{c5}gent "});
        let answer = service.send_as(&agent, "PATCH", ME, Some(body)).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(data(answer).await["full_name"], "Arthur \u{c5}gent");
        let me = data(service.me(&agent).await).await;
        assert_eq!(me["full_name"], "Arthur \u{c5}gent");
        assert_eq!(me["email"], EMAIL);
        for bad in ["", " ", "a\u{0}b", &"x".repeat(201)] {
            let body = json!({"full_name": bad});
            let answer = service.send_as(&agent, "PATCH", ME, Some(body)).await;
            assert_eq!(answer.status(), 422, "{bad:.20}");
        }
        let id = agent.subject().to_owned();
        let all = Permission::ALL.to_vec();
        let key =
            Identity::new(id.clone(), Role::Agent, all.clone()).through_api_key("key_1".into());
        let client = Identity::new(id, Role::Agent, all).through_client("client".into());
        for other in [key, client] {
            for (method, path) in [("PATCH", ME), ("POST", CHANGE), ("POST", LOGOUT)] {
                let answer = service.send_as(&other, method, path, Some(json!({}))).await;
                assert_eq!(answer.status(), 403, "{path}");
                let body = json_of(answer).await;
                assert_eq!(body["errors"][0]["code"], "LOGIN_REQUIRED");
            }
        }
        assert_eq!(place.records_of("profile_change").await.len(), 1);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_new_password_needs_the_present_one_and_ends_every_log_in() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let tokens = service.tokens(EMAIL).await;
        let other = service.logged_in("agent", &clock).await;
        let agent = service.identity(&tokens, &clock).await;
        let change = async |current: &str, new: &str| {
            let body = json!({"current_password": current, "new_password": new});
            service.send_as(&agent, "POST", CHANGE, Some(body)).await
        };
        let wrong = change("wrong", WORDS).await;
        assert_eq!(wrong.status(), 422);
        let body = json_of(wrong).await;
        assert_eq!(body["errors"][0]["field"], "current_password");
        let weak = change(PASSWORD, "12345678").await;
        assert_eq!(weak.status(), 422);
        assert_eq!(json_of(weak).await["errors"][0]["field"], "new_password");
        assert_eq!(change(PASSWORD, WORDS).await.status(), 204);

        let answer = service.log_in(EMAIL, PASSWORD, "192.0.2.1").await;
        assert_eq!(answer.status(), 401);
        assert_eq!(
            service.log_in(EMAIL, WORDS, "192.0.2.1").await.status(),
            200
        );
        let refresh = tokens["refresh_token"].as_str().unwrap();
        assert_eq!(service.refresh(refresh).await.status(), 401);
        let feed = service.revoked(0).await;
        let events = feed["events"].as_array().unwrap();
        let mut revoked: Vec<_> = events.iter().map(|e| e["value"].as_str()).collect();
        let mut sessions = [agent.session(), other.session()];
        revoked.sort_unstable();
        sessions.sort_unstable();
        assert_eq!(revoked, sessions);
        let records = place.records_of("password_change").await;
        let said: Vec<_> = records.iter().map(|record| record.succeeded).collect();
        assert_eq!(said, [false, true]);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn wrong_present_passwords_are_counted_as_failed_log_ins() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let agent = service.logged_in("agent", &clock).await;
        let mut statuses = Vec::new();
        for _ in 0..6 {
            let body = json!({"current_password": "wrong", "new_password": WORDS});
            let answer = service.send_as(&agent, "POST", CHANGE, Some(body)).await;
            statuses.push(answer.status().as_u16());
        }
        assert_eq!(statuses, [422, 422, 422, 422, 422, 429]);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_log_out_ends_its_own_log_in_alone() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let (one, two) = (service.tokens(EMAIL).await, service.tokens(EMAIL).await);
        let identity = service.identity(&one, &clock).await;
        let other = service.identity(&two, &clock).await;
        assert_ne!(identity.session(), other.session());
        let answer = service.send_as(&identity, "POST", LOGOUT, None).await;
        assert_eq!(answer.status(), 204);
        let refresh = |tokens: &serde_json::Value| {
            let token = tokens["refresh_token"].as_str().unwrap().to_owned();
            async { service.refresh(&{ token }).await.status() }
        };
        assert_eq!(refresh(&one).await, 401);
        assert_eq!(refresh(&two).await, 200);
        let feed = service.revoked(0).await;
        let events = feed["events"].as_array().unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["value"].as_str(), identity.session());
        let records = place.records_of("logout").await;
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].actor.as_deref(), Some(identity.subject()));
        assert_eq!(events[0]["seq"], records[0].seq);
        let head = feed["head"].as_i64().unwrap();
        let after = service.revoked(head).await;
        assert_eq!(after, json!({"head": head, "events": [], "more": false}));
        service.stop().await;
    })
    .await;
}
