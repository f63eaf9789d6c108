//! The entry of the fuzz target (dns/fuzz), also run over its corpus by a normal test.
