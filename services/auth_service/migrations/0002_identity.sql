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

-- Networks from which an account's owner has logged in. Both indexes are keyed fingerprints.
CREATE TABLE known_networks (
    account_index TEXT   NOT NULL,
    network_index TEXT   NOT NULL,
    account_id    TEXT   NOT NULL,
    seen_at       BIGINT NOT NULL,
    PRIMARY KEY (account_index, network_index)
);

CREATE INDEX known_networks_account ON known_networks (account_id);

-- Registrations that wait for their address to be confirmed.
CREATE TABLE registrations (
    -- the id that the account will have
    id            TEXT   PRIMARY KEY,
    email_index   TEXT   NOT NULL,
    -- {"email","full_name"}, sealed under the key of the id
    sealed        TEXT   NOT NULL,
    password_hash TEXT   NOT NULL,
    -- hash of the link's token
    token_hash    TEXT   NOT NULL UNIQUE,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL
);

CREATE INDEX registrations_email ON registrations (email_index, created_at);
CREATE INDEX registrations_expiry ON registrations (expires_at);

-- Links by which a new password can be set. A request for an address without an account leaves a row
-- as well, with no account, so that both take the same time.
CREATE TABLE password_resets (
    token_hash TEXT   PRIMARY KEY,
    account_id TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX password_resets_account ON password_resets (account_id);
CREATE INDEX password_resets_expiry ON password_resets (expires_at);

-- Mail that is to be sent. A row goes when its mail is delivered, or is given up.
CREATE TABLE mail (
    id         TEXT   PRIMARY KEY,
    -- whom it is about, for erasure; NULL: no account
    account_id TEXT,
    -- {"to","subject","text"}, wrapped under the master key: the text may hold a link's token
    wrapped    TEXT   NOT NULL,
    -- 0: nobody is to get it; it stands here so that the request takes the time of any other
    wanted     BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    -- when it is to be tried next
    due_at     BIGINT NOT NULL,
    -- after this it is worth nothing
    expires_at BIGINT NOT NULL
);

CREATE INDEX mail_due ON mail (due_at);
CREATE INDEX mail_account ON mail (account_id);
