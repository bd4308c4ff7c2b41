//! Alone in its process, so that what the process held is what reading took.

use std::io::{self, Read};

use plura_inventory::{Limits, read_layer};

/// A million entries of a kilobyte each, made as they are read.
struct TinyFiles {
    next: u32,
    block: [u8; 1024],
    taken: usize,
}

impl TinyFiles {
    fn write(&mut self) {
        let mut block = [0; 1024];
        let name = format!("app/node_modules/p{}/file{}.txt", self.next % 1000, self.next);
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[100..107].copy_from_slice(b"0000755");
        block[124..135].copy_from_slice(b"00000000014");
        block[156] = b'0';
        block[148..156].fill(b' ');
        let sum: u32 = block[..512].iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block[512..524].copy_from_slice(b"hello world\n");
        self.block = block;
        self.taken = 0;
        self.next += 1;
    }
}

impl Read for TinyFiles {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.block.len() {
            if self.next == 1_000_000 {
                return Ok(0);
            }
            self.write();
        }
        let amount = into.len().min(self.block.len() - self.taken);
        into[..amount].copy_from_slice(&self.block[self.taken..self.taken + amount]);
        self.taken += amount;
        Ok(amount)
    }
}

#[test]
fn a_million_tiny_files_take_little_memory() {
    let source = TinyFiles { next: 0, block: [0; 1024], taken: 1024 };
    let facts = read_layer(source, &Limits::default()).expect("the layer is read");
    assert_eq!((facts.entries, facts.files), (1_000_000, 1_000_000));
    let held = most_kibibytes_held();
    assert!(held < 64 << 10, "{held} KiB");
}

fn most_kibibytes_held() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
