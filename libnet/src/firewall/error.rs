//! What can go wrong with a firewall.

use std::io;

use super::LegacyError;
use crate::{
    sys::nfnl::{NfnlError, attr::Malformed},
    types::{EndpointId, NetworkId},
};

/// Why the firewall is not as it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FirewallError {
    /// No netfilter netlink socket.
    #[error("open a netfilter netlink socket")]
    Open(#[source] io::Error),
    /// The kernel lacks something.
    #[error(
        "this kernel can't {action}: networks need nf_tables (CONFIG_NF_TABLES_INET) with its nat, masq, ct, fib_inet \
         and hash set support"
    )]
    Unsupported {
        /// What it was asked to check.
        action: String,
        /// Its answer.
        #[source]
        source: io::Error,
    },
    /// The kernel can't see to it that a container sends from its own addresses.
    #[error("this kernel can't filter what is bridged: this needs CONFIG_NF_TABLES_BRIDGE")]
    Unguarded,
    /// The process may not change the firewall.
    #[error("the firewall can be changed by root only (CAP_NET_ADMIN in the network namespace)")]
    NotPermitted,
    /// The kernel refused a change; nothing of it was done.
    #[error("firewall: {action}{}", hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default())]
    Refused {
        /// What it refused, in the words of `nft`.
        action: String,
        /// The kernel's own words.
        hint: Option<String>,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The socket failed.
    #[error("firewall: netlink")]
    Socket(#[source] io::Error),
    /// The kernel shows something that can't be read.
    #[error("firewall: read the kernel's rules")]
    Malformed(#[from] Malformed),
    /// Tables of the old iptables.
    #[error(transparent)]
    Legacy(#[from] LegacyError),
    /// Two networks or endpoints want the same.
    #[error("firewall: {element} of {set} is taken already")]
    Taken {
        /// The set.
        set: &'static str,
        /// The element, as `nft` prints it.
        element: String,
    },
    /// A change names a network that isn't there.
    #[error("firewall: network {} is not declared", .0.short(12))]
    NoNetwork(NetworkId),
    /// A change names an endpoint that isn't there.
    #[error("firewall: endpoint {} is not declared", .0.short(12))]
    NoEndpoint(EndpointId),
}

impl FirewallError {
    /// The kernel's error number, if it gave one.
    pub(crate) fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { source, .. } | Self::Unsupported { source, .. } | Self::Socket(source) => {
                source.raw_os_error()
            }
            _ => None,
        }
    }
}

impl From<NfnlError> for FirewallError {
    fn from(error: NfnlError) -> Self {
        match error {
            NfnlError::Refused(refusal) => Self::Refused {
                action: "read the kernel's rules".to_owned(),
                hint: refusal.text,
                source: refusal.errno,
            },
            NfnlError::Socket(source) => Self::Socket(source),
            NfnlError::Answer(malformed) => Self::Malformed(malformed),
        }
    }
}
