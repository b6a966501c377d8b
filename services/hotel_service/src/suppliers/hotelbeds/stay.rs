//! What the adapter remembers of an offer: a stay with one rate for every room, each mapped on its own,
//! and how they add up to the offer that is shown. An offer can so be shown again from what is remembered,
//! also after one of its rates was checked anew.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use travel_types::jiff::Timestamp;
use travel_types::jiff::civil::Date;
use travel_types::jiff::tz::{Offset, TimeZone};
use travel_types::{Money, Warning, WarningCode};
use vertical_kit::{CancellationTerm, Conditions, SupplierOffer};

use crate::cancellation::{Window, end_of_arrival, non_refundable, terms};
use crate::{Board, Guests, HotelDetails, PaymentTime, Property, PropertyCharge, Room, nights};

/// An offer's memory; the handle of the offer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stay {
    pub(super) property: Property,
    /// IANA name of the zone of an airport near the property. Only for the end of the schedule and for
    /// deadlines that are written without an offset.
    pub(super) zone: Option<String>,
    pub(super) check_in: Date,
    pub(super) check_out: Date,
    pub(super) rates: Vec<Rate>,
    pub(super) changeable: Option<bool>,
    /// Doubts about the property and the dates.
    pub(super) warnings: Vec<Warning>,
    pub(super) priced_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// One rate: for one or more equal rooms with equal guests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Rate {
    pub(super) key: String,
    /// It must be checked before it can be ordered.
    pub(super) recheck: bool,
    /// Hotelbeds wants a payment card for it, which we do not have.
    pub(super) card: bool,
    pub(super) class: Option<String>,
    /// Places of its rooms among the searched rooms.
    pub(super) rooms: Vec<usize>,
    /// Who sleeps in each of its rooms.
    pub(super) guests: Guests,
    pub(super) room_name: String,
    pub(super) room_code: Option<String>,
    pub(super) board: Board,
    pub(super) rate_name: Option<String>,
    pub(super) payment: PaymentTime,
    /// For all its rooms and all nights.
    pub(super) price: Money,
    pub(super) taxes: Option<Money>,
    /// None: Hotelbeds does not say.
    pub(super) penalties: Option<Vec<Penalty>>,
    pub(super) non_refundable: bool,
    pub(super) charges: Vec<PropertyCharge>,
    pub(super) remarks: Vec<String>,
    pub(super) left: Option<u32>,
    pub(super) warnings: Vec<Warning>,
}

/// What cancelling costs from an instant on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Penalty {
    pub(super) from: Option<Timestamp>,
    /// Seconds east of Greenwich that the instant was written with.
    pub(super) offset: Option<i32>,
    /// None: it cannot be told in the currency of the price.
    pub(super) amount: Option<Money>,
}

impl Stay {
    /// The total of all rates.
    pub(super) fn total(&self) -> Result<Money, String> {
        let mut prices = self.rates.iter().map(|rate| rate.price);
        let first = prices.next().ok_or("an offer without a rate")?;
        prices
            .try_fold(first, Money::plus)
            .map_err(|error| format!("total: {error}"))
    }

    /// The offer that it is, as of `now`.
    pub(super) fn offer(&self, now: Timestamp) -> Result<SupplierOffer, String> {
        let total = self.total()?;
        let mut warnings = self.warnings.clone();
        for rate in &self.rates {
            warnings.extend(rate.warnings.iter().cloned());
        }
        let cancellation = self.schedule(now, &mut warnings);
        let mut told: Vec<Warning> = Vec::with_capacity(warnings.len());
        for warning in warnings {
            if !told.contains(&warning) {
                told.push(warning);
            }
        }
        Ok(SupplierOffer {
            total,
            // Hotelbeds states taxes beside the price, never the price without them.
            base: None,
            taxes: self.taxes(total),
            expires_at: Some(self.expires_at),
            conditions: Conditions {
                cancellation,
                changeable: self.changeable,
            },
            warnings: told,
            details: serde_json::to_value(self.details()?).map_err(|error| error.to_string())?,
            handle: self.handle()?,
        })
    }

    /// The memory as the kit keeps it.
    pub(super) fn handle(&self) -> Result<Value, String> {
        serde_json::to_value(self).map_err(|error| error.to_string())
    }

    /// The included taxes, where every rate tells them.
    fn taxes(&self, total: Money) -> Option<Money> {
        self.rates
            .iter()
            .map(|rate| rate.taxes)
            .try_fold(Money::zero(total.currency()), |sum, taxes| {
                sum.plus(taxes?).ok()
            })
    }

    /// What is shown of it.
    pub(super) fn details(&self) -> Result<HotelDetails, String> {
        let first = self.rates.first().ok_or("an offer without a rate")?;
        let mut rooms: Vec<(usize, Room)> = Vec::new();
        for rate in &self.rates {
            for place in &rate.rooms {
                let room = Room {
                    name: rate.room_name.clone(),
                    code: rate.room_code.clone(),
                    beds: None,
                    guests: rate.guests.clone(),
                };
                rooms.push((*place, room));
            }
        }
        rooms.sort_by_key(|(place, _)| *place);
        let mut remarks: Vec<String> = Vec::new();
        for remark in self.rates.iter().flat_map(|rate| &rate.remarks) {
            if !remarks.contains(remark) {
                remarks.push(remark.clone());
            }
        }
        Ok(HotelDetails {
            property: self.property.clone(),
            check_in: self.check_in,
            check_in_from: None,
            check_out: self.check_out,
            check_out_until: None,
            nights: nights(self.check_in, self.check_out),
            rooms: rooms.into_iter().map(|(_, room)| room).collect(),
            board: first.board,
            rate_name: first.rate_name.clone(),
            rooms_left: self.rates.iter().filter_map(|rate| rate.left).min(),
            payment: first.payment,
            due_at_property: self
                .rates
                .iter()
                .flat_map(|rate| rate.charges.iter().cloned())
                .collect(),
            remarks,
        })
    }

