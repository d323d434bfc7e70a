#!/usr/bin/env python3
"""Writes files that hide the EICAR test file from a scanner: corpus.py DIRECTORY SAMPLES N_MUTATIONS SEED

Named variants are the known ways (one builder each); the rest are random changes to the headers of every container kind, from
SAMPLES (a directory with one sample of each) and from the plain archives built here. Only generators are kept, never the files.
"""

import base64, bz2, gzip, io, lzma, os, random, struct, sys, tarfile, zipfile, zlib

import packers

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}" + b"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
HARMLESS = b"This text is harmless.\n" * 40
NOISE = random.Random(0).randbytes(9000)
END, LISTED, LOCAL = b"PK\5\6", b"PK\1\2", b"PK\3\4"


def deflate(data):
    return zlib.compress(data, 9)[2:-4] # without zlib's own header and checksum


class Member:
    """One zip member; every header field can be made to lie."""

    def __init__(self, name="e.com", data=EICAR, method=8, flags=0, **lies):
        self.name, self.data, self.method, self.flags, self.lies = name.encode(), data, method, flags, lies
        packers = {0: lambda d: d, 8: deflate, 12: bz2.compress}
        self.packed = lies.get("packed", packers.get(method, deflate)(data))
        self.crc, self.extra = zlib.crc32(data), lies.get("extra", b"")

    def local(self):
        lie = self.lies.get
        streamed = self.flags & 8
        crc, packed, size = (0, 0, 0) if streamed else (self.crc, len(self.packed), len(self.data))
        name = lie("local_name", self.name)
        extra = lie("local_extra", self.extra)
        header = struct.pack("<4sHHHHHIIIHH", lie("local_magic", LOCAL), lie("local_version", 20), lie("local_flags", self.flags),
                             lie("local_method", self.method), 0, 33, lie("local_crc", crc), lie("local_packed", packed),
                             lie("local_size", size), len(name), len(extra))
        descriptor = struct.pack("<4sIII", b"PK\7\x08", self.crc, len(self.packed), len(self.data)) if streamed else b""
        return header + name + extra + self.packed + lie("descriptor", descriptor)

    def listed(self, offset):
        lie = self.lies.get
        name, extra = lie("listed_name", self.name), lie("listed_extra", self.extra)
        return struct.pack("<4sHHHHHHIIIHHHHHII", LISTED, 20, lie("listed_version", 20), lie("listed_flags", self.flags),
                           lie("listed_method", self.method), 0, 33, lie("listed_crc", self.crc),
                           lie("listed_packed", len(self.packed)), lie("listed_size", len(self.data)), len(name), len(extra),
                           len(lie("comment", b"")), 0, 0, 0, lie("listed_offset", offset)) + name + extra + lie("comment", b"")


def zip_of(*members, comment=b"", before=b"", listed=None, between=b"", end=None, **end_lies):
    body, directory = before, b""
    for member in members:
        if listed is None or member in listed:
            directory += member.listed(len(body))
        body += member.local() + between
    n = len(members) if listed is None else len(listed)
    lie = end_lies.get
    record = struct.pack("<4sHHHHIIH", END, lie("disk", 0), 0, lie("n_here", n), lie("n", n), lie("bytes", len(directory)),
                         lie("offset", len(body)), lie("n_comment", len(comment))) + comment
    return body + directory + (record if end is None else end)


def python_zip(method=zipfile.ZIP_DEFLATED, zip64=False, streamed=False, data=EICAR, name="e.com"):
    buffer = io.BytesIO()

    class Pipe(io.RawIOBase):
        def writable(self): return True
        def write(self, data): return buffer.write(data)

    with zipfile.ZipFile(Pipe() if streamed else buffer, "w", method) as archive:
        with archive.open(name, "w", force_zip64=zip64) as member:
            member.write(data)
    return buffer.getvalue()


