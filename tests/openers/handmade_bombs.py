#!/usr/bin/env python3
"""Writes bombs that no program makes: `handmade_bombs.py DIRECTORY`. They are named as those of `bombs.py`.

A quine unpacks to itself, and that to itself again (Russ Cox, "Zip Files All The Way Down"). RAR 5 archives of a gigabyte in 32 KiB, and of a member
that says to be of eight exabytes. HFS+ volumes whose catalogue, or whose folder, leads to itself. A 7z archive of a million entries.
"""

import os, struct, sys, zlib

DIRECTORY = sys.argv[1]
GIGABYTE = 1 << 30


def write(name, data):
    with open(os.path.join(DIRECTORY, name), "wb") as file:
        file.write(data)


class Bits:
    """Bits in the order of deflate: the lowest first."""

    def __init__(self):
        self.bits = []

    def add(self, value, n_bits):
        self.bits += [value >> index & 1 for index in range(n_bits)]

    def code(self, value, n_bits):
        self.bits += [value >> index & 1 for index in reversed(range(n_bits))]

    def bytes(self):
        padded = self.bits + [0] * (-len(self.bits) % 8)
        return bytes(sum(bit << index for index, bit in enumerate(padded[at:at + 8])) for at in range(0, len(padded), 8))


def ranges(first, first_code, n_in_group, n_single):
    """(code, smallest value, extra bits) of the lengths or distances of RFC 1951, 3.2.5."""
    found, value, code = [], first, first_code
    while code < first_code + 30:
        extra = max(0, (code - first_code - n_single) // n_in_group + 1)
        found.append((code, value, extra))
        value, code = value + (1 << extra), code + 1
    return found


LENGTHS = ranges(3, 257, 4, 8)[:28]
DISTANCES = ranges(1, 0, 2, 4)


def literal(data):
    """A stored block."""
    return struct.pack("<BHH", 0, len(data), len(data) ^ 0xFFFF) + data


def repeat(distance, lengths, n_empty_blocks=0, is_last=False):
    """A block that repeats the last `distance` bytes, in pieces, and empty blocks that fill up its last byte."""
    bits = Bits()
    bits.add(3 if is_last else 2, 3)
    for length in lengths:
        code, smallest, n_extra = max((entry for entry in LENGTHS if entry[1] <= length), key=lambda entry: entry[1])
        bits.code(code - 256 if code < 280 else code - 280 + 192, 7 if code < 280 else 8)
        bits.add(length - smallest, n_extra)
        code, smallest, n_extra = max((entry for entry in DISTANCES if entry[1] <= distance), key=lambda entry: entry[1])
        bits.code(code, 5)
        bits.add(distance - smallest, n_extra)
    bits.add(0, 7)
    for _ in range(n_empty_blocks):
        bits.add(2, 10)
    return bits.bytes()


def quine(prefix, suffix, repeat_prefix):
    """A stream between `prefix` and `suffix` that unpacks to all three. Its blocks are of five bytes, but for the last one."""
    head = [struct.pack("<BHH", 0, n, n ^ 0xFFFF) for n in range(400)]
    nothing, four = head[0], repeat(20, [10, 10])
    assert len(four) == len(repeat_prefix) == 5
    of_prefix, one, of_four = head[len(prefix) + 5], head[5], head[20]
    n_end = len(suffix) + 4
    end = repeat(n_end, [n_end], is_last=True)
    assert len(end) == 4
    of_suffix = head[n_end]
    stream = of_prefix + prefix + of_prefix + repeat_prefix + one + repeat_prefix + one + one
    stream += of_four + repeat_prefix + one + one + of_four + four + of_four + four + of_four + four + of_four + four
    stream += of_four + four + nothing + nothing + of_suffix + four + nothing + nothing + of_suffix + end + suffix + end
    return prefix + stream + suffix


def with_own_checksum(make):
    """`make(checksum)` with the checksum of what it returns. CRC-32 is affine: a system of 32 equations."""
    base = zlib.crc32(make(0))
    columns = [zlib.crc32(make(1 << bit)) ^ base ^ 1 << bit for bit in range(32)]
    rows = [(sum((columns[bit] >> row & 1) << bit for bit in range(32)), base >> row & 1) for row in range(32)]
    checksum = 0
    for bit in range(32):
        pivot = next(row for row in range(bit, 32) if rows[row][0] >> bit & 1)
        rows[bit], rows[pivot] = rows[pivot], rows[bit]
        for row in range(32):
            if row != bit and rows[row][0] >> bit & 1:
                rows[row] = rows[row][0] ^ rows[bit][0], rows[row][1] ^ rows[bit][1]
    for bit in range(32):
        checksum |= rows[bit][1] << bit
    made = make(checksum)
    assert zlib.crc32(made) == checksum
    return made


def gzip_quine(checksum, size):
    prefix = b"\x1f\x8b\x08\x08\0\0\0\0\0\3q\0"
    return quine(prefix, struct.pack("<II", checksum, size), repeat(len(prefix) + 5, [10, 7]))


def zip_quine(checksum, size):
    # The block that repeats the prefix is as long as the others for a prefix of 60 bytes.
    name = b"quine".ljust(26, b"-") + b".zip"
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0x21, checksum, size - 60 - 46 - 30 - 22, size, len(name), 0)
    prefix = b"PK\3\4" + fields + name
    directory = b"PK\1\2" + struct.pack("<H", 0x314) + fields + struct.pack("<HHHII", 0, 0, 0, 0o100644 << 16, 0) + name
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(directory), size - len(directory) - 22, 0)
    return quine(prefix, directory + end, repeat(len(prefix) + 5, [65], 1))


