//! The adapter against recorded bodies and a scripted wire, from bytes to bytes.
