//! The UDP loop: per wake-up it reads all messages that wait, answers those that are ours on the spot, and sends
//! the replies together. Only then do the messages leave the socket, where who serves it next would find them. Only what
//! is forwarded becomes a task.

use std::cell::RefCell;
use std::io;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::handle::{Handled, Handler, now};
use super::pace::Pace;
use crate::forward::Transport;
use crate::sys::{Batch, Leave, Received};

thread_local! {
    /// One per runtime thread and not per sandbox: between two waits a server has nothing in it.
    static BATCH: RefCell<Batch> = RefCell::new(Batch::new());
}

/// How long to leave a socket alone that fails for a reason that we don't know.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Serves until there is `no_more`, and then as long as questions are with upstreams.
pub(super) async fn serve(handler: Arc<Handler>, socket: Arc<UdpSocket>, mut no_more: oneshot::Receiver<()>) {
    // Dropped with this future, and all forwards with it.
    let mut forwards = JoinSet::new();
    let mut pace = Pace::new(Leave::arrange(socket.as_fd()));
    loop {
        tokio::select! {
            ready = socket.readable() => {
                let served = ready.and_then(|()| serve_batch(&handler, &socket, &mut pace, &mut forwards));
                if let Err(error) = served {
                    tracing::warn!(%error, sandbox.id = %handler.asker, "could not read a dns socket");
                    tokio::time::sleep(AFTER_ERROR).await;
                }
            }
            Some(_) = forwards.join_next() => {}
            _ = &mut no_more => break,
        }
    }
    while forwards.join_next().await.is_some() {}
}

fn serve_batch(
    handler: &Arc<Handler>,
    socket: &Arc<UdpSocket>,
    pace: &mut Pace,
    forwards: &mut JoinSet<()>,
) -> io::Result<()> {
    BATCH.with_borrow_mut(|batch| {
        let now = now();
        let leave = pace.leave(now);
        receive(socket, batch, leave)?;
        pace.took(leave, batch.len(), now);
        answer(handler, socket, batch, forwards);
        batch.finish(socket.as_fd(), leave);
        Ok(())
    })
}

fn answer(handler: &Arc<Handler>, socket: &Arc<UdpSocket>, batch: &mut Batch, forwards: &mut JoinSet<()>) {
    handler.counters.udp_queries.add(batch.len());
    for i in 0..batch.len() {
        let Some(Handled::Forward(forwarding)) = handle(handler, batch, i) else { continue };
        let Some(sender) = batch.sender(i) else { continue };
        let (handler, socket) = (handler.clone(), socket.clone());
        forwards.spawn(async move {
            let (reply, _) = handler.forward(*forwarding).await;
            if socket.send_to(&reply, sender).await.is_err() {
                handler.counters.unsent.one();
            }
        });
    }
    handler.counters.unsent.add(batch.send(socket.as_fd()));
}

/// One that makes us panic costs itself alone: it must not take its neighbours along, nor be there for the next daemon too.
fn handle(handler: &Handler, batch: &mut Batch, i: usize) -> Option<Handled> {
    let (message, reply) = batch.message(i);
    // What is behind locks is whole whenever it is let go of.
    let handling = AssertUnwindSafe(|| handler.handle(message, Transport::Udp, &mut *reply));
    let handled = catch_unwind(handling).ok();
    if handled.is_none() {
        reply.clear();
        handler.counters.ignored.one();
    }
    handled
}

/// Fills the batch. If that emptied the socket, tokio is told so (it takes "would block" for it), which saves the
/// call that would find out: what comes later wakes us anew.
fn receive(socket: &UdpSocket, batch: &mut Batch, leave: Leave) -> io::Result<()> {
    let mut failed = None;
    let told = socket.try_io(Interest::READABLE, || match batch.receive(socket.as_fd(), leave) {
        Ok(Received::MoreMayWait) => Ok(()),
        Ok(Received::All) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
        Err(error) => {
            failed = Some(error);
            Ok(())
        }
    });
    match (failed, told) {
        (Some(error), _) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}
