//! Instances by Consul's health API, with blocking queries: the agent answers when something has
//! changed, or after a while. Written by its documentation (Consul HTTP API, "Blocking Queries" and
//! "Health"); never run against a Consul agent.

use std::time::Duration;

use http::HeaderName;
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};

use super::registry::Registry;
use super::{Answers, ConsulAccess, Patience};
use crate::endpoint::{EndpointId, Target};

/// How long the agent may hold a query, in its words; it adds up to a sixteenth.
const WAIT: &str = "55s";
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(70);
/// The least time between two queries, for a service that changes without end.
const PACE: Duration = Duration::from_millis(200);

pub(super) struct Consul {
    registry: Registry,
    path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    node: Node,
    service: Service,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    /// Empty if it is the node's.
    #[serde(default)]
    address: String,
    port: u16,
    weights: Option<Weights>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Weights {
    passing: u32,
}

impl Consul {
    pub(super) fn new(access: &ConsulAccess, service: String) -> Result<Self, String> {
        let field = HeaderName::from_static("x-consul-token");
        Ok(Self {
            registry: Registry::new(&access.server, None)?.with_token(
                field,
                "",
                access.token_file.as_ref(),
            ),
            path: format!("/v1/health/service/{service}"),
        })
    }

    pub(super) async fn follow(&self, answers: &Answers) {
        let mut patience = Patience::new();
        let mut index = 0;
        loop {
            let next = Instant::now() + PACE;
            let answer = self.ask(index).await;
            let failed = answer.is_err();
            let targets = answer.map(|(targets, new)| {
                // An index that goes backwards belongs to another agent or a restored one: what it
                // would be waited for may be long past.
                index = if new < index { 0 } else { new };
                targets
            });
            if failed {
                index = 0;
            }
            if answers.send(targets).await.is_err() {
                return;
            }
            if failed {
                patience.wait().await;
            } else {
                patience.reward();
                sleep_until(next).await;
            }
        }
    }

    /// The instances, and the index to wait for a change of.
    async fn ask(&self, index: u64) -> Result<(Vec<Target>, u64), String> {
        let index = index.to_string();
        let mut query = vec![("passing", "true")];
        if index != "0" {
            query.extend([("index", index.as_str()), ("wait", WAIT)]);
        }
        let response = self.registry.get(&self.path, &query, TIMEOUT).await?;
        let index = response.headers().get("x-consul-index").cloned();
        let document = Registry::document(response).await?;
        let index = index.and_then(|value| value.to_str().ok()?.parse().ok());
        // A query without an index is answered at once: an agent that tells none would be asked without
        // end. Zero is none.
        let index = index.ok_or("the answer has no X-Consul-Index")?;
        let entries: Vec<Entry> =
            serde_json::from_slice(&document).map_err(|error| error.to_string())?;
        let targets = entries
            .iter()
            .map(Entry::target)
            .collect::<Result<_, _>>()?;
        Ok((targets, std::cmp::max(index, 1)))
    }
}

impl Entry {
    fn target(&self) -> Result<Target, String> {
        let service = &self.service;
        let host = match service.address.as_str() {
            "" => self.node.address.as_str(),
            address => address,
        };
        let id = EndpointId::new(host, service.port)
            .filter(|_| service.port > 0)
            .ok_or_else(|| format!("'{host}' and {} are no host and port", service.port))?;
        let mut target = Target::plain(id);
        let weight = service
            .weights
            .as_ref()
            .map_or(1, |weights| weights.passing);
        target.weight = weight.max(1);
        Ok(target)
    }
}
