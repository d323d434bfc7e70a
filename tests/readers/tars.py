"""Tar archives whose headers some readers accept and others do not (POSIX.1-2017 pax; GNU tar's manual, "Basic Tar Format" and "Sparse Formats")."""

import itertools

from base import EICAR, FRONTS, HARMLESS, HIDDEN_ZIP, ZIP

USTAR, GNU, V7 = b"ustar\0" + b"00", b"ustar  \0", b""
MAGICS = {"ustar": USTAR, "gnu": GNU, "v7": V7, "blank": b"ustar  \0"[:6] + b"\0\0"}
END = bytes(1024)


def padded(data):
    return data + bytes(-len(data) % 512)


def header(name=b"e.com", size=None, kind=b"0", magic=USTAR, size_field=None, checksum=None, signed=False, **fields):
    """One block; CHECKSUM makes the field's eight bytes from the sum, SIGNED counts bytes from -128, as old programs do."""
    places = {"mode": (100, 8, b"0000644\0"), "uid": (108, 8, b"0000000\0"), "gid": (116, 8, b"0000000\0"), "time": (136, 12, b"00000000000\0"),
              "link": (157, 100, b""), "owner": (265, 32, b""), "group": (297, 32, b""), "device": (329, 16, b""), "prefix": (345, 155, b""), "rest": (500, 12, b"")}
    block = bytearray(512)
    block[:len(name)] = name
    size = len(EICAR) if size is None else size
    block[124:136] = (b"%011o\0" % size if size_field is None else size_field).ljust(12, b"\0")
    block[156:157], block[257:265] = kind, magic.ljust(8, b"\0")
    for field, (start, length, usual) in places.items():
        block[start:start + length] = fields.get(field, usual).ljust(length, b"\0")
    block[148:156] = b" " * 8
    total = sum(byte - 256 if signed and byte > 127 else byte for byte in block)
    block[148:156] = checksum(total).ljust(8, b"\0") if checksum else b"%06o\0 " % total
    return bytes(block)


def member(data=EICAR, **options):
    return header(size=options.pop("size", len(data)), **options) + padded(data)


def record(text):
    """One pax record, which counts its own length."""
    length = len(text) + 1
    while length != len(str(length)) + len(text):
        length = len(str(length)) + len(text)
    return str(length).encode() + text


def pax(records, kind=b"x", magic=USTAR):
    return header(b"PaxHeader", len(records), kind, magic) + padded(records)


# A member that only a reader sees which takes another size for the one in front of it.
HIDING = b"J" * 1024 + member(magic=V7)

