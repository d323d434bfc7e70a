"""PDF files with attachments (ISO 32000-1, 7.11.4) behind every filter, name form, object stream and encryption that poppler and qpdf read."""

import base64, itertools, zlib

import pdf_damaged
from base import EICAR, FRONTS, PAYLOADS, made_with


def stream(data, fields=b"", filters=()):
    """A stream object's content; FILTERS in the order in which a reader takes them off."""
    for name in reversed(filters):
        data = ENCODERS[name](data)
    names = b"/Filter[" + b"".join(b"/" + name for name in filters) + b"]" if filters else b""
    return b"<<" + fields + names + b"/Length %d>>stream\n" % len(data) + data + b"\nendstream"


def run_length(data):
    return b"".join(bytes([len(data[at:at + 128]) - 1]) + data[at:at + 128] for at in range(0, len(data), 128)) + b"\x80"


ENCODERS = {
    b"FlateDecode": zlib.compress, b"Fl": zlib.compress, b"ASCIIHexDecode": lambda data: data.hex().encode() + b">", b"AHx": lambda data: data.hex().encode() + b">", b"ASCII85Decode": lambda data: base64.a85encode(data) + b"~>",
    b"A85": lambda data: base64.a85encode(data) + b"~>", b"RunLengthDecode": run_length, b"RL": run_length, b"F#6cateDecode": zlib.compress,
}


class Document:
    """Numbered objects: 1 catalog, 2 pages, 3 file specification, 4 embedded file."""

    def __init__(self, data=EICAR, filters=(), version=b"1.7"):
        self.version = version
        self.objects = {
            1: b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Names[(e.com) 3 0 R]>>>>>>", 2: b"<</Type/Pages/Kids[5 0 R]/Count 1>>",
            3: b"<</Type/Filespec/F(e.com)/UF(e.com)/EF<</F 4 0 R>>>>", 4: stream(data, b"/Type/EmbeddedFile", filters), 5: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
        }

    def bytes(self, newline=b"\n", before=b"", table=True, behind=b"", trailer=b"", start=None):
        out = before + b"%PDF-" + self.version + newline + b"%\xe2\xe3\xcf\xd3" + newline
        places = {}
        for number, content in self.objects.items():
            places[number] = len(out) - len(before)
            out += b"%d 0 obj" % number + newline + content + newline + b"endobj" + newline
        at = len(out) - len(before)
        if table:
            out += b"xref\n0 %d\n0000000000 65535 f \n" % (max(places) + 1) + b"".join(b"%010d 00000 n \n" % places.get(number, 0) for number in range(1, max(places) + 1))
        return out + b"trailer" + newline + b"<</Size %d/Root 1 0 R" % (max(places) + 1) + trailer + b">>" + newline + b"startxref" + newline + b"%d" % (at if start is None else start) + newline + b"%%EOF" + newline + behind

    def packed(self, hidden=(1, 2, 3, 5), filters=(b"FlateDecode",)):
        """With an object stream and a cross-reference stream (7.5.7, 7.5.8)."""
        heads, bodies = b"", b""
        for number in hidden:
            heads += b"%d %d " % (number, len(bodies))
            bodies += self.objects[number] + b" "
        out = b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n"
        places = {}
        plain = {number: content for number, content in self.objects.items() if number not in hidden}
        plain[6] = stream(heads + bodies, b"/Type/ObjStm/N %d/First %d" % (len(hidden), len(heads)), filters)
        for number, content in plain.items():
            places[number] = len(out)
            out += b"%d 0 obj\n" % number + content + b"\nendobj\n"
        at = len(out)
        rows = bytes([0, 0, 0, 0, 0])
        for number in range(1, 11):
            rows += b"\2" + (6).to_bytes(3, "big") + bytes([hidden.index(number)]) if number in hidden else b"\1" + places.get(number, at).to_bytes(3, "big") + b"\0"
        return out + b"7 0 obj\n" + stream(rows, b"/Type/XRef/Size 11/Root 1 0 R/W[1 3 1]", filters) + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % at


def escaped(name):
    return b"".join(b"#%02x" % byte for byte in name)


def attachments():
    chains = [(), (b"FlateDecode",), (b"Fl",), (b"ASCIIHexDecode",), (b"AHx",), (b"ASCII85Decode",), (b"A85",), (b"RunLengthDecode",), (b"RL",), (b"F#6cateDecode",)]
    chains += list(itertools.product((b"FlateDecode", b"ASCIIHexDecode", b"ASCII85Decode", b"RunLengthDecode"), repeat=2)) + [(b"FlateDecode",) * 5, (b"ASCIIHexDecode",) * 8]
    for (kind, data), filters in itertools.product(PAYLOADS.items(), chains):
        name = "-".join(part.decode().removesuffix("Decode") for part in filters) or "none"
        yield f"filter-{name}-{kind}", Document(data, filters).bytes()
        if len(filters) < 2:
            yield f"objects-packed-{name}-{kind}", Document(data, filters).packed()
            yield f"objects-packed-twice-{name}-{kind}", Document(data, filters).packed(filters=(b"FlateDecode", b"ASCIIHexDecode"))


