//! A private cache per backend and test.

use std::time::Duration;

use caching::{Cache, CacheOptions};

/// Runs the test once per backend; its name is printed, so that it stands above a failure.
pub(crate) async fn on_each_backend(test: impl AsyncFn(&Cache)) {
    for url in ["memory:".to_owned(), redis_url()] {
        println!("on {url}");
        test(&open(&url)).await;
    }
}

/// A cache with a prefix that nothing else uses. Its keys go when their time to live ends.
pub(crate) fn open(url: &str) -> Cache {
    let mut options = CacheOptions::new(url, format!("test-{}", uuid::Uuid::new_v4().simple()));
    // A loaded machine is not an outage.
    options.timeout = Duration::from_secs(5);
    Cache::open(&options).unwrap()
}

pub(crate) fn redis_url() -> String {
    std::env::var("INTERLINE_TEST_REDIS_URL").unwrap_or_else(|_| {
        panic!(
            "INTERLINE_TEST_REDIS_URL is not set: run tests/run.sh, \
             or eval \"$(tests/services.sh start)\" first"
        )
    })
}