    /// The zone that clocks at the property show: of an airport near it, else the offset that Hotelbeds
    /// writes the deadlines with ("cancellations always take into account day and time of the
    /// destination").
    fn clock(&self) -> TimeZone {
        if let Some(zone) = self
            .zone
            .as_deref()
            .and_then(|zone| TimeZone::get(zone).ok())
        {
            return zone;
        }
        let written = self
            .rates
            .iter()
            .flat_map(|rate| rate.penalties.iter().flatten());
        let offset = written.filter_map(|penalty| penalty.offset).next_back();
        let offset = offset.and_then(|seconds| Offset::from_seconds(seconds).ok());
        offset.map_or(TimeZone::UTC, TimeZone::fixed)
    }

    /// The schedule of all rates together, from `now` on. None as soon as one rate says nothing.
    fn schedule(
        &self,
        now: Timestamp,
        warnings: &mut Vec<Warning>,
    ) -> Option<Vec<CancellationTerm>> {
        let end = end_of_arrival(self.check_in, &self.clock());
        let mut schedules = Vec::with_capacity(self.rates.len());
        for rate in &self.rates {
            schedules.push(rate.schedule(end, now, warnings)?);
        }
        let mut all = together(&schedules)?;
        // Of what is over, only the last is of use: that it is over.
        let over = all.iter().filter(|term| term.until <= now).count();
        all.drain(..over.min(all.len().saturating_sub(1)));
        Some(all)
    }
}

impl Rate {
    fn schedule(
        &self,
        end: Timestamp,
        now: Timestamp,
        warnings: &mut Vec<Warning>,
    ) -> Option<Vec<CancellationTerm>> {
        let Some(penalties) = &self.penalties else {
            return self.non_refundable.then(|| non_refundable(self.price, end));
        };
        let windows: Vec<Window> = penalties
            .iter()
            .map(|penalty| Window {
                from: penalty.from,
                until: None,
                penalty: penalty.amount,
            })
            .collect();
        let (schedule, doubts) = terms(self.price, &windows, end);
        warnings.extend(doubts);
        let schedule = schedule?;
        let holds = schedule.iter().find(|term| term.until > now);
        if self.non_refundable && holds.is_some_and(|term| term.refund.minor() > 0) {
            let message = "the rate calls itself non-refundable, its policy gives something back";
            let path = "conditions.cancellation";
            warnings.push(Warning::new(WarningCode::DataQuality, path, message));
        }
        Some(schedule)
    }
}

/// Several schedules as one: at any time, what comes back is the sum. It ends with the first that ends.
fn together(schedules: &[Vec<CancellationTerm>]) -> Option<Vec<CancellationTerm>> {
    if let [only] = schedules {
        return Some(only.clone());
    }
    let end = schedules
        .iter()
        .map(|terms| terms.last().map(|term| term.until))
        .min()??;
    let mut edges: Vec<Timestamp> = schedules.iter().flatten().map(|term| term.until).collect();
    edges.retain(|edge| *edge <= end);
    edges.sort_unstable();
    edges.dedup();
    let mut sum: Vec<CancellationTerm> = Vec::with_capacity(edges.len());
    for until in edges {
        let mut holding = schedules
            .iter()
            .map(|terms| terms.iter().find(|term| term.until >= until));
        let first = holding.next()??.refund;
        let refund = holding.try_fold(first, |sum, term| sum.plus(term?.refund).ok())?;
        match sum.last_mut() {
            Some(last) if last.refund == refund => last.until = until,
            _ => sum.push(CancellationTerm { until, refund }),
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(until: &str, refund: &str) -> CancellationTerm {
        CancellationTerm {
            until: until.parse().unwrap(),
            refund: Money::parse(refund, "EUR").unwrap(),
        }
    }

    #[test]
    fn schedules_of_several_rates_add_up_at_every_time() {
        let first = vec![
            term("2026-12-01T00:00:00Z", "100.00"),
            term("2026-12-10T23:59:59Z", "0.00"),
        ];
        let second = vec![
            term("2026-11-20T00:00:00Z", "50.00"),
            term("2026-12-05T00:00:00Z", "25.00"),
            term("2026-12-10T23:59:59Z", "0.00"),
        ];
        assert_eq!(
            together(&[first.clone(), second]).unwrap(),
            [
                term("2026-11-20T00:00:00Z", "150.00"),
                term("2026-12-01T00:00:00Z", "125.00"),
                term("2026-12-05T00:00:00Z", "25.00"),
                term("2026-12-10T23:59:59Z", "0.00"),
            ]
        );
        // One that stops early stops the sum.
        let early = vec![term("2026-12-02T00:00:00Z", "10.00")];
        assert_eq!(
            together(&[first, early]).unwrap(),
            [
                term("2026-12-01T00:00:00Z", "110.00"),
                term("2026-12-02T00:00:00Z", "10.00"),
            ]
        );
    }
}
