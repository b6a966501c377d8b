//! OAuth clients as administrators manage them.

use serde_json::json;
use storage::{Row as _, query};
use travel_types::Clock;

use crate::application::{Application, admin, audited, call, identity, is, refused, revoked, send};
use crate::service::{data, json_of, on_each_engine};

const CLIENTS: &str = "/api/v1/auth/clients";
const ALONE: (&str, &str) = ("grant_type", "client_credentials");

#[tokio::test]
async fn a_secret_is_shown_once_and_another_one_ends_what_the_old_one_gave() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let admin = admin(&service, &clock).await;
        let mut app = Application::machine(&service, &admin).await;
        let old = app.secret.clone().unwrap();
        assert!(old.starts_with("ils_"));
        let listed = call(&service, "GET", CLIENTS, &admin).send().await.unwrap();
        let listed = json_of(listed).await;
        assert_eq!(listed["data"][0]["client_id"], app.id);
        assert_eq!(
            listed["data"][0]["grant_types"],
            json!(["client_credentials"])
        );
        assert!(listed["meta"]["next_cursor"].is_null());
        assert!(!listed.to_string().contains(&old) && !listed.to_string().contains("hash"));

        let token = json_of(app.token(&[ALONE]).await).await;
        let token = token["access_token"].as_str().unwrap();
        let session = service.verifier(&clock).verify(token).await.unwrap();
        let session = session.identity.session().unwrap().to_owned();
        let path = format!("{CLIENTS}/{}/secret", app.id);
        let renewed = call(&service, "POST", &path, &admin).send().await.unwrap();
        assert_eq!(renewed.status(), 200);
        app.secret = data(renewed).await["client_secret"]
            .as_str()
            .map(str::to_owned);
        assert_ne!(app.secret.as_deref(), Some(old.as_str()));
        assert_eq!(revoked(&service).await, [("session".to_owned(), session)]);
        assert_eq!(app.introspect(token).await, json!({"active": false}));
        assert_eq!(app.token(&[ALONE]).await.status(), 200);
        let new = app.secret.replace(old.clone()).unwrap();
        is(
            refused(app.token(&[ALONE]).await).await,
            401,
            "invalid_client",
        );
        assert_eq!(audited(place, "client_create").await, (1, 0));
        assert_eq!(audited(place, "client_secret_rotate").await, (1, 0));
        service.stop().await;

        let db = place.open_store().await;
        let row = query("SELECT secret_hash FROM oauth_clients")
            .fetch_one(db.pool())
            .await;
        let stored: String = row.unwrap().try_get("secret_hash").unwrap();
        assert!(!new.contains(&stored) && !old.contains(&stored));
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_deleted_client_takes_everything_with_it() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let admin = admin(&service, &clock).await;
        let app = Application::for_people(&service, &admin).await;
        let code = app.code("traveller@interline.test", &[]).await;
        let page = app.page(&[]).await;
        let tokens = app.tokens("traveller@interline.test").await;
        let path = format!("{CLIENTS}/{}", app.id);
        let answer = call(&service, "DELETE", &path, &admin)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 204);
        let token = tokens["access_token"].as_str().unwrap();
        let verified = service.verifier(&clock).verify(token).await.unwrap();
        let session = verified.identity.session().unwrap().to_owned();
        assert!(
            revoked(&service)
                .await
                .contains(&("session".to_owned(), session))
        );
        is(
            refused(app.redeem(&code, &[]).await).await,
            401,
            "invalid_client",
        );
        let fields = [
            ("request", page.as_str()),
            ("email", "traveller@interline.test"),
        ];
        assert_eq!(app.decide(&fields).await.status(), 400);
        let again = call(&service, "DELETE", &path, &admin)
            .send()
            .await
            .unwrap();
        assert_eq!(again.status(), 404);
        let other = format!("{CLIENTS}/x");
        let other = call(&service, "DELETE", &other, &admin)
            .send()
            .await
            .unwrap();
        assert_eq!(other.status(), 404);
        assert_eq!(audited(place, "client_delete").await, (1, 2));
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn only_administrators_register_clients_and_only_right_ones() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let admin = admin(&service, &clock).await;
        let good = json!({"name": "A", "scopes": ["offers:read"]});
        for email in ["traveller@interline.test", "agent@interline.test"] {
            let who = identity(&service, &clock, email).await;
            let answer = send(&service, "POST", CLIENTS, &who, &good).await;
            assert_eq!(answer.status(), 403);
            assert_eq!(
                call(&service, "GET", CLIENTS, &who)
                    .send()
                    .await
                    .unwrap()
                    .status(),
                403
            );
        }
        for (field, value) in [
            ("name", json!(" ")),
            ("name", json!("a\nb")),
            ("scopes", json!([])),
            ("scopes", json!(["offers:*"])),
            ("grant_types", json!([])),
            ("grant_types", json!(["password"])),
            ("grant_types", json!(["authorization_code"])),
            ("grant_types", json!(["refresh_token"])),
            ("type", json!("public")),
            ("redirect_uris", json!(["http://app.example/cb"])),
            ("redirect_uris", json!(["https://app.example/cb#x"])),
            ("redirect_uris", json!(["javascript:alert(1)"])),
        ] {
            let mut body = good.clone();
            body[field] = value;
            let answer = send(&service, "POST", CLIENTS, &admin, &body).await;
            assert_eq!(answer.status(), 422, "{body}");
        }
        for _ in 0..3 {
            assert_eq!(
                send(&service, "POST", CLIENTS, &admin, &good)
                    .await
                    .status(),
                201
            );
        }
        let page = call(&service, "GET", &format!("{CLIENTS}?limit=2"), &admin);
        let page = json_of(page.send().await.unwrap()).await;
        assert_eq!(page["data"].as_array().unwrap().len(), 2);
        let cursor = page["meta"]["next_cursor"].as_str().unwrap();
        let rest = call(
            &service,
            "GET",
            &format!("{CLIENTS}?cursor={cursor}"),
            &admin,
        );
        let rest = json_of(rest.send().await.unwrap()).await;
        assert_eq!(rest["data"].as_array().unwrap().len(), 1);
        assert!(rest["meta"]["next_cursor"].is_null());
        service.stop().await;
    })
    .await;
}
