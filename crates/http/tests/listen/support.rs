//! A server on a free port, a client that sees raw bytes, and a file with known contents.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::service::service_fn;
use plura_http::body::{Body, FileSlice};
use plura_http::listen::{Drained, Metrics, Options, RequestBody, serve};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longer than anything here can take; reaching it is a failure, never a measurement.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.expect("finished before the deadline")
}

/// Waits until the condition holds.
pub(crate) async fn eventually(mut condition: impl FnMut() -> bool) {
    within(async {
        let mut ticks = tokio::time::interval(Duration::from_millis(2));
        while !condition() {
            ticks.tick().await;
        }
    })
    .await;
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Arc<Metrics>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<Drained>>,
}

impl Server {
    pub(crate) async fn start<F, R>(options: Options, handler: F) -> Self
    where
        F: Fn(Request<RequestBody>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Arc::clone(&options.metrics);
        let (stop, stopped) = oneshot::channel::<()>();
        let service = service_fn(move |request| {
            let answer = handler(request);
            async { Ok::<_, Infallible>(answer.await) }
        });
        let task = tokio::spawn(serve(listener, options, service, async {
            let _ = stopped.await;
        }));
        Self { address, metrics, stop: Some(stop), task }
    }

    /// Serves ranges of a file at `/START/END`.
    pub(crate) async fn with_file(options: Options, file: Arc<File>) -> Self {
        Self::start(options, move |request| {
            let body = Body::file(slice(&file, request.uri().path()));
            async { Response::new(body) }
        })
        .await
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// A client whose kernel keeps only a few packets for it.
    pub(crate) async fn connect_narrow(&self) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        Client::new(socket.connect(self.address).await.unwrap())
    }

    pub(crate) fn begin_shutdown(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    pub(crate) async fn drained(self) -> Drained {
        within(self.task).await.unwrap().unwrap()
    }
}

fn slice(file: &Arc<File>, path: &str) -> FileSlice {
    let (start, end) = path[1..].split_once('/').unwrap();
    let (start, end) = (start.parse().unwrap(), end.parse().unwrap());
    FileSlice { file: Arc::clone(file), start, end }
}

/// Speaks HTTP/1.1 by hand, so that nothing is hidden.
pub(crate) struct Client(pub(crate) BufReader<TcpStream>);

/// Requests to be sent before the first answer is read.
pub(crate) fn pipeline(paths: impl IntoIterator<Item = String>) -> String {
    paths.into_iter().fold(String::new(), |requests, path| {
        requests + "GET " + &path + " HTTP/1.1\r\nhost: test\r\n\r\n"
    })
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) length: u64,
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        Self(BufReader::with_capacity(16 * 1024, stream))
    }

    pub(crate) async fn send(&mut self, text: &str) {
        within(self.0.write_all(text.as_bytes())).await.unwrap();
    }

    pub(crate) async fn get(&mut self, path: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
    }

    pub(crate) async fn head(&mut self) -> Answer {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = within(self.0.read_line(&mut head)).await.unwrap();
            assert_ne!(read, 0, "the connection ended in the head: {head:?}");
        }
        let status = head[9..12].parse().unwrap();
        let length = head
            .to_ascii_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
            .unwrap_or(0);
        Answer { status, head, length }
    }

    pub(crate) async fn body(&mut self, answer: &Answer) -> Vec<u8> {
        let mut body = vec![0; usize::try_from(answer.length).unwrap()];
        within(self.0.read_exact(&mut body)).await.unwrap();
        body
    }

    /// Asks and takes the whole answer.
    pub(crate) async fn fetch(&mut self, path: &str) -> (u16, Vec<u8>) {
        self.get(path).await;
        self.answer().await
    }

    pub(crate) async fn answer(&mut self) -> (u16, Vec<u8>) {
        let answer = self.head().await;
        let body = self.body(&answer).await;
        (answer.status, body)
    }

    /// Everything up to the end of the connection, however that comes.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = within(self.0.read_to_end(&mut rest)).await;
        rest
    }
}

pub(crate) async fn collect(body: RequestBody) -> io::Result<Bytes> {
    Ok(body.collect().await?.to_bytes())
}

/// Longer than every buffer between the file and the client.
pub(crate) const LENGTH: usize = 24 * 1024 * 1024 + 12_345;

/// Contents in which no two stretches are alike and none is zero.
pub(crate) static CONTENTS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    (0..=LENGTH as u64 / 8)
        .flat_map(|index| (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 << 56).to_le_bytes())
        .take(LENGTH)
        .collect()
});

pub(crate) fn file() -> Arc<File> {
    let mut file = tempfile::tempfile().unwrap();
    io::Write::write_all(&mut file, &CONTENTS).unwrap();
    Arc::new(file)
}

/// Compares without printing megabytes.
pub(crate) fn assert_range(body: &[u8], start: usize, end: usize) {
    let expected = &CONTENTS[start..end];
    assert_eq!(body.len(), expected.len(), "length of {start}..{end}");
    if body != expected {
        let wrong = body.iter().zip(expected).position(|(got, expected)| got != expected);
        panic!("byte {wrong:?} of {start}..{end} is wrong");
    }
}
