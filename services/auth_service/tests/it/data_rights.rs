//! Export and erasure, with stand-ins for the services of the verticals.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth::{HOP_HEADER, HopVerifier, Identity, Role};
use axum::extract::{RawQuery, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use reqwest::Response;
use serde_json::{Value, json};
use storage::{Row as _, query};
use tokio::time::{Instant, sleep};
use travel_types::Clock;

use crate::service::{Place, Service, data, json_of, on_each_engine};

const KEEPERS: [(&str, &str); 3] = [
    ("flight_service", "flights"),
    ("hotel_service", "hotels"),
    ("car_service", "cars"),
];

/// A service of a vertical, as far as this one knows it.
#[derive(Clone)]
struct Keeper {
    up: Arc<AtomicBool>,
    erased: Arc<Mutex<Vec<String>>>,
    verifier: HopVerifier,
    url: String,
}

impl Keeper {
    async fn start(place: &Place, (service, vertical): (&str, &str), clock: &Clock) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let keeper = Self {
            up: Arc::new(AtomicBool::new(true)),
            erased: Arc::default(),
            verifier: HopVerifier::development(&place.data_dir, service, clock.clone()).unwrap(),
            url: format!("http://{}", listener.local_addr().unwrap()),
        };
        let router = Router::new()
            .route("/internal/erasures", post(erase))
            .route(&format!("/api/v1/{vertical}/orders"), get(orders))
            .with_state(keeper.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        keeper
    }

    fn caller(&self, headers: &HeaderMap) -> Result<Identity, StatusCode> {
        if !self.up.load(Ordering::SeqCst) {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        let token = headers.get(&HOP_HEADER).unwrap().to_str().unwrap();
        self.verifier
            .verify(token)
            .map_err(|_| StatusCode::UNAUTHORIZED)
    }

    fn told(&self) -> Vec<String> {
        self.erased.lock().unwrap().clone()
    }
}

async fn erase(State(keeper): State<Keeper>, headers: HeaderMap) -> StatusCode {
    match keeper.caller(&headers) {
        Ok(caller) => {
            assert!(
                caller.permissions().is_empty(),
                "no right but to be oneself"
            );
            keeper
                .erased
                .lock()
                .unwrap()
                .push(caller.subject().to_owned());
            StatusCode::NO_CONTENT
        }
        Err(status) => status,
    }
}

/// Two pages of one order each.
async fn orders(
    State(keeper): State<Keeper>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, StatusCode> {
    let caller = keeper.caller(&headers)?;
    let second = query.unwrap().contains("cursor=next");
    let next = if second { Value::Null } else { "next".into() };
    let order = json!({"owner": caller.subject(), "page": if second { 2 } else { 1 }});
    Ok(Json(
        json!({"data": [order], "meta": {"next_cursor": next}}),
    ))
}

async fn keepers(place: &Place, clock: &Clock) -> Vec<Keeper> {
    let mut all = Vec::new();
    for keeper in KEEPERS {
        all.push(Keeper::start(place, keeper, clock).await);
    }
    all
}

async fn start(place: &Place, clock: &Clock, keepers: &[Keeper]) -> Service {
    let settings: Vec<(String, &str)> = KEEPERS
        .iter()
        .zip(keepers)
        .map(|((service, _), keeper)| (format!("colleagues.{service}.url"), keeper.url.as_str()))
        .collect();
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(key, url)| (key.as_str(), *url))
        .collect();
    place.start(clock, &settings).await.unwrap()
}

async fn send(service: &Service, method: &str, path: &str, who: &Identity) -> Response {
    let identity = service.gateway.sign(who, "auth_service").unwrap();
    service
        .client
        .request(method.parse().unwrap(), format!("{}{path}", service.url))
        .header(HOP_HEADER, identity)
        .send()
        .await
        .unwrap()
}

/// A sandbox account's identity and a refresh token of it.
async fn somebody(service: &Service, who: &str, role: Role) -> (Identity, String) {
    let tokens = service.tokens(&format!("{who}@interline.test")).await;
    let id = tokens["user"]["id"].as_str().unwrap().to_owned();
    let identity = Identity::new(id, role, role.permissions().to_vec());
    (
        identity,
        tokens["refresh_token"].as_str().unwrap().to_owned(),
    )
}

async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !look().await {
        assert!(Instant::now() < end, "waited for {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn records(place: &Place, action: &'static str, succeeded: i64) -> i64 {
    let db = place.open_store().await;
    let row = query("SELECT COUNT(*) AS n FROM audit_log WHERE action = $1 AND succeeded = $2")
        .bind(action)
        .bind(succeeded)
        .fetch_one(db.pool())
        .await
        .unwrap();
    db.close().await;
    row.try_get("n").unwrap()
}

#[tokio::test]
async fn an_erasure_ends_the_account_and_reaches_every_service() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let keepers = keepers(place, &clock).await;
        let service = start(place, &clock, &keepers).await;
        let (who, refresh) = somebody(&service, "traveller", Role::Traveller).await;
        let answer = send(&service, "DELETE", "/api/v1/auth/me", &who).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);

        assert_eq!(service.me(&who).await.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(
            service.refresh(&refresh).await.status(),
            StatusCode::UNAUTHORIZED
        );
        let log_in = service
            .log_in(
                "traveller@interline.test",
                crate::service::PASSWORD,
                "192.0.2.1",
            )
            .await;
        assert_eq!(log_in.status(), StatusCode::UNAUTHORIZED);
        let again = send(&service, "DELETE", "/api/v1/auth/me", &who).await;
        assert_eq!(again.status(), StatusCode::UNAUTHORIZED);

        until("every service", async || {
            records(place, "erase_complete", 1).await == 1
        })
        .await;
        for keeper in &keepers {
            assert_eq!(keeper.told(), [who.subject()]);
        }
        assert_eq!(records(place, "erase", 1).await, 1);

        let db = place.open_store().await;
        let row = query("SELECT * FROM accounts WHERE id = $1")
            .bind(who.subject())
            .fetch_one(db.pool())
            .await
            .unwrap();
        assert_eq!(
            row.try_get::<Option<String>, _>("email_index").unwrap(),
            None
        );
        for (column, left) in [("sealed", ""), ("password_hash", ""), ("status", "erased")] {
            assert_eq!(row.try_get::<String, _>(column).unwrap(), left);
        }
        for table in ["known_networks", "password_resets", "mail"] {
            let statement = format!("SELECT COUNT(*) AS n FROM {table} WHERE account_id = $1");
            let row = query(storage::sqlx::AssertSqlSafe(statement))
                .bind(who.subject())
                .fetch_one(db.pool())
                .await
                .unwrap();
            assert_eq!(row.try_get::<i64, _>("n").unwrap(), 0, "{table}");
        }
        db.close().await;
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_told_when_it_does_also_by_the_next_process() {
    on_each_engine(async |place| {
        let clock = Clock::manual("2026-12-01T10:30:00Z".parse().unwrap());
        let keepers = keepers(place, &clock).await;
        let service = start(place, &clock, &keepers).await;
        keepers[1].up.store(false, Ordering::SeqCst);
        let (who, _) = somebody(&service, "agent", Role::Agent).await;
        let answer = send(&service, "DELETE", "/api/v1/auth/me", &who).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        until("the others", async || {
            keepers[0].told().len() == 1 && keepers[2].told().len() == 1
        })
        .await;
        service.stop().await;

        let service = start(place, &clock, &keepers).await;
        assert_eq!(records(place, "erase_complete", 1).await, 0);
        keepers[1].up.store(true, Ordering::SeqCst);
        until("the last one", async || {
            clock.advance(Duration::from_secs(30));
            records(place, "erase_complete", 1).await == 1
        })
        .await;
        assert!(
            keepers
                .iter()
                .all(|keeper| keeper.told().contains(&who.subject().to_owned()))
        );
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_export_has_everything_or_is_refused() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let keepers = keepers(place, &clock).await;
        let service = start(place, &clock, &keepers).await;
        let (who, refresh) = somebody(&service, "traveller", Role::Traveller).await;
        let answer = send(&service, "GET", "/api/v1/auth/me/export", &who).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["cache-control"], "private, no-store");
        let text = answer.text().await.unwrap();
        let (_, secret) = refresh.split_once('.').unwrap();
        assert!(!text.contains(secret) && !text.contains("argon2"));
        let export: Value = serde_json::from_str(&text).unwrap();
        let export = &export["data"];
        assert_eq!(export["account"]["email"], "traveller@interline.test");
        assert_eq!(export["log_ins"].as_array().unwrap().len(), 1);
        for (_, vertical) in KEEPERS {
            let orders = export["orders"][vertical].as_array().unwrap();
            let pages: Vec<&Value> = orders.iter().map(|order| &order["page"]).collect();
            assert_eq!(pages, [1, 2], "{vertical}");
            assert!(orders.iter().all(|order| order["owner"] == who.subject()));
        }
        let actions = export["audit"].as_array().unwrap();
        assert!(actions.iter().any(|record| record["action"] == "login"));

        keepers[2].up.store(false, Ordering::SeqCst);
        let refused = send(&service, "GET", "/api/v1/auth/me/export", &who).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.headers().contains_key("retry-after"));
        let refused = json_of(refused).await;
        assert_eq!(
            refused["errors"][0]["details"]["missing"],
            json!(["car_service"])
        );
        assert_eq!(refused["data"], Value::Null);
        assert_eq!(records(place, "export", 1).await, 1);
        assert_eq!(records(place, "export", 0).await, 1);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_last_administrator_is_not_erased() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let keepers = keepers(place, &clock).await;
        let service = start(place, &clock, &keepers).await;
        let (who, _) = somebody(&service, "admin", Role::Admin).await;
        let answer = send(&service, "DELETE", "/api/v1/auth/me", &who).await;
        assert_eq!(answer.status(), StatusCode::CONFLICT);
        assert_eq!(records(place, "erase", 0).await, 1);
        let account = data(service.me(&who).await).await;
        assert_eq!(account["email"], "admin@interline.test");
        service.stop().await;
    })
    .await;
}
