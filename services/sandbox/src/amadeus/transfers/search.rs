//! `POST /v1/shopping/transfer-offers`.

use http::StatusCode;
use jiff::SignedDuration;
use jiff::civil::DateTime;
use serde_json::{Map, Value, json};

use super::fleet::{PRODUCTS, Price, Product, Provider};
use super::{Kept, Transfers};
use crate::airports::{Airport, atlas};
use crate::amadeus::platform::{Answered, Problem, Source, insert};
use crate::answer::Answer;
use crate::chance::draw;
use crate::rates;

/// Nobody is driven further.
const FURTHEST: i64 = 300;

/// What is asked for.
struct Criteria<'a> {
    body: &'a Value,
    airport: &'static Airport,
    at: DateTime,
    kilometres: Option<i64>,
    passengers: u32,
    bags: u64,
    hours: Option<i64>,
    /// The asked currency, and what a euro is worth in it.
    currency: Option<(&'a str, u64)>,
}

fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    let text = body.get(name).and_then(Value::as_str);
    text.filter(|text| !text.is_empty())
}

fn pointer(name: &str) -> Source {
    Source::Pointer(format!("/{name}"))
}

pub(crate) fn search(transfers: &Transfers, body: &Value) -> Answered {
    let office = &transfers.platform.office;
    let criteria = Criteria::read(transfers, body)?;
    let now = office.clock.now();
    let expires_at = office.clock.after(office.offer_life);
    let search = transfers.next_search();
    let mut offers: Vec<(String, Kept)> = Vec::new();
    let mut warnings = Vec::new();
    let fitting = PRODUCTS.iter().filter(|product| criteria.fits(product));
    for (index, product) in fitting.enumerate() {
        let leaves = product.leaves(criteria.at);
        let item = product.item(criteria.airport.iata, leaves);
        let units = product.units(criteria.passengers);
        if office.inventory.show(&item) < units {
            continue;
        }
        let times = if product.kind == "HOURLY" {
            criteria.hours.unwrap_or(1)
        } else {
            product.units(criteria.passengers).into()
        };
        let kilometres = criteria.kilometres.unwrap_or(0);
        let raise = transfers.raise(&item, now);
        let price = Price::of(office.seed, product, &item, kilometres, times).raised(raise);
        let noise = |half: u64| draw(office.seed ^ half, &format!("{search}/{index}/{now}"));
        let id = uuid(noise(1), noise(2));
        let shown = criteria.shown(&id, product, leaves, price, &office.currency);
        if leaves != criteria.at {
            let at = format!("/data/{}/start/dateTime", offers.len());
            warnings.push(json!({
                "code": 101,
                "title": "PICK-UP DATE TIME CHANGED",
                "detail": "Transfer pick-up date and time have been changed by provider",
                "source": { "pointer": at, "parameter": "dateTime" },
            }));
        }
        let kept = Kept {
            product,
            shown,
            units: vec![(item, units)],
            total: price.total(),
            raise,
            expires_at,
        };
        offers.push((id, kept));
    }
    let data: Vec<&Value> = offers.iter().map(|(_, kept)| &kept.shown).collect();
    let mut answer = json!({ "data": data });
    if !warnings.is_empty() {
        insert(&mut answer, "warnings", warnings.into());
    }
    transfers.store().keep(offers, now);
    Ok(Answer::json(StatusCode::OK, answer))
}

