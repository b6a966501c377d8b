//! The two listeners, driven over sockets.
