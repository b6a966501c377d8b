//! What holds on every backend.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use caching::{Cache, CacheError, CacheOptions};
use futures_util::future::join_all;
use futures_util::poll;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};

use crate::backends::{on_each_backend, open, redis_url};

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Offer {
    id: String,
    seats: Option<u32>,
}

fn offer() -> Offer {
    Offer {
        id: "off_1 \u{0} Ünï".to_owned(),
        seats: None,
    }
}

#[tokio::test]
async fn a_value_comes_back_as_it_went_in_until_it_is_removed() {
    on_each_backend(async |cache| {
        cache.ping().await.unwrap();
        assert_eq!(cache.get::<Offer>("key").await, None);
        cache.put("key", &offer(), MINUTE).await.unwrap();
        assert_eq!(cache.get("key").await, Some(offer()));
        assert_eq!(
            cache.get::<u32>("key").await,
            None,
            "another type is a miss"
        );
        cache.remove("key").await.unwrap();
        cache.remove("key").await.unwrap();
        assert_eq!(cache.get::<Offer>("key").await, None);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_kept_for_no_time() {
    on_each_backend(async |cache| {
        cache.put("key", &1, Duration::ZERO).await.unwrap();
        cache
            .put("key", &1, Duration::from_micros(999))
            .await
            .unwrap();
        assert_eq!(cache.get::<u32>("key").await, None);
        cache.put("key", &1, Duration::MAX).await.unwrap();
        assert_eq!(cache.get::<u32>("key").await, Some(1));
    })
    .await;
}

#[tokio::test]
async fn two_prefixes_share_nothing_and_values_and_counters_neither() {
    let (one, two) = (open(&redis_url()), open(&redis_url()));
    one.put("key", &1, MINUTE).await.unwrap();
    one.increment("key", 7, MINUTE).await.unwrap();
    assert_eq!(one.get::<u32>("key").await, Some(1));
    assert_eq!(two.get::<u32>("key").await, None);
    assert_eq!(two.increment("key", 1, MINUTE).await.unwrap().count, 1);
}

#[tokio::test]
async fn purging_a_tag_removes_its_values_and_no_others() {
    on_each_backend(async |cache| {
        // More than one round of the script.
        for number in 0..1_100 {
            let key = format!("lon-{number}");
            cache
                .put_tagged(&key, &["london", "flights"], &number, MINUTE)
                .await
                .unwrap();
        }
        cache
            .put_tagged("par", &["paris", "flights"], &1, MINUTE)
            .await
            .unwrap();
        cache.put("plain", &1, MINUTE).await.unwrap();
        cache.purge_tag("nobody").await.unwrap();
        cache.purge_tag("london").await.unwrap();
        for number in 0..1_100 {
            assert_eq!(cache.get::<u32>(&format!("lon-{number}")).await, None);
        }
        assert_eq!(cache.get::<u32>("par").await, Some(1));
        assert_eq!(cache.get::<u32>("plain").await, Some(1));

        cache
            .put_tagged("lon-1", &["london"], &2, MINUTE)
            .await
            .unwrap();
        assert_eq!(
            cache.get::<u32>("lon-1").await,
            Some(2),
            "a later value is not purged"
        );
        cache.purge_tag("flights").await.unwrap();
        assert_eq!(cache.get::<u32>("par").await, None);
    })
    .await;
}

#[tokio::test]
async fn fifty_misses_at_once_load_once() {
    on_each_backend(async |cache| {
        let loads = AtomicU32::new(0);
        let one = || {
            cache.get_or_load("key", MINUTE, || async {
                loads.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok::<_, CacheError>(offer())
            })
        };
        for value in join_all((0..50).map(|_| one())).await {
            assert_eq!(value.unwrap(), offer());
        }
        assert_eq!(one().await.unwrap(), offer());
        assert_eq!(loads.load(Ordering::SeqCst), 1);
    })
    .await;
}

#[tokio::test]
async fn different_keys_do_not_wait_for_each_other() {
    on_each_backend(async |cache| {
        let gate = Notify::new();
        let slow = cache.get_or_load("slow", MINUTE, || async {
            gate.notified().await;
            Ok::<_, CacheError>(1)
        });
        let fast = async {
            let two = cache
                .get_or_load("fast", MINUTE, || async { Ok::<_, CacheError>(2) })
                .await;
            gate.notify_one();
            two
        };
        let (one, two) = tokio::join!(slow, fast);
        assert_eq!((one, two), (Ok(1), Ok(2)));
    })
    .await;
}

#[tokio::test]
async fn a_failed_load_is_not_kept() {
    on_each_backend(async |cache| {
        let loads = AtomicU32::new(0);
        let one = || {
            cache.get_or_load("key", MINUTE, || async {
                match loads.fetch_add(1, Ordering::SeqCst) {
                    0 | 1 => Err("supplier down"),
                    _ => Ok(7),
                }
            })
        };
        assert_eq!(one().await, Err("supplier down"));
        let (second, third, fourth) = tokio::join!(one(), one(), one());
        // One of those who waited is told of its own failure; the rest share the value after it.
        assert_eq!(
            [second, third, fourth]
                .iter()
                .filter(|r| r.is_err())
                .count(),
            1
        );
        assert_eq!(one().await, Ok(7));
        assert_eq!(loads.load(Ordering::SeqCst), 3);
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_load_lets_the_next_one_in() {
    on_each_backend(async |cache| {
        let (started, running) = oneshot::channel();
        let cache_of_first = cache.clone();
        let first = tokio::spawn(async move {
            cache_of_first
                .get_or_load("key", MINUTE, || async {
                    started.send(()).unwrap();
                    std::future::pending::<Result<u32, CacheError>>().await
                })
                .await
        });
        running.await.unwrap();
        let waiting = cache.get_or_load("key", MINUTE, || async { Ok::<_, CacheError>(2) });
        let mut waiting = std::pin::pin!(waiting);
        assert!(poll!(&mut waiting).is_pending());
        first.abort();
        let value = tokio::time::timeout(MINUTE, waiting).await;
        assert_eq!(value, Ok(Ok(2)));
    })
    .await;
}

#[tokio::test]
async fn fifty_increments_at_once_are_all_counted() {
    on_each_backend(async |cache| {
        // A look starts no window.
        let looked = cache.increment("key", 0, MINUTE * 9).await.unwrap();
        assert_eq!((looked.count, looked.remaining), (0, Duration::ZERO));
        let counts = join_all((0..50).map(|_| cache.increment("key", 2, MINUTE))).await;
        let mut counts: Vec<u64> = counts.into_iter().map(|c| c.unwrap().count).collect();
        counts.sort_unstable();
        assert_eq!(counts, (1..=50).map(|n| n * 2).collect::<Vec<_>>());

        let looked = cache.increment("key", 0, MINUTE * 9).await.unwrap();
        assert_eq!(looked.count, 100);
        assert!(looked.remaining <= MINUTE && looked.remaining > MINUTE / 2);
        cache.reset("key").await.unwrap();
        assert_eq!(cache.increment("key", 1, MINUTE).await.unwrap().count, 1);
    })
    .await;
}

#[tokio::test]
async fn every_key_on_redis_carries_a_time_to_live() {
    let prefix = format!("test-{}", uuid::Uuid::new_v4().simple());
    let cache = Cache::open(&CacheOptions::new(redis_url(), prefix.as_str())).unwrap();
    cache.put("plain", &1, MINUTE).await.unwrap();
    // The longer-lived of two values decides how long the tag is known.
    cache
        .put_tagged("long", &["tag"], &1, MINUTE)
        .await
        .unwrap();
    cache
        .put_tagged("short", &["tag"], &1, MINUTE / 60)
        .await
        .unwrap();
    cache.increment("counter", 1, MINUTE).await.unwrap();
    cache.increment("counter", 1, MINUTE).await.unwrap();

    let client = redis::Client::open(redis_url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg(format!("{prefix}:*"))
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(keys.len(), 5, "{keys:?}");
    for key in keys {
        let ttl: i64 = redis::cmd("PTTL")
            .arg(&key)
            .query_async(&mut connection)
            .await
            .unwrap();
        let expected = if key.ends_with("short") {
            1..=1_000
        } else {
            50_000..=60_000
        };
        assert!(expected.contains(&ttl), "{key} {ttl}");
    }
}

#[tokio::test]
async fn every_call_can_be_made_from_a_spawned_task() {
    on_each_backend(async |cache| {
        let cache = cache.clone();
        let task = tokio::spawn(async move {
            cache.put_tagged("key", &["tag"], &1, MINUTE).await?;
            cache.get::<u32>("key").await;
            cache
                .get_or_load("other", MINUTE, || async { Ok::<_, CacheError>(1) })
                .await?;
            cache.increment("key", 1, MINUTE).await?;
            cache.reset("key").await?;
            cache.purge_tag("tag").await?;
            cache.remove("key").await?;
            cache.ping().await
        });
        task.await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_not_understood_is_a_clear_error() {
    for url in ["", "memcached://localhost", "redis://:secret@[half:1"] {
        let options = CacheOptions::new(url, "test");
        let error = Cache::open(&options).unwrap_err();
        assert!(matches!(error, CacheError::Settings(_)), "{url}");
        assert!(!format!("{options:?} {error} {error:?}").contains("secret"));
    }
}
