//! From the penalties that hotel suppliers state to the one schedule that the contract shows: what comes
//! back until when, ascending, in UTC.
//!
//! The rules, the same for every supplier:
//!
//! * Before the first penalty begins, everything comes back.
//! * A penalty holds from its beginning until the next one begins, also where the supplier ends it
//!   earlier: a gap between two penalties is not a free period. Of penalties that overlap, the greatest
//!   holds.
//! * The last term ends with the day of arrival at the property. After that nothing is promised to come
//!   back. A rate that cannot be cancelled for money is one term with a refund of zero.
//! * A penalty above the total takes all of it, not more; one below zero takes nothing. Both are flagged.
//! * From a penalty on that is not known in the total's currency the schedule says nothing: it stops
//!   there, flagged. If it would have to stop at once, there is no schedule.

use jiff::Timestamp;
use jiff::civil::{Date, time};
use jiff::tz::TimeZone;
use travel_types::{Money, Warning, WarningCode};
use vertical_kit::CancellationTerm;

/// Where a warning about the schedule points.
const PATH: &str = "conditions.cancellation";

/// A time in which cancelling costs something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Window {
    /// From when on; none: from the beginning of time.
    pub(crate) from: Option<Timestamp>,
    /// Until when, if the supplier says. It matters only where penalties overlap.
    pub(crate) until: Option<Timestamp>,
    /// What cancelling costs then. None: the supplier's words cannot be brought into the total's currency.
    pub(crate) penalty: Option<Money>,
}

/// The end of the day of arrival at the property (23:59:59), when every schedule ends. `zone` is the
/// property's, or the offset that the supplier writes its deadlines with.
pub(crate) fn end_of_arrival(check_in: Date, zone: &TimeZone) -> Timestamp {
    zone.to_timestamp(check_in.to_datetime(time(23, 59, 59, 0)))
        .unwrap_or(Timestamp::MAX)
}

/// The schedule of a rate that gives nothing back.
pub(crate) fn non_refundable(total: Money, end: Timestamp) -> Vec<CancellationTerm> {
    vec![CancellationTerm {
        until: end,
        refund: Money::zero(total.currency()),
    }]
}

/// The schedule that the penalties make, and what is doubtful about them; no schedule where the supplier
/// states nothing that can be told. Without penalties everything comes back until `end`.
pub(crate) fn terms(
    total: Money,
    windows: &[Window],
    end: Timestamp,
) -> (Option<Vec<CancellationTerm>>, Vec<Warning>) {
    let mut warnings = Vec::new();
    let windows: Vec<Window> = windows
        .iter()
        .map(|window| Window {
            penalty: bounded(window.penalty, total, &mut warnings),
            ..*window
        })
        .collect();
    let mut edges: Vec<Timestamp> = windows
        .iter()
        .flat_map(|window| [window.from, window.until])
        .flatten()
        .filter(|edge| *edge < end)
        .collect();
    edges.sort_unstable();
    edges.dedup();
    let starts = std::iter::once(None).chain(edges.iter().copied().map(Some));
    let untils = edges.iter().copied().chain(std::iter::once(end));
    let mut schedule: Vec<CancellationTerm> = Vec::new();
    let mut penalty = Some(Money::zero(total.currency()));
    for (start, until) in starts.zip(untils) {
        penalty = holding(&windows, start).unwrap_or(penalty);
        let Some(refund) = penalty.and_then(|penalty| total.minus(penalty).ok()) else {
            let message = "from here on, the penalty is not stated in the currency of the total: \
                           what comes back then is not known";
            warnings.push(Warning::new(WarningCode::DataQuality, PATH, message));
            break;
        };
        match schedule.last_mut() {
            Some(last) if last.refund == refund => last.until = until,
            _ => schedule.push(CancellationTerm { until, refund }),
        }
    }
    ((!schedule.is_empty()).then_some(schedule), warnings)
}

/// The greatest penalty that holds right after `start`; an unknown one counts as greater than any. None:
/// no penalty is stated for that time.
fn holding(windows: &[Window], start: Option<Timestamp>) -> Option<Option<Money>> {
    windows
        .iter()
        .filter(|window| match (window.from, start) {
            (None, None) => true,
            (None, Some(at)) => window.until.is_none_or(|until| at < until),
            (Some(_), None) => false,
            // A window that ends when it begins holds until the next one: it has no other end.
            (Some(from), Some(at)) => {
                from == at || (from < at && window.until.is_none_or(|until| at < until))
            }
        })
        .map(|window| window.penalty)
        .reduce(|one, other| match (one, other) {
            (Some(one), Some(other)) if one.minor() >= other.minor() => Some(one),
            (Some(_), Some(other)) => Some(other),
            _ => None,
        })
}

