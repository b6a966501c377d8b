//! Talking to the two simulators of Amadeus, and what both have in common: tokens, errors, headers.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use sandbox::Options;
use serde_json::{Value, json};

use super::support::{self, start_with};
use super::wire::holds_but;

pub const MEDIA_TYPE: &str = "application/vnd.amadeus+json";

/// One of the simulators, with a token for it.
pub struct Amadeus {
    pub server: support::Server,
    name: &'static str,
    token: String,
}

pub fn fixture(name: &str) -> Value {
    let folder = env!("CARGO_MANIFEST_DIR");
    let path = format!("{folder}/tests/fixtures/amadeus/{name}.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

async fn token(server: &support::Server, name: &str, form: &[(&str, &str)]) -> (u16, Value) {
    let url = format!("{}/{name}/v1/security/oauth2/token", server.base);
    let answer = server.client.post(url).form(form).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

const CREDENTIALS: [(&str, &str); 3] = [
    ("grant_type", "client_credentials"),
    ("client_id", "amadeus_sandbox"),
    ("client_secret", "amadeus_sandbox_secret"),
];

impl Amadeus {
    pub async fn start(name: &'static str) -> Self {
        Self::start_with(name, Options::default()).await
    }

    pub async fn start_with(name: &'static str, options: Options) -> Self {
        let server = start_with(options).await;
        let (status, body) = token(&server, name, &CREDENTIALS).await;
        assert_eq!(status, 200, "{body}");
        Self {
            server,
            name,
            token: body["access_token"].as_str().unwrap().to_owned(),
        }
    }

    /// The same server with a token that is valid now.
    pub async fn anew(self) -> Self {
        let (_, body) = token(&self.server, self.name, &CREDENTIALS).await;
        Self {
            token: body["access_token"].as_str().unwrap().to_owned(),
            ..self
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.server
            .client
            .request(method, format!("{}/{}{path}", self.server.base, self.name))
            .bearer_auth(&self.token)
            .header("X-HTTP-Method-Override", "GET")
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.request(Method::POST, path);
        answer(
            request
                .header("Content-Type", MEDIA_TYPE)
                .body(body.to_string()),
        )
        .await
    }

    pub async fn delete(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::DELETE, path)).await
    }

    pub async fn journal(&self) -> Vec<Value> {
        let path = format!("/_control/journal?supplier={}", self.name);
        let (_, body) = self.server.get(&path).await;
        body["data"].as_array().unwrap().clone()
    }

    pub async fn fault(&self, body: Value) {
        let path = format!("/_control/faults/{}", self.name);
        let (status, body) = self.server.put(&path, &body).await;
        assert_eq!(status, 200, "{body}");
    }

    pub async fn remaining(&self, item: &str) -> u64 {
        let (_, body) = self
            .server
            .get(&format!("/_control/inventory/{}", self.name))
            .await;
        let items = body["data"].as_array().unwrap();
        let found = items.iter().find(|one| one["item"] == item).unwrap();
        found["remaining"].as_u64().unwrap()
    }

    pub async fn stock(&self, item: &str, remaining: u64) {
        let path = format!("/_control/inventory/{}", self.name);
        let body = json!({ "item": item, "remaining": remaining });
        assert_eq!(self.server.put(&path, &body).await.0, 200);
    }
}

pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// Status and code of the first error of an answer.
pub fn error((status, body): &(StatusCode, Value)) -> (u16, i64) {
    let error = &body["errors"][0];
    assert_eq!(error["status"], status.as_u16(), "{body}");
    assert!(error["title"].is_string() && error["detail"].is_string());
    (status.as_u16(), error["code"].as_i64().unwrap())
}

/// An order's id as it stands in a path.
pub fn encoded(id: &Value) -> String {
    let id = id.as_str().unwrap();
    assert!(id.contains('/') && id.ends_with('='), "{id}");
    id.replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D")
}

#[tokio::test]
async fn a_token_is_for_whoever_knows_the_secret_and_lives_as_long_as_it_says() {
    for name in ["amadeus", "amadeus_transfers"] {
        let amadeus = Amadeus::start_with(
            name,
            Options {
                token_life: Duration::from_secs(60),
                ..Options::default()
            },
        )
        .await;
        let (_, body) = token(&amadeus.server, name, &CREDENTIALS).await;
        holds_but(&[], &fixture("token"), &body, "token");
        assert_eq!(body["expires_in"], 60);
        assert_eq!(body["client_id"], "amadeus_sandbox");
        for (field, value, wanted) in [
            ("client_secret", "wrong", (401, "invalid_client")),
            ("client_id", "duffel_sandbox", (401, "invalid_client")),
            ("client_id", "", (400, "invalid_request")),
            ("grant_type", "password", (400, "unsupported_grant_type")),
            ("grant_type", "", (400, "invalid_request")),
        ] {
            let form =
                CREDENTIALS.map(|(name, good)| (name, if name == field { value } else { good }));
            let (status, body) = token(&amadeus.server, name, &form).await;
            assert_eq!((status, body["error"].as_str().unwrap()), wanted);
            assert!(body["error_description"].is_string() && body["title"].is_string());
            assert_eq!(body["code"], 38187);
        }
        let queue = "/v1/office/queues/30";
        assert_eq!(amadeus.get(queue).await.0, 200);
        amadeus.server.clock.advance(Duration::from_secs(60));
        assert_eq!(error(&amadeus.get(queue).await), (401, 38190));
        let url = format!("{}/{name}{queue}", amadeus.server.base);
        let foreign = Client::new()
            .get(&url)
            .bearer_auth("f8XgboI1oKyNw7w23bnnAbFANidfgC");
        assert_eq!(error(&answer(foreign).await), (401, 38190));
        assert_eq!(error(&answer(Client::new().get(&url)).await), (401, 38191));
    }
}

#[tokio::test]
async fn answers_have_amadeuss_media_type_and_failures_its_errors() {
    for name in ["amadeus", "amadeus_transfers"] {
        let amadeus = Amadeus::start(name).await;
        let answer = amadeus.request(Method::GET, "/v1/office/queues/30").send();
        assert_eq!(answer.await.unwrap().headers()["content-type"], MEDIA_TYPE);
        assert_eq!(error(&amadeus.get("/v1/nothing").await), (404, 38196));
        assert_eq!(error(&amadeus.get("/v1/office/queues/x").await), (400, 477));
        for (mode, wanted) in [
            ("error_500", (500, 38189)),
            ("error_503", (503, 141)),
            ("rate_limit", (429, 38194)),
        ] {
            amadeus
                .fault(json!({ "operation": "retrieve", "mode": mode, "count": 1 }))
                .await;
            let request = amadeus.request(Method::GET, "/v1/office/queues/30");
            let response = request.send().await.unwrap();
            if mode == "rate_limit" {
                assert_eq!(response.headers()["retry-after"], "1");
            }
            let status = response.status();
            assert_eq!(error(&(status, response.json().await.unwrap())), wanted);
        }
        amadeus
            .fault(json!({ "operation": "token", "mode": "error_503", "count": 1 }))
            .await;
        let (status, _) = token(&amadeus.server, name, &CREDENTIALS).await;
        assert_eq!(status, 503);
    }
}
