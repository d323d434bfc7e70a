"""TNEF as Outlook sends it ([MS-OXTNEF]): attachments in attributes and in MAPI properties, messages in messages, compressed RTF ([MS-OXRTFCP]), and what readers do not mind."""

import itertools, struct, zlib

from base import EICAR, HARMLESS, PAYLOADS, Member, base64_lines, mail, tar_of, zip_of
from office import compound

SIGNATURE, IMESSAGE = 0x223E9F78, bytes.fromhex("0703020000000000c000000000000046")
MESSAGE, ATTACHMENT = 1, 2
BODY, SUBJECT, CLASS, DATA, TITLE, META_FILE, RENDERING, PROPERTIES, ATTACHED, VERSION, CODE_PAGE = (
    0x0002800C, 0x00018004, 0x00078008, 0x0006800F, 0x00018010, 0x00068011, 0x00069002, 0x00069003, 0x00069005, 0x00089006, 0x00069007)
RENDERED = struct.pack("<HIHHI", 1, 0xFFFFFFFF, 0, 0, 0)
WINDOW = rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n" + rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"


def attribute(level, tag, content, checksum=None, size=None):
    checksum = sum(content) & 0xFFFF if checksum is None else checksum
    return struct.pack("<BII", level, tag, len(content) if size is None else size) + content + struct.pack("<H", checksum)


TOP = attribute(MESSAGE, VERSION, struct.pack("<I", 0x10000)) + attribute(MESSAGE, CODE_PAGE, struct.pack("<II", 1252, 0)) + attribute(MESSAGE, CLASS, b"IPM.Microsoft Mail.Note\0") + attribute(MESSAGE, SUBJECT, b"subject\0")


def stream(*attributes, top=TOP, signature=SIGNATURE, key=1):
    return struct.pack("<IH", signature, key) + top + b"".join(attributes)


def attached(data, title=b"e.com\0", **options):
    return attribute(ATTACHMENT, RENDERING, RENDERED) + attribute(ATTACHMENT, TITLE, title) + attribute(ATTACHMENT, DATA, data, **options)


def padded(data, fill=b"\0"):
    return data + fill * (-len(data) % 4)


def value(kind, name, *values, n=None, fill=b"\0"):
    """A property with values of variable length."""
    return struct.pack("<HHI", kind, name, len(values) if n is None else n) + b"".join(struct.pack("<I", len(data)) + padded(data, fill) for data in values)


def properties(*items, n=None):
    return struct.pack("<I", len(items) if n is None else n) + b"".join(items)


def in_object(data, kind=0x0D, before=(), name=0x3701, guid=IMESSAGE, behind=()):
    """An attachment whose data is a property; some readers want an attribute with data besides."""
    body = properties(*before, value(kind, name, guid + data), *behind)
    return attribute(ATTACHMENT, RENDERING, RENDERED) + attribute(ATTACHMENT, TITLE, b"e.com\0") + attribute(ATTACHMENT, DATA, b"x") + attribute(ATTACHMENT, ATTACHED, body)


def crc(data):
    return zlib.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF


def compressed(text, kind=b"LZFu", size=None, packed_size=None, checksum=None, mark=True, body=None, more=b""):
    """Compressed RTF with references wherever three bytes were in the window before."""
    if body is None:
        body = text if kind == b"MELA" else lzfu(text, mark)
    body += more
    checksum = (0 if kind == b"MELA" else crc(body)) if checksum is None else checksum
    return struct.pack("<II4sI", len(body) + 12 if packed_size is None else packed_size, len(text) if size is None else size, kind, checksum) + body


def lzfu(text, mark=True):
    window, items, at = WINDOW, [], 0
    while at < len(text):
        length = 17
        while length > 2 and (text[at:at + length] not in window or len(text) - at < length):
            length -= 1
        if length > 2:
            place = window.rindex(text[at:at + length])
            items.append((1, struct.pack(">H", (place & 0xFFF) << 4 | length - 2)))
        else:
            length = 1
            items.append((0, text[at:at + 1]))
        window += text[at:at + length]
        at += length
        if len(window) >= 4096:
            raise ValueError("text for one window only")
    if mark:
        items.append((1, struct.pack(">H", len(window) << 4)))
    return b"".join(bytes([sum(bit << index for index, (bit, _) in enumerate(group))]) + b"".join(data for _, data in group) for group in (items[start:start + 8] for start in range(0, len(items), 8)))


