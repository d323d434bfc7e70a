"""What the programs of our openers decline or leave half read, and other programs unpack: compression within ISO 9660, versions and bits that are reserved,
empty streams in front of others, tars without `ustar` at any byte, streams behind a script or a cpio."""

import itertools, lzma, struct, zlib

from base import EICAR, HARMLESS, NOISE, PAYLOADS, TAR, made_with, tar_of
from streams import compress, lz4, lz4_old, lzip, zstd


def zisofs(data, bits=15):
    """mkzftree(1)'s form: blocks of zlib, and where each begins."""
    blocks = [zlib.compress(data[at:at + (1 << bits)]) for at in range(0, len(data), 1 << bits)]
    ends = list(itertools.accumulate([16 + 4 * (len(blocks) + 1), *map(len, blocks)]))
    return b"\x37\xe4\x53\x96\xc9\xdb\xd6\x07" + struct.pack("<IBBH", len(data), 4, bits, 0) + struct.pack(f"<{len(ends)}I", *ends) + b"".join(blocks)


def images():
    for kind, data in PAYLOADS.items():
        for bits in (15, 16, 17):
            packed = zisofs(data, bits)
            for options in ("-z -R", "-z -R -J", "-z -R -J -joliet-long", "-R"):
                image = made_with(f"genisoimage -quiet {options} -o out.iso e.com 2>/dev/null", {"e.com": packed}, "out.iso")
                yield f"zisofs-{bits}{options.replace(' ', '')}-{kind}", "iso", image
        yield f"zisofs-alone-{kind}", "zf", zisofs(data)


def reserved():
    for version in (5, 6, 7):
        head = b"\0\x58" if version == 7 else b"\0"
        for kind, data in PAYLOADS.items():
            if len(data) < 1 << 16:
                raw = b"\x40" + struct.pack(">H", len(data)) + data
                yield f"zstd-0{version}-{kind}", "zst", bytes([0x20 + version]) + b"\xb5\x2f\xfd" + head + raw + b"\xc0\0\0"
    for bits, flags in itertools.product((9, 12, 16), (0x20, 0x40, 0x60, 0xA0, 0xC0, 0xE0)):
        packed = compress(EICAR, bits, bool(flags & 0x80))
        yield f"compress-{bits}-{flags:x}", "Z", packed[:2] + bytes([bits | flags]) + packed[3:]


def frame(*blocks):
    return lz4(b"")[:7] + b"".join(blocks) + bytes(4)


def empties():
    raw = struct.pack("<I", len(EICAR) | 1 << 31) + EICAR
    nothings = {"compressed": struct.pack("<I", 1) + b"\0", "raw": struct.pack("<I", 1 << 31)}
    for name, nothing in nothings.items():
        for n in (1, 2, 40):
            yield f"lz4-nothing-{name}-{n}-first", "lz4", frame(*[nothing] * n, raw)
            yield f"lz4-nothing-{name}-{n}-frame", "lz4", frame(*[nothing] * n) + frame(raw)
    for n in (0, 9, 49, 57, 100, 70_000):
        skipped = b"\x50\x2a\x4d\x18" + struct.pack("<I", n) + bytes(n)
        yield f"lz4-empty-skip-{n}", "lz4", frame() + skipped + frame(raw)
        yield f"lz4-data-skip-{n}", "lz4", lz4(HARMLESS) + skipped + frame() + frame(raw)
        yield f"lz4-old-empty-skip-{n}", "lz4", lz4_old(b"") + skipped + lz4_old(EICAR)
    packers = {"lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE), "xz": lzma.compress, "lz4": lz4, "lz4-old": lz4_old, "zst": zstd, "lz": lzip}
    for (one, first), (other, second) in itertools.product(packers.items(), packers.items()):
        for kind, front in {"empty": b"", "harmless": HARMLESS}.items():
            yield f"{one}-{kind}-then-{other}", one.split("-")[0], first(front) + second(EICAR)


def anywhere():
    old = bytearray(tar_of(EICAR, "e.com"))
    old[257:265] = bytes(8)
    old[148:156] = b" " * 8
    total = sum(old[:512])
    for name, digits in {"six": b"%06o\0 ", "blank": b"%6o\0 ", "seven": b"%07o\0", "eight": b"%08o", "blanks": b" %o \0"}.items():
        old[148:156] = (digits % total).ljust(8, b" ")
        for front, data in {"text": b"junk\n", "picture": b"\x89PNG\r\n\x1a\nabc" + bytes(33), "noise": NOISE[:777], "far": b"x" * 70_001, "digits": b"0001234" * 99, "one": b"x"}.items():
            yield f"tar-old-{name}-behind-{front}", "bin", data + bytes(old)


def behind():
    script = b"#!/bin/sh\ntail -c +%d $0 | unpack\nexit 0\n"
    packers = {"lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE), "lz4": lz4, "lz4-old": lz4_old, "lz": lzip, "zst": zstd, "Z": lambda data: compress(data, 16, True),
               "Z-reserved": lambda data: b"\x1f\x9d\xb0" + compress(data, 16, True)[3:]}
    early = made_with("echo a.txt | cpio -o -H newc --quiet > out", {"a.txt": HARMLESS}, "out")
    for name, packer in packers.items():
        for kind, data in {"tar": TAR, "eicar": EICAR}.items():
            if not name.startswith("Z") or len(data) < 250:
                yield f"script-{name}-{kind}", "run", script % 0 + packer(data)
                yield f"cpio-{name}-{kind}", "img", early + packer(data)
                yield f"cpio-zeros-{name}-{kind}", "img", early + bytes(512) + packer(data)


def variants():
    for part in (images, reserved, empties, anywhere, behind):
        yield from part()
