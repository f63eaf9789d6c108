//! A filter as rules: what Docker's profiles say once their conditions (capabilities, architecture) are settled.

use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArgBuilder, LinuxSeccompBuilder,
    LinuxSeccompOperator, LinuxSyscallBuilder,
};
use serde::Deserialize;

use super::default;
use crate::error::BundleError;
use crate::spec::Seccomp;

/// A settled profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    /// For calls that no rule names.
    pub(super) fallback: Action,
    pub(super) rules: Vec<Rule>,
}

/// Some calls, perhaps only with certain arguments, and what becomes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) names: Vec<String>,
    pub(super) action: Action,
    pub(super) args: Vec<Arg>,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    Allow,
    Log,
    Trace(u32),
    Errno(u32),
    Trap,
    KillThread,
    KillProcess,
}

/// A condition on one argument. All conditions of a rule must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arg {
    pub(super) index: u8,
    pub(super) value: u64,
    pub(super) value_two: u64,
    pub(super) op: Op,
}

/// How an argument is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Op {
    #[serde(rename = "SCMP_CMP_EQ")]
    Equal,
    #[serde(rename = "SCMP_CMP_NE")]
    NotEqual,
    #[serde(rename = "SCMP_CMP_LT")]
    Less,
    #[serde(rename = "SCMP_CMP_LE")]
    LessOrEqual,
    #[serde(rename = "SCMP_CMP_GT")]
    Greater,
    #[serde(rename = "SCMP_CMP_GE")]
    GreaterOrEqual,
    /// `argument & value == value_two`.
    #[serde(rename = "SCMP_CMP_MASKED_EQ")]
    MaskedEqual,
}

