//! Makes a snapshot: loads the definitions twice and compares the loads, measures which pages are needed
//! first, and packs them in that order.

use std::cmp::Reverse;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::arena::PAGE;
use crate::clamav;
use crate::conf::{Conf, Source};
use crate::snapshot::image::Image;
use crate::snapshot::relocations::{self, Relocations};
use crate::snapshot::training::{self, COLD, Touched};
use crate::snapshot::{Contents, FRAME_BYTES, Frame, HEAD_BYTES, MAGIC, database_digests, sha256};

/// The parameters of a snapshot.
pub(crate) struct Options<'a> {
    pub(crate) source: &'a Source,
    pub(crate) out: &'a Path,
    /// Files that are scanned, after the test file, to measure which pages are needed first; a start needs
    /// those of the test file's scan.
    pub(crate) training: &'a [PathBuf],
    /// The level of zstd; `None` for uncompressed frames, for snapshots that stay on a local disk.
    pub(crate) level: Option<i32>,
}

/// The prefix of working directories beside the snapshot, from which it is renamed into place; the process id
/// follows.
const WORK: &str = ".airlock-engine.";

/// Linux lets a process have 65,530 mappings (`vm.max_map_count`). As long as a run is alone it costs two:
/// itself, and the gap behind it.
const MAX_RUNS: usize = 30_000;
/// Gaps of so many pages are filled before pages are given up.
const MAX_GAP: usize = 16;

/// Writes the snapshot atomically. The same definitions, engine and training files give the same bytes.
pub(crate) fn build(conf: &Conf, options: &Options<'_>) -> anyhow::Result<Contents> {
    let directory =
        options.out.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    remove_abandoned(directory)?;
    let work = directory.join(format!("{WORK}{}", std::process::id()));
    std::fs::create_dir(&work).with_context(|| format!("`{}`", work.display()))?;
    let built = build_in(&work, conf, options);
    let removed = std::fs::remove_dir_all(&work);
    let contents = built?;
    removed?;
    Ok(contents)
}

