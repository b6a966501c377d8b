//! HTTP/2 (RFC 9113) without TLS, by prior knowledge: lanes share a connection, each with one stream at
//! a time.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::Mutex;

use crate::dial::Dial;
use crate::failure::{Failure, FailureKind};
use crate::http1::Answer;

type Sender = SendRequest<Full<Bytes>>;

/// One connection to each origin, made when it is first needed and again after it broke.
pub(crate) struct Shared(Vec<Mutex<Option<Sender>>>);

impl Shared {
    pub(crate) fn new(origins: usize) -> Self {
        Self(
            std::iter::repeat_with(Mutex::default)
                .take(origins)
                .collect(),
        )
    }

    /// The connection, for another stream.
    pub(crate) async fn sender(&self, origin: usize, dial: &dyn Dial) -> Result<Sender, Failure> {
        let connect = |detail: String| Failure::new(FailureKind::Connect, detail);
        let slot = self
            .0
            .get(origin)
            .ok_or_else(|| connect("no such origin".to_owned()))?;
        let mut slot = slot.lock().await;
        if let Some(sender) = slot.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(sender.clone());
        }
        let stream = dial
            .dial(origin)
            .await
            .map_err(|error| connect(error.to_string()))?;
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        // Its errors are seen by the requests on it.
        tokio::spawn(async move { drop(connection.await) });
        *slot = Some(sender.clone());
        Ok(sender)
    }
}

/// Sends a request and reads the whole answer.
pub(crate) async fn exchange(
    sender: &mut Sender,
    request: Request<Full<Bytes>>,
    keep_body: bool,
) -> Result<Answer, Failure> {
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let mut answer = Answer {
        status: response.status().as_u16(),
        ..Answer::default()
    };
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            answer.bytes += u64::try_from(data.len()).unwrap_or_default();
            if keep_body {
                answer.body.extend_from_slice(&data);
            }
        }
    }
    Ok(answer)
}
