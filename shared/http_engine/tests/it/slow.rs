//! Clients that are slow on purpose, and the good one beside them.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::frames::{END_HEADERS, HEADERS, PREFACE, frame, get, hello, request};
use crate::raw::Client;
use crate::stage::{Stage, short};

pub(crate) type Cut = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A way to be slow; it ends when the connection does.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    /// Sent at once.
    begin: Vec<u8>,
    /// Sent byte by byte afterwards, again and again.
    drip: &'static [u8],
    /// Whether answers are read as they come; otherwise byte by byte.
    reads: bool,
}

/// How long a slow client of a test with short limits waits between two bytes.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

pub(crate) fn ways() -> Vec<Way> {
    let way = |name, begin: &[u8], drip| Way {
        name,
        begin: begin.to_vec(),
        drip,
        reads: true,
    };
    let post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
    let whole = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let half_frame = [hello(&[]), get(1, "/")[..14].to_vec()].concat();
    let half_block = frame(HEADERS, 0, 1, &request("GET", "/"));
    let half_block = [hello(&[]), half_block].concat();
    let body = frame(HEADERS, END_HEADERS, 1, &request("POST", "/"));
    let body = [hello(&[]), body, vec![0, 0x40, 0, 0, 0, 0, 0, 0, 1]].concat();
    let mut ways = vec![
        way("silent", b"", b""),
        way("half a header", b"GET / HTTP/1.1\r\nHost:", b""),
        way("a header byte by byte", b"GET / HTTP/1.1\r\nX: ", b"x"),
        way("a body byte by byte", post, b"x"),
        way("idle after a request", whole, b""),
        way("half a preface of HTTP/2", &PREFACE[..10], b""),
        way("HTTP/2 and no request", &hello(&[]), b""),
        way("half a HEADERS frame", &half_frame, b""),
        way("a header of HTTP/2 without end", &half_block, b""),
        way("a body of HTTP/2 byte by byte", &body, b"x"),
    ];
    ways.push(Way {
        reads: false,
        // What is sent tells that the other side has gone.
        ..way(
            "an answer byte by byte",
            b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
            b"x",
        )
    });
    ways
}

impl Way {
    /// Ends when the server has ended it. So long is the pause between two bytes.
    pub(crate) fn go(&self, address: std::net::SocketAddr, pause: Duration) -> Cut {
        let (begin, drip, reads) = (self.begin.clone(), self.drip, self.reads);
        Box::pin(async move {
            let socket = TcpSocket::new_v4().unwrap();
            if !reads {
                socket.set_recv_buffer_size(4096).unwrap();
            }
            let mut stream = socket.connect(address).await.unwrap();
            stream.write_all(&begin).await.unwrap();
            let (mut reading, mut writing) = stream.split();
            let read = async {
                let mut space = [0; 1024];
                let space = if reads {
                    &mut space[..]
                } else {
                    &mut space[..1]
                };
                while let Ok(1..) = reading.read(space).await {
                    if !reads {
                        sleep(pause).await;
                    }
                }
            };
            let written = async {
                while !drip.is_empty() && writing.write_all(drip).await.is_ok() {
                    sleep(pause).await;
                }
                if drip.is_empty() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = read => {}
                () = written => {}
            }
        })
    }
}

/// One request of a client that does as it should. How long it took.
pub(crate) async fn ask(client: &mut Client<TcpStream>) -> Duration {
    let begun = Instant::now();
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    client.stream.write_all(request).await.unwrap();
    let answer = client.answer(false, Duration::from_secs(10)).await;
    assert_eq!(answer.unwrap().status, 200);
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_of_each_kind_are_cut_and_a_good_client_is_served_at_once() {
    crate::stage::many_files(2500);
    for way in ways() {
        let stage = Stage::start(short()).await;
        let mut slow = JoinSet::new();
        for _ in 0..500 {
            slow.spawn(way.go(stage.address, PAUSE));
        }
        let mut good = Client::new(stage.connect().await);
        let serving = async {
            loop {
                let took = ask(&mut good).await;
                assert!(took < Duration::from_secs(2), "{}: {took:?}", way.name);
                sleep(Duration::from_millis(20)).await;
            }
        };
        let cut = async {
            while let Some(ended) = slow.join_next().await {
                ended.unwrap();
            }
        };
        let cut = timeout(Duration::from_secs(15), async {
            tokio::select! {
                () = cut => {}
                () = serving => {}
            }
        });
        let begun = Instant::now();
        assert!(cut.await.is_ok(), "{} is not cut", way.name);
        println!("{}: all cut after {:?}", way.name, begun.elapsed());
    }
}
