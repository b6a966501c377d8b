//! What ends before its time ends everywhere within a second.

use testkit::{Client, Stack};
use tokio::time::{Duration, Instant, sleep};

use crate::in_both_sizes;

const ME: &str = "/api/v1/auth/me";

/// How long it takes until a caller is refused.
async fn until_refused(caller: &Client) -> Duration {
    let began = Instant::now();
    while caller.get(ME).await.status != 401 {
        assert!(began.elapsed() < Duration::from_secs(10), "never refused");
        sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

#[tokio::test]
async fn an_access_token_is_refused_within_a_second_of_the_log_out_and_no_other_is() {
    in_both_sizes(&[], async |stack: Stack| {
        let leaving = stack.log_in("traveller").await;
        let staying = stack.log_in("traveller").await;
        for caller in [&leaving, &staying] {
            assert_eq!(caller.get(ME).await.status, 200);
        }
        let over = leaving.send("POST", "/api/v1/auth/logout", None).await;
        assert_eq!(over.status, 204, "{}", over.text);
        let took = until_refused(&leaving).await;
        println!("refused {took:?} after the log-out");
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(staying.get(ME).await.status, 200);
        stack.stop().await;
    })
    .await;
}
