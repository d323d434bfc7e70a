//! Prints the gate's verdict on each file:
//! `cargo run -p openers --example inspect -- [--password PASSWORD] FILE...`
//!
//! For an engine that opens everything, the service's usual limits and the installed openers. Prints why a
//! file is refused, and how much the engine is given.

use std::error::Error;
use std::fs::File;
use std::path::Path;

use domain::password::Password;
use gate::{Capabilities, Gate, Limits, Sample};

fn main() -> Result<(), Box<dyn Error>> {
    let limits = Limits {
        max_member_bytes: 104_857_600,
        max_total_bytes: 4 * 104_857_600,
        max_members: 65_536,
        max_depth: 16,
    };
    let capabilities = Sample::ALL.iter().map(|sample| sample.method).collect::<Capabilities>();
    let gate = Gate { limits, capabilities };
    let mut paths = std::env::args_os().skip(1).collect::<Vec<_>>();
    let mut password = None;
    if paths.first().is_some_and(|first| first == "--password") && paths.len() > 1 {
        password = Some(Password::parse(&paths.remove(1).to_string_lossy())?);
        paths.remove(0);
    }
    for path in paths {
        let (file, scratch, openers) = (File::open(&path)?, tempfile::tempfile()?, openers::installed()?);
        let inspection = gate.inspect(&file, scratch, openers, password.clone())?;
        let refusal = inspection.refusal.map_or("pass".to_owned(), |refusal| refusal.to_string());
        let n_bytes = inspection.handed.iter().map(gate::Blob::size_bytes).sum::<u64>();
        let n_handed = inspection.handed.len();
        let needed =
            if inspection.decryption == gate::Decryption::Password { "; needed the password" } else { "" };
        println!("{}: {refusal}; handed {n_handed} ({n_bytes} bytes){needed}", Path::new(&path).display());
    }
    Ok(())
}
