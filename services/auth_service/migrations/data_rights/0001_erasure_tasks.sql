-- What other services must still be told of an erasure. Instants are microseconds since 1970.
CREATE TABLE erasure_tasks (
    account_id TEXT   NOT NULL,
    service    TEXT   NOT NULL,
    -- when it is tried next; a worker that takes it puts it off by its lease
    due_at     BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    -- NULL until the service has confirmed
    done_at    BIGINT,
    PRIMARY KEY (account_id, service)
);

CREATE INDEX erasure_tasks_due ON erasure_tasks (done_at, due_at);
