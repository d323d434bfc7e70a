"""PDF and RTF files in which several things are odd: each combines a few oddities of objects, streams, filters, tables and revisions, or of groups and digits, drawn at random."""

import random

import rtf
from base import PAYLOADS
from pdf import ENCODERS, Document, stream
from pdf_damaged import lzw, png, tiff

N_VARIANTS = 900
KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "zip", "hidden", "tgz")}
WORDS = (b"%d 0 obj\n", b"%d 0 obj", b"%d 0 obj\r", b"%d  0  obj\r\n", b"%d%%c\n0 obj ", b"000%d 00000 obj\n", b"%d\n0\nobj\n", b"\xff%d 0 obj\n", b"%d 0 obj%%stream\n", b"%d 1 obj\n", b"x %d 0 obj\n", b"%d\0000\000obj\n", b"\f%d 0 obj\f")
ENDS = (b"\nendobj\n", b"endobj\n", b"\n", b" ", b"\rendobj\r", b"\nendobj", b"\nendobX\n", b"\nendobj endobj\n", b"\nend obj\n", b"\n%endobj\n")
STARTS = (b"stream\n", b"stream\r\n", b"stream\r", b"stream ", b"stream \n", b"stream%c\n", b"\nstream\n", b" stream\r\n", b"stream\n\n", b"stream\0\n", b"stream")
STOPS = (b"\nendstream", b"endstream", b"\r\nendstream", b"\n", b"\nendstrea", b" endstream", b"\nendstream endstream", b"\nENDSTREAM", b"\nendobj", b"\nend stream")
LENGTHS = ("right", "indirect", "zero", "long", "missing", "short", "negative", "real", "string", "indirect-wrong", "twice", "indirect-missing", "plus")
JUNK = (b"", b"/X(endstream)", b"/X<<>>", b"%>>stream\n", b"/X[/Filter/AHx]", b"/X<<\n/Filter/AHx>>", b"/Y(\\)", b"/Z<4", b"/#", b"/#00x 1", b"<</A", b"]", b"/X 4 0 R", b"/X null", b" " * 3000, b"\0\0", b"/DL 9", b"/F(x)", b"/X(a\\\nb)", b"/Type", b"/Filter null")
FRONTS = (b"", b"", b"\n", b"x" * 1100, b"\xef\xbb\xbf", b"%!PS\n", b"junk\n" * 90, b"GIF89a", b"\0" * 600)
FIRSTS = (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", b"%PDF-1.7\r", b"%PDF-9\n", b"%FDF-1.2\n", b"%PDF-\n", b"%pdf-1.4\n", b"%PDF-1.4 1 0 obj\n", b"%\xd0PDF-1.4\n%PDF-1.4\n")
TABLES = ("right", "right", "none", "zeros", "off", "other-start", "cut", "hybrid", "prev-loop", "one-section-each", "no-trailer", "nothing-behind")


def usual(rng, choices, chance=0.6):
    return choices[0] if rng.random() < chance else rng.choice(choices)


def name(rng, text):
    if rng.random() < 0.85:
        return b"/" + text
    return b"/" + b"".join(b"#%02x" % byte if rng.random() < 0.4 else bytes([byte]) for byte in text)


def packed(rng, data):
    """What FILTERS and DecodeParms say, and the bytes."""
    names, parms = [], []
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3))):
        kind = rng.choice((b"FlateDecode", b"FlateDecode", b"Fl", b"ASCIIHexDecode", b"AHx", b"ASCII85Decode", b"A85", b"RunLengthDecode", b"RL", b"LZWDecode", b"Crypt"))
        parm = b"null"
        if kind in (b"FlateDecode", b"Fl", b"LZWDecode") and rng.random() < 0.3:
            columns, shape = rng.choice((1, 5, 17, 40)), rng.choice((0, 1, 2, 3))
            data = tiff(data, columns) if shape == 3 else png(data, columns, shape)
            parm = b"<</Predictor %d/Columns %d>>" % (2 if shape == 3 else 10 + rng.randrange(6), columns)
        if kind == b"LZWDecode":
            data = lzw(data)
        elif kind == b"Crypt":
            parm = b"<</Name/Identity>>"
        else:
            data = ENCODERS[kind](data)
            if kind in (b"FlateDecode", b"Fl"):
                data = usual(rng, (data, data[:-4], data[2:-4], data + b"junk", b"\n" + data, b"\x78\x9d" + data[2:]), 0.8)
            elif kind in (b"ASCIIHexDecode", b"AHx", b"ASCII85Decode", b"A85"):
                at = rng.randrange(len(data))
                data = usual(rng, (data, data[:at] + rng.choice((b"\n", b" ", b"\r\n", b"\t", b"\0")) + data[at:], data.rstrip(b">"), data + b"junk", (b"<~" if b"85" in kind else b" ") + data), 0.7)
        names.insert(0, kind)
        parms.insert(0, parm)
    return names, parms, data


