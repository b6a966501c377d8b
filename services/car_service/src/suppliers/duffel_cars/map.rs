//! From Duffel's shapes to ours. Pure functions: what cannot be shown truthfully is refused with a
//! reason, what looks wrong is kept and flagged.

use serde_json::{Value, json};
use supplier_client::tolerant::Literal;
use supplier_platforms::duffel::remember;
use travel_types::jiff::{SignedDuration, Timestamp};
use travel_types::{Money, Place, Warning, WarningCode, distance_km};
use vertical_kit::mapping::{order_details, part};
use vertical_kit::{CancellationTerm, Conditions, PlacedOrder, PlacedStatus, SupplierOffer};

use super::wire;
use crate::acriss;
use crate::mapping::{Trip, count, degrees, searched_stop, some_text, stop_time};
use crate::model::{
    CarDetails, CarKind, CarPayment, CarStop, Charge, Company, Mileage, Term, Transmission, Vehicle,
};

/// What of the configuration decides what can be shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    /// How far a desk may be from the place that was searched.
    pub(super) radius_km: u32,
    /// Whether we have a card to pay with.
    pub(super) has_card: bool,
}

/// A rate or a quote as an offer; `handle` is what is remembered of it beside the trip.
pub(super) fn offer(
    rental: &wire::Rental,
    trip: &Trip,
    shown: Shown,
    handle: Value,
) -> Result<SupplierOffer, String> {
    let mut warnings = Vec::new();
    let (total, base) = price(rental, &mut warnings)?;
    let details = details(rental, trip, shown.radius_km, total, base, &mut warnings)?;
    if details.payment == CarPayment::Guarantee && !shown.has_card {
        return Err("must be guaranteed by a card, and no card_id is configured".to_owned());
    }
    let pickup = details.pickup.time.as_ref().map(|time| time.utc());
    Ok(SupplierOffer {
        total,
        base,
        // Duffel tells charges, of which some are taxes; which ones, it does not say.
        taxes: None,
        expires_at: None,
        conditions: Conditions {
            cancellation: pickup.and_then(|pickup| cancellation(rental, pickup, total)),
            changeable: None,
        },
        warnings,
        details: serde_json::to_value(&details).map_err(|error| error.to_string())?,
        handle,
    })
}

fn price(
    rental: &wire::Rental,
    warnings: &mut Vec<Warning>,
) -> Result<(Money, Option<Money>), String> {
    let amount = rental.total_amount.as_ref();
    let amount = amount.ok_or("total_amount is missing")?;
    let currency = rental.total_currency.as_deref();
    let currency = currency.ok_or("total_currency is missing")?;
    let total =
        Money::parse(amount.as_str(), currency).map_err(|error| format!("total: {error}"))?;
    if total.minor() < 0 {
        return Err("the total is below zero".to_owned());
    }
    let base = part(
        rental.base_amount.as_ref().map(Literal::as_str),
        rental.base_currency.as_deref(),
        total,
        "base",
        warnings,
    );
    if base.is_some_and(|base| base.minor() > total.minor()) {
        let message = "the base is more than the total";
        warnings.push(Warning::new(WarningCode::SumMismatch, "base", message));
    }
    Ok((total, base))
}

fn details(
    rental: &wire::Rental,
    trip: &Trip,
    radius_km: u32,
    total: Money,
    base: Option<Money>,
    warnings: &mut Vec<Warning>,
) -> Result<CarDetails, String> {
    let payment = match rental.payment_type.as_deref() {
        Some("postpaid") => CarPayment::Postpaid,
        Some("guarantee") => CarPayment::Guarantee,
        Some("prepaid") => CarPayment::Prepaid,
        Some(_) => return Err("payment_type is none that Duffel describes".to_owned()),
        None => return Err("payment_type is missing".to_owned()),
    };
    let vehicle = vehicle(rental.car.as_ref(), warnings)?;
    let pickup = End {
        location: rental.pickup_location.as_ref(),
        place: &trip.pickup,
        path: "details.pickup",
    };
    let dropoff = End {
        location: rental.dropoff_location.as_ref(),
        place: &trip.dropoff,
        path: "details.dropoff",
    };
    let mut begins = pickup.stop(radius_km, warnings);
    let mut ends = dropoff.stop(radius_km, warnings);
    begins.time = stop_time(
        stated(&rental.pickup_date, &rental.pickup_time).as_deref(),
        trip.pickup_at,
        &trip.pickup.time_zone,
        pickup.path,
        warnings,
    );
    ends.time = stop_time(
        stated(&rental.dropoff_date, &rental.dropoff_time).as_deref(),
        trip.dropoff_at,
        &trip.dropoff.time_zone,
        dropoff.path,
        warnings,
    );
    Ok(CarDetails {
        kind: CarKind::Rental,
        company: company(rental.supplier.as_ref(), warnings),
        vehicle,
        pickup: begins,
        dropoff: ends,
        one_way: trip.is_one_way(),
        mileage: mileage(rental.mileage.as_ref(), warnings),
        payment,
        due_at_pickup: (payment != CarPayment::Prepaid).then_some(total),
        driver_age: Some(trip.driver_age),
        charges: charges(rental.charges.as_deref(), total, base, warnings),
        terms: terms(rental),
    })
}

