//! Simulators of the suppliers: real HTTP, true wire formats, a journal of effects, fault knobs.
