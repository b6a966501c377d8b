-- The keys that sign access tokens. Instants are microseconds since 1970.
CREATE TABLE signing_keys (
    -- thumbprint of the public key (RFC 7638)
    kid          TEXT   PRIMARY KEY,
    -- 1, 2, 3, …: of several instances that make the next key at once, one can insert it
    generation   BIGINT NOT NULL UNIQUE,
    -- the private key, wrapped under the master key; NULL once no token that it signed is alive
    wrapped      TEXT,
    made_at      BIGINT NOT NULL,
    -- published since it was made, it signs from here on until the next one does
    signs_from   BIGINT NOT NULL,
    -- since when it is believed no more, because it was compromised
    withdrawn_at BIGINT
);