CHECKSUMS = {
    "nul": lambda n: b"\0%06o\0" % n, "nul-nul": lambda n: b"\0\0%05o\0" % n, "spaces": lambda n: b"  %05o\0" % n, "five": lambda n: b"%05o \0 " % n, "eight": lambda n: b"%08o" % n, "seven": lambda n: b"%07o\0" % n,
    "plus": lambda n: b"+%06o\0" % n, "left": lambda n: (b"%o" % n).ljust(8, b" "), "left-nul": lambda n: b"%o" % n, "right": lambda n: (b"%o" % n).rjust(8), "junk-behind": lambda n: b"%06o\0x" % n,
    "tab": lambda n: b"\t%06o\0" % n, "base64": lambda n: b"+" + bytes([65 + (n >> 6) // 64, 65 + (n >> 6) % 26, 65 + n % 26]), "binary": lambda n: b"\x80" + n.to_bytes(7, "big"),
}
SIZES = {
    "nul": b"\0%010o\0", "nul-nul": b"\0\0%09o\0", "spaces": b"  %09o\0", "plus": b"+%010o\0", "left-space": b"%o          ", "left": b"%o", "twelve": b"%012o", "nul-space": b"%o\0 \0 \0 ", "tab": b"\t%09o\0",
    "junk": b"%o\0junk", "eight": b"%o8\0", "semicolon": b"%o;\0", "minus-zero": b"-%010o\0", "hex": b"0x%o\0",
}


def numbers():
    for (name, magic), (kind, checksum) in itertools.product(MAGICS.items(), CHECKSUMS.items()):
        yield f"checksum-{kind}-{name}", member(magic=magic, checksum=checksum) + END
        yield f"checksum-signed-{kind}-{name}", member(name=b"\xe9\xff.com", magic=magic, signed=True, checksum=checksum) + END
    for (name, magic), (kind, form) in itertools.product(MAGICS.items(), SIZES.items()):
        yield f"size-{kind}-{name}", member(magic=magic, size_field=(form % len(EICAR))[:12]) + END
    for name, magic in MAGICS.items():
        yield f"plain-{name}", member(magic=magic) + END
        yield f"no-end-{name}", member(magic=magic)
        yield f"cut-{name}", member(magic=magic)[:512 + len(EICAR)]
        yield f"signed-{name}", member(name=b"\xe9\xff.com", magic=magic, signed=True) + END
        yield f"binary-size-{name}", member(magic=magic, size_field=b"\x80" + len(EICAR).to_bytes(11, "big")) + END
        for digits in (b"+00", b"+01", b"+10", b"+B", b"+BE"):
            yield f"base64-size-{digits.decode()[1:]}-{name}", header(b"a", magic=magic, size_field=digits) + b"K" * 512 + member(HIDING, name=b"b", magic=magic) + END


def positions():
    for name, magic in MAGICS.items():
        plain = member(magic=magic) + END
        for front, data in FRONTS.items():
            yield f"behind-{front}-{name}", padded(data) + plain
        for n_blocks in (1, 2, 19, 30):
            yield f"behind-{n_blocks}-blocks-{name}", b"J" * 512 * n_blocks + plain
        bad = bytearray(header(b"first", magic=magic))
        bad[150] ^= 1
        yield f"behind-bad-header-{name}", bytes(bad) + padded(EICAR) + plain
        yield f"behind-zero-block-{name}", bytes(512) + plain
        yield f"behind-end-{name}", member(HARMLESS, name=b"a", magic=magic) + END + plain
        yield f"behind-one-zero-block-{name}", member(HARMLESS, name=b"a", magic=magic) + bytes(512) + plain
        for other, second in MAGICS.items():
            yield f"second-{other}-{name}", member(HARMLESS, name=b"a", magic=magic) + member(magic=second) + END
            yield f"second-empty-{other}-{name}", header(b"a", 0, magic=magic) + member(magic=second) + END
            yield f"second-signed-{other}-{name}", header(b"a", 0, magic=magic) + member(name=b"\xff.com", magic=second, signed=True) + END
            yield f"second-of-zip-{other}-{name}", header(b"a", 0, magic=magic) + member(ZIP, name=b"z.zip", magic=second) + END
            yield f"second-of-hidden-{other}-{name}", header(b"a", 0, magic=magic) + member(HIDDEN_ZIP, name=b"z.zip", magic=second) + END


def pax_records():
    for kind, (name, blank) in itertools.product((b"x", b"g", b"X"), {"space": b" ", "tab": b"\t", "space-tab": b" \t", "tab-space": b"\t ", "two": b"  ", "three": b"   "}.items()):
        ending = f"{name}-{kind.decode()}"
        size = pax(record(blank + b"size=1536\n"), kind)
        yield f"pax-size-{ending}", size + header(b"a", 0) + member(HIDING, name=b"b") + END
        yield f"pax-size-right-{ending}", pax(record(blank + b"size=68\n"), kind) + header(size=0) + padded(EICAR) + END
        sparse = b"".join(record(blank + b"GNU.sparse." + field) for field in (b"major=1\n", b"minor=0\n", b"name=e.com\n", b"realsize=68\n"))
        yield f"pax-sparse-1.0-{ending}", pax(sparse, kind) + member(padded(b"1\n0\n68\n") + EICAR, name=b"a") + END
        sparse = b"".join(record(blank + b"GNU.sparse." + field) for field in (b"size=68\n", b"numblocks=1\n", b"map=0,68\n"))
        yield f"pax-sparse-0.1-{ending}", pax(sparse, kind) + member(name=b"a") + END
        sparse = b"".join(record(blank + b"GNU.sparse." + field) for field in (b"size=68\n", b"numblocks=1\n", b"offset=0\n", b"numbytes=68\n"))
        yield f"pax-sparse-0.0-{ending}", pax(sparse, kind) + member(name=b"a") + END
        sparse = b"".join(record(blank + b"GNU.sparse." + field) for field in (b"size=600\n", b"numblocks=2\n", b"map=500,100,0,68\n"))
        yield f"pax-sparse-turned-{ending}", pax(sparse, kind) + member(b"J" * 100 + EICAR, name=b"a") + END
        yield f"pax-path-{ending}", pax(record(blank + b"path=f.com\n"), kind) + member() + END
        yield f"pax-second-{ending}", pax(record(b" comment=x\n") + record(blank + b"size=1536\n"), kind) + header(b"a", 0) + member(HIDING, name=b"b") + END
        yield f"pax-junk-behind-{ending}", pax(record(blank + b"comment=x\n") + b"junk", kind) + member() + END
    yield "pax-zero-length", pax(b"0 size=1536\n") + member() + END
    yield "pax-negative-size", pax(record(b" size=-1\n")) + member() + END
    yield "pax-empty", pax(b"") + member() + END
    holes = record(b" SUN.holesdata= 0 100 168\n")
    yield "pax-sun-holes", pax(holes) + member(b"J" * 100 + EICAR, name=b"a") + END
    for old in (b"GNU.sparse.major=0\n", b"SCHILY.realsize=68\n", b"SCHILY.offset=0\n", b"hdrcharset=BINARY\n", b"GNU.volume.offset=0\n", b"linkpath=x\n", b"LIBARCHIVE.symlinktype=file\n", b"GNU.dumpdir=Ye.com\n"):
        yield f"pax-{old.decode().split('=')[0]}", pax(record(b" " + old)) + member() + END


def kinds():
    size = record(b" size=1536\n")
    for code in [bytes([number]) for number in range(0x20, 0x7F)] + [b"\0", b"\x80", b"\xff"]:
        ending = code.hex()
        yield f"kind-{ending}", member(kind=code) + END
        yield f"kind-empty-first-{ending}", header(b"x", 0, code) + member() + END
        yield f"kind-of-pax-{ending}", header(b"x", len(size), code) + padded(size) + header(b"a", 0) + member(HIDING, name=b"b") + END
    for code, (name, magic) in itertools.product(b"LK", MAGICS.items()):
        yield f"long-{chr(code)}-{name}", header(b"././@LongLink", 600, bytes([code]), magic) + padded(b"n" * 599 + b"\0") + member(magic=magic) + END
        yield f"long-short-{chr(code)}-{name}", header(b"././@LongLink", 6, bytes([code]), magic) + padded(b"f.com\0") + member(magic=magic) + END
    for name, magic in MAGICS.items():
        yield f"directory-slash-{name}", member(name=b"e.com/", magic=magic) + END
        yield f"link-with-data-{name}", member(kind=b"1", magic=magic, link=b"x") + END
        yield f"prefix-{name}", member(name=b"", magic=magic, prefix=b"directory") + END
        yield f"no-name-{name}", member(name=b"", magic=magic) + END
        yield f"absolute-{name}", member(name=b"/e.com", magic=magic) + END
        yield f"rest-{name}", member(magic=magic, rest=b"tar\0") + END
        old = header(b"e.com", 68, b"S", magic, prefix=bytes(41) + b"%011o\0%011o\0" % (0, 68) + bytes(72) + b"\0%011o\0" % 68)
        yield f"sparse-old-{name}", old + padded(EICAR) + END
        turned = header(b"e.com", 168, b"S", magic, prefix=bytes(41) + b"%011o\0%011o\0%011o\0%011o\0" % (500, 100, 0, 68) + bytes(48) + b"\0%011o\0" % 600)
        yield f"sparse-old-turned-{name}", turned + padded(b"J" * 100 + EICAR) + END


def variants():
    for part in (numbers, positions, pax_records, kinds):
        for name, data in part():
            yield name, "tar", data