def rtf(data):
    """RTF with a package in it."""
    package = struct.pack("<H", 2) + b"e.com\0C:\\e.com\0\0\0\3\0" + struct.pack("<I", 9) + b"C:\\e.com\0" + struct.pack("<I", len(data)) + data
    ole = struct.pack("<III", 0x501, 2, 8) + b"Package\0" + bytes(8) + struct.pack("<I", len(package)) + package
    return rb"{\rtf1\ansi{\object\objemb{\*\objdata " + ole.hex().encode() + b"}}}"


def attributes():
    """How attachments stand in attributes."""
    for kind, data in PAYLOADS.items():
        good = attached(data)
        yield f"plain-{kind}", stream(good)
        yield f"no-top-{kind}", stream(good, top=b"")
        yield f"no-title-{kind}", stream(attribute(ATTACHMENT, RENDERING, RENDERED) + attribute(ATTACHMENT, DATA, data))
        yield f"no-rendering-{kind}", stream(attribute(ATTACHMENT, TITLE, b"e.com\0") + attribute(ATTACHMENT, DATA, data))
        yield f"title-last-{kind}", stream(attribute(ATTACHMENT, RENDERING, RENDERED) + attribute(ATTACHMENT, DATA, data) + attribute(ATTACHMENT, TITLE, b"e.com\0"))
        yield f"body-{kind}", stream(attribute(MESSAGE, BODY, data))
        yield f"meta-file-{kind}", stream(attribute(ATTACHMENT, RENDERING, RENDERED) + attribute(ATTACHMENT, META_FILE, data))
        for checksum in (0, 0xFFFF):
            yield f"checksum-{checksum:x}-{kind}", stream(attached(data, checksum=checksum))
        yield f"checksum-first-{kind}", stream(attribute(MESSAGE, SUBJECT, b"x\0", checksum=7), good)
        yield f"checksum-behind-{kind}", stream(good, attached(HARMLESS, checksum=7))
        for place, parts in {"second": (attached(HARMLESS), good), "first": (good, attached(HARMLESS)), "middle": (attached(HARMLESS), good, attached(HARMLESS * 3)), "tenth": (attached(HARMLESS),) * 9 + (good,), "twice": (attached(HARMLESS + b"1"), good, good)}.items():
            yield f"several-{place}-{kind}", stream(*parts)
        for cut in (1, 2, 3):
            yield f"cut-{cut}-{kind}", stream(good)[:-cut]
        for size in (len(data) + 1, len(data) + 2, len(data) + 500, 0x7FFFFFFF, 0xFFFFFFFF):
            yield f"size-{size - len(data) if size < 0x10000 else size:x}-{kind}", stream(attached(data, size=size))
        for level in (0, 1, 3, 255):
            yield f"level-{level}-{kind}", stream(attribute(level, RENDERING, RENDERED), attribute(level, TITLE, b"e.com\0"), attribute(level, DATA, data))
        for tag in (0x0000800F, 0x0002800F, 0x000F800F, 0xFFFF800F):
            yield f"tag-{tag >> 16:x}-{kind}", stream(attribute(ATTACHMENT, RENDERING, RENDERED), attribute(ATTACHMENT, TITLE, b"e.com\0"), attribute(ATTACHMENT, tag, data))
        for tag in (0x00060001, 0x00068099, 0x00019001, 0x00049009, 0xFFFFFFFF):
            yield f"unknown-{tag:x}-{kind}", stream(attribute(MESSAGE, tag, b"what is it"), attribute(ATTACHMENT, tag, b""), good)
        for key in (0, 0xFFFF):
            yield f"key-{key:x}-{kind}", stream(good, key=key)
        for name, behind in {"line": b"\r\n", "zeros": bytes(40), "junk": b"junk" * 9, "second": stream(attached(HARMLESS))}.items():
            yield f"behind-{name}-{kind}", stream(good) + behind
        yield f"in-tar-{kind}", tar_of(stream(good), "winmail.dat")
        yield f"in-zip-{kind}", zip_of(Member("winmail.dat", stream(good)))
        yield f"in-attachment-{kind}", stream(attached(stream(good)))
        for media in ("application/ms-tnef", "application/octet-stream"):
            for name, whole in {"good": stream(good), "signature": stream(good, signature=7)}.items():
                mailed = mail(base64_lines(whole)).replace(b'application/octet-stream; name="e.com"', f'{media}; name="winmail.dat"'.encode()).replace(b'filename="e.com"', b'filename="winmail.dat"')
                yield f"mailed-{media.split('/')[1]}-{name}-{kind}", mailed


