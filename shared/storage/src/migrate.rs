//! Migrations: numbered SQL texts, each applied once and never edited afterwards. Several sets (a
//! kit's tables and a service's own) live in one database under different names.

use aws_lc_rs::digest::{SHA256, digest};
use sqlx::Row;

use crate::error::code_of;
use crate::{Db, Engine, StoreError, Tx};

/// One step of a schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its place in the set; unique there, applied in rising order.
    pub version: i64,
    /// A few words, for people and for error messages.
    pub name: &'static str,
    /// One or more statements, usually by `include_str!`.
    pub sql: &'static str,
}

/// Serialises migrating processes on PostgreSQL; the number is arbitrary but must never change.
const LOCK: i64 = 0x696e_7465_726c_696e;

impl Db {
    /// Applies what is missing of `migrations`, all of it or nothing. Safe when several processes do
    /// it at once: one applies, the others wait and find it done. Versions that the database has
    /// and the program does not know are left alone, so that an older program still starts beside a
    /// newer one during a rollout.
    ///
    /// # Errors
    /// [`StoreError::ChangedMigration`] when an applied text was edited,
    /// [`StoreError::FailedMigration`] when a text cannot be carried out,
    /// [`StoreError::Settings`] when two migrations have one version.
    pub async fn migrate(
        &self,
        set: &'static str,
        migrations: &[Migration],
    ) -> Result<(), StoreError> {
        let mut ordered: Vec<&Migration> = migrations.iter().collect();
        ordered.sort_by_key(|migration| migration.version);
        for pair in ordered.windows(2) {
            if let [one, two] = pair
                && one.version == two.version
            {
                return Err(StoreError::Settings(format!(
                    "two migrations {set}/{:04}",
                    one.version
                )));
            }
        }

        let mut tx = self.begin().await?;
        if self.engine() == Engine::Postgres {
            // A migration may take longer than a request may, and waiting for another one is no fault.
            sqlx::raw_sql("SET LOCAL statement_timeout = 0")
                .execute(&mut *tx)
                .await?;
            sqlx::query("SELECT pg_advisory_xact_lock($1)")
                .bind(LOCK)
                .execute(&mut *tx)
                .await?;
        }
        sqlx::raw_sql(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
                 migration_set TEXT   NOT NULL,
                 version       BIGINT NOT NULL,
                 name          TEXT   NOT NULL,
                 checksum      TEXT   NOT NULL,
                 applied_at    TEXT   NOT NULL,
                 PRIMARY KEY (migration_set, version)
             )",
        )
        .execute(&mut *tx)
        .await?;
        for migration in ordered {
            apply(&mut tx, set, migration).await?;
        }
        tx.commit().await
    }
}

async fn apply(tx: &mut Tx, set: &'static str, migration: &Migration) -> Result<(), StoreError> {
    let checksum = hex::encode(digest(&SHA256, migration.sql.as_bytes()));
    let applied = sqlx::query(
        "SELECT checksum FROM schema_migrations WHERE migration_set = $1 AND version = $2",
    )
    .bind(set)
    .bind(migration.version)
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(row) = applied {
        if row.try_get::<String, _>("checksum")? == checksum {
            return Ok(());
        }
        return Err(StoreError::ChangedMigration {
            set: set.to_owned(),
            version: migration.version,
            name: migration.name.to_owned(),
        });
    }
    sqlx::raw_sql(migration.sql)
        .execute(&mut **tx)
        .await
        .map_err(|error| match error {
            sqlx::Error::Database(cause) => StoreError::FailedMigration {
                set: set.to_owned(),
                version: migration.version,
                name: migration.name.to_owned(),
                code: code_of(cause.as_ref()),
            },
            other => other.into(),
        })?;
    sqlx::query(
        "INSERT INTO schema_migrations (migration_set, version, name, checksum, applied_at) \
         VALUES ($1, $2, $3, $4, CAST(CURRENT_TIMESTAMP AS TEXT))",
    )
    .bind(set)
    .bind(migration.version)
    .bind(migration.name)
    .bind(checksum)
    .execute(&mut **tx)
    .await?;
    tracing::info!(
        set,
        version = migration.version,
        name = migration.name,
        "migration applied"
    );
    Ok(())
}
