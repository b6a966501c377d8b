//! What one HTTP/2 client can make us do for little, and that it ends.

use std::time::Duration;

use http_engine::Limits;
use tokio::time::Instant;

use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, Fate, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, field, flood, frame, get, hello, request,
};
use crate::raw::Client;
use crate::stage::{Stage, short};
use tokio::io::AsyncWriteExt as _;

const ENHANCE_YOUR_CALM: u32 = 11;
/// Streams at once, and what may be given up beyond them in a second or two.
const MOST_STARTED: usize = 100 + 3 * 200;

/// One kind of flood.
pub(crate) struct Flood {
    pub(crate) name: &'static str,
    begin: Vec<u8>,
    piece: fn(u32) -> Vec<u8>,
}

fn stream(number: u32) -> u32 {
    2 * number + 1
}

fn post(number: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream(number), &request("POST", "/"))
}

/// Those that end with GOAWAY 11, whoever finds them out.
pub(crate) fn floods() -> Vec<Flood> {
    let plain = || hello(&[]);
    let opened = || [plain(), post(0)].concat();
    vec![
        Flood {
            name: "rapid reset (CVE-2023-44487)",
            begin: plain(),
            piece: |number| {
                let reset = frame(RST_STREAM, 0, stream(number), &8_u32.to_be_bytes());
                [get(stream(number), "/never"), reset].concat()
            },
        },
        Flood {
            name: "made-you-reset by a window too wide (CVE-2025-8671)",
            begin: plain(),
            piece: |number| {
                let over = frame(
                    WINDOW_UPDATE,
                    0,
                    stream(number),
                    &0x7fff_ffff_u32.to_be_bytes(),
                );
                [get(stream(number), "/never"), over].concat()
            },
        },
        Flood {
            name: "made-you-reset by a body that is longer than it says",
            begin: plain(),
            piece: |number| {
                let mut block = request("PUT", "/never");
                block.extend_from_slice(&field(b"content-length", b"1"));
                let headers = frame(HEADERS, END_HEADERS, stream(number), &block);
                [headers, frame(DATA, 0, stream(number), b"xx")].concat()
            },
        },
        Flood {
            name: "CONTINUATION without end (VU#421664)",
            begin: [plain(), frame(HEADERS, 0, 1, &request("GET", "/"))].concat(),
            piece: |_| frame(CONTINUATION, 0, 1, &field(b"x-a", b"b")),
        },
        Flood {
            name: "empty DATA",
            begin: opened(),
            piece: |_| frame(DATA, 0, 1, b""),
        },
        Flood {
            name: "SETTINGS",
            begin: plain(),
            piece: |_| frame(SETTINGS, 0, 0, b""),
        },
        Flood {
            name: "PING",
            begin: plain(),
            piece: |_| frame(PING, 0, 0, b"12345678"),
        },
        Flood {
            name: "WINDOW_UPDATE of the connection",
            begin: plain(),
            piece: |_| frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()),
        },
        Flood {
            name: "WINDOW_UPDATE of a stream",
            begin: opened(),
            piece: |_| frame(WINDOW_UPDATE, 0, 1, &1_u32.to_be_bytes()),
        },
        Flood {
            name: "PRIORITY",
            begin: plain(),
            piece: |number| frame(PRIORITY, 0, stream(number), &[0, 0, 0, 0, 1]),
        },
        Flood {
            name: "unknown frames",
            begin: plain(),
            piece: |_| frame(0xfa, 0, 0, b""),
        },
        Flood {
            name: "streams without number",
            begin: plain(),
            piece: |number| get(stream(number), "/never"),
        },
    ]
}

