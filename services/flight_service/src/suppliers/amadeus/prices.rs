//! What an Amadeus offer costs: the grand total, and its parts where they can be told. A part that does
//! not fit the total is left out or flagged; nothing is computed that Amadeus does not state.

use travel_types::{Currency, Money, Warning, WarningCode};

use super::wire;
use vertical_kit::mapping::part;

/// Total, base and taxes of an offer.
pub(super) struct Prices {
    pub(super) total: Money,
    pub(super) base: Option<Money>,
    pub(super) taxes: Option<Money>,
}

fn amount(literal: Option<&wire::Literal>, currency: Currency) -> Option<Money> {
    Money::parse_in(literal?.as_str(), currency).ok()
}

/// What everything costs: the grand total. `total` alone is as good where nothing comes on top.
pub(super) fn total(price: &wire::Price) -> Result<Money, String> {
    let services = price.additional_services.as_deref().unwrap_or_default();
    let stated = match (&price.grand_total, &price.total) {
        (Some(stated), _) => stated,
        (None, Some(stated)) if services.is_empty() => stated,
        (None, _) => return Err("grandTotal is missing".to_owned()),
    };
    let currency = price.currency.as_deref().ok_or("currency is missing")?;
    let total =
        Money::parse(stated.as_str(), currency).map_err(|error| format!("total: {error}"))?;
    if total.minor() < 0 {
        return Err("the total is below zero".to_owned());
    }
    Ok(total)
}

/// The sum of stated amounts; none if one of them cannot be told.
fn sum(
    amounts: &[wire::Amount],
    currency: Option<&str>,
    total: Money,
    path: &str,
    warnings: &mut Vec<Warning>,
) -> Option<Money> {
    let mut sum = Money::zero(total.currency());
    for entry in amounts {
        let stated = entry.amount.as_ref().map(wire::Literal::as_str);
        sum = sum
            .plus(part(stated, currency, total, path, warnings)?)
            .ok()?;
    }
    Some(sum)
}

/// The taxes: of the offer, else of all its travellers, where Amadeus itemises them (it does not in a
/// search). One without taxes whose base is his total pays none.
fn taxes(
    offer: &wire::Offer,
    price: &wire::Price,
    total: Money,
    warnings: &mut Vec<Warning>,
) -> Option<Money> {
    let path = "taxes";
    if let Some(stated) = &price.taxes {
        return sum(stated, price.currency.as_deref(), total, path, warnings);
    }
    let mut all = Money::zero(total.currency());
    for traveler in &offer.traveler_pricings {
        let own = traveler.price.as_ref()?;
        let currency = own.currency.as_deref();
        let own = match &own.taxes {
            Some(stated) => sum(stated, currency, total, path, warnings)?,
            None => {
                let base = amount(own.base.as_ref(), total.currency())?;
                let none = amount(own.total.as_ref(), total.currency()) == Some(base);
                none.then(|| Money::zero(total.currency()))?
            }
        };
        all = all.plus(own).ok()?;
    }
    Some(all)
}

/// Reads a price and warns where its parts do not add up.
pub(super) fn prices(offer: &wire::Offer, warnings: &mut Vec<Warning>) -> Result<Prices, String> {
    let price = offer.price.as_ref().ok_or("the price is missing")?;
    let total = total(price)?;
    let currency = total.currency();
    let base = price.base.as_ref().map(wire::Literal::as_str);
    let base = part(base, price.currency.as_deref(), total, "base", warnings);
    let taxes = taxes(offer, price, total, warnings);
    let mut differ = |message: &str| {
        warnings.push(Warning::new(WarningCode::SumMismatch, "total", message));
    };
    let add = |sum: Money, next: Option<Money>| sum.plus(next?).ok();
    let adds = |to: Money, amounts: &Option<Vec<wire::Amount>>| {
        let mut amounts = amounts.iter().flatten();
        amounts.try_fold(to, |sum, one| {
            add(sum, amount(one.amount.as_ref(), currency))
        })
    };
    // Fees are in the base for some, and come on top of base and taxes for others.
    let fits = |sum: Money, whole: Money, fees: &Option<Vec<wire::Amount>>| {
        sum == whole || adds(sum, fees) == Some(whole)
    };
    if let (Some(base), Some(taxes)) = (base, taxes)
        && !base
            .plus(taxes)
            .is_ok_and(|sum| fits(sum, total, &price.fees))
    {
        differ("base and taxes do not add up to the total");
    }
    let stated = amount(price.total.as_ref(), currency);
    let with_services = stated.and_then(|stated| adds(stated, &price.additional_services));
    if with_services.is_some_and(|sum| !fits(sum, total, &price.fees)) {
        differ("the total without services and the services do not add up to the total");
    }
    let own = |traveler: &wire::TravelerPricing, of: fn(&wire::Price) -> Option<&wire::Literal>| {
        let price = traveler.price.as_ref()?;
        let same = price
            .currency
            .as_deref()
            .is_none_or(|own| own == currency.code());
        amount(of(price), currency).filter(|_| same)
    };
    let mut travellers = offer.traveler_pricings.iter();
    let together = travellers.try_fold(Money::zero(currency), |sum, traveler| {
        add(sum, own(traveler, |price| price.total.as_ref()))
    });
    if let (Some(together), Some(stated)) = (together, stated)
        && !fits(together, stated, &price.fees)
    {
        differ("the travellers' prices do not add up to the total without services");
    }
    let mut itemised = offer.traveler_pricings.iter().filter_map(|traveler| {
        let base = own(traveler, |price| price.base.as_ref())?;
        let price = traveler.price.as_ref()?;
        price.taxes.as_ref()?;
        let parts = adds(base, &price.taxes)?;
        let whole = own(traveler, |price| price.total.as_ref())?;
        Some(fits(parts, whole, &price.fees))
    });
    if !itemised.all(|adds_up| adds_up) {
        differ("a traveller's base and taxes do not add up to his price");
    }
    if let Some(billed) = &price.billing_currency
        && billed != currency.code()
    {
        let message = format!("is paid in {billed}");
        warnings.push(Warning::new(WarningCode::DataQuality, "total", message));
    }
    Ok(Prices { total, base, taxes })
}

/// What an offer that is kept costs.
pub(super) fn kept_total(raw: &str) -> Result<Money, String> {
    let offer: wire::Offer = serde_json::from_str(raw).map_err(|error| error.to_string())?;
    total(offer.price.as_ref().ok_or("the price is missing")?)
}
