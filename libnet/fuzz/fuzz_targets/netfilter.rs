//! Datagrams as netfilter's netlink might send them. Run: `just fuzz libnet netfilter`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| libnet::fuzzing::netfilter(data));
