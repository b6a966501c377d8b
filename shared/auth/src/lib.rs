//! Claims, token verification and permissions.
