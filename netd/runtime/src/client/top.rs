//! The processes of a container, and what `ps` says about them.

use std::collections::BTreeSet;
use std::fs;

use tokio::process::Command;

use super::values::Top;
use crate::cgroup::Layout;
use crate::error::RuntimeError;
use crate::protocol::Report;

/// The container's processes: its v2 group knows them all; without one, the first process and its descendants.
pub(super) fn members(layout: &Layout, report: &Report) -> Vec<i32> {
    let listed = layout
        .v2
        .as_ref()
        .and_then(|(mount, _)| fs::read_to_string(mount.join(&report.cgroup).join("cgroup.procs")).ok())
        .unwrap_or_default();
    let members: Vec<i32> = listed.lines().filter_map(|line| line.parse().ok()).collect();
    if members.is_empty() { family(report.pid) } else { members }
}

fn family(first: i32) -> Vec<i32> {
    let mut all = vec![first];
    let mut next = 0;
    while let Some(pid) = all.get(next).copied() {
        next += 1;
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        all.extend(children.split_whitespace().filter_map(|child| child.parse::<i32>().ok()));
    }
    all
}

/// Runs `ps` and keeps the rows of `members`.
pub(super) async fn run(ps_args: &str, members: &[i32]) -> Result<Top, RuntimeError> {
    let args: Vec<&str> =
        if ps_args.trim().is_empty() { vec!["-ef"] } else { ps_args.split_whitespace().collect() };
    let output = Command::new("ps").args(&args).output().await;
    let output = output.map_err(|error| RuntimeError::Refused(format!("cannot run ps: {error}")))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(RuntimeError::Refused(format!("ps: {}", text.trim())));
    }
    let members: BTreeSet<String> = members.iter().map(ToString::to_string).collect();
    select(&String::from_utf8_lossy(&output.stdout), &members)
}

fn select(text: &str, members: &BTreeSet<String>) -> Result<Top, RuntimeError> {
    let mut lines = text.lines();
    let titles: Vec<String> =
        lines.next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let Some(column) = titles.iter().position(|title| title == "PID") else {
        return Err(RuntimeError::Refused("Couldn't find PID field in ps output".to_owned()));
    };
    let row = |line: &str| -> Vec<String> {
        // the last column, the command, may hold blanks
        let mut fields: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if fields.len() > titles.len() && !titles.is_empty() {
            let rest = fields.split_off(titles.len() - 1).join(" ");
            fields.push(rest);
        }
        fields
    };
    let ours = |fields: &Vec<String>| fields.get(column).is_some_and(|pid| members.contains(pid));
    let processes = lines.map(row).filter(ours).collect();
    Ok(Top { titles, processes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_container_are_kept_whole() {
        let text = "UID   PID CMD\nroot    1 /sbin/init splash\nroot  42 sleep 5\n";
        let top = select(text, &["1".to_owned()].into()).unwrap();
        assert_eq!(top.titles, ["UID", "PID", "CMD"]);
        assert_eq!(top.processes, [["root", "1", "/sbin/init splash"]]);
    }
}
