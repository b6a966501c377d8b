//! Amadeus's error codes as one table: what each means for the caller and whose fault it is. Amadeus
//! reports failures of airlines and providers with status 400, so the code decides, not the status.
//! Codes: the tables of 400s in the specifications (`FlightOffersSearch`, `FlightOffersPrice`,
//! `FlightCreateOrders`, `FlightOrderManagement`, `Transfer*`, `HotelBooking`) and the developer guide's
//! "Common client and server errors". A code may mean different things in two interfaces; such rows ask
//! for a word of the title.

use std::time::Duration;

use serde::Deserialize;
use supplier_client::tolerant::{Literal, lenient, list};
use supplier_client::{Blame, Retry, Sent, SupplierError, SupplierErrorKind as Kind, WireResponse};

/// One row.
struct Row {
    code: &'static str,
    /// A part of the title, where the code alone does not tell.
    title: &'static str,
    kind: Kind,
    blame: Blame,
    /// Whether a request that was to change something may have done so all the same.
    open: bool,
}

const fn row(code: &'static str, kind: Kind, blame: Blame) -> Row {
    titled(code, "", kind, blame)
}

const fn titled(code: &'static str, title: &'static str, kind: Kind, blame: Blame) -> Row {
    Row {
        code,
        title,
        kind,
        blame,
        open: false,
    }
}

/// A failure on the way to the provider: nobody knows whether the provider has acted.
const fn open(code: &'static str, title: &'static str, kind: Kind) -> Row {
    Row {
        code,
        title,
        kind,
        blame: Blame::Supplier,
        open: true,
    }
}

const TABLE: [Row; 45] = [
    // Who we are. An expired token is renewed by the client before anybody sees this.
    row("38187", Kind::NotAuthorised, Blame::Us),
    row("38190", Kind::NotAuthorised, Blame::Us),
    row("38191", Kind::NotAuthorised, Blame::Us),
    row("38192", Kind::NotAuthorised, Blame::Us),
    row("38193", Kind::NotAuthorised, Blame::Us),
    row("39683", Kind::NotAuthorised, Blame::Us),
    row("451", Kind::NotAuthorised, Blame::Us),
    row("38194", Kind::RateLimited, Blame::Us),
    row("38195", Kind::RateLimited, Blame::Us),
    // What we sent.
    row("425", Kind::InvalidRequest, Blame::Us),
    row("477", Kind::InvalidRequest, Blame::Us),
    row("572", Kind::InvalidRequest, Blame::Us),
    row("2668", Kind::InvalidRequest, Blame::Us),
    row("2781", Kind::InvalidRequest, Blame::Us),
    row("4926", Kind::InvalidRequest, Blame::Us),
    row("10661", Kind::InvalidRequest, Blame::Us),
    row("32171", Kind::InvalidRequest, Blame::Us),
    titled("450", "SERVICE TYPE", Kind::InvalidRequest, Blame::Us),
    row("1797", Kind::NotFound, Blame::Us),
    row("38196", Kind::NotFound, Blame::Us),
    // The offer is no longer what it was.
    row("34651", Kind::SoldOut, Blame::Supplier),
    row("38034", Kind::SoldOut, Blame::Supplier),
    row("3494", Kind::SoldOut, Blame::Supplier),
    row("3664", Kind::SoldOut, Blame::Supplier),
    row("37200", Kind::PriceChanged, Blame::Supplier),
    row("34107", Kind::OfferExpired, Blame::Supplier),
    row("36801", Kind::OfferExpired, Blame::Supplier),
    row("38420", Kind::OfferExpired, Blame::Supplier),
    row("41344", Kind::OfferExpired, Blame::Supplier),
    // The specification's text of 36870 is "BOOKING FAILED" and no more: a plain statement that there is
    // no booking. Where Amadeus is not sure it says so, see 25860.
    row("36870", Kind::Refused, Blame::Supplier),
    row("20", Kind::Refused, Blame::Supplier),
    // Of transfers. UNABLE TO PROCESS - TIMEOUT has a code of its own, which leaves it open.
    row("11", Kind::Refused, Blame::Supplier),
    titled(
        "10192",
        "CANNOT PROCESS THE RESERVATION",
        Kind::Refused,
        Blame::Supplier,
    ),
    // Money.
    row("1304", Kind::PaymentRefused, Blame::Supplier),
    row("34733", Kind::PaymentRefused, Blame::Supplier),
    // Failures of Amadeus and of those behind it, most of them sent as 400.
    open("141", "", Kind::Unavailable),
    open("38189", "", Kind::Unavailable),
    open("38660", "", Kind::Unavailable),
    open("784", "", Kind::Timeout),
    open("21934", "", Kind::Timeout),
    open("39283", "", Kind::Timeout),
    open("450", "PROVIDER", Kind::Protocol),
    open("10192", "", Kind::Protocol),
    // "Please check before retrying that the booking is not created."
    open("25860", "", Kind::Unavailable),
    // The ticket failed, which comes after the record: that may be there.
    open("9112", "", Kind::Unavailable),
];