impl Flood {
    pub(crate) async fn run(&self, stage: &Stage, time: Duration) -> Fate {
        let connection = stage.connect().await;
        flood(connection, self.begin.clone(), 200_000, self.piece, time).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_ends_with_enhance_your_calm_while_others_are_served() {
    for kind in floods() {
        let stage = Stage::start(Limits::default()).await;
        let begun = Instant::now();
        let fate = kind.run(&stage, Duration::from_secs(20)).await;
        assert!(fate.closed, "{}: {fate:?}", kind.name);
        assert_eq!(fate.goaway, Some(ENHANCE_YOUR_CALM), "{}", kind.name);
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", kind.name);
        assert!(
            stage.started() <= MOST_STARTED,
            "{}: {} requests reached the service",
            kind.name,
            stage.started()
        );
        let mut good = Client::new(stage.connect().await);
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        good.stream.write_all(request).await.unwrap();
        let answer = good.answer(false, Duration::from_secs(5)).await.unwrap();
        assert_eq!(answer.status, 200, "{}", kind.name);
    }
}

#[tokio::test]
async fn a_header_bomb_reaches_nobody() {
    // An entry of 4,000 bytes in the table of HPACK, and then a byte for each time it is meant.
    let mut bomb = request("GET", "/");
    let mut entry = field(b"x-bomb", &[b'x'; 3900]);
    entry[0] = 0x40;
    bomb.extend_from_slice(&entry);
    bomb.extend_from_slice(&[0xbe; 4000]);
    // As many fields as a frame holds, each of a byte.
    let mut many = request("GET", "/");
    many.extend_from_slice(&[0x90; 400]);
    for block in [bomb, many] {
        let stage = Stage::start(short()).await;
        let begin = [hello(&[]), frame(HEADERS, 5, 1, &block)].concat();
        let one = flood(stage.connect().await, begin, 0, |_| Vec::new(), SHORT).await;
        assert_eq!(stage.started(), 0);
        assert!(!one.statuses.contains(&0x88), "{one:?}");
        assert!(
            one.closed || one.statuses.len() + one.resets == 1,
            "{one:?}"
        );
    }
}

const SHORT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn answers_held_back_by_a_window_of_nothing_are_cut() {
    let stage = Stage::start(short()).await;
    let requests: Vec<u8> = (0..100).flat_map(|n| get(stream(n), "/large")).collect();
    let begin = [hello(&[(4, 0)]), requests].concat();
    let begun = Instant::now();
    let held = flood(stage.connect().await, begin, 0, |_| Vec::new(), SHORT).await;
    assert!(
        held.closed && held.goaway == Some(ENHANCE_YOUR_CALM),
        "{held:?}"
    );
    assert!(begun.elapsed() > short().slow, "{:?}", begun.elapsed());
    assert!(held.ended.is_empty() && stage.started() == 100);
}

#[tokio::test]
async fn answers_that_are_taken_drop_by_drop_are_cut() {
    let stage = Stage::start(short()).await;
    let begin = [hello(&[(4, 0)]), get(1, "/large")].concat();
    let (reading, mut writing) = stage.connect().await.into_split();
    let mut reader = crate::frames::Reader::new(reading);
    let dropping = async {
        let _ = writing.write_all(&begin).await;
        loop {
            let one = frame(WINDOW_UPDATE, 0, 1, &1_u32.to_be_bytes());
            if writing.write_all(&one).await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let held = tokio::select! {
        held = crate::frames::fate(&mut reader, SHORT) => held,
        () = dropping => Fate::default(),
    };
    assert!(
        held.closed && held.goaway == Some(ENHANCE_YOUR_CALM),
        "{held:?}"
    );
}

#[tokio::test]
async fn a_body_beyond_the_window_is_an_error_and_is_not_kept() {
    let stage = Stage::start(Limits::default()).await;
    let begin = [
        hello(&[]),
        frame(HEADERS, END_HEADERS, 1, &request("PUT", "/never")),
    ];
    let piece = |_| frame(DATA, 0, 1, &[0; 16 * 1024]);
    let fate = flood(stage.connect().await, begin.concat(), 1000, piece, SHORT).await;
    assert!(fate.closed || fate.resets > 0, "{fate:?}");
}

#[tokio::test]
async fn a_client_that_reads_nothing_at_all_is_cut() {
    let stage = Stage::start(short()).await;
    let wide = frame(WINDOW_UPDATE, 0, 0, &0x7000_0000_u32.to_be_bytes());
    let requests: Vec<u8> = (0..8).flat_map(|n| get(stream(n), "/large")).collect();
    let mut connection = stage.connect().await;
    let begin = [hello(&[(4, 0x7fff_ffff)]), wide, requests].concat();
    connection.write_all(&begin).await.unwrap();
    // It closes: what is sent after that fails, sooner or later.
    let cut = async {
        let ping = frame(PING, 0, 0, b"12345678");
        while connection.write_all(&ping).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SHORT * 2, cut).await.unwrap();
}
