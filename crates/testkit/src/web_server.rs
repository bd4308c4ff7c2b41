//! A server on loopback that answers what a test wants and remembers what it was asked.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{net::TcpListener, task::JoinHandle};

use crate::http::{self, Received, Reply};

/// A server that listens on a free port of loopback until it is dropped.
#[derive(Debug)]
pub struct WebServer {
    url: String,
    shared: Arc<Mutex<Asked>>,
    task: JoinHandle<()>,
}

/// A request that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebRequest {
    /// `POST`
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    /// The parameters of a form.
    pub form: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebReply {
    /// A status, and a body.
    Status(u16, String),
    /// 202, and where to ask.
    Accepted(String),
    /// Nothing, while the connection stays open.
    Silence,
}

#[derive(Debug)]
struct Asked {
    requests: Vec<WebRequest>,
    /// What is answered next; the last of them again and again.
    replies: VecDeque<WebReply>,
}

impl WebRequest {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A parameter of the form, or nothing.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut all = self.form.iter();
        all.find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

impl WebServer {
    /// Starts one that answers these one after the other, and the last again and again.
    pub async fn start(replies: impl IntoIterator<Item = WebReply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address: SocketAddr = listener.local_addr().expect("a bound socket");
        let asked = Asked { requests: Vec::new(), replies: replies.into_iter().collect() };
        let shared = Arc::new(Mutex::new(asked));
        let answering = Arc::clone(&shared);
        let task =
            tokio::spawn(http::serve(listener, move |received| answer(&answering, received)));
        Self { url: format!("http://{address}"), shared, task }
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<WebRequest> {
        lock(&self.shared).requests.clone()
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(asked: &Mutex<Asked>) -> MutexGuard<'_, Asked> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(asked: &Mutex<Asked>, received: Received) -> Option<Reply> {
    let mut asked = lock(asked);
    let Received { method, path, headers, form, body, .. } = received;
    asked.requests.push(WebRequest { method, path, headers, form, body });
    let reply = match asked.replies.len() {
        0 | 1 => asked.replies.front().cloned(),
        _ => asked.replies.pop_front(),
    };
    match reply? {
        WebReply::Status(status, body) => Some(Reply::text(&body).with_status(status)),
        WebReply::Accepted(location) => Some(Reply::status(202).with_location(&location)),
        WebReply::Silence => None,
    }
}
