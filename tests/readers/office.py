"""Office files: compound files with packages and messages ([MS-CFB], [MS-OLEDS] 2.3.6, [MS-OXMSG]), TNEF ([MS-OXTNEF]), OOXML and ODF with objects."""

import itertools, struct

from base import EICAR, FRONTS, HARMLESS, PAYLOADS, Member, base64_lines, mail, tar_of, zip_of

END, FREE, FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD


def compound(streams, cutoff=4096, minor=0x3E, order=None, identifier=bytes(16)):
    """A compound file of version 3 with these streams, in storages where a name has slashes; those below CUTOFF bytes share the mini stream."""
    storages = {"/".join(name.split("/")[:depth]) for name, _ in streams for depth in range(1, len(name.split("/")))}
    mini, mini_table, chains = b"", [], {}
    for name, data in streams:
        if not data:
            chains[name] = END
        elif len(data) < cutoff:
            start, n = len(mini_table), -(-len(data) // 64)
            mini_table += [*range(start + 1, start + n), END]
            mini += data.ljust(64 * n, b"\0")
            chains[name] = start
    sectors, table = [], []

    def put(data):
        if not data:
            return END
        start, n = len(sectors), -(-len(data) // 512)
        sectors.extend(data[at * 512:at * 512 + 512].ljust(512, b"\0") for at in range(n))
        table.extend([*range(start + 1, start + n), END])
        return start

    put(bytes(512))
    table[0] = FAT
    directory_at = put(bytes(128 * (1 + len(streams) + len(storages))))
    mini_table_at = put(b"".join(struct.pack("<I", sector) for sector in mini_table + [FREE] * (-len(mini_table) % 128)))
    mini_at = put(mini)
    for name, data in streams:
        if data and len(data) >= cutoff:
            chains[name] = put(data)

    def entry(name, kind, right, child, start, size):
        text = (name + "\0").encode("utf-16-le") if name else b""
        return text.ljust(64, b"\0") + struct.pack("<HBBIII", len(text), kind, 1, FREE, right, child) + bytes(36) + struct.pack("<IQ", start, size)

    # Siblings are one chain to the right, in the order of a directory: by length, then by upper case.
    listed = sorted([*streams, *((name, None) for name in storages)], key=lambda stream: (len(stream[0].split("/")[-1]), stream[0].split("/")[-1].upper()))
    numbers = {name: number for number, (name, _) in enumerate(listed, 1)}

    def children(parent):
        return [number for name, number in numbers.items() if "/".join(name.split("/")[:-1]) == parent]

    entries = entry("Root Entry", 5, FREE, next(iter(children("")), FREE), mini_at, len(mini))
    for name, data in listed:
        siblings, own = children("/".join(name.split("/")[:-1])), name.split("/")[-1]
        right = next((number for number in siblings if number > numbers[name]), FREE)
        if data is None:
            entries += entry(own, 1, right, next(iter(children(name)), FREE), 0, 0)
        else:
            entries += entry(own, 2, right, FREE, chains[name], len(data))
    entries = entries.ljust(-(-len(entries) // 512) * 512, b"\0")
    for index in range(len(entries) // 512):
        sectors[directory_at + index] = entries[index * 512:index * 512 + 512]
    sectors[0] = struct.pack("<128I", *(table + [FREE] * (128 - len(table))))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + identifier + struct.pack("<HHHHH", minor, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<9I", 0, 1, directory_at, 0, cutoff, mini_table_at, 1 if mini_table else 0, END, 0) + struct.pack("<I", 0) + struct.pack("<I", FREE) * 108
    return head + b"".join(sectors)


def package(data, name=b"e.com", form=2, size=None, more=b""):
    """The native data of an OLE 1 package: a label, a path, a temporary path, the bytes."""
    body = struct.pack("<H", form) + name + b"\0C:\\" + name + b"\0\0\0\3\0" + struct.pack("<I", 4 + len(name)) + b"C:\\" + name + b"\0" + struct.pack("<I", len(data) if size is None else size) + data + more
    return struct.pack("<I", len(body)) + body


def tnef(data, name=b"e.com\0", checksum=True, key=1):
    def attribute(level, tag, content):
        return struct.pack("<BII", level, tag, len(content)) + content + struct.pack("<H", sum(content) & 0xFFFF if checksum else 0)
    render = struct.pack("<HIHHI", 1, 0xFFFFFFFF, 0, 0, 0)
    return (struct.pack("<IH", 0x223E9F78, key) + attribute(1, 0x00089006, struct.pack("<I", 0x10000)) + attribute(1, 0x00069007, struct.pack("<II", 1252, 0))
            + attribute(2, 0x00069002, render) + attribute(2, 0x00018010, name) + attribute(2, 0x0006800F, data))


def ooxml(data, place="word/embeddings/oleObject1.bin", extra=()):
    types = b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="bin" ContentType="application/vnd.openxmlformats-officedocument.oleObject"/></Types>'
    return zip_of(Member("[Content_Types].xml", types), Member("word/document.xml", b"<w:document/>"), Member(place, data), *extra)


STREAMS = {"package": "\1Ole10Native", "package-upper": "\1OLE10NATIVE", "contents": "CONTENTS", "plain": "e.com", "message": "__substg1.0_37010102", "word": "WordDocument", "workbook": "Workbook", "encrypted": "EncryptedSummary", "contents-2": "Contents", "odd": "\5e.com", "data": "1Table"}


def compounds():
    for (label, name), (kind, data) in itertools.product(STREAMS.items(), PAYLOADS.items()):
        content = package(data) if label.startswith("package") else data
        for cutoff in (4096, 0):
            yield f"compound-{label}-{kind}-{cutoff}", "doc", compound([(name, content)], cutoff) if cutoff else compound([(name, content.ljust(5000, b"\0"))])
        plain = compound([("\1CompObj", bytes(76)), (name, content)])
        yield f"compound-two-{label}-{kind}", "doc", plain
        yield f"docx-{label}-{kind}", "docx", ooxml(plain)
        yield f"mailed-{label}-{kind}", "eml", mail(base64_lines(plain))
        yield f"zipped-{label}-{kind}", "zip", zip_of(Member("a.doc", plain))
    for (label, name), (front, before) in itertools.product((("package", STREAMS["package"]), ("plain", "e.com")), FRONTS.items()):
        plain = compound([(name, package(EICAR) if label == "package" else EICAR)])
        yield f"compound-{label}-behind-{front}", "bin", before + plain
    for name, options in {"form-3": {"form": 3}, "size-more": {"size": 200}, "size-less": {"size": 30}, "behind": {"more": b"more" * 9}, "name-long": {"name": b"x" * 250}, "name-empty": {"name": b""}}.items():
        yield f"package-{name}", "doc", compound([(STREAMS["package"], package(EICAR, **options))])
    plain = compound([("e.com", EICAR)])
    # [MS-CFB] 2.2: what readers do not check.
    for field, at, form, values in (("minor", 24, "<H", (0, 0x21, 0xFFFF)), ("order", 28, "<H", (0, 0xFEFF)), ("reserved", 34, "<I", (1,)), ("n-directory", 40, "<I", (1,)), ("transaction", 52, "<I", (9,)), ("class", 8, "<I", (1, 0xFFFFFFFF)), ("cutoff", 56, "<I", (0, 64, 65536)), ("version", 26, "<H", (4, 5))):
        for value in values:
            yield f"compound-{field}-{value:x}", "doc", plain[:at] + struct.pack(form, value) + plain[at + struct.calcsize(form):]
    yield "compound-cut", "doc", plain[:-100]
    yield "compound-then-junk", "doc", plain + b"junk" * 300


def spoilt_compounds():
    """What writers leave in the tables, and readers do not mind; what they mind differently."""
    for (label, name), size in itertools.product((("package", STREAMS["package"]), ("plain", "e.com"), ("message", STREAMS["message"])), (0, 5000)):
        content = package(EICAR, more=bytes(size)) if label == "package" else EICAR + b"\n" * size
        plain = compound([(name, content)])
        directory_at = 512 * (1 + struct.unpack_from("<I", plain, 48)[0])
        mini_fat_at = 512 * (1 + struct.unpack_from("<I", plain, 60)[0])
        entry = directory_at + 128

        def with_bytes(at, form, *values):
            return plain[:at] + struct.pack(form, *values) + plain[at + struct.calcsize(form):]

        used = max(index for index in range(128) if struct.unpack_from("<I", plain, 512 + 4 * index)[0] != FREE) + 1
        changes = {
            "fat-tail-end": with_bytes(512 + 4 * used, f"<{128 - used}I", *[END] * (128 - used)), "fat-tail-0": with_bytes(512 + 4 * used, f"<{128 - used}I", *[0] * (128 - used)),
            "fat-unmarked": with_bytes(512, "<I", END), "root-size-odd": with_bytes(directory_at + 120, "<I", 61), "root-size-0": with_bytes(directory_at + 120, "<I", 0), "root-size-more": with_bytes(directory_at + 120, "<I", 1 << 20),
            "size-upper-half": with_bytes(entry + 124, "<I", 0xFFFFFFFF), "size-more": with_bytes(entry + 120, "<I", len(content) + 700), "size-less": with_bytes(entry + 120, "<I", len(content) - 1), "kind-3": with_bytes(entry + 66, "<B", 3),
            "black": with_bytes(entry + 67, "<B", 9), "unlisted": with_bytes(directory_at + 76, "<I", FREE), "child-self": with_bytes(entry + 68, "<II", 1, 1), "child-outside": with_bytes(entry + 76, "<I", 99), "name-length-0": with_bytes(entry + 64, "<H", 0),
            "name-length-255": with_bytes(entry + 64, "<H", 255), "root-name": with_bytes(directory_at, "<H", 0), "root-kind-1": with_bytes(directory_at + 66, "<B", 1), "n-fat-0": with_bytes(44, "<I", 0), "n-fat-9": with_bytes(44, "<I", 9), "n-mini-fat-0": with_bytes(64, "<I", 0),
            "n-difat-1": with_bytes(72, "<I", 1), "difat-0": with_bytes(68, "<I", 0), "cutoff-1": with_bytes(56, "<I", 1), "mini-shift-7": with_bytes(32, "<H", 7), "mini-shift-5": with_bytes(32, "<H", 5), "shift-8": with_bytes(30, "<H", 8), "no-padding": plain[:-400] if size else plain.rstrip(b"\0"),
            "mini-fat-free": with_bytes(mini_fat_at, "<I", FREE) if not size else plain, "start-free": with_bytes(entry + 116, "<I", FREE), "start-outside": with_bytes(entry + 116, "<I", 5000), "fat-cycle": with_bytes(512 + 4 * struct.unpack_from("<I", plain, 48)[0], "<I", struct.unpack_from("<I", plain, 48)[0]),
        }
        for change, data in changes.items():
            yield f"compound-{change}-{label}-{size}", "doc", data


def zips_in_pieces():
    """A zip in raw sectors or pages, of which one member lies whole."""
    members = [Member("a.txt", HARMLESS * 40, method=0), Member("e.com", EICAR), Member("s.com", EICAR, method=0), Member("b.txt", HARMLESS * 90, method=0)]
    front = b"SQLite format 3\0" + bytes(1008)
    for (order, names), size in itertools.product(enumerate(itertools.permutations(members, 4)), (512, 1024)):
        if order % 4:
            continue
        whole = zip_of(*names)
        pieces = [whole[at:at + size] for at in range(0, len(whole), size)]
        yield f"pieces-apart-{order}-{size}", "db", front + b"page".join(pieces)
        yield f"pieces-turned-{order}-{size}", "db", front + b"".join(pieces[-2::-1]) + pieces[-1]
        yield f"pieces-missing-{order}-{size}", "db", front + b"".join(pieces[1:])
        yield f"pieces-lost-{order}-{size}", "db", front + b"".join(pieces[:1] + pieces[2:])
        yield f"pieces-again-{order}-{size}", "db", front + pieces[0] + whole
        yield f"pieces-compound-{order}-{size}", "doc", compound([("a", b"x" * 5000)]) + b"".join(piece + bytes(64) for piece in pieces)


def tnefs():
    for kind, data in PAYLOADS.items():
        plain = tnef(data)
        yield f"tnef-{kind}", "dat", plain
        yield f"tnef-no-sums-{kind}", "dat", tnef(data, checksum=False)
        yield f"tnef-no-name-{kind}", "dat", tnef(data, name=b"\0")
        yield f"tnef-key-0-{kind}", "dat", tnef(data, key=0)
        yield f"tnef-two-{kind}", "dat", tnef(HARMLESS) + plain
        yield f"tnef-in-tar-{kind}", "tar", tar_of(plain, "winmail.dat")
        yield f"tnef-behind-{kind}", "bin", FRONTS["text"] + plain
        for media in ("application/ms-tnef", "application/octet-stream", "application/vnd.ms-tnef"):
            yield f"tnef-mailed-{media.split('/')[1]}-{kind}", "eml", mail(base64_lines(plain)).replace(b'application/octet-stream; name="e.com"', f'{media}; name="winmail.dat"'.encode()).replace(b'filename="e.com"', b'filename="winmail.dat"')


def packages():
    for kind, data in PAYLOADS.items():
        for place in ("word/embeddings/oleObject1.bin", "word/media/image1.png", "customXml/item1.xml", "docProps/thumbnail.jpeg", "word/vbaProject.bin", "xl/embeddings/Microsoft_Excel_Sheet1.xlsx", "e.com", "word/afchunk.mht"):
            yield f"ooxml-{place.split('/')[-1].split('.')[0]}-{kind}", "docx", ooxml(data, place)
            yield f"ooxml-package-{place.split('/')[-1].split('.')[0]}-{kind}", "docx", ooxml(compound([(STREAMS["package"], package(data))]), place)
        mimetype = Member("mimetype", b"application/vnd.oasis.opendocument.text", method=0)
        for place in ("Object 1", "Pictures/1.png", "ObjectReplacements/Object 1", "Basic/Standard/Module1.xml"):
            yield f"odf-{place.split('/')[0].split(' ')[0]}-{kind}", "odt", zip_of(mimetype, Member("content.xml", b"<o/>"), Member(place, data))
            yield f"odf-package-{place.split('/')[0].split(' ')[0]}-{kind}", "odt", zip_of(mimetype, Member("content.xml", b"<o/>"), Member(place, compound([(STREAMS["package"], package(data))])))


def variants():
    for part in (compounds, spoilt_compounds, zips_in_pieces, tnefs, packages):
        yield from part()
