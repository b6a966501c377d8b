//! Stories of Kubernetes, told to a stand-in for the API server that lists, watches and forgets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::stream;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::stand_ins::{asked, becomes, follow, known, reaches, serve};
use super::{Followed, KubernetesAccess, Registries};

#[derive(Default)]
struct Api {
    version: u64,
    slices: BTreeMap<&'static str, Value>,
    /// What happened at which version.
    events: Vec<(u64, Value)>,
    /// Versions before this are gone.
    oldest: u64,
    /// Whether a watch from a version that is gone is refused by its status, or by an event.
    gone_by_status: bool,
    broken: bool,
    /// Grows when all watches are cut off.
    cuts: u64,
    lists: usize,
    /// The versions from which was watched.
    watched: Vec<u64>,
    tokens: Vec<String>,
}

type Stand = Arc<watch::Sender<Api>>;

async fn slices(State(api): State<Stand>, uri: Uri, headers: HeaderMap) -> Response {
    let query = asked(&uri);
    assert_eq!(query["labelSelector"], "kubernetes.io/service-name=flights");
    let token = headers
        .get("authorization")
        .map(|token| token.to_str().unwrap().to_owned());
    api.send_modify(|api| api.tokens.extend(token));
    if api.borrow().broken {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if !query.contains_key("watch") {
        api.send_modify(|api| api.lists += 1);
        let api = api.borrow();
        let items: Vec<&Value> = api.slices.values().collect();
        let version = api.version.to_string();
        return Json(json!({"kind": "EndpointSliceList",
                           "metadata": {"resourceVersion": version}, "items": items}))
        .into_response();
    }
    assert_eq!(query["allowWatchBookmarks"], "true");
    let from: u64 = query["resourceVersion"].parse().unwrap();
    api.send_modify(|api| api.watched.push(from));
    let (gone, by_status, cuts) = {
        let api = api.borrow();
        (from < api.oldest, api.gone_by_status, api.cuts)
    };
    if gone && by_status {
        return StatusCode::GONE.into_response();
    }
    if gone {
        let status = json!({"kind": "Status", "code": 410, "reason": "Expired"});
        return format!("{}\n", json!({"type": "ERROR", "object": status})).into_response();
    }
    let receiver = api.subscribe();
    let events = stream::unfold((receiver, from), move |(mut receiver, from)| async move {
        let (line, version) = {
            let news = |api: &Api| api.cuts != cuts || api.events.iter().any(|(at, _)| *at > from);
            let api = receiver.wait_for(news).await.ok()?;
            if api.cuts != cuts {
                return None;
            }
            let (version, event) = api.events.iter().find(|(at, _)| *at > from)?;
            (format!("{event}\n"), *version)
        };
        Some((
            Ok::<_, std::io::Error>(Bytes::from(line)),
            (receiver, version),
        ))
    });
    Body::from_stream(events).into_response()
}

/// A slice with these endpoints; a port named `http`, and another.
fn slice(name: &str, kind: &str, endpoints: &[(&str, Option<bool>)]) -> Value {
    let endpoints: Vec<Value> = endpoints
        .iter()
        .map(|(address, ready)| json!({"addresses": [address], "conditions": {"ready": ready}}))
        .collect();
    json!({
        "metadata": {"name": name, "namespace": "travel"},
        "addressType": kind,
        "endpoints": endpoints,
        "ports": [{"name": "metrics", "port": 9090, "protocol": "TCP"},
                  {"name": "http", "port": 8080, "protocol": "TCP"}],
    })
}

fn happens(stand: &Stand, kind: &str, name: &'static str, mut object: Value) {
    stand.send_modify(|api| {
        api.version += 1;
        object["metadata"]["resourceVersion"] = json!(api.version.to_string());
        match kind {
            "DELETED" => drop(api.slices.remove(name)),
            "BOOKMARK" => {}
            _ => drop(api.slices.insert(name, object.clone())),
        }
        api.events
            .push((api.version, json!({"type": kind, "object": object})));
    });
}

async fn start(grace: Duration) -> (Stand, Followed) {
    let stand: Stand = Arc::new(watch::Sender::new(Api {
        version: 10,
        ..Api::default()
    }));
    let first = [
        ("10.0.0.1", Some(true)),
        ("10.0.0.2", None),
        ("10.0.0.3", Some(false)),
    ];
    happens(&stand, "ADDED", "a", slice("a", "IPv4", &first));
    let registries = Registries {
        kubernetes: api(&stand).await,
        empty_grace: grace,
        ..Registries::default()
    };
    let followed = follow("kubernetes://travel/flights:http", &registries);
    (stand, followed)
}

async fn api(stand: &Stand) -> KubernetesAccess {
    let path = "/apis/discovery.k8s.io/v1/namespaces/travel/endpointslices";
    let router = Router::new()
        .route(path, get(slices))
        .with_state(stand.clone());
    KubernetesAccess {
        server: serve(router).await,
        token_file: None,
        ca_file: None,
    }
}

const LATER: Duration = Duration::from_secs(3_600);
const FIRST: [&str; 2] = ["10.0.0.1:8080", "10.0.0.2:8080"];

#[tokio::test]
async fn ready_endpoints_are_followed_through_every_change() {
    let (stand, followed) = start(LATER).await;
    let mut targets = followed.targets();
    becomes(&mut targets, &FIRST).await;
    happens(
        &stand,
        "ADDED",
        "b",
        slice("b", "IPv4", &[("10.0.0.9", Some(true))]),
    );
    becomes(
        &mut targets,
        &["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.9:8080"],
    )
    .await;
    let now = [("10.0.0.1", Some(false)), ("10.0.0.3", Some(true))];
    happens(&stand, "MODIFIED", "a", slice("a", "IPv4", &now));
    becomes(&mut targets, &["10.0.0.3:8080", "10.0.0.9:8080"]).await;
    happens(&stand, "DELETED", "a", slice("a", "IPv4", &now));
    becomes(&mut targets, &["10.0.0.9:8080"]).await;
    assert_eq!(stand.borrow().lists, 1);
}

#[tokio::test]
async fn an_endpoint_with_two_kinds_of_address_is_one_instance() {
    let (stand, followed) = start(LATER).await;
    let mut targets = followed.targets();
    let same = [("fd00::1", Some(true)), ("fd00::2", Some(true))];
    happens(&stand, "ADDED", "six", slice("six", "IPv6", &same));
    becomes(&mut targets, &FIRST).await;
    happens(&stand, "DELETED", "a", slice("a", "IPv4", &[]));
    becomes(&mut targets, &["[fd00::1]:8080", "[fd00::2]:8080"]).await;
}

#[tokio::test]
async fn a_watch_that_ends_goes_on_from_the_last_bookmark() {
    let (stand, followed) = start(LATER).await;
    let mut targets = followed.targets();
    becomes(&mut targets, &FIRST).await;
    stand.send_modify(|api| api.version = 499);
    happens(&stand, "BOOKMARK", "", json!({"metadata": {}}));
    // The stand-in sends one event after the other: with this one the bookmark is heard.
    happens(
        &stand,
        "ADDED",
        "b",
        slice("b", "IPv4", &[("10.0.0.9", Some(true))]),
    );
    becomes(
        &mut targets,
        &["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.9:8080"],
    )
    .await;
    stand.send_modify(|api| api.version = 599);
    happens(&stand, "BOOKMARK", "", json!({"metadata": {}}));
    stand.send_modify(|api| api.oldest = 500);
    stand.send_modify(|api| api.cuts += 1);
    happens(&stand, "DELETED", "b", slice("b", "IPv4", &[]));
    becomes(&mut targets, &FIRST).await;
    let api = stand.borrow();
    assert_eq!(api.lists, 1, "{:?}", api.watched);
    assert!(
        api.watched.iter().any(|version| *version >= 501),
        "{:?}",
        api.watched
    );
}

#[tokio::test]
async fn when_the_version_is_gone_everything_is_listed_again() {
    for by_status in [true, false] {
        let (stand, followed) = start(LATER).await;
        let mut targets = followed.targets();
        becomes(&mut targets, &FIRST).await;
        reaches(&stand, |api| api.watched.len() == 1).await;
        // What happens while the watch is down is forgotten by the server.
        stand.send_modify(|api| {
            api.gone_by_status = by_status;
            api.slices
                .insert("a", slice("a", "IPv4", &[("10.0.0.7", Some(true))]));
            api.version = 1_000;
            api.oldest = 1_000;
            api.cuts += 1;
        });
        becomes(&mut targets, &["10.0.0.7:8080"]).await;
        assert_eq!(stand.borrow().lists, 2);
        happens(
            &stand,
            "MODIFIED",
            "a",
            slice("a", "IPv4", &[("10.0.0.8", Some(true))]),
        );
        becomes(&mut targets, &["10.0.0.8:8080"]).await;
    }
}

#[tokio::test]
async fn while_the_api_server_is_broken_its_last_word_stands() {
    let (stand, followed) = start(LATER).await;
    let mut targets = followed.targets();
    becomes(&mut targets, &FIRST).await;
    reaches(&stand, |api| api.watched.len() == 1).await;
    stand.send_modify(|api| {
        api.broken = true;
        api.cuts += 1;
    });
    happens(&stand, "DELETED", "a", slice("a", "IPv4", &[]));
    happens(
        &stand,
        "ADDED",
        "b",
        slice("b", "IPv4", &[("10.0.0.9", Some(true))]),
    );
    assert_eq!(known(&targets), FIRST);
    stand.send_modify(|api| api.broken = false);
    becomes(&mut targets, &["10.0.0.9:8080"]).await;
    assert_eq!(stand.borrow().lists, 1);
}

#[tokio::test]
async fn a_service_without_ready_endpoints_is_believed_after_the_grace() {
    let (stand, followed) = start(Duration::from_millis(300)).await;
    let mut targets = followed.targets();
    becomes(&mut targets, &FIRST).await;
    happens(
        &stand,
        "MODIFIED",
        "a",
        slice("a", "IPv4", &[("10.0.0.1", Some(false))]),
    );
    becomes(&mut targets, &[]).await;
}

#[tokio::test]
async fn the_service_accounts_token_is_read_anew_for_each_request() {
    let stand: Stand = Arc::new(watch::Sender::new(Api::default()));
    let file = std::env::temp_dir().join(format!("kubernetes-{}", rand::random::<u64>()));
    std::fs::write(&file, "first\n").unwrap();
    let mut access = api(&stand).await;
    access.token_file = Some(file.clone());
    let registries = Registries {
        kubernetes: access,
        ..Registries::default()
    };
    let _followed = follow("kubernetes://travel/flights:http", &registries);
    reaches(&stand, |api| api.watched.len() == 1).await;
    assert_eq!(stand.borrow().tokens, ["Bearer first", "Bearer first"]);
    std::fs::write(&file, "second\n").unwrap();
    stand.send_modify(|api| api.cuts += 1);
    reaches(&stand, |api| {
        api.tokens.iter().any(|token| token == "Bearer second")
    })
    .await;
    std::fs::remove_file(file).unwrap();
}

#[test]
fn an_authority_file_that_is_missing_is_told_at_once() {
    let registries = Registries::default();
    let mut access = registries.kubernetes;
    access.ca_file = Some("/nowhere/ca.crt".into());
    let error = super::kubernetes::Kubernetes::new(&access, "a", "b", String::new());
    assert!(error.err().unwrap().contains("/nowhere/ca.crt"));
}
