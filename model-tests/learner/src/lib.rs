//! Active learning of Mealy machines, and test suites that find every difference.
