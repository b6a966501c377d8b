//! Orders: made from an offer, paid at once or held, looked up by id or reference. Seats are taken in
//! one step and the journal line is on disk before an order is answered or can be seen.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::offer::{Offer, condition};
use super::platform::{self, Answered, Params, Problem, created, ok, page};
use super::scenario::Route;
use super::state::{Duffel, Order, Raise};
use super::{services, travellers, wire};
use crate::answer::{Answer, Twist};
use crate::chance::booking_reference;
use crate::journal::Kind;
use crate::scenario::{self, Name};
use crate::supplier::{decimal, hundredths};

/// By how much the scenario PRICECHANGE raises an offer's price, in hundredths.
const RAISE: i64 = 1_000;

/// `POST /air/orders`.
pub(crate) async fn create(duffel: &Duffel, body: &Value) -> Answered {
    let Reserved { order, hold, name } = reserve(duffel, body)?;
    let kind = if hold { Kind::Hold } else { Kind::Order };
    let record = serde_json::to_value(&order).map_err(|_| Problem::internal())?;
    if let Err(error) = duffel.record(kind, &order, order.total, record).await {
        tracing::error!(%error, "the journal cannot be written; the order is undone");
        duffel.office.inventory.give_back(&order.units);
        let mut store = duffel.store();
        let request = store
            .offers
            .get(&order.offer_id)
            .map(|offer| offer.request_id.clone());
        request.map(|id| store.booked.remove(&id));
        return Err(Problem::internal());
    }
    let shown = order.shown.clone();
    duffel.store().add_order(order);
    Ok(created(shown).committed(Twist::of(name, duffel.office.slow)))
}

struct Reserved {
    order: Order,
    hold: bool,
    name: Option<Name>,
}

/// Checks an order and takes its seats, in one step: no other order comes in between.
fn reserve(duffel: &Duffel, body: &Value) -> Result<Reserved, Problem> {
    let data = body.get("data").and_then(Value::as_object);
    let data = data.ok_or_else(|| Problem::required("/data"))?;
    let hold = match data.get("type").and_then(Value::as_str) {
        None => return Err(Problem::required("/type")),
        Some("instant") => false,
        Some("hold" | "pay_later") => true,
        Some(_) => return Err(Problem::wrong_order_type()),
    };
    let selected = match data.get("selected_offers").and_then(Value::as_array) {
        Some(offers) if !offers.is_empty() => offers,
        _ => return Err(Problem::required("/selected_offers")),
    };
    let [Value::String(offer_id)] = selected.as_slice() else {
        return Err(Problem::format(
            "/selected_offers",
            "must hold one offer id",
        ));
    };
    let metadata = platform::metadata(data)?;

    let mut store = duffel.store();
    let offer = store
        .offers
        .get(offer_id)
        .cloned()
        .ok_or_else(Problem::not_found)?;
    let route = offer.scenario();
    let now = duffel.office.clock.now();
    if duffel.one_order_per_search && store.booked.contains(&offer.request_id) {
        return Err(Problem::already_booked());
    }
    if now >= offer.expires_at {
        return Err(Problem::offer_expired());
    }
    let travellers = travellers::check(&offer, data.get("passengers"))?;
    let name = travellers
        .first()
        .and_then(|passenger| passenger.get("family_name")?.as_str())
        .and_then(scenario::of_name);
    match name {
        Some(Name::SoldOut) => return Err(Problem::offer_gone()),
        Some(Name::Refused) => return Err(Problem::refused()),
        Some(Name::PriceChange) => {
            let raise: &mut Raise = store.raises.entry(offer.id.clone()).or_default();
            if !raise.refused_once {
                raise.refused_once = true;
                raise.by += RAISE;
                return Err(Problem::price_changed());
            }
        }
        _ => {}
    }
    let extra = services::chosen(&offer, data.get("services"), "/services")?;
    let extra_total: i64 = extra.iter().map(|service| service.amount).sum();
    let raised = store.raised(&offer.id);
    let total = offer.base + offer.tax + raised + extra_total;
    if hold {
        if !offer.holdable() {
            return Err(Problem::wrong_order_type());
        }
    } else {
        payment(data, total, &offer.currency)?;
    }
    match route {
        Some(Route::GoneOnRead) => return Err(Problem::offer_gone()),
        Some(Route::AirlineError) => return Err(Problem::airline_unknown()),
        Some(Route::InsufficientBalance) => return Err(Problem::insufficient_balance()),
        _ => {}
    }
    let units = offer.units();
    if !duffel.office.inventory.take(&units) {
        return Err(Problem::offer_gone());
    }
    store.booked.insert(offer.request_id.clone());

    let id = duffel.ids.next("ord", now);
    let reference = (0..)
        .map(|attempt| booking_reference(&id, attempt))
        .find(|reference| store.references.insert(reference.clone()))
        .unwrap_or_default();
    let shown = show_new(New {
        id: &id,
        reference: &reference,
        offer: &offer,
        amounts: [offer.base + raised + extra_total, offer.tax, total],
        travellers,
        services: services::shown(&extra, &offer.currency),
        metadata: &metadata,
        hold,
        now,
    });
    let order = Order {
        id,
        offer_id: offer.id.clone(),
        shown,
        units,
        total,
        currency: offer.currency.clone(),
        refund_penalty: offer.fare.refund,
        client_reference: platform::client_reference(&metadata),
        created_at: now,
        visible_at: duffel.office.visible_at(),
        awaiting_payment: hold,
        cancelled: false,
        airline_changes: route == Some(Route::AirlineInitiatedChange),
        refund_as_credit: route == Some(Route::AirlineCredit),
    };
    Ok(Reserved { order, hold, name })
}

