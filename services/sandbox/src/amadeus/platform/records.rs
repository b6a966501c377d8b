//! Making, finding and cancelling records. The journal line is on disk before an order is answered or
//! can be seen.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::ledger::{Cancelled, Order, Queue};
use super::params::Params;
use super::problem::{Answered, Problem, Source};
use super::{Platform, list};
use crate::answer::{Answer, Twist};
use crate::chance::{booking_reference, draw};
use crate::inventory::Units;
use crate::journal::{Kind, Line};
use crate::supplier::Deed;

/// How many items a page of a queue has if the buyer does not say.
const PAGE: u64 = 10;

/// An order that is about to be made; its units are taken already.
pub(crate) struct New {
    pub(crate) units: Vec<Units>,
    pub(crate) total: i64,
    pub(crate) currency: String,
    pub(crate) client_reference: Option<String>,
}

/// 200 with `data`.
pub(crate) fn data(data: Value) -> Answer {
    Answer::json(StatusCode::OK, json!({ "data": data }))
}

/// Such as `2019-06-27T13:26:00.000`.
pub(crate) fn creation_date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000").to_string()
}

/// The first `ord_…` in these texts, which is how a buyer's own reference is told from other remarks.
pub(crate) fn client_reference<'a>(texts: impl Iterator<Item = &'a str>) -> Option<String> {
    let word = |text: &str| {
        let start = text.find("ord_")?;
        let rest = text.get(start..)?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let word = rest.get(..end.unwrap_or(rest.len()))?;
        (word.len() > "ord_".len()).then(|| word.to_owned())
    };
    texts.into_iter().find_map(word)
}

/// The queues on which the order asks to be placed at once.
fn queues(automated: Option<&Value>) -> Vec<Queue> {
    let queue = |process: &Value| {
        let queue = process.get("queue")?;
        let text = |name: &str| queue.get(name).and_then(Value::as_str);
        let number = text("number")?.to_owned();
        Some((number, text("category").unwrap_or("0").to_owned()))
    };
    list(automated)
        .filter(|process| process.get("code").and_then(Value::as_str) == Some("IMMEDIATE"))
        .filter_map(queue)
        .collect()
}

/// An id in Amadeus's style, standard base64: it has a `/` and ends in `=`, so it is no part of a path
/// unless it is encoded.
fn order_id(reference: &str) -> String {
    let id = |attempt: u64| {
        let noise = |word: &str| draw(attempt, &format!("{word}{reference}")).to_be_bytes();
        // As "eJzTd9f3s4gKC/MEAAt8Ans=" begins: the head of a zlib stream.
        let head = [0x78, 0x9c, 0xd3];
        let bytes: Vec<u8> = (head.into_iter())
            .chain(noise("first"))
            .chain(noise("second").into_iter().take(6))
            .collect();
        STANDARD.encode(bytes)
    };
    (0..)
        .map(id)
        .find(|id| id.contains('/'))
        .unwrap_or_default()
}

impl Platform {
    /// Makes an order of `new`: writes it to the journal and keeps it. `show` writes it as Amadeus
    /// shows it, from its id and record locator.
    ///
    /// # Errors
    /// The journal cannot be written; the units are given back.
    pub(crate) async fn book(
        &self,
        new: New,
        show: impl FnOnce(&str, &str) -> Value,
    ) -> Result<Value, Problem> {
        let now = self.office.clock.now();
        let reference = {
            let mut ledger = self.ledger();
            let count = ledger.references.len();
            let seed = format!("{}{}{count}", self.office.name, now.as_microsecond());
            (0..)
                .map(|attempt| booking_reference(&seed, attempt))
                .find(|reference| ledger.references.insert(reference.clone()))
                .unwrap_or_default()
        };
        let id = order_id(&reference);
        let shown = show(&id, &reference);
        let order = Order {
            queues: queues(shown.get("automatedProcess")),
            shown,
            id,
            reference,
            units: new.units,
            total: new.total,
            currency: new.currency,
            client_reference: new.client_reference,
            created_at: now,
            visible_at: self.office.visible_at(),
            cancelled: false,
        };
        let record = serde_json::to_value(&order).map_err(|_| Problem::internal())?;
        if let Err(error) = self.record(Kind::Order, &order, order.total, record).await {
            tracing::error!(%error, "the journal cannot be written; the order is undone");
            self.office.inventory.give_back(&order.units);
            return Err(Problem::internal());
        }
        let shown = order.shown.clone();
        self.ledger().add(order);
        Ok(shown)
    }

    /// Cancels an order and gives its units back. `refund` tells how much of its price is given back,
    /// and refuses what cannot be cancelled.
    ///
    /// # Errors
    /// No such order, or it is cancelled already: [`Problem::not_found`]; the refusal. The journal cannot be written.
    pub(crate) async fn cancel(
        &self,
        id: &str,
        refund: impl FnOnce(&Order) -> Result<i64, Problem>,
    ) -> Result<(), Problem> {
        let (order, refund) = {
            let mut ledger = self.ledger();
            let order = ledger.orders.get_mut(id).filter(|order| !order.cancelled);
            let order = order.ok_or_else(Problem::not_found)?;
            let refund = refund(order)?;
            // From here on a second cancellation of the same order is refused.
            order.cancelled = true;
            (order.clone(), refund)
        };
        let recorded = self
            .record(Kind::Cancel, &order, refund, order.id.clone().into())
            .await;
        let mut ledger = self.ledger();
        let kept = ledger.orders.get_mut(id).ok_or_else(Problem::not_found)?;
        if let Err(error) = recorded {
            tracing::error!(%error, "the journal cannot be written; the order stays");
            kept.cancelled = false;
            return Err(Problem::internal());
        }
        self.close(kept);
        self.office.inventory.give_back(&order.units);
        Ok(())
    }

