//! A blocking HTTP/1.1 client that costs next to nothing.
//!
//! The load tool shares its cores with the servers it measures, so every cycle it burns is taken
//! from them. Bodies are sent from slices already in memory and large answers are read into one
//! reused buffer and counted.

use std::fmt::{Display, Write as _};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

/// How much is read from the socket at a time.
const READ_BUFFER: usize = 256 * 1024;

/// Bodies up to this size leave in one segment with the head.
const SMALL_BODY: u64 = 64 * 1024;

/// No request of any scenario may stay silent longer than this.
const SILENCE: Duration = Duration::from_mins(5);

/// A keep-alive connection to a server on the loopback interface.
pub(crate) struct Connection {
    port: u16,
    /// The header of that name in every request, on a server that wants a login.
    authorization: Option<String>,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    /// The part of `buffer` that has been read from the socket but not consumed.
    start: usize,
    end: usize,
}

/// A request whose body is a list of slices sent one after the other.
#[derive(Default)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [&'a [u8]],
}

/// The status line and headers of an answer.
pub(crate) struct Head {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
}

/// An answer with its whole body.
pub(crate) struct Response {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    fn content_length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"))
    }

    fn closes(&self) -> bool {
        self.header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"))
    }
}

impl Connection {
    /// Connects at once, so that the handshake is never part of what is timed.
    pub(crate) fn open(port: u16) -> Result<Self> {
        let buffer = vec![0; READ_BUFFER];
        let mut connection =
            Self { port, authorization: None, stream: None, buffer, start: 0, end: 0 };
        connection.reconnect()?;
        Ok(connection)
    }

    /// The same connection, with an `Authorization` header in every request.
    pub(crate) fn authorized(self, authorization: &str) -> Self {
        Self { authorization: Some(authorization.to_owned()), ..self }
    }

    /// Sends a request and reads the whole answer, which must have the expected status.
    pub(crate) fn expect(&mut self, status: u16, request: &Request<'_>) -> Result<Response> {
        let response = self.send(request)?;
        ensure!(
            response.head.status == status,
            "{} {} answered {} instead of {status}: {}",
            request.method,
            request.target,
            response.head.status,
            String::from_utf8_lossy(&response.body[..response.body.len().min(300)])
        );
        Ok(response)
    }

    /// Sends a request and reads the whole answer into memory.
    pub(crate) fn send(&mut self, request: &Request<'_>) -> Result<Response> {
        let head = self.exchange_heads(request)?;
        let body = if request.method == "HEAD" || matches!(head.status, 204 | 304) {
            Vec::new()
        } else if head.is_chunked() {
            self.read_chunks()?
        } else {
            let length = head.content_length().context("the answer has no length")?;
            self.read_exactly(length)?
        };
        self.finish(&head);
        Ok(Response { head, body })
    }

    /// Fetches `target` with status 200 and hands its bytes to `each`; returns how many there were.
    pub(crate) fn download(&mut self, target: &str, mut each: impl FnMut(&[u8])) -> Result<u64> {
        let head = self.exchange_heads(&Request { method: "GET", target, ..Request::default() })?;
        ensure!(head.status == 200, "GET {target} answered {}", head.status);
        let length = head.content_length().context("a download must announce its length")?;
        let mut left = length;
        while left > 0 {
            if self.start == self.end {
                self.fill()?;
            }
            let ready = self.end - self.start;
            let take = usize::try_from(left).map_or(ready, |left| left.min(ready));
            each(&self.buffer[self.start..self.start + take]);
            self.start += take;
            left -= take as u64;
        }
        self.finish(&head);
        Ok(length)
    }

    fn reconnect(&mut self) -> Result<()> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            .with_context(|| format!("connecting to port {}", self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        (self.start, self.end) = (0, 0);
        self.stream = Some(stream);
        Ok(())
    }

    fn finish(&mut self, head: &Head) {
        if head.closes() {
            self.stream = None;
        }
    }

    fn exchange_heads(&mut self, request: &Request<'_>) -> Result<Head> {
        if self.stream.is_none() {
            self.reconnect()?;
        }
        let head = self.write(request).and_then(|()| self.read_head());
        if head.is_err() {
            self.stream = None;
        }
        head.with_context(|| format!("{} {}", request.method, request.target))
    }

    fn write(&mut self, request: &Request<'_>) -> Result<()> {
        let stream = self.stream.as_mut().context("the connection is closed")?;
        let length: u64 = request.body.iter().map(|slice| slice.len() as u64).sum();
        let mut head = request_head(request, self.port, self.authorization.as_deref(), length);
        let written = if length <= SMALL_BODY {
            request.body.iter().for_each(|slice| head.extend_from_slice(slice));
            stream.write_all(&head)
        } else {
            stream
                .write_all(&head)
                .and_then(|()| request.body.iter().try_for_each(|slice| stream.write_all(slice)))
        };
        match written {
            // A server that refuses early closes its side; its answer is still there to be read.
            Err(error) if is_hang_up(error.kind()) => Ok(()),
            other => other.context("sending the request"),
        }
    }

    fn read_head(&mut self) -> Result<Head> {
        loop {
            let head = self.parse_head()?;
            // 1xx answers are announcements; the real one follows.
            if head.status >= 200 {
                return Ok(head);
            }
        }
    }

    fn parse_head(&mut self) -> Result<Head> {
        let status_line = self.read_line()?;
        let status = status_line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3))
            .and_then(|code| code.parse().ok())
            .with_context(|| format!("not a status line: {status_line:?}"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok(Head { status, headers });
            }
            let (name, value) = line.split_once(':').context("a header without a colon")?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    fn read_line(&mut self) -> Result<String> {
        let mut searched = 0;
        loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(at) = unread[searched..].iter().position(|byte| *byte == b'\n') {
                let line = &unread[..searched + at];
                let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
                let line = line.into_owned();
                self.start += searched + at + 1;
                return Ok(line);
            }
            searched = unread.len();
            self.fill()?;
        }
    }

