"""PDF files that readers repair, or read differently: more classes of the family `pdf`."""

import gzip, itertools, zlib

from base import EICAR, HIDDEN_ZIP, made_with


def lzw(data, early=1):
    """LZWDecode (ISO 32000-2, 7.4.4), with codes that grow early or late."""
    bits, table, word, n_codes, first = [], {bytes([byte]): byte for byte in range(256)}, b"", 258, True

    def put(code, n_codes):
        bits.append(format(code, "0%db" % next((width for width in (9, 10, 11) if n_codes + early < 1 << width), 12)))

    put(256, 258)
    for byte in data:
        longer = word + bytes([byte])
        if longer in table:
            word = longer
            continue
        put(table[word], n_codes if first else n_codes - 1)
        first = False
        if n_codes < 4096:
            table[longer], n_codes = n_codes, n_codes + 1
        word = bytes([byte])
    put(table[word], n_codes if first else n_codes - 1)
    put(257, n_codes)
    text = "".join(bits)
    return bytes(int(text[at:at + 8].ljust(8, "0"), 2) for at in range(0, len(text), 8))


def rows(data, columns):
    return [data[at:at + columns].ljust(columns, b" ") for at in range(0, len(data), columns)]


def png(data, columns, kind):
    out, above = b"", bytes(columns)
    for row in rows(data, columns):
        predicted = {0: bytes(columns), 1: b"\0" + row[:-1], 2: above}[kind]
        out += bytes([kind]) + bytes((byte - other) % 256 for byte, other in zip(row, predicted))
        above = row
    return out


def tiff(data, columns):
    return b"".join(bytes((byte - other) % 256 for byte, other in zip(row, b"\0" + row[:-1])) for row in rows(data, columns))


def object_four(data, fields, length=None):
    return b"<<" + fields + b"/Length %s>>stream\n" % (b"%d" % len(data) if length is None else length) + data + b"\nendstream"


def filtered(document):
    """Filters and their parameters, direct and not."""
    flate = zlib.compress(EICAR)
    yield "lzw-early", object_four(lzw(EICAR), b"/Filter/LZWDecode")
    yield "lzw-late", object_four(lzw(EICAR * 9, 0), b"/Filter/LZW/DecodeParms<</EarlyChange 0>>")
    yield "lzw-no-parms", object_four(lzw(EICAR * 9, 1), b"/Filter/LZW")
    for (name, data), columns in itertools.product({"png-0": png(EICAR, 17, 0), "png-1": png(EICAR, 17, 1), "png-2": png(EICAR, 17, 2), "tiff": tiff(EICAR, 17)}.items(), (17,)):
        predictor = 2 if name == "tiff" else 12
        parms = b"<</Predictor %d/Columns %d>>" % (predictor, columns)
        yield f"predictor-{name}-flate", object_four(zlib.compress(data), b"/Filter/FlateDecode/DecodeParms" + parms)
        yield f"predictor-{name}-lzw", object_four(lzw(data), b"/Filter[/LZWDecode]/DecodeParms[" + parms + b"]")
        yield f"predictor-{name}-second", object_four(zlib.compress(data).hex().encode() + b">", b"/Filter[/AHx/Fl]/DecodeParms[null " + parms + b"]")
        yield f"predictor-{name}-dp", object_four(zlib.compress(data), b"/Filter/FlateDecode/DP" + parms)
        yield f"predictor-{name}-indirect", {4: object_four(zlib.compress(data), b"/Filter/FlateDecode/DecodeParms 8 0 R"), 8: parms.replace(b"17", b"9 0 R"), 9: b"17"}
    yield "filter-indirect", {4: object_four(flate, b"/Filter 8 0 R"), 8: b"/FlateDecode"}
    yield "filter-indirect-array", {4: object_four(flate, b"/Filter 8 0 R"), 8: b"[/FlateDecode]"}
    yield "filter-indirect-item", {4: object_four(flate, b"/Filter[8 0 R]"), 8: b"/FlateDecode"}
    yield "filter-twice", object_four(flate, b"/Filter/AHx/Filter/FlateDecode")
    yield "filter-twice-last", object_four(flate, b"/Filter/FlateDecode/Filter/AHx")
    yield "filter-f", object_four(flate, b"/F/FlateDecode")
    yield "filter-null", object_four(EICAR, b"/Filter null")
    yield "filter-missing", object_four(EICAR, b"/Filter 99 0 R")
    yield "filter-unknown", object_four(EICAR, b"/Filter/Unknown")
    yield "filter-crypt", object_four(flate, b"/Filter[/Crypt/FlateDecode]/DecodeParms[<</Name/Identity>> null]")
    yield "filter-dct", object_four(EICAR, b"/Filter/DCTDecode")
    raw = flate[2:-4]
    for name, data in {"bare": raw, "no-checksum": flate[:-4], "cut": zlib.compress(EICAR + HIDDEN_ZIP)[:-30], "wrong-checksum": flate[:-1] + b"\0", "gzip": gzip.compress(EICAR, mtime=0), "wrong-header": b"\x78\x9d" + raw, "window": b"\x08\x1d" + raw,
                       "method": b"\x77\x85" + raw, "dictionary": b"\x78\xbb" + raw, "blank": b"\n" + flate, "behind": flate + b"junk" * 20, "two": flate + flate}.items():
        yield f"flate-{name}", object_four(data, b"/Filter/FlateDecode")
    for name, data in {"no-end": EICAR.hex().encode(), "blanks": b" ".join(b"%02X" % byte for byte in EICAR) + b">", "odd": EICAR.hex().encode() + b"4>"}.items():
        yield f"hexadecimal-{name}", object_four(data, b"/Filter/ASCIIHexDecode")