    fn close(&self, order: &mut Order) {
        order.cancelled = true;
        if let Cancelled::Shown(change) = self.cancelled {
            change(&mut order.shown);
        }
    }

    async fn record(
        &self,
        kind: Kind,
        order: &Order,
        amount: i64,
        record: Value,
    ) -> std::io::Result<()> {
        self.office
            .record(Deed {
                kind,
                supplier_reference: &order.reference,
                client_reference: order.client_reference.as_deref(),
                amount,
                currency: &order.currency,
                units: &order.units,
                record,
            })
            .await
    }

    /// An order by id, as it is shown.
    ///
    /// # Errors
    /// It does not exist, cannot be seen yet, or is cancelled and gone.
    pub(crate) fn order(&self, id: &str) -> Result<Value, Problem> {
        let visible = self.visibility();
        let ledger = self.ledger();
        let order = ledger.orders.get(id).filter(|order| visible(order));
        Ok(order.ok_or_else(Problem::not_found)?.shown.clone())
    }

    /// `…/by-reference?reference=QVH2BX&originSystemCode=GDS`.
    ///
    /// # Errors
    /// A parameter is missing, or the order cannot be found as in [`Platform::order`].
    pub(crate) fn by_reference(&self, query: Option<&str>) -> Result<Value, Problem> {
        let params = Params::parse(query);
        let reference = params.required("reference")?;
        if params.required("originSystemCode")? != "GDS" {
            return Err(Problem::not_found());
        }
        let visible = self.visibility();
        let ledger = self.ledger();
        let order = ledger.by_reference(reference);
        let order = order.filter(|order| visible(order));
        Ok(order.ok_or_else(Problem::not_found)?.shown.clone())
    }

    /// `GET /v1/office/queues/{number}?category=0&page[limit]=10&page[offset]=0`: the records on a
    /// queue, newest first. `meta.count` counts all of them, not those of the page.
    pub(crate) fn queue(&self, number: &str, query: Option<&str>) -> Answered {
        let params = Params::parse(query);
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            let source = Source::Parameter("number".to_owned());
            return Err(Problem::format(source, "must be a number"));
        }
        let category = params.get("category").unwrap_or("0");
        let limit = params.number("page[limit]", 1, 1_000)?.unwrap_or(PAGE);
        let offset = params.number("page[offset]", 0, u64::MAX)?.unwrap_or(0);
        let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let visible = self.visibility();
        let ledger = self.ledger();
        let queued: Vec<&Order> = ledger
            .ids
            .iter()
            .rev()
            .filter_map(|id| ledger.orders.get(id))
            .filter(|order| visible(order))
            .filter(|order| {
                let mut queues = order.queues.iter();
                queues.any(|(n, c)| n == number && c == category)
            })
            .collect();
        let item = |order: &&Order| {
            json!({
                "type": "queue-item",
                "associatedRecords": [{
                    "reference": order.reference,
                    "originSystemCode": "GDS",
                    "creationDate": creation_date(order.created_at),
                }],
            })
        };
        let page = queued.iter().skip(whole(offset)).take(whole(limit));
        let data: Vec<Value> = page.map(item).collect();
        let body = json!({ "data": data, "meta": { "count": queued.len() } });
        Ok(Answer::json(StatusCode::OK, body))
    }

    /// Tells of an order whether it can be seen now.
    fn visibility(&self) -> impl Fn(&Order) -> bool + use<> {
        let seen = self.office.sight();
        let gone = matches!(self.cancelled, Cancelled::Gone);
        move |order| !(gone && order.cancelled) && seen(order.created_at, order.visible_at)
    }

    /// Does again what a journal line says was done.
    ///
    /// # Errors
    /// The line's record is no order, or no order's id.
    pub(crate) fn redo(&self, line: &Line) -> Result<(), serde_json::Error> {
        match line.effect.kind {
            Kind::Order => {
                let order = Order::deserialize(&line.record)?;
                self.office.inventory.take(&order.units);
                self.ledger().add(order);
            }
            Kind::Cancel => {
                let id = String::deserialize(&line.record)?;
                let mut ledger = self.ledger();
                if let Some(order) = ledger.orders.get_mut(&id) {
                    self.close(order);
                    self.office.inventory.give_back(&order.units);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// 201 for an order that stands in the journal.
pub(crate) fn created(body: Value, twist: Option<Twist>) -> Answer {
    Answer::json(StatusCode::CREATED, body).committed(twist)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buyers_reference_is_taken_out_of_its_remark() {
        let texts = [
            "ONLINE BOOKING ord_",
            "INTERLINE ord_01jx9z, WEB",
            "ord_second",
        ];
        let found = client_reference(texts.into_iter());
        assert_eq!(found.as_deref(), Some("ord_01jx9z"));
        assert_eq!(client_reference(["NONE"].into_iter()), None);
    }

    #[test]
    fn an_order_id_must_be_encoded_in_a_path() {
        for reference in ["2ZYVAL", "QVH2BX", "YNK4JQ"] {
            let id = order_id(reference);
            assert!(id.contains('/') && id.ends_with('='), "{id}");
            assert_eq!(STANDARD.decode(&id).unwrap().len(), 17);
        }
        assert_ne!(order_id("2ZYVAL"), order_id("QVH2BX"));
    }
}