def numbers():
    """Properties of numbers in front, which readers take for different lengths."""
    widths = {"short": (0x02, 4), "long": (0x03, 4), "float": (0x04, 4), "double": (0x05, 8), "currency": (0x06, 8), "date": (0x07, 8), "error": (0x0A, 4), "bool": (0x0B, 4), "int8": (0x14, 8), "time": (0x40, 8), "guid": (0x48, 16), "null": (0x01, 0), "unspecified": (0x00, 0), "unknown": (0x77, 4)}
    for (name, (kind, width)), spare in itertools.product(widths.items(), (0, 2, 4, -2, -4)):
        if width + spare >= 0:
            yield f"{name}-{spare:+}", (struct.pack("<HH", kind, 0x6001) + bytes(width + spare),)
    for (name, (kind, width)), n in itertools.product(widths.items(), (0, 1, 2, 3)):
        yield f"several-{n}-{name}", (struct.pack("<HHI", kind | 0x1000, 0x6001, n) + bytes(n * width),)
        if kind in (0x02, 0x0B):
            yield f"several-{n}-{name}-tight", (struct.pack("<HHI", kind | 0x1000, 0x6001, n) + padded(bytes(n * 2)),)
    for kind, label in ((0x1E, "string"), (0x1F, "wide"), (0x102, "binary"), (0x0D, "object")):
        for size in range(5):
            yield f"{label}-{size}", (value(kind, 0x6001, b"\0\0\0\0"[:size]),)
        yield f"several-{label}", (value(kind | 0x1000, 0x6001, b"ab\0\0", b"", b"c\0"),)
        yield f"more-than-one-{label}", (value(kind, 0x6001, b"ab\0\0", b"c\0"),)
        yield f"none-{label}", (value(kind, 0x6001),)
    named = struct.pack("<HH", 3, 0x8001) + bytes(range(16))
    wide = "name\0".encode("utf-16-le")
    yield "named-number", (named + struct.pack("<II", 0, 0x8100) + bytes(4),)
    yield "named-string", (named + struct.pack("<II", 1, len(wide)) + padded(wide) + bytes(4),)
    yield "named-two", (named + struct.pack("<II", 2, len(wide)) + padded(wide) + struct.pack("<I", len(wide)) + padded(wide) + bytes(4),)
    yield "thousand", (struct.pack("<HHI", 3, 0x6001, 7),) * 1000


