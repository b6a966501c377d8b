//! From Amadeus's shapes to ours. Pure functions: what cannot be shown truthfully is refused with a
//! reason, what looks wrong is kept and flagged.

use serde_json::{Value, json};
use supplier_client::tolerant::Literal;
use travel_types::jiff::Timestamp;
use travel_types::{LocalTime, Money, Warning, WarningCode, distance_km};
use vertical_kit::mapping::order_details;
use vertical_kit::{CancellationTerm, Conditions, PlacedOrder, PlacedStatus, SupplierOffer};

use super::destination::Destination;
use super::prices::{Price, converted};
use super::{rules, wire};
use crate::mapping::{Trip, count, degrees, searched_stop, some_text, stop_time};
use crate::model::{CarDetails, CarKind, CarPayment, CarStop, Company, Term, Vehicle};

/// How far from where it was asked to go a transfer may end.
const NEAR_KM: f64 = 50.0;

/// An offer from its text, which is remembered in `handle`.
pub(super) fn offer(
    raw: &str,
    trip: &Trip,
    now: Timestamp,
    handle: Value,
) -> Result<SupplierOffer, String> {
    let offer = read(raw)?;
    let mut warnings = Vec::new();
    let price = Price::read(offer.quotation.as_ref(), &mut warnings)?;
    if offer.id.is_none() {
        return Err("an offer without an id".to_owned());
    }
    let (total, base, taxes) = (price.total, price.base, price.taxes);
    let details = details(&offer, trip, price, &mut warnings)?;
    let pickup = details.pickup.time.as_ref();
    let stated = offer.cancellation_rules.as_deref();
    let cancellation =
        pickup.and_then(|pickup| rules::terms(stated, pickup, total, now, &mut warnings));
    Ok(SupplierOffer {
        total,
        base,
        taxes,
        expires_at: None,
        conditions: Conditions {
            cancellation,
            changeable: None,
        },
        warnings,
        details: serde_json::to_value(&details).map_err(|error| error.to_string())?,
        handle,
    })
}

pub(super) fn read(raw: &str) -> Result<wire::Transfer, String> {
    serde_json::from_str(raw).map_err(|_| "is not a transfer as Amadeus describes it".to_owned())
}

/// Refuses an offer that could not be ordered: we hold no cards, and an order has no flight number and no
/// billing address.
pub(super) fn check_orderable(raw: &str, method: &str, passengers: u32) -> Result<(), String> {
    let offer = read(raw)?;
    let accepted = offer.methods_of_payment_accepted.unwrap_or_default();
    if !accepted.is_empty() && !accepted.iter().any(|one| one == method) {
        return Err(format!("the provider does not accept {method}"));
    }
    let provider = offer.service_provider;
    let settings = provider.and_then(|provider| provider.settings);
    for setting in settings.unwrap_or_default() {
        if matches!(
            setting.as_str(),
            "FLIGHT_NUMBER_REQUIRED" | "BILLING_ADDRESS_REQUIRED"
        ) {
            return Err(format!("cannot be ordered: {setting}"));
        }
    }
    if seats(offer.vehicle.as_ref()).is_some_and(|seats| seats < passengers) {
        return Err("has fewer seats than there are passengers".to_owned());
    }
    Ok(())
}

fn details(
    transfer: &wire::Transfer,
    trip: &Trip,
    price: Price,
    warnings: &mut Vec<Warning>,
) -> Result<CarDetails, String> {
    let vehicle = vehicle(transfer.vehicle.as_ref())?;
    let end = transfer.end.as_ref().ok_or("does not say where it goes")?;
    let mut pickup = start(transfer.start.as_ref(), trip, warnings);
    let stated = transfer.start.as_ref();
    pickup.time = stop_time(
        stated.and_then(|start| start.date_time.as_deref()),
        trip.pickup_at,
        &trip.pickup.time_zone,
        "details.pickup",
        warnings,
    );
    let provider = transfer.service_provider.as_ref();
    let contacts = provider.and_then(|provider| provider.contacts.as_ref());
    let phone = contacts.and_then(|contacts| contacts.phone_number.as_ref());
    pickup.phone = phone.map(|phone| phone.0.clone());
    let dropoff = goal(end, &pickup, trip, warnings)?;
    Ok(CarDetails {
        kind: CarKind::Transfer,
        company: company(provider, warnings),
        vehicle,
        one_way: pickup.iata_code != dropoff.iata_code,
        pickup,
        dropoff,
        mileage: None,
        payment: CarPayment::Prepaid,
        due_at_pickup: None,
        driver_age: None,
        charges: price.charges,
        terms: terms(transfer),
    })
}

