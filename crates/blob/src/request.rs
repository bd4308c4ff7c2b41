//! On whose request the object store is asked for something, so that it can be found in its log.

use std::sync::Arc;

tokio::task_local! {
    static REQUEST: Arc<str>;
}

/// Does work for the request of that name: visible characters of ASCII alone.
pub async fn on_request<F: Future>(name: Arc<str>, work: F) -> F::Output {
    REQUEST.scope(name, work).await
}

/// The same request for work that goes on in a task of its own.
pub fn of_same_request<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let name = request();
    async move {
        match name {
            Some(name) => on_request(name, work).await,
            None => work.await,
        }
    }
}

/// The request that is worked on; nothing for what plura does by itself.
pub(crate) fn request() -> Option<Arc<str>> {
    REQUEST.try_with(Arc::clone).ok()
}
