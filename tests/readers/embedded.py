"""Archives inside data of other formats: behind it, amid it, in its own comments and chunks, and files that are two formats (polyglots)."""

import bz2, gzip, itertools, lzma, struct

from base import (EICAR, FRONTS, GIF, GOOD_ZIP, HARMLESS, HIDDEN_ZIP, JPEG, PAYLOADS, SCRIPT, TAR, TGZ, WAVE, ZIP, Member, ar_of, base64_lines, mail, packers, png, png_chunk, riff,
                  tar_of, zip_of)
from lharc import arc, arj, lha, zoo
from packages import cpio, newc, xar
from rar import file_4, file_5, rar_4, rar_5
from sevenzip import archive, chain
from streams import lz4, lzip, zstd

# One archive of each kind that holds these bytes.
ARCHIVES = {
    "zip": lambda data: zip_of(Member("e.com", data)), "zip-stored": lambda data: zip_of(Member("e.com", data, method=0)), "zip-streamed": lambda data: zip_of(Member("e.com", data, flags=8)),
    "7z": lambda data: archive([chain(data, ["lzma"])]), "7z-chain": lambda data: archive([chain(data, ["bcj", "lzma"])]), "rar4": lambda data: rar_4(file_4(data)), "rar5": lambda data: rar_5(file_5(data)),
    "cab": lambda data: packers.cabinet([(1, [(b"e.com", data)])]), "tar": tar_of, "tgz": lambda data: gzip.compress(tar_of(data), mtime=0), "txz": lambda data: lzma.compress(tar_of(data)), "tbz": lambda data: bz2.compress(tar_of(data)),
    "cpio": lambda data: cpio(newc, (b"e.com", data)), "ar": lambda data: ar_of(b"e.com/", data), "arj": arj, "lha": lambda data: lha(data, 1), "zoo": zoo, "arc": arc, "xar": xar, "iso": packers.iso,
    "zst": lambda data: zstd(tar_of(data)), "lz4": lambda data: lz4(tar_of(data)), "lz": lambda data: lzip(tar_of(data)), "lzma": lambda data: lzma.compress(tar_of(data), lzma.FORMAT_ALONE),
}


def jpeg_segment(kind, data):
    return b"\xff" + bytes([kind]) + struct.pack(">H", len(data) + 2) + data


def within(data):
    """The places that formats of pictures, sound, programs and documents have for bytes of others."""
    yield "png-chunk", "png", png(png_chunk(b"zzZz", data))
    yield "png-behind", "png", png(behind=data)
    yield "jpeg-behind", "jpg", JPEG + data
    if len(data) < 60_000:
        yield "jpeg-comment", "jpg", JPEG[:2] + jpeg_segment(0xFE, data) + JPEG[2:]
        yield "jpeg-app", "jpg", JPEG[:2] + jpeg_segment(0xED, b"Photoshop 3.0\0" + data) + JPEG[2:]
    blocks = b"".join(bytes([len(data[start:start + 255])]) + data[start:start + 255] for start in range(0, len(data), 255))
    yield "gif-comment", "gif", GIF[:-1] + b"!\xfe" + blocks + b"\0;"
    yield "gif-behind", "gif", GIF + data
    yield "wav-chunk", "wav", riff(b"WAVE", (b"fmt ", bytes(16)), (b"junk", data), (b"data", bytes(100)))
    yield "wav-behind", "wav", WAVE + data
    yield "webp-chunk", "webp", riff(b"WEBP", (b"VP8L", b"\x2f\0\0\0\0"), (b"EXIF", data))
    yield "avi-chunk", "avi", riff(b"AVI ", (b"JUNK", data))
    yield "mp4-free", "mp4", struct.pack(">I", 16) + b"ftypisom\0\0\0\0" + struct.pack(">I", 8 + len(data)) + b"free" + data
    yield "mp3-tag", "mp3", b"ID3\3\0\0" + bytes(len(data) + 20 >> shift & 127 for shift in (21, 14, 7, 0)) + b"PRIV" + struct.pack(">IH", len(data), 0) + data + bytes(10) + b"\xff\xfb\x90\x64" + bytes(413)
    yield "flac-block", "flac", b"fLaC\0\0\0\x22" + bytes(34) + b"\x82" + struct.pack(">I", len(data))[1:] + data
    yield "html-behind", "html", FRONTS["html"] + data
    yield "html-comment", "html", b"<html><!--" + data + b"--></html>"
    yield "xml-text", "xml", b"<?xml version='1.0'?><a><![CDATA[" + data + b"]]></a>"
    yield "pdf-stream", "pdf", b"%PDF-1.4\n1 0 obj<</Length " + str(len(data)).encode() + b">>stream\n" + data + b"\nendstream endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    yield "script-behind", "sh", SCRIPT + data
    yield "script-amid", "sh", SCRIPT + data + b"\n# the end\n" * 9000
    yield "class-behind", "class", b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(40) + data
    yield "sqlite-behind", "db", b"SQLite format 3\0" + bytes(1008) + data
    yield "ttf-behind", "ttf", b"\0\1\0\0\0\0" + bytes(6) + data
    yield "pcap-packet", "pcap", struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + struct.pack("<IIII", 0, 0, len(data), len(data)) + data
    yield "eps", "eps", b"\xc5\xd0\xd3\xc6" + struct.pack("<IIIIIIH", 32, 20, 0, 0, 0, 0, 0xFFFF) + bytes(2) + b"%!PS-Adobe-3.0 EPSF\n" + data
    yield "lnk-behind", "lnk", b"L\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0\0\0\0F" + bytes(56) + data
    yield "psd-behind", "psd", FRONTS["psd"] + data
    yield "zeros-behind", "bin", bytes(100_000) + data
    yield "far-behind", "bin", FRONTS["pe"] + b"\x90" * 1_200_000 + data


