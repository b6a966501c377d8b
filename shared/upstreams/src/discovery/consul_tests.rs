//! Stories of Consul, told to a stand-in that keeps state and blocks as an agent does.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::stand_ins::{asked, becomes, follow, known, reaches, serve};
use super::{ConsulAccess, Followed, Registries};

#[derive(Default)]
struct Agent {
    index: u64,
    /// Host, port, weight, and whether its checks pass.
    instances: Vec<(&'static str, u16, u32, bool)>,
    broken: bool,
    /// The index, if any, and the token of each query.
    asked: Vec<(Option<u64>, String)>,
}

type Stand = Arc<watch::Sender<Agent>>;

async fn health(
    State(agent): State<Stand>,
    Path(service): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    assert_eq!(service, "flights");
    let query = asked(&uri);
    let index: Option<u64> = query.get("index").map(|index| index.parse().unwrap());
    let token = headers.get("x-consul-token");
    let token = token.map_or("", |token| token.to_str().unwrap()).to_owned();
    agent.send_modify(|agent| agent.asked.push((index, token)));
    if let Some(index) = index {
        assert!(query.contains_key("wait"));
        let mut changes = agent.subscribe();
        let news = changes.wait_for(|agent| agent.broken || agent.index > index);
        // A real agent holds a query for as long as it is told to.
        drop(timeout(Duration::from_millis(300), news).await);
    }
    let agent = agent.borrow();
    if agent.broken {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let passing = query.contains_key("passing");
    let entries: Vec<Value> = agent
        .instances
        .iter()
        .filter(|instance| instance.3 || !passing)
        .map(|(host, port, weight, _)| {
            // An instance without an address of its own has its node's.
            json!({
                "Node": {"Node": "n1", "Address": "10.9.9.9"},
                "Service": {"ID": "x", "Address": host, "Port": port,
                            "Weights": {"Passing": weight, "Warning": 1}},
                "Checks": [],
            })
        })
        .collect();
    ([("x-consul-index", agent.index.to_string())], Json(entries)).into_response()
}

async fn start(grace: Duration) -> (Stand, Followed) {
    let (stand, access) = agent().await;
    let registries = Registries {
        consul: access,
        empty_grace: grace,
        ..Registries::default()
    };
    let followed = follow("consul://flights", &registries);
    (stand, followed)
}

async fn agent() -> (Stand, ConsulAccess) {
    let stand: Stand = Arc::new(watch::Sender::new(Agent {
        index: 7,
        instances: vec![("10.0.0.1", 80, 1, true)],
        ..Agent::default()
    }));
    let router = Router::new().route("/v1/health/service/{service}", get(health));
    let access = ConsulAccess {
        server: serve(router.with_state(stand.clone())).await,
        token_file: None,
    };
    (stand, access)
}

fn change(stand: &Stand, change: impl FnOnce(&mut Agent)) {
    stand.send_modify(|agent| {
        agent.index += 1;
        change(agent);
    });
}

const LATER: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn instances_come_fail_their_checks_and_go() {
    let (stand, followed) = start(LATER).await;
    let mut targets = followed.targets();
    becomes(&mut targets, &["10.0.0.1:80"]).await;
    change(&stand, |agent| {
        agent.instances.push(("", 81, 5, true));
        agent.instances.push(("::1", 82, 1, true));
    });
    becomes(&mut targets, &["10.0.0.1:80", "10.9.9.9:81", "[::1]:82"]).await;
    assert_eq!(targets.borrow()[1].weight, 5);
    change(&stand, |agent| agent.instances[0].3 = false);
    becomes(&mut targets, &["10.9.9.9:81", "[::1]:82"]).await;
    change(&stand, |agent| {
        agent.instances.remove(1);
    });
    becomes(&mut targets, &["[::1]:82"]).await;
}

#[tokio::test]
async fn an_index_that_goes_backwards_is_forgotten() {
    let (stand, followed) = start(LATER).await;
    let mut targets = followed.targets();
    stand.send_modify(|agent| agent.index = 1_000);
    reaches(&stand, |agent| {
        agent.asked.iter().any(|asked| asked.0 == Some(1_000))
    })
    .await;
    // The agent is restored from an older state.
    stand.send_modify(|agent| {
        agent.index = 3;
        agent.instances = vec![("10.0.0.2", 80, 1, true)];
    });
    becomes(&mut targets, &["10.0.0.2:80"]).await;
    reaches(&stand, |agent| {
        let mut asked = agent
            .asked
            .iter()
            .skip_while(|asked| asked.0 != Some(1_000));
        asked.any(|asked| asked.0.is_none())
    })
    .await;
    change(&stand, |agent| agent.instances[0].1 = 81);
    becomes(&mut targets, &["10.0.0.2:81"]).await;
}

#[tokio::test]
async fn while_the_agent_is_broken_its_last_word_stands() {
    let (stand, followed) = start(LATER).await;
    let mut targets = followed.targets();
    becomes(&mut targets, &["10.0.0.1:80"]).await;
    let before = stand.borrow().asked.len();
    change(&stand, |agent| agent.broken = true);
    reaches(&stand, |agent| agent.asked.len() > before + 3).await;
    assert_eq!(known(&targets), ["10.0.0.1:80"]);
    change(&stand, |agent| {
        agent.broken = false;
        agent.instances[0].1 = 81;
    });
    becomes(&mut targets, &["10.0.0.1:81"]).await;
}

#[tokio::test]
async fn that_no_instance_is_left_is_believed_after_the_grace_and_not_before() {
    let (stand, followed) = start(Duration::from_millis(600)).await;
    let mut targets = followed.targets();
    becomes(&mut targets, &["10.0.0.1:80"]).await;
    let start = Instant::now();
    change(&stand, |agent| agent.instances.clear());
    becomes(&mut targets, &[]).await;
    assert!(start.elapsed() >= Duration::from_millis(600));
}

#[tokio::test]
async fn the_token_is_read_anew_for_each_query() {
    let (stand, mut access) = agent().await;
    let folder = std::env::temp_dir().join(format!("consul-{}", rand::random::<u64>()));
    std::fs::write(&folder, "first\n").unwrap();
    access.token_file = Some(folder.clone());
    let registries = Registries {
        consul: access,
        ..Registries::default()
    };
    let _followed = follow("consul://flights", &registries);
    reaches(&stand, |agent| {
        agent.asked.iter().any(|asked| asked.1 == "first")
    })
    .await;
    std::fs::write(&folder, "second\n").unwrap();
    reaches(&stand, |agent| {
        agent.asked.iter().any(|asked| asked.1 == "second")
    })
    .await;
    std::fs::remove_file(folder).unwrap();
}

#[tokio::test]
async fn a_service_that_changes_without_end_is_not_asked_without_pause() {
    let (stand, _followed) = start(LATER).await;
    let start = Instant::now();
    for queries in 1..5 {
        reaches(&stand, |agent| agent.asked.len() >= queries).await;
        change(&stand, |_| {});
    }
    assert!(start.elapsed() >= Duration::from_millis(600));
}

#[tokio::test]
async fn nobody_asks_for_those_who_no_longer_listen() {
    let (stand, followed) = start(LATER).await;
    becomes(&mut followed.targets(), &["10.0.0.1:80"]).await;
    drop(followed);
    tokio::task::yield_now().await;
    let asked = stand.borrow().asked.len();
    change(&stand, |_| {});
    let mut states = stand.subscribe();
    states.mark_unchanged();
    let more = timeout(
        Duration::from_millis(700),
        states.wait_for(|a| a.asked.len() > asked + 1),
    );
    assert!(more.await.is_err());
}