    fn read_chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).context("not a chunk size")?;
            body.extend(self.read_exactly(size)?);
            ensure!(self.read_line()?.is_empty(), "a chunk does not end where it says");
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn read_exactly(&mut self, length: u64) -> Result<Vec<u8>> {
        let length = usize::try_from(length)?;
        let mut body = Vec::with_capacity(length);
        while body.len() < length {
            if self.start == self.end {
                self.fill()?;
            }
            let take = (length - body.len()).min(self.end - self.start);
            body.extend_from_slice(&self.buffer[self.start..self.start + take]);
            self.start += take;
        }
        Ok(body)
    }

    /// Reads more from the socket behind what is still unread.
    fn fill(&mut self) -> Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            ensure!(self.start > 0, "a line longer than the read buffer");
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let stream = self.stream.as_mut().context("the connection is closed")?;
        let read = stream.read(&mut self.buffer[self.end..]).context("reading the answer")?;
        if read == 0 {
            bail!("the server closed the connection in the middle of an answer");
        }
        self.end += read;
        Ok(())
    }
}

fn is_hang_up(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

fn request_head(
    request: &Request<'_>,
    port: u16,
    authorization: Option<&str>,
    length: u64,
) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    let mut line = |name: &str, value: &dyn Display| {
        // Writing to a string cannot fail.
        let _ = write!(head, "{name}: {value}\r\n");
    };
    // Signed addresses of an object store are good for the host with its port.
    line("Host", &format_args!("127.0.0.1:{port}"));
    for (name, value) in request.headers {
        line(name, value);
    }
    if let Some(authorization) = authorization {
        line("Authorization", &authorization);
    }
    if length > 0 || matches!(request.method, "POST" | "PUT" | "PATCH") {
        line("Content-Length", &length);
    }
    head.push_str("\r\n");
    head.into_bytes()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use super::*;

    /// A server that answers one connection with fixed bytes and returns what it was sent.
    fn answering(answer: &'static [u8], request_length: usize) -> (u16, JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; request_length];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(answer).unwrap();
            request
        });
        (port, server)
    }

    #[test]
    fn a_body_of_slices_is_sent_with_its_length() {
        let expected = |port: u16| {
            format!(
                "PUT /x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nA: b\r\nContent-Length: 4\r\n\r\nabcd"
            )
        };
        // The ports that systems give out have five digits.
        let length = expected(u16::MAX).len();
        let (port, server) =
            answering(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok", length);
        let request = Request {
            method: "PUT",
            target: "/x",
            headers: &[("A", "b")],
            body: &[b"ab".as_slice(), b"cd"],
        };
        let response = Connection::open(port).unwrap().expect(201, &request).unwrap();
        assert_eq!(response.body, b"ok");
        assert_eq!(String::from_utf8(server.join().unwrap()).unwrap(), expected(port));
    }

    #[test]
    fn chunks_are_joined_and_interim_answers_skipped() {
        let (port, _server) = answering(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
              3\r\nabc\r\na;x=y\r\n0123456789\r\n0\r\n\r\n",
            5,
        );
        let request = Request { method: "GET", target: "/", ..Request::default() };
        let response = Connection::open(port).unwrap().send(&request).unwrap();
        assert_eq!(response.body, b"abc0123456789");
    }

    #[test]
    fn another_status_than_expected_is_an_error_that_quotes_the_answer() {
        let (port, _server) =
            answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope", 5);
        let request = Request { method: "GET", target: "/", ..Request::default() };
        let error = Connection::open(port).unwrap().expect(200, &request).err().unwrap();
        assert!(error.to_string().contains("404 instead of 200: nope"), "{error}");
    }

    #[test]
    fn a_truncated_download_is_an_error() {
        let (port, _server) = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", 5);
        assert!(Connection::open(port).unwrap().download("/", |_| ()).is_err());
    }
}
