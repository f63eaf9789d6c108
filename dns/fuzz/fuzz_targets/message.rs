//! Bytes as a client or an upstream might send them. Run: `RUSTC_BOOTSTRAP=1 cargo fuzz run message` in `dns/`, or
//! with a nightly toolchain and without the variable.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dns::fuzzing::one(data));
