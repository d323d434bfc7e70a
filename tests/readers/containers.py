"""Containers that only their own programs open: e-books of Kindle, archives of SQLite, web archives of Safari, DjVu, git bundles, Electron's archives, Hangul documents.

MobileRead wiki "MOBI"; sqlite.org "SQLite Archive Files"; CFBinaryPList.c; DjVu3; gitformat-pack; asar; "Hangul Document File Format 5.0".
"""

import hashlib, plistlib, sqlite3, struct, tempfile, zlib

from base import EICAR, HARMLESS, HIDDEN_ZIP
from office import compound

FILES = {"eicar": EICAR, "hidden": HIDDEN_ZIP}


def mobipocket(*records):
    text = b"<html><body>hi</body></html>"
    header = bytearray(232)
    header[:4] = b"MOBI"
    for at, numbers in ((4, (232, 2, 65001, 77)), (20, (6,)), (24, (0xFFFFFFFF,) * 10), (64, (2,)), (68, (248, 1)), (88, (6, 2)), (228, (0xFFFFFFFF,))):
        struct.pack_into(f">{len(numbers)}I", header, at, *numbers)
    first = struct.pack(">HHIHHHH", 1, 0, len(text), 1, 4096, 0, 0) + bytes(header) + b"x" + bytes(200)
    records = [first, text, *records, b"\xe9\x8e\r\n"]
    places = [80 + 8 * len(records)]
    for record in records:
        places.append(places[-1] + len(record))
    table = b"".join(struct.pack(">II", place, index) for index, place in enumerate(places[:-1]))
    return b"book".ljust(32, b"\0") + bytes(28) + b"BOOKMOBI" + struct.pack(">IIH", 0, 0, len(records)) + table + b"\0\0" + b"".join(records)


def books(data):
    key, packed = b"0123456789abcdef", zlib.compress(data)
    hidden = bytes(byte ^ key[index % 16] if index < 1040 else byte for index, byte in enumerate(packed))
    yield "mobi-font", "mobi", mobipocket(b"FONT" + struct.pack(">5I", len(data), 1, 24, 0, 24) + packed)
    yield "mobi-font-hidden", "mobi", mobipocket(b"FONT" + struct.pack(">5I", len(data), 3, 40, 16, 24) + key + hidden)
    yield "mobi-sources", "mobi", mobipocket(b"SRCS" + bytes(12) + data)


def archives(data):
    with tempfile.NamedTemporaryFile(suffix=".sqlar") as file:
        connection = sqlite3.connect(file.name)
        connection.execute("CREATE TABLE sqlar(name TEXT PRIMARY KEY, mode INT, mtime INT, sz INT, data BLOB)")
        for name, stored in (("a.txt", HARMLESS), ("e.com", data), ("z.com", zlib.compress(data + b" " * 60)), ("large.com", data + b" " * 9000)):
            size = len(data) + 60 if name == "z.com" else len(stored)
            connection.execute("INSERT INTO sqlar VALUES(?, 33188, 0, ?, ?)", (name, size, stored))
        connection.commit()
        connection.close()
        yield "sqlar", "sqlar", file.read()
    page = {"WebResourceData": b"<html>hi</html>", "WebResourceMIMEType": "text/html", "WebResourceURL": "https://example.org/"}
    part = {"WebResourceData": data, "WebResourceMIMEType": "application/octet-stream", "WebResourceURL": "https://example.org/e.com"}
    yield "webarchive", "webarchive", plistlib.dumps({"WebMainResource": page, "WebSubresources": [part]}, fmt=plistlib.FMT_BINARY)
    json = b'{"files":{"e.com":{"size":%d,"offset":"0"}}}' % len(data)
    padded = json + bytes(-len(json) % 4)
    yield "asar", "asar", struct.pack("<4I", 4, len(padded) + 8, len(padded) + 4, len(json)) + padded + data


def chunk(kind, data):
    return kind + struct.pack(">I", len(data)) + data + bytes(len(data) % 2)


def git_object(kind, data):
    size, rest = len(data) & 15, len(data) >> 4
    head = [kind << 4 | size]
    while rest:
        head[-1] |= 0x80
        head.append(rest & 127)
        rest >>= 7
    return bytes(head) + zlib.compress(data)


def bundle(data):
    name = lambda kind, content: hashlib.sha1(b"%s %d\0" % (kind, len(content)) + content)  # noqa: E731
    tree = b"100644 e.com\0" + name(b"blob", data).digest()
    commit = b"tree %s\nauthor a <a@example.org> 0 +0000\ncommitter a <a@example.org> 0 +0000\n\nx\n" % name(b"tree", tree).hexdigest().encode()
    objects = [git_object(1, commit), git_object(2, tree), git_object(3, data)]
    pack = b"PACK" + struct.pack(">II", 2, len(objects)) + b"".join(objects)
    head = name(b"commit", commit).hexdigest().encode()
    return b"# v2 git bundle\n" + head + b" HEAD\n" + head + b" refs/heads/main\n\n" + pack + hashlib.sha1(pack).digest()


def hangul(data):
    def raw(content):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return packer.compress(content) + packer.flush()
    record = lambda tag, content: struct.pack("<I", tag | len(content) << 20) + content  # noqa: E731
    header = b"HWP Document File".ljust(32, b"\0") + struct.pack("<II", 0x05000300, 1) + bytes(216)
    streams = [("FileHeader", header), ("DocInfo", raw(record(16, bytes(26)) + record(17, bytes(72)))), ("BodyText/Section0", raw(b""))]
    for name in ("BIN0001.bin", "BIN0001.ole", "BIN0001.jpg"):
        yield f"hwp-{name[-3:]}", "hwp", compound([*streams, (f"BinData/{name}", raw(data))])
    yield "hwp-header-last", "hwp", compound([("BinData/BIN0001.bin", raw(data)), *streams[::-1]])


def variants():
    for kind, data in FILES.items():
        for name, extension, made in [*books(data), *archives(data), *hangul(data)]:
            yield f"{name}-{kind}", extension, made
        yield f"git-{kind}", "bundle", bundle(data)
        page = chunk(b"FORM", b"DJVU" + chunk(b"INFO", bytes.fromhex("0001000118002c011601")) + chunk(b"BGjp", data))
        yield f"djvu-{kind}", "djvu", b"AT&T" + page
        yield f"djvu-pages-{kind}", "djvu", b"AT&T" + chunk(b"FORM", b"DJVM" + page)