fn payment(data: &Map<String, Value>, total: i64, currency: &str) -> Result<(), Problem> {
    let Some([payment]) = data
        .get("payments")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    else {
        return Err(Problem::required("/payments"));
    };
    check_payment(payment, "/payments/0", total, currency)
}

/// A payment of exactly `total`: the amount may be written with more or fewer zeros.
pub(crate) fn check_payment(
    payment: &Value,
    pointer: &str,
    total: i64,
    currency: &str,
) -> Result<(), Problem> {
    let text = |name: &str| {
        payment
            .get(name)
            .and_then(Value::as_str)
            .ok_or_else(|| Problem::required(&format!("{pointer}/{name}")))
    };
    let methods = ["balance", "arc_bsp_cash"];
    if !methods.contains(&text("type")?) {
        return Err(Problem::inclusion(&format!("{pointer}/type"), &methods));
    }
    let amount = hundredths(text("amount")?);
    let amount = amount
        .ok_or_else(|| Problem::format(&format!("{pointer}/amount"), "must be a decimal amount"))?;
    if text("currency")? != currency {
        return Err(Problem::wrong_currency());
    }
    if amount != total {
        return Err(Problem::wrong_amount());
    }
    Ok(())
}

struct New<'a> {
    id: &'a str,
    reference: &'a str,
    offer: &'a Offer,
    /// Base, tax and total in hundredths.
    amounts: [i64; 3],
    travellers: Vec<Value>,
    services: Value,
    metadata: &'a Value,
    hold: bool,
    now: Timestamp,
}

fn show_new(new: New<'_>) -> Value {
    let offer = new.offer;
    let currency = &offer.currency;
    let [base, tax, total] = new.amounts;
    let later = |hours: i64| {
        let at = offer
            .created_at
            .checked_add(jiff::SignedDuration::from_hours(hours));
        new.hold
            .then(|| format!("{:.0}", at.unwrap_or(Timestamp::MAX)))
    };
    let tickets = if new.hold { 0 } else { new.travellers.len() };
    json!({
        "total_currency": currency,
        "total_amount": decimal(total),
        "tax_currency": currency,
        "tax_amount": decimal(tax),
        "synced_at": format!("{:.0}", new.now),
        "slices": wire::slices(offer, true),
        "services": new.services,
        "payment_status": {
            "price_guarantee_expires_at": later(48),
            "payment_required_by": later(72),
            "paid_at": (!new.hold).then(|| platform::instant(new.now)),
            "awaiting_payment": new.hold,
        },
        "passengers": new.travellers,
        "owner": wire::owner(offer),
        "metadata": new.metadata,
        "live_mode": false,
        "id": new.id,
        "offer_id": offer.id,
        "type": if new.hold { "hold" } else { "instant" },
        "content": "managed",
        "documents": documents(tickets),
        "created_at": platform::instant(new.now),
        "conditions": {
            "refund_before_departure": condition(offer.fare.refund, currency),
            "change_before_departure": condition(offer.fare.change, currency),
        },
        "cancelled_at": null,
        "cancellation": null,
        "changes": [],
        "airline_initiated_changes": [],
        "available_actions": ["cancel", "update"],
        "users": [],
        "booking_reference": new.reference,
        "base_currency": currency,
        "base_amount": decimal(base),
    })
}

/// Electronic tickets numbered from 1, as the sandbox airline numbers them.
pub(crate) fn documents(count: usize) -> Value {
    (1..=count)
        .map(|number| json!({ "unique_identifier": number.to_string(), "type": "electronic_ticket" }))
        .collect()
}

