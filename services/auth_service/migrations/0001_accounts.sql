-- Who can log in. Instants are microseconds since 1970.
CREATE TABLE accounts (
    id            TEXT   PRIMARY KEY,
    -- trimmed and in lower case
    email         TEXT   NOT NULL UNIQUE,
    full_name     TEXT   NOT NULL,
    role          TEXT   NOT NULL,
    -- PHC string, Argon2id
    password_hash TEXT   NOT NULL,
    -- 1: made by the sandbox seed, refused in production
    sandbox       BIGINT NOT NULL,
    created_at    BIGINT NOT NULL
);

-- One row per log-in. Of the refresh tokens only the hashes of the present and the previous one are
-- kept; the present one follows from the previous one and the nonce, so that a lost answer can be
-- repeated without storing a token.
CREATE TABLE refresh_families (
    id            TEXT   PRIMARY KEY,
    account_id    TEXT   NOT NULL REFERENCES accounts (id),
    current_hash  TEXT   NOT NULL,
    previous_hash TEXT,
    nonce         TEXT,
    rotated_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    -- 1: ended by reuse of an old token
    ended         BIGINT NOT NULL
);

CREATE INDEX refresh_families_account ON refresh_families (account_id);
