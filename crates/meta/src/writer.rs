//! Group commit: one connection writes, and the transactions that queue up while it syncs the disk
//! are committed together by the next sync.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tracing::{error, warn};

use crate::{
    Connection, Error, Server, Tx,
    db::ConnectionKind,
    postgres::{Lent, Writing},
};

/// More than this in one transaction would make the first of them wait too long.
const BATCH: usize = 64;
/// Callers beyond this wait for a place in the queue.
const QUEUE: usize = 1024;

/// Tells the caller what became of the commit that its work was part of.
type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;
/// A caller's work, which is told if it cannot even begin; the outcome says whether to keep what it did.
type Job = Box<dyn for<'t> FnOnce(Result<&'t mut Tx, Error>) -> BoxFuture<'t, Outcome> + Send>;

enum Outcome {
    Keep(Answer),
    /// With what the database said, if it was the database that failed.
    Undo(Answer, Option<Error>),
}

/// An error of a use case, which may be that the database failed.
pub trait Failure: From<Error> + Send + 'static {
    /// What the database said.
    fn of_database(&self) -> Option<&Error>;
}

impl Failure for Error {
    fn of_database(&self) -> Option<&Error> {
        Some(self)
    }
}

/// Where a connection that failed is replaced from.
#[derive(Debug)]
pub(crate) enum Origin {
    File(Box<SqliteConnectOptions>),
    Server(Box<Server>, Writing),
}

/// The queue in front of the one connection that writes.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Job>,
    closing: Arc<Notify>,
    task: Arc<Mutex<Option<tokio::task::JoinHandle<()>>>>,
}

impl Writer {
    pub(crate) fn start(tx: Tx, origin: Origin) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let closing = Arc::new(Notify::new());
        let committer = Committer { tx, origin, jobs, closing: Arc::clone(&closing) };
        let task = tokio::spawn(committer.run());
        Self { queue, closing, task: Arc::new(Mutex::new(Some(task))) }
    }

    pub(crate) async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel::<Result<T, E>>();
        let job: Job = Box::new(move |begun| {
            Box::pin(async move {
                let worked = match begun {
                    Ok(tx) => work(tx).await,
                    Err(error) => Err(error.into()),
                };
                // A caller that stopped waiting has no use for the answer.
                match worked {
                    Ok(value) => Outcome::Keep(Box::new(move |commit| {
                        let _ = sender.send(commit.map(|()| value).map_err(E::from));
                    })),
                    Err(error) => {
                        let cause = error.of_database().cloned();
                        let answer = Box::new(move |_| drop(sender.send(Err(error))));
                        Outcome::Undo(answer, cause)
                    }
                }
            })
        });
        self.queue.send(job).await.map_err(|_| Error::Closed)?;
        let abandoned =
            |_| Error::Database { message: "the transaction was lost".into(), full: false };
        answer.await.map_err(abandoned)?
    }

    /// Lets what is queued finish, then ends the task, whoever else still holds the queue.
    pub(crate) async fn close(self) {
        self.closing.notify_one();
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }
}

/// The callers whose work is part of the transaction that is open, and those whose is not.
#[derive(Default)]
struct Batch {
    begun: bool,
    kept: Vec<Answer>,
    undone: Vec<Answer>,
}

struct Committer {
    tx: Tx,
    origin: Origin,
    jobs: mpsc::Receiver<Job>,
    closing: Arc<Notify>,
}

impl Committer {
    async fn run(mut self) {
        while let Some(first) = self.next().await {
            if let Err(error) = self.batch(first).await {
                error!(%error, "a transaction failed; opening the database again");
                if let Err(error) = self.reconnect().await {
                    warn!(%error, "the database cannot be opened again; trying with the next request");
                    self.refuse_waiting(&error).await;
                }
            }
        }
        self.tx.0.close().await;
    }

    /// The next job; after [`Writer::close`], those that were queued before it.
    async fn next(&mut self) -> Option<Job> {
        tokio::select! {
            job = self.jobs.recv() => return job,
            () = self.closing.notified() => self.jobs.close(),
        }
        self.jobs.recv().await
    }