fn seats(vehicle: Option<&wire::Vehicle>) -> Option<u32> {
    sum(vehicle?.seats.as_deref()?.iter())
}

/// The sum of what is counted; none if nothing is.
fn sum<'a>(mut rooms: impl Iterator<Item = &'a wire::Room>) -> Option<u32> {
    let first = count(rooms.next()?.count.as_ref())?;
    rooms.try_fold(first, |sum, room| {
        sum.checked_add(count(room.count.as_ref())?)
    })
}

fn vehicle(stated: Option<&wire::Vehicle>) -> Result<Vehicle, String> {
    let stated = stated.ok_or("does not say which vehicle")?;
    let code = some_text(stated.code.as_deref());
    let name = some_text(stated.description.as_deref()).or_else(|| code.clone());
    let category = some_text(stated.category.as_deref()).map(|category| match category.as_str() {
        "ST" => "standard".to_owned(),
        "BU" => "business".to_owned(),
        "FC" => "first_class".to_owned(),
        other => other.to_ascii_lowercase(),
    });
    let body = code.as_deref().map(|code| match code {
        "CAR" | "ELC" => "car".to_owned(),
        "SED" => "sedan".to_owned(),
        "WGN" => "wagon_estate".to_owned(),
        "VAN" => "passenger_van".to_owned(),
        "SUV" => "suv".to_owned(),
        "LMS" => "limousine".to_owned(),
        "MBR" | "MBK" => "motorcycle".to_owned(),
        "TRN" => "train".to_owned(),
        "BUS" => "bus".to_owned(),
        other => other.to_ascii_lowercase(),
    });
    let bags = |small: bool| {
        let rooms = stated.baggages.as_deref().unwrap_or_default().iter();
        // A bag of medium size takes no less room than a small one.
        sum(rooms.filter(|room| match room.size.as_deref() {
            Some("S" | "M") => small,
            Some("L") => !small,
            _ => false,
        }))
    };
    Ok(Vehicle {
        name: name.ok_or("does not say which vehicle")?,
        acriss: None,
        category,
        body,
        transmission: None,
        all_wheel_drive: None,
        fuel: (code.as_deref() == Some("ELC")).then(|| "electric".to_owned()),
        air_conditioning: None,
        seats: seats(Some(stated)),
        large_bags: bags(false),
        small_bags: bags(true),
        pictures: some_text(stated.image_url.as_deref()).into_iter().collect(),
    })
}

fn company(stated: Option<&wire::Provider>, warnings: &mut Vec<Warning>) -> Company {
    let name = stated.and_then(|provider| {
        some_text(provider.name.as_deref()).or_else(|| some_text(provider.code.as_deref()))
    });
    if name.is_none() {
        let message = "the supplier does not name the company that drives";
        let path = "details.company";
        warnings.push(Warning::new(WarningCode::DataQuality, path, message));
    }
    Company {
        name: name.unwrap_or_default(),
        logo_url: stated.and_then(|provider| some_text(provider.logo_url.as_deref())),
    }
}

fn start(stated: Option<&wire::Location>, trip: &Trip, warnings: &mut Vec<Warning>) -> CarStop {
    let mut stop = searched_stop(&trip.pickup);
    trip.pickup.name.clone_into(&mut stop.name);
    let code = stated.and_then(|start| some_text(start.location_code.as_deref()));
    if let Some(code) = code
        && code != trip.pickup.iata_code
    {
        let message = "begins at another place than was searched";
        let path = "details.pickup";
        warnings.push(Warning::new(WarningCode::DataQuality, path, message));
        let place = travel_types::place(&code);
        stop.name = place.map_or_else(|| code.clone(), |place| place.name);
        stop.iata_code = Some(code);
    }
    if let Some(start) = stated {
        locate(&mut stop, start);
    }
    stop
}

