//! The two listeners of `interline supplier`, driven over sockets.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use clap::Parser as _;
use supplier_client::recording::{Outcome, Replay};
use telemetry::Correlation;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::supplier::{
    Latency, RecordOptions, SupplierCommand, Tape, check, recording, replaying, variable,
};

#[derive(clap::Parser)]
struct Line {
    #[command(subcommand)]
    command: SupplierCommand,
}

fn options(to: &str, more: &[&str]) -> (RecordOptions, PathBuf) {
    let name = format!("tape-{}.jsonl", Correlation::new().request_id());
    let path = std::env::temp_dir().join(name);
    let file = path.display().to_string();
    let line = ["supplier", "record", "--to", to, "--file", &file];
    let line = line.iter().chain(more);
    match Line::try_parse_from(line).unwrap().command {
        SupplierCommand::Record(options) => (options, path),
        SupplierCommand::Replay(_) => panic!("record was asked for"),
    }
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// A supplier that counts.
async fn supplier() -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let router = Router::new().fallback(move || {
        let number = seen.fetch_add(1, Ordering::SeqCst);
        async move { format!("{{ \"answer\": {number}.50 }}") }
    });
    (serve(router).await, count)
}

/// Status and body of the answer.
async fn ask(url: &str, target: &str) -> (u16, String) {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET {target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer s3cret-canary\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

#[tokio::test]
async fn what_was_recorded_is_replayed_without_the_supplier() {
    let (url, count) = supplier().await;
    let (options, path) = options(&url, &["--limit", "2"]);
    let recorder = serve(recording(Tape::new(&options).unwrap())).await;
    let first = ask(&recorder, "/offers?a=1&b=2").await;
    assert_eq!(first, (200, "{ \"answer\": 0.50 }".to_owned()));
    let second = ask(&recorder, "/offers?b=2&a=1").await;
    assert_eq!(ask(&recorder, "/offers").await.0, 503, "over the limit");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("s3cret-canary"), "{text}");

    let replay = Arc::new(Replay::open(&path).unwrap());
    let replay = serve(replaying(replay, Latency::AsRecorded)).await;
    assert_eq!(ask(&replay, "/offers?b=2&a=1").await, first);
    assert_eq!(ask(&replay, "/offers?b=2&a=1").await, second);
    assert_eq!(ask(&replay, "/offers?a=1&b=2").await, second);
    let (status, body) = ask(&replay, "/offers?a=2").await;
    assert_eq!(status, 404);
    assert!(
        body.contains("no recorded request has this query"),
        "{body}"
    );
    assert_eq!(count.load(Ordering::SeqCst), 2);
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_cost_the_exchange() {
    let gate = Arc::new(tokio::sync::Notify::new());
    let (arrived, open) = (Arc::new(tokio::sync::Notify::new()), Arc::clone(&gate));
    let told = Arc::clone(&arrived);
    let router = Router::new().fallback(move || {
        let (told, open) = (Arc::clone(&told), Arc::clone(&open));
        async move {
            told.notify_one();
            open.notified().await;
            "late"
        }
    });
    let url = serve(router).await;
    let (options, path) = options(&url, &["--limit", "1"]);
    let tape = Tape::new(&options).unwrap();
    let recorder = serve(recording(tape.clone())).await;
    let client = tokio::spawn(async move { ask(&recorder, "/slow").await });
    arrived.notified().await;
    client.abort();
    drop(client.await);
    gate.notify_one();
    tape.ended().await;
    let replay = Replay::open(&path).unwrap();
    let Outcome::Response(response) = &replay.exchanges()[0].outcome else {
        panic!("no answer");
    };
    assert_eq!(response.status, 200);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn what_cannot_be_recorded_is_said_and_costs_no_file() {
    let (options, path) = options("ftp://supplier.example", &["--force"]);
    std::fs::write(&path, "kept").unwrap();
    let error = Tape::new(&options).err().unwrap().to_string();
    assert!(error.contains("http or https"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
    let options = RecordOptions {
        to: "https://supplier.example".to_owned(),
        force: false,
        ..options
    };
    let error = Tape::new(&options).err().unwrap().to_string();
    assert!(error.contains("--force replaces it"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_supplier_that_a_service_does_not_have_is_refused_with_those_it_has() {
    for (service, supplier, told) in [
        (
            "hotel_service",
            "foo",
            "hotel_service has no supplier 'foo'; there are hotelbeds, rapid",
        ),
        ("auth_service", "duffel", "it has none"),
        ("hotels", "rapid", "there is no service 'hotels'"),
    ] {
        let error = check(Some(service), Some(supplier)).unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
    }
    check(Some("hotel_service"), Some("rapid")).unwrap();
    check(None, None).unwrap();
}

#[test]
fn the_variable_is_the_one_that_the_service_reads() {
    let line = variable("http://127.0.0.1:9", Some("flight_service"), Some("duffel"));
    let (name, value) = line.split_once('=').unwrap();
    assert_eq!(value, "http://127.0.0.1:9");
    let spec = crate::find("flight_service").unwrap();
    let sources = settings::Sources::default();
    let settings = settings::Settings::load(spec.name, &spec.defaults(), &sources).unwrap();
    let report = settings.report();
    assert!(report.iter().any(|key| key.variable == name), "{name}");
}
