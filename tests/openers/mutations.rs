//! Changes archives at random, in the ways that have broken parsers: the same number gives the same bytes in
//! every run.

/// SplitMix64.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which must not be 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// A place in bytes of this length. Every second one is near an end, where headers and directories are.
    fn place(&mut self, n_bytes: usize) -> usize {
        let near = n_bytes.min(1 << self.below(13));
        match self.below(4) {
            0 => self.below(near),
            1 => n_bytes - 1 - self.below(near),
            _ => self.below(n_bytes),
        }
    }
}

/// Where a field of a length, a count or an offset overflows, or almost does.
const EXTREMES: [u64; 12] = [
    0,
    1,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFF0,
    0xFFFF_FFFF,
    0x7FFF_FFFF_FFFF_FFFF,
    u64::MAX,
];

/// Changes `bytes`, with parts of `other`.
pub(super) fn mutated(bytes: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            return bytes;
        }
        match random.below(8) {
            0 | 1 => flip_bits(&mut bytes, random),
            2 | 3 => set_fields(&mut bytes, random),
            4 => bytes.truncate(random.place(bytes.len())),
            5 => swap_blocks(&mut bytes, random),
            6 => repeat_block(&mut bytes, random),
            _ => splice(&mut bytes, other, random),
        }
    }
    bytes
}

fn flip_bits(bytes: &mut [u8], random: &mut Random) {
    for _ in 0..=random.below(16) {
        let place = random.place(bytes.len());
        bytes[place] ^= 1 << random.below(8);
    }
}

fn set_fields(bytes: &mut [u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let value = random.one_of(&EXTREMES);
        let width = random.one_of(&[1, 2, 4, 8]);
        let value = if random.below(2) == 0 {
            value.to_le_bytes()
        } else {
            value.rotate_right(8 * width).to_be_bytes()
        };
        let start = random.place(bytes.len());
        // Fields are aligned in most formats.
        let start =
            if random.below(2) == 0 { start } else { start - start % usize::try_from(width).unwrap() };
        let field = bytes.iter_mut().skip(start).take(usize::try_from(width).unwrap());
        field.zip(value).for_each(|(byte, new)| *byte = new);
    }
}

fn block(bytes: &[u8], random: &mut Random) -> std::ops::Range<usize> {
    let n_bytes = random.one_of(&[16, 64, 512, 2048, 4096]).min(bytes.len());
    let start = random.place(bytes.len()).min(bytes.len() - n_bytes);
    start / n_bytes * n_bytes..start / n_bytes * n_bytes + n_bytes
}

fn swap_blocks(bytes: &mut [u8], random: &mut Random) {
    let (one, other) = (block(bytes, random), block(bytes, random));
    let n_bytes = one.len().min(other.len());
    for index in 0..n_bytes {
        bytes.swap(one.start + index, other.start + index);
    }
}

fn repeat_block(bytes: &mut Vec<u8>, random: &mut Random) {
    let block = block(bytes, random);
    let repeated = bytes[block].repeat(1 + random.below(4));
    let place = random.place(bytes.len());
    bytes.splice(place..place, repeated);
}

/// The start of one and the end of the other, joined at the same offset or anywhere.
fn splice(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let place = random.place(bytes.len());
    let from = if random.below(2) == 0 { place.min(other.len()) } else { random.below(other.len() + 1) };
    bytes.truncate(place);
    bytes.extend_from_slice(&other[from..]);
}