def places():
    """Where the catalog may name the file."""
    spots = {
        "kids": (1, b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Kids[<</Limits[(e)(f)]/Names[(e.com) 3 0 R]>>]>>>>>>"),
        "kids-deep": (1, b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles" + b"<</Kids[" * 20 + b"<</Names[(e.com) 3 0 R]>>" + b"]>>" * 20 + b">>>>"),
        "direct": (1, b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Names[(e.com)<</Type/Filespec/F(e.com)/EF<</F 4 0 R>>>>]>>>>>>"),
        "af": (1, b"<</Type/Catalog/Pages 2 0 R/AF[3 0 R]/Names<</EmbeddedFiles<</Names[(e.com) 3 0 R]>>>>>>"), "unix": (3, b"<</Type/Filespec/F(e.com)/EF<</Unix 4 0 R>>>>"), "dos": (3, b"<</Type/Filespec/F(e.com)/EF<</DOS 4 0 R>>>>"), "uf": (3, b"<</Type/Filespec/UF(e.com)/EF<</UF 4 0 R>>>>"),
        "no-type": (3, b"<</F(e.com)/EF<</F 4 0 R>>>>"), "annotation": (5, b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Annots[<</Type/Annot/Subtype/FileAttachment/Rect[0 0 1 1]/FS 3 0 R>>]>>"), "collection": (1, b"<</Type/Catalog/Pages 2 0 R/Collection<</View/D>>/Names<</EmbeddedFiles<</Names[(e.com) 3 0 R]>>>>>>"),
    }
    for name, (number, content) in spots.items():
        for kind in ("eicar", "hidden"):
            document = Document(PAYLOADS[kind], (b"FlateDecode",))
            document.objects[number] = content
            yield f"place-{name}-{kind}", document.bytes()
    for word in (b"EmbeddedFiles", b"EmbeddedFile", b"EF", b"Names", b"Filespec", b"FlateDecode", b"Filter", b"Length", b"Type", b"Catalog"):
        document = Document(EICAR, (b"FlateDecode",))
        document.objects = {number: content.replace(b"/" + word, b"/" + escaped(word)) for number, content in document.objects.items()}
        yield f"escaped-{word.decode()}", document.bytes()


def files():
    plain = Document(EICAR, (b"FlateDecode",))
    for name, front in FRONTS.items():
        yield f"behind-{name}", plain.bytes(before=front[:1000])
    for name, options in {"cr": {"newline": b"\r"}, "crlf": {"newline": b"\r\n"}, "no-table": {"table": False}, "start-wrong": {"start": 0}, "junk-behind": {"behind": b"junk" * 300}, "prev-loop": {"trailer": b"/Prev 9"}, "id": {"trailer": b"/ID[<00><00>]"}}.items():
        yield f"file-{name}", plain.bytes(**options)
    for version in (b"1.0", b"1.4", b"2.0", b"9.9", b"x", b""):
        yield f"version-{version.decode() or 'none'}", Document(EICAR, (b"FlateDecode",), version).bytes()
    for junk in (b"", b"%PDF", b"%pdf-1.4", b"%!PS-Adobe-3.0 PDF-1.4"):
        yield f"first-line-{junk.hex() or 'none'}", junk + plain.bytes()[8:]
    harmless = Document(b"harmless", ())
    first = harmless.bytes()
    for table in (True, False):
        yield f"incremental-{table}", first + plain.bytes(table=table)
    for (old, new), name in {(b"endstream", b"endstreaX"): "no-endstream", (b"endobj", b"endobX"): "no-endobj", (b"stream\n", b"stream\r\n"): "stream-crlf", (b"/Length ", b"/Length 0"): "length-octal"}.items():
        document = Document(EICAR, (b"FlateDecode",))
        document.objects[4] = document.objects[4].replace(old, new)
        yield f"object-{name}", document.bytes()
    for length in (b"0", b"9 0 R", b"99999", b"-1"):
        document = Document(EICAR, ())
        document.objects[4] = document.objects[4].replace(b"/Length %d" % len(EICAR), b"/Length " + length)
        yield f"length-{length.hex()}", document.bytes()


def encrypted():
    """With an empty user password, which readers do not ask for. Identifiers are those of the content."""
    for (name, bits), kind in itertools.product({"rc4-40": "--allow-weak-crypto --encrypt '' owner 40", "rc4-128": "--allow-weak-crypto --encrypt '' owner 128 --use-aes=n", "aes-128": "--allow-weak-crypto --encrypt '' owner 128 --use-aes=y"}.items(), ("eicar", "hidden")):
        data = made_with(f"qpdf --deterministic-id --static-aes-iv {bits} -- in.pdf out.pdf || qpdf --static-id --static-aes-iv {bits} -- in.pdf out.pdf", {"in.pdf": Document(PAYLOADS[kind]).bytes()}, "out.pdf")
        yield f"encrypted-{name}-{kind}", data
        for word in (b"Encrypt", b"Filter", b"Standard"):
            changed = data.replace(b"/" + word, b"/#%02x" % word[0] + word[1:])
            yield f"encrypted-{name}-escaped-{word.decode()}-{kind}", changed


def variants():
    for part in (attachments, places, files, encrypted):
        for name, data in part():
            yield name, "pdf", data
    for name, data in pdf_damaged.variants(Document):
        yield name, "pdf", data
