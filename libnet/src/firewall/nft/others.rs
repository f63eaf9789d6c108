//! What rules of others, a user's own among them, do that ours never do, in the words of `nft`. Pure.

use crate::sys::nfnl::attr::Attrs;

/// `NFT_REJECT_ICMPX_UNREACH`, and its codes (`NFT_REJECT_ICMPX_*`); the second needs no words.
const ICMPX: u32 = 2;
const ICMPX_CODES: [&str; 4] = ["no-route", "port-unreachable", "host-unreachable", "admin-prohibited"];
const USUAL_CODE: usize = 1;
/// `NFT_LIMIT_F_INV`; the burst that nft takes if none is named.
const OVER: u32 = 1;
const USUAL_BURST: u32 = 5;
/// syslog(3); the level that nft takes if none is named.
const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];
const USUAL_LEVEL: usize = 4;

/// An expression of this name in words; `None`: not one that is known here.
pub(crate) fn in_words(name: &str, data: &Attrs<'_>) -> Option<String> {
    match name {
        "reject" => reject(data),
        "limit" => limit(data),
        "log" => log(data),
        _ => None,
    }
}

/// `NFTA_REJECT_TYPE`, `NFTA_REJECT_ICMP_CODE`.
fn reject(data: &Attrs<'_>) -> Option<String> {
    let code = usize::from(*data.get(2)?.first()?);
    let name = ICMPX_CODES.get(code).filter(|_| data.number(1) == Ok(ICMPX))?;
    Some(if code == USUAL_CODE { "reject".to_owned() } else { format!("reject with icmpx {name}") })
}

/// `NFTA_LIMIT_RATE`, `NFTA_LIMIT_UNIT`, `NFTA_LIMIT_BURST`, `NFTA_LIMIT_TYPE` (0: packets), `NFTA_LIMIT_FLAGS`.
fn limit(data: &Attrs<'_>) -> Option<String> {
    let units = [(1, "second"), (60, "minute"), (3_600, "hour"), (86_400, "day"), (604_800, "week")];
    let (rate, unit) = (data.long(1)?, data.long(2)?);
    let (_, unit) = units.into_iter().find(|(seconds, _)| *seconds == unit)?;
    if data.number_or_zero(4).ok()? != 0 {
        return None;
    }
    let over = if data.number_or_zero(5).ok()? & OVER != 0 { "over " } else { "" };
    let burst = match data.number_or_zero(3).ok()? {
        USUAL_BURST => String::new(),
        burst => format!(" burst {burst} packets"),
    };
    Some(format!("limit rate {over}{rate}/{unit}{burst}"))
}

/// `NFTA_LOG_PREFIX`, `NFTA_LOG_LEVEL`; with a group or flags it is more than a line of the kernel's log.
fn log(data: &Attrs<'_>) -> Option<String> {
    if data.get(1).is_some() || data.number_or_zero(6).ok()? != 0 {
        return None;
    }
    let prefix = data.text(2).map(|prefix| format!(" prefix \"{prefix}\"")).unwrap_or_default();
    let level = data.number(5).map_or(USUAL_LEVEL, |level| level as usize);
    let level = match LEVELS.get(level)? {
        _ if level == USUAL_LEVEL => String::new(),
        name => format!(" level {name}"),
    };
    Some(format!("log{prefix}{level}"))
}
