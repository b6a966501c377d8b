//! What Duffel refuses about cars alone. Duffel has published no list of these codes; they are named
//! as its other ones are.

use http::StatusCode;

use crate::duffel::platform::Problem;

fn state(code: &'static str, title: &'static str, message: &str) -> Problem {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Problem::new(status, "invalid_state_error", code, title, message)
}

pub(crate) fn rate_unavailable() -> Problem {
    let message = "The rate is no longer available. Please search again and choose another one.";
    state("rate_unavailable", "Rate unavailable", message)
}

pub(crate) fn quote_expired() -> Problem {
    let message = "The quote has expired. Please create a new one.";
    state("quote_expired", "Quote expired", message)
}

pub(crate) fn price_changed() -> Problem {
    let message =
        "The price of the rate has changed. Please create a new quote to get its latest price.";
    state("price_changed", "Price changed", message)
}

pub(crate) fn refused() -> Problem {
    let message = "The supplier did not accept this booking. No booking was created.";
    state("booking_refused", "Booking refused", message)
}

pub(crate) fn payment_declined() -> Problem {
    let message = "The payment was declined. No booking was created.";
    state("payment_declined", "Payment declined", message)
}

pub(crate) fn driver_age() -> Problem {
    Problem::field(
        "driver_age_not_accepted",
        "Driver age not accepted",
        "/driver/date_of_birth",
        "The supplier does not accept a driver of this age for this quote.",
    )
}

pub(crate) fn card_required() -> Problem {
    Problem::required("/payment")
}

pub(crate) fn already_cancelled() -> Problem {
    let message = "The booking has already been cancelled.";
    state("already_cancelled", "Booking already cancelled", message)
}

pub(crate) fn not_cancellable() -> Problem {
    let message = "The booking can no longer be cancelled.";
    state(
        "booking_not_cancellable",
        "Booking not cancellable",
        message,
    )
}
