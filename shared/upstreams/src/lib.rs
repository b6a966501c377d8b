//! Where the instances of a service are, which of them gets the next request, and when none does. Pure
//! policies: whoever forwards requests asks them before and tells them after; nothing here forwards.
//!
//! ```text
//! Discovery ──▶ Targets ──▶ Balancer (health, ejection) ◀── checks
//!                                │
//!            Upstream::enter ──▶ Exchange ──▶ finish │ again
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
