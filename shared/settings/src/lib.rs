//! Layered configuration: embedded default, file, environment; unknown keys are errors; secrets are masked.
