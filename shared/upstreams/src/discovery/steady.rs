//! What is known stays known until something better is known.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::Answer;
use crate::endpoint::{Targets, ordered};

/// Passes answers on. A failure changes nothing. Nor does an empty answer, unless no other has come
/// `grace` later; a failure in between says that it was not worth much.
pub(super) async fn keep(
    mut answers: mpsc::Receiver<Answer>,
    known: watch::Sender<Targets>,
    grace: Duration,
    what: String,
) {
    let mut empty_since: Option<Instant> = None;
    let mut failing = false;
    loop {
        let believed = async {
            match empty_since {
                Some(since) => sleep_until(since + grace).await,
                None => std::future::pending().await,
            }
        };
        let answer = tokio::select! {
            answer = answers.recv() => answer,
            () = believed => {
                tracing::warn!(service = %what, "no instance is left");
                publish(&known, Targets::from([]));
                empty_since = None;
                continue;
            }
            () = known.closed() => return,
        };
        match answer {
            None => {
                // A list that does not change has nobody who answers, and stays for those who ask.
                known.closed().await;
                return;
            }
            Some(Err(detail)) => {
                empty_since = None;
                if !failing {
                    tracing::warn!(service = %what, %detail, "instances cannot be looked up");
                }
                failing = true;
            }
            Some(Ok(targets)) => {
                if failing {
                    tracing::info!(service = %what, "instances can be looked up again");
                }
                failing = false;
                if targets.is_empty() {
                    empty_since.get_or_insert_with(Instant::now);
                } else {
                    empty_since = None;
                    publish(&known, ordered(targets));
                }
            }
        }
    }
}

fn publish(known: &watch::Sender<Targets>, targets: Targets) {
    known.send_if_modified(|known| {
        let news = *known != targets;
        *known = targets;
        news
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{EndpointId, Target};

    const GRACE: Duration = Duration::from_secs(30);

    fn targets(ports: &[u16]) -> Vec<Target> {
        let target = |port: &u16| Target::plain(EndpointId::new("10.0.0.1", *port).unwrap());
        ports.iter().map(target).collect()
    }

    fn start() -> (mpsc::Sender<Answer>, watch::Receiver<Targets>) {
        let (answers, receiver) = mpsc::channel(1);
        let (sender, known) = watch::channel(Targets::from([]));
        tokio::spawn(keep(receiver, sender, GRACE, "flights".to_owned()));
        (answers, known)
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_registry_takes_nothing_away() {
        let (answers, mut known) = start();
        answers.send(Ok(targets(&[1, 2]))).await.unwrap();
        known.changed().await.unwrap();
        for _ in 0..100 {
            answers.send(Err("refused".to_owned())).await.unwrap();
            tokio::time::advance(GRACE).await;
        }
        assert_eq!(known.borrow().len(), 2);
        assert!(!known.has_changed().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_answer_is_believed_when_it_has_stood_for_long_enough() {
        let (answers, mut known) = start();
        answers.send(Ok(targets(&[1]))).await.unwrap();
        known.changed().await.unwrap();
        let start = Instant::now();
        answers.send(Ok(Vec::new())).await.unwrap();
        known.changed().await.unwrap();
        assert!(known.borrow().is_empty());
        assert_eq!(start.elapsed(), GRACE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_after_an_empty_answer_puts_it_in_doubt() {
        let (answers, mut known) = start();
        answers.send(Ok(targets(&[1]))).await.unwrap();
        known.changed().await.unwrap();
        answers.send(Ok(Vec::new())).await.unwrap();
        tokio::time::advance(GRACE / 2).await;
        answers.send(Err("refused".to_owned())).await.unwrap();
        tokio::time::advance(GRACE * 2).await;
        assert_eq!(known.borrow().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_answer_is_no_news() {
        let (answers, mut known) = start();
        answers.send(Ok(targets(&[1, 2]))).await.unwrap();
        known.changed().await.unwrap();
        answers.send(Ok(targets(&[2, 1]))).await.unwrap();
        answers.send(Ok(targets(&[2]))).await.unwrap();
        known.changed().await.unwrap();
        assert_eq!(known.borrow_and_update().len(), 1);
    }
}