/// The profile that `seccomp` means for a container with these capabilities; `None` is no filter.
pub(crate) fn profile(seccomp: &Seccomp, capabilities: &[String]) -> Result<Option<Profile>, BundleError> {
    match seccomp {
        Seccomp::Default => Ok(Some(default::policy(capabilities))),
        Seccomp::Unconfined => Ok(None),
        Seccomp::Profile(text) => parse(text, capabilities).map(Some),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileProfile {
    default_action: String,
    default_errno_ret: Option<u32>,
    #[serde(default)]
    syscalls: Option<Vec<FileRule>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileRule {
    name: Option<String>,
    #[serde(default)]
    names: Option<Vec<String>>,
    action: String,
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Option<Vec<FileArg>>,
    #[serde(default)]
    includes: Option<FileFilter>,
    #[serde(default)]
    excludes: Option<FileFilter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileArg {
    index: u8,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: Op,
}

#[derive(Default, Deserialize)]
struct FileFilter {
    #[serde(default)]
    caps: Vec<String>,
    #[serde(default)]
    arches: Vec<String>,
}

/// Go's name of this architecture, which profiles use.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

fn parse(text: &str, capabilities: &[String]) -> Result<Profile, BundleError> {
    let file: FileProfile =
        serde_json::from_str(text).map_err(|error| BundleError::Seccomp(error.to_string()))?;
    let fallback = action(&file.default_action, file.default_errno_ret)?;
    let applies = |rule: &FileRule| {
        let has = |cap: &String| capabilities.contains(cap);
        let included = rule.includes.as_ref().is_none_or(|filter| {
            filter.caps.iter().all(has)
                && (filter.arches.is_empty() || filter.arches.iter().any(|arch| arch == ARCHITECTURE))
        });
        let excluded = rule.excludes.as_ref().is_some_and(|filter| {
            filter.caps.iter().any(has) || filter.arches.iter().any(|arch| arch == ARCHITECTURE)
        });
        included && !excluded
    };
    let rules =
        file.syscalls.unwrap_or_default().into_iter().filter(applies).map(rule).collect::<Result<_, _>>()?;
    Ok(Profile { fallback, rules })
}

fn rule(file: FileRule) -> Result<Rule, BundleError> {
    let arg = |arg: FileArg| Arg { index: arg.index, value: arg.value, value_two: arg.value_two, op: arg.op };
    Ok(Rule {
        action: action(&file.action, file.errno_ret)?,
        names: file.names.unwrap_or_default().into_iter().chain(file.name).collect(),
        args: file.args.unwrap_or_default().into_iter().map(arg).collect(),
    })
}

fn action(text: &str, errno: Option<u32>) -> Result<Action, BundleError> {
    const EPERM: u32 = 1;
    Ok(match text {
        "SCMP_ACT_ALLOW" => Action::Allow,
        "SCMP_ACT_LOG" => Action::Log,
        "SCMP_ACT_TRACE" => Action::Trace(errno.unwrap_or(EPERM)),
        "SCMP_ACT_ERRNO" => Action::Errno(errno.unwrap_or(EPERM)),
        "SCMP_ACT_TRAP" => Action::Trap,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action::KillThread,
        "SCMP_ACT_KILL_PROCESS" => Action::KillProcess,
        other => return Err(BundleError::Seccomp(format!("unsupported action {other}"))),
    })
}

/// The profile as it stands in a bundle.
pub(crate) fn to_oci(profile: &Profile) -> Result<LinuxSeccomp, oci_spec::OciSpecError> {
    let syscalls = profile.rules.iter().map(|rule| {
        let (action, errno) = oci_action(rule.action);
        let args = rule.args.iter().map(|arg| {
            LinuxSeccompArgBuilder::default()
                .index(usize::from(arg.index))
                .value(arg.value)
                .value_two(arg.value_two)
                .op(oci_operator(arg.op))
                .build()
        });
        let mut syscall = LinuxSyscallBuilder::default().names(rule.names.clone()).action(action);
        if let Some(errno) = errno {
            syscall = syscall.errno_ret(errno);
        }
        if !rule.args.is_empty() {
            syscall = syscall.args(args.collect::<Result<Vec<_>, _>>()?);
        }
        syscall.build()
    });
    let (fallback, errno) = oci_action(profile.fallback);
    let mut seccomp = LinuxSeccompBuilder::default()
        .default_action(fallback)
        .architectures(architectures())
        .syscalls(syscalls.collect::<Result<Vec<_>, _>>()?);
    if let Some(errno) = errno {
        seccomp = seccomp.default_errno_ret(errno);
    }
    seccomp.build()
}

fn architectures() -> Vec<Arch> {
    if cfg!(target_arch = "aarch64") { vec![Arch::ScmpArchAarch64] } else { vec![Arch::ScmpArchX86_64] }
}

fn oci_action(action: Action) -> (LinuxSeccompAction, Option<u32>) {
    match action {
        Action::Allow => (LinuxSeccompAction::ScmpActAllow, None),
        Action::Log => (LinuxSeccompAction::ScmpActLog, None),
        Action::Trace(errno) => (LinuxSeccompAction::ScmpActTrace, Some(errno)),
        Action::Errno(errno) => (LinuxSeccompAction::ScmpActErrno, Some(errno)),
        Action::Trap => (LinuxSeccompAction::ScmpActTrap, None),
        Action::KillThread => (LinuxSeccompAction::ScmpActKillThread, None),
        Action::KillProcess => (LinuxSeccompAction::ScmpActKillProcess, None),
    }
}

fn oci_operator(op: Op) -> LinuxSeccompOperator {
    match op {
        Op::Equal => LinuxSeccompOperator::ScmpCmpEq,
        Op::NotEqual => LinuxSeccompOperator::ScmpCmpNe,
        Op::Less => LinuxSeccompOperator::ScmpCmpLt,
        Op::LessOrEqual => LinuxSeccompOperator::ScmpCmpLe,
        Op::Greater => LinuxSeccompOperator::ScmpCmpGt,
        Op::GreaterOrEqual => LinuxSeccompOperator::ScmpCmpGe,
        Op::MaskedEqual => LinuxSeccompOperator::ScmpCmpMaskedEq,
    }
}
