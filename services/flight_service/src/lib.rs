//! Flights: search, price, order and cancel with flight suppliers.
