//! Calls to suppliers and services: deadline, bulkhead, pacing, breaker, retry budget, classification.