/// Removes the directories of processes that were killed while they made a snapshot here.
fn remove_abandoned(directory: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(directory).with_context(|| format!("`{}`", directory.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(WORK)?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).is_dir()) {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn build_in(work: &Path, conf: &Conf, options: &Options<'_>) -> anyhow::Result<Contents> {
    let database = database_digests(&conf.database)?;
    let one = Image::load(options.source, &work.join("one"))?;
    let other = Image::load(options.source, &work.join("other"))?;
    anyhow::ensure!(database == database_digests(&conf.database)?, "the definitions changed meanwhile");
    let found = relocations::find(&one, &other)?;
    drop(other);
    let canary = work.join("canary");
    std::fs::write(&canary, crate::serve::canary())?;
    let training: Vec<PathBuf> = [canary].iter().chain(options.training).cloned().collect();
    let touched = bounded(&training::touched(&one, &found, conf, &training)?);

    let unfinished = work.join("snapshot");
    let mut frames_file = File::create(work.join("frames"))?;
    let frames = pack(&one, &found, &touched, options.level, &mut frames_file)?;
    let description = &one.description;
    let mut contents = Contents {
        engine_version: description.engine_version.clone(),
        load: conf.load.clone(),
        database,
        n_signatures: description.n_signatures,
        daily: clamav::daily(&conf.database),
        canary: description.canary.clone(),
        arena: description.arena,
        engine_address: description.engine_address,
        modules: description.modules.clone(),
        frames,
    };
    write(&mut contents, &work.join("frames"), &unfinished)?;
    std::fs::rename(&unfinished, options.out).with_context(|| format!("`{}`", options.out.display()))?;
    Ok(contents)
}

/// Returns the pages that scans touch, in few enough runs: fills the smallest gaps that suffice. If none do,
/// the pages that the fewest scans need are no longer distinguished.
fn bounded(touched: &[Touched]) -> Vec<Touched> {
    for gap in 0..=MAX_GAP {
        let mut filled = touched.to_vec();
        fill_gaps(&mut filled, gap);
        if n_runs(&filled) <= MAX_RUNS {
            return filled;
        }
    }
    let only_first = |touched: &Touched| if touched.tier() == 0 { *touched } else { Touched::default() };
    touched.iter().map(only_first).collect()
}

fn n_runs(touched: &[Touched]) -> usize {
    touched.chunk_by(|page, next| page == next).filter(|run| run[0].tier() != COLD).count()
}

/// Gives gaps between two pages that scans touch to what the page before them is needed for.
fn fill_gaps(touched: &mut [Touched], size: usize) {
    let mut last: Option<usize> = None;
    for page in 0..touched.len() {
        if touched[page].tier() == COLD {
            continue;
        }
        if let Some(last) = last.filter(|last| page - last - 1 <= size) {
            let before = touched[last];
            touched[last + 1..page].fill(before);
        }
        last = Some(page);
    }
}

/// Returns pages in the order of the file: by tier, and within it grouped by the scans that need them, so
/// that a scan unpacks few others.
fn in_order(image: &Image, touched: &[Touched]) -> Vec<(u8, usize)> {
    let mut pages: Vec<usize> = (0..touched.len()).filter(|page| !is_zero(image, *page)).collect();
    pages.sort_by_key(|page| {
        let needed = touched[*page];
        (needed.tier(), Reverse(needed.0.count_ones()), needed, *page)
    });
    pages.into_iter().map(|page| (touched[page].tier(), page)).collect()
}

fn pack(
    image: &Image,
    found: &Relocations,
    touched: &[Touched],
    level: Option<i32>,
    out: &mut File,
) -> anyhow::Result<Vec<Frame>> {
    let (mut frames, mut offset) = (vec![], 0);
    for pages in in_order(image, touched).chunk_by(|(tier, _), (next, _)| tier == next) {
        for pages in pages.chunks(FRAME_BYTES / PAGE) {
            let tier = pages[0].0;
            let mut pages: Vec<usize> = pages.iter().map(|(_, page)| *page).collect();
            pages.sort_unstable();
            let mut frame = Frame {
                tier,
                offset,
                length: 0,
                sha256: String::new(),
                raw_length: pages.len() * PAGE,
                is_compressed: level.is_some(),
                runs: runs(&pages)?,
                relocations: vec![],
            };
            let raw = raw_frame(image, found, &pages, &mut frame)?;
            let packed = match level {
                Some(level) => zstd::bulk::compress(&raw, level)?,
                None => raw,
            };
            frame.length = packed.len();
            frame.sha256 = sha256(&packed);
            offset += packed.len() as u64;
            out.write_all(&packed)?;
            frames.push(frame);
        }
    }
    out.flush()?;
    Ok(frames)
}

/// Pages of zeros are there without being stored.
fn is_zero(image: &Image, page: usize) -> bool {
    image.bytes()[page * PAGE..][..PAGE].iter().all(|byte| *byte == 0)
}

fn runs(pages: &[usize]) -> anyhow::Result<Vec<(u32, u32)>> {
    let mut runs: Vec<(u32, u32)> = vec![];
    for page in pages {
        let page = u32::try_from(*page)?;
        match runs.last_mut() {
            Some((first, n)) if *first + *n == page => *n += 1,
            _ => runs.push((page, 1)),
        }
    }
    Ok(runs)
}

/// The pages' bytes, with what is stale zeroed. Notes the pointers among them.
fn raw_frame(
    image: &Image,
    found: &Relocations,
    pages: &[usize],
    frame: &mut Frame,
) -> anyhow::Result<Vec<u8>> {
    let mut raw = Vec::with_capacity(pages.len() * PAGE);
    for page in pages {
        let start = raw.len();
        let bytes = page * PAGE..(page + 1) * PAGE;
        raw.extend_from_slice(&image.bytes()[bytes.clone()]);
        let first = found.stale.partition_point(|(offset, _)| *offset < bytes.start);
        for (offset, bits) in found.stale[first..].iter().take_while(|(offset, _)| bytes.contains(offset)) {
            let word = &mut raw[start + offset - bytes.start..][..8];
            let kept = u64::from_le_bytes(word[..].try_into()?) & !bits;
            word.copy_from_slice(&kept.to_le_bytes());
        }
        let first = found.pointers.partition_point(|(offset, _)| *offset < bytes.start);
        for (offset, module) in
            found.pointers[first..].iter().take_while(|(offset, _)| bytes.contains(offset))
        {
            let at = start + offset - bytes.start;
            // Relative to the library, so that two snapshots are the same wherever the libraries were.
            let low = image.description.modules[*module as usize].low as u64;
            let pointer = u64::from_le_bytes(raw[at..at + 8].try_into()?) - low;
            raw[at..at + 8].copy_from_slice(&pointer.to_le_bytes());
            frame.relocations.push((u32::try_from(at)?, *module));
        }
    }
    Ok(raw)
}

fn write(contents: &mut Contents, frames: &Path, out: &Path) -> anyhow::Result<()> {
    // The libraries' addresses are not needed, and would differ every time.
    for module in &mut contents.modules {
        (module.low, module.high) = (0, module.high - module.low);
    }
    // The contents have the frames' offsets, which depend on the contents' length: measured once with the
    // longest possible offsets.
    let mut text = serde_json::to_vec(contents)?;
    let start = (HEAD_BYTES + text.len() + contents.frames.len() * 20).next_multiple_of(PAGE) as u64;
    for frame in &mut contents.frames {
        frame.offset += start;
    }
    text = serde_json::to_vec(contents)?;
    text.resize(usize::try_from(start)? - HEAD_BYTES, b' ');
    let mut file = File::create(out)?;
    file.write_all(MAGIC)?;
    file.write_all(&(text.len() as u64).to_le_bytes())?;
    file.write_all(&Sha256::digest(&text))?;
    file.write_all(&text)?;
    std::io::copy(&mut File::open(frames)?, &mut file)?;
    file.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_from_the_left_and_only_up_to_a_size() {
        let pages = |text: &str| -> Vec<Touched> {
            text.chars().map(|page| Touched(page.to_digit(10).unwrap())).collect()
        };
        for (size, before, after) in
            [(0, "1020", "1020"), (1, "10200300", "11200300"), (2, "10200300", "11222300")]
        {
            let mut touched = pages(before);
            fill_gaps(&mut touched, size);
            assert_eq!(touched, pages(after), "{size}");
        }
        assert_eq!(n_runs(&pages("110220030")), 3);
    }

    #[test]
    fn there_are_never_too_many_runs() {
        // Every 40th page alone: no gap that is filled helps.
        let scattered: Vec<Touched> =
            (0..40 * 2 * MAX_RUNS).map(|page| Touched(if page % 40 == 0 { 2 } else { 0 })).collect();
        assert_eq!(n_runs(&bounded(&scattered)), 0);
        let dense: Vec<Touched> =
            (0..4 * MAX_RUNS).map(|page| Touched(if page % 2 == 0 { 2 } else { 0 })).collect();
        assert_eq!(n_runs(&bounded(&dense)), 1);
    }

    #[test]
    fn runs_are_what_is_side_by_side() {
        assert_eq!(runs(&[3, 4, 5, 9, 11]).unwrap(), [(3, 3), (9, 1), (11, 1)]);
        assert_eq!(runs(&[]).unwrap(), []);
    }
}
