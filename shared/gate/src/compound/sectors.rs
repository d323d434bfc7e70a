//! Reads sectors of a compound file and of its mini stream, and chains of them ([MS-CFB] 2.3 to 2.5).

use std::io::{self, Read};

use crate::blob::{Blob, to_u64, to_usize};
use crate::fields::Fields as _;

use super::header::Header;

/// Larger numbers are no sectors.
const LAST_REGULAR: u32 = 0xffff_fffa;
const END_OF_CHAIN: u32 = 0xffff_fffe;
const FREE: u32 = 0xffff_ffff;
/// Sectors that follow each other are read together, up to this.
const RUN_BYTES: u64 = 64 * 1024;

/// Sectors of one size, and which follows which.
pub(super) struct Sectors {
    shift: u32,
    next: Vec<u32>,
    places: Places,
    /// As many as there can be: no chain without a cycle is longer.
    longest_chain: u64,
}

enum Places {
    InFile,
    InMiniStream { sectors: Vec<u32>, shift: u32 },
}

impl Sectors {
    /// Where a sector stands in the file.
    fn place(&self, sector: u32) -> Option<u64> {
        match &self.places {
            Places::InFile => Some((u64::from(sector) + 1) << self.shift),
            Places::InMiniStream { sectors, shift } => {
                let at = u64::from(sector) << self.shift;
                let outer = *sectors.get(to_usize(at >> shift))?;
                Some(((u64::from(outer) + 1) << shift) + (at & ((1 << shift) - 1)))
            }
        }
    }
}

/// The sectors of the file itself.
pub(super) fn of_file(blob: &Blob, header: &Header) -> io::Result<Sectors> {
    let shift = header.sector_shift;
    let most_sectors = blob.size_bytes().div_ceil(1 << shift);
    let mut sectors = Sectors { shift, next: vec![], places: Places::InFile, longest_chain: most_sectors };
    let mut numbers = header.fat_sectors.clone();
    let mut difat_at = header.difat_at;
    for _ in 0..most_sectors {
        let used = numbers.iter().position(|number| *number > LAST_REGULAR).unwrap_or(numbers.len());
        for number in &numbers[..used] {
            if to_u64(sectors.next.len()) >= most_sectors {
                return Ok(sectors);
            }
            sectors.next.extend(sector_numbers(blob, &sectors, *number)?);
        }
        if used < numbers.len() || difat_at > LAST_REGULAR {
            break;
        }
        // A sector's last number is that of the next such sector.
        numbers = sector_numbers(blob, &sectors, difat_at)?;
        difat_at = numbers.pop().unwrap_or(END_OF_CHAIN);
    }
    Ok(sectors)
}

fn sector_numbers(blob: &Blob, sectors: &Sectors, sector: u32) -> io::Result<Vec<u32>> {
    let Some(place) = sectors.place(sector) else { return Ok(vec![]) };
    let bytes = blob.bytes_at(place, 1 << sectors.shift)?;
    Ok(bytes.chunks_exact(4).map(|number| number.u32_le(0)).collect())
}

/// The sectors of the mini stream, which begins at `mini_stream_at`.
pub(super) fn of_mini_stream(
    blob: &Blob,
    file: &Sectors,
    header: &Header,
    mini_stream_at: u32,
) -> io::Result<Sectors> {
    let sectors = Chain::to_its_end(blob, file, mini_stream_at).sectors();
    let most_sectors = to_u64(sectors.len()) << (header.sector_shift - header.mini_sector_shift);
    let mut bytes = Vec::new();
    let table = Chain::to_its_end(blob, file, header.mini_fat_at);
    table.take(most_sectors * 4).read_to_end(&mut bytes)?;
    let next = bytes.chunks_exact(4).map(|number| number.u32_le(0)).collect();
    let places = Places::InMiniStream { sectors, shift: header.sector_shift };
    Ok(Sectors { shift: header.mini_sector_shift, next, places, longest_chain: most_sectors })
}

/// How a chain ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ChainEnd {
    /// With the stream, or before: with a mark, or with the file. Readers take what there is.
    Proper,
    /// At a sector that does not exist, or never.
    Lost,
}

/// Bytes of a stream that stand one behind the other in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run {
    pub(super) place: u64,
    pub(super) stream_at: u64,
    pub(super) n_bytes: u64,
}

/// Reads a chain of sectors, as far as it goes.
pub(super) struct Chain<'a> {
    blob: &'a Blob,
    sectors: &'a Sectors,
    /// The next sector, while there is one.
    next: Result<u32, ChainEnd>,
    n_bytes_left: u64,
    is_endless: bool,
    run: io::Cursor<Vec<u8>>,
}

