//! A gateway on port 0, an identity service that publishes keys, and a service that echoes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth::{AccessClaims, AccessRules, HopVerifier, Role, TokenSigner};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt as _;
use service_kit::{Running, start};
use settings::{Settings, Sources};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use travel_types::Clock;

use crate::issuer::Issuer;

/// What reached the service.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: usize,
}

impl Reached {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let value = values.next();
        assert!(values.next().is_none(), "{name} stands twice");
        value.map(|(_, value)| value.as_str())
    }
}

/// What the echo service does instead of answering at once, chosen by the query.
#[derive(Clone, Default)]
pub(crate) struct Echo {
    reached: Arc<Mutex<Vec<Reached>>>,
    /// Lets a streamed answer go on.
    pub(crate) go_on: Arc<tokio::sync::Notify>,
    /// Counts requests that were dropped before they were answered.
    pub(crate) dropped: Arc<AtomicU32>,
}

impl Echo {
    pub(crate) fn take(&self) -> Vec<Reached> {
        std::mem::take(&mut *self.reached.lock().unwrap())
    }

    /// The only request since the last look.
    pub(crate) fn one(&self) -> Reached {
        let mut all = self.take();
        assert_eq!(all.len(), 1, "{all:?}");
        all.pop().unwrap()
    }
}

