//! Where the instances of a service are, which of them gets the next request, and when none does. Pure
//! policies: whoever forwards requests asks them before and tells them after; nothing here forwards.
//!
//! ```text
//! Discovery ──▶ Targets ──▶ Balancer (health, ejection) ◀── checks
//!                                │
//!            Upstream::enter ──▶ Exchange ──▶ answered │ again
//! ```
//!
//! ```
//! use std::time::Duration;
//! use tokio::time::Instant;
//! use upstreams::{Class, Discovery, Ending, Outcome, Registries, Upstream, UpstreamPolicy};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let found = "http://10.0.0.1:8011, http://10.0.0.2:8011".parse::<Discovery>()?;
//! let found = found.follow(&Registries::default())?;
//! let upstream = Upstream::new("flight_service", &UpstreamPolicy::default(), Box::new(|_| {}))?;
//! let balancer = upstream.balancer().clone();
//! let targets = found.targets();
//! balancer.update(&targets.borrow(), Instant::now());
//! tokio::spawn(async move { balancer.follow(targets).await });
//!
//! let deadline = Instant::now() + Duration::from_secs(6);
//! let exchange = upstream.enter(Class::Search, deadline).await.map_err(|_| "refused")?;
//! assert_eq!(exchange.endpoint().authority().port_u16(), Some(8011));
//! // … the request is sent, and the head of its answer comes …
//! let latency = Duration::from_millis(3);
//! let busy = exchange.answered(Outcome { ending: Ending::Served, latency });
//! // … and its body …
//! drop(busy);
//! # Ok(())
//! # }
//! ```

mod address;
mod balancer;
#[cfg(test)]
mod balancer_tests;
mod budget;
mod checks;
mod class;
mod dice;
mod discovery;
mod endpoint;
mod gradient;
mod limiter;
#[cfg(test)]
mod limiter_tests;
mod outcome;
mod policy;
mod pool;
mod roster;
#[cfg(test)]
mod simulation;
mod split;
mod upstream;
#[cfg(test)]
mod upstream_tests;

pub use address::{AddressError, Discovery};
pub use balancer::{Balancer, EndpointStatus, Picked};
pub use checks::{Probe, check};
pub use class::{Class, PerClass};
pub use discovery::{ConsulAccess, Followed, KubernetesAccess, Registries, RegistryError};
pub use endpoint::{EndpointId, Target, Targets};
pub use limiter::{LimitStatus, Limiter, Permit, Shed};
pub use outcome::{Ending, Outcome, Repeat};
pub use policy::{
    BalancePolicy, CheckPolicy, EjectionPolicy, LimitPolicy, POLICY_DEFAULTS, PolicyError,
    RepeatPolicy, UpstreamPolicy,
};
pub use roster::Health;
pub use split::{Shadow, Split};
pub use upstream::{Exchange, Refusal, Upstream, UpstreamStatus};
