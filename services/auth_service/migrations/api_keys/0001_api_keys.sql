-- API keys. Instants are microseconds since 1970.
CREATE TABLE api_keys (
    id           TEXT   PRIMARY KEY,
    -- the account whose key it is
    owner        TEXT   NOT NULL,
    -- the part of the key that may be shown
    prefix       TEXT   NOT NULL UNIQUE,
    -- SHA-256 of the whole key
    hash         TEXT   NOT NULL,
    -- the owner's name for it, sealed under the owner's key
    sealed_name  TEXT   NOT NULL,
    -- permissions, with spaces between
    scopes       TEXT   NOT NULL,
    rate_class   TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    -- NULL: until it is deleted
    expires_at   BIGINT,
    -- to the minute
    last_used_at BIGINT
);

CREATE INDEX api_keys_owner ON api_keys (owner, id);
