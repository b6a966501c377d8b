-- One row per (caller, route, key). answer_status is NULL while the first request is running.
CREATE TABLE idempotency_keys (
    caller         TEXT   NOT NULL,
    route          TEXT   NOT NULL,
    request_key    TEXT   NOT NULL,
    fingerprint    TEXT   NOT NULL,
    subject        TEXT,
    answer_status  BIGINT,
    answer_headers TEXT,
    answer_body    TEXT,
    lease_until    BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (caller, route, request_key)
);

CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
