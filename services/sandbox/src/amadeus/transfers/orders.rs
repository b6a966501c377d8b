//! Ordering a transfer, `POST /v1/ordering/transfer-orders?offerId=`, and cancelling it.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::{Value, json};

use super::{Kept, Transfers};
use crate::airports::atlas;
use crate::amadeus::platform::{
    self, Answered, New, Order, Params, Problem, Source, client_reference, created, data, insert,
    list,
};
use crate::answer::{Answer, Twist};
use crate::chance::between;
use crate::scenario::{self, Name};

/// By how much the scenario PRICECHANGE raises an item's price, in hundredths.
const RAISE: i64 = 1_000;

pub(crate) async fn create(transfers: &Transfers, query: Option<&str>, body: &Value) -> Answered {
    let params = Params::parse(query);
    let offer_id = params.required("offerId")?;
    let asked = body.get("data").filter(|data| data.is_object());
    let asked = asked.ok_or_else(|| Problem::missing(pointer("")))?;
    let office = &transfers.platform.office;
    let Accepted { offer, name, own } = accept(transfers, offer_id, asked)?;
    if !office.inventory.take(&offer.units) {
        return Err(unavailable());
    }
    let remarks = list(asked.pointer("/remarks/general")).filter_map(|remark| remark.get("text"));
    let texts = asked.get("note").into_iter().chain(remarks);
    let new = New {
        units: offer.units.clone(),
        total: offer.total,
        currency: office.currency.clone(),
        client_reference: client_reference(texts.filter_map(Value::as_str)),
    };
    let show = |id: &str, reference: &str| shown(&offer, offer_id, asked, id, reference);
    let order = transfers.platform.book(new, show).await?;
    if name == Some(Name::PriceChange) {
        let mut store = transfers.store();
        offer.units.iter().for_each(|(item, _)| {
            store.raises.remove(item);
        });
    }
    if matches!(own, Some(platform::Name::CheckFirst)) {
        return Ok(Answer::from(Problem::check_first()).committed(None));
    }
    Ok(created(
        json!({ "data": order }),
        Twist::of(name, office.slow),
    ))
}

fn pointer(path: &str) -> Source {
    Source::Pointer(format!("/data{path}"))
}

fn unavailable() -> Problem {
    let source = Source::Parameter("offerId".to_owned());
    Problem::bad(
        11,
        "UNABLE TO PROCESS",
        source,
        "the transfer is no longer available",
    )
}

struct Accepted {
    offer: Kept,
    name: Option<Name>,
    own: Option<platform::Name>,
}

/// Checks everything about an order but whether a vehicle is left.
fn accept(transfers: &Transfers, offer_id: &str, asked: &Value) -> Result<Accepted, Problem> {
    let office = &transfers.platform.office;
    let now = office.clock.now();
    let mut store = transfers.store();
    let kept = store
        .offers
        .get(offer_id)
        .filter(|kept| now < kept.expires_at);
    let offer = kept.cloned().ok_or_else(|| {
        let source = Source::Parameter("offerId".to_owned());
        Problem::data(source, "no such offer, or it is too old")
    })?;
    let last_name = passengers(asked)?;
    payment(&offer, asked)?;
    if offer
        .product
        .provider
        .settings
        .contains(&"FLIGHT_NUMBER_REQUIRED")
    {
        let flight = asked.get("flightNumber");
        let flight = flight.or(asked.pointer("/startConnectedSegment/transportationNumber"));
        if !flight.is_some_and(Value::is_string) {
            let title = "INVALID FLIGHT INFORMATION";
            return Err(Problem::bad(
                34649,
                title,
                pointer("/flightNumber"),
                "is required",
            ));
        }
    }
    let name = scenario::of_name(&last_name);
    let own = platform::of_name(&last_name);
    let item = offer.units.first().map_or("", |(item, _)| item.as_str());
    match name {
        Some(Name::SoldOut) => return Err(unavailable()),
        Some(Name::Refused) => {
            let title = "CANNOT PROCESS THE RESERVATION";
            let detail = "the provider refuses";
            return Err(Problem::bad(10192, title, Source::Nothing, detail));
        }
        Some(Name::PriceChange) if offer.raise == 0 => {
            // What the ride costs is asked for by searching again: a search since the first refusal
            // has the new price.
            let until = office.clock.after(office.offer_life);
            store.raises.insert(item.to_owned(), (RAISE, until));
            return Err(Problem::price(
                Source::Parameter("offerId".to_owned()),
                "the price of the offer has changed",
            ));
        }
        _ => {}
    }
    if let Some(platform::Name::Error(problem)) = own {
        return Err(problem);
    }
    Ok(Accepted { offer, name, own })
}

/// The first passenger's last name, if there is one and all have what a booking needs.
fn passengers(asked: &Value) -> Result<String, Problem> {
    let mut first = None;
    for (index, passenger) in list(asked.get("passengers")).enumerate() {
        let text = |path: &str, code: i64, title: &'static str| {
            let value = passenger.pointer(path).and_then(Value::as_str);
            let value = value.filter(|text| !text.trim().is_empty());
            let source = || pointer(&format!("/passengers/{index}{path}"));
            value.ok_or_else(|| Problem::bad(code, title, source(), "is required"))
        };
        text("/firstName", 11041, "NEED PASSENGER NAME")?;
        let last_name = text("/lastName", 11041, "NEED PASSENGER NAME")?;
        if first.is_none() {
            text("/contacts/phoneNumber", 391, "NEED TELEPHONE NUMBER")?;
            let email = text("/contacts/email", 23883, "EMAIL ADDRESS REQUIRED")?;
            if !email.contains('@') {
                let source = pointer("/passengers/0/contacts/email");
                return Err(Problem::bad(
                    34120,
                    "INVALID EMAIL ADDRESS",
                    source,
                    "has no @",
                ));
            }
            first = Some(last_name.to_owned());
        }
    }
    first.ok_or_else(|| Problem::missing(pointer("/passengers")))
}

