use std::io::{self, BufRead, Read};

/// The compressed layer: counted, and its own failures told from those of what is decoded.
pub(super) struct Metered<R> {
    source: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes that came from the source.
    pub(super) received: u64,
    /// Set once the source failed; the decoder above passes the error on as its own.
    pub(super) failed: bool,
}

const CAPACITY: usize = 128 << 10;

impl<R: Read> Metered<R> {
    pub(super) fn new(source: R) -> Self {
        let buffer = vec![0; CAPACITY].into_boxed_slice();
        Self { source, buffer, start: 0, end: 0, received: 0, failed: false }
    }

    /// The first bytes, at most four, without taking them.
    pub(super) fn magic(&mut self) -> io::Result<&[u8]> {
        while self.end < 4 {
            let received = self.receive(self.end)?;
            if received == 0 {
                break;
            }
            self.end += received;
        }
        Ok(&self.buffer[..self.end.min(4)])
    }

    fn receive(&mut self, at: usize) -> io::Result<usize> {
        loop {
            match self.source.read(&mut self.buffer[at..]) {
                Ok(received) => {
                    let received = received.min(self.buffer.len() - at);
                    self.received += received as u64;
                    return Ok(received);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failed = true;
                    return Err(error);
                }
            }
        }
    }
}

impl<R: Read> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.end = self.receive(0)?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, amount: usize) {
        self.start = (self.start + amount).min(self.end);
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let amount = available.len().min(into.len());
        into[..amount].copy_from_slice(&available[..amount]);
        self.consume(amount);
        Ok(amount)
    }
}
