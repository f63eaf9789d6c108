//! The terminal that somebody sits at, and the streams of a container that are joined to it.

mod demux;
mod detach;
mod input;
mod screen;
mod session;
mod signals;

pub(crate) use demux::Demux;
pub(crate) use detach::DetachKeys;
pub(crate) use screen::{RawMode, Size, is_terminal, size};
pub(crate) use session::{Ended, Framing, Session, copy_frames};
pub(crate) use signals::{Ends, forward, resize_on_change};
