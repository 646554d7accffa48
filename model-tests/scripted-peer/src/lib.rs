//! A peer that owns valid keys and can send any message at any time.
