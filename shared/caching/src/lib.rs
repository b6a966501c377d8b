//! One cache over process memory or Redis: typed keys, single flight, counters.
