//! Writes a made-up set of definitions with the size and shape of ClamAV's own, so that loading and matching
//! cost what they cost in production.
//!
//! 3.63 million signatures. How many of each kind is an estimate, because ClamAV does not publish it; the
//! official set has about as many in all. Byte patterns are taken from programs of this machine, with changed
//! ends, so that their first bytes are as frequent in real files as those of real signatures. It detects
//! nothing but the test files.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A generator of numbers that are the same in every run (xorshift64*).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 1).unwrap_or(0) % limit
    }

    fn hex(&mut self, n_digits: usize) -> String {
        let words = std::iter::repeat_with(|| format!("{:016x}", self.next()));
        words.take(n_digits.div_ceil(16)).collect::<String>()[..n_digits].to_owned()
    }
}

const FILE_MD5S: usize = 985_000;
const FILE_SHA256S: usize = 400_000;
const SECTION_MD5S: usize = 2_080_000;
const BYTE_PATTERNS: usize = 114_000;
const LOGICAL: usize = 49_000;

/// Writes the set beside the test set, which marks the directory as unfit for production. Takes seconds and
/// 270 MB.
pub(crate) fn write_full_size_set(directory: &Path) -> anyhow::Result<()> {
    clamd::definitions::write_test_set(directory)?;
    let mut numbers = Numbers::new(1);
    let programs = programs(64 * 1024 * 1024)?;
    write_lines(&directory.join("main.hdb"), FILE_MD5S, |n| {
        format!("{}:{}:Win.Trojan.Agent-{n}", numbers.hex(32), 1 + numbers.below(4_000_000))
    })?;
    write_lines(&directory.join("main.hsb"), FILE_SHA256S, |n| {
        format!("{}:{}:Win.Malware.Generic-{n}", numbers.hex(64), 1 + numbers.below(4_000_000))
    })?;
    write_lines(&directory.join("main.mdb"), SECTION_MD5S, |n| {
        format!("{}:{}:Win.Trojan.Section-{n}", 512 * (1 + numbers.below(4_000)), numbers.hex(32))
    })?;
    write_lines(&directory.join("main.ndb"), BYTE_PATTERNS, |n| {
        let target = ["0", "1", "3", "6"][numbers.below(4)];
        format!("Win.Virus.Pattern-{n}:{target}:*:{}", pattern(&mut numbers, &programs))
    })?;
    write_lines(&directory.join("main.ldb"), LOGICAL, |n| {
        let [first, second] = [(); 2].map(|()| pattern(&mut numbers, &programs));
        format!("Win.Logical.Pattern-{n};Engine:81-255,Target:1;0&1;{first};{second}")
    })?;
    Ok(())
}

fn write_lines(path: &Path, n_lines: usize, mut line: impl FnMut(usize) -> String) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for n in 0..n_lines {
        writeln!(file, "{}", line(n))?;
    }
    file.flush()
}

/// Bytes of this machine's programs, up to about `n_bytes`.
pub(crate) fn programs(n_bytes: usize) -> io::Result<Vec<u8>> {
    let mut paths = std::fs::read_dir("/usr/bin")?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    let mut bytes = Vec::new();
    for path in paths.iter().filter(|path| path.is_file()) {
        if bytes.len() >= n_bytes {
            break;
        }
        bytes.extend(std::fs::read(path)?);
    }
    Ok(bytes)
}

/// 24 to 63 bytes of a program, in hexadecimal, with the last eight changed. Runs with few different bytes
/// are skipped.
fn pattern(numbers: &mut Numbers, programs: &[u8]) -> String {
    loop {
        let length = 24 + numbers.below(40);
        let start = numbers.below(programs.len() - length);
        let mut window = programs[start..start + length].to_vec();
        let n_different = window.iter().collect::<std::collections::HashSet<_>>().len();
        if n_different < length / 2 || window[..4].contains(&0) {
            continue;
        }
        let (_, end) = window.split_at_mut(length - 8);
        end.copy_from_slice(&numbers.next().to_le_bytes());
        return window.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    }
}
