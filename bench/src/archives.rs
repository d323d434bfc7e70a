//! Makes the samples: plain files, and archives that unpack to the same size.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

use crate::definitions::{Numbers, programs};

/// One file to measure with.
pub(crate) struct Sample {
    pub(crate) what: String,
    pub(crate) n_bytes: usize,
    pub(crate) path: PathBuf,
}

const SIZES: [usize; 3] = [1_000, 1_000_000, 100_000_000];
/// The size of a member, as in ordinary archives.
const MEMBER_BYTES: usize = 500_000;

/// Noise, programs, and archives of programs in each size, below `directory`.
pub(crate) fn make(directory: &Path) -> anyhow::Result<Vec<Sample>> {
    let (mut numbers, mut samples) = (Numbers::new(7), vec![]);
    for n_bytes in SIZES {
        let mut noise = Vec::new();
        while noise.len() < n_bytes {
            noise.extend_from_slice(&numbers.next().to_le_bytes());
        }
        noise.truncate(n_bytes);
        let mut content = programs(n_bytes + 1_000_000)?;
        ensure!(content.len() >= n_bytes, "this machine has too few programs");
        content.truncate(n_bytes);
        let in_directory = |name: &str| directory.join(format!("{n_bytes}{name}"));
        std::fs::write(in_directory(".noise"), noise)?;
        std::fs::write(in_directory(".programs"), &content)?;
        let members = in_directory(".members");
        std::fs::create_dir(&members)?;
        for (index, member) in content.chunks(MEMBER_BYTES).enumerate() {
            std::fs::write(members.join(format!("{index:04}")), member)?;
        }
        for format in ["zip", "gztar"] {
            pack(&members, &in_directory(""), format)?;
        }
        let files = [
            ("noise", ".noise"),
            ("programs", ".programs"),
            ("zip of programs", ".zip"),
            ("tar.gz of programs", ".tar.gz"),
        ];
        samples.extend(files.map(|(what, name)| Sample {
            what: what.to_owned(),
            n_bytes,
            path: in_directory(name),
        }));
    }
    Ok(samples)
}

/// Files that there are already, by their names.
pub(crate) fn named(paths: &[PathBuf]) -> anyhow::Result<Vec<Sample>> {
    let sample = |path: &PathBuf| {
        let what = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let n_bytes = usize::try_from(std::fs::metadata(path)?.len())?;
        Ok(Sample { what, n_bytes, path: path.clone() })
    };
    paths.iter().map(sample).collect()
}

fn pack(members: &Path, base: &Path, format: &str) -> anyhow::Result<()> {
    let script = "import shutil, sys; shutil.make_archive(sys.argv[1], sys.argv[2], sys.argv[3])";
    let status = Command::new("python3").args(["-c", script]).arg(base).arg(format).arg(members).status()?;
    ensure!(status.success(), "python3 could not make the archives");
    Ok(())
}