/// Such as `0cb11574-4a02-11e8-842f-0ed5f89f718b`.
fn uuid(high: u64, low: u64) -> String {
    let digits = format!("{high:016x}{low:016x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    let parts = [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ];
    parts.join("-")
}

impl<'a> Criteria<'a> {
    fn read(transfers: &Transfers, body: &'a Value) -> Result<Self, Problem> {
        let airport = place(body, "startLocationCode")?;
        let airport = airport.ok_or_else(|| Problem::missing(pointer("startLocationCode")))?;
        let date = "INVALID DATE/TIME";
        let at = text(body, "startDateTime");
        let at = at.ok_or_else(|| Problem::missing(pointer("startDateTime")))?;
        let at: DateTime = at.parse().map_err(|_| {
            Problem::bad(
                3337,
                date,
                pointer("startDateTime"),
                "such as 2026-12-01T10:30:00",
            )
        })?;
        let now = transfers.platform.office.clock.now();
        if at
            .to_zoned(airport.time_zone())
            .is_ok_and(|at| at.timestamp() <= now)
        {
            return Err(Problem::bad(
                3337,
                date,
                pointer("startDateTime"),
                "lies in the past",
            ));
        }
        let hourly = text(body, "transferType") == Some("HOURLY");
        let hours = text(body, "duration").map(hours).transpose()?;
        if hourly && hours.is_none() {
            let title = "THE DURATION IS MANDATORY";
            return Err(Problem::bad(
                34499,
                title,
                pointer("duration"),
                "how many hours",
            ));
        }
        one_of(
            body,
            "transferType",
            4926,
            "INVALID DATA RECEIVED",
            &[
                "PRIVATE",
                "SHARED",
                "TAXI",
                "HOURLY",
                "AIRPORT_EXPRESS",
                "AIRPORT_BUS",
            ],
        )?;
        one_of(
            body,
            "vehicleCode",
            530,
            "INVALID VEHICLE TYPE",
            &[
                "MBR", "CAR", "SED", "WGN", "ELC", "VAN", "SUV", "LMS", "TRN", "BUS",
            ],
        )?;
        one_of(
            body,
            "vehicleCategory",
            530,
            "INVALID VEHICLE TYPE",
            &["ST", "BU", "FC"],
        )?;
        let kilometres = kilometres(body, airport)?;
        if kilometres.is_none() && !hourly {
            let title = "MISSING DROP OFF LOCATION INFORMATION";
            return Err(Problem::bad(
                32803,
                title,
                pointer("endGeoCode"),
                "where to?",
            ));
        }
        let passengers = match body.get("passengers").filter(|value| !value.is_null()) {
            None => 1,
            Some(number) => number
                .as_u64()
                .and_then(|number| u32::try_from(number).ok())
                .filter(|number| (1..=200).contains(number))
                .ok_or_else(|| {
                    let title = "INVALID NUMBER OF PASSENGER";
                    Problem::bad(9385, title, pointer("passengers"), "1 or more")
                })?,
        };
        let currency = match text(body, "currency") {
            None => None,
            Some(code) => {
                let title = "INVALID CURRENCY CODE";
                let unknown = || Problem::bad(6323, title, pointer("currency"), "unknown");
                Some((code, rates::about(code).ok_or_else(unknown)?))
            }
        };
        Ok(Self {
            body,
            airport,
            at,
            kilometres,
            passengers,
            bags: body.get("baggages").and_then(Value::as_u64).unwrap_or(0),
            hours,
            currency,
        })
    }

    fn fits(&self, product: &Product) -> bool {
        let asked = |name: &str, own: &str| text(self.body, name).is_none_or(|code| code == own);
        let provider = text(self.body, "providerCodes");
        let far = self.kilometres.is_some_and(|far| far > FURTHEST);
        let can = match product.kind {
            "HOURLY" => self.hours.is_some(),
            _ => self.kilometres.is_some() && !far,
        };
        can && product.seats >= self.passengers
            && product.bags >= self.bags
            && asked("transferType", product.kind)
            && asked("vehicleCode", product.vehicle)
            && asked("vehicleCategory", product.category)
            && provider
                .is_none_or(|codes| codes.split(',').any(|code| code == product.provider.code))
    }

    fn shown(
        &self,
        id: &str,
        product: &Product,
        leaves: DateTime,
        price: Price,
        currency: &str,
    ) -> Value {
        let estimated = product.kind == "TAXI";
        let mut shown = json!({
            "type": "transfer-offer",
            "id": id,
            "transferType": product.kind,
            "start": {
                "dateTime": leaves.to_string(),
                "locationCode": self.airport.iata,
            },
            "vehicle": {
                "code": product.vehicle,
                "category": product.category,
                "description": product.description,
                "seats": [{ "count": product.seats }],
                "baggages": [{ "count": product.bags, "size": "M" }],
                "imageURL": format!("https://provider.example/images/{}_{}.png", product.category, product.vehicle),
            },
            "serviceProvider": provider(product.provider),
            "quotation": price.quotation(currency, estimated),
            "methodsOfPaymentAccepted": product.provider.methods,
        });
        let mut add = |name: &str, value: Value| insert(&mut shown, name, value);
        if let Some(end) = self.end(leaves) {
            add("end", end);
        }
        if product.kind == "HOURLY" {
            add(
                "duration",
                self.body.get("duration").cloned().unwrap_or_default(),
            );
        }
        if let (Some((asked, to)), Some(from)) = (self.currency, rates::about(currency)) {
            let price = price.converted(from, to);
            add("converted", price.quotation(asked, estimated));
        }
        let rules = product.provider.rules;
        if !rules.is_empty() {
            let rule = |(percent, unit, from, to): &(i64, &str, i64, i64)| {
                json!({
                    "feeType": "PERCENTAGE",
                    "feeValue": percent.to_string(),
                    "metricType": unit,
                    "metricMin": from.to_string(),
                    "metricMax": to.to_string(),
                })
            };
            add("cancellationRules", rules.iter().map(rule).collect());
        }
        if let Some(kilometres) = self.kilometres {
            add("distance", json!({ "value": kilometres, "unit": "KM" }));
        }
        for name in [
            "startConnectedSegment",
            "endConnectedSegment",
            "passengerCharacteristics",
        ] {
            if let Some(value) = self.body.get(name).filter(|value| !value.is_null()) {
                add(name, value.clone());
            }
        }
        shown
    }

    /// Where it goes, as it was asked for, and about when it arrives.
    fn end(&self, leaves: DateTime) -> Option<Value> {
        self.kilometres?;
        let mut end = Map::new();
        let mut address = Map::new();
        for (name, inner) in [
            ("endAddressLine", "line"),
            ("endZipCode", "zip"),
            ("endCountryCode", "countryCode"),
            ("endCityName", "cityName"),
            ("endStateCode", "stateCode"),
        ] {
            if let Some(text) = text(self.body, name) {
                address.insert(inner.to_owned(), text.into());
            }
        }
        if let Some((latitude, longitude)) = text(self.body, "endGeoCode").and_then(point) {
            address.insert("latitude".to_owned(), latitude.into());
            address.insert("longitude".to_owned(), longitude.into());
        }
        if !address.is_empty() {
            end.insert("address".to_owned(), address.into());
        }
        for (name, inner) in [
            ("endLocationCode", "locationCode"),
            ("endName", "name"),
            ("endGooglePlaceId", "googlePlaceId"),
        ] {
            if let Some(text) = text(self.body, name) {
                end.insert(inner.to_owned(), text.into());
            }
        }
        // A minute and a half a kilometre with ten minutes to get going, to the next five minutes.
        let minutes = (14 + self.kilometres? * 3 / 2) / 5 * 5;
        if let Ok(arrives) = leaves.checked_add(SignedDuration::from_mins(minutes)) {
            end.insert("dateTime".to_owned(), arrives.to_string().into());
        }
        Some(end.into())
    }
}

fn provider(provider: &Provider) -> Value {
    let host = "https://provider.example";
    let mut shown = json!({
        "code": provider.code,
        "name": provider.name,
        "logoUrl": format!("{host}/images/{}.png", provider.code),
        "termsUrl": format!("{host}/terms_and_conditions.html"),
        "contacts": { "phoneNumber": "+442079460000", "email": "support@provider.example" },
    });
    if !provider.settings.is_empty() {
        insert(&mut shown, "settings", provider.settings.into());
    }
    shown
}

fn place(body: &Value, name: &str) -> Result<Option<&'static Airport>, Problem> {
    let Some(code) = text(body, name) else {
        return Ok(None);
    };
    let found = atlas().airports_of(code).into_iter().next();
    let unknown = || Problem::bad(1876, "INVALID IATA CODE", pointer(name), "no such place");
    found.map(Some).ok_or_else(unknown)
}

