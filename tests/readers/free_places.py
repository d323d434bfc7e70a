"""Text and documents in places of containers that belong to no member: comments, extra fields, attributes, reserves, system areas, skippable frames.

APPNOTE 6.3.10 4.4.12 and 4.5; RFC 1952 2.3.1; POSIX.1-2024 pax; ECMA-119 6.2.1; [MS-CAB] 2.1; RFC 8878 3.1.2; RFC 9110.
"""

import gzip, io, struct, tarfile, zipfile

import lharc, packages, sevenzip, tars
from base import EICAR, HARMLESS, base64_lines, packers
from encoded import uu
from pdf import Document
from streams import gz


def carriers():
    text = base64_lines(EICAR, newline="\n").encode()
    head = b"From: a@example.org\nSubject: x\nMIME-Version: 1.0\nContent-Type: application/octet-stream; name=e.com\n"
    quoted = b"".join(b"=%02X" % byte for byte in EICAR[:20]) + b"=\n" + EICAR[20:].replace(b"=", b"=3D")
    yield "uu", "uu", b"\n" + uu(EICAR, newline="\n").encode()
    yield "mbox", "mbox", b"\nFrom a@example.org Mon Jan  1 00:00:00 2024\n" + head + b"Content-Transfer-Encoding: quoted-printable\n\n" + quoted + b"\n"
    yield "mbox-base64", "mbox", b"\nFrom a@example.org Mon Jan  1 00:00:00 2024\n" + head + b"Content-Transfer-Encoding: base64\n\n" + text + b"\n"
    yield "html", "html", b"<html><a download=e.com href='data:application/octet-stream;base64," + text.replace(b"\n", b"") + b"'>x</a></html>"
    yield "pdf", "pdf", Document(EICAR, (b"ASCIIHexDecode",)).bytes()


def zipped(comment=b"", extra=b"", member=HARMLESS):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("a.txt")
        info.extra = extra and struct.pack("<HH", 0x6366, len(extra)) + extra
        archive.writestr(info, member)
        archive.comment = comment
    return out.getvalue()


def tar(attributes, kind):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers=attributes if kind == "g" else None) as archive:
        info = tarfile.TarInfo("a.txt")
        info.size = len(HARMLESS)
        info.pax_headers = attributes if kind == "x" else {}
        archive.addfile(info, io.BytesIO(HARMLESS))
    return out.getvalue()


def hosts(data):
    iso = packers.iso(HARMLESS)
    attributes = {"comment": data.decode("latin-1")}
    yield "zip-comment", zipped(comment=data)
    yield "zip-extra", zipped(extra=data)
    yield "gzip-comment", gz(HARMLESS, 16, comment=data)
    yield "gzip-name", gz(HARMLESS, 8, name=data)
    yield "gzip-extra", gz(HARMLESS, 4, extra=struct.pack("<2sH", b"AB", len(data)) + data)
    yield "gzip-second", gzip.compress(HARMLESS, mtime=0) + gz(HARMLESS, 4 | 8 | 16 | 2, extra=struct.pack("<2sH", b"AB", len(data)) + data, name=b"n", comment=b"c")
    yield "tar-pax", tar(attributes, "x")
    yield "tar-global", tar(attributes, "g")
    yield "iso-system-area", data + iso[len(data):]
    yield "cab-reserve", packers.cabinet([(1, [(b"a.txt", HARMLESS)])], header_reserve=data)
    yield "zstd-skippable", b"\x50\x2a\x4d\x18" + struct.pack("<I", len(data)) + data + b"\x28\xb5\x2f\xfd\x20\x02\x11\0\0hi"
    yield "lz4-skippable", b"\x50\x2a\x4d\x18" + struct.pack("<I", len(data)) + data


def archives():
    """That programs look for in any data."""
    for form in ("binary", "binary-big", "newc", "odc"):
        yield f"cpio-{form}", packages.cpio(packages.CPIOS[form], (b"e.com", EICAR))
    yield "tar-v7", tars.member(magic=tars.V7) + bytes(1024)
    yield "tar-ustar", tars.member() + bytes(1024)
    yield "cabinet", packers.cabinet([(1, [(b"e.com", EICAR)])])


def opened(data):
    """Containers of which the gate knows no structure, and what follows them."""
    for name, front in {"lha": lharc.lha_level_3(HARMLESS) + bytes(4), "xar": packages.xar(HARMLESS), "cpio": packages.cpio(packages.CPIOS["newc"], (b"a.txt", HARMLESS)), "arj": lharc.arj(HARMLESS)}.items():
        yield f"{name}-then", front + data
        yield f"{name}-then-block", front.ljust(-(-len(front) // 512) * 512, b"\0") + data
    yield "7z-dummy", sevenzip.archive([sevenzip.chain(HARMLESS, ("copy",))], properties=b"\x19" + sevenzip.number(len(data)) + data)
    yield "7z-unknown", sevenzip.archive([sevenzip.chain(HARMLESS, ("copy",))], properties=b"\x30" + sevenzip.number(len(data)) + data)


def variants():
    for kind, data in archives():
        for name, made in (*hosts(data), *opened(data)):
            # cabextract finds one behind another, and none within another; attributes of a tar are UTF-8.
            if (name, kind) != ("cab-reserve", "cabinet") and not name.startswith("tar-"):
                yield f"{name}-{kind}", "bin", made
    for kind, extension, data in carriers():
        for name, made in hosts(data):
            yield f"{name}-{kind}", extension, made
    # What begins in a free place goes on in a member.
    begun, text = uu(EICAR, newline="\n").encode().split(b"\n", 1)
    yield "zip-extra-into-member", "uu", zipped(extra=b"\n" + begun + b"\n", member=text)
