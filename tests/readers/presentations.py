"""Binary presentations whose objects ([MS-PPT] 2.10.34) are compressed or stored, behind and within other records."""

import itertools, struct, zlib

from base import PAYLOADS, Member, zip_of
from office import STREAMS, compound, package

KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "hidden")}
OBJECT = 0x1011


def record(kind, data, instance=0, version=0):
    return struct.pack("<HHI", instance << 4 | version, kind, len(data)) + data


def user(edit_at):
    return record(0x0FF6, struct.pack("<LLLHHBBH", 0x14, 0xE391C05F, edit_at, 1, 0x3F4, 3, 0, 0) + b"u" + struct.pack("<L", 8))


def presentation(objects, before=b""):
    document, places = record(0x03E8, record(0x03E9, bytes(40), version=1), version=15) + before, []
    for content in objects:
        places.append(len(document))
        document += content
    directory_at = len(document)
    document += record(0x1772, struct.pack("<II", 1 | (1 + len(places)) << 20, 0) + b"".join(struct.pack("<I", at) for at in places))
    edit_at = len(document)
    document += record(0x0FF5, struct.pack("<IHBBIIIIHH", 0, 0, 0, 3, 0, directory_at, 1, 2 + len(places), 1, 0))
    return compound([("Current User", user(edit_at)), ("PowerPoint Document", document)])


def compressed(data, level=6, size=None, behind=b""):
    return record(OBJECT, struct.pack("<I", len(data) if size is None else size) + zlib.compress(data, level) + behind, instance=1)


def variants():
    befores = {"none": b"", "empty": record(0, b""), "empty-2": record(0x0FF0, b""), "text": record(0x0FA8, b"An invoice"), "other-object": compressed(compound([("x", b"hello")]))}
    for (kind, data), (stream, content) in itertools.product(KINDS.items(), (("package", package), ("plain", bytes))):
        inner = compound([(STREAMS["package"] if stream == "package" else "e.com", content(data))])
        objects = {"usual": compressed(inner), "stored": record(OBJECT, inner), "not-smaller": compressed(inner, 0), "other-size": compressed(inner, size=7), "behind": compressed(inner, behind=b"junk"), "version": record(OBJECT, struct.pack("<I", len(inner)) + zlib.compress(inner), 1, 1),
                   "in-container": record(0x1010, compressed(inner), version=15), "stored-in-container": record(0x1010, record(OBJECT, inner), version=15)}
        for (name, object_), (front, before) in itertools.product(objects.items(), befores.items()):
            whole = presentation([object_], before)
            yield f"{name}-{front}-{stream}-{kind}", "ppt", whole
            if name == "stored" and front == "empty":
                yield f"{name}-{front}-{stream}-zipped-{kind}", "zip", zip_of(Member("a.ppt", whole))
