use travel_types::Clock;

use crate::service::{PASSWORD, Place, Service, comparable, on_each_engine};

const EMAIL: &str = "agent@interline.test";

fn wait(answer: &reqwest::Response) -> u64 {
    let header = answer.headers()["retry-after"].to_str().unwrap();
    header.parse().unwrap()
}

async fn fail(service: &Service, email: &str, address: &str, times: usize) {
    for _ in 0..times {
        let answer = service.log_in(email, "wrong", address).await;
        assert_eq!(answer.status(), 401);
    }
}

#[tokio::test]
async fn strangers_lock_themselves_out_and_not_the_owner() {
    on_each_engine(async |place| {
        let service = place.start(&Clock::system(), &[]).await.unwrap();
        let home = service.log_in(EMAIL, PASSWORD, "2001:db8::1").await;
        assert_eq!(home.status(), 200);
        fail(&service, EMAIL, "192.0.2.9", 5).await;
        let stranger = service.log_in(EMAIL, PASSWORD, "192.0.2.10").await;
        assert_eq!(stranger.status(), 429);
        // Another address of the same network.
        let owner = service.log_in(EMAIL, PASSWORD, "2001:db8::2").await;
        assert_eq!(owner.status(), 200);
        // The owner's network guesses no more freely than any other.
        fail(&service, EMAIL, "2001:db8::3", 5).await;
        let owner = service.log_in(EMAIL, PASSWORD, "2001:db8::1").await;
        assert_eq!(owner.status(), 429);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn each_further_lock_lasts_twice_as_long_until_the_password_is_right() {
    let place = Place::sqlite();
    let more = [
        ("login.window_seconds", "1"),
        ("login.failures_per_address", "1000"),
    ];
    let service = place.start(&Clock::system(), &more).await.unwrap();
    let locked = async || {
        // The counters go by the machine's time: this waits for the present lock to end.
        testkit::wait_until("the end of a lock", async || {
            let answer = service.log_in(EMAIL, "wrong", "192.0.2.9").await;
            (answer.status() == 401).then_some(())
        })
        .await;
        let mut answer = service.log_in(EMAIL, "wrong", "192.0.2.9").await;
        while answer.status() == 401 {
            answer = service.log_in(EMAIL, "wrong", "192.0.2.9").await;
        }
        wait(&answer)
    };
    assert_eq!(locked().await, 1);
    assert_eq!(locked().await, 2);
    assert_eq!(locked().await, 4);
    testkit::wait_until("the end of a lock", async || {
        let answer = service.log_in(EMAIL, PASSWORD, "192.0.2.9").await;
        (answer.status() == 200).then_some(())
    })
    .await;
    assert_eq!(locked().await, 1, "a success starts anew");
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn no_spelling_of_an_address_has_a_counter_of_its_own() {
    let place = Place::sqlite();
    let service = place.start(&Clock::system(), &[]).await.unwrap();
    for spelling in [
        "agent@interline.test",
        "AGENT@INTERLINE.TEST",
        " agent+tag@interline.test",
        "\u{ff41}gent@interline.test",
        "agent+a+b@interline.test ",
    ] {
        fail(&service, spelling, "192.0.2.1", 1).await;
    }
    let answer = service.log_in(EMAIL, PASSWORD, "192.0.2.2").await;
    assert_eq!(answer.status(), 429);
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn a_lock_looks_the_same_whether_or_not_the_account_exists() {
    let place = Place::sqlite();
    let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
    let service = place.start(&clock, &[]).await.unwrap();
    let mut answers = Vec::new();
    for (email, address) in [(EMAIL, "192.0.2.1"), ("nobody@interline.test", "192.0.2.2")] {
        fail(&service, email, address, 5).await;
        let answer = service.log_in(email, PASSWORD, address).await;
        assert_eq!(answer.status(), 429);
        assert!((55..=60).contains(&wait(&answer)));
        let (status, mut headers, body) = comparable(answer).await;
        headers.retain(|(name, _)| name != "retry-after");
        answers.push((status, headers, body));
    }
    assert_eq!(answers[0], answers[1]);
    let records = place.records_of("login").await;
    assert_eq!(records.len(), 10, "what was not tried is not recorded");
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn a_flood_is_sent_away_at_once_when_as_many_wait_as_may() {
    let place = Place::sqlite();
    let more = [
        ("passwords.concurrency", "1"),
        ("passwords.queue", "4"),
        ("passwords.wait_ms", "60000"),
        ("login.failures_per_address", "1000"),
    ];
    let service = place.start(&Clock::system(), &more).await.unwrap();
    let mut guesses = tokio::task::JoinSet::new();
    for n in 0..40 {
        let email = format!("p{n}@example.com");
        let body = serde_json::json!({"email": email, "password": "wrong"});
        let request = service.post("/api/v1/auth/login", &body);
        guesses.spawn(async move {
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            if status == 503 {
                assert!(answer.headers().contains_key("retry-after"));
            }
            status
        });
    }
    let statuses = guesses.join_all().await;
    let tried = statuses.iter().filter(|status| **status == 401).count();
    let sent_away = statuses.iter().filter(|status| **status == 503).count();
    assert_eq!(tried + sent_away, 40, "{statuses:?}");
    assert!(tried >= 5 && sent_away >= 1, "{statuses:?}");
    service.stop().await;
    place.remove().await;
}
