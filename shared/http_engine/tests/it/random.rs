//! Requests that were damaged on the way: nothing is answered twice, nothing hangs, nothing panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use http_engine::Limits;
use tokio::io::AsyncWriteExt as _;

use crate::raw::{Answer, Client};
use crate::stage::Stage;

const STREAMS: u64 = 20_000;

/// SplitMix64: the same streams each time.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
}

const WHOLE: [&str; 7] = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /echo?x=y HTTP/1.1\r\nHost: a:80\r\nAccept: */*\r\nX-Long: aaaaaaaaaaaaaaaaaaaaa\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    "GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    "OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
];
const SCRAPS: [&str; 16] = [
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    ":",
    ",",
    "0",
    "\r\n\r\n",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Host: b\r\n",
    "HTTP/1.1",
    "0\r\n\r\n",
    "\u{ff}",
];

fn damaged(dice: &mut Dice) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..=dice.below(3) {
        text.extend_from_slice(WHOLE[dice.below(WHOLE.len())].as_bytes());
    }
    for _ in 0..dice.below(4) {
        let at = dice.below(text.len());
        match dice.below(6) {
            0 => text[at] = u8::try_from(dice.below(256)).unwrap(),
            1 => {
                text.remove(at);
            }
            2 => {
                let scrap = SCRAPS[dice.below(SCRAPS.len())].bytes();
                text.splice(at..at, scrap);
            }
            3 => {
                let end = (at + 1 + dice.below(40)).min(text.len());
                let copy = text[at..end].to_vec();
                text.splice(at..at, copy);
            }
            4 => {
                let end = (at + 1 + dice.below(40)).min(text.len());
                text.drain(at..end);
            }
            _ => text.truncate(at.max(1)),
        }
    }
    text
}

/// How many answers there can be: one for each request that a strict reader finds, and one that
/// refuses the first thing that is none. It knows nothing of the listener's own reader.
fn most_answers(mut text: &[u8]) -> usize {
    let mut found = 0;
    loop {
        while let Some(rest) = text.strip_prefix(b"\r\n") {
            text = rest;
        }
        if text.is_empty() {
            return found;
        }
        found += 1;
        let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") else {
            return found;
        };
        let head = String::from_utf8_lossy(&text[..end]).into_owned();
        text = &text[end + 4..];
        let mut lines = head.split("\r\n");
        let request: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        if request.len() != 3 || !matches!(request[2], "HTTP/1.1" | "HTTP/1.0") {
            return found;
        }
        let (mut length, mut chunked) = (None, false);
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                return found;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" if length.is_none() => match value.trim().parse::<usize>() {
                    Ok(number) => length = Some(number),
                    Err(_) => return found,
                },
                "transfer-encoding" if !chunked => {
                    chunked = value.trim().eq_ignore_ascii_case("chunked");
                    if !chunked {
                        return found;
                    }
                }
                "content-length" | "transfer-encoding" => return found,
                _ => {}
            }
        }
        match (chunked, length) {
            (true, Some(_)) => return found,
            (true, None) => match after_chunks(text) {
                Some(rest) => text = rest,
                None => return found,
            },
            (false, length) => match text.get(length.unwrap_or(0)..) {
                Some(rest) => text = rest,
                None => return found,
            },
        }
    }
}

fn after_chunks(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        let end = text.windows(2).position(|two| two == b"\r\n")?;
        let line = std::str::from_utf8(&text[..end]).ok()?;
        text = &text[end + 2..];
        let size = usize::from_str_radix(line.split(';').next()?, 16).ok()?;
        if size == 0 {
            loop {
                let end = text.windows(2).position(|two| two == b"\r\n")?;
                text = &text[end + 2..];
                if end == 0 {
                    return Some(text);
                }
            }
        }
        text = text.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

async fn answers(stage: &Stage, text: &[u8]) -> Vec<Answer> {
    let mut client = Client::new(stage.connect().await);
    // It may be closed while it sends.
    drop(client.stream.write_all(text).await);
    let mut answers = Vec::new();
    while let Some(answer) = client.answer(false, Duration::from_secs(20)).await {
        answers.push(answer);
    }
    assert!(
        client.closed,
        "it hangs: {:?}",
        String::from_utf8_lossy(text)
    );
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_damaged_streams_get_no_answer_too_many() {
    let panicked = Arc::new(AtomicBool::new(false));
    let (told, before) = (Arc::clone(&panicked), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        told.store(true, Ordering::SeqCst);
        before(panic);
    }));
    let time = Duration::from_millis(150);
    let limits = Limits {
        first_byte: time,
        header: time,
        idle: time,
        slow: time,
        ..Limits::default()
    };
    let stage = Stage::start(limits).await;
    let mut dice = Dice(1);
    let texts: Vec<Vec<u8>> = (0..STREAMS).map(|_| damaged(&mut dice)).collect();
    let mut all = stream::iter(&texts)
        .map(|text| {
            let stage = &stage;
            async move { (text, answers(stage, text).await) }
        })
        .buffer_unordered(600);
    let (mut answered, mut refused) = (0, 0);
    while let Some((text, answers)) = all.next().await {
        let shown = String::from_utf8_lossy(text);
        let most = most_answers(text);
        assert!(answers.len() <= most, "{most}: {answers:?} to {shown:?}");
        let at = answers
            .iter()
            .position(|answer| answer.field("x-refused").is_some());
        if let Some(at) = at {
            assert_eq!(
                at + 1,
                answers.len(),
                "after a refusal: {answers:?} to {shown:?}"
            );
            refused += 1;
        }
        answered += answers.len();
    }
    println!("{STREAMS} streams: {answered} answers, {refused} of them refusals");
    // Otherwise nothing would have been tried.
    assert!(answered > 10_000 && refused > 5_000);
    assert!(!panicked.load(Ordering::SeqCst));
}
