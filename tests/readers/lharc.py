"""Old archives that unar, 7-Zip, lhasa, arj and arc still open, with stored members: LHA, ARJ, ZOO, ARC, LZX of the Amiga, LBR and SQ of CP/M."""

import itertools, struct, zlib

from base import EICAR, FRONTS, HARMLESS, PAYLOADS, Member, base64_lines, mail, tar_of, zip_of
from packers import crc16, lha


def lha_level_3(data, name=b"e.com", method=b"-lh0-"):
    extension = struct.pack("<IB", 5 + len(name), 1) + name
    head = struct.pack("<H", 4) + method + struct.pack("<IIIBBHB", len(data), len(data), 0, 0x20, 3, crc16(data), ord("U"))
    total = len(head) + 4 + 4 + len(extension)
    return head + struct.pack("<I", total) + struct.pack("<I", 5 + len(name)) + extension[4:] + struct.pack("<I", 0) + data + b"\0"


def arj_two(data):
    """The second member hides it."""
    return arj(HARMLESS, b"a.txt")[:-4] + arj(data, main=False)


def arj(data, name=b"e.com", method=0, version=11, flags=0, system=2, main=True, comment=b"", kind=0, extension=b""):
    def header(body, name, comment):
        basic = body + name + b"\0" + comment + b"\0"
        return b"\x60\xea" + struct.pack("<H", len(basic)) + basic + struct.pack("<I", zlib.crc32(basic)) + (struct.pack("<H", len(extension)) + extension + struct.pack("<I", zlib.crc32(extension)) if extension else b"\0\0")
    first = struct.pack("<BBBBBBBBIIIIHHHH", 30, version, 1, system, flags & 0x10, 0, 2, 0, 0x21 << 16, 0x21 << 16, 0, 0, 0, 0, 0, 0)
    local = struct.pack("<BBBBBBBBIIIIHHHH", 30, version, 1, system, flags, method, kind, 0, 0x21 << 16, len(data), len(data), zlib.crc32(data), 0, 0o100644, 0, 0)
    return (header(first, b"a.arj", comment) if main else b"") + header(local, name, b"") + data + b"\x60\xea\0\0"


def zoo(data, name=b"e.com", method=0, deleted=0, text=b"ZOO 2.10 Archive.\x1a\0\0", minus=True):
    first = 42
    entry_bytes = 58
    head = text.ljust(20, b"\0") + struct.pack("<IIiBB", 0xFDC4A7DC, first, -first, 2, 0) + bytes(8)
    def entry(following, offset, data, name):
        return struct.pack("<IBBIIHHHIIBBBBIH13s", 0xFDC4A7DC, 1, method, following, offset, 0x21, 0, crc16(data), len(data), len(data), 2, 0, deleted, 0, 0, 0, name)[:entry_bytes].ljust(entry_bytes, b"\0")
    at = first + entry_bytes
    return head[:first].ljust(first, b"\0") + entry(at + len(data), at, data, name) + data + entry(0, 0, b"", b"")


def arc(data, method=2, name=b"e.com", mark=b"\x1a"):
    size = struct.pack("<I", len(data)) if method != 1 else b""
    return mark + bytes([method]) + name.ljust(13, b"\0") + struct.pack("<IHHH", len(data), 0x21, 0, crc16(data)) + size + data + mark + b"\0"


def arc_packed(data):
    """Method 3: runs of bytes (none here but 0x90, which stands for itself as 90 00)."""
    packed = data.replace(b"\x90", b"\x90\0")
    return b"\x1a\3" + b"e.com".ljust(13, b"\0") + struct.pack("<IHHH", len(packed), 0x21, 0, crc16(data)) + struct.pack("<I", len(data)) + packed + b"\x1a\0"


def lzx(data, name=b"e.com"):
    """Amiga LZX with a stored member."""
    head = bytearray(31 + len(name))
    struct.pack_into("<II", head, 2, len(data), len(data))
    head[10], head[15] = 10, 10
    struct.pack_into("<I", head, 22, zlib.crc32(data))
    head[30], head[31:] = len(name), name
    struct.pack_into("<I", head, 26, zlib.crc32(bytes(head)))
    return b"LZX" + bytes(7) + bytes(head) + data


