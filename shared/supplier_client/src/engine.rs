//! The one place that holds a `reqwest::Client`. It sends a request once and reads the answer up to a
//! limit: no redirect is followed, no cookie kept, nothing repeated, no proxy taken from the
//! environment. What fails is told with how far the request got.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};
use std::error::Error as _;
use std::time::Duration;
use url::Url;

use crate::error::{Blame, Sent};

/// A request ready to be sent.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An answer before anybody judged it.
pub(crate) struct Incoming {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Sending failed.
#[derive(Debug)]
pub(crate) struct SendFailure {
    pub(crate) sent: Sent,
    pub(crate) blame: Blame,
    pub(crate) cause: SendCause,
    pub(crate) detail: String,
}

/// What sending failed of; the `outcome` label of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendCause {
    /// The request could not be put on the wire at all.
    Unbuildable,
    /// No connection: refused, no such host, TLS.
    Connect,
    /// The connection broke before the answer was complete.
    Broken,
    /// The answer is longer than the limit.
    TooLarge,
    /// The attempt's time was over.
    TimedOut,
}

impl SendCause {
    /// All of them.
    const ALL: [Self; 5] = [
        Self::Unbuildable,
        Self::Connect,
        Self::Broken,
        Self::TooLarge,
        Self::TimedOut,
    ];

    /// The cause of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == name)
    }

    /// The `outcome` label of metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unbuildable => "unbuildable",
            Self::Connect => "connect",
            Self::Broken => "broken",
            Self::TooLarge => "too_large",
            Self::TimedOut => "timeout",
        }
    }
}

/// Sends a request once. A trait so that the policies are tested on a paused clock, which a real socket
/// does not obey.
#[async_trait]
pub(crate) trait Engine: Send + Sync {
    async fn send(&self, outgoing: Outgoing) -> Result<Incoming, SendFailure>;
}

/// The real engine.
pub(crate) struct HttpEngine {
    client: reqwest::Client,
    max_response_bytes: usize,
}

impl HttpEngine {
    /// # Errors
    /// The text of what the platform's TLS set-up lacks.
    pub(crate) fn new(
        connect_timeout: Duration,
        max_response_bytes: usize,
    ) -> Result<Self, String> {
        let builder =
            builder(connect_timeout).user_agent(concat!("Interline/", env!("CARGO_PKG_VERSION")));
        Self::build(builder, max_response_bytes)
    }

    /// One that adds nothing to a request and leaves an answer compressed as it is.
    ///
    /// # Errors
    /// As for [`HttpEngine::new`].
    pub(crate) fn verbatim(
        connect_timeout: Duration,
        max_response_bytes: usize,
    ) -> Result<Self, String> {
        Self::build(builder(connect_timeout).no_gzip(), max_response_bytes)
    }

    fn build(builder: reqwest::ClientBuilder, max_response_bytes: usize) -> Result<Self, String> {
        let client = builder.build().map_err(|error| chain(&error))?;
        Ok(Self {
            client,
            max_response_bytes,
        })
    }

    async fn read_body(&self, response: &mut reqwest::Response) -> Result<Bytes, SendFailure> {
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            if body.len() + chunk.len() > self.max_response_bytes {
                return Err(SendFailure {
                    sent: Sent::Maybe,
                    blame: Blame::Supplier,
                    cause: SendCause::TooLarge,
                    detail: format!("answer is longer than {} bytes", self.max_response_bytes),
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

#[async_trait]
impl Engine for HttpEngine {
    async fn send(&self, outgoing: Outgoing) -> Result<Incoming, SendFailure> {
        let mut request = reqwest::Request::new(outgoing.method, outgoing.url);
        *request.headers_mut() = outgoing.headers;
        if !outgoing.body.is_empty() {
            *request.body_mut() = Some(outgoing.body.into());
        }
        let mut response = self.client.execute(request).await.map_err(failure)?;
        let body = self.read_body(&mut response).await?;
        Ok(Incoming {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body,
        })
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "this is the engine that everybody else is told to use"
)]
fn builder(connect_timeout: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(connect_timeout)
        .pool_idle_timeout(Duration::from_secs(30))
        .redirect(reqwest::redirect::Policy::none())
        // One layer retries, and it knows which requests may be: not this one.
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .tcp_nodelay(true)
}

fn failure(error: reqwest::Error) -> SendFailure {
    let (sent, blame, cause) = if error.is_builder() {
        (Sent::No, Blame::Us, SendCause::Unbuildable)
    } else if error.is_connect() {
        (Sent::No, Blame::Network, SendCause::Connect)
    } else if error.is_decode() {
        (Sent::Maybe, Blame::Supplier, SendCause::Broken)
    } else {
        (Sent::Maybe, Blame::Network, SendCause::Broken)
    };
    // The URL may hold a key or a traveller's name in its query.
    let detail = chain(&error.without_url());
    SendFailure {
        sent,
        blame,
        cause,
        detail,
    }
}

fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
