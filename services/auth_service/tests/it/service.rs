//! One running auth service per test, and a client that speaks as a gateway does.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use auth::{AccessRules, AccessVerifier, HOP_HEADER, HopSigner, Identity, KeySource};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use service_kit::{Running, StartError, bind, start};
use settings::{Settings, Sources};
use storage::{Db, Row as _, StoreOptions, query, sqlx};
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

    pub(crate) fn postgres() -> Self {
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
            .with("test", "mail.url", "http://127.0.0.1:1/mail/messages")
            .with("test", "mail.poll_ms", 20);
        for (key, value) in more {
            sources = match value.parse::<i64>() {
                Ok(number) => sources.with("test", key, number),
                Err(_) if key.ends_with("public_keys") || key.ends_with("_files") => {
                    sources.with("test", key, list(value))
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

    /// The audit records so far, apart from those of the first signing keys.
    pub(crate) async fn records(&self) -> Vec<Recorded> {
        let db = self.open_store().await;
        let text = "SELECT * FROM audit_log WHERE action <> 'signing_key_rotate' ORDER BY seq";
        let rows = query(text).fetch_all(db.pool()).await.unwrap();
        let read = |row: &storage::AnyRow| Recorded {
            seq: row.try_get("seq").unwrap(),
            action: row.try_get("action").unwrap(),
            succeeded: row.try_get::<i64, _>("succeeded").unwrap() == 1,
            actor: row.try_get("actor").unwrap(),
            target: row.try_get("target").unwrap(),
        };
        let records = rows.iter().map(read).collect();
        db.close().await;
        records
    }

    /// The records of one action.
    pub(crate) async fn records_of(&self, action: &str) -> Vec<Recorded> {
        let mut records = self.records().await;
        records.retain(|record| record.action == action);
        records
    }

    /// Runs statements on the store.
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

/// A list as the environment has it.
fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

fn server_url() -> String {
    std::env::var("INTERLINE_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!(
            "INTERLINE_TEST_POSTGRES_URL is not set: run tests/run.sh, \
             or eval \"$(tests/services.sh start)\" first"
        )
    })
}

/// A record of the audit log.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) seq: i64,
    pub(crate) action: String,
    pub(crate) succeeded: bool,
    pub(crate) actor: Option<String>,
    pub(crate) target: Option<String>,
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

    /// Sends anything as somebody.
    pub(crate) async fn send_as(
        &self,
        identity: &Identity,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Response {
        let signed = self.gateway.sign(identity, "auth_service").unwrap();
        let mut request = self
            .client
            .request(method.parse().unwrap(), format!("{}{path}", self.url))
            .header(HOP_HEADER, signed);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        request.send().await.unwrap()
    }

    /// Sends a body as nobody.
    pub(crate) async fn send(&self, path: &str, body: Value) -> Response {
        self.send_from("192.0.2.1", path, body).await
    }

    /// Sends a body as nobody, from an address.
    pub(crate) async fn send_from(&self, address: &str, path: &str, body: Value) -> Response {
        let request = self.post(path, &body);
        let request = request.header("x-interline-client-ip", address);
        request.send().await.unwrap()
    }

    /// Registers somebody, who can log in then.
    pub(crate) async fn register(&self, email: &str, password: &str) {
        let body = json!({"email": email, "password": password, "full_name": "Tony Stark"});
        let answer = self.send("/api/v1/auth/register", body).await;
        assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    }

    /// Who an access token speaks for.
    pub(crate) async fn identity(&self, tokens: &Value, clock: &Clock) -> Identity {
        let token = tokens["access_token"].as_str().unwrap();
        let verified = self.verifier(clock).verify(token).await.unwrap();
        verified.identity.clone()
    }

    /// Who a sandbox account is, logged in.
    pub(crate) async fn logged_in(&self, name: &str, clock: &Clock) -> Identity {
        let tokens = self.tokens(&format!("{name}@interline.test")).await;
        self.identity(&tokens, clock).await
    }

    /// What the feed says was revoked after a number.
    pub(crate) async fn revoked(&self, after: i64) -> Value {
        let url = format!(
            "{}/.well-known/interline-revocations?after={after}",
            self.url
        );
        let answer = self.client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        json_of(answer).await
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
