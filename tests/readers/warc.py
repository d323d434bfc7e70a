"""WARC: every version, kind of record and end of line, headers that readers may misunderstand, and HTTP messages with every coding of their bodies."""

import bz2, gzip, itertools, zlib

from base import EICAR, FRONTS, HARMLESS, PAYLOADS, Member, base64_lines, made_with, mail, zip_of

KINDS = (b"warcinfo", b"response", b"resource", b"request", b"metadata", b"revisit", b"conversion", b"continuation", b"x-other")
URI = b"http://example.com/e.com"


def record(block=EICAR, kind=b"resource", version=b"1.0", fields=(), length=None, uri=URI, end=b"\r\n\r\n", line=b"\r\n", name=b"Content-Length"):
    lines = [b"WARC/" + version, b"WARC-Type: " + kind, b"WARC-Record-ID: <urn:uuid:8721bf73-0529-4bcc-be47-2903dacae452>", b"WARC-Date: 2020-01-01T00:00:00Z"]
    lines += [b"WARC-Target-URI: " + uri] if uri else []
    lines += [*fields, name + b": " + (b"%d" % len(block) if length is None else length), b"", b""]
    return line.join(lines) + block + end


def message(body=EICAR, fields=(), first=b"HTTP/1.1 200 OK", line=b"\r\n"):
    return line.join([first, b"Content-Type: application/octet-stream", *fields, b"", b""]) + body


def response(body=EICAR, fields=(), **more):
    return record(message(body, fields, **more), b"response", fields=(b"Content-Type: application/http; msgtype=response",))


def chunked(data, n_bytes=20, size=b"%x", extension=b"", line=b"\r\n", end=b"0\r\n\r\n"):
    return b"".join(size % len(data[at:at + n_bytes]) + extension + line + data[at:at + n_bytes] + line for at in range(0, len(data), n_bytes)) + end