def variant(rng, data):
    names, parms, data = packed(rng, data)
    document, extra = Document(b"x"), {}
    fields = [name(rng, b"Type") + name(rng, b"EmbeddedFile")] if rng.random() < 0.7 else []
    if names:
        words = [name(rng, word) for word in names]
        written = words[0] if len(words) == 1 and rng.random() < 0.5 else b"[" + rng.choice((b"", b" ", b"%c\n")).join(words) + b"]"
        if rng.random() < 0.15:
            extra[8], written = written, b" 8 0 R"
        fields.append(name(rng, rng.choice((b"Filter",) * 6 + (b"F",))) + written)
        if any(parm != b"null" for parm in parms):
            written = parms[0] if len(parms) == 1 and rng.random() < 0.5 else b"[" + b" ".join(parms) + b"]"
            if rng.random() < 0.15:
                extra[9], written = written, b" 9 0 R"
            fields.append(name(rng, rng.choice((b"DecodeParms",) * 4 + (b"DP",))) + written)
    length = usual(rng, LENGTHS, 0.5)
    extra |= {10: b"%d" % len(data)} if length == "indirect" else {10: b"7"} if length == "indirect-wrong" else {}
    value = {"right": b" %d" % len(data), "indirect": b" 10 0 R", "indirect-wrong": b" 10 0 R", "indirect-missing": b" 11 0 R", "zero": b" 0", "long": b" 99999", "short": b" %d" % (len(data) // 2), "negative": b" -1", "real": b" %d.0" % len(data), "string": b"(9)", "twice": b" 1/Length %d" % len(data), "plus": b" +%d" % len(data)}.get(length)
    if value:
        fields.append(name(rng, b"Length") + value)
    fields.append(usual(rng, JUNK, 0.6))
    rng.shuffle(fields)
    document.objects[4] = b"<<" + rng.choice((b"", b" ", b"\n", b"%c\n")).join(fields) + b">>" + usual(rng, STARTS) + data + usual(rng, STOPS)
    document.objects |= extra
    place = rng.choice(("names", "names", "names", "annotation", "af", "direct"))
    if place == "annotation":
        document.objects[5] = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Annots[<</Type/Annot/Subtype/FileAttachment/Rect[0 0 1 1]/FS 3 0 R>>]>>"
    elif place == "af":
        document.objects[1] = b"<</Type/Catalog/Pages 2 0 R/AF[3 0 R]/Names<</EmbeddedFiles<</Names[(e.com) 3 0 R]>>>>>>"
    elif place == "direct":
        document.objects[1] = b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Kids[<</Names[(e.com)<</Type/Filespec/F(e.com)/EF<</F 4 0 R>>>>]>>]>>>>>>"
    return written_out(rng, document)


def written_out(rng, document):
    if rng.random() < 0.2 and max(document.objects) < 8:
        made = document.packed(filters=rng.choice(((b"FlateDecode",), (), (b"ASCIIHexDecode", b"FlateDecode"))))
        return rng.choice((made, made, made[:made.index(b"startxref")], made.replace(b"/First", b"/Extends 6 0 R/First"), made.replace(b"/W[1 3 1]", b"/W[1 3 1]/Prev 9"), made.replace(b"/Type/XRef", b"/Type/Xref")))
    out, places = usual(rng, FRONTS) + usual(rng, FIRSTS, 0.8), {}
    objects = list(document.objects.items())
    if rng.random() < 0.3:
        rng.shuffle(objects)
    if rng.random() < 0.2:
        # An earlier or later version of the file's object, which one of the readers takes.
        objects.insert(rng.choice((0, len(objects))), (4, stream(b"harmless", b"/Type/EmbeddedFile")))
    for number, content in objects:
        places.setdefault(number, len(out))
        if rng.random() < 0.5:
            places[number] = len(out)
        out += usual(rng, WORDS, 0.75) % number + content + usual(rng, ENDS, 0.75)
    table, at, n_most = rng.choice(TABLES), len(out), max(places)
    rows = {number: b"%010d 00000 n \n" % (places.get(number, 0) + (table == "off")) for number in range(1, n_most + 1)}
    root = b"<</Size %d/Root 1 0 R%s>>" % (n_most + 1, {"prev-loop": b"/Prev %d" % at, "hybrid": b"/XRefStm 15"}.get(table, b""))
    if table == "none":
        return out + b"trailer\n" + root
    if table == "nothing-behind":
        return out
    if table == "one-section-each":
        out += b"xref\n0 1\n0000000000 65535 f \n" + b"".join(b"%d 1\n" % number + row for number, row in rows.items())
    else:
        out += b"xref\n0 %d\n0000000000 65535 f \n" % (n_most + 1) + b"".join(b"0000000000 00000 f \n" if table == "zeros" and number == 4 else row for number, row in rows.items())
    if table == "no-trailer":
        return out + b"startxref\n%d\n%%%%EOF\n" % at
    out += b"trailer\n" + root + b"\nstartxref\n%d\n%%%%EOF\n" % (at + 40 if table == "other-start" else at)
    out = out[:-30] if table == "cut" else out
    if rng.random() < 0.1:
        freed = b"xref\n4 1\n0000000000 00001 f \ntrailer\n<</Size %d/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (n_most + 1, at, len(out))
        out += freed
    return out


# Between digits, and around groups.
BETWEEN = (*rtf.BETWEEN.values(), "\r\n", "{", "}", "\\*", "\\bin0 ", "\\bin 00", "\\'4", "\\u8364 ?", "\\par\r\n", "\\\n", "\\;", "g", "\0", "{\\*}", "{\\objdata}", "\\uc0 ", "{\\upr{41}{\\*\\ud 41}}", "\\pict ", "{\\info 41}", "\\-", "\\bin1 A", "\\dde00001 ", "\\ ", "-", "\\x-")
GROUPS = ("{\\object\\objemb{\\*\\objclass Package}{\\*\\objdata %s}}", "{\\object\\objemb{\\objdata %s}}", "{\\objdata %s}", "\\objdata %s", "{\\object\\objdata %s", "{\\object{\\*\\objdata{%s}}}", "{\\object{\\*\\objdata\\bin0 %s}}", "{\\object{\\*\\objdata\r\n%s}}", "{\\*\\objdata0 %s}", "{\\field{\\object{\\*\\objdata %s}}}", "{\\pict{\\object{\\*\\objdata %s}}}", "{\\*\\unknown{\\object{\\*\\objdata %s}}}", "{\\info{\\object{\\*\\objdata %s}}}", "{\\fonttbl{\\*\\objdata %s}}", "{\\*\\objdata{\\*\\objdata %s}}", "{\\object{\\*\\objdata 0105{\\*\\objdata %s}}}", "{\\object{\\*\\objdata %s\\objdata 00}}", "{\\header{\\object{\\*\\objdata %s}}}")


def text(rng, data):
    digits = (rtf.ole2 if rng.random() < 0.3 else rtf.ole1)(data).hex()
    digits = usual(rng, list(rtf.WRITINGS.values()), 0.6)(digits)
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        at = rng.randrange(len(digits) + 1)
        digits = digits[:at] + rng.choice(BETWEEN) + digits[at:]
    head = usual(rng, list(rtf.HEADS.values()), 0.7)
    front = usual(rng, ("", " ", "\r\n", "\ufeff"[:0] + "\xef\xbb\xbf", "x", "{", "\0", "{{", "\\", "hello "), 0.8)
    return front.encode("latin-1") + rtf.rtf(digits, head, usual(rng, GROUPS, 0.5), usual(rng, ("}", "", "}}", "}junk", "}{\\rtf1 x}"), 0.8))


def variants():
    for index in range(N_VARIANTS):
        rng = random.Random(index)
        kind = rng.choice(list(KINDS))
        yield f"{index}-{kind}", "pdf", variant(rng, KINDS[kind])
        if index % 3 == 0:
            yield f"rtf-{index}-{kind}", "rtf", text(rng, KINDS[kind])
