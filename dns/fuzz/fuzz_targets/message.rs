//! Bytes as a client or an upstream might send them. Run: `cargo +nightly fuzz run message` in `dns/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dns::fuzzing::one(data));
