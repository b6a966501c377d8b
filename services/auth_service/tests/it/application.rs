//! An application as OAuth knows it, and the browser of the person who uses it.

use auth::{HOP_HEADER, Identity};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use storage::{Row as _, query};
use travel_types::Clock;
use url::Url;

use crate::service::{PASSWORD, Place, Service, data, json_of};

pub(crate) const CALLBACK: &str = "https://planner.example/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A client that follows no redirect, as tests look at them.
pub(crate) fn browser() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

/// A request with the identity that the gateway signed for it.
pub(crate) fn call(
    service: &Service,
    method: &str,
    path: &str,
    identity: &Identity,
) -> RequestBuilder {
    let hop = service.gateway.sign(identity, "auth_service").unwrap();
    browser()
        .request(method.parse().unwrap(), format!("{}{path}", service.url))
        .header(HOP_HEADER, hop)
        .header("x-interline-client-ip", "192.0.2.7")
}

/// The same with a JSON body.
pub(crate) async fn send(
    service: &Service,
    method: &str,
    path: &str,
    identity: &Identity,
    body: &Value,
) -> Response {
    let request = call(service, method, path, identity);
    let request = request.header("content-type", "application/json");
    request.body(body.to_string()).send().await.unwrap()
}

/// Whom the access token of a log-in speaks for.
pub(crate) async fn identity(service: &Service, clock: &Clock, email: &str) -> Identity {
    let tokens = service.tokens(email).await;
    let token = tokens["access_token"].as_str().unwrap();
    let verified = service.verifier(clock).verify(token).await.unwrap();
    verified.identity.clone()
}

pub(crate) async fn admin(service: &Service, clock: &Clock) -> Identity {
    identity(service, clock, "admin@interline.test").await
}

/// A form, as OAuth endpoints take it.
pub(crate) async fn form(service: &Service, path: &str, fields: &[(&str, &str)]) -> Response {
    call(service, "POST", path, &Identity::anonymous())
        .form(fields)
        .send()
        .await
        .unwrap()
}

/// What the feed of revocations has: kinds and values.
pub(crate) async fn revoked(service: &Service) -> Vec<(String, String)> {
    let url = format!("{}/.well-known/interline-revocations?after=0", service.url);
    let page = json_of(service.client.get(url).send().await.unwrap()).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let events = page["events"].as_array().unwrap().iter();
    events
        .map(|event| (text(&event["kind"]), text(&event["value"])))
        .collect()
}

/// How many audit records of an action there are, by their outcome.
pub(crate) async fn audited(place: &Place, action: &str) -> (usize, usize) {
    let db = place.open_store().await;
    let rows = query("SELECT succeeded FROM audit_log WHERE action = $1")
        .bind(action)
        .fetch_all(db.pool())
        .await
        .unwrap();
    let all: Vec<i64> = rows
        .iter()
        .map(|row| row.try_get("succeeded").unwrap())
        .collect();
    db.close().await;
    let well = all.iter().filter(|one| **one == 1).count();
    (well, all.len() - well)
}

/// A registered application.
pub(crate) struct Application<'a> {
    pub(crate) service: &'a Service,
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
}

impl<'a> Application<'a> {
    /// Registers one.
    pub(crate) async fn register(service: &'a Service, admin: &Identity, body: &Value) -> Self {
        let answer = send(service, "POST", "/api/v1/auth/clients", admin, body).await;
        assert_eq!(answer.status(), 201, "{body}");
        assert_eq!(answer.headers()["cache-control"], "private, no-store");
        let client = data(answer).await;
        Self {
            service,
            id: client["client_id"].as_str().unwrap().to_owned(),
            secret: client["client_secret"].as_str().map(str::to_owned),
        }
    }

    /// One that acts for people.
    pub(crate) async fn for_people(service: &'a Service, admin: &Identity) -> Self {
        let body = json!({
            "name": "Trip <Planner>", "redirect_uris": [CALLBACK],
            "scopes": ["offers:read", "bookings:read", "users:write"],
        });
        Self::register(service, admin, &body).await
    }

