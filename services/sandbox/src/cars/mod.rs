//! The rental cars of the world: companies, their branches at every airport and what a rental costs.
//! Everything follows from the seed; nothing is stored.

mod branches;
mod classes;

#[cfg(test)]
use branches::branches;
pub(crate) use branches::{Access, Branch, TEST_PLACE, near, test_branch};
pub(crate) use classes::{CLASSES, Class, TEST_CLASS, decode, of_code};

use jiff::civil::{Date, DateTime};

use crate::airports::{atlas, kilometres};
use crate::chance::between;
use crate::inventory::Units;

/// How a company wants to be paid, and until when it can be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payment {
    /// At the counter; free to cancel until a day before.
    Postpaid,
    /// At the counter, secured by a card; free to cancel until two days before.
    Guarantee,
    /// Now; free to cancel until a day before.
    Prepaid,
    /// Now, for less; no refund.
    PrepaidFinal,
}

/// How far a car may be driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mileage {
    Unlimited,
    /// Whole kilometres a day.
    Kilometres(u32),
    /// Whole miles a day.
    Miles(u32),
}

/// A rental company.
#[derive(Debug)]
pub(crate) struct Company {
    pub(crate) name: &'static str,
    /// The letters before its booking numbers.
    pub(crate) code: &'static str,
    /// Its price level in percent.
    pub(crate) level: i64,
    pub(crate) youngest: u8,
    pub(crate) oldest: u8,
    pub(crate) mileage: Mileage,
    pub(crate) payments: &'static [Payment],
    /// Whether it tells the parts of its prices.
    pub(crate) itemised: bool,
}

/// Drivers younger than this pay more.
pub(crate) const FULL_AGE: u8 = 25;

/// The companies of the world; no real one.
pub(crate) const COMPANIES: [Company; 6] = [
    Company {
        name: "Meridian Drive",
        code: "MRD",
        level: 104,
        youngest: 21,
        oldest: 75,
        mileage: Mileage::Unlimited,
        payments: &[Payment::Postpaid, Payment::PrepaidFinal],
        itemised: true,
    },
    Company {
        name: "Harbour Rent a Car",
        code: "HRC",
        level: 112,
        youngest: 21,
        oldest: 75,
        mileage: Mileage::Unlimited,
        payments: &[Payment::Postpaid, Payment::Prepaid],
        itemised: true,
    },
    Company {
        name: "Kestrel Car Hire",
        code: "KST",
        level: 92,
        youngest: 23,
        oldest: 75,
        mileage: Mileage::Miles(150),
        payments: &[Payment::Postpaid, Payment::Guarantee],
        itemised: true,
    },
    Company {
        name: "Nordlys Mobility",
        code: "NLM",
        level: 121,
        youngest: 21,
        oldest: 80,
        mileage: Mileage::Unlimited,
        payments: &[Payment::Guarantee, Payment::Prepaid],
        itemised: true,
    },
    Company {
        name: "Sunward Rentals",
        code: "SWR",
        level: 81,
        youngest: 21,
        oldest: 70,
        mileage: Mileage::Kilometres(250),
        payments: &[Payment::PrepaidFinal],
        itemised: false,
    },
    Company {
        name: "Pennant Cars",
        code: "PNT",
        level: 97,
        youngest: 21,
        oldest: 75,
        mileage: Mileage::Kilometres(400),
        payments: &[Payment::Postpaid],
        itemised: true,
    },
];

/// The company of the test location.
pub(crate) const TEST_COMPANY: Company = Company {
    name: "Duffel Test Drive",
    code: "DTD",
    level: 100,
    youngest: 21,
    oldest: 75,
    mileage: Mileage::Unlimited,
    payments: &[Payment::Postpaid],
    itemised: true,
};

/// A car that can be rented, before its price.
#[derive(Clone, Debug)]
pub(crate) struct Rental {
    pub(crate) company: &'static Company,
    pub(crate) class: &'static Class,
    pub(crate) payment: Payment,
    pub(crate) pickup: Branch,
    pub(crate) dropoff: Branch,
    pub(crate) from: DateTime,
    pub(crate) to: DateTime,
    pub(crate) driver_age: u8,
}

/// What a rental costs, in hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) base: i64,
    /// What comes on top, and for what.
    pub(crate) charges: Vec<(i64, &'static str)>,
}

impl Price {
    pub(crate) fn total(&self) -> i64 {
        self.base + self.charges.iter().map(|(amount, _)| amount).sum::<i64>()
    }
}

impl Company {
    pub(crate) fn accepts(&self, age: u8) -> bool {
        (self.youngest..=self.oldest).contains(&age)
    }
}

impl Rental {
    /// Days of 24 hours, a begun one counts.
    pub(crate) fn days(&self) -> i64 {
        let hours = self.to.duration_since(self.from).as_hours();
        let minutes = self.to.duration_since(self.from).as_mins() % 60;
        let begun = hours + i64::from(minutes > 0);
        ((begun + 23) / 24).max(1)
    }

