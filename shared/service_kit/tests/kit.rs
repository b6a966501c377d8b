//! A small service under the kit, over real connections.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what a test unwraps it asserts"
)]

use std::time::Duration;

use auth::{HOP_HEADER, HopSigner, Identity, Permission, Role};
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use service_kit::{
    Access, ApiError, App, Caller, Check, Colleagues, Context, Cx, Need, Profile, Routes,
    ServiceSpec, StartError, StrictJson,
};
use settings::{Settings, Sources};
use supplier_client::{CallCx, SupplierMetrics, WireRequest};
use testkit::{Client, Stack};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use travel_types::Clock;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    text: String,
}

async fn who(cx: Cx, caller: Caller) -> Result<Response, ApiError> {
    cx.ok(caller.subject())
}

async fn wish(cx: Cx, _: Caller, body: StrictJson<Wish>) -> Result<Response, ApiError> {
    cx.ok(body.value.text)
}

async fn panics() -> String {
    panic!("a secret of the inside");
}

async fn patience(cx: Cx) -> Result<Response, ApiError> {
    cx.ok(u64::try_from(cx.deadline.left().as_millis()).unwrap())
}

/// Reads what everybody may read
#[utoipa::path(get, path = "/things/public", responses((status = 200, description = "It.")))]
async fn public(cx: Cx) -> Result<Response, ApiError> {
    cx.ok("public")
}

/// Reads what whoever is known may read
#[utoipa::path(get, path = "/things/known", responses((status = 200, description = "It.")))]
async fn known(cx: Cx) -> Result<Response, ApiError> {
    cx.ok("known")
}

/// Reads what is one's own
#[utoipa::path(get, path = "/things/own", responses((status = 200, description = "It.")))]
async fn own(cx: Cx) -> Result<Response, ApiError> {
    cx.ok("own")
}

/// Reads the audit trail
#[utoipa::path(get, path = "/things/audit", responses((status = 200, description = "It.")))]
async fn audit(cx: Cx) -> Result<Response, ApiError> {
    cx.ok("audit")
}

fn routes() -> Routes {
    let audited = Need::Permission(Permission::AuditRead);
    let things = Routes::default()
        .route(Need::Public, service_kit::routes!(public))
        .route(Need::Authenticated, service_kit::routes!(known))
        .route(Need::Login, service_kit::routes!(own))
        .route(audited, service_kit::routes!(audit));
    Routes::default()
        .internal(Need::Authenticated, "/who", get(who))
        .internal(Need::Authenticated, "/wish", post(wish))
        .internal(Need::Public, "/panic", get(panics))
        .internal(Need::Public, "/patience", get(patience))
        .internal(audited, "/inside", get(patience))
        .nest("/v1", things.with_state(()))
}

async fn build(_: Context) -> Result<App, StartError> {
    Ok(App {
        interface: routes().into(),
        checks: vec![Check::required("moon", || async { Err("is down".to_owned()) }).optional()],
    })
}

fn spec() -> ServiceSpec {
    ServiceSpec {
        name: "kit_service",
        access: Access::Gateway,
        config: Vec::new(),
        openapi: || service_kit::openapi::written(&routes().into_openapi()),
        build: |context| Box::pin(build(context)),
    }
}

async fn start(settings: testkit::Settings<'_>) -> Stack {
    Stack::in_process(&[spec()], Clock::system(), settings).await
}

/// A caller with an identity that the service believes.
fn agent(stack: &Stack) -> Client {
    caller(
        stack,
        &Identity::new("usr_agent".into(), Role::Agent, Vec::new()),
    )
}

fn caller(stack: &Stack, identity: &Identity) -> Client {
    let signer = HopSigner::development(stack.data_dir(), Clock::system()).unwrap();
    let identity = signer.sign(identity, "kit_service").unwrap();
    stack
        .client("kit_service")
        .with(HOP_HEADER.as_str(), &identity)
}

