//! Clients in the store.

use storage::{AnyRow, Db, Row, StoreError, Tx, from_micros, query, to_micros};

use super::model::{Client, GrantType, Type};
use crate::oauth::scope;

/// The client with this id.
pub(crate) async fn by_id(db: &Db, id: &str) -> Result<Option<Client>, StoreError> {
    let row = query("SELECT * FROM oauth_clients WHERE id = $1")
        .bind(id)
        .fetch_optional(db.pool())
        .await?;
    row.map(|row| read(&row)).transpose()
}

/// The clients that were registered before this one, the newest first.
pub(super) async fn page(
    db: &Db,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<Client>, StoreError> {
    // Ids are ordered by time, and no id is greater than this.
    let before = before.unwrap_or("cli_~");
    let rows = query("SELECT * FROM oauth_clients WHERE id < $1 ORDER BY id DESC LIMIT $2")
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(db.pool())
        .await?;
    rows.iter().map(read).collect()
}

pub(super) async fn insert(tx: &mut Tx, client: &Client) -> Result<(), StoreError> {
    let grants: Vec<&str> = client.grant_types.iter().map(|g| g.as_str()).collect();
    query(
        "INSERT INTO oauth_clients (id, name, kind, secret_hash, scopes, grant_types, \
         redirect_uris, session_id, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(client.id.to_string())
    .bind(&client.name)
    .bind(client.kind.as_str())
    .bind(&client.secret_hash)
    .bind(scope::written(&client.scopes))
    .bind(grants.join(" "))
    .bind(client.redirect_uris.join(" "))
    .bind(&client.session_id)
    .bind(to_micros(client.created_at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Deletes a client; the `sid` of its tokens, if it was there.
pub(super) async fn delete(tx: &mut Tx, id: &str) -> Result<Option<String>, StoreError> {
    let rows = query("DELETE FROM oauth_clients WHERE id = $1 RETURNING session_id")
        .bind(id)
        .fetch_all(&mut **tx)
        .await?;
    let row = rows.first().map(|row| row.try_get("session_id"));
    Ok(row.transpose()?)
}

/// Gives a confidential client another secret and another `sid`, if it still has this one. Whether it
/// did.
pub(super) async fn renew(
    tx: &mut Tx,
    client: &Client,
    secret_hash: &str,
    session_id: &str,
) -> Result<bool, StoreError> {
    let changed = query(
        "UPDATE oauth_clients SET secret_hash = $1, session_id = $2 \
         WHERE id = $3 AND session_id = $4",
    )
    .bind(secret_hash)
    .bind(session_id)
    .bind(client.id.to_string())
    .bind(&client.session_id)
    .execute(&mut **tx)
    .await?;
    Ok(changed.rows_affected() == 1)
}

fn read(row: &AnyRow) -> Result<Client, StoreError> {
    let corrupt = |column: &str| StoreError::Corrupt(format!("oauth_clients.{column}"));
    let text = |column: &str| row.try_get::<String, _>(column);
    let kind = match text("kind")?.as_str() {
        "confidential" => Type::Confidential,
        "public" => Type::Public,
        _ => return Err(corrupt("kind")),
    };
    let words = |list: String| -> Vec<String> {
        let words = list.split_ascii_whitespace();
        words.map(str::to_owned).collect()
    };
    Ok(Client {
        id: text("id")?.parse().map_err(|_| corrupt("id"))?,
        name: text("name")?,
        kind,
        secret_hash: row.try_get("secret_hash")?,
        scopes: scope::stored(&text("scopes")?),
        grant_types: words(text("grant_types")?)
            .iter()
            .filter_map(|name| GrantType::named(name))
            .collect(),
        redirect_uris: words(text("redirect_uris")?),
        session_id: text("session_id")?,
        created_at: from_micros(row.try_get("created_at")?)?,
    })
}
