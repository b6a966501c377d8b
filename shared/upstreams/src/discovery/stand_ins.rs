//! What the tests of the registries share.

use std::collections::HashMap;
use std::time::Duration;

use axum::Router;
use http::Uri;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Followed, Registries};
use crate::address::Discovery;
use crate::endpoint::Targets;

/// How long a test waits for what must come.
const LONG: Duration = Duration::from_secs(20);

/// Serves on a free port of this machine; gives back the address.
pub(super) async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

pub(super) fn follow(address: &str, registries: &Registries) -> Followed {
    let discovery: Discovery = address.parse().unwrap();
    discovery.follow(registries).unwrap()
}

/// What a request asks for.
pub(super) fn asked(uri: &Uri) -> HashMap<String, String> {
    let query = uri.query().unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

fn names(targets: &Targets) -> Vec<String> {
    targets.iter().map(|target| target.id.to_string()).collect()
}

/// Waits until exactly these instances are known.
pub(super) async fn becomes(targets: &mut watch::Receiver<Targets>, expected: &[&str]) {
    let found = timeout(LONG, targets.wait_for(|targets| names(targets) == expected));
    let came = found.await.is_ok();
    if !came {
        panic!("{:?} is not {expected:?}", names(&targets.borrow()));
    }
}

pub(super) fn known(targets: &watch::Receiver<Targets>) -> Vec<String> {
    names(&targets.borrow())
}

/// Waits until the stand-in is in such a state.
pub(super) async fn reaches<T>(state: &watch::Sender<T>, such: impl FnMut(&T) -> bool) {
    let mut receiver = state.subscribe();
    let reached = timeout(LONG, receiver.wait_for(such)).await;
    assert!(
        reached.is_ok_and(|state| state.is_ok()),
        "it never comes to that"
    );
}
