//! The limiter in front of a simulated service: some workers, an endless queue, more requests than they
//! can serve. On a paused clock: half a minute of overload takes a moment.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};

use crate::class::{Class, PerClass};
use crate::dice::Dice;
use crate::limiter::{Limiter, Permit};
use crate::policy::LimitPolicy;

const WORKERS: u32 = 20;
/// How long a client waits.
const DEADLINE: Duration = Duration::from_secs(5);
/// What comes in, percent, and what each takes on average, milliseconds (evenly from half to one and a
/// half times that).
const MIX: [(Class, u64, u64); 4] = [
    (Class::Background, 10, 40),
    (Class::Search, 60, 60),
    (Class::Interactive, 28, 20),
    (Class::Money, 2, 40),
];

/// The service: `slow` times slower than it should be, in percent.
struct Service {
    workers: Semaphore,
    slow: u64,
}

#[derive(Clone, Default)]
struct Tally {
    offered: u32,
    shed: u32,
    /// Milliseconds from arrival to answer, of those who were answered in time.
    latencies: Vec<u64>,
    /// Milliseconds of a worker's time that were of use to somebody.
    work: u64,
}

impl Tally {
    fn p99(&self) -> u64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let index = sorted.len() * 99 / 100;
        sorted.get(index).copied().unwrap_or_default()
    }
}

struct Run {
    tallies: PerClass<Tally>,
    seconds: u64,
}

impl Run {
    fn of(&self, class: Class) -> &Tally {
        self.tallies.get(class)
    }

    fn sum(&self, of: impl Fn(&Tally) -> u32) -> u32 {
        Class::ALL.iter().map(|class| of(self.of(*class))).sum()
    }

    /// Useful work, percent of what all workers can do.
    fn goodput(&self) -> u64 {
        let work: u64 = Class::ALL.iter().map(|class| self.of(*class).work).sum();
        work * 100 / (u64::from(WORKERS) * self.seconds * 1_000)
    }

    fn row(&self, name: &str) -> String {
        let share = |class| {
            let tally = self.of(class);
            let served = u32::try_from(tally.latencies.len()).unwrap();
            let served = served * 100 / tally.offered.max(1);
            format!("{served:>4} % {:>5} ms", tally.p99())
        };
        format!(
            "{name:>8} {:>8}/s {:>7} % | {} | {} | {} | {}",
            u64::from(self.sum(|tally| tally.offered)) / self.seconds,
            self.goodput(),
            share(Class::Background),
            share(Class::Search),
            share(Class::Interactive),
            share(Class::Money),
        )
    }
}

const HEAD: &str = "    load    offered goodput | background       | search           | interactive      | money              limit\n                            | served       p99 | served       p99 | served       p99 | served       p99";

struct Simulation {
    limiter: Option<Arc<Limiter>>,
    service: Arc<Mutex<Arc<Service>>>,
    dice: Dice,
}

impl Simulation {
    fn new(limited: bool) -> Self {
        let policy = LimitPolicy::default();
        Self {
            limiter: limited.then(|| Limiter::new("simulated", policy, Instant::now())),
            service: Arc::new(Mutex::new(service(WORKERS, 100))),
            dice: Dice::seeded(3),
        }
    }

    fn limiter(&self) -> &Arc<Limiter> {
        self.limiter.as_ref().unwrap()
    }

    /// From now on the service is like this.
    fn becomes(&self, workers: u32, slow: u64) {
        *self.service.lock().unwrap() = service(workers, slow);
    }

    /// So many seconds of a load, percent of what the workers can do.
    async fn run(&self, load: u64, seconds: u64) -> Run {
        let weight: u64 = MIX
            .iter()
            .map(|(_, percent, millis)| percent * millis)
            .sum();
        // Requests per second, times a thousand: what comes within a millisecond, times a million.
        let rate = load * u64::from(WORKERS) * 1_000 * 1_000 / weight;
        let tallies = Arc::new(Mutex::new(PerClass::<Tally>::default()));
        let start = Instant::now();
        for tick in 1..=seconds * 1_000 {
            let whole = rate / 1_000_000;
            let part = self.dice.below(1_000_000) < rate % 1_000_000;
            // From none to twice as many: requests come in bursts.
            let arrivals = self.dice.below(2 * (whole + u64::from(part)) + 1);
            for _ in 0..arrivals {
                let (class, millis) = self.draw();
                let work = millis / 2 + self.dice.below(millis);
                let service = self.service.lock().unwrap().clone();
                let request = request(self.limiter.clone(), service, class, work, tallies.clone());
                tokio::spawn(request);
            }
            sleep_until(start + Duration::from_millis(tick)).await;
        }
        let tallies = tallies.lock().unwrap().clone();
        Run { tallies, seconds }
    }

    fn draw(&self) -> (Class, u64) {
        let mut point = self.dice.below(100);
        for (class, percent, millis) in MIX {
            if point < percent {
                return (class, millis);
            }
            point -= percent;
        }
        unreachable!("the mix is of a hundred percent");
    }
}

fn service(workers: u32, slow: u64) -> Arc<Service> {
    Arc::new(Service {
        workers: Semaphore::new(usize::try_from(workers).unwrap()),
        slow,
    })
}

