//! Who is erased is found nowhere, and nobody else loses anything.

mod people;
mod stores;
mod traces;

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::Value;
use testkit::{Client, Settings, Stack, wait_until};

use people::{ERASED, Person, SELLS};
use stores::Place;
use traces::Traces;

/// People who do something at once.
const AT_ONCE: usize = 6;
/// Those who search: a search keeps the whole machine busy.
const SEARCHING: usize = 2;

/// A thousand people come from one address here.
const SETTINGS: Settings<'static> = &[
    (
        "auth_service",
        "registration.requests_per_address",
        "1000000",
    ),
    (
        "auth_service",
        "password_reset.requests_per_address",
        "1000000",
    ),
    ("auth_service", "login.failures_per_address", "1000000"),
    ("auth_service", "mail.per_recipient_hour", "1000000"),
    ("auth_service", "passwords.share_percent", "100"),
    ("auth_service", "passwords.wait_ms", "30000"),
];

async fn each<T>(people: Vec<Person>, at_once: usize, what: impl AsyncFn(Person) -> T) -> Vec<T> {
    stream::iter(people)
        .map(|person| what(person))
        .buffered(at_once)
        .collect()
        .await
}

/// What stands where it must not; at most a few are named.
fn hits(traces: &Traces, places: &[Place]) -> (usize, usize, Vec<String>) {
    let (mut bytes, mut count, mut named) = (0, 0, Vec::new());
    for place in places {
        bytes += place.bytes.len();
        for hit in traces.in_bytes(&place.bytes) {
            count += 1;
            if named.len() < 10 {
                named.push(format!("{hit} in {}", place.name));
            }
        }
    }
    (bytes, count, named)
}

async fn exported(stack: &Stack, person: &Person) -> usize {
    let answer = person.client(stack).get("/api/v1/auth/me/export").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let text = serde_json::to_string(answer.data()).unwrap();
    let kept = person.kept();
    for value in &kept {
        let json = serde_json::to_string(value).unwrap();
        assert!(
            text.contains(json.trim_matches('"')),
            "the export lacks {value}"
        );
    }
    for secret in ["access_token", "refresh_token", "password", "ilk_"] {
        assert!(!text.contains(&format!("{secret}\"")), "{secret}");
    }
    kept.len()
}

async fn erase(stack: &Stack, person: &Person) {
    let own = person.client(stack);
    let answer = own.send("DELETE", "/api/v1/auth/me", None).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
}

/// Every record of the audit log with this action.
async fn records(admin: &Client, action: &str) -> usize {
    let mut count = 0;
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/auth/audit-logs?action={action}&limit=100{cursor}");
        let page = admin.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.text);
        count += page.data().as_array().unwrap().len();
        match page.body["meta"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return count,
        }
    }
}

/// Everything of the living opens for them.
async fn still_whole(stack: &Stack, mut person: Person) -> usize {
    person.refresh(stack).await;
    let own = person.client(stack);
    let account = own.get("/api/v1/auth/me").await;
    assert_eq!(account.data()["email"], person.email());
    assert_eq!(account.data()["full_name"], person.full_name());
    if !person.sells() {
        return 2;
    }
    let mut values = 2;
    for vertical in ["flights", "hotels", "cars"] {
        let orders = own.get(&format!("/api/v1/{vertical}/orders")).await;
        let orders = orders.data().as_array().unwrap();
        let made = orders.iter().filter(|order| order["status"] != "failed");
        for order in made {
            assert_eq!(order["travellers"], Value::from(vec![person.traveller()]));
            values += 6;
        }
    }
    values
}

