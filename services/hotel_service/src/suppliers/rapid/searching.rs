//! Searching: which properties lie around the point, what they are, and which of their rooms are free.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::value::RawValue;
use supplier_client::{CallCx, Safety, SupplierError, WireRequest};
use tokio::time::Instant;
use vertical_kit::Found;

use super::hotel::Hotel;
use super::map::Reading;
use super::{Rapid, requests, wire};
use crate::model::{Area, HotelSearch};

/// Properties per call: the most that Rapid takes.
const CHUNK: usize = 250;
/// What Rapid takes in one request: nights, rooms, adults in a room.
const LONGEST: (u32, usize, u32) = (28, 8, 8);
/// How long before the caller gives up the answers that are there are given back.
const MARGIN: Duration = Duration::from_millis(250);

impl Rapid {
    pub(super) async fn find_offers(
        &self,
        cx: &CallCx,
        search: &HotelSearch,
    ) -> Result<Found, SupplierError> {
        let (nights, rooms, adults) = LONGEST;
        let crowded = search.rooms.iter().any(|room| room.adults > adults);
        if search.nights() > nights || search.rooms.len() > rooms || crowded {
            let reason = "Rapid takes 28 nights, 8 rooms and 8 adults in a room at most";
            return Ok(Found {
                rejected: vec![reason.to_owned()],
                ..Found::default()
            });
        }
        let left = cx.deadline.saturating_duration_since(Instant::now());
        let cx = CallCx::new(cx.deadline - MARGIN.min(left / 20), cx.correlation.clone());
        let ids = self.properties(&cx, &search.area).await?;
        if ids.is_empty() {
            return Ok(Found::default());
        }
        let (answers, hotels) =
            tokio::join!(self.availability(&cx, search, &ids), self.hotels(&cx, &ids));
        let reading = Reading {
            search,
            zone: zone(&search.area),
            now: self.clock.now(),
            rates_per_room: self.terms.rates_per_room,
        };
        let mut found = Found::default();
        for raw in &answers.properties {
            reading.add(raw, |code| hotels.get(code).cloned(), &mut found);
        }
        match answers.failed {
            Some(error) if answers.properties.is_empty() => Err(error),
            Some(_) => {
                let reason = "a part of the properties could not be asked for";
                found.rejected.push(reason.to_owned());
                Ok(found)
            }
            None => Ok(found),
        }
    }

    /// The ids of the properties in an area, the nearest first as far as their positions are known; at
    /// most as many as a search may ask for.
    async fn properties(&self, cx: &CallCx, area: &Area) -> Result<Vec<String>, SupplierError> {
        let key = format!(
            "area:{}:{}:{}",
            area.latitude, area.longitude, area.radius_km
        );
        let mut ids: Vec<String> = match self.contents.get(&key).await {
            Some(ids) => ids,
            None => {
                // Asking changes nothing, so it may be asked again.
                let path = "/v3/properties/geography";
                let request = WireRequest::post("geography", path, Safety::Safe)
                    .query("include", "property_ids")
                    .query("supply_source", "expedia")
                    .json(&requests::polygon(area))?;
                let response = self.ask(cx, request).await?;
                let ids: BTreeMap<String, wire::Raw> = response.json()?;
                let ids: Vec<String> = ids.into_keys().collect();
                self.keep(&key, &ids).await;
                ids
            }
        };
        let most = self.terms.max_properties;
        if ids.len() > most {
            let mut by_distance = Vec::with_capacity(ids.len());
            for id in ids {
                let hotel: Option<Hotel> = self.contents.get(&hotel_key(&id)).await;
                let far = hotel.and_then(|hotel| hotel.distance_from(area));
                by_distance.push((far.unwrap_or(f64::MAX), id));
            }
            by_distance.sort_by(|(one, _), (other, _)| one.total_cmp(other));
            ids = by_distance
                .into_iter()
                .take(most)
                .map(|(_, id)| id)
                .collect();
        }
        Ok(ids)
    }

    /// The availability of all properties, asked for at once in parts.
    async fn availability(&self, cx: &CallCx, search: &HotelSearch, ids: &[String]) -> Answers {
        let calls = ids.chunks(CHUNK).map(|chunk| async move {
            let request = requests::availability(search, chunk, &self.terms);
            let response = self.ask(cx, request).await?;
            response.json::<Vec<Box<RawValue>>>()
        });
        let mut answers = Answers::default();
        for answer in join_all(calls).await {
            match answer {
                Ok(properties) => answers.properties.extend(properties),
                Err(error) => answers.failed = Some(error),
            }
        }
        answers
    }

    /// What the properties are. What cannot be had is left out: a rate can be shown without.
    async fn hotels(&self, cx: &CallCx, ids: &[String]) -> HashMap<String, Hotel> {
        let mut known = HashMap::with_capacity(ids.len());
        let mut missing = Vec::new();
        for id in ids {
            match self.contents.get(&hotel_key(id)).await {
                Some(hotel) => drop(known.insert(id.clone(), hotel)),
                None => missing.push(id.clone()),
            }
        }
        let calls = missing.chunks(CHUNK).map(|chunk| async move {
            let request = requests::content(chunk, &self.terms);
            let response = self.ask(cx, request).await?;
            response.json::<BTreeMap<String, wire::Raw>>()
        });
        for answer in join_all(calls).await {
            // The call's failure is logged and counted where it is made.
            for (id, raw) in answer.unwrap_or_default() {
                if let Some(hotel) = Hotel::read(&raw) {
                    self.keep(&hotel_key(&id), &hotel).await;
                    known.insert(id, hotel);
                }
            }
        }
        known
    }

    async fn keep(&self, key: &str, value: &impl serde::Serialize) {
        // A cache that keeps nothing only makes the next search slower.
        drop(self.contents.put(key, value, self.terms.content_life).await);
    }
}

/// What came back of a search.
#[derive(Default)]
struct Answers {
    properties: Vec<Box<RawValue>>,
    /// Why a part is missing.
    failed: Option<SupplierError>,
}

fn hotel_key(id: &str) -> String {
    format!("hotel:{id}")
}

/// The zone of the city that was named: Rapid does not tell that of its properties.
fn zone(area: &Area) -> Option<String> {
    let code = area.city.as_deref()?;
    let of_city = || travel_types::city(code)?.airports.first().copied();
    let airport = of_city().or_else(|| travel_types::airport(code))?;
    Some(airport.time_zone.to_owned())
}
