//! Who announces an address on a link, and when.

use std::io::{BufRead, BufReader, Read, Write};

use super::{host::Host, output::Process};

/// Prints when a gratuitous ARP request or an unsolicited neighbour advertisement told whose an address is, by the
/// kernel's clock: this program may read it late. Once it is told that nothing more is begun, it ends with the first
/// silence that is longer than any pause between announcements.
const PROGRAM: &str = r#"
import select, socket, struct, sys
link, address = sys.argv[1:]
six = ":" in address
wanted = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, address)
SO_TIMESTAMP = 29
frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x86dd if six else 0x0806))
frames.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
frames.bind((link, 0))
def tells(frame):
    if six:
        return frame[20] == 58 and frame[54] == 136 and frame[62:78] == wanted and frame[38] == 0xff
    return frame[28:32] == wanted == frame[38:42]
print("ready", flush=True)
inputs, silence = [frames, sys.stdin], None
while True:
    ready, _, _ = select.select(inputs, [], [], silence)
    if not ready:
        break
    if frames in ready:
        frame, [(_, _, stamp)], _, _ = frames.recvmsg(2048, 64)
        seconds, micros = struct.unpack("ll", stamp)
        if tells(frame): print(seconds + micros / 1e6, flush=True)
    if sys.stdin in ready:
        sys.stdin.readline()
        inputs, silence = [frames], 5
"#;

/// A listener for the announcements of one address.
#[derive(Debug)]
pub struct Sniffer {
    process: Process,
    lines: BufReader<std::process::ChildStdout>,
}

impl Sniffer {
    /// Listens at a link of a host from now on.
    ///
    /// # Panics
    /// If it can't.
    #[track_caller]
    pub fn start(host: &Host, link: &str, address: &str) -> Self {
        let mut process = host.spawn(["python3", "-c", PROGRAM, link, address]);
        let mut lines = BufReader::new(process.child.stdout.take().expect("piped"));
        let mut ready = String::new();
        lines.read_line(&mut ready).expect("it speaks");
        assert_eq!(ready, "ready\n", "nobody listens at {link}");
        Self { process, lines }
    }

    /// What each heard until nothing more came: times in seconds.
    ///
    /// # Panics
    /// If a listener ended before.
    #[track_caller]
    pub fn heard<const N: usize>(mut all: [Self; N]) -> [Vec<f64>; N] {
        for sniffer in &mut all {
            sniffer.process.child.stdin.take().expect("piped").write_all(b"\n").expect("it listens");
        }
        all.map(|mut sniffer| {
            let mut text = String::new();
            sniffer.lines.read_to_string(&mut text).expect("text");
            text.lines().map(|line| line.parse().expect("a time")).collect()
        })
    }
}