    /// One unit for every day on which the car is away.
    pub(crate) fn units(&self) -> Vec<Units> {
        let days = usize::try_from(self.days()).unwrap_or(1);
        self.from
            .date()
            .series(jiff::Span::new().days(1))
            .take(days)
            .map(|day| {
                (
                    format!("{}/{}/{day}", self.pickup.airport, self.class.code),
                    1,
                )
            })
            .collect()
    }

    /// The price: cheaper by the day for a week and more, dearer in July, August and December.
    pub(crate) fn price(&self, seed: u64) -> Price {
        if self.pickup.airport == TEST_PLACE {
            return Price {
                base: 9_522,
                charges: vec![(612, "Insurance fee")],
            };
        }
        let days = self.days();
        let words = format!(
            "car/{}/{}/{}",
            self.pickup.airport,
            self.class.code,
            self.from.date()
        );
        let mood = i64::try_from(between(seed, &words, 90, 115)).unwrap_or(100);
        let season = match self.from.month() {
            7 | 8 => 135,
            12 => 118,
            _ => 100,
        };
        let length = match days {
            ..=2 => 110,
            3..=6 => 100,
            7..=27 => 88,
            _ => 76,
        };
        let paying = match self.payment {
            Payment::Postpaid | Payment::Guarantee => 100,
            Payment::Prepaid => 96,
            Payment::PrepaidFinal => 89,
        };
        let daily = [mood, season, length, paying, self.company.level]
            .iter()
            .fold(self.class.daily, |amount, percent| amount * percent / 100);
        let base = daily * days;
        let mut charges = vec![(days * 165, "Vehicle licence fee")];
        if self.pickup.at_airport() {
            charges.push((base * 12 / 100, "Airport surcharge"));
        }
        if self.driver_age < FULL_AGE {
            charges.push((1_400 * days.min(10), "Young driver surcharge"));
        }
        if self.pickup.place() != self.dropoff.place() {
            let there = (self.dropoff.latitude, self.dropoff.longitude);
            let apart = whole(kilometres(
                (self.pickup.latitude, self.pickup.longitude),
                there,
            ));
            charges.push(((3_000 + apart * 25).min(60_000), "One-way fee"));
        }
        Price { base, charges }
    }
}

#[allow(
    clippy::as_conversions,
    reason = "a distance on Earth is a small number"
)]
fn whole(kilometres: f64) -> i64 {
    kilometres as i64
}

/// How many cars an item such as `LHR/ECAR/2026-12-01` has; 0 for what is no item.
pub(crate) fn capacity(seed: u64, item: &str) -> u32 {
    let parts: Vec<&str> = item.split('/').collect();
    let [airport, class, day] = parts.as_slice() else {
        return 0;
    };
    let known = if *airport == TEST_PLACE {
        *class == TEST_CLASS.code
    } else {
        atlas().airport(airport).is_some() && CLASSES.iter().any(|known| known.code == *class)
    };
    // Ten characters, so that a day has one name only.
    if !known || day.len() != 10 || day.parse::<Date>().is_err() {
        return 0;
    }
    u32::try_from(between(seed, item, 2, 9)).unwrap_or(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn rental(age: u8) -> Rental {
        let pickup = branches(1, atlas().airport("LHR").unwrap()).remove(0);
        Rental {
            company: pickup.company,
            class: of_code("ECAR").unwrap(),
            payment: Payment::Postpaid,
            dropoff: pickup.clone(),
            pickup,
            from: date(2026, 12, 1).at(10, 0, 0, 0),
            to: date(2026, 12, 4).at(10, 30, 0, 0),
            driver_age: age,
        }
    }

    #[test]
    fn a_begun_day_is_a_day() {
        assert_eq!(rental(30).days(), 4);
        let items = rental(30).units();
        assert_eq!(items[0].0, "LHR/ECAR/2026-12-01");
        assert_eq!(items.len(), 4);
        assert!(items.iter().all(|(item, _)| capacity(1, item) >= 2));
    }

    #[test]
    fn a_driver_under_25_pays_more_and_one_under_21_gets_no_car() {
        assert!(rental(24).price(1).total() > rental(25).price(1).total());
        assert!(
            COMPANIES
                .iter()
                .all(|company| !company.accepts(20) && !company.accepts(81))
        );
    }

    #[test]
    fn only_true_items_exist() {
        for item in [
            "LHR/ECAR",
            "XXX/ECAR/2026-12-01",
            "LHR/SSAV/2026-12-01",
            "LHR/ECAR/2026-12-40",
            "",
        ] {
            assert_eq!(capacity(1, item), 0, "{item}");
        }
        assert!(capacity(1, "DTD/SSAV/2026-12-01") > 0);
    }
}
