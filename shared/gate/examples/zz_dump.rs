//! Throw-away.
use std::fs::File;
use std::io::{Read as _, Write as _};
use gate::{Capabilities, Gate, Limits, Sample};
fn main() -> std::io::Result<()> {
    let limits = Limits { max_member_bytes: 104_857_600, max_total_bytes: 4 * 104_857_600, max_members: 65_536, max_depth: 16 };
    let capabilities = Sample::ALL.iter().map(|sample| sample.method).collect::<Capabilities>();
    let gate = Gate { limits, capabilities };
    let mut out = std::io::stdout().lock();
    for path in std::env::args_os().skip(1) {
        let t = std::time::Instant::now();
        let inspection = gate.inspect(&File::open(&path)?, tempfile::tempfile()?, vec![])?;
        let refusal = inspection.refusal.map_or("pass".to_owned(), |refusal| refusal.to_string());
        let n_handed = inspection.handed.len();
        let mut eicar = 0;
        let mut n = 0;
        for b in &inspection.handed { n += b.size_bytes(); let mut v = vec![0; 27]; let k = b.reader().read(&mut v)?; if v[..k].starts_with(b"X5O!P%@AP[4\\PZX54(P^)7CC)7}") { eicar += 1; } }
        writeln!(out, "{}\t{refusal}\t{n_handed}\t{eicar}\t{n}\t{}", path.to_string_lossy(), t.elapsed().as_millis())?;
    }
    Ok(())
}
