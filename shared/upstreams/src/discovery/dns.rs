//! Instances by DNS: addresses of a host (A, else AAAA), or SRV records (RFC 2782).

use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, Record};
use tokio::time::sleep;

use super::{Answer, Answers, Patience, Registries};
use crate::endpoint::{EndpointId, Target};

/// The shortest that an answer is kept: a TTL of 0 is no reason to ask without end.
const MIN_AGE: Duration = Duration::from_secs(1);

pub(super) struct Dns {
    resolver: TokioResolver,
    max_age: Duration,
}

/// Instances, and for how many seconds that is so.
type Found = Result<(Vec<Target>, u32), String>;

impl Dns {
    pub(super) fn new(registries: &Registries) -> Result<Self, String> {
        let provider = TokioRuntimeProvider::default();
        let mut builder = match registries.dns {
            Some(server) => {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
                let connections = connections.map(|mut connection| {
                    connection.port = server.port();
                    connection
                });
                let server = NameServerConfig::new(server.ip(), true, connections.to_vec());
                let config = ResolverConfig::from_name_servers(vec![server]);
                TokioResolver::builder_with_config(config, provider)
            }
            None => TokioResolver::builder_tokio().map_err(|error| error.to_string())?,
        };
        let options = builder.options_mut();
        // The loop below is the cache.
        options.cache_size = 0;
        options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
        options.timeout = Duration::from_secs(2);
        Ok(Self {
            resolver: builder.build().map_err(|error| error.to_string())?,
            max_age: registries.dns_max_age,
        })
    }

    pub(super) async fn follow_host(&self, host: &str, port: u16, answers: &Answers) {
        let mut patience = Patience::new();
        loop {
            let found = self.addresses(host).await.and_then(|(addresses, ttl)| {
                let target = |address| target(address, port);
                let targets: Option<Vec<Target>> = addresses.into_iter().map(target).collect();
                Ok((targets.ok_or("an address is none")?, ttl))
            });
            if !self.tell(found, answers, &mut patience).await {
                return;
            }
        }
    }

    pub(super) async fn follow_srv(&self, name: &str, answers: &Answers) {
        let mut patience = Patience::new();
        loop {
            let found = self.services(name).await;
            if !self.tell(found, answers, &mut patience).await {
                return;
            }
        }
    }

    /// Passes an answer on and waits until it is time for the next. False when nobody listens.
    async fn tell(&self, found: Found, answers: &Answers, patience: &mut Patience) -> bool {
        let (answer, ttl): (Answer, _) = match found {
            Ok((targets, ttl)) => (Ok(targets), Some(ttl)),
            Err(detail) => (Err(detail), None),
        };
        if answers.send(answer).await.is_err() {
            return false;
        }
        match ttl {
            Some(ttl) => {
                patience.reward();
                let age = Duration::from_secs(u64::from(ttl)).max(MIN_AGE);
                sleep(age.min(self.max_age)).await;
            }
            None => patience.wait().await,
        }
        true
    }

    /// An answer without an address is none: a server that knows nothing says the same.
    async fn addresses(&self, host: &str) -> Result<(Vec<IpAddr>, u32), String> {
        let found = self.resolver.lookup_ip(host).await;
        let found = found.map_err(|error| format!("{host}: {error}"))?;
        let addresses: Vec<IpAddr> = found.iter().collect();
        if addresses.is_empty() {
            return Err(format!("{host} has no address"));
        }
        Ok((addresses, shortest(found.as_lookup().answers())))
    }

    async fn services(&self, name: &str) -> Found {
        let found = self.resolver.srv_lookup(name).await;
        let found = found.map_err(|error| format!("{name}: {error}"))?;
        let mut ttl = shortest(found.answers());
        let records = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(srv),
                _ => None,
            });
        let (mut targets, mut failure) = (Vec::new(), None);
        let mut asked = 0;
        for srv in records {
            asked += 1;
            // The root as a target: the service is decidedly not available.
            if srv.target.is_root() {
                return Ok((Vec::new(), ttl));
            }
            match self.addresses(&srv.target.to_utf8()).await {
                Ok((addresses, of_target)) => {
                    ttl = ttl.min(of_target);
                    let instances = addresses.into_iter().filter_map(|address| {
                        let mut target = target(address, srv.port)?;
                        target.priority = srv.priority;
                        // Weight 0 is for a very small chance beside others.
                        target.weight = (u32::from(srv.weight) * 100).max(1);
                        Some(target)
                    });
                    targets.extend(instances);
                }
                Err(detail) => failure = Some(detail),
            }
        }
        match failure {
            Some(detail) if targets.is_empty() => Err(detail),
            _ if asked == 0 => Err(format!("{name} has no SRV record")),
            _ => Ok((targets, ttl)),
        }
    }
}

fn target(address: IpAddr, port: u16) -> Option<Target> {
    EndpointId::new(&address.to_string(), port).map(Target::plain)
}

fn shortest(records: &[Record]) -> u32 {
    records.iter().map(|record| record.ttl).min().unwrap_or(0)
}