/// `2026-05-27` and `10:00`.
fn stated(date: &Option<String>, time: &Option<String>) -> Option<String> {
    Some(format!("{}T{}", date.as_deref()?, time.as_deref()?))
}

fn vehicle(car: Option<&wire::Car>, warnings: &mut Vec<Warning>) -> Result<Vehicle, String> {
    let car = car.ok_or("does not say which car")?;
    let acriss = some_text(car.code.as_deref());
    let name = some_text(car.name.as_deref()).or_else(|| acriss.clone());
    let bags = car.baggage.as_ref();
    let mut vehicle = Vehicle {
        name: name.ok_or("does not say which car")?,
        acriss,
        category: some_text(car.category.as_deref()),
        body: some_text(car.kind.as_deref()),
        transmission: match car.transmission.as_deref() {
            Some("manual") => Some(Transmission::Manual),
            Some("automatic") => Some(Transmission::Automatic),
            _ => None,
        },
        all_wheel_drive: None,
        fuel: some_text(car.fuel.as_deref()).filter(|fuel| fuel != "unspecified_fuel"),
        air_conditioning: car.air_conditioning,
        seats: count(car.max_passengers.as_ref()),
        large_bags: count(bags.and_then(|bags| bags.large.as_ref())),
        small_bags: count(bags.and_then(|bags| bags.small.as_ref())),
        pictures: car
            .images
            .iter()
            .flatten()
            .filter_map(|image| some_text(image.url.as_deref()))
            .collect(),
    };
    acriss::complete(&mut vehicle, warnings);
    Ok(vehicle)
}

fn company(stated: Option<&wire::Company>, warnings: &mut Vec<Warning>) -> Company {
    let name = stated.and_then(|company| some_text(company.name.as_deref()));
    if name.is_none() {
        let message = "the supplier does not name the company that rents the car out";
        let path = "details.company";
        warnings.push(Warning::new(WarningCode::DataQuality, path, message));
    }
    Company {
        name: name.unwrap_or_default(),
        logo_url: stated.and_then(|company| some_text(company.logo_url.as_deref())),
    }
}

/// Where the rental begins or ends: what Duffel says beside what was searched.
struct End<'a> {
    location: Option<&'a wire::Location>,
    place: &'a Place,
    path: &'a str,
}

impl End<'_> {
    fn stop(&self, radius_km: u32, warnings: &mut Vec<Warning>) -> CarStop {
        let mut stop = searched_stop(self.place);
        let Some(location) = self.location else {
            self.flag("the supplier does not say where".to_owned(), warnings);
            return stop;
        };
        stop.name = some_text(location.name.as_deref()).unwrap_or_default();
        if let Some(address) = &location.address {
            let parts = [
                address.line_one.as_deref(),
                address.city_name.as_deref(),
                address.region.as_deref(),
                address.postal_code.as_ref().map(Literal::as_str),
            ];
            stop.address = parts.into_iter().filter_map(some_text).collect();
            stop.country = some_text(address.country_code.as_deref());
        }
        if stop.name.is_empty() && stop.address.is_empty() {
            self.flag("the supplier does not say where".to_owned(), warnings);
        }
        if let Some(point) = &location.geographic_coordinates {
            let latitude = degrees(point.latitude.as_ref(), 90.0);
            let longitude = degrees(point.longitude.as_ref(), 180.0);
            if let (Some(latitude), Some(longitude)) = (latitude, longitude) {
                self.check_distance((latitude, longitude), radius_km, warnings);
                (stop.latitude, stop.longitude) = (Some(latitude), Some(longitude));
            }
        }
        stop.access = some_text(location.access.as_deref());
        stop.phone = location.phone_number.as_ref().map(|phone| phone.0.clone());
        let hours = location.opening_hours.iter().flatten();
        stop.opening_hours = hours
            .filter_map(|hours| {
                let from = some_text(hours.from.as_deref())?;
                let to = some_text(hours.to.as_deref())?;
                Some(format!("{from}–{to}"))
            })
            .collect();
        stop
    }

    fn check_distance(&self, desk: (f64, f64), radius_km: u32, warnings: &mut Vec<Warning>) {
        let away = distance_km((self.place.latitude, self.place.longitude), desk);
        // A kilometre of grace: Duffel may round, and measure on another globe.
        if away > f64::from(radius_km) + 1.0 {
            self.flag(
                format!("lies {away:.0} km from the place that was searched"),
                warnings,
            );
        }
    }

    fn flag(&self, message: String, warnings: &mut Vec<Warning>) {
        warnings.push(Warning::new(WarningCode::DataQuality, self.path, message));
    }
}