def quines():
    for name, make in (("gzip", gzip_quine), ("zip", zip_quine)):
        size = len(make(0, 1000))
        write(f"large-{name}-quine", with_own_checksum(lambda checksum: make(checksum, size)))


def number(value):
    out = b""
    while value >= 128:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def rar_5(data, size, method):
    def block(kind, flags, body, data=b""):
        head = number(kind) + number(flags) + (number(len(data)) if data else b"") + body
        head = number(len(head)) + head
        return struct.pack("<I", zlib.crc32(head)) + head + data

    # The version, the method, and a dictionary of 128 KiB.
    file = number(0) + number(size) + number(0o100644) + number(method << 7) + number(1) + number(5) + b"zeros"
    return b"Rar!\x1a\7\1\0" + block(1, 0, number(0)) + block(2, 2, file, data) + block(5, 0, number(0))


def packed_zeros(n_bytes):
    """One block: a zero, the longest match, and one bit for each repetition of it."""
    text = ""

    def add(value, n_bits):
        nonlocal text
        text += f"{value:0{n_bits}b}"

    # Lengths of codes for the lengths of codes: 1 and 2, and 19 for runs of zeros.
    for value in range(20):
        add({1: 2, 2: 2, 19: 1}.get(value, 0), 4)
    codes = {1: "10", 2: "11", 19: "0"}
    # 306 symbols for bytes and matches, 64 for distances, 16 for their low bits, 44 for repeated lengths.
    used = {0: 2, 257: 1, 262 + 43: 2, 306: 1, 306 + 64: 1, 306 + 64 + 16: 1}
    at = 0
    while at < 306 + 64 + 16 + 44:
        if at in used:
            text += codes[used[at]]
            at += 1
            continue
        n_zeros = next((place for place in range(at, 430) if place in used), 430) - at
        # 19 stands for 11 to 138 zeros. None is left over that is too short for it.
        n_now = n_zeros if n_zeros <= 138 else min(138, n_zeros - 11)
        text += codes[19]
        add(n_now - 11, 7)
        at += n_now
    longest = 2 + (7 << 9) + 511
    text += "10" + "11" + "1" * 9 + "0"
    n_repeated = (n_bytes - 1 - longest) // longest
    text += "0" * n_repeated
    n_bits = len(text)
    data = int(text.ljust(-(-n_bits // 8) * 8, "0"), 2).to_bytes(-(-n_bits // 8), "big")
    # The bits of its last byte; three bytes for its size; the last block; lengths of codes are in it.
    flags = (n_bits - 1) % 8 | 2 << 3 | 0x40 | 0x80
    size = len(data).to_bytes(3, "little")
    checksum = 0x5A ^ flags ^ size[0] ^ size[1] ^ size[2]
    return bytes([flags, checksum]) + size + data, 1 + longest * (1 + n_repeated)


def rars():
    data, size = packed_zeros(GIGABYTE)
    write("large-rar-5", rar_5(data, size, 3))
    write("large-rar-5-says-1-byte", rar_5(data, 1, 3))
    write("odd-rar-5-says-8-exabytes", rar_5(packed_zeros(1 << 20)[0], 1 << 63, 3))
    write("odd-rar-5-stored-says-8-exabytes", rar_5(b"some text", 1 << 63, 0))


def fork(size, first_block):
    n_blocks = -(-size // BLOCK)
    return struct.pack(">QIIII", size, BLOCK, n_blocks, first_block, n_blocks) + bytes(56)


BLOCK = 4096
CATALOGUE_AT, FILE_AT = 2, 8


def hfs_record(parent, name, data):
    key = struct.pack(">IH", parent, len(name)) + name.encode("utf-16-be")
    return struct.pack(">H", len(key)) + key + data


def hfs_node(next_node, kind, height, records):
    node, places = bytearray(struct.pack(">IIbBHH", next_node, 0, kind, height, len(records), 0)), []
    for record in records:
        places.append(len(node))
        node += record
    places = b"".join(struct.pack(">H", place) for place in reversed([*places, len(node)]))
    return bytes(node) + bytes(BLOCK - len(node) - len(places)) + places


def hfs(next_leaf=0, parent_of_folder=2):
    """A volume of HFS+ with a folder and a file in it (Apple, Technical Note TN1150)."""
    text = b"some text"

    def folder(identifier):
        return struct.pack(">HHII", 1, 0, 1, identifier) + bytes(76)

    file = struct.pack(">HHII", 2, 0, 0, 17) + bytes(76) + fork(len(text), FILE_AT) + bytes(80)
    records = [hfs_record(1, "volume", folder(2)), hfs_record(2, "", struct.pack(">HHIH", 3, 0, 1, 0))]
    records += [hfs_record(parent_of_folder, "folder", folder(16)), hfs_record(16, "", struct.pack(">HHIH", 3, 0, parent_of_folder, 0))]
    records += [hfs_record(16, "a", file)]
    tree = struct.pack(">HIIIIHHIIHIBBI", 1, 1, len(records), 1, 1, BLOCK, 516, 2, 0, 0, BLOCK, 0, 0xCF, 6) + bytes(64)
    catalogue = hfs_node(0, 1, 0, [tree, bytes(128), b"\xc0".ljust(256, b"\0")]) + hfs_node(next_leaf, -1, 1, records)
    header = struct.pack(">2sHI4sIIIIIII", b"H+", 4, 0x100, b"10.0", 0, 0, 0, 0, 0, 1, 1)
    header += struct.pack(">IIIIIIIIQ", BLOCK, 16, 0, 0, BLOCK, BLOCK, 18, 1, 1) + bytes(32)
    header += bytes(80) + bytes(80) + fork(len(catalogue), CATALOGUE_AT) + bytes(160)
    volume = bytearray(16 * BLOCK)
    volume[1024:1536] = volume[-1024:-512] = header
    volume[CATALOGUE_AT * BLOCK:CATALOGUE_AT * BLOCK + len(catalogue)] = catalogue
    volume[FILE_AT * BLOCK:FILE_AT * BLOCK + len(text)] = text
    return bytes(volume)


def hfs_volumes():
    write("odd-hfs-sound", hfs())
    write("odd-hfs-leaf-that-follows-itself", hfs(next_leaf=1))
    write("odd-hfs-leaf-that-follows-the-header", hfs(next_leaf=0x100))
    write("odd-hfs-folder-in-itself", hfs(parent_of_folder=16))


def seven_zip_of_a_million():
    n_entries = 1_000_000

    def field(value):
        return b"\xf0" + struct.pack("<I", value)

    text = b"\0" + b"".join(f"{index}\0".encode("utf-16-le") for index in range(n_entries))
    empty = b"\xff" * (n_entries // 8)
    header = b"\1\5" + field(n_entries) + b"\x0e" + field(len(empty)) + empty + b"\x0f" + field(len(empty)) + empty
    header += b"\x11" + field(len(text)) + text + b"\0\0"
    start = struct.pack("<QQI", 0, len(header), zlib.crc32(header))
    write("odd-7z-a-million-entries", b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + header)


for bombs in (quines, rars, hfs_volumes, seven_zip_of_a_million):
    bombs()
