//! What a vertical keeps about people, and its erasure. Travellers, contact, the caller's reference and
//! the answers kept for idempotency keys are sealed under the key of the order's owner. All else of an
//! order stays readable, so that it can be settled and cancelled when its owner has been erased.

use personal_data::{Vault, VaultError, is_sealed};
use serde::{Deserialize, Serialize};
use service_kit::ApiError;
use service_kit::error::codes;
use storage::idempotency::{self, StoredAnswer};
use storage::{AnyRow, Row as _, StoreError, Tx};
use travel_types::{Contact, Traveller};

use crate::desk::Desk;
use crate::ledger::{Ledger, LedgerOrder, corrupt, json};
use crate::orders::Order;

/// The personal part of an order, as it is sealed.
#[derive(Serialize, Deserialize)]
struct Personal {
    travellers: Vec<Traveller>,
    contact: Option<Contact>,
    reference: Option<String>,
}

/// How the personal part of an order is at hand.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    /// It stands in the order.
    Open,
    /// It is sealed; the order has none.
    Sealed(String),
    /// It is gone.
    Erased,
}

/// What a caller is told when something cannot be sealed. Who was erased has no account any more.
pub(crate) fn unsealed(error: VaultError) -> ApiError {
    match error {
        VaultError::Erased => ApiError::new(&codes::UNAUTHENTICATED),
        other => StoreError::from(other).into(),
    }
}

/// Reads the personal part of a row into its order.
pub(crate) fn read_personal(row: &AnyRow, order: &mut Order) -> Result<Kept, StoreError> {
    if let Some(sealed) = row.try_get::<Option<String>, _>("personal")? {
        return Ok(Kept::Sealed(sealed));
    }
    if row.try_get::<&str, _>("travellers")?.is_empty() {
        return Ok(Kept::Erased);
    }
    // From before they were sealed.
    order.travellers = json(row, "travellers")?;
    order.contact = Some(json(row, "contact")?);
    order.reference = row.try_get("client_reference")?;
    Ok(Kept::Open)
}

impl Ledger {
    /// The personal part of a new order, sealed.
    pub(crate) async fn seal_personal(
        &self,
        tx: &mut Tx,
        owner: &str,
        order: &Order,
    ) -> Result<String, VaultError> {
        let personal = Personal {
            travellers: order.travellers.clone(),
            contact: order.contact.clone(),
            reference: order.reference.clone(),
        };
        let text = serde_json::to_string(&personal).map_err(|_| corrupt("order"))?;
        self.vault.seal(tx, owner, &text).await
    }

    /// Orders as they are shown, with their personal parts, or marked as erased.
    pub(crate) async fn shown(&self, orders: Vec<LedgerOrder>) -> Result<Vec<Order>, StoreError> {
        let sealed: Vec<(&str, &str)> = orders
            .iter()
            .filter_map(|order| match &order.kept {
                Kept::Sealed(text) => Some((order.owner.as_str(), text.as_str())),
                Kept::Open | Kept::Erased => None,
            })
            .collect();
        let mut opened = self.vault.open_many(&sealed).await?.into_iter();
        orders
            .into_iter()
            .map(|LedgerOrder { order, kept, .. }| {
                let text = match kept {
                    Kept::Open => return Ok(order),
                    Kept::Sealed(_) => opened.next().flatten(),
                    Kept::Erased => None,
                };
                with_personal(order, text)
            })
            .collect()
    }

    /// One order as it is shown.
    pub(crate) async fn shown_one(&self, order: LedgerOrder) -> Result<Order, StoreError> {
        let mut shown = self.shown(vec![order]).await?;
        shown.pop().ok_or_else(|| corrupt("order"))
    }

    /// Erases what is kept about an owner: destroys the key, removes what was not sealed, and forgets the
    /// answers kept for the owner's idempotency keys. Orders stay, without people in them. Once or many times.
    pub(crate) async fn erase(&self, owner: &str) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        self.vault.destroy(&mut tx, owner).await?;
        storage::query(
            "UPDATE orders SET personal = NULL, travellers = '', contact = '', \
             client_reference = NULL WHERE owner = $1",
        )
        .bind(owner)
        .execute(&mut *tx)
        .await?;
        idempotency::forget(&mut tx, owner).await?;
        tx.commit().await?;
        self.db.shred().await;
        Ok(())
    }
}

fn with_personal(mut order: Order, text: Option<String>) -> Result<Order, StoreError> {
    let Some(text) = text else {
        order.personal_data_erased = true;
        return Ok(order);
    };
    let personal: Personal = serde_json::from_str(&text).map_err(|_| corrupt("personal"))?;
    order.travellers = personal.travellers;
    order.contact = personal.contact;
    order.reference = personal.reference;
    Ok(order)
}

impl Desk {
    fn vault(&self) -> &Vault {
        &self.0.ledger.vault
    }

    /// Keeps an answer for its key, sealed under the key of the caller; gives the one that stands.
    pub(crate) async fn keep_sealed(
        &self,
        tx: &mut Tx,
        key: &idempotency::IdempotencyKey,
        answer: StoredAnswer,
    ) -> Result<StoredAnswer, StoreError> {
        let sealed = match self.vault().seal(tx, &key.caller, &answer.body).await {
            Ok(body) => StoredAnswer {
                body,
                ..answer.clone()
            },
            // Erased while the request ran: it gets its answer, of which nothing is kept.
            Err(VaultError::Erased) => {
                idempotency::release(tx, key).await?;
                return Ok(answer);
            }
            Err(error) => return Err(error.into()),
        };
        let stands = idempotency::finish(tx, key, &sealed).await?;
        if stands == sealed {
            return Ok(answer);
        }
        // An earlier one stands.
        let opened = match is_sealed(&stands.body) {
            true => self
                .vault()
                .open_in(tx, &key.caller, &stands.body)
                .await?
                .ok_or_else(|| corrupt("answer_body"))?,
            false => return Ok(stands),
        };
        Ok(StoredAnswer {
            body: opened,
            ..stands
        })
    }

    /// A kept answer, byte for byte as it was given.
    ///
    /// # Errors
    /// [`codes::UNAUTHENTICATED`] when its caller has been erased; those of the store.
    pub(crate) async fn opened(
        &self,
        caller: &str,
        answer: StoredAnswer,
    ) -> Result<StoredAnswer, ApiError> {
        if !is_sealed(&answer.body) {
            return Ok(answer);
        }
        let opened = self.vault().open(caller, &answer.body).await;
        let body = opened
            .map_err(unsealed)?
            .ok_or_else(|| ApiError::new(&codes::UNAUTHENTICATED))?;
        Ok(StoredAnswer { body, ..answer })
    }
}