def lengths(_):
    fields = b"/Filter/FlateDecode"
    flate = zlib.compress(EICAR)
    for (name, data, fields) in (("stored", EICAR, b""), ("flate", flate, b"/Filter/FlateDecode")):
        yield f"length-{name}-indirect", {4: object_four(data, fields, b"8 0 R"), 8: b"%d" % len(data)}
        yield f"length-{name}-indirect-wrong", {4: object_four(data, fields, b"8 0 R"), 8: b"3"}
        yield f"length-{name}-missing", object_four(data, fields).replace(b"/Length %d" % len(data), b"")
        yield f"length-{name}-twice", object_four(data, fields, b"3/Length %d" % len(data))
        yield f"length-{name}-real", object_four(data, fields, b"%d.0" % len(data))
        yield f"length-{name}-name", object_four(data, fields, b"/Name")
        for word in (b"stream ", b"stream  \n", b"stream\r", b"stream\r\n", b"stream \r\n", b"stream\t\n", b"stream\n\n", b"stream", b"stream%\n", b"stream\0\n"):
            yield f"stream-{name}-{word[6:].hex() or 'none'}", object_four(data, fields).replace(b"stream\n", word, 1)
        for word in (b"", b"endstrea", b"endobj", b"\r\nendstream"):
            yield f"end-{name}-{word.hex() or 'none'}", object_four(data, fields).replace(b"\nendstream", word)
        yield f"end-{name}-glued", object_four(data, fields).replace(b"\nendstream", b"endstream")


