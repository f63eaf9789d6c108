//! nf_tables as typed values: expressions and rules, sets and their elements, the operations of a transaction, and what
//! the kernel shows of all that. Knows netlink's numbers, and nothing of networks.

pub(crate) mod chain;
pub(crate) mod dump;
pub(crate) mod expr;
pub(crate) mod field;
pub(crate) mod flow;
pub(crate) mod matches;
pub(crate) mod nat;
pub(crate) mod op;
pub(crate) mod others;
pub(crate) mod rule;
pub(crate) mod set;
pub(crate) mod source;
pub(crate) mod verdict;
