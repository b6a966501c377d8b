//! What drives in the simulated world: vehicles, who offers them, and what a ride costs. Amounts are
//! whole hundredths of the currency; the parts of a price add up to it.

use jiff::civil::DateTime;
use serde_json::{Value, json};

use crate::airports::atlas;
use crate::chance::between;
use crate::supplier::decimal;

/// A ride as it is sold.
#[derive(Debug)]
pub(crate) struct Product {
    pub(crate) kind: &'static str,
    pub(crate) vehicle: &'static str,
    pub(crate) category: &'static str,
    pub(crate) description: &'static str,
    pub(crate) seats: u32,
    pub(crate) bags: u64,
    /// For the vehicle, or for each passenger where passengers share it.
    start: i64,
    per_kilometre: i64,
    pub(crate) provider: &'static Provider,
}

/// Who drives.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) methods: &'static [&'static str],
    pub(crate) settings: &'static [&'static str],
    /// Percent of the price, the unit of time, and its first and last: what a cancellation costs so
    /// long before the ride.
    pub(crate) rules: &'static [(i64, &'static str, i64, i64)],
}

static CITY: Provider = Provider {
    code: "CTY",
    name: "City Cars",
    methods: &["CREDIT_CARD", "INVOICE", "TRAVEL_ACCOUNT"],
    settings: &[],
    rules: &[(100, "DAYS", 0, 1), (0, "DAYS", 1, 100)],
};
static GRAND: Provider = Provider {
    code: "GRD",
    name: "Grand Chauffeurs",
    methods: &["CREDIT_CARD", "TRAVEL_ACCOUNT"],
    settings: &["FLIGHT_NUMBER_REQUIRED"],
    rules: &[
        (100, "HOURS", 0, 12),
        (50, "HOURS", 12, 48),
        (0, "HOURS", 48, 8760),
    ],
};
static LINE: Provider = Provider {
    code: "LIN",
    name: "Airport Line",
    methods: &["CREDIT_CARD", "INVOICE", "TRAVEL_ACCOUNT"],
    settings: &[],
    rules: &[],
};

const fn product(
    kind: &'static str,
    vehicle: (&'static str, &'static str, &'static str),
    room: (u32, u64),
    price: (i64, i64),
    provider: &'static Provider,
) -> Product {
    Product {
        kind,
        vehicle: vehicle.0,
        category: vehicle.1,
        description: vehicle.2,
        seats: room.0,
        bags: room.1,
        start: price.0,
        per_kilometre: price.1,
        provider,
    }
}

/// Everything that is sold at every airport.
pub(crate) static PRODUCTS: [Product; 10] = [
    product(
        "PRIVATE",
        ("SED", "ST", "Toyota Corolla, Skoda Octavia or similar"),
        (3, 2),
        (2_400, 118),
        &CITY,
    ),
    product(
        "PRIVATE",
        (
            "SED",
            "BU",
            "Mercedes-Benz E-Class, BMW 5 Series or similar",
        ),
        (3, 3),
        (3_900, 172),
        &CITY,
    ),
    product(
        "PRIVATE",
        (
            "VAN",
            "BU",
            "Mercedes-Benz V-Class, Chevrolet Suburban, Cadillac Escalade or similar",
        ),
        (7, 7),
        (4_800, 205),
        &CITY,
    ),
    product(
        "PRIVATE",
        (
            "LMS",
            "FC",
            "Mercedes-Benz S-Class, BMW 7 Series or similar",
        ),
        (3, 3),
        (8_900, 330),
        &GRAND,
    ),
    product(
        "HOURLY",
        (
            "SED",
            "BU",
            "Mercedes-Benz E-Class, BMW 5 Series or similar",
        ),
        (3, 3),
        (5_500, 0),
        &CITY,
    ),
    product(
        "TAXI",
        ("CAR", "ST", "A taxi of the city"),
        (4, 3),
        (900, 190),
        &CITY,
    ),
    product(
        "SHARED",
        ("WGN", "ST", "Shared shuttle with up to seven others"),
        (8, 8),
        (1_100, 28),
        &LINE,
    ),
    product(
        "AIRPORT_BUS",
        ("BUS", "ST", "Airport coach"),
        (50, 50),
        (650, 12),
        &LINE,
    ),
    product(
        "AIRPORT_EXPRESS",
        ("TRN", "ST", "Airport express train"),
        (200, 200),
        (1_250, 15),
        &LINE,
    ),
    product(
        "PRIVATE",
        ("SUV", "BU", "Volvo XC90, Audi Q7 or similar"),
        (4, 5),
        (4_200, 186),
        &CITY,
    ),
];

impl Product {
    /// Passengers pay and are counted one by one.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.kind, "SHARED" | "AIRPORT_BUS" | "AIRPORT_EXPRESS")
    }

    /// The inventory item, such as `CDG/VAN/2026-12-01T10`: what leaves an airport within an hour.
    pub(crate) fn item(&self, airport: &str, at: DateTime) -> String {
        format!("{airport}/{}/{}T{:02}", self.vehicle, at.date(), at.hour())
    }

    /// How many units a party of so many takes.
    pub(crate) fn units(&self, passengers: u32) -> u32 {
        if self.is_shared() { passengers } else { 1 }
    }

    /// When it leaves for someone who asks for `at`: what is shared leaves every half hour.
    pub(crate) fn leaves(&self, at: DateTime) -> DateTime {
        if !self.is_shared() {
            return at;
        }
        let past = i64::from(at.minute() % 30);
        let wait = jiff::SignedDuration::from_mins((30 - past) % 30);
        at.checked_add(wait).unwrap_or(at)
    }
}

