//! A write transaction. It derefs to the connection, so that every repository function can be handed
//! `&mut Tx` and runs `query(…).execute(&mut **tx)`.

use std::ops::{Deref, DerefMut};

use sqlx::{Any, AnyConnection, AnyPool};
use tokio::sync::OwnedSemaphorePermit;

use crate::{Engine, StoreError};

/// A write transaction from [`crate::Db::begin`]. Dropped without [`Tx::commit`], it is rolled back.
#[derive(Debug)]
pub struct Tx {
    inner: sqlx::Transaction<'static, Any>,
    engine: Engine,
    // SQLite has one writer at a time: waiting here is fair and first come, first served, while the
    // engine's own busy handler polls. Dropped after `inner`.
    _turn: Option<OwnedSemaphorePermit>,
}

impl Tx {
    pub(crate) async fn begin(
        pool: AnyPool,
        engine: Engine,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Result<Self, StoreError> {
        to_the_end(async move {
            let inner = match engine {
                Engine::Sqlite => pool.begin_with("BEGIN IMMEDIATE").await?,
                Engine::Postgres => pool.begin().await?,
            };
            Ok(Self {
                inner,
                engine,
                _turn: turn,
            })
        })
        .await
        .unwrap_or_else(|| Err(StoreError::Unavailable("interrupted".to_owned())))
    }

    /// The engine below, for the rare statement that has no portable form.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Makes the changes durable and visible. Once called it is carried out, also when the caller is
    /// cancelled while waiting.
    ///
    /// # Errors
    /// [`StoreError::RolledBack`] when a statement of this transaction had failed on PostgreSQL,
    /// [`StoreError::OutcomeUnknown`] when the connection broke after `COMMIT` was sent.
    pub async fn commit(self) -> Result<(), StoreError> {
        to_the_end(self.commit_now())
            .await
            .unwrap_or(Err(StoreError::OutcomeUnknown))
    }

    async fn commit_now(mut self) -> Result<(), StoreError> {
        // PostgreSQL answers COMMIT of a failed transaction with a rollback and no error, and the
        // driver does not look: the change would be lost in silence. Any statement tells.
        if self.engine == Engine::Postgres {
            sqlx::query("SELECT 1").execute(&mut *self.inner).await?;
        }
        self.inner.commit().await.map_err(|error| match error {
            sqlx::Error::Database(ref cause)
                if !cause.code().is_some_and(|code| code.starts_with("57P")) =>
            {
                StoreError::from(error)
            }
            _ => StoreError::OutcomeUnknown,
        })
    }

    /// Undoes everything since [`crate::Db::begin`].
    ///
    /// # Errors
    /// When the connection is gone; then the engine has undone it as well.
    pub async fn rollback(self) -> Result<(), StoreError> {
        to_the_end(async move { Ok(self.inner.rollback().await?) })
            .await
            .unwrap_or_else(|| Err(StoreError::Unavailable("interrupted".to_owned())))
    }
}

/// Carries the work out even when the caller is cancelled meanwhile, as a request is whose client hangs
/// up. The driver loses count of a BEGIN, COMMIT or ROLLBACK whose future is dropped half way
/// (transact-rs/sqlx#4385, #4393): the connection would go back to the pool with a transaction open,
/// and the next requests would run inside it. `None` when the runtime is shutting down.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    tokio::spawn(work).await.ok()
}

impl Deref for Tx {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }
}