#[tokio::test]
async fn only_a_signed_identity_opens_the_door_and_operators_need_none() {
    let stack = start(&[]).await;
    let nobody = stack.client("kit_service");
    for caller in [
        nobody.clone(),
        nobody.clone().with("x-user-id", "usr_agent"),
        nobody.clone().with(HOP_HEADER.as_str(), "usr_agent"),
        agent(&stack).with(HOP_HEADER.as_str(), "usr_agent"),
    ] {
        let answer = caller.get("/who").await;
        assert_eq!((answer.status, answer.code()), (401, "UNAUTHENTICATED"));
    }
    assert_eq!(agent(&stack).get("/who").await.data(), "usr_agent");
    for path in [
        "/health",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/openapi.json",
    ] {
        assert_eq!(nobody.get(path).await.status, 200, "{path}");
    }
    let health = nobody.get("/health").await;
    assert_eq!(health.header("content-type"), "application/health+json");
    assert_eq!(health.body["status"], "warn");
    assert_eq!(health.body["checks"]["moon"]["output"], "is down");
    stack.stop().await;
}

#[tokio::test]
async fn what_a_route_needs_is_asked_before_its_handler_runs_and_stands_in_the_document() {
    let stack = start(&[]).await;
    let with = |permissions: &[Permission]| {
        Identity::new("usr_1".into(), Role::Admin, permissions.to_vec())
    };
    let nobody = Identity::anonymous();
    let login = with(&[]);
    let client = with(&[]).through_client("cli_1".into());
    let key = with(&[Permission::AuditRead]).through_api_key("key_1".into());
    let (yes, no_one, forbidden, login_required) = (
        (200, ""),
        (401, "UNAUTHENTICATED"),
        (403, "FORBIDDEN"),
        (403, "LOGIN_REQUIRED"),
    );
    for (path, need, answers) in [
        (
            "/v1/things/public",
            ("x-access", "public"),
            [yes, yes, yes, yes],
        ),
        (
            "/v1/things/known",
            ("x-access", "authenticated"),
            [no_one, yes, yes, yes],
        ),
        (
            "/v1/things/own",
            ("x-access", "login"),
            [no_one, yes, login_required, login_required],
        ),
        (
            "/v1/things/audit",
            ("x-permission", "audit:read"),
            [no_one, forbidden, forbidden, yes],
        ),
        ("/inside", ("", ""), [no_one, forbidden, forbidden, yes]),
    ] {
        for (identity, (status, code)) in [&nobody, &login, &client, &key].into_iter().zip(answers)
        {
            let answer = caller(&stack, identity).get(path).await;
            assert_eq!(answer.status, status, "{path} {identity:?}");
            if status != 200 {
                assert_eq!(answer.code(), code, "{path} {identity:?}");
            }
        }
        let document = stack.client("kit_service").get("/openapi.json").await.body;
        let operation = &document["paths"][path]["get"];
        match need {
            ("", _) => assert!(document["paths"].get(path).is_none()),
            (name, said) => assert_eq!(operation[name], said, "{path}"),
        }
        let open = path == "/v1/things/public";
        assert_eq!(operation["security"] == serde_json::json!([{}]), open);
    }
    let merged = service_kit::openapi::merge(&[("a".into(), (spec().openapi)())], "1").unwrap();
    for (path, security) in [
        ("own", serde_json::json!([{"bearer": []}])),
        (
            "audit",
            serde_json::json!([{"bearer": []}, {"apiKey": []}, {"oauth2": ["audit:read"]}]),
        ),
    ] {
        let operation = &merged["paths"][format!("/v1/things/{path}")]["get"];
        assert_eq!(operation["security"], security);
        assert!(operation["responses"]["403"].is_object());
    }
    stack.stop().await;
}

