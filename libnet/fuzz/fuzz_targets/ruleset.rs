//! Rulesets of any bytes, written and read back. Run: `just fuzz libnet ruleset`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| libnet::fuzzing::ruleset(data));