/// What a location says of itself.
fn locate(stop: &mut CarStop, stated: &wire::Location) {
    if let Some(name) = some_text(stated.name.as_deref()) {
        stop.name = name;
    }
    let Some(address) = &stated.address else {
        return;
    };
    let parts = [
        address.line.as_deref(),
        address.zip.as_ref().map(Literal::as_str),
        address.city_name.as_deref(),
    ];
    stop.address = parts.into_iter().filter_map(some_text).collect();
    stop.country = some_text(address.country_code.as_deref());
    let latitude = degrees(address.latitude.as_ref(), 90.0);
    let longitude = degrees(address.longitude.as_ref(), 180.0);
    if latitude.is_some() && longitude.is_some() {
        (stop.latitude, stop.longitude) = (latitude, longitude);
    }
}

/// Where it ends, in Amadeus's words; when, only if Amadeus says so.
fn goal(
    stated: &wire::Location,
    pickup: &CarStop,
    trip: &Trip,
    warnings: &mut Vec<Warning>,
) -> Result<CarStop, String> {
    let mut flag = |code: WarningCode, path: &str, message: &str| {
        warnings.push(Warning::new(code, path, message));
    };
    let code = some_text(stated.location_code.as_deref());
    let place = code.as_deref().and_then(travel_types::place);
    let mut stop = searched_stop(&trip.dropoff);
    stop.iata_code = code.clone();
    stop.name = place
        .as_ref()
        .map(|place| place.name.clone())
        .or(code)
        .unwrap_or_default();
    locate(&mut stop, stated);
    if stop.name.is_empty() {
        stop.name = stop.address.first().cloned().unwrap_or_default();
    }
    let point = stop
        .latitude
        .zip(stop.longitude)
        .or_else(|| place.map(|place| (place.latitude, place.longitude)));
    if stop.name.is_empty() && point.is_none() {
        return Err("does not say where it goes".to_owned());
    }
    let asked = Destination::of(trip).map(|to| to.point());
    if let (Some(point), Some(asked)) = (point, asked)
        && distance_km(point, asked) > NEAR_KM
    {
        let message = "ends far from where it was asked to go";
        flag(WarningCode::DataQuality, "details.dropoff", message);
    }
    if let Some(at) = some_text(stated.date_time.as_deref()) {
        let path = "details.dropoff.time";
        stop.time = LocalTime::parse(&at, &trip.dropoff.time_zone).ok();
        let begins = pickup.time.as_ref().map(LocalTime::utc);
        match &stop.time {
            None => flag(
                WarningCode::TimeInconsistent,
                path,
                "the supplier's time cannot be read",
            ),
            Some(end) if begins.is_some_and(|begins| end.utc() <= begins) => {
                flag(WarningCode::TimeInconsistent, path, "ends before it begins");
            }
            Some(_) => {}
        }
    }
    Ok(stop)
}

fn terms(transfer: &wire::Transfer) -> Vec<Term> {
    let provider = transfer.service_provider.as_ref();
    let url = provider.and_then(|provider| some_text(provider.terms_url.as_deref()));
    let rules = transfer.cancellation_rules.as_deref();
    let rules = rules.and_then(|rules| serde_json::from_str::<Vec<wire::Rule>>(rules.get()).ok());
    let described = rules
        .into_iter()
        .flatten()
        .filter_map(|rule| some_text(rule.rule_description.as_deref()));
    let term = |title: &str, text: String| Term {
        title: title.to_owned(),
        text,
    };
    url.map(|url| term("Terms and conditions", url))
        .into_iter()
        .chain(described.map(|text| term("Cancellation", text)))
        .chain(
            converted(transfer.converted.as_ref())
                .map(|price| term("Converted price, for information", price)),
        )
        .collect()
}

