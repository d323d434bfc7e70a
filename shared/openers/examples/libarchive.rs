//! Prints what libarchive finds in files: `cargo run -p openers --example libarchive -- FILE...`

use std::fs::File;
use std::ops::ControlFlow::{self, Continue};
use std::path::Path;

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

fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn main() {
    let start = cpu();
    let mut library = Libarchive::load(&[Path::new("libarchive.so.13")]).unwrap().unwrap();
    println!("{}: {:.3} ms", library.name(), cpu() - start);
    for path in std::env::args_os().skip(1) {
        let blob = Blob::from_file(File::open(&path).unwrap()).unwrap();
        println!("{}", path.display());
        let start = cpu();
        let opened = library.open(&blob, None, &mut Print::default());
        println!("  {opened:?} {:.3} ms", cpu() - start);
    }
}
