//! Names while the daemon that serves them is killed, stopped, replaced, and started again, counted question by question.

use tests::{Lab, Machine, NetdOptions, eventually};

/// Asks for `cc` a thousand times a second for so many seconds; says how many questions were asked, answered rightly,
/// answered wrongly, not answered. Each may take as long as resolvers wait: 5 s.
const CLIENT: &str = r#"
import select, socket, struct, sys, time
seconds, right = int(sys.argv[1]), socket.inet_aton(sys.argv[2])
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
sock.connect(("127.0.0.11", 53)); sock.setblocking(False)
name = b"\x02cc\x00"
open_, good, bad, asked, slowest = {}, 0, 0, 0, 0.0
start = time.monotonic(); end = start + seconds
while True:
    now = time.monotonic()
    while now < end and asked < (now - start) * 1000:
        asked += 1
        open_[asked & 0xffff] = now
        sock.send(struct.pack("!6H", asked & 0xffff, 0x0100, 1, 0, 0, 0) + name + b"\x00\x01\x00\x01")
    if now > end and (not open_ or now > end + 5): break
    if not select.select([sock], [], [], 0.001)[0]: continue
    while True:
        try: reply = sock.recv(512)
        except BlockingIOError: break
        except ConnectionRefusedError: bad += 1; break
        since = open_.pop(struct.unpack("!H", reply[:2])[0], None)
        ok = since is not None and reply[3] & 15 == 0 and reply[6:8] == b"\x00\x01" and reply[-4:] == right
        good, bad = good + ok, bad + (not ok)
        slowest = max(slowest, time.monotonic() - (since or start))
print(asked, good, bad, len(open_)); print("slowest", round(slowest, 3), file=sys.stderr)
"#;

/// Asks while `act` does what it does to the daemon; each question must have had its answer.
fn count_while(machine: &mut Machine, act: impl FnOnce(&mut Machine)) {
    machine.pontoon(["network", "create", "--subnet", "10.79.0.0/24", "web"]).ok();
    machine.start("cc", &["--network", "web", "--ip", "10.79.0.9"], &["sleep", "1000"]);
    assert_eq!(machine.pontoon(["exec", "cc", "dig", "+short", "cc"]).ok(), "10.79.0.9");

    // Not through the daemon, which dies: in the container's namespace, where its socket is.
    let count = "/run/lab/count";
    let line = format!(
        "nsenter --net=$(echo /run/netns/pontoon-[0-9a-f]*) python3 - 6 10.79.0.9 > {count} 2> {count}.err <<'END'{CLIENT}END"
    );
    let mut client = machine.spawn(["bash", "-c", &line]);
    act(machine);
    eventually("the client ends", || client.child.try_wait().ok().flatten().ok_or("it runs"));
    let text = std::fs::read_to_string(machine.path(count)).unwrap_or_default();
    let talk = std::fs::read_to_string(machine.path(&format!("{count}.err"))).unwrap_or_default();
    let numbers: Vec<u32> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [asked, right, wrong, lost] = numbers[..] else { panic!("{text} {talk}") };
    assert!(asked > 5_000, "a thousand a second for six seconds: {asked}");
    assert_eq!((right, wrong, lost), (asked, 0, 0), "of {asked}: right, wrong, lost; {talk}");
}

#[test]
fn no_question_is_lost_while_the_daemon_is_killed_and_started_again() {
    let mut machine = Lab::new().machine("aa");
    count_while(&mut machine, |machine| {
        for _ in 0..3 {
            machine.kill_netd();
            machine.start_netd();
        }
    });
}

#[test]
fn no_question_is_lost_while_the_daemon_is_replaced_by_another_program() {
    let config = Some(r#"{"live-restore": true}"#.to_owned());
    let mut machine = Lab::new().machine_with("aa", NetdOptions { config, ..NetdOptions::default() });
    let programs = ["/run/lab/one", "/run/lab/two"].map(|folder| machine.copy_programs(folder));
    count_while(&mut machine, |machine| {
        let [one, two] = programs;
        machine.stop_netd();
        machine.use_netd(one);
        machine.start_netd();
        assert_eq!(machine.running_netd(), "/run/lab/one/netd");
        machine.kill_netd();
        machine.use_netd(two);
        machine.start_netd();
        assert_eq!(machine.running_netd(), "/run/lab/two/netd");
    });
    // What is left to itself is not cleaned up.
    machine.set_config("{}");
    machine.kill_netd();
    machine.start_netd();
}
