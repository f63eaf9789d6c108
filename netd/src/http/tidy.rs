//! Free memory goes back to the kernel after requests. One with ten thousand ports leaves twenty megabytes free, between
//! what is kept of it: glibc gives back what is free at the end of its heaps by itself, not what is free in between.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use tokio::sync::Notify;

use crate::sys;

/// How long after a request. What comes meanwhile is tidied up with it.
const LATER: Duration = Duration::from_secs(2);

/// The routes, tidied up after. Must be called in a runtime.
pub(super) fn tidied(router: Router) -> Router {
    let answered = Arc::new(Notify::new());
    tokio::spawn(tidy(Arc::clone(&answered)));
    router.layer(middleware::from_fn_with_state(answered, tell))
}

async fn tell(State(answered): State<Arc<Notify>>, request: Request<Body>, next: Next) -> Response {
    let response = next.run(request).await;
    answered.notify_one();
    response
}

async fn tidy(answered: Arc<Notify>) {
    loop {
        answered.notified().await;
        tokio::time::sleep(LATER).await;
        // It waits for those who allocate.
        let _ = tokio::task::spawn_blocking(sys::give_back_free_memory).await;
    }
}
