#!/usr/bin/env python3
"""Writes files that cannot be scanned as a whole: limits.py DIRECTORY. Each name is `REASON.WHAT`.

For a service whose MAX_FILE_SIZE is 2,000,000 bytes. Needs 7z for the encrypted archives.
"""

import bz2, gzip, io, lzma, os, struct, subprocess, sys, tarfile, zipfile, zlib

directory = sys.argv[1]
SECRET = b"nothing bad in here\n" * 50


def write(reason, what, data):
    with open(os.path.join(directory, f"{reason}.{what}"), "wb") as file:
        file.write(data)


def zip_of(members, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def compound(name, data):
    """A compound file of version 3 with one stream of 4,096 bytes: header, FAT, directory, data."""
    end, free = 0xFFFFFFFE, 0xFFFFFFFF
    fat = [0xFFFFFFFD, end] + [sector + 1 for sector in range(2, 9)] + [end]
    fat += [free] * (128 - len(fat))

    def entry(name, kind, child, start, size):
        text = (name + "\0").encode("utf-16-le") if name else b""
        return (text.ljust(64, b"\0") + struct.pack("<HBBIII", len(text), kind, 1, free, free, child) + bytes(36)
                + struct.pack("<IQ", start, size))

    header = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
              + struct.pack("<9I", 0, 1, 1, 0, 4096, end, 0, end, 0) + struct.pack("<I", 0) + struct.pack("<I", free) * 108)
    entries = entry("Root Entry", 5, 1, end, 0) + entry(name, 2, free, 2, 4096) + entry("", 0, free, 0, 0) * 2
    return header + struct.pack("<128I", *fat) + entries + data.ljust(4096, b"\0")


def seven(name, *options):
    path = os.path.join(directory, name)
    secret = os.path.join(directory, "secret.txt")
    with open(secret, "wb") as file:
        file.write(SECRET)
    subprocess.run(["7z", "a", "-bd", "-y", "-psecret", *options, path, secret], check=True, stdout=subprocess.DEVNULL)
    os.remove(secret)


seven("encrypted.zip", "-tzip")
seven("encrypted.aes.zip", "-tzip", "-mem=AES256")
seven("encrypted.7z", "-t7z")
seven("encrypted.names.7z", "-t7z", "-mhe=on")
write("encrypted", "nested.zip", zip_of([("inner.zip", open(os.path.join(directory, "encrypted.zip"), "rb").read())]))
write("encrypted", "docx", compound("EncryptedPackage", b"x" * 4096))
write("encrypted", "doc", compound("WordDocument", struct.pack("<5HH", 0xA5EC, 0xC1, 0, 0, 0, 0x0100)))
write("encrypted", "xls", compound("Workbook", struct.pack("<HH16s", 0x809, 16, b"") + struct.pack("<HH6s", 0x2F, 6, b"") + struct.pack("<HH", 10, 0)))
write("encrypted", "odt", zip_of([("mimetype", "application/vnd.oasis.opendocument.text"), ("content.xml", "x"),
                                  ("META-INF/manifest.xml", "<m:manifest><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>")]))
write("encrypted", "epub", zip_of([("mimetype", "application/epub+zip"), ("META-INF/encryption.xml",
                                   '<e><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></e>')]))
write("encrypted", "pdf", b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n2 0 obj\n<< /Filter /Standard /V 1 /R 2 /P -4 /O <" + b"00" * 32 + b"> /U <" + b"00" * 32 + b"> >>\nendobj\n3 0 obj\n<< /Length 0 >>\nstream\n\nendstream\nendobj\ntrailer\n<< /Root 1 0 R /Encrypt 2 0 R >>\n%%EOF\n")
# A directory that is cut is made good by 7-Zip; data are not.
write("malformed", "cut.zip", zip_of([("a", os.urandom(5000))])[:-2000])
write("malformed", "cut.gz", gzip.compress(os.urandom(5000))[:-100])
write("malformed", "cut.xz", lzma.compress(os.urandom(5000))[:-100])
write("malformed", "cut.bz2", bz2.compress(os.urandom(5000))[:-100])
long_range = b"LRZI\0\x06" + struct.pack("<Q", 5) + bytes(10) + b"hello"
write("unsupported_container", "lrz", long_range)
write("unsupported_container", "in.zip", zip_of([("a.lrz", long_range)]))
write("unsupported_container", "ace", bytes(7) + b"**ACE**" + bytes(40))
write("unsupported_container", "lzfse", b"bvx2" + bytes(60))
write("too_large", "trimmed.zip", zip_of([("a", bytes(3_000_000))]))
write("too_large", "trimmed.gz", gzip.compress(bytes(3_000_000)))
write("expands_too_much", "zip", zip_of([(f"{n}", bytes(1_900_000)) for n in range(5)]))
write("expands_too_much", "nested.zip", zip_of([(f"{n}.zip", zip_of([(f"{m}", bytes(1_900_000)) for m in range(3)])) for n in range(3)]))
many = zip_of([(f"{n}", b"") for n in range(10_000)], zipfile.ZIP_STORED)
write("too_many_files", "zip", zip_of([(f"{n}.zip", many) for n in range(7)]))
nested = SECRET
for level in range(20):
    nested = zip_of([(f"{level}.zip", nested)])
write("too_deep", "zip", nested)
# For a service with the usual limits: a few kilobytes that unpack to less than is allowed, and keep the engine busy for long.
os.makedirs(os.path.join(directory, "slow"))
# `xz --lzma2=dict=1536MiB` of a CSV: ClamAV makes a finding of it, Heuristics.XZ.DicSizeLimit.
os.makedirs(os.path.join(directory, "findings"))
dictionary = bytearray(lzma.compress(b"a,b\n" * 5))
dictionary[16] = 37
dictionary[20:24] = struct.pack("<I", zlib.crc32(dictionary[12:20]))
write("findings/dictionary", "csv.xz", dictionary)
script = b"<script>" + b"function f(){var x=String.fromCharCode(65,66,67);eval(x);}\n" * 900 + b"</script>"
write("slow/scan_timeout", "zip", zip_of([("inner.zip", zip_of([(f"{n}.js", script) for n in range(5_000)]))]))
