//! Batches over real sockets, and who comes after one that died.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;

use proptest::prelude::*;

use super::{Batch, Leave, Received};

/// The longest message that a batch takes.
const ROOM: usize = crate::answer::MAX_UDP as usize;

/// A server's socket and its client.
fn pair() -> (UdpSocket, UdpSocket) {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    server.set_nonblocking(true).unwrap();
    (server, client)
}

/// What serves the socket between two kills.
struct Life<'s> {
    socket: &'s UdpSocket,
    batch: Batch,
    leave: Leave,
}

impl<'s> Life<'s> {
    fn begin(socket: &'s UdpSocket) -> Self {
        Self { socket, batch: Batch::new(), leave: Leave::arrange(socket.as_fd()) }
    }

    /// Reads a batch; the first bytes of its messages, `None` for an empty one. Whoever drops this now has been killed.
    fn read(&mut self) -> Vec<Option<u8>> {
        match self.batch.receive(self.socket.as_fd(), self.leave) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        (0..self.batch.len()).map(|i| self.batch.message(i).0.first().copied()).collect()
    }

    /// Repeats each message to its sender.
    fn reply(&mut self) {
        for i in 0..self.batch.len() {
            let (message, reply) = self.batch.message(i);
            let message = message.to_vec();
            reply.extend(message);
        }
        assert_eq!(self.batch.send(self.socket.as_fd()), 0);
    }

    fn finish(&mut self) {
        self.batch.finish(self.socket.as_fd(), self.leave);
    }
}

fn numbers(range: std::ops::Range<u8>) -> Vec<Option<u8>> {
    range.map(Some).collect()
}

/// How many messages wait in the socket.
fn waiting(socket: &UdpSocket) -> usize {
    std::iter::from_fn(|| socket.recv(&mut []).ok()).count()
}

#[test]
fn who_is_killed_before_the_end_has_taken_nothing() {
    let (socket, client) = pair();
    for number in 0..40 {
        client.send(&[number, 0, 0]).unwrap();
    }
    let mut first = Life::begin(&socket);
    assert_eq!(first.leave, Leave::Answered);
    assert_eq!(first.read(), numbers(0..32));
    first.reply();
    drop(first);

    let mut second = Life::begin(&socket);
    assert_eq!(second.read(), numbers(0..32), "from the oldest on");
    second.reply();
    second.finish();
    assert_eq!(second.read(), numbers(32..40));
    second.reply();
    second.finish();
    assert_eq!((second.read(), waiting(&socket)), (vec![], 0));

    client.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    let mut reply = [0; 8];
    let replies: Vec<u8> = (0..72).map(|_| (client.recv(&mut reply).unwrap(), reply[0]).1).collect();
    let expected: Vec<u8> = (0..32).chain(0..40).collect();
    assert_eq!(replies, expected, "some twice, none never");
}

#[test]
fn what_comes_in_meanwhile_stays_for_the_next_batch() {
    let (socket, client) = pair();
    let mut life = Life::begin(&socket);
    client.send(&[1]).unwrap();
    assert_eq!(life.batch.receive(socket.as_fd(), life.leave).unwrap(), Received::All);
    client.send(&[2]).unwrap();
    life.finish();
    life.finish();
    assert_eq!(life.read(), [Some(2)]);
}

#[test]
fn a_full_batch_says_that_more_may_wait() {
    let (socket, client) = pair();
    (0..33).for_each(|number| assert_eq!(client.send(&[number]).unwrap(), 1));
    for leave in [Leave::Answered, Leave::Read] {
        let mut life = Life { leave, ..Life::begin(&socket) };
        let received = life.batch.receive(socket.as_fd(), leave).unwrap();
        assert_eq!((received, life.batch.len()), (Received::MoreMayWait, 32));
    }
    assert_eq!(waiting(&socket), 1, "what is read leaves at once where nothing else is possible");
}

/// One that is longer than its room would be looked at again from there on, if it did not count whole.
#[test]
fn long_and_empty_messages_are_passed_once() {
    let (socket, client) = pair();
    let long = [7; ROOM + 1];
    for message in [&[][..], &[1], &[], &[], &long, &[2], &[]] {
        client.send(message).unwrap();
    }
    let mut life = Life::begin(&socket);
    let cut = None;
    assert_eq!(life.read(), [None, Some(1), None, None, cut, Some(2), None]);
    life.finish();
    assert_eq!((life.read(), waiting(&socket)), (vec![], 0));
}

#[test]
fn empty_messages_that_another_looked_at_go_along() {
    let (socket, client) = pair();
    for message in [&[][..], &[], &[1]] {
        client.send(message).unwrap();
    }
    assert_eq!(Life::begin(&socket).read(), [None, None, Some(1)]);
    client.send(&[2]).unwrap();
    let mut life = Life::begin(&socket);
    assert_eq!(life.read(), [Some(1), Some(2)]);
    life.finish();
    assert_eq!((life.read(), waiting(&socket)), (vec![], 0));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Send(usize),
    Serve,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop_oneof![3 => Just(0usize), 12 => 1..40usize, 1 => Just(ROOM), 1 => Just(ROOM + 1)]
            .prop_map(Step::Send),
        1 => Just(Step::Serve),
        1 => Just(Step::Kill),
    ]
}

proptest! {
    /// Whatever comes and whoever dies when: each message that says something and has room is done with once, in order.
    #[test]
    fn nothing_is_lost_and_nothing_stays(steps in proptest::collection::vec(step(), 0..60)) {
        let (socket, client) = pair();
        let mut life = Life::begin(&socket);
        let (mut sent, mut answered) = (0u8, 0u8);
        for step in steps.into_iter().chain([Step::Serve, Step::Serve]) {
            match step {
                Step::Send(len) => {
                    client.send(&vec![sent; len]).unwrap();
                    sent += u8::from((1..=ROOM).contains(&len));
                }
                Step::Serve => {
                    let seen: Vec<u8> = life.read().into_iter().flatten().collect();
                    life.finish();
                    let expected: Vec<u8> = (answered..sent).take(seen.len()).collect();
                    prop_assert_eq!(&seen, &expected);
                    answered += seen.len() as u8;
                }
                Step::Kill => {
                    life.read();
                    life = Life::begin(&socket);
                }
            }
        }
        prop_assert_eq!(answered, sent);
        prop_assert_eq!(life.read(), vec![]);
    }
}
