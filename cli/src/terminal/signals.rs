//! Signals that reach us, for the container; and the size of our window.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::{Size, size};
use crate::error::CliError;

/// The signals that a user or a supervisor sends to end or steer a process, with the names that the daemon knows.
const FORWARDED: [(i32, &str); 8] = [
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (10, "USR1"),
    (12, "USR2"),
    (14, "ALRM"),
    (15, "TERM"),
    (18, "CONT"),
];

/// Those that would end us.
const ENDING: [i32; 4] = [1, 2, 3, 15];

/// Hands every signal on. Listening begins when this is called, not when it is first polled.
pub(crate) fn forward<F, Fut>(send: F) -> Result<impl Future<Output = ()>, CliError>
where
    F: Fn(&'static str) -> Fut,
    Fut: Future<Output = ()>,
{
    let (sender, mut receiver) = mpsc::channel::<&'static str>(16);
    for (number, name) in FORWARDED {
        let mut signals = listen(number)?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if sender.send(name).await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(async move {
        while let Some(name) = receiver.recv().await {
            send(name).await;
        }
    })
}

/// Signals that would end us while the terminal is raw: it has to be put back first.
#[derive(Debug)]
pub(crate) struct Ends {
    signals: Vec<(i32, Signal)>,
}

impl Ends {
    pub(crate) fn listen() -> Result<Self, CliError> {
        let signals = ENDING.into_iter().map(|number| Ok((number, listen(number)?)));
        Ok(Self { signals: signals.collect::<Result<_, CliError>>()? })
    }

    /// The exit code that goes with the first that comes.
    pub(crate) async fn first(&mut self) -> u8 {
        let waits = self.signals.iter_mut().map(|(number, signal)| {
            let number = *number;
            Box::pin(async move {
                signal.recv().await;
                number
            })
        });
        let (number, _, _) = futures_util::future::select_all(waits).await;
        u8::try_from(128 + number).unwrap_or(1)
    }
}

/// Tells the size now, and whenever it changes.
pub(crate) async fn resize_on_change<F, Fut>(tell: F) -> Result<(), CliError>
where
    F: Fn(Size) -> Fut,
    Fut: Future<Output = ()>,
{
    let mut changes = listen_kind(SignalKind::window_change())?;
    loop {
        if let Some(size) = size() {
            tell(size).await;
        }
        if changes.recv().await.is_none() {
            return Ok(());
        }
    }
}

fn listen(number: i32) -> Result<Signal, CliError> {
    listen_kind(SignalKind::from_raw(number))
}

fn listen_kind(kind: SignalKind) -> Result<Signal, CliError> {
    signal(kind).map_err(|source| CliError::Io { what: "listen to signals".to_owned(), source })
}
