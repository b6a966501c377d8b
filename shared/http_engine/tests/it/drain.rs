//! The end of a listener.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::frames::{Fate, Reader, fate, get, hello};
use crate::raw::Client;
use crate::slow::{PAUSE, ways};
use crate::stage::{Stage, many_files, short};
use http_engine::Limits;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_requests_are_answered_and_five_hundred_stuck_ones_do_not_hold_the_end_up() {
    many_files(2500);
    let limits = Limits {
        first_byte: Duration::from_secs(60),
        header: Duration::from_secs(60),
        slow: Duration::from_secs(60),
        idle: Duration::from_secs(60),
        ..short()
    };
    for workers in [0, 2] {
        let limits = Limits {
            workers,
            ..limits.clone()
        };
        let mut stage = Stage::start(limits.clone()).await;
        let mut stuck = JoinSet::new();
        let ways = ways();
        for number in 0..500 {
            stuck.spawn(ways[number % ways.len()].go(stage.address, PAUSE));
        }
        let mut never = Client::new(stage.connect().await);
        let request = b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n";
        never.stream.write_all(request).await.unwrap();
        let mut later = Client::new(stage.connect().await);
        let request = b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
        later.stream.write_all(request).await.unwrap();
        let (reading, mut writing) = stage.connect().await.into_split();
        let begin = [hello(&[]), get(1, "/later")].concat();
        writing.write_all(&begin).await.unwrap();
        let mut over_http2 = Reader::new(reading);
        // All requests have arrived: those of the stuck ones that send whole ones, too.
        let whole = |name: &str| {
            name.contains("body") || name.contains("idle") || name.contains("an answer")
        };
        let expected = 3
            + (0..500)
                .filter(|number| whole(ways[number % ways.len()].name))
                .count();
        while stage.started() < expected {
            tokio::task::yield_now().await;
        }

        let begun = Instant::now();
        stage.shutdown.cancel();
        // Nobody is let in any more.
        let refused = async { while TcpStream::connect(stage.address).await.is_ok() {} };
        timeout(limits.drain, refused)
            .await
            .expect("no new connections");
        stage.later.add_permits(2);
        let answer = later.answer(false, Duration::from_secs(5)).await.unwrap();
        assert_eq!(
            (answer.status, answer.field("connection")),
            (200, Some("close"))
        );
        let told: Fate = fate(&mut over_http2, Duration::from_secs(5)).await;
        assert_eq!(
            (told.goaway, told.ended.as_slice()),
            (Some(0), &[1][..]),
            "{told:?}"
        );

        let ended = stage.ended.take().unwrap();
        timeout(limits.drain + Duration::from_secs(3), ended)
            .await
            .unwrap()
            .unwrap();
        assert!(
            begun.elapsed() >= limits.drain,
            "the one that never ends had its time"
        );
        let cut = async { while stuck.join_next().await.is_some() {} };
        timeout(Duration::from_secs(3), cut)
            .await
            .expect("nobody is served any more");
        assert!(never.closes_within(Duration::from_secs(1)).await);
    }
}