#[tokio::test]
async fn a_service_behind_the_gateway_does_not_start_with_a_route_that_names_no_need() {
    let forgetful = ServiceSpec {
        build: |_| {
            Box::pin(async {
                let forgotten = Routes::unguarded(Router::new().route("/forgotten", get(who)));
                Ok(App {
                    interface: routes().merge(forgotten).into(),
                    checks: Vec::new(),
                })
            })
        },
        ..spec()
    };
    let folder = testkit::Folder::new();
    let data_dir = folder.path().display().to_string();
    let sources = Sources::default().with("test", "data_dir", data_dir);
    let settings = Settings::load(forgetful.name, &forgetful.defaults(), &sources);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let started =
        service_kit::start(&forgetful, settings.unwrap(), Clock::system(), listener).await;
    let problem = started.unwrap_err().to_string();
    assert!(
        problem.contains("do not say who may call them"),
        "{problem}"
    );
}

#[tokio::test]
async fn whatever_goes_wrong_is_answered_in_the_envelope_and_tells_nothing() {
    let stack = start(&[("kit_service", "http.max_body_bytes", "64")]).await;
    let agent = agent(&stack);
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(100));
    for (answer, status, code) in [
        (agent.get("/panic").await, 500, "INTERNAL_ERROR"),
        (agent.get("/nowhere").await, 404, "NOT_FOUND"),
        (agent.get("/wish").await, 405, "METHOD_NOT_ALLOWED"),
        (
            agent.send("POST", "/wish", Some(&large)).await,
            413,
            "BODY_TOO_LARGE",
        ),
        (
            agent.send("POST", "/wish", None).await,
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            agent.send("POST", "/wish", Some("{}")).await,
            422,
            "REQUIRED",
        ),
        (
            agent.send("POST", "/wish", Some("{\"text\":1e400}")).await,
            400,
            "INVALID_JSON",
        ),
    ] {
        assert_eq!(
            (answer.status, answer.code()),
            (status, code),
            "{}",
            answer.text
        );
        assert_eq!(
            answer.body["meta"]["request_id"],
            answer.header("x-request-id")
        );
        assert!(!answer.text.contains("secret"));
    }
    let said = agent
        .send("POST", "/wish", Some("{\"text\":\"rain\"}"))
        .await;
    assert_eq!(said.data(), "rain");
    stack.stop().await;
}

#[tokio::test]
async fn a_handler_never_has_more_time_than_its_caller() {
    let stack = start(&[]).await;
    let agent = agent(&stack);
    let left = agent.get("/patience").await;
    assert!((29_000..=30_000).contains(&left.data().as_u64().unwrap()));
    let hurried = agent.clone().with("x-interline-deadline-ms", "700");
    assert!(hurried.get("/patience").await.data().as_u64().unwrap() <= 700);
    let greedy = agent.with("x-interline-deadline-ms", "999999999");
    assert!(greedy.get("/patience").await.data().as_u64().unwrap() <= 30_000);
    stack.stop().await;
}

/// Connects, sends this and nothing more, and gives how long the server put up with it.
async fn kept_for(stack: &Stack, start: &[u8]) -> Duration {
    let address = stack.client("kit_service").base().replace("http://", "");
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(start).await.unwrap();
    let began = Instant::now();
    let mut rest = Vec::new();
    let closed = timeout(Duration::from_secs(20), connection.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "kept for ever");
    began.elapsed()
}

#[tokio::test]
async fn silent_and_slow_clients_are_cut_off() {
    let short = [
        ("kit_service", "http.first_byte_ms", "300"),
        ("kit_service", "http.header_ms", "500"),
    ];
    let stack = start(&short).await;
    for (start, limit) in [
        (&b""[..], 300),
        (&b"PRI * HTTP/2.0"[..], 300),
        (&b"GET /who HT"[..], 500),
        (&b"GET /who HTTP/1.1\r\nhost: x\r\na: "[..], 500),
    ] {
        let kept = kept_for(&stack, start).await;
        assert!(
            kept >= Duration::from_millis(limit / 2),
            "{start:?} {kept:?}"
        );
        assert!(
            kept < Duration::from_millis(limit + 4000),
            "{start:?} {kept:?}"
        );
    }
    stack.stop().await;
}

