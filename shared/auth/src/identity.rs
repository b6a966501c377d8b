//! Who is calling and what that role may do. The table of roles and permissions stands here and
//! nowhere else.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Books trips for itself.
    Traveller,
    /// Sells: places single supplier orders.
    Agent,
    /// Helps travellers: reads everybody's trips.
    Support,
    /// Runs the system.
    Admin,
    /// A machine client or another service.
    Service,
}

/// Something that a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Search and read offers and places.
    OffersRead,
    /// Place supplier orders.
    OrdersWrite,
    /// Read and cancel one's own orders.
    OrdersRead,
    /// Read anybody's orders.
    OrdersReadAny,
    /// Book and cancel trips.
    BookingsWrite,
    /// Read one's own trips.
    BookingsRead,
    /// Read anybody's trips.
    BookingsReadAny,
    /// Refund payments.
    PaymentsWrite,
    /// Change accounts and roles.
    UsersWrite,
    /// Register OAuth clients and give them their scopes.
    ClientsWrite,
    /// Read the audit trail.
    AuditRead,
    /// Change how the system runs.
    SystemWrite,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 12] = [
        Self::OffersRead,
        Self::OrdersWrite,
        Self::OrdersRead,
        Self::OrdersReadAny,
        Self::BookingsWrite,
        Self::BookingsRead,
        Self::BookingsReadAny,
        Self::PaymentsWrite,
        Self::UsersWrite,
        Self::ClientsWrite,
        Self::AuditRead,
        Self::SystemWrite,
    ];

    /// The name in tokens and in the catalogue, e.g. `offers:read`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OffersRead => "offers:read",
            Self::OrdersWrite => "orders:write",
            Self::OrdersRead => "orders:read",
            Self::OrdersReadAny => "orders:read:any",
            Self::BookingsWrite => "bookings:write",
            Self::BookingsRead => "bookings:read",
            Self::BookingsReadAny => "bookings:read:any",
            Self::PaymentsWrite => "payments:write",
            Self::UsersWrite => "users:write",
            Self::ClientsWrite => "clients:write",
            Self::AuditRead => "audit:read",
            Self::SystemWrite => "system:write",
        }
    }

    /// What it allows, for people who are asked to grant it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::OffersRead => "Search and read offers and places",
            Self::OrdersWrite => "Place orders with suppliers",
            Self::OrdersRead => "Read and cancel your orders",
            Self::OrdersReadAny => "Read anybody's orders",
            Self::BookingsWrite => "Book and cancel trips for you",
            Self::BookingsRead => "Read your trips",
            Self::BookingsReadAny => "Read anybody's trips",
            Self::PaymentsWrite => "Refund payments",
            Self::UsersWrite => "Change accounts and roles",
            Self::ClientsWrite => "Register OAuth clients",
            Self::AuditRead => "Read the audit trail",
            Self::SystemWrite => "Change how the system runs",
        }
    }
}

/// A name that is no permission.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a permission")]
pub struct UnknownPermission(String);

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(name: &str) -> Result<Self, UnknownPermission> {
        Self::ALL
            .into_iter()
            .find(|permission| permission.as_str() == name)
            .ok_or_else(|| UnknownPermission(name.to_owned()))
    }
}

/// A name that is no role.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a role")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == name)
            .ok_or_else(|| UnknownRole(name.to_owned()))
    }
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [
        Self::Traveller,
        Self::Agent,
        Self::Support,
        Self::Admin,
        Self::Service,
    ];

    /// The name in tokens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Traveller => "traveller",
            Self::Agent => "agent",
            Self::Support => "support",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }

    /// What the role may do.
    pub fn permissions(self) -> &'static [Permission] {
        use Permission as P;
        match self {
            Self::Traveller => &[
                P::OffersRead,
                P::OrdersRead,
                P::BookingsRead,
                P::BookingsWrite,
            ],
            Self::Agent => &[
                P::OffersRead,
                P::OrdersRead,
                P::OrdersWrite,
                P::BookingsRead,
                P::BookingsWrite,
            ],
            Self::Support => &[
                P::OffersRead,
                P::OrdersRead,
                P::OrdersReadAny,
                P::BookingsRead,
                P::BookingsReadAny,
            ],
            Self::Admin => &Permission::ALL,
            Self::Service => &[P::OffersRead, P::OrdersRead, P::OrdersWrite],
        }
    }
}

/// How a caller showed who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// Not at all.
    Nobody,
    /// A person's own log-in.
    Login,
    /// An API key, on its owner's behalf.
    ApiKey,
    /// A token of an OAuth client, on its own behalf or on a person's.
    Client,
}

/// A caller whose credentials were verified, or nobody.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    subject: String,
    role: Option<Role>,
    permissions: Vec<Permission>,
    credential: Credential,
    session: Option<String>,
    /// The OAuth client, or the API key.
    agent: Option<String>,
}

impl Identity {
    /// A caller with a log-in: its account's id, its role, and what its token allows.
    pub fn new(subject: String, role: Role, permissions: Vec<Permission>) -> Self {
        Self {
            subject,
            role: Some(role),
            permissions,
            credential: Credential::Login,
            session: None,
            agent: None,
        }
    }

    /// A caller who showed no token. May do nothing that needs a permission.
    pub fn anonymous() -> Self {
        Self {
            subject: "anonymous".to_owned(),
            role: None,
            permissions: Vec::new(),
            credential: Credential::Nobody,
            session: None,
            agent: None,
        }
    }

    /// The same caller within a log-in of this id, the claim `sid` of its token.
    #[must_use]
    pub fn within(mut self, session: String) -> Self {
        self.session = Some(session);
        self
    }

    /// The same caller through an OAuth client of this id, the claim `client_id` of its token.
    #[must_use]
    pub fn through_client(mut self, client: String) -> Self {
        self.credential = Credential::Client;
        self.agent = Some(client);
        self
    }

    /// The same caller through an API key of this id, `key_…`.
    #[must_use]
    pub fn through_api_key(mut self, key: String) -> Self {
        self.credential = Credential::ApiKey;
        self.agent = Some(key);
        self
    }

    /// The account's id, `usr_…`, or an OAuth client's own; `anonymous` for nobody.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The role; none for nobody.
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// What the caller may do.
    pub fn permissions(&self) -> &[Permission] {
        &self.permissions
    }

    /// How the caller showed who it is.
    pub fn credential(&self) -> Credential {
        self.credential
    }

    /// The log-in that its token belongs to, if the token names one.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// The OAuth client that its token was issued to.
    pub fn client(&self) -> Option<&str> {
        self.agent_of(Credential::Client)
    }

    /// The API key that was shown: its id, never the key itself.
    pub fn api_key(&self) -> Option<&str> {
        self.agent_of(Credential::ApiKey)
    }

    fn agent_of(&self, credential: Credential) -> Option<&str> {
        self.agent
            .as_deref()
            .filter(|_| self.credential == credential)
    }

    /// Whether there is no caller.
    pub fn is_anonymous(&self) -> bool {
        self.role.is_none()
    }

    /// Whether the caller may do this.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_permissions_are_read_back() {
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(permission));
        }
        assert!("orders:*".parse::<Permission>().is_err());
    }

    #[test]
    fn a_traveller_cannot_place_supplier_orders_and_nobody_can_do_anything() {
        assert!(
            !Role::Traveller
                .permissions()
                .contains(&Permission::OrdersWrite)
        );
        assert!(Role::Agent.permissions().contains(&Permission::OrdersWrite));
        assert!(
            Permission::ALL
                .iter()
                .all(|p| !Identity::anonymous().may(*p))
        );
    }
}