fn mileage(stated: Option<&wire::Mileage>, warnings: &mut Vec<Warning>) -> Option<Mileage> {
    let stated = stated?;
    let unit = match stated.unit.as_deref() {
        Some("kilometres") => Some("km"),
        Some("miles") => Some("mi"),
        _ => None,
    };
    let limit = count(stated.limit.as_ref());
    match (stated.kind.as_deref(), limit, unit) {
        (Some("unlimited"), ..) => Some(Mileage {
            unlimited: true,
            limit: None,
            unit: None,
        }),
        (Some("limited"), Some(limit), Some(unit)) => Some(Mileage {
            unlimited: false,
            limit: Some(limit),
            unit: Some(unit.to_owned()),
        }),
        _ => {
            let message = "how far one may drive cannot be read";
            let path = "details.mileage";
            warnings.push(Warning::new(WarningCode::DataQuality, path, message));
            None
        }
    }
}

/// The charges of a quote. Duffel's own sample gives those on top of the base (95.22 + 6.12 = 101.34);
/// charges that add up to the total by themselves are as good.
fn charges(
    stated: Option<&[wire::Charge]>,
    total: Money,
    base: Option<Money>,
    warnings: &mut Vec<Warning>,
) -> Vec<Charge> {
    let path = "details.charges";
    let stated = stated.unwrap_or_default();
    let mut charges = Vec::with_capacity(stated.len());
    let mut sum = Some(Money::zero(total.currency()));
    for charge in stated {
        let amount = charge.amount.as_ref().map(Literal::as_str);
        let amount = part(
            amount.or(Some("")),
            charge.currency.as_deref(),
            total,
            path,
            warnings,
        );
        sum = sum
            .zip(amount)
            .and_then(|(sum, amount)| sum.plus(amount).ok());
        charges.extend(amount.map(|amount| Charge {
            name: some_text(charge.description.as_deref()).unwrap_or_default(),
            amount,
        }));
    }
    let on_top = sum.zip(base).and_then(|(sum, base)| sum.plus(base).ok());
    if !stated.is_empty() && sum != Some(total) && on_top != Some(total) {
        let message = "the charges do not add up to the total";
        warnings.push(Warning::new(WarningCode::SumMismatch, path, message));
    }
    charges
}

fn terms(rental: &wire::Rental) -> Vec<Term> {
    let ends = [&rental.pickup_location, &rental.dropoff_location];
    let ends = ends.into_iter().flatten();
    let informed = ends.flat_map(|end| end.additional_information.iter().flatten());
    let mut terms: Vec<Term> = Vec::new();
    for stated in rental
        .conditions
        .iter()
        .flatten()
        .chain(rental.privacy_policies.iter().flatten())
        .chain(informed)
    {
        let term = Term {
            title: some_text(stated.title.as_deref()).unwrap_or_default(),
            text: some_text(stated.text.as_deref()).unwrap_or_default(),
        };
        let says_something = !(term.title.is_empty() && term.text.is_empty());
        if says_something && !terms.contains(&term) {
            terms.push(term);
        }
    }
    terms
}

