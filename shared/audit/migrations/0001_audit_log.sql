-- Every column of a record is covered by `hash`; `previous` is the hash of the record before.
CREATE TABLE audit_log (
    seq        BIGINT NOT NULL PRIMARY KEY,
    at         BIGINT NOT NULL,
    actor      TEXT,
    action     TEXT   NOT NULL,
    succeeded  BIGINT NOT NULL,
    target     TEXT,
    sealed     TEXT,
    details    TEXT   NOT NULL,
    request_id TEXT,
    previous   TEXT   NOT NULL,
    hash       TEXT   NOT NULL
);
CREATE INDEX audit_log_actor ON audit_log (actor, seq);
CREATE INDEX audit_log_target ON audit_log (target, seq);
CREATE INDEX audit_log_action ON audit_log (action, seq);
CREATE INDEX audit_log_succeeded ON audit_log (succeeded, seq);
CREATE INDEX audit_log_at ON audit_log (at);

-- The end of the chain. Whoever appends holds this row until the transaction ends, so that sequence
-- numbers are committed in their order. `kid` says which key the log is written with.
CREATE TABLE audit_head (
    id   BIGINT NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL,
    hash TEXT   NOT NULL,
    kid  TEXT
);
INSERT INTO audit_head (id, seq, hash, kid)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000', NULL);
