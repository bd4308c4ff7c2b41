//! An object store in this process, on loopback, that can be made to fail.
//!
//! Requests are counted by kind, and carried out by `s3s-fs` in a directory of its own, unless a mishap
//! was ordered for them. It runs on a thread of its own, so that a test may block.

mod parts;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A kind of request to an object store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum S3Request {
    /// An object is written whole.
    Put,
    /// An object, or a range of it, is read.
    Get,
    /// An object is asked about.
    Head,
    /// One or several objects are deleted.
    Delete,
    /// Objects are listed.
    List,
    /// Writing in parts begins.
    Begin,
    /// A part is written.
    Part,
    /// Parts are put together.
    Complete,
    /// Writing in parts ends for nothing.
    Abort,
    /// Unfinished writing in parts is listed.
    ListUnfinished,
    /// Anything else.
    Other,
}

/// What happens to a request instead of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum S3Mishap {
    /// It is refused with this status and code.
    Refuse(u16, &'static str),
    /// It is carried out, and the answer is that the object store failed.
    DoneButFailed,
    /// It is answered as if it were carried out.
    Lose,
    /// There is no answer.
    Hang,
    /// The connection is cut before an answer.
    Cut,
    /// The connection is cut after so many bytes of the answer.
    CutAfter(usize),
}

/// An object store with one bucket.
#[derive(Debug)]
pub struct S3 {
    address: SocketAddr,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    path: PathBuf,
    /// Goes away with the object store.
    _own: Option<TempDir>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    requests: Vec<S3Request>,
    /// What those said of whom they are for: `User-Agent`, and `X-Request-Id`.
    senders: Vec<(S3Request, String, Option<String>)>,
    /// Mishaps with the number of requests of the kind that they are for.
    ordered: Vec<(S3Request, usize, S3Mishap)>,
    /// Unfinished writing in parts: identifier and key.
    unfinished: BTreeMap<String, String>,
    /// Those of them that have lost a part.
    broken: Vec<String>,
}

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

impl S3 {
    /// The name of its bucket.
    pub const BUCKET: &'static str = "plura";
    /// The public half of the only key that it knows.
    pub const ACCESS_KEY: &'static str = "plura-test";
    /// The secret half.
    pub const SECRET_KEY: &'static str = "not-a-secret-of-anybody";

    /// Starts one with an empty bucket.
    pub fn start() -> Self {
        let memory = Path::new("/dev/shm");
        let directory =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let directory = directory.expect("a directory for the object store");
        let path = directory.path().to_owned();
        Self::open(path, Some(directory))
    }

    /// Starts one whose objects are files below `directory`, in `BUCKET/KEY`.
    pub fn start_in(directory: &Path) -> Self {
        std::fs::create_dir_all(directory).expect("a directory for the object store");
        Self::open(directory.to_owned(), None)
    }

