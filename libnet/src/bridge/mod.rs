//! The bridge driver, pure: names and marks of what it makes, and the plans for networks and endpoints.

pub(crate) mod names;
