//! HTTP/1.1 by hand: requests no library would send, connections dropped in the middle.

use std::time::Duration;

use reqwest::Version;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Answer;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection; dropping it closes it, whatever was going on.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    request: String,
}

impl Connection {
    /// Connects to `host:port`.
    pub async fn open(authority: &str) -> Self {
        let stream = TcpStream::connect(authority).await.expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        Self { stream: BufReader::new(stream), request: String::new() }
    }

    /// Sends these bytes, whatever they are.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.attempt_to_send(bytes).await.expect("the connection is open");
    }

    /// Like [`Self::send`], for when the server may have answered and closed already.
    pub async fn attempt_to_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let first = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        if self.request.is_empty() {
            self.request = String::from_utf8_lossy(&first[..first.len().min(400)]).into_owned();
        }
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Sends a request line, the `Host`, these header lines, and the end of the head.
    pub async fn send_head(&mut self, request_line: &str, headers: &[&str]) {
        let mut head = format!("{request_line} HTTP/1.1\r\nHost: registry.test\r\n");
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        self.send(head.as_bytes()).await;
    }

    /// Waits until an answer begins to arrive, and reads nothing of it.
    pub async fn answering(&mut self) {
        let read = timeout(PATIENCE, self.stream.fill_buf()).await;
        let begun = read.unwrap_or_else(|_| panic!("no answer to {}", self.request));
        assert!(!begun.expect("the connection is open").is_empty(), "closed: {}", self.request);
    }

    /// Whether nothing has arrived so far, not even the end.
    pub fn is_silent(&self) -> bool {
        let nothing = self.stream.get_ref().try_read(&mut [0]);
        nothing.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Reads one answer, to exactly its end. Panics if none comes.
    pub async fn answer(&mut self) -> Answer {
        let request = std::mem::take(&mut self.request);
        let read = timeout(PATIENCE, read_answer(&mut self.stream, &request)).await;
        read.unwrap_or_else(|_| panic!("no answer to {request}"))
            .unwrap_or_else(|error| panic!("{error} in the answer to {request}"))
    }

    /// Waits until the server closes the connection; returns what it sent before.
    pub async fn closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let read = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await;
        // A reset closes a connection as well as an orderly end does.
        drop(read.expect("the server closes the connection"));
        rest
    }
}

/// Sends one request on a connection of its own and reads the answer.
pub async fn ask(authority: &str, request_line: &str, headers: &[&str]) -> Answer {
    let mut connection = Connection::open(authority).await;
    connection.send_head(request_line, headers).await;
    connection.answer().await
}

async fn read_answer(
    stream: &mut BufReader<TcpStream>,
    request: &str,
) -> Result<Answer, std::io::Error> {
    let status_line = read_line(stream).await?;
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| malformed(&status_line))?;
    let mut headers = HeaderMap::new();
    loop {
        let line = read_line(stream).await?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed(&line))?;
        let name: HeaderName = name.parse().map_err(|_| malformed(&line))?;
        let value: HeaderValue = value.trim().parse().map_err(|_| malformed(&line))?;
        headers.append(name, value);
    }
    let interim = (100..200).contains(&status);
    let bodiless = interim || request.starts_with("HEAD ") || status == 204 || status == 304;
    let body = if bodiless { Vec::new() } else { read_body(stream, &headers).await? };
    let (request, version) = (request.to_owned(), Version::HTTP_11);
    Ok(Answer { request, version, status, headers, body: body.into() })
}

async fn read_body(
    stream: &mut BufReader<TcpStream>,
    headers: &HeaderMap,
) -> Result<Vec<u8>, std::io::Error> {
    let mut body = Vec::new();
    if let Some(length) = headers.get("content-length") {
        let length = length.to_str().ok().and_then(|text| text.parse().ok());
        body.resize(length.ok_or_else(|| malformed("content-length"))?, 0);
        stream.read_exact(&mut body).await?;
    } else if headers.contains_key("transfer-encoding") {
        loop {
            let line = read_line(stream).await?;
            let size = usize::from_str_radix(&line, 16).map_err(|_| malformed(&line))?;
            let start = body.len();
            body.resize(start + size, 0);
            stream.read_exact(&mut body[start..]).await?;
            read_line(stream).await?;
            if size == 0 {
                break;
            }
        }
    } else {
        stream.read_to_end(&mut body).await?;
    }
    Ok(body)
}

async fn read_line(stream: &mut BufReader<TcpStream>) -> Result<String, std::io::Error> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn malformed(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, format!("malformed: {what}"))
}
