//! Prints what the gate makes of files.
use std::fs::File;
fn main() {
    let all = gate::Sample::ALL.iter().map(|s| s.method).collect();
    let limits = gate::Limits {
        max_member_bytes: 100 << 20,
        max_total_bytes: 400 << 20,
        max_members: 65_536,
        max_depth: 16,
    };
    let gate = gate::Gate { limits, capabilities: all, scratch_directory: std::env::temp_dir() };
    for path in std::env::args().skip(1) {
        let began = std::time::Instant::now();
        let i = gate.inspect(&File::open(&path).unwrap()).unwrap();
        let r = i.refusal.map_or("pass".to_owned(), |r| r.to_string());
        println!("{r}\thanded {}\t{:?}\t{path}", i.handed.len(), began.elapsed());
    }
}
