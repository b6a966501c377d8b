//! Prefixed, opaque, time-ordered identifiers: `off_019a…`. The prefix makes a pasted id say what it
//! is; the type makes an order id unusable where an offer id is meant.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::{NoContext, Timestamp, Uuid};

use crate::Clock;

/// What a type of id is an id of.
pub trait Kind: Send + Sync + 'static {
    /// The prefix without its underscore, e.g. `off`.
    const PREFIX: &'static str;
}

/// The kinds of ids that the public contract names.
pub mod kind {
    use super::Kind;

    /// `off_`: a priced proposal of a supplier.
    pub enum Offer {}
    /// `ord_`: one order with one supplier.
    pub enum Order {}
    /// `bkg_`: a trip of several orders.
    pub enum Booking {}
    /// `pay_`: a payment.
    pub enum Payment {}
    /// `ref_`: a refund.
    pub enum Refund {}
    /// `usr_`: an account.
    pub enum User {}
    /// `whk_`: a registered webhook.
    pub enum Webhook {}
    /// `evt_`: an event.
    pub enum Event {}
    /// `can_`: a cancellation, first as a quote.
    pub enum Cancellation {}
    /// `ntf_`: a notification.
    pub enum Notification {}

    impl Kind for Offer {
        const PREFIX: &'static str = "off";
    }
    impl Kind for Order {
        const PREFIX: &'static str = "ord";
    }
    impl Kind for Booking {
        const PREFIX: &'static str = "bkg";
    }
    impl Kind for Payment {
        const PREFIX: &'static str = "pay";
    }
    impl Kind for Refund {
        const PREFIX: &'static str = "ref";
    }
    impl Kind for User {
        const PREFIX: &'static str = "usr";
    }
    impl Kind for Webhook {
        const PREFIX: &'static str = "whk";
    }
    impl Kind for Event {
        const PREFIX: &'static str = "evt";
    }
    impl Kind for Cancellation {
        const PREFIX: &'static str = "can";
    }
    impl Kind for Notification {
        const PREFIX: &'static str = "ntf";
    }
}

/// An offer's id, `off_…`.
pub type OfferId = Id<kind::Offer>;
/// An order's id, `ord_…`. It is also our reference at the supplier.
pub type OrderId = Id<kind::Order>;
/// A booking's id, `bkg_…`.
pub type BookingId = Id<kind::Booking>;
/// A payment's id, `pay_…`.
pub type PaymentId = Id<kind::Payment>;
/// A refund's id, `ref_…`.
pub type RefundId = Id<kind::Refund>;
/// An account's id, `usr_…`.
pub type UserId = Id<kind::User>;
/// A webhook's id, `whk_…`.
pub type WebhookId = Id<kind::Webhook>;
/// An event's id, `evt_…`.
pub type EventId = Id<kind::Event>;
/// A cancellation's id, `can_…`.
pub type CancellationId = Id<kind::Cancellation>;
/// A notification's id, `ntf_…`.
pub type NotificationId = Id<kind::Notification>;

/// An identifier of one [`Kind`]. Ordered by the time it was made.
pub struct Id<K: Kind> {
    uuid: Uuid,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Id<K> {
    /// A new id (UUID version 7, RFC 9562 §5.7) stamped with the clock's time.
    pub fn new(clock: &Clock) -> Self {
        let now = clock.now();
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
        Self {
            uuid: Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, nanos)),
            kind: PhantomData,
        }
    }

    /// The id in few characters, for suppliers whose field for our reference is short: the last
    /// `length` of its 26 digits in Crockford's base 32, upper case. 20 of them still hold all of the
    /// id's 74 random bits (RFC 9562 §5.7).
    pub fn compact(&self, length: usize) -> String {
        const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let number = self.uuid.as_u128();
        (0..26_u32)
            .rev()
            .skip(26_usize.saturating_sub(length))
            .map(|place| {
                let digit = usize::try_from((number >> (place * 5)) & 31).unwrap_or(0);
                DIGITS.get(digit).copied().map_or('0', char::from)
            })
            .collect()
    }
}

/// Why a text is not an id of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_ followed by 32 hexadecimal digits")]
pub struct IdError {
    /// The prefix that was expected.
    pub prefix: &'static str,
}

impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = IdError { prefix: K::PREFIX };
        let digits = text
            .strip_prefix(K::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'))
            .filter(|rest| {
                rest.len() == 32
                    && rest
                        .bytes()
                        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            })
            .ok_or_else(|| wrong.clone())?;
        Ok(Self {
            uuid: Uuid::try_parse(digits).map_err(|_| wrong)?,
            kind: PhantomData,
        })
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::PREFIX, self.uuid.simple())
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: Kind> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Kind> Copy for Id<K> {}

impl<K: Kind> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}

impl<K: Kind> Eq for Id<K> {}

impl<K: Kind> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Kind> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.uuid.cmp(&other.uuid)
    }
}

impl<K: Kind> std::hash::Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<K: Kind> utoipa::PartialSchema for Id<K> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some(format!("^{}_[0-9a-f]{{32}}$", K::PREFIX)))
            .into()
    }
}

impl<K: Kind> utoipa::ToSchema for Id<K> {
    fn name() -> std::borrow::Cow<'static, str> {
        match K::PREFIX {
            "off" => "OfferId".into(),
            "ord" => "OrderId".into(),
            "can" => "CancellationId".into(),
            "usr" => "UserId".into(),
            other => format!("Id_{other}").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_and_refuses_other_kinds() {
        let id = OfferId::new(&Clock::system());
        assert_eq!(id.to_string().parse::<OfferId>().unwrap(), id);
        assert!(id.to_string().parse::<OrderId>().is_err());
        for wrong in [
            "",
            "off_",
            "off_zz",
            &id.to_string().to_uppercase(),
            "off-1",
        ] {
            assert!(wrong.parse::<OfferId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let clock = Clock::manual("2026-11-21T00:00:00Z".parse().unwrap());
        let first = OrderId::new(&clock);
        clock.advance(std::time::Duration::from_millis(1));
        assert!(first.to_string() < OrderId::new(&clock).to_string());
    }

    #[test]
    fn a_compact_id_keeps_the_random_bits() {
        let id: OrderId = "ord_019a6b2c3d4e7f8091a2b3c4d5e6f708".parse().unwrap();
        assert_eq!(id.compact(26).len(), 26);
        assert_eq!(id.compact(20), id.compact(26)[6..]);
        let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
        let many: std::collections::HashSet<String> = (0..10_000)
            .map(|_| OrderId::new(&clock).compact(20))
            .collect();
        assert_eq!(many.len(), 10_000);
    }
}