    fn open(path: PathBuf, own: Option<TempDir>) -> Self {
        let bucket = std::fs::create_dir_all(path.join(Self::BUCKET));
        bucket.expect("a bucket");
        let state = Arc::new(State { path, _own: own, known: Mutex::default() });
        let (stop, stopped) = oneshot::channel();
        let (bound, address) = std::sync::mpsc::channel();
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime for the object store").block_on(async {
                tokio::select! {
                    () = serve(shared, bound) => {}
                    _ = stopped => {}
                }
            });
        });
        let address = address.recv().expect("the object store listens");
        Self { address, state, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens, as an address.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked of it since it was last asked this.
    pub fn take_requests(&self) -> Vec<S3Request> {
        std::mem::take(&mut self.state.lock().requests)
    }

    /// What was asked of it since it was last asked this, with the name of the client (`User-Agent`), and of
    /// the request that it was for (`X-Request-Id`).
    pub fn take_senders(&self) -> Vec<(S3Request, String, Option<String>)> {
        std::mem::take(&mut self.state.lock().senders)
    }

    /// Has the next `count` requests of a kind go wrong.
    pub fn order(&self, kind: S3Request, count: usize, mishap: S3Mishap) {
        self.state.lock().ordered.push((kind, count, mishap));
    }

    /// Has nothing more go wrong.
    pub fn calm(&self) {
        self.state.lock().ordered.clear();
    }

    /// The keys of all objects.
    pub fn objects(&self) -> Vec<String> {
        let root = self.state.path.join(Self::BUCKET);
        let mut found = Vec::new();
        let mut pending = vec![root.clone()];
        while let Some(directory) = pending.pop() {
            for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    pending.push(path);
                } else if let Ok(key) = path.strip_prefix(&root) {
                    found.push(key.to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        found
    }

    /// The bytes of an object.
    pub fn object(&self, key: &str) -> Vec<u8> {
        std::fs::read(self.object_path(key)).expect("the object is there")
    }

    /// The file of an object, for damage.
    pub fn object_path(&self, key: &str) -> PathBuf {
        self.state.path.join(Self::BUCKET).join(key)
    }

    /// The keys of unfinished writing in parts.
    pub fn unfinished(&self) -> Vec<String> {
        self.state.lock().unfinished.values().cloned().collect()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(state: Arc<State>, bound: std::sync::mpsc::Sender<SocketAddr>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let _ = bound.send(listener.local_addr().expect("the port that was taken"));
    let files = s3s_fs::FileSystem::new(&state.path).expect("a directory");
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(S3::ACCESS_KEY, S3::SECRET_KEY));
    let service = builder.build();
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let (state, service) = (Arc::clone(&state), service.clone());
        let answer =
            service_fn(move |request| answer(Arc::clone(&state), service.clone(), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), answer));
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request, and takes the mishap that was ordered for it. Looks at its health come any
    /// time, and are not counted.
    fn note(&self, kind: S3Request, request: &Request<Incoming>) -> Option<S3Mishap> {
        let mut known = self.lock();
        if kind != S3Request::Head || !request.uri().path().ends_with("/probe") {
            let header = |name: &str| {
                let value = request.headers().get(name)?;
                Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
            };
            let client = header("user-agent").unwrap_or_default();
            known.senders.push((kind, client, header("x-request-id")));
            known.requests.push(kind);
        }
        let place = known.ordered.iter().position(|(ordered, _, _)| *ordered == kind)?;
        known.ordered[place].1 -= 1;
        let mishap = known.ordered[place].2.clone();
        if known.ordered[place].1 == 0 {
            known.ordered.remove(place);
        }
        Some(mishap)
    }
}

async fn answer(
    state: Arc<State>,
    service: S3Service,
    request: Request<Incoming>,
) -> Result<Answer, std::io::Error> {
    let kind = kind_of(&request);
    let cut = || std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    match state.note(kind, &request) {
        None => carry_out(&state, service, request, kind).await,
        Some(S3Mishap::DoneButFailed) => {
            let done = carry_out(&state, service, request, kind).await?;
            let _ = done.into_body().collect().await;
            Ok(refusal(500, "InternalError"))
        }
        Some(S3Mishap::Refuse(status, code)) => {
            let _ = request.into_body().collect().await;
            Ok(refusal(status, code))
        }
        Some(S3Mishap::Lose) => {
            let id = request.uri().query().and_then(|query| parameter(query, "uploadId"));
            state.lock().broken.extend(id);
            let _ = request.into_body().collect().await;
            let lost = Response::builder().header(header::ETAG, "\"lost\"");
            Ok(lost.body(whole(Bytes::new())).expect("an answer"))
        }
        Some(S3Mishap::Hang) => std::future::pending().await,
        Some(S3Mishap::Cut) => Err(cut()),
        Some(S3Mishap::CutAfter(length)) => {
            let (head, body) = carry_out(&state, service, request, kind).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            let begin = body.slice(..length.min(body.len()));
            let begin = futures_util::stream::iter([Ok(Frame::data(begin))]);
            // What was sent has to leave before the connection is cut.
            let end = futures_util::stream::once(async move {
                tokio::task::yield_now().await;
                Err(cut())
            });
            Ok(Response::from_parts(head, StreamBody::new(begin.chain(end)).boxed_unsync()))
        }
    }
}

async fn carry_out(
    state: &State,
    service: S3Service,
    request: Request<Incoming>,
    kind: S3Request,
) -> Result<Answer, std::io::Error> {
    let (path, query) = (request.uri().path().to_owned(), request.uri().query().map(str::to_owned));
    let id = query.as_deref().and_then(|query| parameter(query, "uploadId"));
    if kind == S3Request::ListUnfinished {
        return Ok(list_unfinished(state, query.as_deref().unwrap_or_default()));
    }
    // `s3s-fs` has other words for these than S3.
    if matches!(kind, S3Request::Part | S3Request::Complete | S3Request::Abort) {
        let (known, broken) = {
            let (known, id) = (state.lock(), id.clone().unwrap_or_default());
            (known.unfinished.contains_key(&id), known.broken.contains(&id))
        };
        if !known || (kind == S3Request::Complete && broken) {
            let _ = request.into_body().collect().await;
            let refused = if known { (400, "InvalidPart") } else { (404, "NoSuchUpload") };
            return Ok(refusal(refused.0, refused.1));
        }
    }
    let answered = hyper::service::Service::call(&service, request).await;
    let (head, body) = answered.map_err(std::io::Error::other)?.into_parts();
    match (kind, head.status.is_success()) {
        (S3Request::Begin, true) => {
            let body = BodyExt::collect(body).await.map_err(std::io::Error::other)?.to_bytes();
            let text = String::from_utf8_lossy(&body).into_owned();
            let id = text.split_once("<UploadId>").and_then(|(_, rest)| rest.split_once('<'));
            let key = path.trim_start_matches('/').split_once('/').map(|(_, key)| key.to_owned());
            if let (Some((id, _)), Some(key)) = (id, key) {
                state.lock().unfinished.insert(id.to_owned(), key);
            }
            return Ok(Response::from_parts(head, whole(body)));
        }
        (S3Request::Complete | S3Request::Abort, true) => {
            // An answer that begins before the work is done ends when it is.
            let body = BodyExt::collect(body).await.map_err(std::io::Error::other)?.to_bytes();
            if !String::from_utf8_lossy(&body).contains("<Error>") {
                state.lock().unfinished.remove(&id.unwrap_or_default());
            }
            return Ok(Response::from_parts(head, whole(body)));
        }
        (S3Request::Get, true) if id.is_some() => {
            let body = BodyExt::collect(body).await.map_err(std::io::Error::other)?.to_bytes();
            let body = parts::complete(&String::from_utf8_lossy(&body));
            let mut response = Response::from_parts(head, whole(body.into()));
            response.headers_mut().remove(header::CONTENT_LENGTH);
            return Ok(response);
        }
        _ => {}
    }
    Ok(Response::from_parts(head, body.map_err(std::io::Error::other).boxed_unsync()))
}

fn kind_of(request: &Request<Incoming>) -> S3Request {
    let query = request.uri().query().unwrap_or_default();
    let has = |name: &str| parameter(query, name).is_some();
    let of_bucket = !request.uri().path().trim_matches('/').contains('/');
    match (request.method(), of_bucket) {
        (&Method::GET, true) if has("uploads") => S3Request::ListUnfinished,
        (&Method::GET, true) => S3Request::List,
        (&Method::POST, true) if has("delete") => S3Request::Delete,
        (&Method::GET, false) => S3Request::Get,
        (&Method::HEAD, false) => S3Request::Head,
        (&Method::PUT, false) if has("partNumber") => S3Request::Part,
        (&Method::PUT, false) => S3Request::Put,
        (&Method::POST, false) if has("uploads") => S3Request::Begin,
        (&Method::POST, false) if has("uploadId") => S3Request::Complete,
        (&Method::DELETE, false) if has("uploadId") => S3Request::Abort,
        (&Method::DELETE, false) => S3Request::Delete,
        _ => S3Request::Other,
    }
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

fn list_unfinished(state: &State, query: &str) -> Answer {
    let prefix = parameter(query, "prefix").unwrap_or_default();
    let known = state.lock();
    let listed = known.unfinished.iter().filter(|(_, key)| key.starts_with(&prefix));
    let uploads: Vec<_> = listed
        .map(|(id, key)| format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>"))
        .collect();
    let uploads = uploads.concat();
    let xml = format!(
        "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>{uploads}\
         </ListMultipartUploadsResult>"
    );
    Response::new(whole(xml.into()))
}

fn refusal(status: u16, code: &str) -> Answer {
    let xml = format!("<Error><Code>{code}</Code><Message>ordered by a test</Message></Error>");
    let mut response = Response::new(whole(xml.into()));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response
}

fn whole(bytes: Bytes) -> UnsyncBoxBody<Bytes, std::io::Error> {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}
