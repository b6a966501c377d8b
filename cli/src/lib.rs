//! The interline command: the whole system in one process, or one service.
