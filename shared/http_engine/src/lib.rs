//! Strict HTTP/1.1 and bounded HTTP/2 connections. A listener that no slow, greedy or ambiguous client
//! harms, with as little work per request as the system calls leave: the gateway's speed begins here.
//!
//! HTTP/1.1 is read by our own code, because smuggling lives from what readers forgive, and because
//! this is the gateway's hot path. HTTP/2 is hyper's, behind the same [`Service`].

mod account;
mod answer;
mod body;
mod chunked;
mod connection;
mod deadline;
mod encode;
mod endpoint;
mod frames;
mod head;
mod http2;
mod io;
mod limits;
mod link;
mod listener;
mod pace;
mod registry;
mod tls;
mod tunnel;
mod wire;
mod workers;

use std::net::SocketAddr;
use std::pin::Pin;

use http::{Request, Response};

pub use body::{BodyError, BoxError, Incoming, Outgoing, Takeover};
pub use encode::{WrittenFields, push_number};
pub use endpoint::{Endpoint, PoolLimits};
pub use head::Refusal;
pub use io::Io;
pub use limits::Limits;
pub use link::SendError;
pub use listener::{bind, run};
pub use tls::{Tls, TlsError, TlsOptions};

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address as the system sees it: a proxy's, where one stands before us.
    pub address: SocketAddr,
    /// Whether it speaks TLS with this program.
    pub tls: bool,
}

/// What answers requests.
pub trait Service: Send + Sync + 'static {
    /// Answers one. The future is dropped when the client leaves.
    fn call(
        &self,
        request: Request<Incoming>,
        peer: Peer,
    ) -> Pin<Box<dyn Future<Output = Response<Outgoing>> + Send>>;

    /// The answer to what is no request that anybody could be asked to answer.
    fn refuse(&self, refusal: Refusal) -> Response<Outgoing>;
}
