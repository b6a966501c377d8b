//! Instances by the EndpointSlices of a Kubernetes service: a list, then a watch from there on
//! (Kubernetes API concepts, "Efficient detection of changes"; `discovery.k8s.io/v1`). Written by its
//! documentation and run against a stand-in for the API server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::StatusCode;
use http::header::AUTHORIZATION;
use serde::Deserialize;

use super::registry::{Lines, Registry, expect_ok};
use super::{Answers, KubernetesAccess, Patience};
use crate::endpoint::{EndpointId, Target};

/// How long the server keeps a watch, in seconds, and how long it may take with everything.
const WATCH: &str = "290";
const WATCH_TIMEOUT: Duration = Duration::from_secs(300);
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct Kubernetes {
    registry: Registry,
    path: String,
    selector: String,
    port: String,
}

/// Slices by name, and the version that they are of.
struct Known {
    slices: BTreeMap<String, Slice>,
    version: String,
}

/// Why a watch ended.
enum End {
    /// It can go on from the version that is known.
    Over,
    /// That version is gone (410): everything is to be listed again.
    Gone,
    /// Nobody listens any more.
    Unheard,
}

#[derive(Deserialize)]
struct List {
    metadata: Metadata,
    items: Vec<Slice>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    resource_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Slice {
    metadata: Metadata,
    address_type: String,
    #[serde(default)]
    endpoints: Option<Vec<Endpoint>>,
    #[serde(default)]
    ports: Option<Vec<Port>>,
}

#[derive(Deserialize)]
struct Endpoint {
    addresses: Vec<String>,
    #[serde(default)]
    conditions: Conditions,
}

#[derive(Default, Deserialize)]
struct Conditions {
    /// Absent means ready.
    ready: Option<bool>,
}

#[derive(Deserialize)]
struct Port {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    protocol: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    object: serde_json::Value,
}

impl Kubernetes {
    pub(super) fn new(
        access: &KubernetesAccess,
        namespace: &str,
        service: &str,
        port: String,
    ) -> Result<Self, String> {
        let registry = Registry::new(&access.server, access.ca_file.as_deref())?;
        Ok(Self {
            registry: registry.with_token(AUTHORIZATION, "Bearer ", access.token_file.as_ref()),
            path: format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"),
            selector: format!("kubernetes.io/service-name={service}"),
            port,
        })
    }

    pub(super) async fn follow(&self, answers: &Answers) {
        let mut patience = Patience::new();
        let mut known: Option<Known> = None;
        loop {
            let end = match &mut known {
                None => match self.list().await {
                    Ok(listed) => {
                        let targets = self.targets(&listed.slices);
                        known = Some(listed);
                        patience.reward();
                        match answers.send(Ok(targets)).await {
                            Ok(()) => continue,
                            Err(_) => return,
                        }
                    }
                    Err(detail) => Err(detail),
                },
                Some(known) => self.watch(known, answers, &mut patience).await,
            };
            match end {
                Ok(End::Unheard) => return,
                Ok(End::Over) => {}
                Ok(End::Gone) => {
                    known = None;
                    // A server that calls every version gone must not be listed without pause.
                    patience.wait().await;
                }
                Err(detail) => {
                    if answers.send(Err(detail)).await.is_err() {
                        return;
                    }
                    patience.wait().await;
                }
            }
        }
    }

    async fn list(&self) -> Result<Known, String> {
        let query = [("labelSelector", self.selector.as_str())];
        let response = self.registry.get(&self.path, &query, LIST_TIMEOUT).await?;
        let document = Registry::document(response).await?;
        let list: List = serde_json::from_slice(&document).map_err(|error| error.to_string())?;
        let named = list
            .items
            .into_iter()
            .map(|slice| (slice.metadata.name.clone(), slice));
        Ok(Known {
            slices: named.collect(),
            version: list.metadata.resource_version,
        })
    }

    async fn watch(
        &self,
        known: &mut Known,
        answers: &Answers,
        patience: &mut Patience,
    ) -> Result<End, String> {
        let version = known.version.clone();
        let query = [
            ("labelSelector", self.selector.as_str()),
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", version.as_str()),
            ("timeoutSeconds", WATCH),
        ];
        let response = self.registry.get(&self.path, &query, WATCH_TIMEOUT).await?;
        if response.status() == StatusCode::GONE {
            return Ok(End::Gone);
        }
        expect_ok(response.status())?;
        let mut lines = Lines::new(response);
        let mut heard = false;
        while let Some(line) = lines.next().await? {
            heard = true;
            let event: Event = serde_json::from_slice(&line).map_err(|error| error.to_string())?;
            if event.kind == "ERROR" {
                let code = event.object.get("code").and_then(serde_json::Value::as_u64);
                return match code {
                    Some(410) => Ok(End::Gone),
                    _ => Err(format!(
                        "the watch ended with code {}",
                        code.unwrap_or_default()
                    )),
                };
            }
            if !known.apply(event)? {
                continue;
            }
            patience.reward();
            if answers.send(Ok(self.targets(&known.slices))).await.is_err() {
                return Ok(End::Unheard);
            }
        }
        if !heard {
            // A server that ends each watch at once must not be asked without pause.
            patience.wait().await;
        }
        Ok(End::Over)
    }

    /// Every ready endpoint once: by IPv4 if there are any, else by IPv6; each slice has one kind, and
    /// one endpoint may stand in slices of both.
    fn targets(&self, slices: &BTreeMap<String, Slice>) -> Vec<Target> {
        let of_kind = |kind: &str| {
            let slices = slices.values().filter(|slice| slice.address_type == kind);
            slices.flat_map(|slice| slice.ready(&self.port)).collect()
        };
        let mut found: BTreeSet<(String, u16)> = of_kind("IPv4");
        if found.is_empty() {
            found = of_kind("IPv6");
        }
        let ids = found
            .iter()
            .filter_map(|(host, port)| EndpointId::new(host, *port));
        ids.map(Target::plain).collect()
    }
}

impl Known {
    /// Whether endpoints may have changed. A bookmark tells no more than how far the watch has come.
    fn apply(&mut self, event: Event) -> Result<bool, String> {
        if event.kind == "BOOKMARK" {
            let version = event.object.pointer("/metadata/resourceVersion");
            let version = version.and_then(serde_json::Value::as_str);
            self.version = version.ok_or("a bookmark without a version")?.to_owned();
            return Ok(false);
        }
        let slice: Slice =
            serde_json::from_value(event.object).map_err(|error| error.to_string())?;
        self.version = slice.metadata.resource_version.clone();
        let name = slice.metadata.name.clone();
        match event.kind.as_str() {
            "ADDED" | "MODIFIED" => self.slices.insert(name, slice),
            "DELETED" => self.slices.remove(&name),
            kind => return Err(format!("an event of the unknown kind '{kind}'")),
        };
        Ok(true)
    }
}

impl Slice {
    /// Hosts and ports of what is ready. Of several addresses of one endpoint any will do.
    fn ready(&self, name: &str) -> Vec<(String, u16)> {
        let named = |port: &&Port| {
            port.name.as_deref().unwrap_or_default() == name
                && port.protocol.as_deref().unwrap_or("TCP") == "TCP"
        };
        let mut ports = self.ports.iter().flatten().filter(named);
        let Some(port) = ports.find_map(|port| port.port) else {
            return Vec::new();
        };
        let endpoints = self.endpoints.iter().flatten();
        endpoints
            .filter(|endpoint| endpoint.conditions.ready.unwrap_or(true))
            .filter_map(|endpoint| Some((endpoint.addresses.first()?.clone(), port)))
            .collect()
    }
}
