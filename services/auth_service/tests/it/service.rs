//! One running auth service per test, and a client that speaks as a gateway does.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use auth::{AccessRules, AccessVerifier, HOP_HEADER, HopSigner, Identity, KeySource};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use service_kit::{Running, StartError, bind, start};
use settings::{Settings, Sources};
use storage::{Db, StoreOptions, query, sqlx};
use travel_types::Clock;

pub(crate) const PASSWORD: &str = "interline-sandbox";

/// A folder and a store that this test alone uses.
pub(crate) struct Place {
    pub(crate) data_dir: PathBuf,
    store_url: String,
    database: Option<String>,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let name = format!("auth_test_{}", uuid::Uuid::new_v4().simple());
        Self {
            data_dir: std::env::temp_dir().join(name),
            store_url: String::new(),
            database: None,
        }
    }

    fn postgres() -> Self {
        let place = Self::sqlite();
        let server = server_url();
        let name = place.data_dir.file_name().unwrap().to_str().unwrap();
        Self {
            store_url: format!("{}/{name}", server.rsplit_once('/').unwrap().0),
            database: Some(name.to_owned()),
            ..place
        }
    }

    /// The service on this place's store, with further settings.
    pub(crate) async fn start(
        &self,
        clock: &Clock,
        more: &[(&str, &str)],
    ) -> Result<Service, StartError> {
        let spec = auth_service::service();
        let mut sources = Sources::default()
            .with("test", "data_dir", self.data_dir.to_str().unwrap())
            .with("test", "store.url", self.store_url.as_str())
            // Nothing listens there.
            .with("test", "mail.url", "http://127.0.0.1:1/mail/messages");
        for (key, value) in more {
            sources = match value.parse::<i64>() {
                Ok(number) => sources.with("test", key, number),
                Err(_) if key.ends_with("public_keys") || key.ends_with("_files") => {
                    sources.with("test", key, vec![(*value).to_owned()])
                }
                Err(_) => sources.with("test", key, *value),
            };
        }
        let settings = Settings::load(spec.name, &spec.defaults(), &sources).unwrap();
        let listener = bind("127.0.0.1", 0).await.unwrap();
        let running = start(&spec, settings, clock.clone(), listener).await?;
        Ok(Service {
            gateway: HopSigner::development(&self.data_dir, clock.clone()).unwrap(),
            client: reqwest::Client::new(),
            url: running.url(),
            running,
        })
    }

    /// Runs statements on the store while no service does.
    pub(crate) async fn open_store(&self) -> Db {
        let url = match self.store_url.as_str() {
            "" => format!("sqlite:{}/auth_service.db", self.data_dir.display()),
            url => url.to_owned(),
        };
        Db::open(&StoreOptions::new(url)).await.unwrap()
    }

    pub(crate) async fn remove(self) {
        std::fs::remove_dir_all(&self.data_dir).unwrap();
        if let Some(name) = self.database {
            let server = Db::open(&StoreOptions::new(server_url())).await.unwrap();
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            query(sqlx::AssertSqlSafe(drop))
                .execute(server.pool())
                .await
                .unwrap();
            server.close().await;
        }
    }
}

/// Runs the test on a fresh place per engine, one after the other.
pub(crate) async fn on_each_engine(test: impl AsyncFn(&Place)) {
    for place in [Place::sqlite(), Place::postgres()] {
        println!("store {:?}", place.store_url);
        test(&place).await;
        place.remove().await;
    }
}

fn server_url() -> String {
    std::env::var("INTERLINE_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!(
            "INTERLINE_TEST_POSTGRES_URL is not set: run tests/run.sh, \
             or eval \"$(tests/services.sh start)\" first"
        )
    })
}

pub(crate) struct Service {
    running: Running,
    pub(crate) gateway: HopSigner,
    pub(crate) client: reqwest::Client,
    pub(crate) url: String,
}

impl Service {
    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }

    /// A request with the identity that the gateway signed.
    pub(crate) fn post(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        let identity = self.gateway.sign(&Identity::anonymous(), "auth_service");
        self.client
            .post(format!("{}{path}", self.url))
            .header(HOP_HEADER, identity.unwrap())
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    pub(crate) async fn log_in(&self, email: &str, password: &str, address: &str) -> Response {
        let body = json!({"email": email, "password": password});
        self.post("/api/v1/auth/login", &body)
            .header("x-interline-client-ip", address)
            .send()
            .await
            .unwrap()
    }

    /// The tokens of a log-in that must succeed.
    pub(crate) async fn tokens(&self, email: &str) -> Value {
        let answer = self.log_in(email, PASSWORD, "192.0.2.1").await;
        assert_eq!(answer.status(), StatusCode::OK);
        data(answer).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Response {
        let body = json!({"refresh_token": token});
        let request = self.post("/api/v1/auth/refresh", &body);
        request.send().await.unwrap()
    }

    /// A GET with the identity that the gateway signed.
    pub(crate) async fn get(&self, path: &str, identity: &Identity) -> Response {
        let identity = self.gateway.sign(identity, "auth_service").unwrap();
        self.client
            .get(format!("{}{path}", self.url))
            .header(HOP_HEADER, identity)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn me(&self, identity: &Identity) -> Response {
        self.client
            .get(format!("{}/api/v1/auth/me", self.url))
            .header(
                HOP_HEADER,
                self.gateway.sign(identity, "auth_service").unwrap(),
            )
            .send()
            .await
            .unwrap()
    }

    /// A verifier as the gateway has one.
    pub(crate) fn verifier(&self, clock: &Clock) -> AccessVerifier {
        let source = Published {
            client: self.client.clone(),
            url: format!("{}/.well-known/jwks.json", self.url),
        };
        let rules = AccessRules {
            issuer: "http://localhost:8000".to_owned(),
            audience: "interline".to_owned(),
        };
        AccessVerifier::new(Arc::new(source), rules, clock.clone())
    }
}

struct Published {
    client: reqwest::Client,
    url: String,
}

#[async_trait]
impl KeySource for Published {
    async fn fetch(&self) -> Result<Vec<u8>, String> {
        let answer = self.client.get(&self.url).send().await;
        let body = answer.map_err(|e| e.to_string())?.bytes().await;
        Ok(body.map_err(|e| e.to_string())?.to_vec())
    }
}

pub(crate) async fn json_of(answer: Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

pub(crate) async fn data(answer: Response) -> Value {
    json_of(answer).await["data"].take()
}

/// Status, headers apart from ids and times, and body apart from the same.
pub(crate) async fn comparable(answer: Response) -> (u16, Vec<(String, String)>, Value) {
    let status = answer.status().as_u16();
    let headers = answer
        .headers()
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "x-request-id" | "date"))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let mut body = json_of(answer).await;
    body["meta"]["request_id"].take();
    body["meta"]["timestamp"].take();
    (status, headers, body)
}
