//! Starts real services on free ports with stores of their own, for tests.
