"""lzop: every field of its header, every method, checksum and filter, several members, blocks that are stored or packed, and damage of each kind.

The blocks are made by hand or taken from what lzop packs; the headers are written here.
"""

import itertools, struct, zlib

from base import EICAR, FRONTS, HARMLESS, PAYLOADS, TAR, made_with, uuencoded

MAGIC = b"\x89LZO\0\r\n\x1a\n"
ADLER32, ADLER32_OF_PACKED, EXTRA_FIELD, CRC32, CRC32_OF_PACKED, PART, FILTER, HEADER_CRC32 = 1, 2, 0x40, 0x100, 0x200, 0x400, 0x800, 0x1000
PADDED = EICAR + b" " * 50


def header(version=0x1040, library=0x20A0, needed=0x940, method=1, level=3, flags=0, filter=0, name=b"e.com", extra=b"", checksum=None, newer=None):
    is_newer = version >= 0x940 if newer is None else newer
    fields = struct.pack(">HH", version, library) + (struct.pack(">H", needed) if is_newer else b"") + bytes([method]) + (bytes([level]) if is_newer else b"")
    fields += struct.pack(">I", flags) + (struct.pack(">I", filter) if flags & FILTER else b"") + struct.pack(">II", 0o100644, 315532800) + (bytes(4) if is_newer else b"")
    fields += bytes([len(name)]) + name
    actual = zlib.crc32(fields) if flags & HEADER_CRC32 else zlib.adler32(fields)
    extra = struct.pack(">I", len(extra)) + extra + struct.pack(">I", zlib.adler32(extra)) if flags & EXTRA_FIELD else b""
    return MAGIC + fields + struct.pack(">I", actual if checksum is None else checksum) + extra


def block(data, flags=0, packed=None, was=None, spoil=0):
    """`was` is the data before its filter; `spoil` has the flags of the checksums that are wrong."""
    stored = packed is None
    packed, was = data if stored else packed, data if was is None else was
    sums = ((ADLER32, zlib.adler32(was)), (CRC32, zlib.crc32(was)), *(() if stored else ((ADLER32_OF_PACKED, zlib.adler32(packed)), (CRC32_OF_PACKED, zlib.crc32(packed)))))
    return struct.pack(">II", len(data), len(packed)) + b"".join(struct.pack(">I", value ^ bool(spoil & flag)) for flag, value in sums if flags & flag) + packed


def member(data=EICAR, flags=0, packed=None, spoil=0, end=bytes(4), **fields):
    return header(flags=flags, **fields) + block(data, flags, packed, spoil=spoil) + end


def padded():
    """EICAR with spaces as LZO1X: literals, a match at a distance of one, the end. The test file has 68 bytes."""
    assert len(EICAR) == 68
    return bytes([17 + 69]) + EICAR + b" " + bytes([0x20, 49 - 33]) + b"\0\0" + b"\x11\0\0"


def subtracted(data, distance):
    return bytes((byte - (data[at - distance] if at >= distance else 0)) & 0xFF for at, byte in enumerate(data))


def headers():
    for version, method in itertools.product((0x900, 0x901, 0x910, 0x939, 0x940, 0x950, 0x1000, 0x1010, 0x1030, 0x1040, 0x1041, 0x2000), (1, 2, 3)):
        yield f"version-{version:x}-{method}", "lzo", member(version=version, method=method)
    for needed, library in itertools.product((0, 0x900, 0x940, 0x1040, 0x1041), (0, 0x20A0, 0xFFFF)):
        yield f"needed-{needed:x}-{library:x}", "lzo", member(needed=needed, library=library)
    for level in (0, 1, 5, 9, 10, 255):
        yield f"level-{level}", "lzo", member(level=level, method=3)
    for method in (0, 4, 0x1A, 0x1B, 0x2A, 0x2B, 0x2D, 0x80, 0xFF):
        yield f"method-{method:x}", "lzo", member(method=method)
    for bit in range(32):
        flags = 1 << bit
        yield f"flag-{bit:02}", "lzo", member(flags=flags)
        yield f"flag-{bit:02}-packed", "lzo", member(PADDED, flags, padded())
    for n_name in (0, 1, 255):
        yield f"name-{n_name}", "lzo", member(name=b"e" * n_name)
    for n_extra in (0, 1, 100, 70000):
        yield f"extra-{n_extra}", "lzo", member(flags=EXTRA_FIELD, extra=b"x" * n_extra)
    for kind, data in {**PAYLOADS, "uu": uuencoded(EICAR), "7z": made_with("7z a -bd e.7z e.com", {"e.com": EICAR}, "e.7z")}.items():
        yield f"extra-{kind}", "lzo", member(HARMLESS, EXTRA_FIELD, extra=data)
        if len(data) < 256:
            yield f"name-{kind}", "lzo", member(HARMLESS, name=data)
    yield "header-checksum", "lzo", member(checksum=1)
    yield "header-crc", "lzo", member(flags=HEADER_CRC32, checksum=1)
    yield "header-old-fields", "lzo", member(version=0x1040, newer=False)
    yield "header-new-fields", "lzo", member(version=0x900, newer=True)


