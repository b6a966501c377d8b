//! HTTP to a registry: small documents, and a watch whose answer never ends.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use reqwest::{Certificate, Response, StatusCode};
use url::Url;

/// The longest document, and the longest line of a watch. Bytes.
const MOST: usize = 16 * 1024 * 1024;

pub(super) struct Registry {
    client: reqwest::Client,
    server: Url,
    token: Option<(HeaderName, &'static str, PathBuf)>,
}

impl Registry {
    /// # Errors
    /// Says what cannot be used.
    #[allow(
        clippy::disallowed_methods,
        reason = "the engine reads whole answers within a deadline; a watch has neither end nor deadline"
    )]
    pub(super) fn new(server: &str, ca_file: Option<&Path>) -> Result<Self, String> {
        let url: Url = server
            .parse()
            .map_err(|_| format!("'{server}' is no URL"))?;
        if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
            return Err(format!(
                "'{server}' must be http://host:port or https://host:port"
            ));
        }
        let mut builder = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            // A watch is silent for minutes: who has vanished is found out by the kernel.
            .tcp_keepalive(Duration::from_secs(15))
            .tcp_keepalive_interval(Duration::from_secs(5))
            .tcp_keepalive_retries(3);
        if let Some(file) = ca_file {
            let unreadable = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
            let pem = std::fs::read(file).map_err(|error| unreadable(&error))?;
            let certificates =
                Certificate::from_pem_bundle(&pem).map_err(|error| unreadable(&error))?;
            builder = builder.tls_certs_only(certificates);
        }
        let client = builder.build().map_err(|error| words(&error))?;
        Ok(Self {
            client,
            server: url,
            token: None,
        })
    }

    /// Sends what the file holds at that moment in this field, after the prefix.
    pub(super) fn with_token(
        mut self,
        field: HeaderName,
        prefix: &'static str,
        file: Option<&PathBuf>,
    ) -> Self {
        self.token = file.map(|file| (field, prefix, file.clone()));
        self
    }

    /// The head of an answer, whatever its status.
    ///
    /// # Errors
    /// In words for the log.
    pub(super) async fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<Response, String> {
        let mut url = self.server.clone();
        url.set_path(path);
        url.query_pairs_mut().extend_pairs(query);
        let mut headers = HeaderMap::new();
        if let Some((field, prefix, file)) = &self.token {
            let read = tokio::fs::read_to_string(file).await;
            let token = read.map_err(|error| format!("{}: {error}", file.display()))?;
            let value = HeaderValue::try_from(format!("{prefix}{}", token.trim()));
            let mut value = value.map_err(|_| format!("{} holds no token", file.display()))?;
            value.set_sensitive(true);
            headers.insert(field, value);
        }
        let request = self.client.get(url).headers(headers).timeout(timeout);
        request.send().await.map_err(|error| words(&error))
    }

    /// A whole document.
    ///
    /// # Errors
    /// In words for the log; also for a status other than 200.
    pub(super) async fn document(response: Response) -> Result<Vec<u8>, String> {
        expect_ok(response.status())?;
        let mut lines = Lines::new(response);
        while lines.more().await? {}
        Ok(lines.buffer)
    }
}

pub(super) fn expect_ok(status: StatusCode) -> Result<(), String> {
    if status == StatusCode::OK {
        Ok(())
    } else {
        Err(format!("status {}", status.as_u16()))
    }
}

/// An answer that is read line by line while it comes.
pub(super) struct Lines {
    response: Response,
    buffer: Vec<u8>,
}

impl Lines {
    pub(super) fn new(response: Response) -> Self {
        Self {
            response,
            buffer: Vec::new(),
        }
    }

    /// The next line; `None` at the end. What stands after the last line break is no line.
    ///
    /// # Errors
    /// In words for the log.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(end + 1);
                return Ok(Some(std::mem::replace(&mut self.buffer, rest)));
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    async fn more(&mut self) -> Result<bool, String> {
        match self.response.chunk().await.map_err(|error| words(&error))? {
            Some(chunk) if self.buffer.len() + chunk.len() > MOST => {
                Err(format!("the answer is longer than {MOST} bytes"))
            }
            Some(chunk) => {
                self.buffer.extend_from_slice(&chunk);
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

/// An error with its causes.
fn words(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
