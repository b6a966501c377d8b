//! Searching for cars around a point.

use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time};
use serde_json::{Map, Value, json};

use super::state::{Cars, Outcome, Rate};
use super::{text, wire};
use crate::cars::{self, Branch, CLASSES, Payment, Rental, TEST_CLASS, TEST_PLACE};
use crate::chance::between;
use crate::duffel::platform::{Answered, Problem, instant, ok};

/// Kilometres around a point when the request names none.
const RADIUS: f64 = 10.0;

/// The rates of the test location, named after what a booking of them does.
const TEST_RATES: [(&str, Outcome, Payment); 8] = [
    (
        "Successful Postpaid Booking",
        Outcome::Books,
        Payment::Postpaid,
    ),
    (
        "Successful Guarantee Booking",
        Outcome::Books,
        Payment::Guarantee,
    ),
    (
        "Successful Prepaid Booking",
        Outcome::Books,
        Payment::Prepaid,
    ),
    (
        "Successful Non-Refundable Booking",
        Outcome::Books,
        Payment::PrepaidFinal,
    ),
    ("Unavailable Rate", Outcome::NoQuote, Payment::Postpaid),
    ("Price Changed on Quote", Outcome::Dearer, Payment::Postpaid),
    ("Failed Booking", Outcome::Fails, Payment::Postpaid),
    ("Declined Payment", Outcome::Declined, Payment::Prepaid),
];

struct Asked {
    from: DateTime,
    to: DateTime,
    pickup: (f64, f64, f64),
    dropoff: (f64, f64, f64),
    age: u8,
}

/// `POST /cars/search`.
pub(crate) fn create(cars: &Cars, host: &str, data: Map<String, Value>) -> Answered {
    let asked = read(cars, &data)?;
    let now = cars.office.clock.now();
    let expires_at = cars.office.clock.after(cars.office.offer_life);
    let search_id = cars.ids.next("seh", now);
    let host: Arc<str> = Arc::from(host);
    let rates: Vec<Arc<Rate>> = rentals(cars, &asked)
        .into_iter()
        .filter(|(rental, _)| {
            let units = rental.units();
            units
                .iter()
                .all(|(item, wanted)| cars.office.inventory.show(item) >= *wanted)
        })
        .map(|(rental, test)| {
            Arc::new(Rate {
                id: cars.ids.next("rae", now),
                search_id: search_id.clone(),
                price: rental.price(cars.office.seed),
                rental,
                test,
                host: Arc::clone(&host),
                expires_at,
            })
        })
        .collect();
    let shown: Vec<Value> = rates
        .iter()
        .map(|rate| wire::rate(rate, &cars.office.currency))
        .collect();
    cars.store().keep_rates(rates, expires_at, now);
    let mut search = json!({
        "id": search_id,
        "live_mode": false,
        "created_at": instant(now),
        "rates": shown,
    });
    if let Some(search) = search.as_object_mut() {
        for name in [
            "pickup_date",
            "pickup_time",
            "dropoff_date",
            "dropoff_time",
            "pickup_location",
            "dropoff_location",
            "driver",
        ] {
            search.insert(name.to_owned(), data.get(name).cloned().unwrap_or_default());
        }
    }
    Ok(ok(search))
}

fn read(cars: &Cars, data: &Map<String, Value>) -> Result<Asked, Problem> {
    let from = moment(data, "pickup_date", "pickup_time")?;
    let to = moment(data, "dropoff_date", "dropoff_time")?;
    if to <= from {
        return Err(Problem::format("/dropoff_date", "must be after the pickup"));
    }
    // Half a day of room for the time zones, which are only known with the place.
    let today = cars.office.clock.now().to_zoned(jiff::tz::TimeZone::UTC);
    let yesterday = today
        .datetime()
        .checked_sub(jiff::SignedDuration::from_hours(12));
    if yesterday.is_ok_and(|earliest| from < earliest) {
        return Err(Problem::format("/pickup_date", "must not be in the past"));
    }
    let driver = data.get("driver").and_then(Value::as_object);
    let driver = driver.ok_or_else(|| Problem::required("/driver"))?;
    let country = text(driver, "residence_country_code", "/driver")?;
    if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        let pointer = "/driver/residence_country_code";
        return Err(Problem::format(
            pointer,
            "must be an ISO 3166-1 alpha-2 code",
        ));
    }
    let age = driver.get("age").and_then(Value::as_u64);
    let age = age.and_then(|age| u8::try_from(age).ok());
    let age = age.filter(|age| (16..=120).contains(age));
    Ok(Asked {
        from,
        to,
        pickup: place(data, "pickup_location")?,
        dropoff: place(data, "dropoff_location")?,
        age: age
            .ok_or_else(|| Problem::format("/driver/age", "must be a number between 16 and 120"))?,
    })
}

