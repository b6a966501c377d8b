-- One row per person of whom something sealed was ever kept here. wrapped is the person's key under
-- the master key; NULL once it was destroyed. The row stays then: nobody of that name gets a key again.
CREATE TABLE subject_keys (
    subject TEXT PRIMARY KEY,
    wrapped TEXT
);
