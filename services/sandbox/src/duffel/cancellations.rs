//! Cancelling an order in two steps: a quote, which changes nothing, and its confirmation, which gives
//! the seats back. Also paying for a held order.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::orders::check_payment;
use super::platform::{self, Answered, Params, Problem, created, ok, page};
use super::state::{Cancellation, Duffel, Order};
use crate::journal::Kind;
use crate::supplier::decimal;

/// How long a quote stands: at most 60 minutes (WIRE §0).
const QUOTE_LIFE: Duration = Duration::from_secs(3600);

/// `POST /air/order_cancellations`.
pub(crate) fn quote(duffel: &Duffel, body: &Value) -> Answered {
    let order_id = body
        .pointer("/data/order_id")
        .and_then(Value::as_str)
        .ok_or_else(|| Problem::required("/order_id"))?;
    let visible = duffel.visibility();
    let now = duffel.office.clock.now();
    let mut store = duffel.store();
    let order = store.orders.get(order_id).filter(|order| visible(order));
    let order = order.ok_or_else(Problem::not_found)?;
    if order.cancelled {
        return Err(Problem::already_cancelled());
    }
    let id = duffel.ids.next("ore", now);
    let refund = match order.refund_penalty {
        _ if order.awaiting_payment => 0,
        Some(penalty) => (order.total - penalty).max(0),
        None => 0,
    };
    let refund_to = match (order.awaiting_payment, order.refund_as_credit) {
        (true, _) => "awaiting_payment",
        (_, true) => "airline_credits",
        _ => "balance",
    };
    let cancellation = Cancellation {
        airline_credits: if order.refund_as_credit {
            credit(order, &id, refund, &now.strftime("%Y-%m-%d").to_string())
        } else {
            json!([])
        },
        id,
        order_id: order.id.clone(),
        refund,
        currency: order.currency.clone(),
        refund_to: refund_to.to_owned(),
        created_at: now,
        expires_at: duffel.office.clock.after(QUOTE_LIFE),
        confirmed_at: None,
    };
    let answer = shown(&cancellation);
    store.add_cancellation(cancellation);
    Ok(created(answer))
}

/// `POST /air/order_cancellations/{id}/actions/confirm`.
pub(crate) async fn confirm(duffel: &Duffel, id: &str) -> Answered {
    let now = duffel.office.clock.now();
    let (cancellation, order) = {
        let mut store = duffel.store();
        let mut cancellation = store
            .cancellations
            .get(id)
            .cloned()
            .ok_or_else(Problem::not_found)?;
        let order = store.orders.get(&cancellation.order_id).cloned();
        let order = order.ok_or_else(Problem::not_found)?;
        if order.cancelled {
            return Err(Problem::already_cancelled());
        }
        if now >= cancellation.expires_at {
            return Err(Problem::cancellation_expired());
        }
        cancellation.confirmed_at = Some(now);
        // From here on a second confirmation of the same order is refused.
        store.cancel(&cancellation, now);
        (cancellation, order)
    };
    let record = serde_json::to_value(&cancellation).map_err(|_| Problem::internal())?;
    let recorded = duffel.record(Kind::Cancel, &order, cancellation.refund, record);
    if let Err(error) = recorded.await {
        tracing::error!(%error, "the journal cannot be written; the cancellation is undone");
        duffel.store().orders.insert(order.id.clone(), order);
        return Err(Problem::internal());
    }
    duffel.office.inventory.give_back(&order.units);
    let answer = shown(&cancellation);
    duffel
        .store()
        .cancellations
        .insert(id.to_owned(), cancellation);
    Ok(ok(answer).committed(None))
}

/// `GET /air/order_cancellations/{id}`.
pub(crate) fn show(duffel: &Duffel, id: &str) -> Answered {
    let store = duffel.store();
    let cancellation = store.cancellations.get(id).ok_or_else(Problem::not_found)?;
    Ok(ok(shown(cancellation)))
}

/// `GET /air/order_cancellations?order_id=…`.
pub(crate) fn list(duffel: &Duffel, query: Option<&str>) -> Answered {
    let params = Params::parse(query);
    let store = duffel.store();
    let all: Vec<&Cancellation> = store
        .cancellation_ids
        .iter()
        .rev()
        .filter_map(|id| store.cancellations.get(id))
        .filter(|one| params.get("order_id").is_none_or(|id| one.order_id == id))
        .collect();
    let (page, meta) = page(&params, &all, |one| &one.id)?;
    let data: Vec<Value> = page.iter().map(|one| shown(one)).collect();
    Ok(crate::answer::Answer::json(
        StatusCode::OK,
        json!({ "data": data, "meta": meta }),
    ))
}

/// `POST /air/payments`: pays for a held order.
pub(crate) async fn pay(duffel: &Duffel, body: &Value) -> Answered {
    let data = body.get("data").ok_or_else(|| Problem::required("/data"))?;
    let order_id = data.get("order_id").and_then(Value::as_str);
    let order_id = order_id.ok_or_else(|| Problem::required("/order_id"))?;
    let payment = data
        .get("payment")
        .ok_or_else(|| Problem::required("/payment"))?;
    let now = duffel.office.clock.now();
    let order = {
        let mut store = duffel.store();
        let order = store
            .orders
            .get_mut(order_id)
            .ok_or_else(Problem::not_found)?;
        if order.cancelled {
            return Err(Problem::already_cancelled());
        }
        if !order.awaiting_payment {
            return Err(Problem::already_paid());
        }
        check_payment(payment, "/payment", order.total, &order.currency)?;
        // From here on a second payment of the same order is refused.
        order.awaiting_payment = false;
        order.clone()
    };
    let recorded = duffel
        .record(Kind::Capture, &order, order.total, order.id.clone().into())
        .await;
    let mut store = duffel.store();
    if recorded.is_err() {
        let order = store.orders.get_mut(order_id);
        order
            .into_iter()
            .for_each(|order| order.awaiting_payment = true);
        return Err(Problem::internal());
    }
    store.pay(order_id, now);
    let paid = json!({
        "id": duffel.ids.next("pay", now),
        "type": payment.get("type"),
        "amount": decimal(order.total),
        "currency": order.currency,
        "status": "succeeded",
        "live_mode": false,
        "created_at": platform::instant(now),
    });
    Ok(created(paid).committed(None))
}

fn credit(order: &Order, cancellation_id: &str, refund: i64, today: &str) -> Value {
    json!([{
        "id": cancellation_id.replacen("ore_", "acd_", 1),
        "credit_name": "Duffel Travel Voucher",
        "credit_code": order.shown.get("booking_reference"),
        "credit_amount": decimal(refund),
        "credit_currency": order.currency,
        "issued_on": today,
        "passenger_id": order.shown.pointer("/passengers/0/id"),
    }])
}

/// A cancellation as Duffel shows it.
pub(crate) fn shown(cancellation: &Cancellation) -> Value {
    let confirmed = cancellation.confirmed_at;
    json!({
        "refund_to": cancellation.refund_to,
        "refund_currency": cancellation.currency,
        "refund_amount": decimal(cancellation.refund),
        "order_id": cancellation.order_id,
        "live_mode": false,
        "id": cancellation.id,
        "expires_at": confirmed.is_none().then(|| format!("{:.0}", cancellation.expires_at)),
        "created_at": platform::instant(cancellation.created_at),
        "confirmed_at": confirmed.map(platform::instant),
        "airline_credits": cancellation.airline_credits,
    })
}