fn moment(data: &Map<String, Value>, date: &str, time: &str) -> Result<DateTime, Problem> {
    let day: Date = text(data, date, "")?
        .parse()
        .map_err(|_| Problem::format(&format!("/{date}"), "must be a date such as 2026-05-27"))?;
    let clock = text(data, time, "")?;
    let parsed = Time::strptime("%H:%M", clock);
    let at =
        parsed.map_err(|_| Problem::format(&format!("/{time}"), "must be a time such as 10:00"))?;
    Ok(day.to_datetime(at))
}

/// Latitude, longitude and radius.
fn place(data: &Map<String, Value>, name: &str) -> Result<(f64, f64, f64), Problem> {
    let pointer = format!("/{name}/geographic_coordinates");
    let location = data
        .get(name)
        .ok_or_else(|| Problem::required(&format!("/{name}")))?;
    let number = |axis: &str, most: f64| {
        let value = location.pointer(&format!("/geographic_coordinates/{axis}"));
        value
            .and_then(Value::as_f64)
            .filter(|value| value.abs() <= most)
            .ok_or_else(|| Problem::required(&format!("{pointer}/{axis}")))
    };
    let radius = match location.get("radius").filter(|radius| !radius.is_null()) {
        None => RADIUS,
        Some(radius) => radius
            .as_f64()
            .filter(|radius| (0.0..=100.0).contains(radius))
            .ok_or_else(|| {
                Problem::format(&format!("/{name}/radius"), "must be between 0 and 100")
            })?,
    };
    Ok((
        number("latitude", 90.0)?,
        number("longitude", 180.0)?,
        radius,
    ))
}

/// Every car of every branch that is open at both ends and accepts the driver.
fn rentals(cars: &Cars, asked: &Asked) -> Vec<(Rental, Option<(&'static str, Outcome)>)> {
    let seed = cars.office.seed;
    let near = |(latitude, longitude, radius)| cars::near(seed, (latitude, longitude), radius);
    let returns = near(asked.dropoff);
    let mut found = Vec::new();
    for pickup in near(asked.pickup) {
        // The same branch if it is among them, else the company's nearest one.
        let dropoff = returns
            .iter()
            .filter(|branch| branch.company.code == pickup.company.code)
            .max_by_key(|branch| branch.place() == pickup.place());
        let Some(dropoff) = dropoff else { continue };
        let open = pickup.is_open(asked.from.hour()) && dropoff.is_open(asked.to.hour());
        if !open || !pickup.company.accepts(asked.age) {
            continue;
        }
        let rental = |class, payment, dropoff: &Branch| Rental {
            company: pickup.company,
            class,
            payment,
            pickup: pickup.clone(),
            dropoff: dropoff.clone(),
            from: asked.from,
            to: asked.to,
            driver_age: asked.age,
        };
        if pickup.airport == TEST_PLACE {
            let back = cars::test_branch("Duffel Test Drive Dropoff", "2 Rental Road");
            for (name, outcome, payment) in TEST_RATES {
                found.push((rental(&TEST_CLASS, payment, &back), Some((name, outcome))));
            }
            continue;
        }
        for class in &CLASSES {
            let words = format!(
                "fleet/{}/{}/{:?}/{}",
                pickup.company.code,
                pickup.airport,
                pickup.place(),
                class.code
            );
            // A branch has about a third of the classes; the economy car every one.
            if class.code != "ECAR" && between(seed, &words, 0, 2) > 0 {
                continue;
            }
            for payment in pickup.company.payments {
                found.push((rental(class, *payment, dropoff), None));
            }
        }
    }
    found
}
