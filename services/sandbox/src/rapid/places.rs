//! Where properties are: those inside a polygon, and the regions of the world.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer::{Answered, Problem, field, wrong};
use super::query::{Query, spoken};
use super::state::{NAME, Rapid};
use crate::airports::{Airport, atlas, kilometres};
use crate::answer::Answer;
use crate::hotels::{self, Property, Town};

/// Longest diagonal of a polygon, in kilometres.
const LONGEST: f64 = 500.0;
/// How far around an airport its region reaches, in kilometres.
const AROUND_AIRPORT: f64 = 10.0;
/// Most regions in one answer.
const MOST: usize = 100;

/// A point as GeoJSON has it: longitude, latitude.
type Point = (f64, f64);

/// `POST /v3/properties/geography`.
pub(crate) fn geography(rapid: &Rapid, query: Option<&str>, body: &Value) -> Answered {
    let query = Query::parse(query);
    let include = query.required("include")?;
    if include != "property_ids" {
        let message = "Include is invalid. Accepted include values are: [property_ids]";
        return Err(Problem::parameter(
            "include.invalid",
            message,
            "include",
            Some(include),
        ));
    }
    query.required("supply_source")?;
    let refuse =
        |kind: &str, message: &str| Problem::invalid(vec![wrong(kind, message, Vec::new())]);
    if body.get("type").and_then(Value::as_str) != Some("Polygon") {
        return Err(refuse("polygon.type_invalid", "The type must be Polygon."));
    }
    let ring = ring(body).ok_or_else(|| {
        refuse(
            "polygon.coordinates_required",
            "The polygon must have coordinates.",
        )
    })?;
    if ring.len() > 2_000 {
        let message = "The polygon must have at most 2000 coordinates.";
        return Err(refuse("polygon.coordinates_above_maximum", message));
    }
    let (mut low, mut high) = ((f64::MAX, f64::MAX), (f64::MIN, f64::MIN));
    for (longitude, latitude) in &ring {
        low = (low.0.min(*longitude), low.1.min(*latitude));
        high = (high.0.max(*longitude), high.1.max(*latitude));
    }
    let diagonal = kilometres((low.1, low.0), (high.1, high.0));
    if diagonal >= LONGEST {
        let message = "The diagonal distance of the polygon must be less than 500 km.";
        return Err(refuse("polygon.too_large", message));
    }
    let middle = ((low.0 + high.0) / 2.0, (low.1 + high.1) / 2.0);
    let found: Map<String, Value> = near(rapid, middle.1, middle.0, diagonal / 2.0 + 1.0)
        .filter(|property| {
            let (latitude, longitude) = property.position_for(NAME);
            inside(&ring, (longitude, latitude))
        })
        .map(|property| {
            let id = property.number.to_string();
            (id.clone(), json!({ "property_id": id }))
        })
        .collect();
    Ok(Answer::json(StatusCode::OK, Value::from(found)))
}

/// The outer ring of a GeoJSON polygon; none if it has fewer than three corners.
fn ring(body: &Value) -> Option<Vec<Point>> {
    let ring = body.get("coordinates")?.as_array()?.first()?.as_array()?;
    let points = ring.iter().map(|point| match point.as_array()?.as_slice() {
        [longitude, latitude, ..] => Some((longitude.as_f64()?, latitude.as_f64()?)),
        _ => None,
    });
    let points: Vec<Point> = points.collect::<Option<_>>()?;
    let fair = |(longitude, latitude): &Point| longitude.abs() <= 540.0 && latitude.abs() <= 90.0;
    (points.len() >= 3 && points.iter().all(fair)).then_some(points)
}

/// Whether a ray from the point crosses the ring an odd number of times (even-odd rule).
fn inside(ring: &[Point], point: Point) -> bool {
    let next = ring.iter().cycle().skip(1);
    // A ring may go on beyond 180 degrees: the same point is then looked for there too.
    [0.0, -360.0, 360.0].into_iter().any(|turn| {
        let (x, y) = (point.0 + turn, point.1);
        let crossed = ring.iter().zip(next.clone()).filter(|(from, to)| {
            (from.1 > y) != (to.1 > y)
                && x < (to.0 - from.0) * (y - from.1) / (to.1 - from.1) + from.0
        });
        crossed.count() % 2 == 1
    })
}