/// What comes back by time, where the conditions say it in a sentence that is known: everything until so
/// many hours before pick-up (Duffel's own sample), or nothing of what was paid with the order. What it
/// costs after the free time is not told, so no term says it. Null when there is no such sentence, or when
/// another condition speaks of cancelling too.
pub(super) fn cancellation(
    rental: &wire::Rental,
    pickup: Timestamp,
    total: Money,
) -> Option<Vec<CancellationTerm>> {
    let says = |text: &Option<String>| {
        let text = text.as_deref().unwrap_or_default().to_ascii_lowercase();
        text.contains("cancel") || text.contains("refund")
    };
    let mut about = rental
        .conditions
        .iter()
        .flatten()
        .filter(|one| says(&one.title) || says(&one.text));
    let (Some(only), None) = (about.next(), about.next()) else {
        return None;
    };
    let text = only.text.as_deref()?.trim().to_ascii_lowercase();
    let text = text.strip_suffix('.').unwrap_or(&text);
    let prepaid = rental.payment_type.as_deref() == Some("prepaid");
    let (until, refund) = match free_until(text) {
        Some(free) => (pickup.checked_sub(free).ok()?, total),
        None if prepaid && text == "this rate is non-refundable" => {
            (pickup, Money::zero(total.currency()))
        }
        None => return None,
    };
    Some(vec![CancellationTerm { until, refund }])
}

/// Reads `free cancellation up to 24 hours before pickup` and nothing else.
fn free_until(text: &str) -> Option<SignedDuration> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [
        "free",
        "cancellation",
        "up",
        "to",
        number,
        unit,
        "before",
        "pickup" | "pick-up",
    ] = words[..]
    else {
        return None;
    };
    let number: i64 = number.parse().ok().filter(|number| *number >= 0)?;
    let hours = match unit {
        "hour" | "hours" => number,
        "day" | "days" => number.checked_mul(24)?,
        _ => return None,
    };
    hours.checked_mul(3600).map(SignedDuration::from_secs)
}

/// When the car is taken, as the booking or the search says.
pub(super) fn pickup(rental: &wire::Rental, trip: &Trip) -> Option<Timestamp> {
    let stated = stated(&rental.pickup_date, &rental.pickup_time);
    let zone = &trip.pickup.time_zone;
    let path = "details.pickup";
    let time = stop_time(
        stated.as_deref(),
        trip.pickup_at,
        zone,
        path,
        &mut Vec::new(),
    );
    time.map(|time| time.utc())
}

/// A booking. Its details are left as the offer had them where they cannot be shown; one whose reference
/// and status are told, and no price that can be read, costs what was agreed to.
pub(super) fn booking(
    rental: &wire::Rental,
    shown: Shown,
    handle: &Value,
    agreed: Money,
) -> Result<PlacedOrder, String> {
    let mut warnings = Vec::new();
    let status = match rental.status.as_deref() {
        _ if rental.cancelled_at.is_some() => PlacedStatus::Cancelled,
        Some("cancelled") => PlacedStatus::Cancelled,
        Some("confirmed") => PlacedStatus::Confirmed,
        None if rental.confirmed_at.is_some() => PlacedStatus::Confirmed,
        _ => PlacedStatus::Pending,
    };
    let is_told = rental.reference.is_some() && status != PlacedStatus::Pending;
    let (total, base) = match price(rental, &mut warnings) {
        Ok(priced) => priced,
        Err(reason) if !is_told => return Err(reason),
        Err(_) => {
            let message = "the booking's price cannot be read: it is the one agreed to";
            warnings.push(Warning::new(WarningCode::DataQuality, "total", message));
            (agreed, None)
        }
    };
    let details = Trip::of(handle)
        .and_then(|trip| details(rental, &trip, shown.radius_km, total, base, &mut warnings))
        .and_then(|details| order_details(&details, &warnings));
    let reference = rental.reference.as_ref().unwrap_or(&rental.id);
    Ok(PlacedOrder {
        status,
        supplier_reference: reference.0.clone(),
        total,
        details: details.ok(),
        handle: remember(handle, "booking_id", rental.id.as_str()),
    })
}

/// What is remembered of a rate.
pub(super) fn rate_handle(rental: &wire::Rental, trip: &Trip) -> Value {
    json!({ "rate_id": rental.id.as_str(), "trip": trip })
}

/// What is remembered of a quote: enough to order it at its price.
pub(super) fn quote_handle(rental: &wire::Rental, handle: &Value) -> Value {
    let mut handle = remember(handle, "quote_id", rental.id.as_str());
    if let Some(fields) = handle.as_object_mut() {
        fields.insert("payment_type".to_owned(), json!(rental.payment_type));
    }
    handle
}
