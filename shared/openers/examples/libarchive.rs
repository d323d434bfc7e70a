//! Prints what libarchive finds in files: `cargo run -p openers --example libarchive -- FILE...`

use std::error::Error;
use std::fs::File;
use std::ops::ControlFlow::{self, Continue};
use std::path::Path;
use std::time::Duration;

use gate::{Blob, MemberEnd, MemberSink, Opener as _};
use openers::Libarchive;

#[derive(Default)]
struct Print {
    bytes: Vec<u8>,
}

impl MemberSink for Print {
    fn begin(&mut self) -> ControlFlow<()> {
        self.bytes.clear();
        Continue(())
    }

    fn write(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > 1 << 27 { ControlFlow::Break(()) } else { Continue(()) }
    }

    fn end(&mut self, end: MemberEnd) -> ControlFlow<()> {
        let start = &self.bytes[..self.bytes.len().min(40)];
        println!("  {} bytes, {end:?}: {}", self.bytes.len(), start.escape_ascii());
        Continue(())
    }
}

fn cpu_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}

fn main() -> Result<(), Box<dyn Error>> {
    let start = cpu_time();
    let mut library = Libarchive::load(&[Path::new("libarchive.so.13")])?.ok_or("no libarchive.so.13")?;
    println!("{}: {:?}", library.name(), cpu_time().saturating_sub(start));
    for path in std::env::args_os().skip(1) {
        let blob = Blob::from_file(File::open(&path)?)?;
        println!("{}", path.display());
        let start = cpu_time();
        let opened = library.open(&blob, None, &mut Print::default());
        println!("  {opened:?} {:?}", cpu_time().saturating_sub(start));
    }
    Ok(())
}