/// What transfers call ill-formed, inadmissible or missing in a request (the tables of 400s of
/// `TransferSearch` and `TransferBook`): nothing was done.
const INVALID: [&str; 51] = [
    "391", "530", "531", "534", "693", "830", "1143", "1149", "1426", "1533", "1535", "1876",
    "1929", "2038", "2323", "3337", "5095", "6323", "9385", "10479", "10578", "11041", "11257",
    "12237", "12668", "12669", "13114", "15566", "23883", "24198", "25862", "27599", "28926",
    "32800", "32803", "32804", "32949", "32986", "32987", "33891", "34120", "34497", "34499",
    "34502", "34543", "34604", "34649", "37296", "37576", "38597", "45514",
];

/// The body of an error.
#[derive(Deserialize)]
struct Body {
    #[serde(default, deserialize_with = "list")]
    errors: Vec<Issue>,
}

#[derive(Deserialize)]
struct Issue {
    /// A number; text in some answers.
    #[serde(default, deserialize_with = "lenient")]
    code: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    title: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    source: Option<Source>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(default, deserialize_with = "lenient")]
    pointer: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    parameter: Option<String>,
}

impl Issue {
    fn row(&self) -> Option<&'static Row> {
        let code = self.code.as_ref()?.as_str().trim();
        let title = self.title.as_deref().unwrap_or_default().to_uppercase();
        TABLE
            .iter()
            .find(|row| row.code == code && title.contains(row.title))
    }

    fn is_invalid(&self) -> bool {
        let code = self.code.as_ref().map(Literal::as_str);
        code.is_some_and(|code| INVALID.contains(&code))
    }
}

/// What an answer without a readable code is, by status. None: a request that was to change something
/// may have done so.
fn by_status(status: u16) -> (Kind, Blame, bool) {
    match status {
        401 | 403 => (Kind::NotAuthorised, Blame::Us, false),
        404 | 410 => (Kind::NotFound, Blame::Us, false),
        405 | 406 | 411..=417 => (Kind::InvalidRequest, Blame::Us, false),
        429 => (Kind::RateLimited, Blame::Us, false),
        // A 400 may be a provider's failure, 25860 included: without its code nobody can tell.
        400..=499 => (Kind::Refused, Blame::Supplier, true),
        _ => (Kind::Protocol, Blame::Supplier, true),
    }
}

/// The error that an answer other than a success states. `changes`: the request was to change something,
/// so that a failure behind Amadeus, or a code that nobody has described, leaves the outcome open.
pub fn failure(response: &WireResponse, changes: bool) -> SupplierError {
    let status = response.status.as_u16();
    let body: Option<Body> = serde_json::from_slice(&response.body).ok();
    let mut issues = body.map(|body| body.errors).unwrap_or_default();
    // What the token endpoint and the gateway say stands alone: `{error,error_description,code,title}`.
    issues.extend(serde_json::from_slice::<Issue>(&response.body).ok());
    // Of several, the one that leaves the most open; else the first that is known; else the first.
    let known = |issue: &&Issue| issue.row().is_some();
    let issue = issues
        .iter()
        .find(|issue| issue.row().is_some_and(|row| row.open))
        .or_else(|| issues.iter().find(known))
        .or_else(|| issues.iter().find(|issue| issue.code.is_some()));
    let (mut kind, blame, open) = match issue.and_then(Issue::row) {
        Some(row) => (row.kind, row.blame, row.open),
        None if issue.is_some_and(Issue::is_invalid) => (Kind::InvalidRequest, Blame::Us, false),
        None => by_status(status),
    };
    if changes && open {
        kind = Kind::OutcomeUnknown;
    }
    let title = issue.and_then(|issue| issue.title.as_deref());
    let title: String = title.unwrap_or("no code").chars().take(80).collect();
    let error = SupplierError::new(kind, format!("HTTP {status}: {title}"))
        .with_blame(blame)
        .with_sent(Sent::Answered)
        .with_retry(match kind {
            Kind::Unavailable | Kind::Timeout | Kind::RateLimited => {
                Retry::After(Duration::from_secs(1))
            }
            _ => Retry::Never,
        });
    let Some(code) = issue.and_then(|issue| issue.code.as_ref()) else {
        return error;
    };
    // A validation error is only of use together with the field that it speaks of.
    let source = issue.and_then(|issue| issue.source.as_ref());
    let field = source.and_then(|source| source.pointer.as_ref().or(source.parameter.as_ref()));
    match field {
        Some(field) => error.with_code(format!("{} ({field})", code.as_str())),
        None => error.with_code(code.as_str()),
    }
}

/// Whether Amadeus itself says that there is no such thing. A 404 without one of its codes may come from
/// anything on the way.
pub fn is_gone(error: &SupplierError) -> bool {
    error.kind == Kind::NotFound && error.code.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_stands_twice_in_the_table() {
        let mut codes: Vec<_> = TABLE.iter().map(|row| (row.code, row.title)).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), TABLE.len());
    }
}