async fn story(mut stack: Stack, count: usize, apart: bool) {
    let size = if apart { "apart" } else { "one process" };
    let admin = stack.log_in("admin").await;
    let people: Vec<Person> = (0..count).map(Person::new).collect();
    let people = each(people, AT_ONCE, async |person| person.live(&stack).await).await;
    let (sellers, others): (Vec<_>, Vec<_>) = people.into_iter().partition(Person::sells);
    let sellers = each(sellers, SEARCHING, async |person| {
        person.sell(&stack, &admin).await
    })
    .await;
    let people: Vec<Person> = sellers.into_iter().chain(others).collect();
    let planted: Vec<String> = people.iter().flat_map(Person::planted).collect();
    println!(
        "{size}: {count} people, {} of them sell; {} values planted",
        count.div_ceil(SELLS),
        planted.len()
    );

    let (erased, living): (Vec<_>, Vec<_>) = people.into_iter().partition(Person::is_erased);
    // Their tokens may have grown old meanwhile.
    let erased = each(erased, AT_ONCE, async |mut person| {
        person.refresh(&stack).await;
        person
    })
    .await;
    let mut exports = 0;
    for person in &erased {
        exports += exported(&stack, person).await;
    }
    println!(
        "{size}: {} exports had all {exports} planted values",
        erased.len()
    );

    stream::iter(&erased)
        .for_each_concurrent(AT_ONCE, |person| erase(&stack, person))
        .await;
    let admin = stack.log_in("admin").await;
    wait_until("every service to confirm", async || {
        let confirmed = records(&admin, "erase_complete").await;
        (confirmed == erased.len()).then_some(())
    })
    .await;
    assert_eq!(records(&admin, "erase").await, erased.len());

    let databases = stores::databases(&stack, apart).await;
    let (mut stored, mut opened, mut seals) = (Vec::new(), Vec::new(), 0);
    for database in &databases {
        for person in &erased {
            let destroyed = database.key_of(&person.id).await;
            assert_eq!(
                destroyed,
                Some(true),
                "{} of {}",
                person.id,
                database.service
            );
        }
        let (clear, unsealed, sealed) = database.everything(stack.data_dir()).await;
        stored.push(clear);
        opened.push(unsealed);
        seals += sealed;
    }
    stored.extend(stores::files(&stack));
    stored.extend(stores::logs(&mut stack));
    if apart {
        stored.extend(stores::redis().await);
    }
    let gone: Vec<String> = erased.iter().flat_map(Person::planted).collect();
    let traces = Traces::of(&gone);
    let (bytes, found, named) = hits(&traces, &stored);
    let (open_bytes, open_found, open_named) = hits(&traces, &opened);
    println!(
        "{size}: {} values of the erased in {} forms: {found} hits in {bytes} bytes of {} places, \
         {open_found} in {open_bytes} bytes that the master key opens ({seals} sealed texts)",
        gone.len(),
        traces.count,
        stored.len(),
    );
    assert_eq!(found, 0, "{named:#?}");
    assert_eq!(open_found, 0, "{open_named:#?}");

    // The search finds what is there, and at rest nobody stands in clear.
    let all = Traces::of(&living.iter().flat_map(Person::kept).collect::<Vec<_>>());
    let (_, clear, named) = hits(&all, &stored);
    let (_, sealed, _) = hits(&all, &opened);
    println!("{size}: of the living {clear} hits in clear, {sealed} opened with the master key");
    assert_eq!(clear, 0, "{named:#?}");
    assert!(sealed >= living.len() * 3, "{sealed}");

    let living_count = living.len();
    let whole = each(living, AT_ONCE, async |person| {
        still_whole(&stack, person).await
    })
    .await;
    let whole: usize = whole.into_iter().sum();
    println!("{size}: {living_count} living read all {whole} values of theirs");
    let admin = stack.log_in("admin").await;
    let verified = admin.get("/api/v1/auth/audit-logs/verify").await;
    assert_eq!(verified.data()["valid"], true, "{}", verified.text);
    println!(
        "{size}: the audit chain of {} records verifies",
        verified.data()["records"]
    );
    for person in erased.iter().take(3) {
        let answer = person.client(&stack).get("/api/v1/auth/me").await;
        assert_eq!(answer.status, 401);
    }
    for database in databases {
        database.db.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_erased_are_found_nowhere_and_the_others_keep_everything() {
    story(Stack::one_process(SETTINGS).await, 6 * ERASED, false).await;
    story(Stack::apart(SETTINGS).await, 6 * ERASED, true).await;
}

/// Takes many minutes: run before a release.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement of many minutes"]
async fn a_hundred_of_a_thousand_people_are_erased() {
    story(Stack::one_process(SETTINGS).await, 100 * ERASED, false).await;
    story(Stack::apart(SETTINGS).await, 100 * ERASED, true).await;
}

#[tokio::test]
async fn a_service_that_is_down_is_told_of_an_erasure_when_it_is_back() {
    let mut stack = Stack::apart(SETTINGS).await;
    let admin = stack.log_in("admin").await;
    let person = Person::new(0).live(&stack).await.sell(&stack, &admin).await;
    stack.kill("car_service");

    let export = person.client(&stack).get("/api/v1/auth/me/export").await;
    assert_eq!((export.status, export.code()), (503, "SERVICE_UNAVAILABLE"));
    let missing = &export.body["errors"][0]["details"]["missing"];
    assert_eq!(*missing, serde_json::json!(["car_service"]));
    assert_ne!(export.header("retry-after"), "");

    erase(&stack, &person).await;
    let databases = stores::databases(&stack, true).await;
    let cars = databases
        .iter()
        .find(|database| database.service == "car_service");
    let cars = cars.unwrap();
    wait_until("the others to confirm", async || {
        for database in &databases {
            if database.service != "car_service" && database.key_of(&person.id).await != Some(true)
            {
                return None;
            }
        }
        Some(())
    })
    .await;
    assert_eq!(cars.key_of(&person.id).await, Some(false));
    assert_eq!(records(&admin, "erase_complete").await, 0);

    // The auth service forgets nothing of it when it is started anew.
    stack.kill("auth_service");
    stack.start_again("auth_service").await;
    stack.start_again("car_service").await;
    wait_until("the last to confirm", async || {
        (cars.key_of(&person.id).await == Some(true)).then_some(())
    })
    .await;
    let admin = stack.log_in("admin").await;
    wait_until("the record of it", async || {
        (records(&admin, "erase_complete").await == 1).then_some(())
    })
    .await;
    for database in databases {
        database.db.close().await;
    }
}
