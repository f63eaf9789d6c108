//! Standard input as a channel. A thread of its own reads it: a terminal, a pipe and a file alike, and one that blocks
//! for ever keeps nobody from ending.

use std::io::Read;

use bytes::Bytes;
use tokio::sync::mpsc;

pub(super) fn read_stdin() -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 32 * 1024];
        let mut stdin = std::io::stdin().lock();
        while let Ok(read) = stdin.read(&mut buffer) {
            if read == 0 || sender.blocking_send(Bytes::copy_from_slice(&buffer[..read])).is_err() {
                return;
            }
        }
    });
    receiver
}
