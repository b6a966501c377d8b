//! What a tester can ask Amadeus for by the first traveller's family name, beyond the scenarios of
//! every supplier: each error that an order is known to be answered with.

use super::problem::{Problem, Source};

/// What a family name does to an order.
#[derive(Debug)]
pub(crate) enum Name {
    /// The order is made, and answered with the error that says it may not have been.
    CheckFirst,
    /// The order is refused with this error.
    Error(Problem),
}

/// `CHECKFIRST`, or `CODE` with the code of an error.
pub(crate) fn of_name(family_name: &str) -> Option<Name> {
    let detail = "the family name asks for this error";
    let error = match family_name.trim().to_ascii_uppercase().as_str() {
        "CHECKFIRST" => return Some(Name::CheckFirst),
        "CODE477" => Problem::format(Source::Nothing, detail),
        "CODE4926" => Problem::data(Source::Nothing, detail),
        "CODE25860" => Problem::check_first(),
        "CODE32171" => Problem::missing(Source::Nothing),
        "CODE34107" => Problem::no_fare(),
        "CODE21934" => Problem::timeout(),
        "CODE38189" => Problem::internal(),
        "CODE38196" => Problem::no_resource(),
        _ => return None,
    };
    Some(Name::Error(error))
}
