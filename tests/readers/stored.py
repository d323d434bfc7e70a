"""Archives that are a directory and stored members, which few programs open: NScripter, NuFX, phar, `ar` with long names, ACE behind other data; and RCS files."""

import bz2, hashlib, struct, zlib

from base import EICAR, FRONTS, HIDDEN_ZIP, PAYLOADS


def n_scripter(data, has_kind=False, kind=0):
    sizes = struct.pack(">BIII", kind, 0, len(data), len(data)) if has_kind else struct.pack(">II", 0, len(data))
    entry = b"e.com\0" + sizes
    return struct.pack(">HI", 1, 6 + len(entry)) + entry + data


def nu_fx(data, room=0, packing=0):
    name = struct.pack("<HHHHII", 3, 0, 0, 0, 5, 8)
    thread = struct.pack("<HHHHII", 2, packing, 0, 0, len(data), len(data) + room)
    record = (b"\x4e\xf5\x46\xd8" + struct.pack("<HHHII", 0, 60, 3, 2, 0)).ljust(60, b"\0") + name + thread + b"e.com".ljust(8, b"\0") + data + bytes(room)
    return (b"\x4e\xf5\x46\xe9\x6c\xe5" + struct.pack("<HI", 0, 1)).ljust(48, b"\0") + record


def deflated(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def phar(data, end=b" ?>\r\n", pack=lambda data: data, flags=0x1B4, front=b"<?php "):
    packed = pack(data)
    entry = struct.pack("<I", 5) + b"e.com" + struct.pack("<6I", len(data), 0, len(packed), zlib.crc32(data), flags, 0)
    manifest = struct.pack("<I", 1) + b"\x11\0" + struct.pack("<III", 0x10000, 0, 0) + entry
    whole = front + b"__HALT_COMPILER();" + end + struct.pack("<I", len(manifest)) + manifest + packed
    return whole + hashlib.sha1(whole).digest() + struct.pack("<I", 2) + b"GBMB"


def ar(data, name=b"#1/20"):
    return b"!<arch>\n" + name.ljust(16) + b"0".ljust(12) + b"0".ljust(6) * 2 + b"644".ljust(8) + str(len(data)).encode().ljust(10) + b"`\n" + data + b"\n" * (len(data) % 2)


def ace(front):
    def header(body):
        return struct.pack("<HH", ~zlib.crc32(body) & 0xFFFF, len(body)) + body
    main = header(struct.pack("<BH", 0, 0) + b"**ACE**" + struct.pack("<BBBBI", 10, 10, 0, 0, 0x50000000) + bytes(8))
    file = header(struct.pack("<BHIIIIIBBHHH", 1, 1, 68, 68, 0x50000000, 0x20, zlib.crc32(EICAR) ^ 0xFFFFFFFF, 0, 3, 10, 0, 5) + b"e.com")
    return front + main + file + EICAR


def rcs(*revisions):
    numbers = [b"1.%d" % (len(revisions) - index) for index in range(len(revisions))]
    admin = b"head\t%s;\naccess;\nsymbols;\nlocks; strict;\ncomment\t@# @;\n\n" % numbers[0]
    deltas = b"".join(b"\n%s\ndate\t2026.01.01.00.00.00;\tauthor a;\tstate Exp;\nbranches;\nnext\t%s;\n" % pair for pair in zip(numbers, numbers[1:] + [b""]))
    texts = b"".join(b"\n\n%s\nlog\n@x\n@\ntext\n@%s@\n" % (number, text.replace(b"@", b"@@")) for number, text in zip(numbers, revisions))
    return admin + deltas + b"\n\ndesc\n@@\n" + texts


def variants():
    for kind, data in PAYLOADS.items():
        yield f"sar-{kind}", "sar", n_scripter(data)
        yield f"nsa-{kind}", "nsa", n_scripter(data, True)
        yield f"nufx-{kind}", "shk", nu_fx(data)
        yield f"phar-{kind}", "phar", phar(data)
        yield f"ar-bsd-name-{kind}", "a", ar(data)
        yield f"rcs-{kind}", "txt", rcs(data)
        yield f"rcs-older-{kind}", "txt", rcs(b"new\n", b"d1 1\na1 %d\n" % len(data.splitlines(True)) + data) if b"\r" not in data else rcs(data)
    for name, end in {"none": b"", "tag": b" ?>", "line": b" ?>\n", "newline-tag": b"\n?>\r\n"}.items():
        yield f"phar-end-{name}", "phar", phar(EICAR, end)
    yield "phar-deflated", "phar", phar(EICAR, pack=deflated, flags=0x11B4)
    yield "phar-bzip2", "phar", phar(EICAR, pack=bz2.compress, flags=0x21B4)
    for name in ("html", "gif", "jpeg"):
        yield f"phar-behind-{name}", "phar", phar(EICAR, front=FRONTS[name])
    yield "nufx-room", "shk", nu_fx(EICAR, 20)
    yield "nufx-packed", "shk", nu_fx(EICAR, packing=2)
    yield "nufx-binary-ii", "bxy", b"\nGL".ljust(128, b"\0") + nu_fx(EICAR)
    yield "nsa-packed", "nsa", n_scripter(EICAR, True, 2)
    for number in (0, 4, 68, 99):
        yield f"ar-bsd-name-{number}", "a", ar(EICAR, b"#1/%d" % number)
    yield "ar-bsd-name-and-zip", "a", ar(EICAR) + ar(HIDDEN_ZIP)[8:]
    for name in ("text", "script", "png"):
        yield f"ace-behind-{name}", "bin", ace(FRONTS[name])
    yield "ace-behind-much", "bin", ace(b"a text " * 30_000)