def blocks():
    checks = (0, ADLER32, CRC32, ADLER32 | CRC32, ADLER32 | ADLER32_OF_PACKED, CRC32 | CRC32_OF_PACKED, ADLER32_OF_PACKED, CRC32_OF_PACKED, 0x303)
    for flags in checks:
        yield f"checks-{flags:x}", "lzo", member(flags=flags)
        yield f"checks-{flags:x}-packed", "lzo", member(PADDED, flags, padded())
        for flag in (ADLER32, CRC32, ADLER32_OF_PACKED, CRC32_OF_PACKED):
            if flags & flag:
                yield f"spoilt-{flags:x}-{flag:x}", "lzo", member(flags=flags, spoil=flag)
                yield f"spoilt-{flags:x}-{flag:x}-packed", "lzo", member(PADDED, flags, padded(), spoil=flag)
    for n_bytes in (1, 7, 32, 67):
        pieces = [EICAR[at:at + n_bytes] for at in range(0, len(EICAR), n_bytes)]
        yield f"pieces-{n_bytes}", "lzo", header() + b"".join(block(piece) for piece in pieces) + bytes(4)
        yield f"pieces-{n_bytes}-checks", "lzo", header(flags=ADLER32) + b"".join(block(piece, ADLER32) for piece in pieces) + bytes(4)
    whole = header(flags=ADLER32) + block(EICAR, ADLER32)
    # What stands where the next block would.
    for name, more in {"no-end": b"", "short-end": bytes(3), "part": b"\xff" * 4, "huge": b"\x7f" * 4, "no-size": struct.pack(">II", 9, 0), "larger": struct.pack(">II", 9, 10), "cut": struct.pack(">III", 9, 9, 1) + b"x",
                       "spoilt": block(HARMLESS, ADLER32, spoil=ADLER32) + bytes(4), "limit": struct.pack(">III", 64 << 20, 1, 1) + b"\x11\0\0", "not-packed": block(bytes(100), ADLER32, b"\x12abc") + bytes(4)}.items():
        yield f"then-{name}", "lzo", whole + more
    packed = padded()
    for name, changed in {"ends-twice": packed + b"\x11\0\0", "ends-early": packed[:-3], "end-12": packed[:-3] + b"\x12\0\0", "end-19": packed[:-3] + b"\x19\0\0", "end-long": packed[:-3] + b"\x10\1\0\0", "trailing": packed + b"x"}.items():
        yield f"packed-{name}", "lzo", member(PADDED, 0, changed)
        yield f"packed-behind-{name}", "lzo", header() + block(EICAR) + block(PADDED, 0, changed) + bytes(4)
    for distance in (0, 1, 2, 4, 15, 16, 17, 18, 256):
        filtered = subtracted(EICAR, distance) if distance else EICAR
        for flags in (0, ADLER32, CRC32):
            yield f"filter-{distance}-{flags:x}", "lzo", header(flags=flags | FILTER, filter=distance) + block(filtered, flags, was=EICAR) + bytes(4)
        yield f"filter-{distance}-ignored", "lzo", member(flags=FILTER, filter=distance)


def several():
    good, bad = member(HARMLESS), member()
    parts = [member(piece) for piece in (EICAR[:20], EICAR[20:50], EICAR[50:])]
    yield "several-last", "lzo", good + bad
    yield "several-first", "lzo", bad + good
    yield "several-empty", "lzo", header() + bytes(4) + bad
    yield "several-parts", "lzo", b"".join(parts)
    yield "several-parts-flag", "lzo", b"".join(member(piece, PART, name=b"e.com") for piece in (EICAR[:20], EICAR[20:]))
    yield "several-parts-names", "lzo", b"".join(member(piece, name=name) for piece, name in ((EICAR[:20], b"a"), (EICAR[20:], b"b")))
    yield "several-parts-then-spoilt", "lzo", parts[0] + parts[1] + member(EICAR[50:], checksum=1)
    yield "several-damaged-first", "lzo", member(HARMLESS, ADLER32, spoil=ADLER32) + bad
    yield "several-no-end", "lzo", member(HARMLESS, end=b"") + bad
    yield "several-method", "lzo", member(HARMLESS, method=4) + bad
    yield "several-thousand", "lzo", good * 1000 + bad
    for name, front in {"zeros": bytes(4), "text": b"rest", "magic": MAGIC[:4], "magic-only": MAGIC}.items():
        yield f"behind-{name}", "lzo", good + front + bad
        yield f"then-{name}", "lzo", bad + front
    for kind, data in PAYLOADS.items():
        yield f"rest-{kind}", "lzo", good + data
        for name, front in FRONTS.items():
            if kind == "eicar":
                yield f"front-{name}", "lzo", front + member(data)


def programs():
    """What lzop itself writes, with each of its options."""
    options = {"fast": "-1", "usual": "", "999": "-9", "crc32": "--crc32", "no-checksum": "--no-checksum", "path": "-P", "filter-1": "--filter=1", "filter-16": "--filter=16", "no-warn": "-q", "no-stdin": "--no-stdin"}
    for (name, option), (kind, data) in itertools.product(options.items(), PAYLOADS.items()):
        yield f"lzop-{name}-{kind}", "tar.lzo" if kind == "tar" else "lzo", made_with(f"lzop {option} -c e", {"e": data}, None)
    twice = made_with("lzop -c e | lzop -c", {"e": TAR}, None)
    yield "lzop-twice", "lzo", twice
    yield "lzop-tar", "tar.lzo", made_with("tar --lzop -cf t.tar.lzo e.com", {"e.com": EICAR}, "t.tar.lzo")
    yield "lzop-two-files", "lzo", made_with("lzop -c a e", {"a": HARMLESS, "e": EICAR}, None)
    whole = made_with("lzop -9 -c e", {"e": TAR}, None)
    for n_cut in (1, 4, 5, 40, 200):
        yield f"cut-{n_cut}", "tar.lzo", whole[:-n_cut]
    # Each byte of the first header and of the first block's.
    for at in range(9, 80):
        yield f"changed-{at:02}", "tar.lzo", whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:]


def variants():
    for part in (headers, blocks, several, programs):
        yield from part()
