//! `docker logs`.

use futures_util::stream;

use super::{ContainerError, Containers, Logs, LogsAsk, streams::framing};

impl Containers {
    /// What it has written.
    ///
    /// # Errors
    /// [`ContainerError`].
    #[allow(clippy::unused_async, reason = "opening a log is to be awaited")]
    pub async fn logs(&self, reference: &str, ask: LogsAsk) -> Result<Logs, ContainerError> {
        let container = self.find(reference)?;
        let record = container.record();
        let _ = ask;
        Ok(Logs { framing: framing(&record), body: Box::pin(stream::empty()) })
    }
}
