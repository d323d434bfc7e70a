"""RAR archives of stored members, versions 1.4 (the `RE~^` magic), 4 and 5, as `unrar` and its relatives read them (RAR 5.0 archive format; `technote.txt`)."""

import itertools, struct, zlib

from base import EICAR, FRONTS, HARMLESS, PAYLOADS, mail, tar_of, zip_of, Member, base64_lines

MAGIC_4, MAGIC_5 = b"Rar!\x1a\x07\0", b"Rar!\x1a\x07\1\0"


def block_4(kind, flags, body, data=b""):
    head = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
    return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head + data


def file_4(data=EICAR, name=b"e.com", flags=0, version=20, method=0x30, system=3, size=None, crc=None, attributes=0o100644, more=b""):
    body = struct.pack("<IIBIIBBHI", len(data), len(data) if size is None else size, system, zlib.crc32(data) if crc is None else crc, 0x21 << 16, version, method, len(name), attributes)
    high = struct.pack("<II", 0, 0) if flags & 0x100 else b""
    return block_4(0x74, 0x8000 | flags, body + high + name + more, data)


def rar_4(*blocks, main_flags=0, magic=MAGIC_4, end=True):
    return magic + block_4(0x73, main_flags, bytes(6)) + b"".join(blocks) + (block_4(0x7B, 0x4000, b"") if end else b"")


def number(value):
    out = b""
    while value >= 128:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def block_5(kind, body, flags=0, extra=b"", data=b""):
    flags |= (1 if extra else 0) | (2 if data else 0)
    head = number(kind) + number(flags) + (number(len(extra)) if extra else b"") + (number(len(data)) if data else b"") + body + extra
    head = number(len(head)) + head
    return struct.pack("<I", zlib.crc32(head)) + head + data


def file_5(data=EICAR, name=b"e.com", kind=2, method=0, system=1, file_flags=4, extra=b"", size=None, flags=0, attributes=0o100644):
    body = number(file_flags) + number(len(data) if size is None else size) + number(attributes) + (b"\0" * 4 if file_flags & 2 else b"")
    body += (struct.pack("<I", zlib.crc32(data)) if file_flags & 4 else b"") + number(method) + number(system) + number(len(name)) + name
    return block_5(kind, body, flags, extra, data)


def rar_5(*blocks, magic=MAGIC_5, main_flags=0, end=True):
    return magic + block_5(1, number(main_flags)) + b"".join(blocks) + (block_5(5, number(0)) if end else b"")


def rar_14(data=EICAR, name=b"e.com"):
    """Version 1.4, which only old readers and unar know."""
    total = 0
    for byte in data:
        total = (total + byte & 0xFFFF)
        total = (total << 1 | total >> 15) & 0xFFFF
    head = struct.pack("<IIHHIBBBBB", len(data), len(data), total, 21 + len(name), 0x21 << 16, 0x20, 0, 2, len(name), 0) + name
    return b"RE~^" + struct.pack("<HB", 7, 0) + head + data


