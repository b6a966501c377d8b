//! A connection that speaks something else after a 101, such as WebSocket: bytes both ways, until one
//! side closes.

use bytes::Bytes;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};

use crate::io::Io;

/// Joins two connections; what each had sent before goes first.
pub(crate) async fn join(mut client: Io, ahead: Bytes, mut service: Io, begun: Bytes) {
    let joined = async {
        client.write_all(&begun).await?;
        client.flush().await?;
        service.write_all(&ahead).await?;
        copy_bidirectional(&mut client, &mut service).await
    };
    // Either side may end it in any way; there is nobody to tell.
    drop(joined.await);
}
