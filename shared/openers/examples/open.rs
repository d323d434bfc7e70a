//! Prints what each opener finds in each file, and its processor time:
//! `cargo run -p openers --example open -- FILE...`

use std::error::Error;
use std::fs::File;
use std::ops::ControlFlow::{self, Break, Continue};
use std::path::Path;
use std::time::Duration;

use gate::{Blob, MemberEnd, MemberSink};

#[derive(Default)]
struct Print {
    bytes: Vec<u8>,
}

const MAX_BYTES: usize = 1 << 27;

impl MemberSink for Print {
    fn begin(&mut self) -> ControlFlow<()> {
        self.bytes.clear();
        Continue(())
    }

    fn write(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > MAX_BYTES { Break(()) } else { Continue(()) }
    }

    fn end(&mut self, end: MemberEnd) -> ControlFlow<()> {
        let start = &self.bytes[..self.bytes.len().min(40)];
        println!("    {} bytes, {end:?}: {}", self.bytes.len(), start.escape_ascii());
        Continue(())
    }
}

fn cpu_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}

fn main() -> Result<(), Box<dyn Error>> {
    let begun_at = cpu_time();
    let mut openers = openers::installed()?;
    println!("loaded in {:?}", cpu_time().saturating_sub(begun_at));
    for path in std::env::args_os().skip(1) {
        println!("{}", Path::new(&path).display());
        for opener in &mut openers {
            let blob = Blob::from_file(File::open(&path)?)?;
            let begun_at = cpu_time();
            let opened = opener.open(&blob, None, &mut Print::default());
            println!("  {}: {opened:?}, {:?}", opener.name(), cpu_time().saturating_sub(begun_at));
        }
    }
    Ok(())
}