async fn request(
    limiter: Option<Arc<Limiter>>,
    service: Arc<Service>,
    class: Class,
    work: u64,
    tallies: Arc<Mutex<PerClass<Tally>>>,
) {
    let arrived = Instant::now();
    let tally = |change: &dyn Fn(&mut Tally)| change(tallies.lock().unwrap().get_mut(class));
    tally(&|tally| tally.offered += 1);
    let permit: Option<Permit> = match &limiter {
        Some(limiter) => match limiter.enter(class, arrived + DEADLINE).await {
            Ok(permit) => Some(permit),
            Err(shed) => {
                assert!(shed.retry_after >= Duration::from_secs(1));
                tally(&|tally| tally.shed += 1);
                return;
            }
        },
        None => None,
    };
    let sent = Instant::now();
    {
        let _worker = service.workers.acquire().await.unwrap();
        sleep(Duration::from_millis(work * service.slow / 100)).await;
    }
    if let Some(permit) = permit {
        permit.served(sent.elapsed(), Instant::now());
    }
    let took = arrived.elapsed();
    if took <= DEADLINE {
        tally(&|tally| {
            tally
                .latencies
                .push(u64::try_from(took.as_millis()).unwrap());
            tally.work += work;
        });
    }
}

#[tokio::test(start_paused = true)]
async fn under_ten_times_the_load_goodput_stays_and_who_is_let_in_is_served_as_quickly() {
    println!("{HEAD}");
    let mut runs = Vec::new();
    for load in [30, 60, 80, 90, 100, 120, 200, 500, 1_000] {
        let simulation = Simulation::new(true);
        simulation.run(load, 10).await;
        let run = simulation.run(load, 30).await;
        println!(
            "{} {}",
            run.row(&format!("{load} %")),
            simulation.limiter().status().limit
        );
        runs.push((load, run));
    }
    let unlimited = Simulation::new(false);
    unlimited.run(200, 10).await;
    println!(
        "{} without a limiter",
        unlimited.run(200, 30).await.row("200 %")
    );

    let run = |load| {
        runs.iter()
            .find(|(l, _)| *l == load)
            .map(|(_, run)| run)
            .unwrap()
    };
    for load in [30, 60, 80] {
        assert_eq!(
            run(load).sum(|tally| tally.shed),
            0,
            "false sheds at {load} %"
        );
    }
    let peak = runs.iter().map(|(_, run)| run.goodput()).max().unwrap();
    let knee = run(90);
    for load in [200, 500, 1_000] {
        let run = run(load);
        assert!(
            run.goodput() * 100 >= peak * 90,
            "{load} %: {} of {peak}",
            run.goodput()
        );
        assert_eq!(run.of(Class::Money).shed, 0, "{load} %");
        for class in Class::ALL {
            let (now, then) = (run.of(class).p99(), knee.of(class).p99());
            assert!(
                now <= 2 * then,
                "{load} %, {}: {now} against {then} ms",
                class.as_str()
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_loses_workers_gets_fewer_requests_and_more_again_when_they_return() {
    println!("{HEAD}");
    let simulation = Simulation::new(true);
    simulation.run(150, 10).await;
    let before = simulation.run(150, 20).await;
    println!("{}", before.row("20"));
    // Goodput is told in percent of twenty workers: a quarter of them can do 25.
    simulation.becomes(WORKERS / 4, 100);
    simulation.run(150, 10).await;
    let fewer = simulation.run(150, 20).await;
    println!("{}", fewer.row("5"));
    simulation.becomes(WORKERS, 100);
    simulation.run(150, 10).await;
    let after = simulation.run(150, 20).await;
    println!("{}", after.row("20"));
    assert!(fewer.goodput() >= 22, "{}", fewer.goodput());
    assert!(fewer.of(Class::Money).p99() < 500);
    assert!(after.goodput() + 2 >= before.goodput());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_waits_for_others_longer_is_not_taken_for_an_overloaded_one_for_long() {
    println!("{HEAD}");
    let simulation = Simulation::new(true);
    simulation.run(60, 10).await;
    // Five times as slow, but with room for everybody.
    simulation.becomes(10 * WORKERS, 500);
    let first = simulation.run(60, 15).await;
    println!("{}", first.row("first"));
    let then = simulation.run(60, 30).await;
    println!("{}", then.row("then"));
    let (shed, offered) = (
        then.sum(|tally| tally.shed),
        then.sum(|tally| tally.offered),
    );
    assert!(shed * 200 <= offered, "{shed} of {offered}");
    assert_eq!(first.of(Class::Money).shed, 0);
}

#[tokio::test(start_paused = true)]
async fn when_an_overload_ends_nobody_is_refused_any_more() {
    let simulation = Simulation::new(true);
    simulation.run(1_000, 20).await;
    simulation.run(60, 5).await;
    let after = simulation.run(60, 30).await;
    println!("{HEAD}\n{}", after.row("after"));
    let (shed, offered) = (
        after.sum(|tally| tally.shed),
        after.sum(|tally| tally.offered),
    );
    assert!(shed * 1_000 <= offered, "{shed} of {offered}");
}
