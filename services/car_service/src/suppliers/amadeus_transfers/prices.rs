//! A quotation: "The monetaryAmount at the root are the sum of base and all the taxes/fees/discounts"
//! (`TransferSearch_v1`, `Quotation`). The specification's own sample breaks that rule; what does not add
//! up is kept and flagged.

use supplier_client::tolerant::Literal;
use travel_types::{Money, Warning, WarningCode};
use vertical_kit::mapping::part;

use super::wire::{Amount, Quotation};
use crate::mapping::some_text;
use crate::model::Charge;

/// A quotation in our terms.
pub(super) struct Price {
    /// What is paid.
    pub(super) total: Money,
    /// The part without taxes: base less discount, with fees.
    pub(super) base: Option<Money>,
    /// The taxes, where they are told.
    pub(super) taxes: Option<Money>,
    /// Each part as it is told; a discount is below zero.
    pub(super) charges: Vec<Charge>,
}

impl Price {
    /// Reads a quotation.
    ///
    /// # Errors
    /// Why there is no price.
    pub(super) fn read(
        quotation: Option<&Quotation>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, String> {
        let stated = quotation.ok_or("quotation is missing")?;
        if stated.is_estimated == Some(true) {
            return Err("the price is an estimate".to_owned());
        }
        let total = total(stated)?;
        let mut reader = Reader {
            total,
            charges: Vec::new(),
            warnings,
        };
        let base = reader.part(stated.base.as_ref(), "Base", 1);
        let discount = reader.part(stated.discount.as_ref(), "Discount", -1);
        let fees = reader.group(stated.fees.as_deref(), stated.total_fees.as_ref(), "Fees");
        let taxes = reader.group(
            stated.taxes.as_deref(),
            stated.total_taxes.as_ref(),
            "Taxes",
        );
        let charges = reader.charges;
        let mut before_taxes = base;
        for other in [discount, fees].into_iter().flatten() {
            before_taxes = before_taxes.and_then(|sum| sum.plus(other).ok());
        }
        let sum = match taxes {
            Some(taxes) => before_taxes.and_then(|base| base.plus(taxes).ok()),
            None => before_taxes,
        };
        if before_taxes.is_some() && sum != Some(total) {
            let message = "base, discount, fees and taxes do not add up to the total";
            warnings.push(Warning::new(WarningCode::SumMismatch, "total", message));
        }
        Ok(Self {
            total,
            base: before_taxes,
            taxes,
            charges,
        })
    }
}

/// What is paid.
fn total(stated: &Quotation) -> Result<Money, String> {
    let amount = stated.monetary_amount.as_ref();
    let amount = amount.ok_or("quotation.monetaryAmount is missing")?;
    let currency = stated.currency_code.as_deref();
    let currency = currency.ok_or("quotation.currencyCode is missing")?;
    let total =
        Money::parse(amount.as_str(), currency).map_err(|error| format!("total: {error}"))?;
    if total.minor() < 0 {
        return Err("the total is below zero".to_owned());
    }
    Ok(total)
}

/// The price in another currency as Amadeus converts it: for information, in words.
pub(super) fn converted(stated: Option<&Quotation>) -> Option<String> {
    let money = total(stated?).ok()?;
    Some(format!("{} {}", money.amount(), money.currency()))
}

struct Reader<'a> {
    total: Money,
    charges: Vec<Charge>,
    warnings: &'a mut Vec<Warning>,
}

impl Reader<'_> {
    fn part(&mut self, stated: Option<&Amount>, name: &str, sign: i64) -> Option<Money> {
        let stated = stated?;
        let amount = part(
            stated.monetary_amount.as_ref().map(Literal::as_str),
            stated.currency_code.as_deref(),
            self.total,
            "details.charges",
            self.warnings,
        )?;
        let amount = Money::new(amount.minor().checked_mul(sign)?, amount.currency());
        let name = some_text(stated.indicator.as_deref()).unwrap_or_else(|| name.to_owned());
        self.charges.push(Charge { name, amount });
        Some(amount)
    }

    /// Fees or taxes: one by one, and their sum. A stated sum counts even where its parts are others.
    fn group(
        &mut self,
        parts: Option<&[Amount]>,
        sum: Option<&Amount>,
        name: &str,
    ) -> Option<Money> {
        let parts: Vec<Option<Money>> = parts
            .unwrap_or_default()
            .iter()
            .map(|one| self.part(Some(one), name, 1))
            .collect();
        let mut added = (!parts.is_empty()).then(|| Money::zero(self.total.currency()));
        for one in &parts {
            added = added.zip(*one).and_then(|(sum, one)| sum.plus(one).ok());
        }
        if parts.is_empty() {
            return self.part(sum, name, 1);
        }
        let sum = sum.and_then(|sum| {
            let before = self.charges.len();
            let sum = self.part(Some(sum), name, 1);
            self.charges.truncate(before);
            sum
        });
        if sum.is_some() && sum != added {
            let message = format!("{name} do not add up to their sum");
            let path = "details.charges";
            self.warnings
                .push(Warning::new(WarningCode::SumMismatch, path, message));
        }
        sum.or(added)
    }
}
