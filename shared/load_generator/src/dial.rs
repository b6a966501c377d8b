//! How a connection is made. A test hands in connections within its own process, on which paused time
//! works.

use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::job::Job;

/// A connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Makes connections to the origins of a scenario.
#[async_trait]
pub trait Dial: Send + Sync {
    /// A new connection to the origin of this number.
    ///
    /// # Errors
    /// What the operating system says.
    async fn dial(&self, origin: usize) -> io::Result<Box<dyn Stream>>;
}

/// Connections over TCP, to addresses that were looked up once.
pub struct TcpDial {
    addresses: Vec<Vec<SocketAddr>>,
}

impl TcpDial {
    /// Looks up the hosts that a job sends to.
    ///
    /// # Errors
    /// [`io::Error`] that names the host which has no address.
    pub async fn resolve(job: &Job) -> io::Result<Self> {
        let mut addresses = Vec::new();
        for origin in &job.scenario.origins {
            let found = tokio::net::lookup_host((origin.host.as_str(), origin.port))
                .await
                .map_err(|error| {
                    io::Error::new(error.kind(), format!("host {}: {error}", origin.host))
                })?;
            addresses.push(found.collect());
        }
        Ok(Self { addresses })
    }
}

#[async_trait]
impl Dial for TcpDial {
    async fn dial(&self, origin: usize) -> io::Result<Box<dyn Stream>> {
        let addresses = self
            .addresses
            .get(origin)
            .ok_or(io::ErrorKind::AddrNotAvailable)?;
        let stream = TcpStream::connect(addresses.as_slice()).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }
}
