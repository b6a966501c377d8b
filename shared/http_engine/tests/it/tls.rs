//! TLS: both protocols, and certificates that change.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt as _, Empty};
use http_engine::{Tls, TlsError, TlsOptions};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::raw::Client;
use crate::stage::{Stage, short};

/// A certificate in files of its own, removed with this value.
struct Files {
    folder: PathBuf,
    options: TlsOptions,
}

impl Files {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("interline-tls-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let options = TlsOptions {
            certificate_file: folder.join("certificate.pem"),
            key_file: folder.join("key.pem"),
            reload: Duration::from_millis(20),
        };
        Self { folder, options }
    }

    /// Makes a certificate, as a renewal does.
    fn renew(&self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&self.options.key_file, made.signing_key.serialize_pem()).unwrap();
        std::fs::write(&self.options.certificate_file, made.cert.pem()).unwrap();
        made.cert.der().clone()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Connects as a client that trusts this certificate alone.
async fn connect(
    stage: &Stage,
    trusted: &CertificateDer<'static>,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stage.connect().await)
        .await
}

async fn ask(client: &mut Client<TlsStream<TcpStream>>, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.stream.write_all(request.as_bytes()).await.unwrap();
    let answer = client.answer(false, Duration::from_secs(10)).await.unwrap();
    assert_eq!(answer.status, 200);
    answer.text()
}

#[tokio::test]
async fn both_protocols_are_spoken_over_tls_and_the_service_knows() {
    let files = Files::new();
    let certificate = files.renew();
    let tls = Tls::load(files.options.clone()).unwrap();
    let stage = Stage::with(short(), Some(tls)).await;

    let stream = connect(&stage, &certificate, "http/1.1").await.unwrap();
    let mut client = Client::new(stream);
    assert_eq!(ask(&mut client, "/who").await, "- localhost tls=true");
    assert_eq!(ask(&mut client, "/large").await.len(), crate::echo::LARGE);
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    client.stream.write_all(post.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    client.stream.read_exact(&mut interim).await.unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100 "));
    client.stream.write_all(b"hello").await.unwrap();
    let answer = client.answer(false, Duration::from_secs(5)).await.unwrap();
    assert_eq!(answer.text(), "hello");

    let stream = connect(&stage, &certificate, "h2").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let executor = TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, TokioIo::new(stream))
            .await
            .unwrap();
    let connection = tokio::spawn(connection);
    for (path, length) in [("/who", 29), ("/large", crate::echo::LARGE)] {
        let request = Request::get(format!("https://localhost{path}"))
            .version(Version::HTTP_2)
            .body(Empty::<Bytes>::new())
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(path != "/who" || body == "localhost - tls=true", "{body:?}");
        assert!(path == "/who" || body.len() == length);
    }
    connection.abort();
}

#[tokio::test]
async fn who_does_not_shake_hands_in_time_or_speaks_plainly_is_cut() {
    let files = Files::new();
    files.renew();
    let tls = Tls::load(files.options.clone()).unwrap();
    let stage = Stage::with(short(), Some(tls)).await;
    let mut silent = Client::new(stage.connect().await);
    let mut half = Client::new(stage.connect().await);
    half.stream.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
    let mut plain = Client::new(stage.connect().await);
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    plain.stream.write_all(request).await.unwrap();
    for client in [&mut silent, &mut half, &mut plain] {
        while !client.closes_within(Duration::from_secs(5)).await {
            assert!(!client.buffer.starts_with(b"HTTP"));
        }
    }
    assert_eq!(stage.started(), 0);
}

#[tokio::test]
async fn a_new_certificate_is_used_and_open_connections_go_on() {
    let files = Files::new();
    let old = files.renew();
    let tls = Tls::load(files.options.clone()).unwrap();
    let stage = Stage::with(short(), Some(tls)).await;
    let mut open = Client::new(connect(&stage, &old, "http/1.1").await.unwrap());
    ask(&mut open, "/").await;
    let new = files.renew();
    let renewed = async {
        while connect(&stage, &new, "http/1.1").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    let renewed = tokio::time::timeout(Duration::from_secs(10), renewed).await;
    renewed.expect("the new certificate is used");
    assert!(connect(&stage, &old, "http/1.1").await.is_err());
    ask(&mut open, "/").await;
}

#[tokio::test]
async fn a_broken_certificate_leaves_the_old_one() {
    let files = Files::new();
    let good = files.renew();
    let tls = Tls::load(files.options.clone()).unwrap();
    let stage = Stage::with(short(), Some(tls)).await;
    // A key that is not the certificate's, no PEM at all, and nothing.
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for (file, text) in [
        (&files.options.key_file, other.as_str()),
        (&files.options.certificate_file, "no certificate"),
        (&files.options.certificate_file, ""),
    ] {
        std::fs::write(file, text).unwrap();
        assert!(Tls::load(files.options.clone()).is_err(), "{text}");
        tokio::time::sleep(Duration::from_millis(60)).await;
        connect(&stage, &good, "h2").await.unwrap();
    }
    std::fs::remove_file(&files.options.certificate_file).unwrap();
    let missing = Tls::load(files.options.clone());
    assert!(matches!(missing, Err(TlsError::File { file, .. }) if file.contains("certificate")));
    let newest = files.renew();
    let renewed = async {
        while connect(&stage, &newest, "h2").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    let renewed = tokio::time::timeout(Duration::from_secs(10), renewed).await;
    renewed.expect("a good certificate after broken ones is used");
}
