//! API keys: made and deleted by their owners, verified for the gateway.

use std::time::Duration;

use auth::{HOP_HEADER, Identity};
use reqwest::Response;
use serde_json::{Value, json};
use storage::{Row as _, query};
use travel_types::Clock;

use crate::application::{admin, audited, call, identity, revoked, send};
use crate::service::{Service, data, json_of, on_each_engine};

const KEYS: &str = "/api/v1/auth/api-keys";
const AGENT: &str = "agent@interline.test";

async fn verify(service: &Service, key: &str) -> Response {
    let nobody = Identity::anonymous();
    send(
        service,
        "POST",
        "/internal/api-keys/verify",
        &nobody,
        &json!({"key": key}),
    )
    .await
}

async fn made(service: &Service, owner: &Identity, body: &Value) -> Value {
    let answer = send(service, "POST", KEYS, owner, body).await;
    assert_eq!(answer.status(), 201, "{body}");
    assert_eq!(answer.headers()["cache-control"], "private, no-store");
    data(answer).await
}

#[tokio::test]
async fn a_key_is_shown_once_allows_its_scopes_and_dies_with_its_deletion() {
    on_each_engine(async |place| {
        let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
        let service = place.start(&clock, &[]).await.unwrap();
        let owner = identity(&service, &clock, AGENT).await;
        let body = json!({"name": "Büro", "scopes": ["orders:write", "offers:read"]});
        let key = made(&service, &owner, &body).await;
        let text = key["key"].as_str().unwrap();
        assert!(text.starts_with(&format!("{}_", key["prefix"].as_str().unwrap())));
        assert_eq!(key["rate_class"], "standard");
        assert!(key["last_used_at"].is_null() && key["expires_at"].is_null());

        let answer = verify(&service, text).await;
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let allowed = json_of(answer).await;
        let expected = json!({
            "key_id": key["id"], "subject": owner.subject(), "role": "agent",
            "permissions": ["offers:read", "orders:write"], "rate_class": "standard",
            "expires_at": null,
        });
        assert_eq!(allowed, expected);
        let last = format!("{}x", &text[..text.len() - 1]);
        for wrong in ["", "x", last.as_str(), "ilk_000000000000_x"] {
            assert_eq!(verify(&service, wrong).await.status(), 404, "{wrong}");
        }

        let list = async || {
            let listed = call(&service, "GET", KEYS, &owner).send().await.unwrap();
            data(listed).await[0].clone()
        };
        let listed = list().await;
        assert_eq!(listed["name"], "Büro");
        assert_eq!(listed["last_used_at"], "2026-11-21T12:00:00Z");
        assert!(listed.get("key").is_none() && !listed.to_string().contains(text));
        // At most once a minute.
        clock.advance(Duration::from_secs(59));
        assert_eq!(verify(&service, text).await.status(), 200);
        assert_eq!(list().await["last_used_at"], "2026-11-21T12:00:00Z");
        clock.advance(Duration::from_secs(1));
        assert_eq!(verify(&service, text).await.status(), 200);
        assert_eq!(list().await["last_used_at"], "2026-11-21T12:01:00Z");

        let path = format!("{KEYS}/{}", key["id"].as_str().unwrap());
        let stranger = identity(&service, &clock, "traveller@interline.test").await;
        let foreign = call(&service, "DELETE", &path, &stranger)
            .send()
            .await
            .unwrap();
        assert_eq!(foreign.status(), 404);
        let deleted = call(&service, "DELETE", &path, &owner)
            .send()
            .await
            .unwrap();
        assert_eq!(deleted.status(), 204);
        assert_eq!(verify(&service, text).await.status(), 404);
        let id = key["id"].as_str().unwrap().to_owned();
        assert_eq!(revoked(&service).await, [("api_key".to_owned(), id)]);
        assert_eq!(audited(place, "api_key_create").await, (1, 0));
        assert_eq!(audited(place, "api_key_delete").await, (1, 1));
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_store_holds_neither_the_key_nor_its_name() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let owner = identity(&service, &clock, AGENT).await;
        let body = json!({"name": "Canary Name", "scopes": ["offers:read"]});
        let key = made(&service, &owner, &body).await;
        service.stop().await;
        let db = place.open_store().await;
        let row = query("SELECT * FROM api_keys")
            .fetch_one(db.pool())
            .await
            .unwrap();
        let hash: String = row.try_get("hash").unwrap();
        let name: String = row.try_get("sealed_name").unwrap();
        assert!(!key["key"].as_str().unwrap().contains(&hash));
        assert!(!name.contains("Canary"));
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_key_ends_by_its_time_and_follows_its_owners_role() {
    on_each_engine(async |place| {
        let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
        let service = place.start(&clock, &[]).await.unwrap();
        let owner = identity(&service, &clock, AGENT).await;
        let body = json!({
            "name": "a", "scopes": ["offers:read", "orders:write"],
            "expires_at": "2026-11-21T13:00:00Z",
        });
        let key = made(&service, &owner, &body).await;
        let text = key["key"].as_str().unwrap();
        let admin = admin(&service, &clock).await;
        let path = format!("/api/v1/auth/users/{}/role", owner.subject());
        let changed = send(
            &service,
            "POST",
            &path,
            &admin,
            &json!({"role": "traveller"}),
        )
        .await;
        assert_eq!(changed.status(), 200);
        let allowed = json_of(verify(&service, text).await).await;
        assert_eq!(allowed["permissions"], json!(["offers:read"]));
        let id = key["id"].as_str().unwrap().to_owned();
        assert!(
            revoked(&service)
                .await
                .contains(&("api_key".to_owned(), id))
        );
        clock.advance(Duration::from_secs(3599));
        assert_eq!(verify(&service, text).await.status(), 200);
        clock.advance(Duration::from_secs(1));
        assert_eq!(verify(&service, text).await.status(), 404);

        let owner = identity(&service, &clock, AGENT).await;
        let body = json!({"name": "b", "scopes": ["offers:read"]});
        let key = made(&service, &owner, &body).await;
        let text = key["key"].as_str().unwrap();
        let path = format!("/api/v1/auth/users/{}", owner.subject());
        let gone = call(&service, "DELETE", &path, &admin)
            .send()
            .await
            .unwrap();
        assert!(gone.status().is_success());
        assert_eq!(
            verify(&service, text).await.status(),
            404,
            "its owner is gone"
        );
        let id = key["id"].as_str().unwrap().to_owned();
        assert!(
            revoked(&service)
                .await
                .contains(&("api_key".to_owned(), id))
        );
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_key_has_no_more_than_its_owner_and_only_administrators_choose_its_class() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let owner = identity(&service, &clock, "traveller@interline.test").await;
        for (field, value) in [
            ("scopes", json!(["orders:write"])),
            ("scopes", json!(["moon:visit"])),
            ("scopes", json!([])),
            ("name", json!("")),
            ("expires_at", json!("2020-01-01T00:00:00Z")),
            ("rate_class", json!("bulk")),
            ("rate_class", json!("Standard")),
        ] {
            let mut body = json!({"name": "a", "scopes": ["offers:read"]});
            body[field] = value;
            let answer = send(&service, "POST", KEYS, &owner, &body).await;
            assert_eq!(answer.status(), 422, "{body}");
        }
        let admin = admin(&service, &clock).await;
        let body = json!({"name": "a", "scopes": ["audit:read"], "rate_class": "bulk"});
        assert_eq!(made(&service, &admin, &body).await["rate_class"], "bulk");

        // A key makes no keys.
        let key = Identity::new(
            owner.subject().to_owned(),
            owner.role().unwrap(),
            owner.permissions().to_vec(),
        )
        .through_api_key("key_1".to_owned());
        let body = json!({"name": "a", "scopes": ["offers:read"]});
        let answer = send(&service, "POST", KEYS, &key, &body).await;
        assert_eq!(answer.status(), 403);
        // Nobody outside asks what a key is worth.
        let bare = service
            .client
            .post(format!("{}/internal/api-keys/verify", service.url));
        let bare = bare.header("x-nothing", HOP_HEADER.as_str()).body("{}");
        assert_eq!(bare.send().await.unwrap().status(), 401);
        service.stop().await;
    })
    .await;
}
