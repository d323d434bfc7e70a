"""PDF files that hold attachments as the libraries that programs are made with write them: qpdf, pikepdf, pypdf, PyMuPDF, reportlab, fpdf2.

Dates are fixed where a library lets them be; encrypted files and those of PyMuPDF differ from run to run in their identifiers and keys.
"""

import base64, datetime, io, itertools, lzma, zlib

import fpdf, pikepdf, pymupdf, pypdf, pypdf.generic
from reportlab.pdfgen import canvas

from base import FRONTS, HARMLESS, PAYLOADS, base64_lines, made_with, mail
from pdf import ENCODERS, Document

KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "zip", "hidden", "tgz")}
FEW = {kind: PAYLOADS[kind] for kind in ("eicar", "hidden")}
DATE = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)


def page():
    """A page of reportlab's."""
    out = io.BytesIO()
    drawing = canvas.Canvas(out, invariant=1)
    drawing.drawString(72, 700, "An invoice.")
    drawing.showPage()
    drawing.save()
    return out.getvalue()


PAGE = page()


def lzw(data):
    """Codes of nine bits, with the table cleared before it would need wider ones (ISO 32000-1, 7.4.4)."""
    bits = "".join(format(256, "09b") * (index % 200 == 0) + format(byte, "09b") for index, byte in enumerate(data)) + format(257, "09b")
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


def png_rows(data, kind, columns):
    """Rows as PNG predicts them: kind 0 as they are, 1 from the left, 2 from above."""
    out, above = b"", bytes(columns)
    for at in range(0, len(data), columns):
        row = data[at:at + columns].ljust(columns, b"\n")
        shifted = {0: bytes(columns), 1: b"\0" + row[:-1], 2: above}[kind]
        out += bytes([kind]) + bytes(byte - before & 255 for byte, before in zip(row, shifted))
        above = row
    return out


def tiff_rows(data, columns):
    rows = (data[at:at + columns].ljust(columns, b"\n") for at in range(0, len(data), columns))
    return b"".join(bytes(byte - before & 255 for byte, before in zip(row, b"\0" + row[:-1])) for row in rows)


def saved(document, **options):
    out = io.BytesIO()
    document.save(out, fix_metadata_version=False, **options)
    return out.getvalue()


def with_attachment(data, name="e.com"):
    document = pikepdf.open(io.BytesIO(PAGE))
    document.attachments[name] = pikepdf.AttachedFileSpec(document, data, filename=name, mime_type="application/octet-stream", creation_date="D:20240101000000Z", mod_date="D:20240101000000Z")
    return document


SAVED = {
    "plain": {}, "objects": {"object_stream_mode": pikepdf.ObjectStreamMode.generate}, "no-objects": {"object_stream_mode": pikepdf.ObjectStreamMode.disable}, "linear": {"linearize": True}, "readable": {"qdf": True}, "normal": {"normalize_content": True},
    "uncompressed": {"compress_streams": False, "stream_decode_level": pikepdf.StreamDecodeLevel.all}, "recompressed": {"recompress_flate": True}, "linear-objects": {"linearize": True, "object_stream_mode": pikepdf.ObjectStreamMode.generate}, "old": {"force_version": "1.2"}, "new": {"min_version": "2.0"},
}


