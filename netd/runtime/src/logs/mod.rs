//! Container logs in Docker's json-file format: the shim writes them, the daemon reads them.

mod entry;
mod writer;

pub(crate) use writer::LogWriter;
