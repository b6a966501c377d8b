//! Follows where the instances of a service are. A registry that is silent, broken or empty-handed takes
//! nothing away: what was last known stays (static stability), and only an empty answer that a registry
//! of instances itself stands by for a while is believed.

mod consul;
#[cfg(test)]
mod consul_tests;
mod dns;
#[cfg(test)]
mod dns_tests;
mod kubernetes;
#[cfg(test)]
mod kubernetes_tests;
mod registry;
#[cfg(test)]
mod stand_ins;
mod steady;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::address::Discovery;
use crate::dice::Dice;
use crate::endpoint::{Target, Targets};

/// How to ask those who know.
#[derive(Clone, Debug)]
pub struct Registries {
    /// The DNS server to ask; else those of the system.
    pub dns: Option<SocketAddr>,
    /// The longest that a DNS answer is kept, whatever its TTL.
    pub dns_max_age: Duration,
    /// Kubernetes' API server, as pods see it.
    pub kubernetes: KubernetesAccess,
    /// A Consul agent.
    pub consul: ConsulAccess,
    /// For how long an empty answer of Kubernetes or Consul must stand before it is believed.
    pub empty_grace: Duration,
}

/// How to ask Kubernetes.
#[derive(Clone, Debug)]
pub struct KubernetesAccess {
    /// `https://host:port` of the API server.
    pub server: String,
    /// The service account's token; read for each request, because it is renewed. `None` = no token.
    pub token_file: Option<PathBuf>,
    /// The certificates that the server's must come from; `None` = the system's.
    pub ca_file: Option<PathBuf>,
}

/// How to ask Consul.
#[derive(Clone, Debug)]
pub struct ConsulAccess {
    /// `http://host:port` of the agent.
    pub server: String,
    /// The file with the token; `None` = no token.
    pub token_file: Option<PathBuf>,
}

impl Default for Registries {
    fn default() -> Self {
        let account = PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount");
        Self {
            dns: None,
            dns_max_age: Duration::from_secs(30),
            kubernetes: KubernetesAccess {
                server: "https://kubernetes.default.svc".to_owned(),
                token_file: Some(account.join("token")),
                ca_file: Some(account.join("ca.crt")),
            },
            consul: ConsulAccess {
                server: "http://127.0.0.1:8500".to_owned(),
                token_file: None,
            },
            empty_grace: Duration::from_secs(30),
        }
    }
}

/// A registry cannot be asked at all, because of how it is configured.
#[derive(Debug, thiserror::Error)]
#[error("{registry}: {detail}")]
pub struct RegistryError {
    registry: &'static str,
    detail: String,
}

/// The instances of a service, followed for as long as this lives.
#[derive(Debug)]
pub struct Followed {
    targets: watch::Receiver<Targets>,
    _tasks: JoinSet<()>,
}

impl Followed {
    /// The instances; none until they are first found.
    pub fn targets(&self) -> watch::Receiver<Targets> {
        self.targets.clone()
    }
}

impl Discovery {
    /// Begins to follow the instances, in tasks of the present runtime.
    ///
    /// # Errors
    /// [`RegistryError`] for an address, file or DNS configuration that cannot be used. A registry that
    /// is not there is no error: it may come.
    pub fn follow(self, registries: &Registries) -> Result<Followed, RegistryError> {
        let known = match &self {
            Self::Static(targets) => targets.clone(),
            _ => Targets::from([]),
        };
        let (sender, targets) = watch::channel(known);
        let (answers, receiver) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        let failed = |registry| move |detail| RegistryError { registry, detail };
        let what = self.to_string();
        match self {
            Self::Static(_) => {}
            Self::Dns { host, port } => {
                let dns = dns::Dns::new(registries).map_err(failed("DNS"))?;
                tasks.spawn(async move { dns.follow_host(&host, port, &answers).await });
            }
            Self::Srv { name } => {
                let dns = dns::Dns::new(registries).map_err(failed("DNS"))?;
                tasks.spawn(async move { dns.follow_srv(&name, &answers).await });
            }
            Self::Kubernetes {
                namespace,
                service,
                port,
            } => {
                let access = &registries.kubernetes;
                let kubernetes = kubernetes::Kubernetes::new(access, &namespace, &service, port);
                let kubernetes = kubernetes.map_err(failed("Kubernetes"))?;
                tasks.spawn(async move { kubernetes.follow(&answers).await });
            }
            Self::Consul { service } => {
                let consul = consul::Consul::new(&registries.consul, service);
                let consul = consul.map_err(failed("Consul"))?;
                tasks.spawn(async move { consul.follow(&answers).await });
            }
        }
        tasks.spawn(steady::keep(receiver, sender, registries.empty_grace, what));
        Ok(Followed {
            targets,
            _tasks: tasks,
        })
    }
}

/// What a registry says: its instances, or in words for the log why it says nothing.
type Answer = Result<Vec<Target>, String>;
type Answers = mpsc::Sender<Answer>;

/// The waits after the first and after many failures in a row, on average. Milliseconds.
const FIRST_MS: u64 = 100;
const LONGEST_MS: u64 = 20_000;

/// Waits after failures: longer after each in a row, never exactly as long as the others who failed.
struct Patience {
    dice: Dice,
    failures: u32,
}

impl Patience {
    fn new() -> Self {
        Self {
            dice: Dice::new(),
            failures: 0,
        }
    }

    fn reward(&mut self) {
        self.failures = 0;
    }

    async fn wait(&mut self) {
        let doublings = 1_u64.checked_shl(self.failures).unwrap_or(u64::MAX);
        let most = FIRST_MS.saturating_mul(doublings).min(LONGEST_MS);
        self.failures = self.failures.saturating_add(1);
        sleep(Duration::from_millis(most / 2 + self.dice.below(most))).await;
    }
}
