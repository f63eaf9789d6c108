//! The shim: one per container. Started by the daemon through [`netd_runtime::Runtime`], never by hand.

fn main() {}