/// How many units an inventory item starts with; 0 for a name that is no item.
pub(crate) fn capacity(seed: u64, item: &str) -> u32 {
    let parts: Vec<&str> = item.split('/').collect();
    let [airport, vehicle, hour] = parts.as_slice() else {
        return 0;
    };
    let product = PRODUCTS.iter().find(|product| product.vehicle == *vehicle);
    let real_hour = format!("{hour}:00").parse::<DateTime>().is_ok() && hour.len() == 13;
    let Some(product) = product.filter(|_| real_hour && atlas().airport(airport).is_some()) else {
        return 0;
    };
    let (low, high) = match product.is_shared() {
        true => (product.seats.into(), u64::from(product.seats) * 2),
        false => (3, 8),
    };
    u32::try_from(between(seed, item, low, high)).unwrap_or(0)
}

/// What a ride costs, in parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Price {
    base: i64,
    discount: i64,
    fee: i64,
    tax: i64,
}

impl Price {
    /// `times` is the number of passengers who share, or of hours.
    pub(crate) fn of(
        seed: u64,
        product: &Product,
        item: &str,
        kilometres: i64,
        times: i64,
    ) -> Self {
        let key = format!("transfer{}{item}", product.category);
        let demand = i64::try_from(between(seed, &key, 85, 130)).unwrap_or(100);
        let base = (product.start + product.per_kilometre * kilometres) * demand / 100 * times;
        let discount = if demand < 95 { base / 10 } else { 0 };
        let fee = if product.is_shared() { 0 } else { 500 };
        Self {
            base,
            discount,
            fee,
            tax: (base - discount) / 5,
        }
    }

    /// The same, dearer by `amount`.
    pub(crate) fn raised(self, amount: i64) -> Self {
        Self {
            base: self.base + amount,
            ..self
        }
    }

    pub(crate) fn total(self) -> i64 {
        self.base - self.discount + self.fee + self.tax
    }

    /// The same in another currency, for `to` of it to `from` of this one.
    pub(crate) fn converted(self, from: u64, to: u64) -> Self {
        let convert = |amount: i64| {
            let amount = i128::from(amount) * i128::from(to) / i128::from(from.max(1));
            i64::try_from(amount).unwrap_or(i64::MAX)
        };
        Self {
            base: convert(self.base),
            discount: convert(self.discount),
            fee: convert(self.fee),
            tax: convert(self.tax),
        }
    }

    /// A quotation: parts of nothing are left out.
    pub(crate) fn quotation(self, currency: &str, estimated: bool) -> Value {
        let amount = |amount: i64| json!({ "monetaryAmount": decimal(amount) });
        let mut shown = json!({
            "monetaryAmount": decimal(self.total()),
            "currencyCode": currency,
            "isEstimated": estimated,
            "base": amount(self.base),
            "totalTaxes": amount(self.tax),
        });
        if let Some(map) = shown.as_object_mut() {
            if self.discount > 0 {
                map.insert("discount".to_owned(), amount(self.discount));
            }
            if self.fee > 0 {
                let fee = json!({ "indicator": "AIRPORT", "monetaryAmount": decimal(self.fee) });
                map.insert("fees".to_owned(), json!([fee]));
                map.insert("totalFees".to_owned(), amount(self.fee));
            }
        }
        shown
    }
}