fn near(rapid: &Rapid, latitude: f64, longitude: f64, km: f64) -> impl Iterator<Item = Property> {
    hotels::near(rapid.office.seed, latitude, longitude, km)
        .into_iter()
        .filter(|property| property.sells(NAME))
}

/// What of a region is wanted.
struct Include {
    details: bool,
    metadata: bool,
    ids: Vec<&'static str>,
}

/// `GET /v3/regions` by `iata_location_code` or `area=radius,latitude,longitude`; at most 100, so
/// that there is never a second page.
pub(crate) fn regions(rapid: &Rapid, query: Option<&str>) -> Answered {
    let query = Query::parse(query);
    let language = query.required("language")?;
    if !spoken(language) {
        let message = "Language is not supported.";
        let value = Some(language);
        return Err(Problem::parameter(
            "language.not_supported",
            message,
            "language",
            value,
        ));
    }
    query.required("include")?;
    let mut include = Include {
        details: false,
        metadata: false,
        ids: Vec::new(),
    };
    for one in query.all("include") {
        match one {
            "standard" => include.metadata = true,
            "details" => (include.metadata, include.details) = (true, true),
            "property_ids" => include.ids.push("property_ids"),
            "property_ids_expanded" => include.ids.push("property_ids_expanded"),
            other => {
                let message = "Include is invalid. Accepted include values are: [details, property_ids, property_ids_expanded, standard]";
                return Err(Problem::parameter(
                    "include.invalid",
                    message,
                    "include",
                    Some(other),
                ));
            }
        }
    }
    if !include.ids.is_empty() {
        query.required("supply_source")?;
    }
    let kinds: Vec<&str> = query.all("type").collect();
    let wants = |kind: &str| kinds.is_empty() || kinds.contains(&kind);
    let mut found: Vec<Value> = Vec::new();
    if let Some(code) = query.get("iata_location_code") {
        let town = hotels::town(code);
        let is_town = town.is_some_and(|town| town.iata == code);
        if let Some(town) = town.filter(|_| is_town && wants("multi_city_vicinity")) {
            found.push(of_town(rapid, town, &include));
        }
        if let Some(airport) = atlas().airport(code).filter(|_| wants("airport")) {
            found.push(of_airport(rapid, airport, &include));
        }
    } else if let Some(area) = query.get("area") {
        let bad = || {
            let message =
                "Area is invalid. It must be radius,region_id or radius,latitude,longitude.";
            Problem::parameter("area.invalid", message, "area", Some(area))
        };
        let parts: Vec<&str> = area.split(',').collect();
        let [radius, latitude, longitude] = parts.as_slice() else {
            return Err(bad());
        };
        let number = |text: &str| text.parse::<f64>().map_err(|_| bad());
        let radius: u32 = radius.parse().map_err(|_| bad())?;
        let point = (number(latitude)?, number(longitude)?);
        let reached = |airport: &&Airport| {
            kilometres((airport.latitude, airport.longitude), point)
                <= f64::from(radius) + AROUND_AIRPORT
        };
        for airport in atlas().airports().filter(reached) {
            let town = hotels::town(airport.iata);
            let town = town.filter(|_| wants("multi_city_vicinity"));
            let town = town.map(|town| of_town(rapid, town, &include));
            found.extend(town.filter(|town| !found.contains(town)));
            if wants("airport") {
                found.push(of_airport(rapid, airport, &include));
            }
        }
    } else {
        let message = "An iata_location_code or an area is required.";
        let fields = vec![field("area", "querystring", Value::Null)];
        return Err(Problem::invalid(vec![wrong(
            "area.required",
            message,
            fields,
        )]));
    }
    let limit = query.get("limit").and_then(|limit| limit.parse().ok());
    found.truncate(limit.unwrap_or(MOST).min(MOST));
    let total = found.len().to_string();
    Ok(Answer::json(StatusCode::OK, Value::from(found)).header("pagination-total-results", total))
}