struct CountDrop(Arc<AtomicU32>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn echo(State(echo): State<Echo>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let body = body.collect().await.map_or(0, |body| body.to_bytes().len());
    let pairs = parts.headers.iter();
    let headers = pairs
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect();
    echo.reached.lock().unwrap().push(Reached {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        headers,
        body,
    });
    match query.as_str() {
        "do=hang" => {
            let _counted = CountDrop(Arc::clone(&echo.dropped));
            std::future::pending().await
        }
        "do=stream" => {
            let go_on = Arc::clone(&echo.go_on);
            let chunks = futures_util::stream::unfold(0, move |sent| {
                let go_on = Arc::clone(&go_on);
                async move {
                    match sent {
                        0 => Some((Ok::<_, std::io::Error>(Bytes::from("first")), 1)),
                        1 => {
                            go_on.notified().await;
                            Some((Ok(Bytes::from("last")), 2))
                        }
                        _ => None,
                    }
                }
            });
            Body::from_stream(chunks).into_response()
        }
        "do=401" => StatusCode::UNAUTHORIZED.into_response(),
        "do=leak" => {
            let fields = [
                ("server", "echo/1"),
                ("x-interline-instance", "7"),
                ("access-control-allow-origin", "*"),
                ("x-request-id", "inner"),
                ("cache-control", "public, max-age=3"),
                ("etag", "\"v1\""),
            ];
            (fields, "{}").into_response()
        }
        _ => ([("content-type", "application/json")], "{\"echo\":true}").into_response(),
    }
}

/// Everything that a test needs.
pub(crate) struct Stack {
    pub(crate) gateway: Running,
    pub(crate) echo: Echo,
    pub(crate) client: reqwest::Client,
    pub(crate) clock: Clock,
    pub(crate) issuer: Issuer,
    pub(crate) signer: TokenSigner,
    folder: PathBuf,
}

impl Drop for Stack {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn rules() -> AccessRules {
    AccessRules {
        issuer: "http://localhost:8000".to_owned(),
        audience: "interline".to_owned(),
    }
}

pub(crate) fn folder() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    std::env::temp_dir().join(format!("interline-gateway-{}-{number}", std::process::id()))
}

/// A server on port 0; its base URL.
pub(crate) async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

impl Stack {
    pub(crate) async fn new() -> Self {
        Self::with(|sources| sources).await
    }

    /// A stack with further configuration.
    pub(crate) async fn with(configure: impl FnOnce(Sources) -> Sources) -> Self {
        Self::scripted(|_| {}, configure).await
    }

    /// A stack whose identity service was told something before the gateway starts.
    pub(crate) async fn scripted(
        script: impl FnOnce(&Issuer),
        configure: impl FnOnce(Sources) -> Sources,
    ) -> Self {
        let folder = folder();
        let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
        let life = Duration::from_secs(900);
        let signer = TokenSigner::development(&folder, rules(), life, clock.clone()).unwrap();
        let echo = Echo::default();
        let echoing = Router::new()
            .route("/health/ready", get(|| async { "ready" }))
            .fallback(self::echo)
            .with_state(echo.clone());
        let issuer = Issuer::publishing(serde_json::to_value(signer.jwks()).unwrap());
        script(&issuer);
        let identity = issuer.routes().merge(echoing.clone());
        // A test that is about none of them shall meet none of them.
        let mut sources = Sources::default();
        for class in ["search", "read", "write", "login", "page"] {
            let key = format!("limits.{class}.quota");
            sources = sources.with("test", &key, 300_000);
        }
        for cache in ["flights", "hotels", "cars", "places"] {
            let key = format!("cache.{cache}.fresh_seconds");
            sources = sources.with("test", &key, 0);
        }
        let sources = sources
            .with("test", "validation.requests", false)
            .with("test", "data_dir", folder.display().to_string())
            .with("test", "listen.port", 0)
            .with("test", "upstreams.flight_service.url", serve(echoing).await)
            .with("test", "upstreams.auth_service.url", serve(identity).await);
        let spec = api_gateway::service();
        let settings = Settings::load(spec.name, &spec.defaults(), &configure(sources)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = start(&spec, settings, clock.clone(), listener)
            .await
            .unwrap();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            gateway,
            echo,
            client,
            clock,
            issuer,
            signer,
            folder,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.gateway.url())
    }

    pub(crate) fn token(&self, role: Role) -> String {
        self.token_of(role, None, None)
    }

    /// A token of a log-in or of an OAuth client.
    pub(crate) fn token_of(
        &self,
        role: Role,
        session: Option<&str>,
        client: Option<&str>,
    ) -> String {
        let says = AccessClaims {
            subject: "usr_1",
            role,
            permissions: role.permissions(),
            session,
            client,
        };
        self.signer.sign(&says).unwrap().token
    }

    /// A token of an account of this id.
    pub(crate) fn token_for(&self, role: Role, subject: &str) -> String {
        let says = AccessClaims {
            subject,
            role,
            permissions: role.permissions(),
            session: None,
            client: None,
        };
        self.signer.sign(&says).unwrap().token
    }

    /// A request with one API key and no token.
    pub(crate) fn keyed(&self, key: &str, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method.parse().unwrap(), self.url(path))
            .header("x-api-key", key)
    }

    /// A request of an agent, who may do all that the catalogue has.
    pub(crate) fn agent(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method.parse().unwrap(), self.url(path))
            .bearer_auth(self.token(Role::Agent))
    }

    /// The private key that tokens are signed with, as a file.
    pub(crate) fn signing_key(&self) -> PathBuf {
        self.folder.join("keys").join("signing.pem")
    }

    pub(crate) fn hop_verifier(&self, service: &str) -> HopVerifier {
        HopVerifier::development(&self.folder, service, self.clock.clone()).unwrap()
    }

    /// Sends bytes as they are and reads until the gateway closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.gateway.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        // A connection reset after the answer is as good as a close.
        let _ = tokio::time::timeout(Duration::from_secs(10), read)
            .await
            .unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A raw request for a target, with a token; its status.
    pub(crate) async fn status_of(&self, method: &str, target: &str, token: Option<&str>) -> u16 {
        let bearer = token.map_or(String::new(), |token| {
            format!("Authorization: Bearer {token}\r\n")
        });
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: gateway.test\r\n{bearer}Connection: close\r\n\r\n"
        );
        status(&self.raw(request.as_bytes()).await)
    }
}

pub(crate) fn status(answer: &str) -> u16 {
    answer
        .get(9..12)
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("{answer:?}"))
}
