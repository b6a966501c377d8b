-- Accounts and log-ins anew: until now there were those of the sandbox alone. Instants are
-- microseconds since 1970.
DROP TABLE refresh_families;
DROP TABLE accounts;

CREATE TABLE accounts (
    id            TEXT   PRIMARY KEY,
    -- keyed blind index of the normalised address; NULL once the account is erased
    email_index   TEXT   UNIQUE,
    -- {"email","full_name"}, sealed under the account's own key
    sealed        TEXT   NOT NULL,
    role          TEXT   NOT NULL,
    -- PHC string, Argon2id; empty once the account is deleted
    password_hash TEXT   NOT NULL,
    -- active, deleted (by an administrator) or erased (by its owner)
    status        TEXT   NOT NULL,
    -- 1: made by the sandbox seed, refused in production
    sandbox       BIGINT NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE INDEX accounts_list ON accounts (created_at, id);

-- One row per log-in. Of the refresh tokens only the hashes of the present and the previous one are
-- kept; the present one follows from the previous one and the nonce, so that a lost answer can be
-- repeated without storing a token.
CREATE TABLE log_ins (
    id            TEXT   PRIMARY KEY,
    account_id    TEXT   NOT NULL REFERENCES accounts (id),
    -- the OAuth client that acts for the account; NULL: the person itself
    client_id     TEXT,
    -- permissions, with spaces between; NULL: whatever the role allows
    scope         TEXT,
    -- claim `sid` of its access tokens
    session_id    TEXT   NOT NULL,
    current_hash  TEXT   NOT NULL,
    previous_hash TEXT,
    nonce         TEXT,
    created_at    BIGINT NOT NULL,
    rotated_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    -- 1: over, by log-out, a new password, deletion, or reuse of an old token
    ended         BIGINT NOT NULL
);

CREATE INDEX log_ins_account ON log_ins (account_id);

-- What verifiers must forget or refuse. `seq` is the number of the audit record of the same
-- transaction, and so in the order of commits.
CREATE TABLE revocations (
    seq        BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    value      TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (seq, kind, value)
);
