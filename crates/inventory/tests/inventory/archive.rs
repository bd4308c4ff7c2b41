//! Archives, block by block, also such as no tool would write.

/// An archive that is being written.
#[derive(Clone, Default)]
pub(crate) struct Archive {
    pub(crate) bytes: Vec<u8>,
}

/// What a header says; its checksum is made right in the end.
pub(crate) struct Header {
    block: [u8; 512],
}

impl Header {
    pub(crate) fn new(kind: u8, name: &str, size: u64) -> Self {
        let mut block = [0; 512];
        let name = &name.as_bytes()[..name.len().min(100)];
        block[..name.len()].copy_from_slice(name);
        block[156] = kind;
        block[257..265].copy_from_slice(b"ustar\x0000");
        let mut header = Self { block };
        header.octal(100, 8, 0o644);
        header.octal(124, 12, size);
        header
    }

    pub(crate) fn set(mut self, at: usize, bytes: &[u8]) -> Self {
        self.block[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub(crate) fn executable(mut self) -> Self {
        self.octal(100, 8, 0o755);
        self
    }

    fn octal(&mut self, at: usize, length: usize, number: u64) {
        let field = &mut self.block[at..at + length];
        let text = format!("{number:0width$o}\0", width = length - 1);
        if text.len() == length {
            field.copy_from_slice(text.as_bytes());
        } else {
            field[0] = 0x80;
            field[length - 8..].copy_from_slice(&number.to_be_bytes());
        }
    }

    fn finish(mut self) -> [u8; 512] {
        self.block[148..156].fill(b' ');
        let sum: u32 = self.block.iter().map(|byte| u32::from(*byte)).sum();
        self.block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.block
    }
}

impl Archive {
    pub(crate) fn header(mut self, header: Header) -> Self {
        self.bytes.extend(header.finish());
        self
    }

    pub(crate) fn data(mut self, data: &[u8]) -> Self {
        self.bytes.extend(data);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, name: &str, data: impl AsRef<[u8]>) -> Self {
        let data = data.as_ref();
        self.long_name(name).header(Header::new(b'0', name, data.len() as u64)).data(data)
    }

    pub(crate) fn program(self, name: &str, data: impl AsRef<[u8]>) -> Self {
        let data = data.as_ref();
        self.header(Header::new(b'0', name, data.len() as u64).executable()).data(data)
    }

    pub(crate) fn directory(self, name: &str) -> Self {
        self.header(Header::new(b'5', &format!("{name}/"), 0))
    }

    pub(crate) fn link(self, name: &str, target: &str) -> Self {
        self.header(Header::new(b'2', name, 0).set(157, target.as_bytes()))
    }

    pub(crate) fn pax(self, records: &[(&str, &str)]) -> Self {
        let records: String = records.iter().map(|(key, value)| record(key, value)).collect();
        self.header(Header::new(b'x', "pax", records.len() as u64)).data(records.as_bytes())
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend([0; 1024]);
        self.bytes
    }

    fn long_name(self, name: &str) -> Self {
        if name.len() <= 100 { self } else { self.pax(&[("path", name)]) }
    }
}

fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}
