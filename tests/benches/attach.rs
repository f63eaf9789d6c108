//! What it costs to attach a container to a bridge with one published port, beside the least that the kernel asks for
//! it: the same netlink messages, written by hand, on a bridge of their own. Both take turns, so that a busy machine
//! is busy for both. All endpoints stay until the last is there: the figures show what number 500 pays. Then the same
//! for ten thousand containers without ports, [`PER_BRIDGE`] on each bridge (a bridge holds 1,023), or for as many as
//! there is memory and time for.
//!
//! `cargo bench -p tests --bench attach [-- COUNT]`

#[path = "attach/floor.rs"]
mod floor;
#[path = "attach/many.rs"]
mod many;
#[path = "attach/subject.rs"]
mod subject;

use std::time::{Duration, Instant};

use floor::Floor;
use subject::{READY, Subject};
use tests::{Lab, eventually};

/// So many of the first and of the last are compared.
const EDGE: usize = 25;

fn main() {
    // Cargo hands its own flags on.
    let count =
        std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(500_usize).max(EDGE * 2);
    one_bridge(count);
    many::bridges();
}

fn one_bridge(count: usize) {
    let lab = Lab::new();
    let (ours, theirs) = (lab.host("ours"), lab.host("floor"));
    let host = ours.run(|| Subject::open(READY, 1));
    let mut floor = theirs.run(Floor::open);
    let (mut attach, mut least) = (Phases::default(), Phases::default());
    let (mut sandboxes, mut ends) = (Vec::new(), Vec::new());
    ours.run(|| {
        for number in 0..count {
            floor.prepare();
            least.namespace.push(timed(|| floor.name_namespace(number)).0);
            let (took, end) = timed(|| floor.attach(number));
            least.attach.push(took);
            ends.push(end);
            // Containers do not come one per millisecond for ever: the pool is full, as the floor's is.
            eventually("namespaces are ready", || (host.ready() == READY).then_some(()).ok_or(host.ready()));
            let (took, sandbox) = timed(|| host.open_sandbox(number));
            attach.namespace.push(took);
            attach.attach.push(timed(|| host.attach(&sandbox, number, 0)).0);
            sandboxes.push(sandbox);
        }
        for (number, (sandbox, end)) in sandboxes.into_iter().zip(ends).enumerate() {
            least.detach.push(timed(|| floor.detach(end)).0);
            attach.detach.push(timed(|| host.detach(&sandbox, number)).0);
            attach.close.push(timed(|| host.close(sandbox)).0);
        }
    });
    report(&attach, &least);
}

#[derive(Default)]
struct Phases {
    namespace: Vec<Duration>,
    attach: Vec<Duration>,
    detach: Vec<Duration>,
    close: Vec<Duration>,
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

fn median(times: &[Duration]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

fn report(ours: &Phases, floor: &Phases) {
    println!("median us | all | first {EDGE} | last {EDGE}");
    let row = |name: &str, times: &[Duration]| {
        let (first, last) = (&times[..EDGE], &times[times.len() - EDGE..]);
        println!("{name} | {:.0} | {:.0} | {:.0}", median(times), median(first), median(last));
    };
    row("floor: name a ready namespace", &floor.namespace);
    row("floor: attach (veth, address, route)", &floor.attach);
    row("floor: detach (link down)", &floor.detach);
    row("pontoon: open a sandbox", &ours.namespace);
    row("pontoon: attach (with port and firewall)", &ours.attach);
    row("pontoon: detach", &ours.detach);
    row("pontoon: close a sandbox", &ours.close);
    let sum = |phases: &Phases| -> Vec<Duration> {
        phases.namespace.iter().zip(&phases.attach).map(|(a, b)| *a + *b).collect()
    };
    let (ours, floor) = (sum(ours), sum(floor));
    println!("attach / floor: {:.2}", median(&ours) / median(&floor));
    println!("number {} / number 1: {:.2} (floor: {:.2})", ours.len(), grows(&ours), grows(&floor));
}

/// How much longer the last take than the first.
fn grows(times: &[Duration]) -> f64 {
    median(&times[times.len() - EDGE..]) / median(&times[..EDGE])
}
