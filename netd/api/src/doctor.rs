//! `/pontoon/doctor`: what is not as it should be on the daemon's host, and what to do about it.

use serde::{Deserialize, Serialize};

/// The answer of `GET /pontoon/doctor` and of `POST /pontoon/doctor/repair`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Examination {
    /// What was looked at, and how it is (after the repair, if it was one).
    pub findings: Vec<Finding>,
    /// What was put right.
    pub repaired: Vec<String>,
    /// What could not be put right, and why.
    pub errors: Vec<String>,
}

/// Something that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Finding {
    /// `kernel`, `links`, `settings`, `firewall`, `other-firewalls`, `ports`, `containers`, `daemon`.
    pub area: String,
    /// `ok`; `note`: worth knowing, but nothing is broken by it; `wrong`: something does not work.
    pub severity: String,
    /// What was found.
    pub what: String,
    /// What to do next; not there if all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub advice: String,
}