/// `GET /air/orders`.
pub(crate) fn list(duffel: &Duffel, query: Option<&str>) -> Answered {
    let params = Params::parse(query);
    let awaiting = params.flag("awaiting_payment")?;
    let visible = duffel.visibility();
    let store = duffel.store();
    let text = |order: &Order, key: &str, wanted: &str| {
        order.shown.get(key).and_then(Value::as_str) == Some(wanted)
    };
    let names: Vec<String> = params
        .all("passenger_name[]")
        .map(str::to_lowercase)
        .collect();
    let named = |order: &Order| {
        let passengers = order.shown.get("passengers").and_then(Value::as_array);
        let full = |passenger: &Value| {
            let part = |key: &str| {
                passenger
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            format!("{} {}", part("given_name"), part("family_name")).to_lowercase()
        };
        names.is_empty()
            || passengers.into_iter().flatten().any(|passenger| {
                names
                    .iter()
                    .any(|name| full(passenger).contains(name.as_str()))
            })
    };
    let orders: Vec<&Order> = store
        .order_ids
        .iter()
        .rev()
        .filter_map(|id| store.orders.get(id))
        .filter(|order| visible(order))
        .filter(|order| params.get("offer_id").is_none_or(|id| order.offer_id == id))
        .filter(|order| {
            let wanted = params.get("booking_reference");
            wanted.is_none_or(|wanted| text(order, "booking_reference", wanted))
        })
        .filter(|order| awaiting.is_none_or(|wanted| order.awaiting_payment == wanted))
        .filter(|order| named(order))
        .collect();
    let (shown, meta) = page(&params, &orders, |order| &order.id)?;
    let data: Vec<&Value> = shown.iter().map(|order| &order.shown).collect();
    Ok(Answer::json(
        http::StatusCode::OK,
        json!({ "data": data, "meta": meta }),
    ))
}

/// `GET /air/orders/{id}`.
pub(crate) fn show(duffel: &Duffel, id: &str) -> Answered {
    let visible = duffel.visibility();
    let now = duffel.office.clock.now();
    let mut store = duffel.store();
    let order = store.orders.get_mut(id).filter(|order| visible(order));
    let order = order.ok_or_else(Problem::not_found)?;
    if order.airline_changes && !order.cancelled {
        let change = airline_change(&duffel.ids.next("aic", now), order, now);
        let changes = order
            .shown
            .get_mut("airline_initiated_changes")
            .and_then(Value::as_array_mut);
        changes
            .into_iter()
            .for_each(|changes| changes.push(change.clone()));
    }
    Ok(ok(order.shown.clone()))
}

/// `GET /air/airline_initiated_changes?order_id=…`.
pub(crate) fn airline_changes(duffel: &Duffel, query: Option<&str>) -> Answered {
    let params = Params::parse(query);
    let id = params
        .get("order_id")
        .ok_or_else(|| Problem::required("/order_id"))?;
    let store = duffel.store();
    let order = store.orders.get(id).ok_or_else(Problem::not_found)?;
    let changes = order.shown.get("airline_initiated_changes").cloned();
    Ok(ok(changes.unwrap_or_else(|| json!([]))))
}

/// The airline moves every flight of the order by one hour.
fn airline_change(id: &str, order: &Order, now: Timestamp) -> Value {
    let slices = order.shown.get("slices").cloned().unwrap_or_default();
    let mut moved = slices.clone();
    let segments = moved
        .as_array_mut()
        .into_iter()
        .flatten()
        .filter_map(|slice| slice.get_mut("segments")?.as_array_mut())
        .flatten()
        .filter_map(Value::as_object_mut);
    for segment in segments {
        for key in [
            "departing_at",
            "arriving_at",
            "departure_datetime",
            "arrival_datetime",
        ] {
            let later = segment
                .get(key)
                .and_then(Value::as_str)
                .and_then(|text| text.parse::<jiff::civil::DateTime>().ok())
                .and_then(|at| at.checked_add(jiff::SignedDuration::from_hours(1)).ok());
            if let Some(later) = later {
                segment.insert(key.to_owned(), Value::from(later.to_string()));
            }
        }
    }
    json!({
        "id": id,
        "order_id": order.id,
        "created_at": platform::instant(now),
        "updated_at": platform::instant(now),
        "expires_at": null,
        "action_taken": null,
        "action_taken_at": null,
        "available_actions": ["accept"],
        "added": moved,
        "removed": slices,
        "travel_agent_ticket": null,
    })
}