def tar_of(data=EICAR, name="e.com", fmt=tarfile.USTAR_FORMAT, pax=None, more=()):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=fmt) as archive:
        for name, data in [(name, data), *more]:
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = len(data), pax or {}
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def tar_header(header, **fields):
    """A header with other fields and a right checksum."""
    places = {"name": (0, 100), "size": (124, 12), "type": (156, 1), "magic": (257, 8)}
    block = bytearray(header[:512])
    for field, value in fields.items():
        start, length = places[field]
        block[start:start + length] = value.ljust(length, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + header[512:]


def mail(body=None, boundary="b", outer="multipart/mixed", encoding="base64", head="", close=True, prefix=""):
    payload = base64.encodebytes(EICAR).decode().replace("\n", "\r\n") if body is None else body
    text = (f"{prefix}From: a@example.org\r\nTo: b@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
            f'Content-Type: {outer}; boundary="{boundary}"\r\n{head}\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\n'
            f'Content-Type: application/octet-stream; name="e.com"\r\nContent-Transfer-Encoding: {encoding}\r\n'
            f'Content-Disposition: attachment; filename="e.com"\r\n\r\n{payload}' + ("--b--\r\n" if close else ""))
    return text.encode()


def with_zip64_end(archive):
    """The same archive with a ZIP64 end record, and all ones in the short one."""
    at = archive.rfind(END)
    _, _, _, n, _, n_bytes, offset, _ = struct.unpack("<4sHHHHIIH", archive[at:at + 22])
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, n, n, n_bytes, offset)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)
    return archive[:at] + record + locator + struct.pack("<4sHHHHIIH", END, 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)


