//! What moves the traffic of the demo: it does what it is told, and says so.

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The most bytes of a message.
const LONGEST: usize = 64 * 1024;

/// Listens on a free port of this machine; its address.
pub(super) async fn listen() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no port is free")?;
    let address = listener.local_addr().context("cannot tell the address")?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // One that cannot be answered is asked again.
            drop(answer(stream).await);
        }
    });
    Ok(format!("http://{address}/shift"))
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut message = Vec::new();
    while !is_whole(&message) && message.len() < LONGEST {
        if stream.read_buf(&mut message).await? == 0 {
            return Ok(());
        }
    }
    let answer = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// Whether headers and body are there.
fn is_whole(message: &[u8]) -> bool {
    let text = String::from_utf8_lossy(message);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    body.len() >= length.unwrap_or(0)
}
