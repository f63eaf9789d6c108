//! What a rule or a map's element decides of a packet.

use std::fmt;

use crate::sys::nfnl::attr::{Attrs, Malformed, Writer};

/// `NFTA_DATA_VERDICT`, `NFTA_VERDICT_CODE`, `NFTA_VERDICT_CHAIN`.
const VERDICT: u16 = 2;
const CODE: u16 = 1;
const CHAIN: u16 = 2;

/// What happens to a packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verdict {
    Accept,
    Drop,
    Return,
    Jump(String),
    Goto(String),
}

impl Verdict {
    /// `NF_DROP`, `NF_ACCEPT`, `NFT_RETURN`, `NFT_JUMP`, `NFT_GOTO`.
    fn code(&self) -> i32 {
        match self {
            Self::Drop => 0,
            Self::Accept => 1,
            Self::Jump(_) => -3,
            Self::Goto(_) => -4,
            Self::Return => -5,
        }
    }

    /// Writes it as the verdict of an immediate or of a map's element.
    pub(crate) fn write(&self, attrs: &mut Writer<'_>) {
        attrs.nested(VERDICT, |attrs| {
            attrs.bytes(CODE, &self.code().to_be_bytes());
            if let Self::Jump(chain) | Self::Goto(chain) = self {
                attrs.text(CHAIN, chain);
            }
        });
    }

    /// Reads what [`Verdict::write`] wrote; `None`: these attributes hold no verdict.
    pub(crate) fn read(attrs: &Attrs<'_>) -> Result<Option<Self>, Malformed> {
        if attrs.get(VERDICT).is_none() {
            return Ok(None);
        }
        let attrs = attrs.nested(VERDICT)?;
        let chain = || attrs.text(CHAIN).map(str::to_owned);
        let verdict = match attrs.number(CODE)?.cast_signed() {
            0 => Self::Drop,
            1 => Self::Accept,
            -3 => Self::Jump(chain()?),
            -4 => Self::Goto(chain()?),
            -5 => Self::Return,
            _ => return Err(Malformed),
        };
        Ok(Some(verdict))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
            Self::Return => f.write_str("return"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Goto(chain) => write!(f, "goto {chain}"),
        }
    }
}
