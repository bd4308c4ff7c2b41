//! A server that answers what a test tells it to, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// One request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// Method, path and query.
    pub(crate) line: String,
    /// The header of that name, or nothing.
    pub(crate) authorization: String,
    /// `X-Vault-Token` and `X-Vault-Namespace`, or nothing.
    pub(crate) vault: (String, String),
    pub(crate) body: String,
}

impl Request {
    /// The body, which must be JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// One answer.
pub(crate) struct Answer {
    status: u16,
    header: String,
    body: String,
}

/// An answer with a body, or with none if it is null.
pub(crate) fn answer(status: u16, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Answer { status, header: String::new(), body }
}

/// The errors of the API.
pub(crate) fn refusal(status: u16, message: &str, detail: &Value) -> Answer {
    let error = serde_json::json!({ "code": "X", "message": message, "detail": detail });
    answer(status, &serde_json::json!({ "errors": [error] }))
}

impl Answer {
    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.header.extend([name, ": ", value, "\r\n"]);
        self
    }
}

/// A listening server. Its threads end with the test.
pub(crate) struct FakeServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl FakeServer {
    /// Starts a server that answers with this.
    pub(crate) fn start(
        respond: impl Fn(&Request, SocketAddr) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                let request = read(&stream);
                kept.lock().expect("no test panics with it").push(request.clone());
                write(&stream, &respond(&request, address));
            }
        });
        Self { address, requests }
    }

    /// Starts a server that answers everything alike.
    pub(crate) fn always(status: u16, body: &Value) -> Self {
        let body = body.clone();
        Self::start(move |_, _| answer(status, &body))
    }

    /// Host and port.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// The address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no test panics with it").clone()
    }

    /// The request lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.line).collect()
    }

    /// The one request so far.
    #[track_caller]
    pub(crate) fn request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests[0].clone()
    }
}

fn read(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut request = Request::default();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a request");
        let line = line.trim_end();
        if line.is_empty() {
            break;
        } else if request.line.is_empty() {
            line.trim_end_matches(" HTTP/1.1").clone_into(&mut request.line);
            continue;
        }
        let (name, value) = line.split_once(':').expect("a header");
        match name.to_lowercase().as_str() {
            "content-length" => length = value.trim().parse().expect("a length"),
            "authorization" => value.trim().clone_into(&mut request.authorization),
            "x-vault-token" => value.trim().clone_into(&mut request.vault.0),
            "x-vault-namespace" => value.trim().clone_into(&mut request.vault.1),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    request.body = String::from_utf8(body).expect("a body of text");
    request
}

fn write(mut stream: &TcpStream, answer: &Answer) {
    let Answer { status, header, body } = answer;
    let head = format!(
        "HTTP/1.1 {status} \r\nconnection: close\r\ncontent-length: {}\r\n{header}\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).expect("an answer");
}