def by_pikepdf():
    for (kind, data), (form, options) in itertools.product(KINDS.items(), SAVED.items()):
        yield f"pikepdf-{form}-{kind}", saved(with_attachment(data), static_id=True, **options)
    for (kind, data), (revision, aes), clear in itertools.product(KINDS.items(), ((2, False), (3, False), (4, False), (4, True), (5, True), (6, True)), (False, True)):
        if clear and not aes:
            continue
        encryption = pikepdf.Encryption(owner="owner", user="", R=revision, aes=aes, metadata=aes and not clear)
        for form in ("plain", "linear-objects"):
            yield f"pikepdf-r{revision}{'-aes' * aes}{'-clear' * clear}-{form}-{kind}", saved(with_attachment(data), encryption=encryption, **SAVED[form])
    for kind, data in FEW.items():
        for name in ("e.com", "é.exe", "日本語.zip", "../../e.com", "", "x" * 300, "(e)\\.com", "a\nb"):
            yield f"pikepdf-named-{name.encode().hex()[:12]}-{len(name)}-{kind}", saved(with_attachment(data, name), static_id=True)
        for form, place in itertools.product(("plain", "objects"), ("annotation", "portfolio", "associated", "page-associated", "xfa", "xfa-picture", "script", "outline", "many", "related", "thread")):
            document = with_attachment(data)
            file = document.attachments["e.com"].obj
            if place == "portfolio":
                document.Root.Collection = pikepdf.Dictionary(Type=pikepdf.Name.Collection, View=pikepdf.Name.D, D="e.com")
            elif place == "many":
                for index in range(60):
                    document.attachments[f"a{index:02}.txt"] = pikepdf.AttachedFileSpec(document, HARMLESS, filename=f"a{index:02}.txt", creation_date="D:20240101000000Z", mod_date="D:20240101000000Z")
            else:
                del document.Root["/Names"]
                put(document, place, file, data)
            yield f"pikepdf-{place}-{form}-{kind}", saved(document, static_id=True, **SAVED[form])


# A form with one picture, which stands in it as base64.
XFA = (b'<?xml version="1.0"?><xdp:xdp xmlns:xdp="http://ns.adobe.com/xdp/"><template xmlns="http://www.xfa.org/schema/xfa-template/3.3/"><subform name="a" layout="tb"><pageSet><pageArea name="b"><contentArea x="0pt" y="0pt" w="500pt" h="700pt"/>'
       b'<medium stock="default" short="600pt" long="800pt"/></pageArea></pageSet><subform><draw w="50pt" h="50pt"><value><image contentType="image/png">%s</image></value></draw></subform></subform></template></xdp:xdp>')


def put(document, place, file, data):
    """Names the file, or keeps its bytes, where no name tree is."""
    first, stream = document.pages[0].obj, pikepdf.Stream(document, data)
    if place == "annotation":
        first.Annots = pikepdf.Array([pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.FileAttachment, Rect=[0, 0, 9, 9], FS=file)])
    elif place == "associated":
        document.Root.AF = pikepdf.Array([file])
    elif place == "page-associated":
        first.AF = pikepdf.Array([file])
    elif place == "xfa":
        document.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array([]), XFA=pikepdf.Array(["template", stream]))
    elif place == "xfa-picture":
        document.Root.AcroForm, document.Root.NeedsRendering = pikepdf.Dictionary(Fields=pikepdf.Array([]), XFA=pikepdf.Stream(document, XFA % base64.b64encode(data))), True
    elif place == "script":
        document.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=stream)
    elif place == "outline":
        action = pikepdf.Dictionary(S=pikepdf.Name.GoToE, F=file, T=pikepdf.Dictionary(R=pikepdf.Name.C, N="e.com"))
        item = document.make_indirect(pikepdf.Dictionary(Title="a", A=action))
        document.Root.Outlines = document.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.Outlines, First=item, Last=item, Count=1))
        document.Root.Names = pikepdf.Dictionary(EmbeddedFiles=pikepdf.Dictionary(Names=pikepdf.Array(["e.com", file])))
    elif place == "related":
        file.RF = pikepdf.Dictionary(F=pikepdf.Array(["e.com", file.EF.F]))
        first.Annots = pikepdf.Array([pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Screen, Rect=[0, 0, 9, 9], A=pikepdf.Dictionary(S=pikepdf.Name.Launch, F=file))])
    else:
        first.Annots = pikepdf.Array([pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Link, Rect=[0, 0, 9, 9], A=pikepdf.Dictionary(S=pikepdf.Name.GoToE, F=file, D=pikepdf.Array([0])))])