def objects(_):
    """What stands around a stream."""
    flate = zlib.compress(EICAR)
    plain = object_four(flate, b"/Filter/FlateDecode")
    for name, fields in {"string": b"/X(stream endstream obj endobj)", "string-open": b"/X(a(b)", "comment": b"%stream >>\n", "comment-long": b"%" + b"x" * 100_000 + b"\n", "blank-long": b" " * 1_100_000, "hexadecimal": b"/X<3e3e7>", "deep": b"/X" + b"[" * 40 + b"]" * 40, "deep-open": b"/X[[", "close": b"/X 1]",
                         "nested": b"/X<</Filter/AHx>>", "many": b"/X" * 3000}.items():
        yield f"dictionary-{name}", plain.replace(b"<<", b"<<" + fields, 1)
        yield f"dictionary-{name}-last", plain.replace(b">>stream", fields + b">>stream", 1)
    yield "dictionary-blank-behind", plain.replace(b">>stream", b">>\n%c\n \0stream")
    yield "dictionary-closed-twice", plain.replace(b">>stream", b">> >>stream")
    yield "dictionary-unclosed", plain.replace(b">>stream", b" stream")
    yield "reference-reference", {4: b"8 0 R", 8: plain}
    yield "ef-indirect", {3: b"<</Type/Filespec/F(e.com)/EF 8 0 R>>", 8: b"<</F 4 0 R>>", 4: plain}
    yield "ef-indirect-twice", {3: b"<</Type/Filespec/F(e.com)/EF 8 0 R>>", 8: b"9 0 R", 9: b"<</F 4 0 R>>", 4: plain}
    yield "ef-comment", {3: b"<</Type/Filespec/F(e.com)/EF%c\n<</F%c\n4%c\n0%c\nR>>>>", 4: plain}
    yield "ef-twice", {3: b"<</Type/Filespec/F(e.com)/EF<</F 9 0 R>>/EF<</F 4 0 R>>>>", 4: plain}
    yield "font", {5: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Resources<</Font<</F 8 0 R>>>>>>", 8: b"<</Type/Font/Subtype/TrueType/BaseFont/A/FontDescriptor 9 0 R>>", 9: b"<</Type/FontDescriptor/FontName/A/FontFile2 4 0 R>>", 4: plain}
    image = b"/Type/XObject/Subtype/Image/Width 9/Height 9/BitsPerComponent 8/ColorSpace/DeviceGray"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Resources<</XObject<</I 4 0 R>>>>/Contents 8 0 R>>"
    for name in (b"DCTDecode", b"JPXDecode", b"CCITTFaxDecode", b"JBIG2Decode"):
        yield f"image-{name.decode()}", {5: page, 8: object_four(b"q 9 0 0 9 0 0 cm /I Do Q", b""), 4: object_four(EICAR, image + b"/Filter/" + name)}
        yield f"image-{name.decode()}-flate", {5: page, 8: object_four(b"q 9 0 0 9 0 0 cm /I Do Q", b""), 4: object_four(flate, image + b"/Filter[/FlateDecode/" + name + b"]")}


def headers(document):
    """Words before an object, and the table that points there."""
    data = document.bytes()
    for name, word in {"no-blank": b"4 0 obj", "zeros": b"0004 00000 obj", "comment": b"4%c\n0%c\nobj", "comment-long": b"4 0%" + b"c" * 300 + b"\nobj", "lines": b"4\r\n0\r\nobj", "misspelt": b"4 0 xyz", "behind": b"4 0 objx", "number": b"77 0 obj", "generation": b"4 7 obj", "plus": b"+4 +0 obj", "upper": b"4 0 OBJ", "digits": b"4 0 obj0"}.items():
        for newline in (b"\n", b""):
            # The table's places stay right, since the object moves into what follows.
            moved = data.replace(b"4 0 obj\n", word + newline)
            yield f"header-{name}-{newline.hex() or 'none'}", with_table(moved)
    yield "header-glued", with_table(data.replace(b"endobj\n4 0 obj", b"endobj4 0 obj"))
    yield "header-untyped-number", with_table(data.replace(b"4 0 obj\n", b"77 0 obj\n").replace(b"/Type/EmbeddedFile", b""))
    for n_bytes in (1, 512, 1000, 1023, 1024, 1025, 4000, 100_000, 1_100_000):
        yield f"front-{n_bytes}", document.bytes(before=b"x" * n_bytes)
        yield f"front-lines-{n_bytes}", document.bytes(before=b"abc\n" * (n_bytes // 4))
    for name, front in {"html": b"<html>", "mail": b"From: a\r\nTo: b\r\n\r\n", "mz": b"MZ" + bytes(100), "rar": b"Rar!\x1a\7\0", "png": b"\x89PNG\r\n\x1a\n", "zstd": b"\x28\xb5\x2f\xfd"}.items():
        yield f"front-{name}", document.bytes(before=front)


def with_table(data):
    """The same, with a table of where the words now are: by the order of the objects."""
    head, rest = data[:data.index(b"xref\n0")], data[data.index(b"trailer"):]
    places = [head.index(b"1 0 obj"), head.index(b"2 0 obj"), head.index(b"3 0 obj"), head.index(b"endobj", head.index(b"3 0 obj")) + 6, head.index(b"5 0 obj")]
    while head[places[3]:places[3] + 1] in b"\r\n ":
        places[3] += 1
    table = b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    return head + table + rest[:rest.index(b"startxref")] + b"startxref\n%d\n%%%%EOF\n" % len(head)


def revisions(document):
    """Later revisions that replace, free or hide objects."""
    first = document.bytes()
    harmless = type(document)(b"harmless", ())
    yield "revision-replaced", first + harmless.bytes(table=False)
    yield "revision-freed", first + b"xref\n4 1\n0000000000 00001 f \ntrailer\n<</Size 6/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (first.index(b"xref\n0"), len(first))
    at = len(first)
    moved = first + b"4 0 obj\n" + harmless.objects[4] + b"\nendobj\n"
    yield "revision-appended", moved + b"xref\n4 1\n%010d 00000 n \ntrailer\n<</Size 6/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (at, first.index(b"xref\n0"), len(moved))
    hybrid = first.replace(b"trailer\n<<", b"trailer\n<</XRefStm 15 ")
    yield "revision-hybrid", hybrid
    for end in (b"", b"%%EOF", b"startxref\n0\n%%EOF\n", b"trailer<<>>"):
        yield f"cut-{end.hex() or 'none'}", first[:first.index(b"trailer")] + end
    yield "two-documents", harmless.bytes() + first
    yield "two-documents-reversed", first + harmless.bytes()


def rewritten(document):
    """By qpdf, with its options."""
    source = {"in.pdf": document.bytes()}
    modes = {"linearized": "--linearize", "objects": "--object-streams=generate", "objects-linearized": "--object-streams=generate --linearize", "qdf": "--qdf", "newline": "--newline-before-endstream", "uncompressed": "--stream-data=uncompress", "compressed": "--recompress-flate --compress-streams=y"}
    keys = {"none": "", "rc4-40": "--allow-weak-crypto --encrypt '' owner 40 --", "rc4-128": "--allow-weak-crypto --encrypt '' owner 128 --use-aes=n --", "aes-128": "--allow-weak-crypto --encrypt '' owner 128 --use-aes=y --", "aes-128-metadata": "--allow-weak-crypto --encrypt '' owner 128 --use-aes=y --cleartext-metadata --",
            "rc4-v4": "--allow-weak-crypto --encrypt '' owner 128 --force-V4 --", "aes-256": "--encrypt '' owner 256 --", "aes-256-r5": "--allow-weak-crypto --encrypt '' owner 256 --force-R5 --", "aes-256-metadata": "--encrypt '' owner 256 --cleartext-metadata --", "owner-empty": "--encrypt '' '' 256 --allow-insecure --"}
    for (mode, options), (name, key) in itertools.product(modes.items(), keys.items()):
        if mode != "qdf" or not key:
            yield f"qpdf-{mode}-{name}", made_with(f"qpdf --warning-exit-0 --static-id --static-aes-iv {options} {key} in.pdf out.pdf", source, "out.pdf")


def variants(document_class):
    def made(objects):
        document = document_class(EICAR, ())
        document.objects.update(objects if isinstance(objects, dict) else {4: objects})
        return document

    plain = document_class(EICAR, (b"FlateDecode",))
    for part in (filtered, lengths, objects):
        for name, content in part(plain):
            yield f"damaged-{name}", made(content).bytes()
            if part is not lengths or "indirect" in name:
                document = made(content)
                yield f"damaged-{name}-packed", document.packed(hidden=tuple(number for number, content in document.objects.items() if b"stream\n" not in content))
    for part in (headers, revisions, rewritten):
        for name, data in part(plain):
            yield f"damaged-{name}", data