def bare(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


INFO = record(b"software: test\r\nformat: WARC File Format 1.0\r\n", b"warcinfo", uri=b"")
GOOD = record(HARMLESS, uri=b"http://example.com/a.txt")


def records():
    for version in (b"0.9", b"0.10", b"0.12", b"0.17", b"0.18", b"1.0", b"1.1", b"1.2", b"2.0", b"1", b"1.0.1", b"x", b"1.0 "):
        yield f"version-{version.decode()}", "warc", record(version=version)
        yield f"version-{version.decode()}-second", "warc", GOOD + record(version=version)
    for kind, (name, front) in itertools.product(KINDS, {"": b"", "-info": INFO, "-large": record(bytes(300_000))}.items()):
        yield f"kind-{kind.decode()}{name}", "warc", front + record(kind=kind)
    for kind, data in PAYLOADS.items():
        yield f"holds-{kind}", "warc", INFO + record(data)
        yield f"first-{kind}", "warc", record(data) + GOOD
        yield f"behind-{kind}", "warc", GOOD + data
        yield f"packed-{kind}", "warc.gz", gzip.compress(INFO, mtime=0) + gzip.compress(record(data), mtime=0)
    yield "packed-bz2", "warc.bz2", bz2.compress(INFO + record())
    yield "packed-one", "warc.gz", gzip.compress(INFO + record(), mtime=0)
    for name, front in FRONTS.items():
        yield f"front-{name}", "warc", front + INFO + record()
    yield "in-zip", "zip", zip_of(Member("e.warc", INFO + record()))
    yield "in-mail", "eml", mail(base64_lines(INFO + record()))
    yield "in-warc", "warc", record(GOOD + record())
    yield "many", "warc", GOOD * 2000 + record()
    yield "bsdtar", "warc", made_with("bsdtar --format=warc -cf e.warc a e.com", {"a": bytes(200_000), "e.com": EICAR}, "e.warc")


def structure():
    for line_name, line in {"lf": b"\n", "lfcr": b"\n\r"}.items():
        yield f"line-{line_name}", "warc", record(line=line)
        yield f"line-{line_name}-second", "warc", GOOD + record(line=line)
    for end_name, end in {"none": b"", "one": b"\r\n", "lf": b"\n\n", "three": b"\r\n" * 3, "many": b"\r\n" * 100, "zeros": bytes(4), "text": b"text", "spaces": b"    "}.items():
        yield f"end-{end_name}", "warc", record(end=end)
        yield f"end-{end_name}-second", "warc", record(HARMLESS, end=end) + record()
    n_bytes = len(EICAR)
    for name, length in {"plus": b"+%d", "zeros": b"000%d", "hex": b"0x%x", "spaces": b"  %d  ", "tab": b"\t%d", "text": b"%d bytes", "folded": b"\r\n %d", "comma": b"%d,0", "minus": b"-%d", "empty": b""}.items():
        written = length % n_bytes if b"%" in length else length
        yield f"length-{name}", "warc", record(length=written)
        yield f"length-{name}-second", "warc", GOOD + record(length=written)
        yield f"length-{name}-newer", "warc", record(length=written, version=b"1.1")
    for difference in (-68, -1, 1, 4, 100, 1 << 20, 1 << 33, 1 << 62):
        yield f"length-by-{difference}", "warc", record(length=b"%d" % (n_bytes + difference))
        yield f"length-by-{difference}-more", "warc", record(HARMLESS, length=b"%d" % max(0, len(HARMLESS) + difference)) + record()
    for name in (b"content-length", b"CONTENT-LENGTH", b"Content-Length ", b" Content-Length", b"X-Content-Length"):
        yield f"field-{name.decode()}", "warc", record(name=name)
        yield f"field-{name.decode()}-newer", "warc", record(name=name, version=b"1.1")
    for first, second in itertools.permutations((0, n_bytes, 5), 2):
        for version in (b"1.0", b"1.1"):
            yield f"twice-{first}-{second}-{version.decode()}", "warc", record(fields=(b"Content-Length: %d" % first,), length=b"%d" % second, version=version)
    # Where one reader's record is another one's block.
    yield "record-in-block", "warc", record(b"\r\n\r\n" + record(), length=b"4", end=b"")
    yield "record-in-header", "warc", record(HARMLESS, fields=(b"X: y\n\nWARC/1.0", b"Content-Length: 9999"))
    yield "empty-line-lf", "warc", record(HARMLESS, fields=(b"X: y\n",)) + record()
    yield "block-in-header", "warc", record(b"", fields=(b"X: " + EICAR,), length=b"0")
    yield "text-in-front", "warc", b"\r\n" + record()
    for n_bytes, version in itertools.product((17_000, 70_000, 1_100_000), (b"1.0", b"1.1")):
        yield f"long-header-{n_bytes}-{version.decode()}", "warc", record(fields=(b"X: " + b"x" * n_bytes,), version=version)
        yield f"long-header-{n_bytes}-{version.decode()}-second", "warc", GOOD + record(fields=(b"X: " + b"x" * n_bytes,), version=version)
        yield f"long-message-{n_bytes}-{version.decode()}", "warc", record(message(fields=(b"X: " + b"x" * n_bytes,)), b"response", version=version)
    for n_cut in (1, 4, 5, 20, 72, 100):
        yield f"cut-{n_cut}", "warc", (GOOD + record())[:-n_cut]
        yield f"cut-large-{n_cut}", "warc", record() + record(bytes(200_000))[:-n_cut]


def messages():
    codings = {
        "spaced-deflate": ((b"Content-Encoding : deflate",), zlib.compress(EICAR)), "tabbed-deflate": ((b"Content-Encoding\t: deflate",), zlib.compress(EICAR)), "deflate-alt": ((b"Content-Encoding: deflate_alt",), bare(EICAR)),
        "plain": ((), EICAR), "gzip": ((b"Content-Encoding: gzip",), gzip.compress(EICAR, mtime=0)), "x-gzip": ((b"Content-Encoding: x-gzip",), gzip.compress(EICAR, mtime=0)),
        "deflate": ((b"Content-Encoding: deflate",), zlib.compress(EICAR)), "bare-deflate": ((b"Content-Encoding: deflate",), bare(EICAR)), "upper": ((b"CONTENT-ENCODING: DEFLATE",), zlib.compress(EICAR)),
        "twice": ((b"Content-Encoding: gzip, gzip",), gzip.compress(gzip.compress(EICAR, mtime=0), mtime=0)), "unsaid-gzip": ((), gzip.compress(EICAR, mtime=0)), "said-gzip": ((b"Content-Encoding: gzip",), EICAR),
        "gzip-cut": ((b"Content-Encoding: gzip",), gzip.compress(EICAR, mtime=0)[:-6]), "deflate-cut": ((b"Content-Encoding: deflate",), zlib.compress(EICAR)[:-3]),
    }
    chunks = {
        "": None, "-chunked": {}, "-upper": {"size": b"%X"}, "-0x": {"size": b"0x%x"}, "-plus": {"size": b"+%x"}, "-underscore": {"size": b"0_%x"}, "-zeros": {"size": b"%08x"}, "-extension": {"extension": b";a=b"}, "-space": {"extension": b"  "}, "-lf": {"line": b"\n"}, "-tiny": {"n_bytes": 1},
        "-one": {"n_bytes": 1 << 20}, "-no-end": {"end": b""}, "-trailer": {"end": b"0\r\nX: y\r\n\r\n"}, "-junk": {"end": b"zz\r\n"},
    }
    for (coding, (fields, body)), (name, how) in itertools.product(codings.items(), chunks.items()):
        more = () if how is None else (b"Transfer-Encoding: chunked",)
        yield f"body-{coding}{name}", "warc", INFO + response(body if how is None else chunked(body, **how), (*fields, *more))
    yield "body-field-space", "warc", response(chunked(EICAR), (b"Transfer-Encoding : chunked",))
    # Packed by brotli 1.0.9.
    yield "body-brotli", "warc", response(bytes.fromhex("1f4300e065d8b6b589d6475ca37a3d5396554c8adc70981e0c2408875b3fc37518cd874fb83816eec769198793cf01e787dd52b6caf84b3a2fbe380cc0852a24"), (b"Content-Encoding: br",))
    yield "body-said-chunked", "warc", response(EICAR, (b"Transfer-Encoding: chunked",))
    yield "body-unsaid-chunked", "warc", response(chunked(EICAR))
    for name, first in {"http-2": b"HTTP/2 200", "icy": b"ICY 200 OK", "none": b"Server: x", "lower": b"http/1.1 200 OK", "request": b"POST / HTTP/1.1", "status": b"HTTP/1.1 404 Not Found"}.items():
        yield f"message-{name}", "warc", response(first=first)
        yield f"message-{name}-resource", "warc", record(message(first=first))
    for name, line in {"lf": b"\n", "cr": b"\r"}.items():
        yield f"message-line-{name}", "warc", response(line=line)
    yield "message-lf-in-crlf", "warc", response(b"\r\n" + EICAR, (b"X: y\n",))
    for encoding, body in {"base64": base64_lines(EICAR).encode(), "quoted-printable": EICAR.replace(b"@", b"=40")}.items():
        yield f"message-mail-{encoding}", "warc", response(body, (b"Content-Transfer-Encoding: " + encoding.encode(),))
        yield f"record-mail-{encoding}", "warc", record(body, fields=(b"Content-Transfer-Encoding: " + encoding.encode(),))
    yield "message-multipart", "warc", response(b"--b\r\nContent-Type: application/x\r\n\r\n" + EICAR + b"\r\n--b--\r\n", (b"Content-Type: multipart/mixed; boundary=b",))
    yield "message-no-header", "warc", record(EICAR, b"response", fields=(b"Content-Type: application/http; msgtype=response",))
    yield "message-form", "warc", record(message(EICAR, first=b"PUT /e HTTP/1.1"), b"request", fields=(b"Content-Type: application/http; msgtype=request",))


def variants():
    for part in (records, structure, messages):
        yield from part()