fn of_town(rapid: &Rapid, town: &Town, include: &Include) -> Value {
    let mut region = json!({
        "id": town.number().to_string(),
        "type": "multi_city_vicinity",
    });
    let sold = hotels::in_city(rapid.office.seed, town.iata).into_iter();
    let sold = sold.filter(|property| property.sells(NAME));
    let name = town.name;
    let metadata = json!({
        "name": name,
        "name_full": format!("{name}, {}", town.country),
        "descriptor": "and vicinity",
        "iata_airport_metro_code": town.iata,
        "country_code": town.country,
        "ancestors": [{ "id": "500001", "type": "continent" }],
    });
    fill(
        &mut region,
        metadata,
        include,
        (town.latitude, town.longitude),
        12.0,
        sold,
    );
    region
}

fn of_airport(rapid: &Rapid, airport: &Airport, include: &Include) -> Value {
    let town = hotels::town(airport.iata);
    let mut region = json!({
        "id": (400_000 + letters(airport.iata)).to_string(),
        "type": "airport",
    });
    let at = (airport.latitude, airport.longitude);
    let sold = near(rapid, at.0, at.1, AROUND_AIRPORT);
    let name = format!("{} ({}-{})", airport.city, airport.iata, airport.name);
    let parent =
        town.map(|town| json!({ "id": town.number().to_string(), "type": "multi_city_vicinity" }));
    let metadata = json!({
        "name": name,
        "name_full": name,
        "iata_airport_code": airport.iata,
        "iata_airport_metro_code": town.map(|town| town.iata),
        "country_code": airport.country,
        "ancestors": parent.into_iter().collect::<Vec<Value>>(),
    });
    fill(&mut region, metadata, include, at, AROUND_AIRPORT, sold);
    region
}

fn letters(code: &str) -> u64 {
    code.bytes().fold(0, |sum, letter| {
        sum * 26 + u64::from(letter.saturating_sub(b'A'))
    })
}

/// Adds to a region what is wanted of it; `reach` is half its width in kilometres.
fn fill(
    region: &mut Value,
    metadata: Value,
    include: &Include,
    (latitude, longitude): (f64, f64),
    reach: f64,
    sold: impl Iterator<Item = Property>,
) {
    let Some(map) = region.as_object_mut() else {
        return;
    };
    if let Value::Object(metadata) = metadata
        && include.metadata
    {
        map.extend(metadata);
    }
    if include.details {
        let (up, across) = (
            reach / 111.2,
            reach / 111.2 / latitude.to_radians().cos().max(0.01),
        );
        let corner =
            |right: f64, top: f64| json!([longitude + right * across, latitude + top * up]);
        let corners = [
            (-1.0, -1.0),
            (1.0, -1.0),
            (1.0, 1.0),
            (-1.0, 1.0),
            (-1.0, -1.0),
        ];
        let ring: Vec<Value> = corners
            .into_iter()
            .map(|(right, top)| corner(right, top))
            .collect();
        map.insert(
            "coordinates".to_owned(),
            json!({
                "center_longitude": longitude,
                "center_latitude": latitude,
                "bounding_polygon": { "type": "Polygon", "coordinates": [ring] },
            }),
        );
    }
    if !include.ids.is_empty() {
        let ids: Vec<String> = sold.map(|property| property.number.to_string()).collect();
        for name in &include.ids {
            map.insert((*name).to_owned(), json!(ids));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn a_point_is_inside_a_ring_that_goes_around_it_closed_or_not() {
        let open = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)];
        let closed = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0), (0.0, 0.0)];
        let far_east = [(179.0, 0.0), (181.0, 0.0), (181.0, 4.0), (179.0, 4.0)];
        for ring in [open.as_slice(), &closed] {
            assert!(inside(ring, (1.0, 2.0)) && !inside(ring, (5.0, 2.0)));
        }
        assert!(inside(&far_east, (-179.5, 1.0)) && inside(&far_east, (179.5, 1.0)));
        assert!(!inside(&far_east, (178.5, 1.0)));
    }
}