fn payment(offer: &Kept, asked: &Value) -> Result<(), Problem> {
    let text = |path: &str, code: i64, title: &'static str| {
        let value = asked.pointer(path).and_then(Value::as_str);
        let value = value.filter(|text| !text.is_empty());
        value.ok_or_else(|| Problem::bad(code, title, pointer(path), "is required"))
    };
    let method = text(
        "/payment/methodOfPayment",
        34502,
        "PAYMENT METHOD IS REQUIRED",
    )?;
    if !offer.product.provider.methods.contains(&method) {
        let source = pointer("/payment/methodOfPayment");
        let detail = "the provider does not accept it";
        return Err(Problem::bad(
            37576,
            "INVALID PAYMENT METHOD",
            source,
            detail,
        ));
    }
    if method == "CREDIT_CARD" {
        text(
            "/payment/creditCard/number",
            38597,
            "CREDIT CARD NUMBER IS REQUIRED",
        )?;
        text(
            "/payment/creditCard/holderName",
            25862,
            "CREDIT CARD HOLDER NAME REQUIRED",
        )?;
        text(
            "/payment/creditCard/vendorCode",
            1535,
            "INVALID VENDOR CODE",
        )?;
        text(
            "/payment/creditCard/expiryDate",
            1426,
            "EXPIRATION DATE MISSING OR INVALID",
        )?;
    }
    Ok(())
}

/// A transfer order: what was offered, with what the buyer said of it. Card data is not kept.
fn shown(offer: &Kept, offer_id: &str, asked: &Value, id: &str, reference: &str) -> Value {
    let mut transfer = offer.shown.clone();
    if let Some(map) = transfer.as_object_mut() {
        for name in [
            "type",
            "id",
            "passengerCharacteristics",
            "methodsOfPaymentAccepted",
        ] {
            map.remove(name);
        }
    }
    let number = between(0, &format!("confirmation{id}"), 1_000_000, 9_999_999);
    insert(&mut transfer, "status", "CONFIRMED".into());
    insert(&mut transfer, "confirmNbr", number.to_string().into());
    insert(&mut transfer, "offerId", offer_id.into());
    for (name, path) in [
        ("note", "/note"),
        ("methodOfPayment", "/payment/methodOfPayment"),
        ("startConnectedSegment", "/startConnectedSegment"),
        ("endConnectedSegment", "/endConnectedSegment"),
    ] {
        if let Some(value) = asked.pointer(path).filter(|value| !value.is_null()) {
            insert(&mut transfer, name, value.clone());
        }
    }
    let mut order = json!({
        "type": "transfer-order",
        "id": id,
        "reference": reference,
        "transfers": [transfer],
    });
    for name in ["passengers", "agency", "remarks", "automatedProcess"] {
        if let Some(value) = asked.get(name).filter(|value| !value.is_null()) {
            insert(&mut order, name, value.clone());
        }
    }
    let party = offer.shown.get("passengerCharacteristics");
    if let Some(party) = party {
        insert(&mut order, "passengerCharacteristics", party.clone());
    }
    order
}

/// What becomes of a cancelled order.
pub(super) fn cancelled(order: &mut Value) {
    if let Some(transfer) = order.pointer_mut("/transfers/0") {
        insert(transfer, "status", "CANCELLED".into());
    }
}

/// `POST /v1/ordering/transfer-orders/{id}/transfers/cancellation?confirmNbr=`.
pub(crate) async fn cancel(transfers: &Transfers, id: &str, query: Option<&str>) -> Answered {
    let params = Params::parse(query);
    let number = params.required("confirmNbr")?;
    let now = transfers.platform.office.clock.now();
    let refund = |order: &Order| {
        let transfer = order.shown.pointer("/transfers/0").unwrap_or(&Value::Null);
        if transfer.get("confirmNbr").and_then(Value::as_str) != Some(number) {
            return Err(Problem::not_found());
        }
        Ok(order.total * (100 - penalty(transfer, now)) / 100)
    };
    transfers.platform.cancel(id, refund).await?;
    let body = json!({ "confirmNbr": number, "reservationStatus": "CANCELLED" });
    Ok(data(body).committed(None))
}

/// How many percent of the price a cancellation costs now, by the transfer's own rules; all of it where
/// there are none.
fn penalty(transfer: &Value, now: Timestamp) -> i64 {
    let text = |path: &str| transfer.pointer(path).and_then(Value::as_str);
    let airport = text("/start/locationCode").and_then(|code| atlas().airport(code));
    let leaves = text("/start/dateTime").and_then(|at| at.parse::<DateTime>().ok());
    let left = airport.zip(leaves).and_then(|(airport, leaves)| {
        let leaves = leaves.to_zoned(airport.time_zone()).ok()?.timestamp();
        Some(leaves.duration_since(now).as_hours())
    });
    let rule = list(transfer.get("cancellationRules")).find_map(|rule| {
        let number = |name: &str| rule.get(name)?.as_str()?.parse::<i64>().ok();
        let hours = match rule.get("metricType")?.as_str()? {
            "DAYS" => 24,
            _ => 1,
        };
        let within = number("metricMin")? * hours..number("metricMax")? * hours;
        within.contains(&left?).then(|| number("feeValue"))?
    });
    rule.unwrap_or(100)
}
