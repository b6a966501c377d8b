//! Scopes (RFC 6749 §3.3): the names of permissions, with spaces between.

use auth::Permission;

/// A scope names something that is no permission.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownScope;

/// The permissions of a scope that a client asks for, each once, in the table's order.
pub(crate) fn asked(scope: &str) -> Result<Vec<Permission>, UnknownScope> {
    let names: Vec<&str> = scope.split(' ').filter(|name| !name.is_empty()).collect();
    for name in &names {
        name.parse::<Permission>().map_err(|_| UnknownScope)?;
    }
    let all = Permission::ALL.into_iter();
    Ok(all.filter(|one| names.contains(&one.as_str())).collect())
}

/// The permissions of a scope in the store; names of other releases allow nothing.
pub(crate) fn stored(scope: &str) -> Vec<Permission> {
    let names: Vec<&str> = scope.split(' ').collect();
    let all = Permission::ALL.into_iter();
    all.filter(|one| names.contains(&one.as_str())).collect()
}

/// The scope of permissions.
pub(crate) fn written(permissions: &[Permission]) -> String {
    let names: Vec<&str> = permissions.iter().map(|one| one.as_str()).collect();
    names.join(" ")
}

/// What is in both.
pub(crate) fn both(one: &[Permission], other: &[Permission]) -> Vec<Permission> {
    let shared = one.iter().filter(|permission| other.contains(permission));
    shared.copied().collect()
}

/// A permission for the person who grants it.
pub(crate) fn words(permission: Permission) -> &'static str {
    match permission {
        Permission::OffersRead => "Search for travel offers and read them",
        Permission::OrdersWrite => "Place orders with suppliers for you",
        Permission::OrdersRead => "See and cancel your orders",
        Permission::OrdersReadAny => "See everybody’s orders",
        Permission::BookingsWrite => "Book and cancel trips for you",
        Permission::BookingsRead => "See your trips",
        Permission::BookingsReadAny => "See everybody’s trips",
        Permission::PaymentsWrite => "Refund payments",
        Permission::UsersWrite => "Change people’s accounts and roles",
        Permission::ClientsWrite => "Register applications such as this one",
        Permission::AuditRead => "Read the audit trail",
        Permission::SystemWrite => "Change how the system runs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_in_any_order_and_an_unknown_name_is_told() {
        use Permission::{BookingsRead, OffersRead};
        let scope = "bookings:read  offers:read bookings:read";
        assert_eq!(asked(scope), Ok(vec![OffersRead, BookingsRead]));
        assert_eq!(asked(""), Ok(Vec::new()));
        for wrong in ["openid", "offers:read offers:*", "offers:read\toffers:read"] {
            assert_eq!(asked(wrong), Err(UnknownScope), "{wrong}");
        }
        assert_eq!(stored("offers:read moon:visit"), [OffersRead]);
        assert_eq!(
            written(&[OffersRead, BookingsRead]),
            "offers:read bookings:read"
        );
    }
}
