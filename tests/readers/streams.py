"""Compressed streams: every magic that gzip, xz, bzip2, zstd, lz4, lzip, lzop and compress read, every optional field, several streams in a row.

RFC 1952; The .xz File Format 1.1.0; RFC 8878; LZ4 Frame Format 1.6.3; the manuals of lzip and of GNU gzip (pack, compress, lzh).
"""

import bz2, gzip, itertools, lzma, struct, zlib

from base import EICAR, FRONTS, HARMLESS, HIDDEN_ZIP, NOISE, PAYLOADS, TAR, made_with


def gz(data, flags=0, extra=b"", name=b"", comment=b"", method=8, system=3, junk_flags=0):
    fields = (struct.pack("<H", len(extra)) + extra if flags & 4 else b"") + (name + b"\0" if flags & 8 else b"") + (comment + b"\0" if flags & 16 else b"")
    head = b"\x1f\x8b" + bytes([method, flags | junk_flags]) + bytes(4) + bytes([0, system]) + fields
    if flags & 2:
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return head + packer.compress(data) + packer.flush() + struct.pack("<II", zlib.crc32(data), len(data))


def pack(data):
    """System V pack (magic 1f 1e): canonical Huffman codes on two levels, the end mark the last leaf."""
    symbols = sorted(set(data))
    n, depth = len(symbols) + 1, 1
    while 1 << depth < n:
        depth += 1
    n_deep = 2 * n - (1 << depth)
    short, deep = symbols[:n - n_deep], symbols[n - n_deep:]
    counts = [0] * depth
    counts[depth - 2], counts[depth - 1] = n - n_deep, n_deep - 2
    codes = {symbol: (index, depth) for index, symbol in enumerate(deep + [256])}
    codes |= {symbol: (n_deep // 2 + index, depth - 1) for index, symbol in enumerate(short)}
    bits = "".join(format(codes[byte][0], f"0{codes[byte][1]}b") for byte in [*data, 256])
    bits += "0" * (-len(bits) % 8)
    packed = bytes(int(bits[start:start + 8], 2) for start in range(0, len(bits), 8))
    return b"\x1f\x1e" + struct.pack(">I", len(data)) + bytes([depth, *counts]) + bytes(short + deep) + packed


def compress(data, bits=16, block=True):
    """LZW as compress(1) writes it while codes have nine bits: literals only."""
    assert len(data) < 250
    value = sum(byte << 9 * index for index, byte in enumerate(data))
    return b"\x1f\x9d" + bytes([bits | 0x80 * block]) + value.to_bytes((9 * len(data) + 7) // 8, "little")


def gzips():
    for flags in range(32):
        yield f"gz-flags-{flags:02}", "gz", gz(EICAR, flags, b"AB\4\0abcd", b"e.com", b"a comment")
        yield f"gz-flags-{flags:02}-hidden", "gz", gz(HIDDEN_ZIP, flags, b"AB\4\0abcd", b"e.com", b"a comment")
    for bit in (0x20, 0x40, 0x80):
        yield f"gz-reserved-{bit:x}", "gz", gz(EICAR, junk_flags=bit)
    for method in (0, 7, 9):
        yield f"gz-method-{method}", "gz", gz(EICAR, method=method)
    for system in (0, 11, 255):
        yield f"gz-system-{system}", "gz", gz(EICAR, system=system)
    for kind, data in PAYLOADS.items():
        plain = gz(data)
        for magic in (b"\x1f\x9e", b"\x1f\x8b"):
            yield f"gz-magic-{magic.hex()}-{kind}", "gz", magic + plain[2:]
            yield f"gz-magic-{magic.hex()}-second-{kind}", "gz", gz(HARMLESS) + magic + plain[2:]
            yield f"gz-magic-{magic.hex()}-twice-{kind}", "gz", magic + gz(magic + plain[2:])[2:]
        yield f"pack-{kind}", "z", pack(data)
        yield f"pack-of-gz-{kind}", "z", pack(plain)
        if len(data) < 250:
            for bits, block in itertools.product((9, 10, 12, 14, 16), (True, False)):
                yield f"compress-{bits}-{block}-{kind}", "Z", compress(data, bits, block)
        yield f"gz-crc-wrong-{kind}", "gz", plain[:-8] + bytes(4) + plain[-4:]
        yield f"gz-size-wrong-{kind}", "gz", plain[:-4] + b"\xff" * 4
        yield f"gz-no-trailer-{kind}", "gz", plain[:-8]
        yield f"zlib-{kind}", "zz", zlib.compress(data)
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        yield f"gz-extra-long-{kind}", "gz", gz(data, 4, b"x" * 65535)
        yield f"gz-name-long-{kind}", "gz", gz(data, 8, name=b"n" * 70000)


def several():
    """Streams in a row, with what readers skip between them."""
    packers = {"gz": gz, "bz2": bz2.compress, "xz": lzma.compress, "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE), "lz": lzip, "zst": zstd, "lz4": lz4, "lz4-old": lz4_old}
    for name, packer in packers.items():
        extension = name.split("-")[0]
        one, other, none = packer(EICAR), packer(HARMLESS), packer(b"")
        for kind, data in PAYLOADS.items():
            yield f"{name}-{kind}", extension, packer(data)
            yield f"{name}-twice-{kind}", extension, packer(packer(data))
            yield f"{name}-second-{kind}", extension, other + packer(data)
            for second in packers:
                yield f"{name}-of-{second}-{kind}", extension, packer(packers[second](data))
        for between, data in {"zeros-4": bytes(4), "zeros-8": bytes(8), "zeros-512": bytes(512), "spaces": b" " * 8, "junk": b"junk", "newline": b"\n"}.items():
            yield f"{name}-second-behind-{between}", extension, other + data + one
            yield f"{name}-{between}-behind", extension, one + data
            yield f"{name}-{between}-first", extension, data + one
        yield f"{name}-empty-first", extension, none + one
        yield f"{name}-halves", extension, packer(EICAR[:30]) + packer(EICAR[30:])
        yield f"{name}-third", extension, other + none + one
        yield f"{name}-cut", extension, packer(EICAR + NOISE)[:-700]
        for second in packers:
            yield f"{name}-then-{second}", extension, other + packers[second](EICAR)
        for front, data in FRONTS.items():
            yield f"{name}-behind-{front}", "bin", data + packer(TAR)


def lzip(data):
    raw = lzma.compress(data, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 3, "lp": 0, "pb": 2}])
    body = b"LZIP\1\x10" + raw + struct.pack("<IQ", zlib.crc32(data), len(data))
    return body + struct.pack("<Q", len(body) + 8)


def zstd(data, magic=b"\x28\xb5\x2f\xfd", single=True, skippable=None):
    """One raw block (RFC 8878, section 3.1.1)."""
    head = bytes([0xA0]) + struct.pack("<I", len(data)) if single else b"\0\x58"
    block = (len(data) << 3 | 1).to_bytes(3, "little") + data
    front = b"" if skippable is None else bytes([0x50 + skippable]) + b"\x2a\x4d\x18" + struct.pack("<I", 9) + b"skip this"
    return front + magic + head + block


def xxh32(data):
    """xxHash32 of fewer than 16 bytes, seed 0: what an LZ4 frame header needs."""
    total = 374761393 + len(data)
    for byte in data:
        total = total + byte * 374761393 & 0xFFFFFFFF
        total = (total << 11 | total >> 21) * 2654435761 & 0xFFFFFFFF
    for shift, factor in ((15, 2246822519), (13, 3266489917), (16, 1)):
        total = (total ^ total >> shift) * factor & 0xFFFFFFFF
    return total


def lz4(data, flags=0x60, size=False, skippable=None):
    descriptor = bytes([flags | 8 * size, 0x70]) + (struct.pack("<Q", len(data)) if size else b"")
    front = b"" if skippable is None else bytes([0x50 + skippable]) + b"\x2a\x4d\x18" + struct.pack("<I", 9) + b"skip this"
    block = struct.pack("<I", len(data) | 1 << 31) + data if data else b""
    return front + b"\x04\x22\x4d\x18" + descriptor + bytes([xxh32(descriptor) >> 8 & 0xFF] if len(descriptor) < 4 else [xxh32_long(descriptor)]) + block + bytes(4)


def xxh32_long(data):
    """The same for a descriptor with a size: ten bytes, two words of four and two bytes."""
    total = 374761393 + len(data)
    for (word,) in struct.iter_unpack("<I", data[:8]):
        total = total + word * 3266489917 & 0xFFFFFFFF
        total = (total << 17 | total >> 15) * 668265263 & 0xFFFFFFFF
    for byte in data[8:]:
        total = total + byte * 374761393 & 0xFFFFFFFF
        total = (total << 11 | total >> 21) * 2654435761 & 0xFFFFFFFF
    for shift, factor in ((15, 2246822519), (13, 3266489917), (16, 1)):
        total = (total ^ total >> shift) * factor & 0xFFFFFFFF
    return total >> 8 & 0xFF


def lz4_old(data):
    """The legacy frame: one block of literals."""
    n = len(data)
    token = bytes([0xF0]) + b"\xff" * ((n - 15) // 255) + bytes([(n - 15) % 255]) if n >= 15 else bytes([n << 4])
    block = token + data
    return b"\x02\x21\x4c\x18" + (struct.pack("<I", len(block)) + block if data else b"")


def xz_by_hand(check=0, flags=0, header_bytes=None):
    def number(value):
        out = b""
        while value >= 128:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])
    body = lzma.compress(EICAR, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 4096}])
    fields = bytes([flags]) + (number(len(body)) if flags & 0x40 else b"") + (number(len(EICAR)) if flags & 0x80 else b"") + b"\x21\1\0"
    total = header_bytes or -(-(1 + len(fields) + 4) // 4) * 4
    head = (bytes([total // 4 - 1]) + fields).ljust(total - 4, b"\0")
    head += struct.pack("<I", zlib.crc32(head))
    sums = {1: struct.pack("<I", zlib.crc32(EICAR))}.get(check, bytes((0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64)[check]))
    kind = bytes([0, check])
    index = b"\0\1" + number(len(head) + len(body) + len(sums)) + number(len(EICAR))
    index += bytes(-len(index) % 4)
    index += struct.pack("<I", zlib.crc32(index))
    size = struct.pack("<I", len(index) // 4 - 1)
    return (b"\xfd7zXZ\0" + kind + struct.pack("<I", zlib.crc32(kind)) + head + body + bytes(-len(body) % 4) + sums + index
            + struct.pack("<I", zlib.crc32(size + kind)) + size + kind + b"YZ")


def xzs():
    last = {"id": lzma.FILTER_LZMA2}
    for check, flags in itertools.product(range(16), (0, 0x40, 0x80, 0xC0)):
        yield f"xz-check-{check}-{flags:x}", "xz", xz_by_hand(check, flags)
    for n_bytes in (16, 64, 512, 1024):
        yield f"xz-header-{n_bytes}", "xz", xz_by_hand(header_bytes=n_bytes)
    for name in ("X86", "ARM", "ARMTHUMB", "IA64", "POWERPC", "SPARC", "DELTA"):
        filter_id = getattr(lzma, f"FILTER_{name}")
        chains = {"": [{"id": filter_id}], "-offset": [{"id": filter_id, "start_offset": 4096}] if name != "DELTA" else [{"id": filter_id, "dist": 256}],
                  "-delta": [{"id": lzma.FILTER_DELTA, "dist": 3}, {"id": filter_id}], "-three": [{"id": filter_id}] * 3}
        for kind, filters in chains.items():
            yield f"xz-{name.lower()}{kind}", "xz", lzma.compress(EICAR, filters=[*filters, last])
    for dictionary in (4096, 65536, 1 << 20, 64 << 20, 128 << 20):
        yield f"xz-dictionary-{dictionary}", "xz", lzma.compress(EICAR, filters=[{**last, "dict_size": dictionary}])
    plain = lzma.compress(EICAR, lzma.FORMAT_ALONE)
    for size in (len(EICAR), 1 << 38, 1 << 40, (1 << 56) - 1, 1 << 60, (1 << 64) - 2):
        yield f"lzma-size-{size:x}", "lzma", plain[:5] + struct.pack("<Q", size) + plain[13:]
    for dictionary in (0, 5, 1 << 12, 1 << 16 | 1, 0x7FFFFFFF, 0xFFFFFFFF):
        yield f"lzma-dictionary-{dictionary:x}", "lzma", plain[:1] + struct.pack("<I", dictionary) + plain[5:]
    for lc, lp, pb in itertools.product((0, 1, 3, 4), (0, 1, 4), (0, 2, 4)):
        if lc + lp <= 4:
            yield f"lzma-{lc}{lp}{pb}", "lzma", lzma.compress(EICAR, lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": 65536}])
    yield "lzma86", "lzma86", b"\0" + plain
    yield "lzma86-filtered", "lzma86", b"\1" + plain


def programs():
    """What the programs themselves write, with each of their options."""
    for name, command in {"zst-19": "zstd -q -19 -c e", "zst-long": "zstd -q --long=27 -c e", "zst-no-check": "zstd -q --no-check -c e", "zst-as-gzip": "zstd -q --format=gzip -c e", "zst-as-xz": "zstd -q --format=xz -c e",
                          "zst-as-lz4": "zstd -q --format=lz4 -c e", "lz4-linked": "lz4 -q -BD -c e", "lz4-legacy": "lz4 -q -l -c e", "lz4-size": "lz4 -q --content-size -c e", "lz4-no-crc": "lz4 -q --no-frame-crc -c e",
                          "lzop": "lzop -n -c e", "lzop-9": "lzop -n -9 -c e", "lzip-9": "lzip -9 -c e", "compress-program": "compress -f -c e", "brotli": "brotli -c e"}.items():
        for kind, data in PAYLOADS.items():
            yield f"{name}-{kind}", name.split("-")[0], made_with(command, {"e": data}, None)
    for n in range(16):
        yield f"zst-skippable-{n:02}", "zst", zstd(EICAR, skippable=n)
        yield f"lz4-skippable-{n:02}", "lz4", lz4(EICAR, skippable=n)
    for flags, size in itertools.product((0x40, 0x60, 0x61, 0x44, 0x64), (False, True)):
        yield f"lz4-flags-{flags:x}-{size}", "lz4", lz4(EICAR, flags, size)
    yield "zst-window", "zst", zstd(EICAR, single=False)
    yield "zst-without-magic", "zst", zstd(EICAR, magic=b"")


def variants():
    for part in (gzips, several, xzs, programs):
        yield from part()
