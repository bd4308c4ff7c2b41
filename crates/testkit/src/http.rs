//! As much of an HTTP server as an issuer, a mirror or a receiver needs: one request for each connection.

use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A request.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) authorization: Option<String>,
    pub(crate) form: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What is answered.
#[derive(Debug)]
pub(crate) struct Reply {
    status: u16,
    location: Option<String>,
    body: String,
    says_length: bool,
}

impl Received {
    /// The parameter of that name, in the query of a GET and in the form of a POST.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut all = self.query.iter().chain(&self.form);
        all.find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

impl Reply {
    pub(crate) fn text(body: &str) -> Self {
        Self { status: 200, location: None, body: body.to_owned(), says_length: true }
    }

    pub(crate) fn json(body: &Value) -> Self {
        Self::text(&body.to_string())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::text("{}").with_status(status)
    }

    pub(crate) fn redirect(location: &str) -> Self {
        Self { location: Some(location.to_owned()), ..Self::status(302) }
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn with_location(self, location: &str) -> Self {
        Self { location: Some(location.to_owned()), ..self }
    }

    pub(crate) fn without_length(self) -> Self {
        Self { says_length: false, ..self }
    }

    fn head(&self) -> String {
        let mut lines = vec![
            format!("HTTP/1.1 {} X", self.status),
            "Connection: close".to_owned(),
            "Content-Type: application/json".to_owned(),
        ];
        if self.says_length {
            lines.push(format!("Content-Length: {}", self.body.len()));
        }
        lines.extend(self.location.iter().map(|location| format!("Location: {location}")));
        lines.join("\r\n") + "\r\n\r\n"
    }
}

/// Answers until it is dropped. Where `answer` has none, the connection stays open.
pub(crate) async fn serve(
    listener: TcpListener,
    answer: impl Fn(Received) -> Option<Reply> + Send + Sync + 'static,
) {
    let answer = Arc::new(answer);
    // Connections end with the task that owns this set.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let answer = Arc::clone(&answer);
        connections.spawn(async move {
            // A peer that hangs up in the middle is no concern of ours.
            let _ = converse(stream, &*answer).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(
    stream: TcpStream,
    answer: &(impl Fn(Received) -> Option<Reply> + Send + Sync),
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let received = read(&mut stream).await?;
    let Some(reply) = answer(received) else {
        return std::future::pending().await;
    };
    stream.write_all(reply.head().as_bytes()).await?;
    stream.write_all(reply.body.as_bytes()).await?;
    stream.shutdown().await
}

async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Received> {
    let request_line = read_line(stream).await?;
    let mut words = request_line.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = pairs(query.as_bytes());
    let mut received = Received { method, path: path.to_owned(), query, ..Received::default() };
    let mut length = 0;
    loop {
        let line = read_line(stream).await?;
        let Some((name, value)) = line.split_once(':') else { break };
        let name = name.to_ascii_lowercase();
        received.headers.push((name.clone(), value.trim().to_owned()));
        match name.as_str() {
            "authorization" => received.authorization = Some(value.trim().to_owned()),
            "content-length" => length = value.trim().parse().unwrap_or(0),
            _ => {}
        }
    }
    let mut body = Vec::new();
    stream.take(length).read_to_end(&mut body).await?;
    received.form = pairs(&body);
    received.body = body;
    Ok(received)
}

async fn read_line(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}