def lbr(data, name=b"E       COM"):
    """CP/M's library: a directory of 32-byte entries, sectors of 128 bytes."""
    n = -(-len(data) // 128)
    def entry(status, name, index, length, pad):
        return struct.pack("<B11sHHH", status, name, index, length, 0) + bytes(8) + bytes([pad]) + bytes(5)
    directory = entry(0, b" " * 11, 0, 1, 0) + entry(0, name, 1, n, n * 128 - len(data)) + entry(0xFF, b" " * 11, 0, 0, 0) * 2
    return directory + data.ljust(n * 128, b"\x1a")


def squeezed(data, name=b"e.com"):
    """CP/M's SQ: a Huffman tree of bytes and an end mark; here every code is nine bits or fewer, from a balanced tree."""
    symbols = sorted(set(data)) + [256]
    nodes, codes = [], {}
    def build(low, high, code):
        if high - low == 1:
            codes[symbols[low]] = code
            return -(symbols[low] + 1)
        index = len(nodes)
        nodes.append(None)
        middle = (low + high) // 2
        nodes[index] = (build(low, middle, code + "0"), build(middle, high, code + "1"))
        return index
    build(0, len(symbols), "")
    escaped = data.replace(b"\x90", b"\x90\0")
    bits = "".join(codes[byte] for byte in [*escaped, 256])
    bits += "0" * (-len(bits) % 8)
    packed = bytes(int(bits[start:start + 8][::-1], 2) for start in range(0, len(bits), 8))
    return b"\x76\xff" + struct.pack("<H", sum(data) & 0xFFFF) + name + b"\0" + struct.pack("<H", len(nodes)) + b"".join(struct.pack("<hh", *node) for node in nodes) + packed


def makers():
    for level, method in itertools.product(range(3), (b"-lh0-", b"-lz4-", b"-pm0-")):
        yield f"lha-{level}-{method[1:4].decode()}", "lzh", lambda data, level=level, method=method: lha(data, level, method)
    yield "lha-3", "lzh", lha_level_3
    for version, system in itertools.product((1, 6, 11, 102), (0, 2)):
        yield f"arj-{version}-{system}", "arj", lambda data, version=version, system=system: arj(data, version=version, system=system)
    for flags in (4, 8, 0x10, 0x20, 0x40):
        yield f"arj-flags-{flags:x}", "arj", lambda data, flags=flags: arj(data, flags=flags)
    yield "arj-comment", "arj", lambda data: arj(data, comment=b"a comment")
    yield "arj-extension", "arj", lambda data: arj(data, extension=b"abc")
    yield "arj-text", "arj", lambda data: arj(data, kind=1)
    yield "arj-two", "arj", arj_two
    yield "zoo", "zoo", zoo
    yield "zoo-other-text", "zoo", lambda data: zoo(data, text=b"\0" * 20)
    for method in (1, 2):
        yield f"arc-{method}", "arc", lambda data, method=method: arc(data, method)
    yield "arc-packed", "arc", arc_packed
    yield "lzx", "lzx", lzx
    yield "lbr", "lbr", lbr
    yield "squeezed", "cqm", squeezed


def variants():
    for maker, extension, make in makers():
        for kind, data in PAYLOADS.items():
            plain = make(data)
            yield f"{maker}-{kind}", extension, plain
            if kind in ("eicar", "hidden"):
                yield f"{maker}-in-zip-{kind}", "zip", zip_of(Member("a." + extension, plain))
                yield f"{maker}-in-mail-{kind}", "eml", mail(base64_lines(plain))
                yield f"{maker}-in-tar-{kind}", "tar", tar_of(plain, "a." + extension)
        for junk in (b"junk", bytes(500)):
            yield f"{maker}-then-{len(junk)}", extension, plain + junk
        for front in ("script", "pe", "mz-text", "text", "zeros", "elf"):
            yield f"{maker}-behind-{front}", "bin", FRONTS[front] + make(EICAR)
        harmless = make(HARMLESS)
        yield f"{maker}-twice", extension, harmless + make(EICAR)
        if maker.startswith(("lha", "arc")):
            yield f"{maker}-second", extension, harmless[:-1 if maker.startswith("lha") else -2] + make(EICAR)
        yield f"{maker}-cut", extension, make(EICAR)[:-1]
