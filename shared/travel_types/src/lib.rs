//! The words of travel as values: ids, money, times, places, people. Pure data, no I/O, so that
//! every other crate can depend on it and none has a reason to write its own.

mod clock;
mod fields;
mod id;
mod money;
mod party;
mod place;
mod time;
mod warning;

pub use clock::Clock;
pub use fields::{FieldError, FieldErrors};
pub use id::{
    BookingId, CancellationId, EventId, Id, IdError, Kind, NotificationId, OfferId, OrderId,
    PaymentId, RefundId, UserId, WebhookId, kind,
};
pub use money::{Currency, Money, MoneyError};
pub use party::{Contact, Document, Gender, Title, Traveller};
pub use place::{Airport, City, Place, airport, city, city_of, distance_km, place, suggest};
pub use time::{LocalTime, TimeError};
pub use warning::{Warning, WarningCode};

pub use jiff;