def by_qpdf():
    """The program, whose options no binding has."""
    options = {
        "attached": "", "hexadecimal-id": "--static-id", "linear": "--linearize", "qdf": "--qdf", "objects": "--object-streams=generate", "no-objects": "--object-streams=disable", "specialized": "--decode-level=specialized", "old": "--force-version=1.3",
        "copied-owner-128": "--allow-weak-crypto --encrypt '' o 128 --modify=none --extract=n --", "copied-owner-256": "--encrypt '' o 256 --print=none --", "r5": "--encrypt '' o 256 --force-R5 --", "attachments-clear": "--encrypt '' o 256 --cleartext-metadata --",
    }
    for (kind, data), (name, words) in itertools.product(KINDS.items(), options.items()):
        attach = "--add-attachment e.com --creationdate=D:20240101000000Z --moddate=D:20240101000000Z --"
        yield f"qpdf-{name}-{kind}", made_with(f"qpdf --static-id {attach} {words} in.pdf out.pdf", {"in.pdf": PAGE, "e.com": data}, "out.pdf")


def by_pypdf():
    for kind, data in KINDS.items():
        for form in ("plain", "compressed", "incremental", "cloned", "merged", "RC4-40", "RC4-128", "AES-128", "AES-256-R5", "AES-256"):
            writer = pypdf.PdfWriter(io.BytesIO(PAGE), incremental=form == "incremental")
            if form == "merged":
                writer.append(io.BytesIO(PAGE))
            writer.add_attachment("e.com", data)
            if form == "compressed":
                found = (item.get_object() for item in writer._objects if item is not None)
                for index, item in enumerate(list(found), 1):
                    if isinstance(item, pypdf.generic.StreamObject) and item.get("/Type") == "/EmbeddedFile":
                        writer._replace_object(pypdf.generic.IndirectObject(index, 0, writer), item.flate_encode())
            if form.startswith(("RC4", "AES")):
                writer.encrypt("", "owner", algorithm=form)
            out = io.BytesIO()
            writer.write(out)
            written = out.getvalue()
            if form == "cloned":
                again = pypdf.PdfWriter(clone_from=io.BytesIO(written))
                out = io.BytesIO()
                again.write(out)
                written = out.getvalue()
            yield f"pypdf-{form}-{kind}", written


def by_pymupdf():
    forms = {"plain": {}, "packed": {"deflate": True}, "clean": {"garbage": 4, "clean": True}, "expanded": {"expand": 255}, "ascii": {"ascii": True}, "ascii-packed": {"ascii": True, "deflate": True}, "objects": {"use_objstms": 1, "deflate": True}, "pretty": {"pretty": True}}
    encryptions = {"rc4-40": pymupdf.PDF_ENCRYPT_RC4_40, "rc4-128": pymupdf.PDF_ENCRYPT_RC4_128, "aes-128": pymupdf.PDF_ENCRYPT_AES_128, "aes-256": pymupdf.PDF_ENCRYPT_AES_256}
    forms |= {name: {"encryption": number, "owner_pw": "owner", "user_pw": "", "deflate": True} for name, number in encryptions.items()}
    for (kind, data), (form, options), place in itertools.product(KINDS.items(), forms.items(), ("named", "annotation")):
        document = pymupdf.open(stream=PAGE, filetype="pdf")
        if place == "named":
            document.embfile_add("e.com", data, filename="e.com")
        else:
            document[0].add_file_annot((72, 72), data, "e.com")
        yield f"pymupdf-{place}-{form}-{kind}", document.tobytes(**options)


def by_fpdf2():
    for kind, data in KINDS.items():
        for form in ("plain", "uncompressed", "annotation", "rc4", "aes-128", "aes-256"):
            document = fpdf.FPDF()
            document.set_creation_date(DATE)
            document.add_page()
            if form == "uncompressed":
                document.set_compression(False)
            if form in ("rc4", "aes-128", "aes-256"):
                method = {"rc4": fpdf.enums.EncryptionMethod.RC4, "aes-128": fpdf.enums.EncryptionMethod.AES_128, "aes-256": fpdf.enums.EncryptionMethod.AES_256}[form]
                document.set_encryption(owner_password="owner", encryption_method=method)
            if form == "annotation":
                document.embed_file(bytes=HARMLESS, basename="a.txt", modification_date=DATE)
            document.embed_file(bytes=data, basename="e.com", compress=form != "uncompressed", modification_date=DATE)
            yield f"fpdf2-{form}-{kind}", bytes(document.output())


