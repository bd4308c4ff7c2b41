//! What the machine itself can do: the ceilings that no server gets past.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::content::{mib, noise};
use crate::megabytes_per_second;

const MIB: usize = 1024 * 1024;
const PAGE: usize = 4096;

/// SHA-256 on one core, in GiB/s.
pub(crate) fn sha256_rate(bytes: u64) -> f64 {
    let block = noise(1, MIB);
    let started = Instant::now();
    let mut hash = Sha256::new();
    for _ in 0..bytes / mib(1) {
        hash.update(&block);
    }
    black_box(hash.finalize());
    crate::as_f64(bytes) / crate::as_f64(mib(1024)) / started.elapsed().as_secs_f64()
}

/// One file written in pieces of 1 MiB and fsynced, in MB/s.
pub(crate) fn disk_rate(directory: &Path, bytes: u64) -> Result<f64> {
    let path = directory.join("reference");
    let block = noise(2, MIB);
    let started = Instant::now();
    let mut file = File::create(&path)?;
    for _ in 0..bytes / mib(1) {
        file.write_all(&block)?;
    }
    file.sync_all()?;
    let elapsed = started.elapsed();
    drop(file);
    fs::remove_file(&path)?;
    Ok(megabytes_per_second(bytes, elapsed))
}

/// One thread sending to another over loopback TCP, in MB/s.
pub(crate) fn loopback_rate(bytes: u64) -> Result<f64> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let sender = thread::spawn(move || -> Result<()> {
        let (mut stream, _) = listener.accept()?;
        let block = vec![7; 256 * 1024];
        let mut left = bytes;
        while left > 0 {
            let piece = usize::try_from(left)?.min(block.len());
            stream.write_all(&block[..piece])?;
            left -= piece as u64;
        }
        Ok(())
    });
    let mut stream = TcpStream::connect(address)?;
    let mut buffer = vec![0; 256 * 1024];
    let (started, mut received) = (Instant::now(), 0);
    loop {
        match stream.read(&mut buffer)? {
            0 => break,
            read => received += read as u64,
        }
    }
    let elapsed = started.elapsed();
    sender.join().ok().context("the sender panicked")??;
    Ok(megabytes_per_second(received, elapsed))
}

/// Puts the machine into the same state before every push.
///
/// Dirty pages of the one before would be written during the next, and memory that the host has not
/// backed yet makes whoever touches it first several times slower.
pub(crate) fn settle(memory: u64) -> Result<()> {
    rustix::fs::sync();
    let mut pages = vec![0_u8; usize::try_from(memory)?];
    pages.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
    black_box(&pages);
    Ok(())
}
