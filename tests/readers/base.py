"""What every family builds from: the EICAR test file, plain archives of it, the data that an archive can stand in, and programs that pack.

A family is a module with `variants()`, which yields `(name, extension, bytes)`. The same name means the same bytes in every run,
except for dates and serial numbers that `genisoimage -udf`, `wimlib-imagex` and `mkntfs` write, and for the dates, identifiers, keys and
signatures of `pdf_libraries`, `office_libraries`, `mail_libraries`, `message_files`, `node_libraries`, `java_libraries` and `libreoffice_documents`.
"""

import base64, gzip, io, lzma, os, struct, subprocess, sys, tempfile, zipfile, zlib

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "evasion"))

from corpus import EICAR, HARMLESS, NOISE, Member, ar_of, mail, mutated, python_zip, tar_header, tar_of, uuencoded, zip_of  # noqa: E402, F401
import packers  # noqa: E402, F401

SCRIPT = b"#!/bin/sh\nexit 0\n"
GOOD_ZIP = zip_of(Member("a.txt", HARMLESS))
ZIP = zip_of(Member())
# A zip that readers of the end record and readers from the start open differently.
HIDDEN_ZIP = GOOD_ZIP + ZIP
TAR = tar_of()
TGZ = gzip.compress(TAR, mtime=0)
# The test file as it is, and in containers that an engine sees only where it looks in.
PAYLOADS = {"eicar": EICAR, "zip": ZIP, "hidden": HIDDEN_ZIP, "tar": TAR, "tgz": TGZ}


def made_with(command, sources, output, timeout=60):
    """What a program writes to the file OUTPUT (or prints, where that is None) in a directory with SOURCES, a dictionary of files.

    The files' dates are 1980-01-01, so that the same command packs the same bytes.
    """
    with tempfile.TemporaryDirectory() as directory:
        for name, data in sources.items():
            path = os.path.join(directory, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
            os.utime(path, (315532800, 315532800))
        for root, _, _ in os.walk(directory):
            os.utime(root, (315532800, 315532800))
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": directory, "LC_ALL": "C.UTF-8", "TZ": "UTC",
                       "SOURCE_DATE_EPOCH": "315532800", "MTOOLS_SKIP_CHECK": "1", "E2FSPROGS_FAKE_TIME": "315532800"}
        words = ["sh", "-c", command] if isinstance(command, str) else command
        done = subprocess.run(words, cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
        if output is None:
            return done.stdout
        path = os.path.join(directory, output)
        if not os.path.exists(path):
            raise SystemExit(f"`{command}` wrote nothing ({done.stderr.decode(errors='replace').strip()[-300:]}); `tools/install test` installs what packs")
        with open(path, "rb") as file:
            return file.read()


def crc_ccitt(data, crc=0):
    """CRC-16/XMODEM, as Macintosh formats have it."""
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021) & 0xFFFF if crc & 0x8000 else crc << 1
    return crc


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(middle=b"", behind=b""):
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + middle + png_chunk(b"IDAT", zlib.compress(b"\0\0")) + png_chunk(b"IEND", b"") + behind


def riff(kind, *chunks):
    body = kind + b"".join(name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


WAVE = riff(b"WAVE", (b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8)), (b"data", b"\x80" * 400))
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0" + b"\xff\xdb\0\x43" + bytes(range(65)) + b"\xff\xd9"
GIF = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\4\0\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
ELF = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 64, 0, 0) + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 120, 120, 4096)
PE = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<HHIIIHH", 0x14C, 0, 0, 0, 0, 0, 0x102) + bytes(400)
# What stands in front of an archive, so that no reader of signatures at offset 0 sees it.
FRONTS = {
    "script": SCRIPT, "html": b"<!DOCTYPE html>\n<html><body>hello</body></html>\n", "jpeg": JPEG, "gif": GIF, "png": png(), "wav": WAVE, "elf": ELF, "pe": PE,
    "text": b"Dear reader,\n\n" + b"this is an ordinary text of some lines.\n" * 8, "zeros": bytes(512), "spaces": b" " * 100, "mp3": b"ID3\3\0\0\0\0\0\x0a" + bytes(10) + b"\xff\xfb\x90\x64" + bytes(413),
    "pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
    "rtf": b"{\\rtf1 hello}\n", "xml": b"<?xml version=\"1.0\"?><a/>\n", "bmp": b"BM" + struct.pack("<IIIIIIHHIIIIII", 58, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + bytes(4),
    "psd": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 1, 1, 8, 3) + bytes(14), "mz-text": b"MZ" + b"x" * 1022, "utf16": "\ufeffhello, reader\n".encode("utf-16-le") * 9,
}


def base64_lines(data, width=76, newline="\r\n"):
    text = base64.b64encode(data).decode()
    return "".join(text[start:start + width] + newline for start in range(0, len(text), width))


def spoilt_lines(data, junk="!", newline="\r\n"):
    """Base64 with a character in each line that readers skip and searches for runs of base64 do not."""
    return "".join(line[:10] + junk + line[10:] + newline for line in base64_lines(data, newline="\n").split("\n")[:-1])
