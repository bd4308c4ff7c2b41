//! A receiver of webhooks on loopback, with every mood that one can have.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::eventually;
use crate::http::{self, Received, Reply};

/// Listens on a free port of loopback until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// How a receiver answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reception {
    /// With 200.
    Accept,
    /// With this status, so often; then with 200.
    Answer(u16, u32),
    /// Not at all: connections stay open.
    Silence,
    /// That it is elsewhere.
    RedirectTo(String),
    /// With 200 and so many bytes.
    Talk(usize),
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The path that was asked.
    pub path: String,
    /// The headers, whose names are in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

#[derive(Debug)]
struct Shared {
    reception: Mutex<Reception>,
    delivered: Mutex<Vec<Delivered>>,
}

impl Receiver {
    /// Starts one that accepts everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound socket"));
        let shared = Arc::new(Shared {
            reception: Mutex::new(Reception::Accept),
            delivered: Mutex::default(),
        });
        let answering = Arc::clone(&shared);
        let task = tokio::spawn(http::serve(listener, move |received| answering.answer(received)));
        Self { url, shared, task }
    }

    /// Where events are to be sent.
    pub fn url(&self) -> String {
        format!("{}/hook", self.url)
    }

    /// Answers like this from now on.
    pub fn answer(&self, reception: Reception) {
        *locked(&self.shared.reception) = reception;
    }

    /// Everything that was sent, in the order in which it came.
    pub fn delivered(&self) -> Vec<Delivered> {
        locked(&self.shared.delivered).clone()
    }

    /// Waits until so much was sent.
    pub async fn wait_for(&self, count: usize) -> Vec<Delivered> {
        eventually(&format!("{count} events were sent"), || async {
            Some(self.delivered()).filter(|delivered| delivered.len() >= count)
        })
        .await
    }
}

impl Delivered {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// The header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Shared {
    fn answer(&self, received: Received) -> Option<Reply> {
        let Received { path, headers, body, .. } = received;
        locked(&self.delivered).push(Delivered { path, headers, body });
        let mut reception = locked(&self.reception);
        match &mut *reception {
            Reception::Accept | Reception::Answer(_, 0) => Some(Reply::text("")),
            Reception::Answer(status, times) => {
                *times -= 1;
                Some(Reply::status(*status))
            }
            Reception::Silence => None,
            Reception::RedirectTo(url) => Some(Reply::redirect(url)),
            Reception::Talk(bytes) => Some(Reply::text(&"x".repeat(*bytes))),
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