    /// One that acts for itself.
    pub(crate) async fn machine(service: &'a Service, admin: &Identity) -> Self {
        let body = json!({"name": "Nightly", "scopes": ["offers:read", "users:write"]});
        Self::register(service, admin, &body).await
    }

    /// The parameters of an authorization request, with some changed; an empty one is left out.
    pub(crate) fn query(&self, changed: &[(&str, &str)]) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", self.id.as_str()),
            ("redirect_uri", CALLBACK),
            ("scope", "offers:read bookings:read"),
            ("state", "s-1 &"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in changed {
            fields.retain(|(known, _)| known != name);
            fields.push((name, value));
        }
        fields.retain(|(_, value)| !value.is_empty());
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields).finish()
    }

    pub(crate) async fn open(&self, query: &str) -> Response {
        let path = format!("/oauth/authorize?{query}");
        let request = call(self.service, "GET", &path, &Identity::anonymous());
        request.send().await.unwrap()
    }

    /// The sealed request of the page.
    pub(crate) async fn page(&self, changed: &[(&str, &str)]) -> String {
        let page = self.open(&self.query(changed)).await;
        assert_eq!(page.status(), 200);
        sealed(&text(page).await)
    }

    /// Sends the page's form.
    pub(crate) async fn decide(&self, fields: &[(&str, &str)]) -> Response {
        let all = [("decision", "allow"), ("password", PASSWORD)];
        let mut sent: Vec<(&str, &str)> = all
            .into_iter()
            .filter(|(name, _)| !fields.iter().any(|(given, _)| given == name))
            .collect();
        sent.extend(fields);
        form(self.service, "/oauth/authorize", &sent).await
    }

    /// The code that a person allows.
    pub(crate) async fn code(&self, email: &str, changed: &[(&str, &str)]) -> String {
        let request = self.page(changed).await;
        let answer = self
            .decide(&[("request", &request), ("email", email)])
            .await;
        assert_eq!(answer.status(), 303);
        parameter(&answer, "code").unwrap()
    }

    /// A request to the token endpoint, with the client's credentials in the body.
    pub(crate) async fn token(&self, fields: &[(&str, &str)]) -> Response {
        self.at("/oauth/token", fields).await
    }

    pub(crate) async fn at(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let mut all = vec![("client_id", self.id.as_str())];
        all.extend(
            self.secret
                .as_deref()
                .map(|secret| ("client_secret", secret)),
        );
        all.extend(fields);
        form(self.service, path, &all).await
    }

    /// Redeems a code, with some parameters changed.
    pub(crate) async fn redeem(&self, code: &str, changed: &[(&str, &str)]) -> Response {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        for (name, value) in changed {
            fields.retain(|(known, _)| known != name);
            fields.push((name, value));
        }
        self.token(&fields).await
    }

    /// The tokens that a person's consent gives.
    pub(crate) async fn tokens(&self, email: &str) -> Value {
        let code = self.code(email, &[]).await;
        let answer = self.redeem(&code, &[]).await;
        assert_eq!(answer.status(), 200);
        json_of(answer).await
    }

    /// What introspection says of a token.
    pub(crate) async fn introspect(&self, token: &str) -> Value {
        let answer = self.at("/oauth/introspect", &[("token", token)]).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        json_of(answer).await
    }
}

pub(crate) async fn text(answer: Response) -> String {
    String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap()
}

/// The sealed request in a page.
pub(crate) fn sealed(html: &str) -> String {
    let rest = html.split("name=\"request\" value=\"").nth(1).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// A parameter of the address that an answer leads to.
pub(crate) fn parameter(answer: &Response, name: &str) -> Option<String> {
    let location = answer.headers().get("location")?.to_str().unwrap();
    let url = Url::parse(location).unwrap();
    let mut pairs = url.query_pairs();
    pairs
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

/// The error of an OAuth answer, with its status.
pub(crate) async fn refused(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["pragma"], "no-cache");
    let body = json_of(answer).await;
    (status, body["error"].as_str().unwrap().to_owned())
}

pub(crate) fn is(refused: (u16, String), status: u16, code: &str) {
    assert_eq!(refused, (status, code.to_owned()));
}