/// A penalty between nothing and everything; none if it is in another currency.
fn bounded(penalty: Option<Money>, total: Money, warnings: &mut Vec<Warning>) -> Option<Money> {
    let penalty = penalty.filter(|penalty| penalty.currency() == total.currency())?;
    let kept = penalty.minor().clamp(0, total.minor().max(0));
    if kept != penalty.minor() {
        let message = if penalty.minor() < 0 {
            "a penalty is below zero and counts as none"
        } else {
            "a penalty is greater than the total and counts as all of it"
        };
        warnings.push(Warning::new(WarningCode::DataQuality, PATH, message));
    }
    Some(Money::new(kept, total.currency()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gbp(amount: &str) -> Money {
        Money::parse(amount, "GBP").unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn window(from: &str, until: Option<&str>, penalty: &str) -> Window {
        Window {
            from: Some(at(from)),
            until: until.map(at),
            penalty: Some(gbp(penalty)),
        }
    }

    /// The schedule in short, and the number of warnings.
    fn shown(windows: &[Window]) -> (Option<Vec<(String, String)>>, usize) {
        let end = at("2026-12-01T23:59:59Z");
        let (terms, warnings) = terms(gbp("100.00"), windows, end);
        let short = |term: CancellationTerm| (term.until.to_string(), term.refund.amount());
        (
            terms.map(|terms| terms.into_iter().map(short).collect()),
            warnings.len(),
        )
    }

    fn pairs(terms: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        let own = |(until, refund): &(&str, &str)| ((*until).to_owned(), (*refund).to_owned());
        Some(terms.iter().map(own).collect())
    }

    #[test]
    fn everything_comes_back_before_the_first_penalty_and_less_after_each() {
        let first = window(
            "2026-11-20T00:00:00-05:00",
            Some("2026-11-27T23:59:00-05:00"),
            "30.00",
        );
        let second = window("2026-11-28T00:00:00-05:00", None, "100.00");
        let expected = pairs(&[
            ("2026-11-20T05:00:00Z", "100.00"),
            ("2026-11-28T05:00:00Z", "70.00"),
            ("2026-12-01T23:59:59Z", "0.00"),
        ]);
        // The order in which a supplier lists them does not matter, and the minute between them is not
        // free.
        assert_eq!(
            shown(&[first.clone(), second.clone()]),
            (expected.clone(), 0)
        );
        assert_eq!(shown(&[second, first]), (expected, 0));
        assert_eq!(
            shown(&[]),
            (pairs(&[("2026-12-01T23:59:59Z", "100.00")]), 0)
        );
    }

    #[test]
    fn of_penalties_that_overlap_the_greatest_holds() {
        let small = window("2026-11-01T00:00:00Z", None, "10.00");
        let great = window(
            "2026-11-10T00:00:00Z",
            Some("2026-11-20T00:00:00Z"),
            "40.00",
        );
        assert_eq!(
            shown(&[small, great]),
            (
                pairs(&[
                    ("2026-11-01T00:00:00Z", "100.00"),
                    ("2026-11-10T00:00:00Z", "90.00"),
                    ("2026-11-20T00:00:00Z", "60.00"),
                    ("2026-12-01T23:59:59Z", "90.00"),
                ]),
                0
            )
        );
    }

    #[test]
    fn a_penalty_never_takes_more_than_all_nor_gives_anything() {
        let (terms, warnings) = shown(&[
            window("2026-11-01T00:00:00Z", None, "-5.00"),
            window("2026-11-10T00:00:00Z", None, "100.01"),
        ]);
        let expected = [
            ("2026-11-10T00:00:00Z", "100.00"),
            ("2026-12-01T23:59:59Z", "0.00"),
        ];
        assert_eq!((terms, warnings), (pairs(&expected), 2));
    }

    #[test]
    fn a_schedule_stops_where_the_penalty_is_not_known() {
        let dollars = Window {
            penalty: Some(Money::parse("10.00", "USD").unwrap()),
            ..window("2026-11-10T00:00:00Z", None, "0.00")
        };
        let (terms, warnings) = shown(&[
            window("2026-11-01T00:00:00Z", None, "20.00"),
            dollars.clone(),
        ]);
        let expected = [
            ("2026-11-01T00:00:00Z", "100.00"),
            ("2026-11-10T00:00:00Z", "80.00"),
        ];
        assert_eq!((terms, warnings), (pairs(&expected), 1));
        let at_once = Window {
            from: None,
            ..dollars
        };
        assert_eq!(shown(&[at_once]), (None, 1));
    }

    #[test]
    fn penalties_in_the_past_hold_and_those_after_arrival_do_not_matter() {
        assert_eq!(
            shown(&[
                // As the Rapid specification shows it: ends when it begins.
                window(
                    "2018-02-12T11:59:00-08:00",
                    Some("2018-02-12T11:59:00-08:00"),
                    "10.00"
                ),
                window("2026-12-24T00:00:00Z", None, "100.00"),
            ]),
            (
                pairs(&[
                    ("2018-02-12T19:59:00Z", "100.00"),
                    ("2026-12-01T23:59:59Z", "90.00"),
                ]),
                0
            )
        );
    }

    #[test]
    fn a_schedule_ends_with_the_day_of_arrival_at_the_property() {
        let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
        let day = jiff::civil::date(2026, 12, 1);
        let end = end_of_arrival(day, &tokyo);
        assert_eq!(end, at("2026-12-01T14:59:59Z"));
        let nothing = non_refundable(gbp("100.00"), end);
        assert_eq!(nothing.len(), 1);
        assert_eq!((nothing[0].until, nothing[0].refund), (end, gbp("0.00")));
    }
}