def embedded():
    for (kind, make), payload in itertools.product(ARCHIVES.items(), ("eicar", "hidden")):
        for place, extension, data in within(make(PAYLOADS[payload])):
            if payload == "eicar" or place in ("png-behind", "script-behind", "script-amid", "pdf-stream", "jpeg-comment"):
                yield f"{kind}-{place}-{payload}", extension, data


def polyglots():
    """The first format's reader sees harmless bytes; the second one's sees the test file."""
    first = {"zip": GOOD_ZIP, "tar": tar_of(HARMLESS, "a.txt"), "tar-open": tar_of(HARMLESS, "a.txt")[:-9216], "gz": gzip.compress(HARMLESS, mtime=0), "xz": lzma.compress(HARMLESS), "bz2": bz2.compress(HARMLESS),
             "7z": archive([chain(HARMLESS, ["lzma"])]), "rar4": rar_4(file_4(HARMLESS)), "rar5": rar_5(file_5(HARMLESS)), "cab": packers.cabinet([(0, [(b"a.txt", HARMLESS)])]), "ar": ar_of(b"a.txt/", HARMLESS),
             "mail": mail(base64_lines(HARMLESS)), "pdf": FRONTS["pdf"], "rtf": FRONTS["rtf"], "zst": zstd(HARMLESS), "cpio": cpio(newc, (b"a.txt", HARMLESS)), "lha": lha(HARMLESS, 1), "iso": packers.iso(HARMLESS)}
    for (front, data), (kind, make) in itertools.product(first.items(), ARCHIVES.items()):
        yield f"{front}-and-{kind}", "bin", data + make(EICAR)
    # A tar's first member may bear any magic in its name; its other blocks, anything at all.
    for name, magic in {"pdf": "%PDF-1.4", "html": "<html>", "mz": "MZ", "zip": "PK\3\4", "rtf": "{\\rtf1", "gif": "GIF89a", "script": "#!/bin/sh", "mail": "From: a", "riff": "RIFF", "id3": "ID3", "bzh": "BZh9", "rar": "Rar!\x1a\7", "elf": "\x7fELF"}.items():
        yield f"tar-named-{name}", "tar", tar_of(EICAR, magic)
        yield f"tar-of-zip-named-{name}", "tar", tar_of(HIDDEN_ZIP, magic)
    # An ISO image and a FAT leave their first bytes free.
    image = packers.iso(EICAR)
    for name, data in (first | FRONTS).items():
        if len(data) <= 32768:
            yield f"iso-begins-{name}", "iso", data + image[len(data):]
    for name, data in {"zip": ZIP, "tgz": TGZ, "tar": TAR}.items():
        yield f"gz-extra-{name}", "gz", b"\x1f\x8b\x08\4" + bytes(6) + struct.pack("<H", len(data)) + data + gzip.compress(HARMLESS, mtime=0)[10:] if len(data) < 65536 else data
        yield f"zst-skippable-{name}", "zst", b"\x50\x2a\x4d\x18" + struct.pack("<I", len(data)) + data + zstd(HARMLESS)
        yield f"zip-comment-{name}", "zip", zip_of(Member("a.txt", HARMLESS), comment=data) if len(data) < 65536 else data
        yield f"zip-before-{name}", "zip", data + GOOD_ZIP
        yield f"zip-between-{name}", "zip", zip_of(Member("a.txt", HARMLESS), between=data)


def variants():
    yield from embedded()
    for name, extension, data in polyglots():
        yield f"polyglot-{name}", extension, data
