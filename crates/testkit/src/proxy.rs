//! A connection to another server that can be made to fail.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What becomes of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// They pass.
    Open,
    /// Connections are ended in order, and new ones right after they were accepted.
    Cut,
    /// Connections are ended by a reset, and new ones right after they were accepted.
    Reset,
    /// Nothing passes, and nobody is told.
    Stalled,
}

/// Listens on a port of this machine and passes on what comes, as it is told.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    passage: watch::Sender<Passage>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy to a port of this machine.
    pub async fn start(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port for the proxy");
        let address = listener.local_addr().expect("the address of the proxy");
        let (passage, _) = watch::channel(Passage::Open);
        let orders = passage.clone();
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("the proxy accepts");
                tokio::spawn(pass(client, upstream, orders.subscribe()));
            }
        });
        Self { address, passage, task }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Says what becomes of the bytes from here on, of connections that are open, too.
    pub fn set(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.set(Passage::Cut);
    }
}

async fn pass(client: TcpStream, upstream: u16, mut orders: watch::Receiver<Passage>) {
    if *orders.borrow_and_update() == Passage::Stalled {
        // Whoever connects during a stall learns nothing until it ends.
        if orders.wait_for(|order| *order != Passage::Stalled).await.is_err() {
            return;
        }
    }
    if *orders.borrow() != Passage::Open {
        return end(&client, *orders.borrow());
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)).await else { return };
    relay(client, server, orders).await;
}

async fn relay(mut client: TcpStream, mut server: TcpStream, mut orders: watch::Receiver<Passage>) {
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let order = *orders.borrow_and_update();
        match order {
            Passage::Open => {}
            Passage::Stalled => {
                if orders.changed().await.is_err() {
                    return;
                }
                continue;
            }
            Passage::Cut | Passage::Reset => {
                end(&client, order);
                return end(&server, order);
            }
        }
        let passed = tokio::select! {
            biased;
            _ = orders.changed() => continue,
            count = client.read(&mut up) => match count {
                Ok(count) if count > 0 => server.write_all(&up[..count]).await,
                _ => return,
            },
            count = server.read(&mut down) => match count {
                Ok(count) if count > 0 => client.write_all(&down[..count]).await,
                _ => return,
            },
        };
        if passed.is_err() {
            return;
        }
    }
}

/// Dropped, the connection ends in order, unless it was told not to linger.
fn end(connection: &TcpStream, how: Passage) {
    if how == Passage::Reset {
        // Nothing to mend if the peer was faster.
        let _ = rustix::net::sockopt::set_socket_linger(connection, Some(Duration::ZERO));
    }
}
