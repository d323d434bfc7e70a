"""What Macintosh programs wrap files in: AppleSingle and AppleDouble (RFC 1740), MacBinary, BinHex, PackIt, StuffIt with stored members, Mach-O archives."""

import itertools, struct

from base import EICAR, FRONTS, PAYLOADS, Member, base64_lines, crc_ccitt, mail, tar_of, zip_of
from encoded import binhex
from packers import crc16


def apple_single(data, magic=0x00051600, version=0x00020000, order=(1, 3), filler=bytes(16), gap=0, dates=False):
    """Entries: 1 is the data fork, 3 the real name, 2 the resource fork."""
    contents = {1: data, 2: data, 3: b"e.com", 8: bytes(16)}
    entries = [*order, *((8,) if dates else ())]
    at = 26 + 12 * len(entries) + gap
    table, body = b"", bytes(gap)
    for kind in entries:
        table += struct.pack(">III", kind, at, len(contents[kind]))
        body += contents[kind]
        at += len(contents[kind])
    return struct.pack(">II16sH", magic, version, filler, len(entries)) + table + body


def mac_binary(data, name=b"e.com", version=129, crc=True, resource=b"", kind=b"TEXTttxt", secondary=0, mark=b""):
    head = bytearray(128)
    head[1], head[2:2 + len(name)] = len(name), name
    head[65:73] = kind
    struct.pack_into(">II", head, 83, len(data), len(resource))
    if mark:
        head[102:106] = mark
    struct.pack_into(">H", head, 120, secondary)
    if version:
        head[122] = head[123] = version
    if crc:
        struct.pack_into(">H", head, 124, crc_ccitt(bytes(head[:124])))
    return bytes(head) + bytes(-(-secondary // 128) * 128) + data + bytes(-len(data) % 128) + resource


def packit(data, name=b"e.com", mark=b"PMag"):
    head = bytes([len(name)]) + name.ljust(63, b"\0") + b"TEXTttxt" + struct.pack(">HHIIII", 0, 0, len(data), 0, 0, 0)
    return mark + head + struct.pack(">H", crc_ccitt(head)) + data + struct.pack(">H", crc_ccitt(data)) + b"PEnd"


def stuffit(data, name=b"e.com", mark=b"SIT!", method=0, version=1, fork="data"):
    """Version 1 of the format: a header of 22 bytes and one of 112 for each member, with the resource fork in front."""
    resource, content = (data, b"") if fork == "resource" else (b"", data)
    head = bytes([method, method, len(name)]) + name.ljust(63, b"\0") + b"TEXTttxt" + struct.pack(">HII", 0, 0, 0)
    head += struct.pack(">IIIIHH", len(resource), len(content), len(resource), len(content), crc16(resource), crc16(content)) + bytes(6)
    head = head.ljust(110, b"\0")
    head += struct.pack(">H", crc16(head))
    body = head + resource + content
    return mark + struct.pack(">HI4sB7s", 1, 22 + len(body), b"rLau", version, bytes(7)) + body


def fat_macho(data, n=1, align=12, magic=0xCAFEBABE):
    offset = 1 << align
    table = struct.pack(">II", magic, n) + struct.pack(">IIIII", 7, 3, offset, len(data), align)
    return table.ljust(offset, b"\0") + data


WRAPPERS = {
    "single": apple_single, "double": lambda data: apple_single(data, 0x00051607, order=(2,)), "single-version-1": lambda data: apple_single(data, version=0x00010000), "single-name-first": lambda data: apple_single(data, order=(3, 1)),
    "single-gap": lambda data: apple_single(data, gap=40), "single-dates": lambda data: apple_single(data, dates=True), "single-filler": lambda data: apple_single(data, filler=b"Macintosh       "), "single-resource": lambda data: apple_single(data, order=(3, 2)),
    "binary": mac_binary, "binary-1": lambda data: mac_binary(data, version=0, crc=False), "binary-3": lambda data: mac_binary(data, version=130, mark=b"mBIN"), "binary-no-crc": lambda data: mac_binary(data, crc=False),
    "binary-resource": lambda data: mac_binary(data, resource=b"resource fork"), "binary-kind": lambda data: mac_binary(data, kind=b"????????"), "binary-secondary": lambda data: mac_binary(data, secondary=100), "binary-name": lambda data: mac_binary(data, b"x" * 63),
    "hqx": binhex, "hqx-lf": lambda data: binhex(data, newline=b"\n"), "packit": packit, "packit-4": lambda data: packit(data, mark=b"PMa4"),
    **{f"sit-{mark.decode().strip('!')}": (lambda data, mark=mark: stuffit(data, mark=mark)) for mark in (b"SIT!", b"ST46", b"ST50", b"ST60", b"ST65", b"STin", b"STi2", b"STi3", b"STi4")},
    "sit-resource": lambda data: stuffit(data, fork="resource"), "sit-version-2": lambda data: stuffit(data, version=2), "macho": fat_macho, "macho-many": lambda data: fat_macho(data, 1, 14), "macho-64": lambda data: fat_macho(data, magic=0xCAFEBABF),
}


def variants():
    for (name, wrap), (kind, data) in itertools.product(WRAPPERS.items(), PAYLOADS.items()):
        plain = wrap(data)
        yield f"{name}-{kind}", "bin", plain
        if kind in ("eicar", "hidden"):
            yield f"{name}-in-zip-{kind}", "zip", zip_of(Member("a.bin", plain))
            yield f"{name}-in-tar-{kind}", "tar", tar_of(plain, "a.bin")
            yield f"{name}-in-mail-{kind}", "eml", mail(base64_lines(plain))
    for (name, wrap), (other, second) in itertools.product(WRAPPERS.items(), (("single", apple_single), ("binary", mac_binary), ("hqx", binhex), ("sit", stuffit))):
        yield f"{name}-of-{other}", "bin", wrap(second(EICAR))
    for name, wrap in WRAPPERS.items():
        yield f"{name}-then-junk", "bin", wrap(EICAR) + b"junk" * 9
        yield f"{name}-behind-text", "bin", FRONTS["text"] + wrap(EICAR)
        yield f"{name}-behind-block", "bin", bytes(128) + wrap(EICAR)