def fields():
    for kind, data in PAYLOADS.items():
        yield f"4-{kind}", rar_4(file_4(data))
        yield f"5-{kind}", rar_5(file_5(data))
        yield f"14-{kind}", rar_14(data)
    for version, system in itertools.product((13, 15, 20, 26, 29, 36), (0, 2, 3)):
        yield f"4-version-{version}-{system}", rar_4(file_4(version=version, system=system))
    for flags in (0x8, 0x10, 0x20, 0x40, 0x100, 0x200, 0x1000, 0xE0, 0x2000):
        yield f"4-file-flags-{flags:x}", rar_4(file_4(flags=flags))
    for flags in (1, 2, 8, 0x10, 0x20, 0x40, 0x80, 0x100):
        yield f"4-main-flags-{flags:x}", rar_4(file_4(), main_flags=flags)
        yield f"5-main-flags-{flags:x}", rar_5(file_5(), main_flags=flags & ~2)
    for method in range(0x31, 0x36):
        yield f"4-method-{method:x}", rar_4(file_4(method=method))
    for flags in (1, 2, 4, 8, 6):
        yield f"5-file-flags-{flags:x}", rar_5(file_5(file_flags=flags))
    for flags in (4, 8, 16, 32, 64):
        yield f"5-block-flags-{flags:x}", rar_5(file_5(flags=flags))
    for name, crc in (("zero", 0), ("ones", 0xFFFFFFFF)):
        yield f"4-crc-{name}", rar_4(file_4(crc=crc))
    for name, extra in {"time": b"\6\3\3" + bytes(4), "unknown": b"\3\x70ab", "hash": bytes([34, 2, 0]) + bytes(32), "owner": b"\4\6\3\1a"}.items():
        yield f"5-extra-{name}", rar_5(file_5(extra=extra))
    for name, size in (("longer", 200), ("shorter", 10), ("zero", 0)):
        yield f"4-size-{name}", rar_4(file_4(size=size))
        yield f"5-size-{name}", rar_5(file_5(size=size))
    for label, name in {"absolute": b"/e.com", "parent": b"../e.com", "8bit": b"\xe9.com", "long": b"x" * 240, "empty": b"", "nul": b"a\0b", "backslash": b"d\\e.com", "override": "\u202e.com".encode()}.items():
        yield f"4-name-{label}", rar_4(file_4(name=name))
        yield f"4-name-{label}-unicode", rar_4(file_4(name=name, flags=0x200))
        yield f"5-name-{label}", rar_5(file_5(name=name))


def structure():
    for version, archive, member, unknown in (("4", rar_4, file_4, block_4(0x75, 0, b"comment")), ("5", rar_5, file_5, block_5(9, b"abc"))):
        plain = archive(member())
        yield f"{version}-no-end", archive(member(), end=False)
        yield f"{version}-cut", plain[:-10]
        yield f"{version}-second", archive(member(HARMLESS, b"a.txt"), member())
        yield f"{version}-empty-first", archive(member(b"", b"a.txt"), member())
        yield f"{version}-unknown-block", archive(unknown, member())
        yield f"{version}-behind-end", archive(member(HARMLESS, b"a.txt")) + archive(member())
        yield f"{version}-same-name", archive(member(HARMLESS), member())
        for between in (b"junk", bytes(16), b"x" * 500):
            yield f"{version}-junk-{len(between)}-amid", archive(member(HARMLESS, b"a.txt"), between, member())
            yield f"{version}-junk-{len(between)}-behind", plain + between
        for kind, data in PAYLOADS.items():
            inner = archive(member(data))
            for front, before in FRONTS.items():
                yield f"{version}-behind-{front}-{kind}", before + inner
            yield f"{version}-in-zip-{kind}", zip_of(Member("r.rar", inner))
            yield f"{version}-in-tar-{kind}", tar_of(inner, "r.rar")
            yield f"{version}-in-mail-{kind}", mail(base64_lines(inner))
            yield f"{version}-in-rar-{kind}", archive(member(inner, b"r.rar"))
            for far in (3_000, 200_000, 600_000):
                yield f"{version}-behind-{far}-{kind}", FRONTS["pe"] + b"\x90" * far + inner
    service = block_4(0x7A, 0x8000, struct.pack("<IIBIIBBHI", len(EICAR), len(EICAR), 3, zlib.crc32(EICAR), 0x21 << 16, 29, 0x30, 3, 0) + b"CMT", EICAR)
    yield "4-in-comment", rar_4(service, file_4(HARMLESS, b"a.txt"))
    yield "5-in-service", rar_5(file_5(EICAR, b"CMT", kind=3), file_5(HARMLESS, b"a.txt"))
    yield "4-magic-5", rar_4(file_4(), magic=MAGIC_5)
    yield "5-magic-4", rar_5(file_5(), magic=MAGIC_4)


def variants():
    for part in (fields, structure):
        for name, data in part():
            yield name, "rar", data