#[tokio::test]
async fn no_more_connections_are_served_at_once_than_allowed() {
    let stack = start(&[("kit_service", "http.max_connections", "2")]).await;
    let address = stack.client("kit_service").base().replace("http://", "");
    let idle = [
        TcpStream::connect(&address).await.unwrap(),
        TcpStream::connect(&address).await.unwrap(),
    ];
    let client = stack.client("kit_service");
    let waiting = client.get("/health/live");
    tokio::pin!(waiting);
    assert!(
        timeout(Duration::from_millis(300), &mut waiting)
            .await
            .is_err()
    );
    drop(idle);
    assert_eq!(waiting.await.status, 200);
    stack.stop().await;
}

/// What a service is built from, whose colleague `kit_service` is at this address.
fn context_of(data_dir: &std::path::Path, url: &str, profile: Profile) -> Context {
    let config = "[colleagues.kit_service]\n# Base URL of kit_service.\nurl = \"\"\n";
    let sources = Sources::default().with("test", "colleagues.kit_service.url", url);
    Context {
        name: "other_service",
        settings: Settings::load("other_service", &[service_kit::CONFIG, config], &sources)
            .unwrap(),
        profile,
        data_dir: data_dir.to_owned(),
        metrics: telemetry::Metrics::new(),
        clock: Clock::system(),
        shutdown: tokio_util::sync::CancellationToken::new(),
        tasks: tokio_util::task::TaskTracker::new(),
    }
}

fn colleagues(context: &Context) -> Result<Colleagues, StartError> {
    let metrics = SupplierMetrics::register(&context.metrics)?;
    Colleagues::new(context, &metrics, ["kit_service".to_owned()])
}

#[tokio::test]
async fn a_service_calls_another_with_the_rights_of_its_caller_and_no_more() {
    let stack = start(&[]).await;
    let url = stack.client("kit_service").base().to_owned();
    let context = context_of(stack.data_dir(), &url, Profile::Development);
    let colleagues = colleagues(&context).unwrap();
    let call = CallCx::new(
        Instant::now() + Duration::from_secs(3),
        telemetry::Correlation::new(),
    );
    let ask = async |subject: &str, role: Role, path: &'static str| {
        let permissions = role.permissions().to_vec();
        let identity = Identity::new(subject.to_owned(), role, permissions);
        let request = WireRequest::get("ask", path);
        let answer = colleagues.call("kit_service", &identity, &call, request);
        answer.await.unwrap()
    };
    let who = ask("usr_7", Role::Agent, "/who").await;
    let said: serde_json::Value = who.json().unwrap();
    assert_eq!(said["data"], "usr_7");
    assert_eq!(said["meta"]["request_id"], call.correlation.request_id());
    assert_eq!(ask("usr_7", Role::Agent, "/inside").await.status, 403);
    assert_eq!(ask("usr_8", Role::Admin, "/inside").await.status, 200);
    let left: serde_json::Value = ask("usr_7", Role::Agent, "/patience").await.json().unwrap();
    let left = left["data"].as_u64().unwrap();
    assert!((1..=3000).contains(&left), "{left} ms");

    let nobody = Identity::anonymous();
    let unknown = colleagues.call("x", &nobody, &call, WireRequest::get("ask", "/who"));
    assert!(unknown.await.is_err());
    stack.stop().await;
}

#[tokio::test]
async fn production_calls_no_service_with_a_key_that_it_made_itself() {
    let folder = testkit::Folder::new();
    let context = context_of(folder.path(), "http://127.0.0.1:1", Profile::Production);
    let problem = colleagues(&context).unwrap_err().to_string();
    assert!(
        problem.contains("identity.service_private_key"),
        "{problem}"
    );
    let context = context_of(folder.path(), "nowhere", Profile::Development);
    let problem = colleagues(&context).unwrap_err().to_string();
    assert!(problem.contains("colleagues.kit_service.url"), "{problem}");
}