impl<'a> Chain<'a> {
    /// A stream of a size, which may be any number.
    pub(super) fn new(blob: &'a Blob, sectors: &'a Sectors, starts_at: u32, size_bytes: u64) -> Self {
        let most_bytes = sectors.longest_chain << sectors.shift;
        Self {
            blob,
            sectors,
            next: regular(starts_at),
            n_bytes_left: size_bytes.min(most_bytes),
            is_endless: size_bytes > most_bytes,
            run: io::Cursor::default(),
        }
    }

    /// A chain that ends where its mark is.
    pub(super) fn to_its_end(blob: &'a Blob, sectors: &'a Sectors, starts_at: u32) -> Self {
        Self::new(blob, sectors, starts_at, u64::MAX)
    }

    /// Says how the chain ends, once it is read to its end.
    pub(super) fn end(&self) -> ChainEnd {
        match self.next {
            Err(end) => end,
            Ok(_) if self.is_endless => ChainEnd::Lost,
            Ok(_) => ChainEnd::Proper,
        }
    }

    /// The numbers of its sectors that stand in the file.
    fn sectors(mut self) -> Vec<u32> {
        let mut numbers = Vec::new();
        while let Ok(sector) = self.next {
            let is_there = self.sectors.place(sector).is_some_and(|place| place < self.blob.size_bytes());
            if !is_there || to_u64(numbers.len()) >= self.sectors.longest_chain {
                break;
            }
            numbers.push(sector);
            self.next = self.follower(sector);
        }
        numbers
    }

    /// Where its bytes stand, in their order; `None` if in more places than `most`.
    pub(super) fn runs(mut self, most: usize) -> Option<Vec<Run>> {
        let (mut runs, mut stream_at) = (Vec::<Run>::new(), 0);
        while let Ok(sector) = self.next
            && self.n_bytes_left > 0
            && let Some(place) = self.sectors.place(sector).filter(|place| *place < self.blob.size_bytes())
        {
            let n_bytes = self.n_bytes_left.min(1 << self.sectors.shift);
            let last = runs.last_mut().filter(|last| last.place + last.n_bytes == place);
            if let Some(last) = last {
                last.n_bytes += n_bytes;
            } else if runs.len() < most {
                runs.push(Run { place, stream_at, n_bytes });
            } else {
                return None;
            }
            stream_at += n_bytes;
            self.n_bytes_left -= n_bytes;
            self.next = self.follower(sector);
        }
        Some(runs)
    }

    fn follower(&self, sector: u32) -> Result<u32, ChainEnd> {
        let next = usize::try_from(sector).ok().and_then(|sector| self.sectors.next.get(sector));
        regular(*next.ok_or(ChainEnd::Lost)?)
    }

    /// Reads sectors that stand one behind the other.
    fn read_run(&mut self) -> io::Result<()> {
        let Ok(first) = self.next else { return Ok(()) };
        let Some(place) = self.sectors.place(first).filter(|place| *place < self.blob.size_bytes()) else {
            self.next = Err(ChainEnd::Lost);
            return Ok(());
        };
        let (sector_bytes, most_bytes) = (1 << self.sectors.shift, self.n_bytes_left.min(RUN_BYTES));
        let (mut sector, mut n_bytes) = (first, sector_bytes);
        while n_bytes < most_bytes {
            self.next = self.follower(sector);
            match self.next {
                Ok(next) if self.sectors.place(next) == Some(place + n_bytes) => sector = next,
                _ => break,
            }
            n_bytes += sector_bytes;
        }
        if n_bytes >= most_bytes && self.n_bytes_left > n_bytes {
            self.next = self.follower(sector);
        }
        let n_wanted = n_bytes.min(self.n_bytes_left);
        let bytes = self.blob.bytes_at(place, to_usize(n_wanted))?;
        if to_u64(bytes.len()) < n_wanted {
            self.next = Err(ChainEnd::Proper);
        }
        self.n_bytes_left -= n_wanted;
        self.run = io::Cursor::new(bytes);
        Ok(())
    }
}

impl Read for Chain<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let is_read = self.run.position() >= to_u64(self.run.get_ref().len());
        if is_read && self.n_bytes_left > 0 {
            self.run = io::Cursor::default();
            self.read_run()?;
        }
        self.run.read(buffer)
    }
}