def predicted():
    """Filters with parameters, and chains with LZW."""
    for kind, data in FEW.items():
        for columns in (1, 4, 17, 68):
            for shape in (0, 1, 2):
                rows = png_rows(data, shape, columns)
                for filter_, pack in (("FlateDecode", zlib.compress), ("LZWDecode", lzw)):
                    yield f"predicted-png{shape}-{columns}-{filter_}-{kind}", with_filter(pack(rows), f"/{filter_}", f"<</Predictor 1{shape}/Columns {columns}/EarlyChange 0>>")
            yield f"predicted-tiff-{columns}-{kind}", with_filter(zlib.compress(tiff_rows(data, columns)), "/FlateDecode", f"<</Predictor 2/Columns {columns}>>")
        for second in ("ASCIIHexDecode", "ASCII85Decode", "RunLengthDecode", "FlateDecode"):
            packed = ENCODERS[second.encode()](lzw(data))
            yield f"chained-{second}-LZW-{kind}", with_filter(packed, f"[/{second}/LZWDecode]", "[null null]")
            again = lzw(ENCODERS[second.encode()](data))
            yield f"chained-LZW-{second}-{kind}", with_filter(again, f"[/LZWDecode/{second}]", "null")
        yield f"lzw-{kind}", with_filter(lzw(data), "/LZWDecode", "null")
        yield f"lzw-short-name-{kind}", with_filter(lzw(data), "/LZW", "null")
        yield f"crypt-identity-{kind}", with_filter(zlib.compress(data), "[/Crypt/FlateDecode]", "[<</Name/Identity>> null]")


def with_filter(packed, names, parameters):
    document = Document()
    document.objects[4] = f"<</Type/EmbeddedFile/Filter{names}/DecodeParms {parameters}/Length {len(packed)}>>stream\n".encode() + packed + b"\nendstream"
    return document.bytes()


def updated():
    """A file, and behind it what a second writer added: the attachment, or an attachment's new content."""
    for kind, data in FEW.items():
        first = saved(with_attachment(HARMLESS), static_id=True, **SAVED["no-objects"])
        replaced = pypdf.PdfWriter(io.BytesIO(first), incremental=True)
        for index in range(1, 20):
            found = replaced.get_object(index) if index <= len(replaced._objects) else None
            if isinstance(found, pypdf.generic.StreamObject) and found.get("/Type") == "/EmbeddedFile":
                content = pypdf.generic.StreamObject()
                content[pypdf.generic.NameObject("/Type")] = pypdf.generic.NameObject("/EmbeddedFile")
                content.set_data(data)
                replaced._replace_object(pypdf.generic.IndirectObject(index, 0, replaced), content)
        out = io.BytesIO()
        replaced.write(out)
        yield f"updated-content-{kind}", out.getvalue()
        # The first version holds the file; the second one names another.
        hidden = pypdf.PdfWriter(io.BytesIO(saved(with_attachment(data), static_id=True)), incremental=True)
        hidden.add_attachment("a.txt", HARMLESS)
        out = io.BytesIO()
        hidden.write(out)
        yield f"updated-name-{kind}", out.getvalue()
        yield f"updated-cut-{kind}", out.getvalue()[:-40]


def nested():
    """An attachment that is a PDF file with the attachment, and PDF files behind data of others and in mail."""
    for kind, data in FEW.items():
        inner = saved(with_attachment(data), static_id=True)
        for form in ("plain", "objects", "uncompressed"):
            twice = saved(with_attachment(inner, "a.pdf"), static_id=True, **SAVED[form])
            yield f"nested-2-{form}-{kind}", twice
            yield f"nested-3-{form}-{kind}", saved(with_attachment(twice, "b.pdf"), static_id=True, **SAVED[form])
        for front in ("text", "html", "png", "spaces"):
            yield f"front-{front}-{kind}", FRONTS[front][:900] + inner
        yield f"xz-in-pdf-{kind}", saved(with_attachment(lzma.compress(data), "e.xz"), static_id=True)


def variants():
    for part in (by_pikepdf, by_qpdf, by_pypdf, by_pymupdf, by_fpdf2, predicted, updated, nested):
        for name, data in part():
            yield name, "pdf", data
    for kind, data in FEW.items():
        yield f"mailed-{kind}", "eml", mail(base64_lines(saved(with_attachment(data), static_id=True)))
