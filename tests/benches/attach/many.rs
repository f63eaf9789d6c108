//! Ten thousand containers, or as many as there is memory and time for: a bridge for every five hundred, no ports.

use std::{
    fs,
    time::{Duration, Instant},
};

use tests::Lab;

use super::{EDGE, floor::Floor, grows, median, subject::Subject, timed};

const MANY: usize = 10_000;
/// A bridge holds 1,023 ports, and gets slower with each.
const PER_BRIDGE: usize = 500;
/// Memory that is left to others, in KiB.
const SPARE: u64 = 4 << 20;
/// When the next bridge is not begun any more: most of the time goes into making namespaces, which nobody measures.
const PATIENCE: Duration = Duration::from_secs(180);
/// Each bridge is compared at the same fill, or its own growth would be seen.
const FROM: usize = PER_BRIDGE - EDGE;

pub fn bridges() {
    let lab = Lab::new();
    let (ours, theirs) = (lab.host("many"), lab.host("many-floor"));
    let host = ours.run(|| Subject::open(0, MANY / PER_BRIDGE));
    let mut floor = theirs.run(Floor::open);
    let (mut attach, mut least) = (Vec::new(), Vec::new());
    let (mut count, began) = (0, Instant::now());
    ours.run(|| {
        while count < MANY && available() > SPARE && began.elapsed() < PATIENCE {
            for number in count..count + PER_BRIDGE {
                floor.prepare();
                floor.name_namespace(number);
                least.push(timed(|| floor.attach(number)).0);
                let sandbox = host.open_sandbox(number);
                // The names of both keep the namespaces: the handles go, since descriptors are few.
                attach.push(timed(|| host.attach(&sandbox, number, number / PER_BRIDGE)).0);
            }
            count += PER_BRIDGE;
            floor.next_bridge(count / PER_BRIDGE);
        }
    });
    let full = |times: &[Duration]| -> Vec<Duration> {
        times.chunks(PER_BRIDGE).flat_map(|bridge| bridge[FROM..].to_vec()).collect()
    };
    let (attach, least) = (full(&attach), full(&least));
    println!(
        "{count} containers, {PER_BRIDGE} on each bridge: the last of the first bridge {:.0} us, of the last {:.0} us",
        median(&attach[..EDGE]),
        median(&attach[attach.len() - EDGE..])
    );
    println!("number {count} / number {PER_BRIDGE}: {:.2} (floor: {:.2})", grows(&attach), grows(&least));
}

/// Memory that programs could still have, in KiB.
fn available() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").expect("procfs");
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).expect("its line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
