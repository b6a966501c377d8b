-- Offers until they expire, and the ledger of orders and cancellations. Portable: TEXT and BIGINT only,
-- instants as microseconds since 1970, money as minor units, JSON as text.
CREATE TABLE searches (
    id TEXT PRIMARY KEY,
    meta TEXT NOT NULL,
    found BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE offers (
    id TEXT PRIMARY KEY,
    search_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    supplier TEXT NOT NULL,
    body TEXT NOT NULL,
    handle TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX offers_search ON offers (search_id, position);
CREATE INDEX offers_expiry ON offers (expires_at);
CREATE INDEX searches_expiry ON searches (expires_at);

CREATE TABLE orders (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    supplier TEXT NOT NULL,
    status TEXT NOT NULL,
    phase TEXT NOT NULL,
    supplier_reference TEXT,
    offer_id TEXT NOT NULL,
    client_reference TEXT,
    total_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    travellers TEXT NOT NULL,
    contact TEXT NOT NULL,
    details TEXT NOT NULL,
    handle TEXT NOT NULL,
    failure TEXT,
    cancelling TEXT,
    created_at BIGINT NOT NULL,
    sent_at BIGINT,
    final_after BIGINT,
    next_check_at BIGINT,
    checks BIGINT NOT NULL
);

CREATE INDEX orders_owner ON orders (owner, id);
CREATE INDEX orders_due ON orders (next_check_at);

CREATE TABLE order_history (
    order_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    note TEXT,
    PRIMARY KEY (order_id, sequence)
);

CREATE TABLE cancellations (
    id TEXT PRIMARY KEY,
    order_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    supplier TEXT NOT NULL,
    status TEXT NOT NULL,
    handle TEXT NOT NULL,
    refund_minor BIGINT NOT NULL,
    penalty_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    refund_to TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    confirmed_at BIGINT,
    final_after BIGINT,
    next_check_at BIGINT,
    checks BIGINT NOT NULL
);

CREATE INDEX cancellations_order ON cancellations (order_id);
CREATE INDEX cancellations_due ON cancellations (next_check_at);
