//! One object of somebody's. What is inside cannot be had without saying for whom.

use auth::{Identity, Permission};
use service_kit::ApiError;
use service_kit::error::codes;

/// What a ledger holds for its owner. A handler gets at it through [`Owned::open`] alone, so the check
/// of each object cannot be forgotten.
#[derive(Debug)]
pub(crate) struct Owned<T> {
    owner: String,
    inner: T,
}

impl<T> Owned<T> {
    pub(crate) fn new(owner: String, inner: T) -> Self {
        Self { owner, inner }
    }

    /// The object, if there is one and it is the caller's, or the caller has the permission to see
    /// anybody's. `anyone` is that permission; none where only the owner may.
    ///
    /// # Errors
    /// [`codes::NOT_FOUND`], the same for an absent object and a foreign one.
    pub(crate) fn open(
        found: Option<Self>,
        caller: &Identity,
        anyone: Option<Permission>,
    ) -> Result<T, ApiError> {
        found
            .filter(|owned| {
                let own = !caller.is_anonymous() && owned.owner == caller.subject();
                own || anyone.is_some_and(|permission| caller.may(permission))
            })
            .map(|owned| owned.inner)
            .ok_or_else(|| ApiError::new(&codes::NOT_FOUND))
    }

    /// The object for the kit's own work, of which its caller learns nothing: settling, and recording what
    /// a supplier did.
    pub(crate) fn for_settling(self) -> T {
        self.inner
    }

    /// The object for its owner, who was known when the work began.
    pub(crate) fn for_owner(self, owner: &str) -> Option<T> {
        (self.owner == owner).then_some(self.inner)
    }
}

#[cfg(test)]
mod tests {
    use auth::Role;

    use super::*;

    fn identity(subject: &str, role: Role) -> Identity {
        Identity::new(subject.to_owned(), role, role.permissions().to_vec())
    }

    #[test]
    fn an_object_opens_for_its_owner_and_for_whoever_may_see_all_and_else_it_is_not_there() {
        let owned = || Some(Owned::new("usr_1".to_owned(), "mine"));
        let any = Some(Permission::OrdersReadAny);
        let owner = identity("usr_1", Role::Traveller);
        let other = identity("usr_2", Role::Agent);
        let support = identity("usr_3", Role::Support);
        assert_eq!(Owned::open(owned(), &owner, None).unwrap(), "mine");
        assert_eq!(Owned::open(owned(), &owner, any).unwrap(), "mine");
        assert_eq!(Owned::open(owned(), &support, any).unwrap(), "mine");
        for refused in [
            Owned::open(owned(), &other, any),
            Owned::open(owned(), &other, None),
            Owned::open(owned(), &support, None),
            Owned::open(owned(), &Identity::anonymous(), any),
            Owned::open(None, &owner, any),
        ] {
            assert_eq!(refused.unwrap_err().code(), "NOT_FOUND");
        }
        // Nobody's object is not an anonymous caller's.
        let nobodys = Some(Owned::new(String::new(), "x"));
        assert!(Owned::open(nobodys, &Identity::anonymous(), None).is_err());
    }
}