/// Amadeus's own doubts about an answer, for the offer at `index` of `count`. A doubt that points to no
/// offer of the answer may be about any.
pub(super) fn doubts(
    issues: &[wire::Issue],
    index: usize,
    count: usize,
    warnings: &mut Vec<Warning>,
) {
    for issue in issues {
        let pointer = issue.source.as_ref().and_then(|one| one.pointer.as_deref());
        let about = pointer.and_then(|pointer| pointer.strip_prefix("/data/"));
        let about: Option<usize> = about
            .and_then(|rest| rest.split('/').next()?.parse().ok())
            .filter(|about| *about < count);
        if about.is_some_and(|about| about != index) {
            continue;
        }
        let code = issue.code.as_ref().map(Literal::as_str);
        let (code, path) = match code {
            // PICK-UP DATE TIME CHANGED
            Some("101") => (WarningCode::TimeInconsistent, "details.pickup.time"),
            _ => (WarningCode::DataQuality, "details"),
        };
        let known = |one: &Warning| one.code == code && one.path.as_deref() == Some(path);
        if !warnings.iter().any(known) {
            let title = some_text(issue.title.as_deref());
            let message = title.unwrap_or_else(|| "the supplier has a doubt".to_owned());
            warnings.push(Warning::new(code, path, message));
        }
    }
}

/// What cancelling an ordered transfer brings by time, as of `now`. A provider without any rules promises
/// nothing, so nothing is counted on to come back. None where its rules do not tell what holds now.
pub(super) fn order_terms(raw: &str, trip: &Trip, now: Timestamp) -> Option<Vec<CancellationTerm>> {
    let transfer = read(raw).ok()?;
    let mut unread = Vec::new();
    let price = Price::read(transfer.quotation.as_ref(), &mut unread).ok()?;
    let at = transfer.start.as_ref()?.date_time.as_deref()?;
    let pickup = LocalTime::parse(at, &trip.pickup.time_zone).ok()?;
    let rules = transfer.cancellation_rules.as_deref();
    if rules.is_none_or(|rules| matches!(rules.get(), "null" | "[]")) {
        return Some(vec![CancellationTerm {
            until: pickup.utc(),
            refund: Money::zero(price.total.currency()),
        }]);
    }
    rules::terms(rules, &pickup, price.total, now, &mut unread)
}

/// An order: its one transfer. Its details are left as the offer had them where they cannot be shown; one
/// whose number and status are told, and no price that can be read, costs what was agreed to.
pub(super) fn order(
    order: &wire::Order,
    handle: &Value,
    agreed: Money,
) -> Result<PlacedOrder, String> {
    let [raw] = &order.transfers[..] else {
        return Err("an order that has not one transfer".to_owned());
    };
    let transfer = read(raw.get())?;
    let mut warnings = Vec::new();
    let number = transfer.confirm_nbr.as_ref().map(Literal::as_str);
    let status = match transfer.status.as_deref() {
        Some("CONFIRMED") => PlacedStatus::Confirmed,
        Some("CANCELLED") => PlacedStatus::Cancelled,
        None if number.is_some() => PlacedStatus::Confirmed,
        _ => PlacedStatus::Pending,
    };
    let (total, details) = match Price::read(transfer.quotation.as_ref(), &mut warnings) {
        Ok(price) => {
            let total = price.total;
            let details = Trip::of(handle)
                .and_then(|trip| details(&transfer, &trip, price, &mut warnings))
                .and_then(|details| order_details(&details, &warnings));
            (total, details.ok())
        }
        Err(_) if number.is_some() && status != PlacedStatus::Pending => (agreed, None),
        Err(reason) => return Err(reason),
    };
    let locator = order.reference.as_ref().map(Literal::as_str);
    let reference = locator.or(number).unwrap_or(order.id.as_str()).to_owned();
    let mut handle = handle.clone();
    if let Some(fields) = handle.as_object_mut() {
        fields.remove("offer");
        fields.insert("order_id".to_owned(), json!(order.id.as_str()));
        fields.insert("locator".to_owned(), json!(locator));
        fields.insert("confirm_number".to_owned(), json!(number));
        fields.insert("transfer".to_owned(), json!(raw.get()));
    }
    Ok(PlacedOrder {
        status,
        supplier_reference: reference,
        total,
        details,
        handle,
    })
}
