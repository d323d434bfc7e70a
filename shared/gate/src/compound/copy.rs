//! Copies a compound file with other bytes in some streams, as many as before.

use crate::blob::{Blob, BlobWriter, to_u64};
use crate::walk::{Walk, Walked, malformed};

use super::{COPY_BYTES, Extent, File};

/// Files of 100 MB have 200 000 sectors.
const MAX_RUNS: usize = 500_000;

impl File<'_> {
    /// The file with these streams. What is shorter than before is the beginning; where streams share
    /// sectors, the first one has them.
    pub(crate) fn copy_with(&self, walk: &Walk<'_>, streams: &[(Extent, Blob)]) -> Walked<Blob> {
        let mut runs = Vec::new();
        for (extent, content) in streams {
            let Some(found) = self.chain(*extent).runs(MAX_RUNS - runs.len()) else {
                return malformed("compound file: a stream in more pieces than the limit");
            };
            runs.extend(found.into_iter().map(|run| (run, content)));
        }
        runs.sort_by_key(|(run, _)| run.place);
        let (mut writer, mut at) = (walk.writer(), 0u64);
        for (run, content) in runs {
            let n_shared = at.saturating_sub(run.place);
            if n_shared < run.n_bytes {
                append(&mut writer, &self.blob.slice(at, run.place.saturating_sub(at)))?;
                append(&mut writer, &content.slice(run.stream_at + n_shared, run.n_bytes - n_shared))?;
                at = writer.size_bytes();
            }
        }
        append(&mut writer, &self.blob.tail(at))?;
        Ok(writer.finish())
    }
}

fn append(writer: &mut BlobWriter, blob: &Blob) -> Walked {
    let mut at = 0;
    while at < blob.size_bytes() {
        let bytes = blob.bytes_at(at, COPY_BYTES)?;
        writer.write(&bytes)?;
        at += to_u64(bytes.len());
    }
    Ok(())
}
