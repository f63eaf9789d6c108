//! Work that one request at a time may do, and that goes on to its end though who asked for it has left.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::status::{Answer, Failure};
use crate::error::Kind;

/// The right to prune networks or containers: as in Docker, one request at a time has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pruning(Arc<Mutex<()>>);

impl Pruning {
    /// Does the work, unless other such work is being done. The right is the work's, not the request's: hyper drops the
    /// answer to come when a client hangs up.
    pub(super) async fn alone<T: Send + 'static>(
        &self,
        work: impl Future<Output = Answer<T>> + Send + 'static,
    ) -> Answer<T> {
        let busy = |_| Failure::new(Kind::Conflict, "a prune operation is already running");
        let right = self.0.clone().try_lock_owned().map_err(busy)?;
        let done = tokio::spawn(async move {
            let _right = right;
            work.await
        });
        done.await.map_err(|_| Failure::new(Kind::System, "the prune operation failed"))?
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_goes_on_alone_when_its_client_has_left() {
        let pruning = Pruning::default();
        let ((begin, begun), (go_on, told)) = (oneshot::channel(), oneshot::channel::<()>());
        let (end, ended) = oneshot::channel();
        let own = pruning.clone();
        let request = tokio::spawn(async move {
            let work = async move {
                begin.send(()).unwrap();
                told.await.unwrap();
                end.send(()).unwrap();
                Ok(())
            };
            own.alone(work).await
        });
        begun.await.unwrap();
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());

        let busy = pruning.alone(async { Ok(()) }).await.unwrap_err();
        assert_eq!(busy.message(), "a prune operation is already running");
        go_on.send(()).unwrap();
        ended.await.unwrap();
        // The right goes a moment after the work's last word.
        drop(pruning.0.lock().await);
        pruning.alone(async { Ok(()) }).await.unwrap();
    }
}
