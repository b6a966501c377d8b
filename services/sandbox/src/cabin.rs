//! The cabins of an aircraft, the same for every supplier that sells its seats.

/// A cabin class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cabin {
    Economy,
    PremiumEconomy,
    Business,
    First,
}

impl Cabin {
    pub(crate) const NAMES: [&str; 4] = ["economy", "premium_economy", "business", "first"];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "economy" => Some(Self::Economy),
            "premium_economy" => Some(Self::PremiumEconomy),
            "business" => Some(Self::Business),
            "first" => Some(Self::First),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Economy => "economy",
            Self::PremiumEconomy => "premium_economy",
            Self::Business => "business",
            Self::First => "first",
        }
    }

    pub(crate) fn marketing_name(self) -> &'static str {
        match self {
            Self::Economy => "Economy",
            Self::PremiumEconomy => "Premium Economy",
            Self::Business => "Business",
            Self::First => "First",
        }
    }

    /// Price and emissions of a seat, in percent of one in economy.
    pub(crate) fn percent(self) -> i64 {
        match self {
            Self::Economy => 100,
            Self::PremiumEconomy => 170,
            Self::Business => 340,
            Self::First => 560,
        }
    }
}