fn point(text: &str) -> Option<(f64, f64)> {
    let (latitude, longitude) = text.split_once(',')?;
    let (latitude, longitude): (f64, f64) = (
        latitude.trim().parse().ok()?,
        longitude.trim().parse().ok()?,
    );
    let real = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
    real.then_some((latitude, longitude))
}

/// Whole kilometres from the airport to where it goes; none if nothing says where.
fn kilometres(body: &Value, from: &Airport) -> Result<Option<i64>, Problem> {
    let far = if let Some(to) = place(body, "endLocationCode")? {
        from.kilometres_to(to)
    } else if let Some(code) = text(body, "endGeoCode") {
        let title = "INVALID LATITUDE";
        let wrong = || Problem::bad(32986, title, pointer("endGeoCode"), "latitude,longitude");
        let (latitude, longitude) = point(code).ok_or_else(wrong)?;
        from.kilometres_to_point(latitude, longitude)
    } else if text(body, "endAddressLine").is_some() {
        let title = "NEED GEOCODES OF THE ADDRESS";
        return Err(Problem::bad(
            34604,
            title,
            pointer("endGeoCode"),
            "latitude,longitude",
        ));
    } else {
        return Ok(None);
    };
    Ok(Some(whole(far).max(1)))
}

#[allow(
    clippy::as_conversions,
    reason = "no two places on Earth are 2^63 km apart"
)]
fn whole(kilometres: f64) -> i64 {
    kilometres as i64
}

/// `PT2H30M` in begun hours.
fn hours(text: &str) -> Result<i64, Problem> {
    let title = "INVALID DURATION";
    let wrong = || Problem::bad(32949, title, pointer("duration"), "such as PT2H30M");
    let duration: SignedDuration = text.parse().map_err(|_| wrong())?;
    let minutes = duration.as_mins();
    if !(1..=24 * 60).contains(&minutes) {
        return Err(wrong());
    }
    Ok((minutes + 59) / 60)
}

fn one_of(
    body: &Value,
    name: &str,
    code: i64,
    title: &'static str,
    known: &[&str],
) -> Result<(), Problem> {
    match text(body, name) {
        Some(text) if !known.contains(&text) => {
            let detail = format!("{name} is not valid");
            Err(Problem::bad(code, title, pointer(name), detail))
        }
        _ => Ok(()),
    }
}
