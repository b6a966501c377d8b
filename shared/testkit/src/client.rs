//! A plain HTTP client that keeps everything of an answer.

use http::HeaderMap;
use serde_json::Value;

/// An answer, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body as JSON; null if it is none.
    pub body: Value,
}

impl Answer {
    /// `data` of the envelope.
    pub fn data(&self) -> &Value {
        &self.body["data"]
    }

    /// The first error's code, or nothing.
    pub fn code(&self) -> &str {
        self.body["errors"][0]["code"].as_str().unwrap_or_default()
    }

    /// The fields that errors name.
    pub fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice);
        errors
            .unwrap_or_default()
            .iter()
            .filter_map(|error| error["field"].as_str())
            .collect()
    }

    /// A header's text, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// A caller of one server.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    headers: Vec<(String, String)>,
}

impl Client {
    /// A caller without credentials.
    pub fn new(base: impl Into<String>) -> Self {
        Self {
            http: reqwest::Client::new(),
            base: base.into(),
            headers: Vec::new(),
        }
    }

    /// The same with a header on every request.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with an access token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// Where it calls.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends anything; a body is JSON.
    pub async fn send(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let body = body.map(|body| ("application/json", body));
        let answer = self.try_send(method, path, body).await;
        answer.expect("an answer")
    }

    /// POST of a form, already encoded.
    pub async fn send_form(&self, path: &str, form: &str) -> Answer {
        let body = ("application/x-www-form-urlencoded", form);
        let answer = self.try_send("POST", path, Some(body)).await;
        answer.expect("an answer")
    }

    /// Sends anything, a body with its content type. `None` where no answer came, as over a connection
    /// that the server was just about to close because it would not read the body before.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, &str)>,
    ) -> Option<Answer> {
        let method = method.parse().expect("a method");
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method, url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind).body(body.to_owned());
        }
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.ok()?;
        Some(Answer {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(&body.to_string())).await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, Some(&body.to_string())).await
    }

    /// POST with a JSON body and an `Idempotency-Key`.
    pub async fn post_once(&self, key: &str, path: &str, body: &Value) -> Answer {
        self.clone()
            .with("idempotency-key", key)
            .post(path, body)
            .await
    }
}