    /// Runs `first` and whatever else is queued in one transaction. Each further job has a savepoint,
    /// so that one that fails takes back its own changes only.
    async fn batch(&mut self, first: Job) -> Result<(), Error> {
        let mut batch = Batch::default();
        let mut next = Some(first);
        let mut ended = Ok(());
        while let Some(job) = next {
            ended = self.step(job, &mut batch).await;
            let more = ended.is_ok() && batch.kept.len() < BATCH;
            next = if more { self.jobs.try_recv().ok() } else { None };
        }
        if ended.is_ok() && !batch.kept.is_empty() {
            ended = self.commit().await;
        }
        for answer in batch.kept.into_iter().chain(batch.undone) {
            answer(ended.clone());
        }
        ended
    }

    async fn step(&mut self, job: Job, batch: &mut Batch) -> Result<(), Error> {
        let nested = !batch.kept.is_empty();
        let begun = match (batch.begun, nested) {
            (false, _) => self.begin().await,
            (true, true) => self.tx.run("savepoint job").await,
            (true, false) => Ok(()),
        };
        batch.begun = true;
        if let Err(error) = begun {
            if let Outcome::Undo(answer, _) = job(Err(error.clone())).await {
                batch.undone.push(answer);
            }
            return Err(error);
        }
        // A job that panics takes its caller down, not the writer, without which nobody could write.
        let outcome = AssertUnwindSafe(job(Ok(&mut self.tx))).catch_unwind().await;
        let outcome = outcome.map_err(|_| Error::Database {
            message: "a transaction panicked".into(),
            full: false,
        })?;
        match outcome {
            Outcome::Keep(answer) => {
                batch.kept.push(answer);
                if nested { self.tx.run("release job").await } else { Ok(()) }
            }
            Outcome::Undo(answer, cause) => {
                batch.undone.push(answer);
                if nested {
                    // Where its disk failed or is full, the database has rolled back everything by
                    // itself: then this is why the jobs before it are not done either.
                    let undone = self.tx.run("rollback to job").await;
                    undone.map_err(|error| cause.unwrap_or(error))?;
                    return self.tx.run("release job").await;
                }
                batch.begun = false;
                // If it is still inside a transaction after all, the next `begin` says so.
                let _ = self.tx.run("rollback").await;
                Ok(())
            }
        }
    }

    async fn commit(&mut self) -> Result<(), Error> {
        let fault =
            |error: std::io::Error| Error::Database { message: error.to_string(), full: false };
        plura_fault::point("meta.commit").map_err(fault)?;
        self.tx.run("commit").await?;
        plura_fault::point("meta.committed").map_err(fault)
    }

    /// Begins a transaction. The connection may have been lost since the last one: then nothing was
    /// done through it yet, and a new one is as good.
    async fn begin(&mut self) -> Result<(), Error> {
        if !self.tx.is_broken() {
            let begun = self.tx.begin().await;
            if begun.is_ok() || !self.tx.is_broken() {
                return begun;
            }
        }
        self.reconnect().await?;
        self.tx.begin().await
    }

    /// A connection whose transaction failed half way is in no state to rely on: a new one replaces
    /// it, and the database rolls back what the old one left open.
    async fn reconnect(&mut self) -> Result<(), Error> {
        let opened = match &self.origin {
            Origin::File(options) => {
                let opened = SqliteConnection::connect_with(options).await;
                opened.map(ConnectionKind::Own).map_err(Error::from)
            }
            Origin::Server(server, writing) => {
                let opened = server.connect_writer(*writing).await;
                opened.map(|(connection, limit)| {
                    ConnectionKind::Postgres(Lent::own(connection, limit))
                })
            }
        };
        match opened {
            Ok(kind) => self.tx = Tx(Connection(kind)),
            Err(error) => {
                let _ = self.tx.run("rollback").await;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Tells those who wait already that the database is away: each of them would only wait for the
    /// same again, one after the other.
    async fn refuse_waiting(&mut self, error: &Error) {
        if let Origin::File(_) = self.origin {
            return;
        }
        for _ in 0..QUEUE {
            let Ok(job) = self.jobs.try_recv() else { return };
            if let Outcome::Undo(answer, _) = job(Err(error.clone())).await {
                answer(Err(error.clone()));
            }
        }
    }
}