def named():
    bad, good = Member(), Member("a.txt", HARMLESS)
    plain, innocent = zip_of(bad), zip_of(good)
    both = zip_of(good, bad)
    jpeg = b"\xff\xd8\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0" + b"x" * 3000
    script = b"#!/bin/sh\nexit 0\n"
    sfx = [("script", script), ("jpeg", jpeg), ("elf", b"\x7fELF\2\1\1" + bytes(9) + NOISE[:3000])]
    yield "zip-plain", plain
    yield "zip-good-then-bad", innocent + plain
    yield "zip-bad-then-good", plain + innocent
    yield "zip-in-comment", zip_of(good, comment=plain)
    yield "zip-in-comment-longer", zip_of(good, comment=plain + b"x" * 300)
    yield "zip-comment-too-short", zip_of(bad, n_comment=300)
    yield "zip-behind-comment", zip_of(bad) + b"x" * 100
    yield "zip-hidden-first", zip_of(bad, good, listed=[good])
    yield "zip-hidden-last", zip_of(good, bad, listed=[good])
    yield "zip-no-directory", bad.local()
    yield "zip-no-directory-streamed", Member(flags=8).local()
    yield "zip-directory-cut", plain[:plain.rfind(END) - 10]
    yield "zip-end-cut", plain[:-6]
    yield "zip-end-only-signature", plain[:-18]
    for method in (0, 8, 12):
        for lie in (0, 1, 8, 9, 12, 14, 93, 99):
            if lie != method:
                yield f"zip-method-{method}-local-says-{lie}", zip_of(Member(method=method, local_method=lie))
                yield f"zip-method-{method}-listed-says-{lie}", zip_of(Member(method=method, listed_method=lie))
    for field, values in {"local_packed": (0, 1, 5000, 2**32 - 1), "local_size": (0, 1, 5000, 2**32 - 1), "local_crc": (0, 1),
                          "listed_packed": (0, 1, 40, 2**32 - 1), "listed_size": (0, 1, 5000, 2**32 - 1), "listed_crc": (0, 1),
                          "local_flags": (1, 8, 64, 0x2000), "listed_flags": (1, 8, 64, 0x2000), "local_version": (255,),
                          "listed_version": (255,), "listed_offset": (1, 2**32 - 1), "local_name": (b"x", b"e.com\0", b"\xff" * 9),
                          "listed_name": (b"x/", b"e.com/", b"e.com\0x", b"../e.com", b""), "local_magic": (b"PK\3\5", b"XXXX"),
                          "local_extra": (b"\1\0\x10\0" + bytes(16), b"\1\0\xff\xff", struct.pack("<HHQQ", 1, 16, 68, 70)),
                          "listed_extra": (struct.pack("<HHQQ", 1, 16, 68, 70), b"\1\0\1\0")}.items():
        for value in values:
            yield f"zip-{field}-{value!r:.20}", zip_of(Member(**{field: value}))
            yield f"zip-{field}-{value!r:.20}-second", zip_of(good, Member(**{field: value}))
            yield f"zip-{field}-{value!r:.20}-stored", zip_of(Member(method=0, **{field: value}))
    yield "zip-size-unlisted-64", zip_of(Member(local_packed=2**32 - 1, local_size=2**32 - 1,
                                               local_extra=struct.pack("<HHQQ", 1, 16, len(EICAR), len(deflate(EICAR)))))
    yield "zip-zip64-end", with_zip64_end(plain)
    yield "zip-zip64-end-other", with_zip64_end(plain)[:-22] + innocent[-22:]
    yield "zip-two-ends", plain + innocent[-22:]
    yield "zip-end-count-0", zip_of(bad, n=0, n_here=0)
    yield "zip-end-count-2", zip_of(bad, n=2, n_here=2)
    yield "zip-end-offset-0", zip_of(bad, offset=0)
    yield "zip-end-bytes-0", zip_of(bad, bytes=0)
    yield "zip-end-disk-1", zip_of(bad, disk=1)
    yield "zip-gap", zip_of(good, bad, between=b"x" * 50)
    yield "zip-overlap", zip_of(good, Member("o.com", listed_offset=0))
    yield "zip-two-of-one-name", zip_of(Member("e.com", HARMLESS), bad)
    yield "zip-streamed", zip_of(Member(flags=8))
    yield "zip-streamed-stored", zip_of(Member(flags=8, method=0))
    yield "zip-streamed-no-descriptor", zip_of(Member(flags=8, descriptor=b""))
    yield "zip-streamed-wrong-descriptor", zip_of(Member(flags=8, descriptor=struct.pack("<4sIII", b"PK\7\x08", 1, 2, 3)))
    yield "zip-deflate-junk", zip_of(Member(packed=deflate(EICAR) + b"junk" * 9))
    yield "zip-deflate-cut", zip_of(Member(packed=deflate(EICAR + HARMLESS)[:-9]))
    yield "zip-bzip2-two-streams", zip_of(Member(method=12, packed=bz2.compress(HARMLESS) + bz2.compress(EICAR)))
    for method, name in [(zipfile.ZIP_LZMA, "lzma"), (zipfile.ZIP_STORED, "stored"), (zipfile.ZIP_DEFLATED, "deflated"),
                         (zipfile.ZIP_BZIP2, "bzip2")]:
        for zip64 in (False, True):
            for streamed in (False, True):
                archive = python_zip(method, zip64, streamed)
                kind = f"{name}{'-zip64' * zip64}{'-streamed' * streamed}"
                yield f"zip-python-{kind}", archive
                for what, prefix in sfx:
                    yield f"behind-{what}-zip-{kind}", prefix + archive
                yield f"amid-zip-{kind}", script + archive + b"y" * 70000
                yield f"nested-zip-{kind}", zip_of(Member("inner.zip", archive))
                yield f"tarred-zip-{kind}", tar_of(archive, "inner.zip")
                yield f"mailed-zip-{kind}", mail(base64.encodebytes(archive).decode())
    for inner_name, inner in [("concatenated", innocent + plain), ("hidden", zip_of(bad, good, listed=[good])), ("plain", both)]:
        for wrap_name, wrap in [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress),
                                ("lzma", lambda d: lzma.compress(d, format=lzma.FORMAT_ALONE)), ("tar", tar_of), ("mail", lambda d: mail(base64.encodebytes(d).decode())),
                                ("zip", lambda d: zip_of(Member("i.zip", d)))]:
            yield f"{wrap_name}-of-zip-{inner_name}", wrap(inner)
    streams = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    for name, pack in streams.items():
        one, other, none = pack(EICAR), pack(HARMLESS), pack(b"")
        yield f"{name}-plain", one
        yield f"{name}-second-stream", other + one
        yield f"{name}-second-stream-after-empty", none + one
        yield f"{name}-third-stream", other + none + one
        yield f"{name}-padded-second-stream", other + bytes(8) + one
        yield f"{name}-junk-behind", one + b"junk"
        yield f"{name}-cut", pack(EICAR + NOISE)[:-600]
        yield f"{name}-zip-behind", other + plain
        yield f"{name}-tar-inside-second", other + pack(tar_of())
        for what, prefix in sfx:
            yield f"behind-{what}-{name}", prefix + one
            yield f"behind-{what}-tar-{name}", prefix + pack(tar_of())
            yield f"behind-{what}-tar-{name}-broken", prefix + pack(tar_of(EICAR + NOISE))[:-5]
    yield "gz-zip-in-extra", b"\x1f\x8b\x08\x04" + bytes(6) + struct.pack("<H", len(plain)) + plain + gzip.compress(HARMLESS)[10:]
    yield "xz-delta", lzma.compress(EICAR, filters=[{"id": lzma.FILTER_DELTA, "dist": 1}, {"id": lzma.FILTER_LZMA2}])
    yield "xz-x86", lzma.compress(EICAR, filters=[{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2}])
    yield "xz-check-none", lzma.compress(EICAR, check=lzma.CHECK_NONE)
    yield "lzma-alone", lzma.compress(EICAR, format=lzma.FORMAT_ALONE)
    tar = tar_of()
    yield "tar-plain", tar
    yield "tar-behind-end", tar_of(HARMLESS, "a.txt") + tar
    yield "tar-no-end", tar[:1024]
    yield "tar-cut", tar[:600]
    yield "tar-size-pax", tar_of(fmt=tarfile.PAX_FORMAT, pax={"size": str(len(EICAR))})
    yield "tar-sparse-pax", tar_of(fmt=tarfile.PAX_FORMAT, pax={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})
    yield "tar-pax", tar_of(name="x" * 150, fmt=tarfile.PAX_FORMAT)
    yield "tar-gnu-long", tar_of(name="x" * 150, fmt=tarfile.GNU_FORMAT)
    yield "tar-no-magic", tar_header(tar, magic=b"")
    yield "tar-zip-in-padding", tar_of(HARMLESS[:60], "a.txt")[:572] + plain.ljust(452, b"\0") + bytes(1024)
    for kind in b"0\0123456789ASVMDNLKxgX":
        yield f"tar-type-{kind:02x}", tar_header(tar, type=bytes([kind]))
    for size in (b"00000000104\0", b"104", b" 104 ", b"\x80" + bytes(10) + b"\x44", b"00000000105 ", b"", b"-104", b"0x44", b"00000000000\0"):
        yield f"tar-size-{size!r}", tar_header(tar, size=size)
    for what, prefix in sfx:
        yield f"behind-{what}-tar", prefix + tar
    yield "tar-no-name", (lambda block: tar_header(block, name=b"") + tar[512:])(tar[:345] + b"directory".ljust(155, b"\0") + tar[500:512])
    for kind, data in [("cpio-newc", packers.cpio_newc(EICAR)), ("cpio-odc", packers.cpio_odc(EICAR)), ("ar", ar_of()), ("ar-bsd", ar_of(b"#1/5", b"e.com" + EICAR)),
                       ("ar-two", ar_of(b"a.txt/", HARMLESS[:21]) + ar_of()[8:]), ("ar-bsd-long", ar_of(b"#1/20", b"e.com".ljust(20, b"\0") + EICAR)), ("disk", partitioned())]:
        yield kind, data
        for what, prefix in sfx:
            yield f"behind-{what}-{kind}", prefix + data
        yield f"amid-{kind}", script + data + b"y" * 70000
        yield f"gz-of-{kind}", gzip.compress(data)
    yield "cpio-behind-its-start", script + b"07" + packers.cpio_newc(EICAR) # one signature within another
    yield from packers.cabinets(EICAR)
    yield from packers.isos(EICAR)
    yield from packers.seven_zips(EICAR, zip_of(bad, good, listed=[good]))
    yield from packers.signatures(EICAR)
    yield "amid-zip-then-gz", script + zip_of(good) + b"text" + gzip.compress(EICAR, mtime=0) + b"y" * 70000
    for n_bytes in (31, 32):
        yield f"amid-gz-{n_bytes}", script + gzip.compress(HARMLESS[:n_bytes], mtime=0) + b"y" * 70000
    for kind, data in [("raw", EICAR), ("tar", tar), ("tgz", gzip.compress(tar)), ("zip", plain), ("hidden-zip", zip_of(bad, good, listed=[good]))]:
        for what, prefix in [("", b""), ("-behind-text", b"some text\n" * 20)]:
            yield f"uuencoded-{kind}{what}", uuencoded(data, prefix=prefix)
            yield f"base64-begun-{kind}{what}", base64_begun(data, prefix=prefix)
    for lc, lp, pb in ((0, 0, 0), (4, 0, 0), (3, 1, 1), (0, 2, 4)):
        for size in (4096, 65536, 3 << 20):
            packed = lzma.compress(EICAR, format=lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": size}])
            yield f"lzma-alone-{lc}{lp}{pb}-{size}", packed
            yield f"lzma-alone-{lc}{lp}{pb}-{size}-sized", packed[:5] + struct.pack("<Q", len(EICAR)) + packed[13:]
    yield "lzma-alone-no-dictionary", packed[:1] + bytes(4) + packed[5:]
    yield "lzma-alone-odd-dictionary", packed[:1] + b"\xff" * 4 + packed[5:]
    yield "szdd-signature", b"SZDD\x88\xf0\x27\x33A\0" + struct.pack("<I", len(EICAR)) + b"".join(b"\xff" + EICAR[i:i + 8] for i in range(0, len(EICAR), 8))
    for version in (64, 100, 127, 128, 255):
        yield f"amid-zip-version-{version}", script + Member(local_version=version).local() + b"y" * 70000
    for name in (b"\1", b"a\nb", b"x" * 5000, b"\x80\x81", b"a\0b"):
        yield f"amid-zip-name-{name[:4]!r}-{len(name)}", script + Member(local_name=name).local() + b"y" * 70000
        yield f"amid-zip-name-{name[:4]!r}-{len(name)}-streamed", script + Member(local_name=name, flags=8).local() + b"y" * 70000
    for flags in (1, 0x10, 0x20, 0x1000, 0x4000, 0x8000):
        yield f"amid-zip-flags-{flags}", script + Member(local_flags=flags).local() + b"y" * 70000
    for method in (1, 6, 10, 14, 20, 21, 50, 93, 98, 100):
        yield f"amid-zip-method-{method}", script + Member(local_method=method).local() + b"y" * 70000
    # With a directory, which is what readers that look for the end record go by; beyond the last 64 KiB, where unzip still finds it.
    yield "amid-whole-zip-version-255", script + zip_of(Member(flags=8, local_version=255), good) + b"y" * 70000
    yield "amid-whole-zip-local-flags", script + zip_of(Member(local_version=0xffff, local_flags=0xffff)) + b"y" * 70000
    signing = EICAR + plain
    pairs = struct.pack("<QI", len(signing) + 4, 0x7109871A) + signing
    block = struct.pack("<Q", len(pairs) + 24) + pairs + struct.pack("<Q", len(pairs) + 24) + b"APK Sig Block 42"
    yield "apk-zip-in-signing-block", (lambda z: z[:z.find(LISTED)] + block + z[z.find(LISTED):-6] + struct.pack("<IH", z.find(LISTED) + len(block), 0))(innocent)
    yield "mail-pdf-in-subject", mail(base64.encodebytes(zip_of(bad, good, listed=[good])).decode()).replace(b"Subject: x", b"Subject: %PDF-1.4")
    yield "mail-uuencoded", mail(uuencoded(EICAR).decode(), encoding="x-uuencode")
    yield "mail-uuencoded-hidden-zip", mail(uuencoded(zip_of(bad, good, listed=[good])).decode(), encoding="uuencode")
    yield "mail-quoted-hidden-zip", mail("".join(f"={byte:02X}" + "=\r\n" * (i % 20 == 19) for i, byte in enumerate(zip_of(bad, good, listed=[good]))) + "\r\n", encoding="quoted-printable")
    yield "mail-plain", mail()
    yield "mail-no-close", mail(close=False)
    yield "mail-mbox", mail(prefix="From a@example.org Mon Jan  1 00:00:00 2024\r\n")
    plain = "From a@example.org Mon Jan  1 00:00:00 2024\r\nSubject: x\r\nContent-Type: text/plain\r\n\r\nhello\r\n\r\n"
    yield "mail-mbox-second", plain.encode() + mail(prefix="From b@example.org Mon Jan  1 00:00:00 2024\r\n")
    yield "mail-mbox-between", plain.encode() + mail(prefix="From b@example.org Mon Jan  1 00:00:00 2024\r\n") + plain.encode()
    yield "mail-odd-first", mail(prefix="X-Odd: 1\r\n")
    yield "mail-lf", mail().replace(b"\r\n", b"\n")
    yield "mail-boundary-comment", mail(outer='multipart/mixed (boundary="c")')
    yield "mail-boundary-twice", mail(outer='multipart/mixed; boundary="c"')
    yield "mail-boundary-continued", mail().replace(b'; boundary="b"', b';\r\n boundary*0="b"')
    yield "mail-boundary-bare", mail().replace(b'boundary="b"', b"boundary=b")
    yield "mail-boundary-space", mail().replace(b'boundary="b"', b'boundary = "b"')
    yield "mail-type-folded", mail().replace(b"multipart/mixed;", b"multipart/\r\n mixed;")
    yield "mail-no-mime-version", mail().replace(b"MIME-Version: 1.0\r\n", b"")
    yield "mail-no-type", mail().replace(b'Content-Type: multipart/mixed; boundary="b"\r\n', b"")
    yield "mail-type-twice", mail(head="Content-Type: text/plain\r\n")
    for encoding in ("BASE64", "base64 ", '"base64"', "base64;", "base64 (x)", "b", "x-base64", "7bit", "binary", ""):
        yield f"mail-encoding-{encoding!r}", mail(encoding=encoding)
    payload = base64.b64encode(EICAR).decode()
    for name, body in {"one-line": payload + "\r\n", "short-lines": "\r\n".join(payload[i:i + 4] for i in range(0, 92, 4)) + "\r\n",
                       "spaces": " ".join(payload) + "\r\n", "junk": payload[:20] + "!!\r\n" + payload[20:] + "\r\n",
                       "blank-line": payload[:20] + "\r\n\r\n" + payload[20:] + "\r\n", "padding-inside": base64.b64encode(EICAR[:10]).decode() + "\r\n" + base64.b64encode(EICAR[10:]).decode() + "\r\n",
                       "no-padding": payload.rstrip("=") + "\r\n", "leading-blank": "\r\n\r\n" + payload + "\r\n"}.items():
        yield f"mail-base64-{name}", mail(body)
    quoted = "".join(f"={byte:02X}" for byte in EICAR)
    yield "mail-quoted-printable", mail("=\r\n".join(quoted[i:i + 60] for i in range(0, len(quoted), 60)) + "\r\n", encoding="quoted-printable")
    yield "mail-7bit", mail(EICAR.decode() + "\r\n", encoding="7bit")
    nested = mail().decode().replace("--b", "--c").replace('"b"', '"c"')
    yield "mail-in-mail", mail(nested, encoding="7bit").replace(b"application/octet-stream", b"message/rfc822")
    yield "mail-nested-multipart", mail("--c\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                                        + payload + "\r\n--c--\r\n", encoding="7bit").replace(b'application/octet-stream; name="e.com"', b'multipart/mixed; boundary="c"')
    yield "mail-one-part", b"MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" + payload.encode() + b"\r\n"


def ar_of(name=b"e.com/", data=EICAR):
    return b"!<arch>\n" + b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name, 0, 0, 0, b"100644", len(data)) + data + b"\n" * (len(data) % 2)


def uuencoded(data, name="e.com", prefix=b""):
    import binascii
    lines = [binascii.b2a_uu(data[i:i + 45]) for i in range(0, len(data), 45)]
    return prefix + b"begin 644 " + name.encode() + b"\n" + b"".join(lines) + b"`\nend\n"


def base64_begun(data, name="e.com", prefix=b""):
    return prefix + b"begin-base64 644 " + name.encode() + b"\n" + base64.encodebytes(data) + b"====\n"


def partitioned(data=EICAR):
    """A disk with one partition."""
    table = bytes(446) + struct.pack("<B3sB3sII", 0x80, b"\0\2\0", 0x83, b"\0\3\0", 1, 8) + bytes(48) + b"\x55\xaa"
    return table + data.ljust(4096, b" ")


def bootable(image, at_sector=200):
    """The image with EICAR as its boot program (El Torito)."""
    image = bytearray(image.ljust((at_sector + 4) * 2048, b"\0"))
    for sector in range(16, 40):
        if image[sector * 2048] == 255 and image[sector * 2048 + 1:sector * 2048 + 6] == b"CD001":
            image[(sector + 1) * 2048:(sector + 2) * 2048] = image[sector * 2048:(sector + 1) * 2048]
            record = b"\0CD001\1" + b"EL TORITO SPECIFICATION".ljust(32, b"\0") + bytes(32) + struct.pack("<I", at_sector + 1)
            image[sector * 2048:(sector + 1) * 2048] = record.ljust(2048, b"\0")
            break
    check = struct.pack("<BBH24sHBB", 1, 0, 0, b"x", 0, 0x55, 0xAA)
    total = -sum(struct.unpack("<16H", check)) & 0xFFFF
    check = struct.pack("<BBH24sHBB", 1, 0, 0, b"x", total, 0x55, 0xAA)
    catalog = check + struct.pack("<BBHBBHI20s", 0x88, 0, 0, 0, 0, 4, at_sector, b"")
    image[(at_sector + 1) * 2048:(at_sector + 1) * 2048 + len(catalog)] = catalog
    image[at_sector * 2048:at_sector * 2048 + 2048] = EICAR.ljust(2048, b" ")
    return bytes(image)


def mutated(data, rng):
    """One to three changes, most of them where headers stand: at the start, at the end, near signatures."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        places = [rng.randrange(min(len(data), 64)), len(data) - 1 - rng.randrange(min(len(data), 64)), rng.randrange(len(data))]
        places += [data.find(magic) + rng.randrange(46) for magic in (LOCAL, LISTED, END, b"CD001", b"Content-") if magic in data]
        at = min(rng.choice(places), len(data) - 1)
        change = rng.randrange(9)
        if change == 0: data[at] ^= 1 << rng.randrange(8)
        elif change == 1: data[at] = rng.choice((0, 255, 1, 0x20, 0x7f, 0x80))
        elif change == 2: data[at] = rng.randrange(256)
        elif change == 3: data[at:at + 2] = rng.randbytes(2)
        elif change == 4: data[at:at + 4] = struct.pack("<I", rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, len(data), rng.randrange(len(data) * 2))))
        elif change == 5: data[at:at] = rng.randbytes(rng.randint(1, 8))
        elif change == 6: del data[at:at + rng.randint(1, 8)]
        elif change == 7: del data[rng.randrange(len(data) // 2, len(data)):]
        else: data += rng.choice((b"\0" * 16, b"junk", rng.randbytes(40), zip_of(Member("a.txt", HARMLESS))))
        if len(data) < 30:
            break
    return bytes(data)


def main():
    directory, samples, n_mutations, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    rng = random.Random(seed)
    seeds = {name: open(os.path.join(samples, name), "rb").read() for name in (sorted(os.listdir(samples)) if os.path.isdir(samples) else [])}
    variants = dict(named())
    good = Member("a.txt", HARMLESS)
    seeds |= {"zip-two": zip_of(good, Member()), "zip-streamed": zip_of(Member(flags=8), good), "mail-plain": mail(),
              "tar-pax": variants["tar-pax"], "tar-gnu": variants["tar-gnu-long"], "tgz": gzip.compress(tar_of()),
              "txz": lzma.compress(tar_of()), "sfx": variants["behind-script-zip-deflated"], "zip64": with_zip64_end(zip_of(Member(), good)), "ar": ar_of()}
    script = b"#!/bin/sh\nexit 0\n"
    seeds |= {f"amid-{name}": script + seeds[name] + b"y" * 70000 for name in sorted(seeds) if len(seeds[name]) < 50_000}
    for name, data in [(name, data) for name, data in seeds.items() if "Iso" in name]:
        variants |= {"iso-bootable": bootable(data), "iso-behind-script": script + data, "iso-amid": script + data + b"y" * 70000}
    # A mutation of stored bytes that spoils EICAR itself proves nothing; compressed kinds are worth more tries.
    for index in range(n_mutations):
        name = rng.choice(sorted(seeds))
        variants[f"mutated-{index}-{name}"] = mutated(seeds[name], rng)
    for index, (name, data) in enumerate(variants.items()):
        safe = "".join(c if c.isalnum() or c in "-." else "_" for c in name)
        with open(os.path.join(directory, f"{index:05}-{safe}"), "wb") as file:
            file.write(data)


if __name__ == "__main__":
    main()