def objects():
    """Data in properties, and what stands around it."""
    for kind, data in PAYLOADS.items():
        nested = stream(attached(data))
        for name, guid in {"": IMESSAGE, "other": bytes(16), "none": b""}.items():
            for form in (0x0D, 0x102):
                yield f"object-{name}-{form:x}-{kind}", stream(in_object(data, form, guid=guid))
                yield f"nested-{name}-{form:x}-{kind}", stream(in_object(nested, form, guid=guid))
        yield f"nested-twice-{kind}", stream(in_object(stream(in_object(nested))))
        yield f"nested-body-{kind}", stream(in_object(stream(attribute(MESSAGE, BODY, data))))
        yield f"object-two-{kind}", stream(attribute(ATTACHMENT, RENDERING, RENDERED), attribute(ATTACHMENT, DATA, b"x"), attribute(ATTACHMENT, ATTACHED, properties(value(0x0D, 0x3701, HARMLESS, data))))
        yield f"object-again-{kind}", stream(in_object(HARMLESS, behind=(value(0x0D, 0x3701, IMESSAGE + data),)))
        yield f"object-several-{kind}", stream(attribute(ATTACHMENT, RENDERING, RENDERED), attribute(ATTACHMENT, DATA, b"x"), attribute(ATTACHMENT, ATTACHED, properties(value(0x1102, 0x3701, HARMLESS, data))))
        for name, n in {"0": 0, "more": 900, "many": 70000}.items():
            yield f"count-{name}-{kind}", stream(attribute(ATTACHMENT, RENDERING, RENDERED), attribute(ATTACHMENT, DATA, b"x"), attribute(ATTACHMENT, ATTACHED, properties(value(0x0D, 0x3701, data), n=n)))
        for cut in (1, 2, 5):
            yield f"object-cut-{cut}-{kind}", stream(in_object(nested + b"xx"))[:-cut]
            yield f"list-cut-{cut}-{kind}", stream(attribute(ATTACHMENT, RENDERING, RENDERED), attribute(ATTACHMENT, DATA, b"x"), attribute(ATTACHMENT, ATTACHED, properties(value(0x0D, 0x3701, data + b"xx"))[:-cut]))
        yield f"fill-{kind}", stream(attribute(ATTACHMENT, RENDERING, RENDERED), attribute(ATTACHMENT, DATA, b"x"), attribute(ATTACHMENT, ATTACHED, properties(value(0x0D, 0x3701, data + b"x", fill=b"\xff"))))
        for name in (0x1000, 0x1013, 0x3FD9, 0x1009, 0x3709):
            for form in (0x1E, 0x102):
                yield f"message-{name:x}-{form:x}-{kind}", stream(attribute(MESSAGE, PROPERTIES, properties(value(form, name, data))))
        yield f"message-wide-{kind}", stream(attribute(MESSAGE, PROPERTIES, properties(value(0x1F, 0x1000, (data.decode("latin-1") + "\0").encode("utf-16-le")))))
    for name, before in numbers():
        yield f"number-{name}", stream(in_object(EICAR, before=before))
        yield f"number-html-{name}", stream(attribute(MESSAGE, PROPERTIES, properties(*before, value(0x102, 0x1013, EICAR))))


def rich_texts():
    """Compressed RTF, in TNEF and in a message file."""
    texts = {"plain": EICAR, "object": rtf(EICAR), "repeated": rtf(EICAR) + b" " * 500}
    for name, text in texts.items():
        forms = {"lzfu": compressed(text), "stored": compressed(text, b"MELA"), "no-mark": compressed(text, mark=False), "checksum": compressed(text, checksum=7), "stored-checksum": compressed(text, b"MELA", checksum=7), "behind": compressed(text, more=b"junk" * 9),
                 "size-less": compressed(text, size=len(text) - 1), "size-more": compressed(text, size=len(text) + 40), "size-0": compressed(text, size=0), "size-huge": compressed(text, size=0x7FFFFFFF), "packed-less": compressed(text, more=b"x" * 30, packed_size=len(lzfu(text)) + 12),
                 "packed-more": compressed(text, packed_size=len(text) + 900), "packed-0": compressed(text, packed_size=0), "cut": compressed(text, mark=False)[:-1] if name == "repeated" else compressed(text + b"x", mark=False)[:-1], "stored-more": compressed(text + b"more", b"MELA", size=len(text)),
                 "literals": compressed(text, body=b"".join(b"\0" + text[at:at + 8] for at in range(0, len(text), 8))),
                 # A reference to what nothing was written to: zeros, spaces, nothing, or a mark that one reader goes past.
                 "unset": compressed(text, body=b"\1" + struct.pack(">H", 0xF000) + b"".join(text[at:at + 7] if at == 0 else b"\0" + text[at:at + 8] for at in [0, *range(7, len(text), 8)])),
                 "past-mark": compressed(text, body=b"\1" + struct.pack(">H", len(WINDOW) << 4) + b"".join(text[at:at + 7] if at == 0 else b"\0" + text[at:at + 8] for at in [0, *range(7, len(text), 8)]))}
        for form, data in forms.items():
            yield f"rtf-{form}-{name}", stream(attribute(MESSAGE, PROPERTIES, properties(value(0x102, 0x1009, data))))
            yield f"msg-{form}-{name}", compound([("__properties_version1.0", bytes(32)), ("__substg1.0_10090102", data)])


def variants():
    for part in (attributes, objects, rich_texts):
        for name, data in part():
            yield name, "msg" if name.startswith("msg") else "eml" if name.startswith("mailed") else "dat", data
