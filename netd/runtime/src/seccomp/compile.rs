//! Rules into BPF. `seccompiler` knows one action per filter, and the kernel takes the strictest answer of all filters
//! that are loaded; so a profile becomes an allow-list plus one filter for each other action.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use super::profile::{Action, Arg, Op, Profile, Rule, profile};
use super::syscalls;
use crate::error::BundleError;
use crate::spec::Seccomp;

/// What a filter depends on: the profile and the capabilities.
type Key = (Seccomp, Vec<String>);

/// Compiled filters, kept: nearly all containers have the same one, and compiling takes longer than loading.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    known: Mutex<HashMap<Key, Vec<String>>>,
}

/// How many different filters are kept.
const KEPT: usize = 64;

impl Filters {
    /// The filters for a process with these capabilities, in the order of loading, base64.
    pub(crate) fn get(&self, seccomp: &Seccomp, capabilities: &[String]) -> Result<Vec<String>, BundleError> {
        let key = (seccomp.clone(), capabilities.to_vec());
        if let Some(filters) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(filters.clone());
        }
        let filters = match profile(seccomp, capabilities)? {
            Some(profile) => compile(&profile)?,
            None => Vec::new(),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(key, filters.clone());
        Ok(filters)
    }
}

type Table = BTreeMap<i64, Vec<SeccompRule>>;

/// Compiles a profile.
pub(crate) fn compile(profile: &Profile) -> Result<Vec<String>, BundleError> {
    let mut actions: Vec<Action> = profile.rules.iter().map(|rule| rule.action).collect();
    actions.sort_unstable();
    actions.dedup();
    let mut programs = Vec::new();
    for action in actions.into_iter().filter(|action| *action != Action::Allow && *action != profile.fallback)
    {
        let table = table(profile.rules.iter().filter(|rule| rule.action == action))?;
        programs.push(program(table, Action::Allow, action)?);
    }
    if profile.fallback != Action::Allow {
        // whatever has a rule of its own passes here, and meets its own filter
        let table = table(profile.rules.iter().filter(|rule| rule.action != profile.fallback))?;
        programs.push(program(table, profile.fallback, Action::Allow)?);
    }
    Ok(programs.iter().map(encode).collect())
}

fn invalid(error: impl std::fmt::Display) -> BundleError {
    BundleError::Seccomp(error.to_string())
}

fn program(table: Table, mismatch: Action, matched: Action) -> Result<BpfProgram, BundleError> {
    let target: TargetArch = std::env::consts::ARCH.try_into().map_err(invalid)?;
    let filter = SeccompFilter::new(table.into_iter().collect(), action(mismatch), action(matched), target);
    filter.map_err(invalid)?.try_into().map_err(invalid)
}

fn table<'a>(rules: impl Iterator<Item = &'a Rule>) -> Result<Table, BundleError> {
    let mut table = Table::new();
    let mut unconditional = Vec::new();
    for rule in rules {
        // a name that this kernel does not have can't be called either
        for number in rule.names.iter().filter_map(|name| syscalls::number(name)) {
            let conditions = table.entry(number).or_default();
            if rule.args.is_empty() {
                unconditional.push(number);
            } else {
                conditions.push(condition(&rule.args)?);
            }
        }
    }
    for number in unconditional {
        table.insert(number, Vec::new());
    }
    Ok(table)
}

fn condition(args: &[Arg]) -> Result<SeccompRule, BundleError> {
    let one = |arg: &Arg| {
        let (op, value) = match arg.op {
            Op::Equal => (SeccompCmpOp::Eq, arg.value),
            Op::NotEqual => (SeccompCmpOp::Ne, arg.value),
            Op::Less => (SeccompCmpOp::Lt, arg.value),
            Op::LessOrEqual => (SeccompCmpOp::Le, arg.value),
            Op::Greater => (SeccompCmpOp::Gt, arg.value),
            Op::GreaterOrEqual => (SeccompCmpOp::Ge, arg.value),
            Op::MaskedEqual => (SeccompCmpOp::MaskedEq(arg.value), arg.value_two),
        };
        SeccompCondition::new(arg.index, SeccompCmpArgLen::Qword, op, value).map_err(invalid)
    };
    SeccompRule::new(args.iter().map(one).collect::<Result<_, _>>()?).map_err(invalid)
}

fn action(action: Action) -> SeccompAction {
    match action {
        Action::Allow => SeccompAction::Allow,
        Action::Log => SeccompAction::Log,
        Action::Trace(value) => SeccompAction::Trace(value),
        Action::Errno(value) => SeccompAction::Errno(value),
        Action::Trap => SeccompAction::Trap,
        Action::KillThread => SeccompAction::KillThread,
        Action::KillProcess => SeccompAction::KillProcess,
    }
}

fn encode(program: &BpfProgram) -> String {
    let mut bytes = Vec::with_capacity(program.len() * 8);
    for instruction in program {
        bytes.extend_from_slice(&instruction.code.to_ne_bytes());
        bytes.extend_from_slice(&[instruction.jt, instruction.jf]);
        bytes.extend_from_slice(&instruction.k.to_ne_bytes());
    }
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_is_an_allow_list_and_an_enosys() {
        let caps = crate::capabilities::defaults();
        let filters = Filters::default().get(&Seccomp::Default, &caps).unwrap();
        assert_eq!(filters.len(), 2, "clone3 -> ENOSYS, and the allow-list");
        // the kernel takes 4096 instructions of 8 bytes at most
        assert!(filters.iter().all(|filter| filter.len() < 4096 * 8 * 4 / 3));
    }

    #[test]
    fn profiles_of_users_are_read() {
        let text = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
            {"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":13},
            {"name":"chmod","action":"SCMP_ACT_ERRNO","includes":{"caps":["CAP_SYS_ADMIN"]}}]}"#;
        let seccomp = Seccomp::Profile(text.to_owned());
        let settled = profile(&seccomp, &[]).unwrap().unwrap();
        assert_eq!(settled.rules.len(), 1);
        assert_eq!(compile(&settled).unwrap().len(), 1);
        let broken = Seccomp::Profile("{".to_owned());
        assert!(matches!(profile(&broken, &[]), Err(BundleError::Seccomp(_))));
    }
}
