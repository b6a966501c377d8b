//! TLS: the certificate, taken anew when its files change, and the handshake.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{error, info};

use crate::deadline::Deadline;
use crate::registry::Seat;

/// Where the certificate is.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// The certificate and those that it is signed by (PEM), the server's own first.
    pub certificate_file: PathBuf,
    /// Its private key (PEM: PKCS#8, PKCS#1 or SEC1).
    pub key_file: PathBuf,
    /// How often the files are read again (at least 1 ms).
    pub reload: Duration,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not what it should be.
    #[error("{file} cannot be used: {problem}")]
    File {
        /// Which.
        file: String,
        /// The system's or the reader's words.
        problem: String,
    },
    /// The two do not belong together, or are of a kind that is not supported.
    #[error("the certificate and its key cannot be used: {0}")]
    Certificate(#[from] rustls::Error),
}

/// A certificate in use.
#[derive(Debug)]
pub struct Tls {
    options: TlsOptions,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    /// What the files held, good or bad: the same is not tried twice.
    read: Files,
}

#[derive(Debug, PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Tls {
    /// Reads the certificate.
    ///
    /// # Errors
    /// [`TlsError`] when a file cannot be read, or the key is not the certificate's.
    pub fn load(options: TlsOptions) -> Result<Self, TlsError> {
        let read = Files::read(&options)?;
        let config = read.config(&options)?;
        let current = Mutex::new(Current { config, read });
        Ok(Self { options, current })
    }

    /// Looks for a new certificate again and again. One that cannot be used is logged, and the old one
    /// stays; connections that exist go on with the one that they began with.
    pub(crate) async fn keep_fresh(&self) {
        let mut ticks = interval(self.options.reload.max(Duration::from_millis(1)));
        loop {
            ticks.tick().await;
            match self.refresh() {
                Ok(false) => {}
                Ok(true) => info!("a new certificate is in use"),
                Err(error) => error!(%error, "a new certificate cannot be used; the old one stays"),
            }
        }
    }

    fn refresh(&self) -> Result<bool, TlsError> {
        let read = Files::read(&self.options)?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.read == read {
            return Ok(false);
        }
        let config = read.config(&self.options);
        current.read = read;
        current.config = config?;
        Ok(true)
    }

    /// Makes a connection one over TLS. `None` when the client does not, in time.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        until: Instant,
        seat: &Seat,
    ) -> Option<TlsStream<TcpStream>> {
        let config = {
            let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(&current.config)
        };
        let mut handshake = Box::pin(TlsAcceptor::from(config).accept(stream));
        let mut deadline = Deadline::new();
        std::future::poll_fn(|cx| {
            if let Poll::Ready(shaken) = handshake.as_mut().poll(cx) {
                return Poll::Ready(shaken.ok());
            }
            if seat.is_leaving(cx) {
                return Poll::Ready(None);
            }
            deadline.poll_passed(cx, until).map(|()| None)
        })
        .await
    }
}

impl Files {
    fn read(options: &TlsOptions) -> Result<Self, TlsError> {
        let read = |file: &PathBuf| std::fs::read(file).map_err(|error| unusable(file, &error));
        Ok(Self {
            certificate: read(&options.certificate_file)?,
            key: read(&options.key_file)?,
        })
    }

    fn config(&self, options: &TlsOptions) -> Result<Arc<ServerConfig>, TlsError> {
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable(&options.certificate_file, &error))?;
        if chain.is_empty() {
            let none = io::Error::other("it holds no certificate");
            return Err(unusable(&options.certificate_file, &none));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| unusable(&options.key_file, &error))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        // Older versions are broken (RFC 8996).
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn unusable(file: &std::path::Path, problem: &dyn std::fmt::Display) -> TlsError {
    TlsError::File {
        file: file.display().to_string(),
        problem: problem.to_string(),
    }
}
