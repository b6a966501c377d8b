-- OAuth clients and the authorization codes that they redeem. Instants are microseconds since 1970.
CREATE TABLE oauth_clients (
    id            TEXT   PRIMARY KEY,
    name          TEXT   NOT NULL,
    -- confidential (has a secret) or public
    kind          TEXT   NOT NULL,
    -- SHA-256 of the secret; NULL for a public client
    secret_hash   TEXT,
    -- permissions, with spaces between
    scopes        TEXT   NOT NULL,
    -- grant types, with spaces between
    grant_types   TEXT   NOT NULL,
    -- with spaces between: none holds one
    redirect_uris TEXT   NOT NULL,
    -- claim `sid` of the tokens that the client gets for itself; another one revokes them
    session_id    TEXT   NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE TABLE oauth_codes (
    -- SHA-256 of the code
    hash         TEXT   PRIMARY KEY,
    client_id    TEXT   NOT NULL,
    account_id   TEXT   NOT NULL,
    redirect_uri TEXT   NOT NULL,
    -- PKCE, S256
    challenge    TEXT   NOT NULL,
    -- permissions, with spaces between
    scope        TEXT   NOT NULL,
    expires_at   BIGINT NOT NULL,
    used_at      BIGINT,
    -- the log-in that it gave, which ends when the code comes again
    log_in_id    TEXT
);

CREATE INDEX oauth_codes_account ON oauth_codes (account_id);
CREATE INDEX oauth_codes_expiry ON oauth_codes (expires_at);
