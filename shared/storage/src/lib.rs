//! One database over SQLite or PostgreSQL, migrations, and idempotency keys.
