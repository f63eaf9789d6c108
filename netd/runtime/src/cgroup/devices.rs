//! Device rules as an eBPF program, which is how a v2 cgroup keeps them. Pure: rules in, instructions out.
//!
//! The kernel calls the program for every open or mknod of a device with three numbers: access and type, major, minor.
//! It answers 1 (allowed) or 0. The last rule that matches counts, so the program asks the last one first.

use crate::launch::DeviceRule;

/// `BPF_DEVCG_DEV_*` and `BPF_DEVCG_ACC_*` of the kernel's `bpf.h`.
const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;
const MAKE: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;

/// Registers: the answer, the context, and what is read from it.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const TYPE: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

/// Instruction codes of eBPF.
const LOAD_WORD: u8 = 0x61;
const SHIFT_RIGHT: u8 = 0x77;
const AND: u8 = 0x57;
const MOVE: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const JUMP_UNLESS: u8 = 0x55;
const JUMP_UNLESS_REGISTER: u8 = 0x5d;
const EXIT: u8 = 0x95;

/// One instruction as the kernel reads it.
fn instruction(code: u8, to: u8, from: u8, offset: u16, value: i32) -> u64 {
    u64::from(code)
        | u64::from(to) << 8
        | u64::from(from) << 12
        | u64::from(offset) << 16
        | u64::from(value.cast_unsigned()) << 32
}

/// A rule in numbers; `None` stands for any.
struct Rule {
    kind: Option<i32>,
    access: i32,
    major: Option<i32>,
    minor: Option<i32>,
    allow: bool,
}

fn read(rule: &DeviceRule) -> Option<Rule> {
    let mut words = rule.text.split(' ');
    let kind = match words.next()? {
        "a" => None,
        "b" => Some(BLOCK),
        "c" => Some(CHARACTER),
        _ => return None,
    };
    let (major, minor) = words.next()?.split_once(':')?;
    let number = |text: &str| if text == "*" { Some(None) } else { text.parse().ok().map(Some) };
    let access = words.next()?.chars().map(|letter| match letter {
        'r' => READ,
        'w' => WRITE,
        _ => MAKE,
    });
    let access = access.fold(0, |all, one| all | one);
    Some(Rule { kind, access, major: number(major)?, minor: number(minor)?, allow: rule.allow })
}

/// The program that keeps `rules`; what no rule names is refused.
pub(super) fn program(rules: &[DeviceRule]) -> Result<Vec<u64>, String> {
    let mut program = vec![
        instruction(LOAD_WORD, TYPE, CONTEXT, 0, 0),
        instruction(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        instruction(LOAD_WORD, MINOR, CONTEXT, 8, 0),
        instruction(MOVE_REGISTER, ACCESS, TYPE, 0, 0),
        instruction(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        instruction(AND, TYPE, 0, 0, 0xffff),
    ];
    for rule in rules.iter().rev() {
        let rule = read(rule).ok_or_else(|| format!("device rule {:?} can't be read", rule.text))?;
        let mut steps = steps(&rule);
        let matches_all = steps.len() == ANSWER_LENGTH;
        program.append(&mut steps);
        if matches_all {
            // the kernel refuses programs with steps that are never reached
            return Ok(program);
        }
    }
    program.push(instruction(MOVE, ANSWER, 0, 0, 0));
    program.push(instruction(EXIT, 0, 0, 0, 0));
    Ok(program)
}

/// Steps that give an answer.
const ANSWER_LENGTH: usize = 2;

fn steps(rule: &Rule) -> Vec<u64> {
    // each test skips what is left of the rule; how much that is shows at the end
    let mut tests: Vec<(u8, u8, u8, i32)> = Vec::new();
    if let Some(kind) = rule.kind {
        tests.push((JUMP_UNLESS, TYPE, 0, kind));
    }
    if rule.access != MAKE | READ | WRITE {
        tests.push((MOVE_REGISTER, ANSWER, ACCESS, 0));
        tests.push((AND, ANSWER, 0, rule.access));
        tests.push((JUMP_UNLESS_REGISTER, ANSWER, ACCESS, 0));
    }
    for (register, number) in [(MAJOR, rule.major), (MINOR, rule.minor)] {
        if let Some(number) = number {
            tests.push((JUMP_UNLESS, register, 0, number));
        }
    }
    let length = tests.len();
    let mut steps: Vec<u64> = tests
        .into_iter()
        .enumerate()
        .map(|(at, (code, to, from, value))| {
            let jumps = code == JUMP_UNLESS || code == JUMP_UNLESS_REGISTER;
            // over the tests that follow, and over the answer
            let offset = if jumps { u16::try_from(length - at + 1).unwrap_or(u16::MAX) } else { 0 };
            instruction(code, to, from, offset, value)
        })
        .collect();
    steps.push(instruction(MOVE, ANSWER, 0, 0, i32::from(rule.allow)));
    steps.push(instruction(EXIT, 0, 0, 0, 0));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(allow: bool, text: &str) -> DeviceRule {
        DeviceRule { allow, text: text.to_owned() }
    }

    /// Runs a program as the kernel would, on the few instructions that it uses.
    fn ask(program: &[u64], kind: u32, access: u32, major: u32, minor: u32) -> u64 {
        let context = [access << 16 | kind, major, minor];
        let mut registers = [0_u64; 16];
        let mut at = 0;
        loop {
            let word = program[at];
            let (code, to, from) = (word as u8, (word >> 8) as usize & 0xf, (word >> 12) as usize & 0xf);
            let (offset, value) = ((word >> 16) as u16 as usize, (word >> 32) as u32);
            at += 1;
            match code {
                LOAD_WORD => registers[to] = context[offset / 4].into(),
                MOVE_REGISTER => registers[to] = registers[from],
                MOVE => registers[to] = value.into(),
                SHIFT_RIGHT => registers[to] >>= value,
                AND => registers[to] &= u64::from(value),
                JUMP_UNLESS if registers[to] != u64::from(value) => at += offset,
                JUMP_UNLESS_REGISTER if registers[to] != registers[from] => at += offset,
                JUMP_UNLESS | JUMP_UNLESS_REGISTER => {}
                EXIT => return registers[0],
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    #[test]
    fn the_last_rule_that_matches_counts() {
        let rules = [
            rule(false, "a *:* rwm"),
            rule(true, "c *:* m"),
            rule(true, "c 1:3 rwm"),
            rule(true, "b 8:* r"),
            rule(false, "b 8:1 rwm"),
        ];
        let program = program(&rules).unwrap();
        let (block, character, make, read, write) = (1, 2, 1, 2, 4);
        let cases = [
            (character, read | write, 1, 3, 1),
            (character, read, 1, 1, 0),
            (character, make, 1, 1, 1),
            (character, make | read, 1, 1, 0),
            (block, make, 7, 7, 0),
            (block, read, 8, 2, 1),
            (block, read | write, 8, 2, 0),
            (block, read, 8, 1, 0),
        ];
        for (kind, access, major, minor, expected) in cases {
            assert_eq!(
                ask(&program, kind, access, major, minor),
                expected,
                "{kind} {access} {major}:{minor}"
            );
        }
        assert!(super::program(&[rule(true, "x 1:2 r")]).is_err());
        assert_eq!(ask(&super::program(&[]).unwrap(), block, read, 1, 1), 0);
        assert_eq!(ask(&super::program(&[rule(true, "a *:* rwm")]).unwrap(), block, read, 1, 1), 1);
    }
}
