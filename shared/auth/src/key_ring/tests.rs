use tokio::task::{JoinSet, yield_now};
use tokio::time::advance;

use super::*;
use crate::testing::*;

const DOWN: &str = "down";

fn down() -> Result<Vec<u8>, String> {
    Err(DOWN.to_owned())
}

/// A token of a key that nobody publishes.
fn of_unknown_key(n: usize) -> String {
    let header = format!(r#"{{"alg":"RS256","typ":"JWT","kid":"k{n}"}}"#);
    rs256(&header, &claims().to_string())
}

/// Lets background fetches end.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
    advance(Duration::from_millis(20)).await;
    for _ in 0..20 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_first_tokens_at_once_cost_one_fetch_and_all_are_accepted() {
    let issuer = Issuer::new(Ok(document(&[0])), Duration::from_millis(100));
    let verifier = verifier(&issuer, &clock());
    let mut first = JoinSet::new();
    for n in 0..50 {
        let (verifier, token) = (verifier.clone(), good(0, &format!("t{n}")));
        first.spawn(async move { verifier.verify(&token).await });
    }
    assert!(first.join_all().await.iter().all(Result::is_ok));
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_does_not_take_the_fetch_with_it() {
    let issuer = Issuer::new(Ok(document(&[0])), Duration::from_millis(100));
    let verifier = verifier(&issuer, &clock());
    let token = good(0, "t1");
    let impatient = timeout(Duration::from_millis(10), verifier.verify(&token));
    impatient.await.unwrap_err();
    verifier.verify(&token).await.unwrap();
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_keys_costs_one_fetch_per_cool_down() {
    let issuer = Issuer::new(Ok(document(&[0])), Duration::ZERO);
    let verifier = verifier(&issuer, &clock());
    for round in 1..=3 {
        for n in 0..100 {
            let refused = verifier.verify(&of_unknown_key(round * 1000 + n)).await;
            assert_eq!(refused, Err(AccessError::Invalid));
        }
        assert_eq!(issuer.asked(), round);
        advance(COOL_DOWN).await;
    }
    verifier.verify(&good(0, "t1")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_name_that_the_issuer_did_not_know_is_not_asked_for_again_for_a_while() {
    let issuer = Issuer::new(Ok(document(&[0])), Duration::ZERO);
    let verifier = verifier(&issuer, &clock());
    let token = of_unknown_key(1);
    for asked in [1, 1, 1, 1, 1, 1, 2] {
        verifier.verify(&token).await.unwrap_err();
        assert_eq!(issuer.asked(), asked);
        advance(COOL_DOWN).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_fetched_when_its_first_token_comes() {
    let issuer = Issuer::new(Ok(document(&[0])), Duration::ZERO);
    let verifier = verifier(&issuer, &clock());
    verifier.verify(&good(0, "t1")).await.unwrap();
    issuer.publishes(Ok(document(&[0, 1])));
    advance(COOL_DOWN).await;
    verifier.verify(&good(1, "t2")).await.unwrap();
    verifier.verify(&good(0, "t3")).await.unwrap();
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_is_forgotten_with_the_tokens_that_it_signed() {
    let issuer = Issuer::new(Ok(document(&[0, 1])), Duration::ZERO);
    let verifier = verifier(&issuer, &clock());
    let token = good(0, "t1");
    verifier.verify(&token).await.unwrap();
    issuer.publishes(Ok(document(&[1])));
    advance(FRESH).await;
    verifier.verify(&token).await.unwrap();
    settle().await;
    assert_eq!(verifier.verify(&token).await, Err(AccessError::Invalid));
    verifier.verify(&good(1, "t2")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn while_the_issuer_is_down_its_keys_live_on() {
    let issuer = Issuer::new(Ok(document(&[0])), Duration::ZERO);
    let verifier = verifier(&issuer, &clock());
    verifier.verify(&good(0, "t0")).await.unwrap();
    for (n, answer) in [
        down(),
        Ok(b"<html>".to_vec()),
        Ok(br#"{"keys":[]}"#.to_vec()),
    ]
    .into_iter()
    .enumerate()
    {
        issuer.publishes(answer);
        advance(FRESH).await;
        verifier.verify(&good(0, &format!("a{n}"))).await.unwrap();
        settle().await;
        verifier.verify(&good(0, &format!("b{n}"))).await.unwrap();
    }
    assert_eq!(issuer.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn without_any_key_nobody_knows_until_the_issuer_answers() {
    let issuer = Issuer::new(down(), Duration::ZERO);
    let verifier = verifier(&issuer, &clock());
    let token = good(0, "t1");
    for _ in 0..10 {
        let unknown = verifier.verify(&token).await;
        assert_eq!(unknown, Err(AccessError::KeysUnavailable));
    }
    assert_eq!(issuer.asked(), 1);
    issuer.publishes(Ok(document(&[0])));
    advance(COOL_DOWN_FAILED).await;
    verifier.verify(&token).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_hangs_is_given_up() {
    let issuer = Issuer::new(Ok(document(&[0])), Duration::from_secs(3600));
    let verifier = verifier(&issuer, &clock());
    let unknown = verifier.verify(&good(0, "t1")).await;
    assert_eq!(unknown, Err(AccessError::KeysUnavailable));
}

#[tokio::test(start_paused = true)]
async fn at_the_issuers_word_its_keys_are_fetched_at_once_and_unknown_names_asked_for_again() {
    let issuer = Issuer::new(Ok(document(&[0])), Duration::ZERO);
    let verifier = verifier(&issuer, &clock());
    verifier.verify(&good(0, "t1")).await.unwrap();
    let early = good(1, "t2");
    advance(COOL_DOWN).await;
    verifier.verify(&early).await.unwrap_err();
    issuer.publishes(Ok(document(&[1])));
    verifier.refetch_keys().await;
    assert_eq!(issuer.asked(), 3);
    verifier.verify(&early).await.unwrap();
    let refused = verifier.verify(&good(0, "t1")).await;
    assert_eq!(refused, Err(AccessError::Invalid));
    // While the issuer is down, what is known stays, and is asked for until it is there.
    issuer.publishes(down());
    verifier.refetch_keys().await;
    verifier.verify(&early).await.unwrap();
    issuer.publishes(Ok(document(&[0])));
    advance(COOL_DOWN_FAILED).await;
    verifier.verify(&early).await.unwrap();
    settle().await;
    assert_eq!(verifier.verify(&early).await, Err(AccessError::Invalid));
    verifier.verify(&good(0, "t3")).await.unwrap();
}