fn regular(sector: u32) -> Result<u32, ChainEnd> {
    match sector {
        END_OF_CHAIN | FREE => Err(ChainEnd::Proper),
        0..=LAST_REGULAR => Ok(sector),
        _ => Err(ChainEnd::Lost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTOR: usize = 512;

    /// A file in which sector `n` is filled with the digit `n`, except sector 0, which holds the FAT.
    fn file(fat: &[u32]) -> (Blob, Header) {
        let mut bytes = vec![0; SECTOR];
        (bytes[30], bytes[32], bytes[60]) = (9, 6, 3);
        bytes[80..].fill(0xff);
        bytes[68..72].fill(0xff);
        bytes.extend(fat.iter().flat_map(|next| next.to_le_bytes()));
        bytes.resize(2 * SECTOR, 0xff);
        bytes.extend((1..6).flat_map(|digit| [b'0' + digit; SECTOR]));
        let blob = Blob::from_bytes(bytes);
        let header = Header::read(&blob).unwrap().unwrap();
        (blob, header)
    }

    /// The digits of a chain's sectors, and how it ends.
    fn read(fat: &[u32], starts_at: u32, size_bytes: u64) -> (String, ChainEnd) {
        let (blob, header) = file(fat);
        let sectors = of_file(&blob, &header).unwrap();
        let mut chain = Chain::new(&blob, &sectors, starts_at, size_bytes);
        let mut bytes = Vec::new();
        chain.read_to_end(&mut bytes).unwrap();
        let digits = bytes.chunks(SECTOR).map(|sector| char::from(sector[0])).collect();
        assert!(to_u64(bytes.len()) <= size_bytes);
        (digits, chain.end())
    }

    #[test]
    fn a_chain_stands_in_runs() {
        let (blob, header) = file(&[0xffff_fffd, 2, 4, END_OF_CHAIN, 3]);
        let sectors = of_file(&blob, &header).unwrap();
        let runs = |size_bytes, most| Chain::new(&blob, &sectors, 1, size_bytes).runs(most);
        let run = |place, stream_at, n_bytes| Run { place, stream_at, n_bytes };
        let all = [run(1024, 0, 1024), run(2560, 1024, 512), run(2048, 1536, 500)];
        assert_eq!(runs(2036, 3).unwrap(), all);
        assert_eq!(runs(700, 1).unwrap(), [run(1024, 0, 700)]);
        assert_eq!(runs(0, 1).unwrap(), []);
        assert_eq!(runs(2036, 2), None);
    }

    #[test]
    fn a_chain_is_read_as_far_as_it_goes() {
        let fat = [0xffff_fffd, 2, 3, END_OF_CHAIN, 1, 4, 99];
        let proper = |digits: &str| (digits.to_owned(), ChainEnd::Proper);
        let lost = |digits: &str| (digits.to_owned(), ChainEnd::Lost);
        assert_eq!(read(&fat, 1, 3 * 512), proper("123"));
        assert_eq!(read(&fat, 1, 2 * 512 + 1), proper("123"));
        assert_eq!(read(&fat, 1, 512), proper("1"));
        assert_eq!(read(&fat, 4, 9000), proper("4123"), "shorter than its size");
        assert_eq!(read(&fat, 5, 2 * 512), proper("54"));
        assert_eq!(read(&fat, FREE, 9), proper(""));
        assert_eq!(read(&fat, 0, 600), lost("\u{fd}"), "a marker instead of a sector number");
        assert_eq!(read(&fat, 0xffff_fffb, 9), lost(""));
        assert_eq!(read(&fat, 9, 9), lost(""), "outside");
        assert_eq!(read(&[0xffff_fffd, 9], 1, 600), lost("1"));
        assert_eq!(read(&[0xffff_fffd, 2, 1], 1, 9000), lost("1212121"), "a cycle");
        assert_eq!(read(&[0xffff_fffd, 2, 1], 1, 4 * 512), proper("1212"));
    }

    #[test]
    fn the_mini_stream_is_in_sectors_of_the_file() {
        // The mini stream is in sectors 5 and 4, its table in sector 3, which says `33333333` throughout.
        let (blob, header) = file(&[0xffff_fffd, FREE, FREE, END_OF_CHAIN, END_OF_CHAIN, 4]);
        let sectors = of_file(&blob, &header).unwrap();
        let mini = of_mini_stream(&blob, &sectors, &header, 5).unwrap();
        assert_eq!(mini.next, [0x3333_3333; 16]);
        assert_eq!([0, 7, 8, 15].map(|sector| mini.place(sector)), [3072, 3520, 2560, 3008].map(Some));
        assert_eq!(mini.place(16), None);
        let mut chain = Chain::new(&blob, &mini, 8, 100);
        let mut bytes = Vec::new();
        chain.read_to_end(&mut bytes).unwrap();
        assert_eq!((bytes, chain.end()), (vec![b'4'; 64], ChainEnd::Lost));
    }

    #[test]
    fn tables_that_point_at_themselves_end() {
        let (blob, mut header) = file(&[1; 128]);
        header.fat_sectors = vec![0; 109];
        header.difat_at = 0;
        assert!(of_file(&blob, &header).unwrap().next.len() <= 128);
        header.fat_sectors.clear();
        header.difat_at = 1;
        assert!(of_file(&blob, &header).unwrap().next.len() <= 128);
    }
}
