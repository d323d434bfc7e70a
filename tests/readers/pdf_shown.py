"""PDF files in which readers find data amid what they show or run: images in the contents of pages, forms in several streams, and scripts in strings."""

import base64, itertools, zlib

from base import EICAR, PAYLOADS
from pdf import Document, stream
from pdf_forms import PARAMETERS, rows
from pdf_libraries import XFA

HEAD = b"q 9 0 0 9 0 0 cm BI/W 1/H 1/BPC 8/CS/G"
# How a stream is packed: rows are predicted, which keeps engines from what is inside.
PACKINGS = {
    "plain": lambda data: stream(data), "rows": lambda data: stream(zlib.compress(rows(data.rjust(-(-len(data) // 17) * 17))), b"/Filter/FlateDecode/DecodeParms" + PARAMETERS),
    "digits": lambda data: stream(base64.a85encode(zlib.compress(data)) + b"~>", b"/Filter[/A85/Fl]"),
}
FILTERS = {
    "dct": (b"/DCT", bytes), "long-name": (b"/DCTDecode", bytes), "ccf": (b"[/CCF]", bytes), "hexadecimal": (b"[/AHx/DCT]", lambda data: data.hex().encode() + b">"), "digits": (b"[/A85/DCT]", lambda data: base64.a85encode(data) + b"~>"),
    "deflated": (b"[/Fl/CCF]", zlib.compress), "behind": (b" 9 0 R", bytes),
}


def document(objects, catalog=b"", page=b""):
    """One page with nothing attached; objects from 10 on are the variant's own."""
    made = Document()
    made.objects = {1: b"<</Type/Catalog/Pages 2 0 R" + catalog + b">>", 2: b"<</Type/Pages/Kids[5 0 R]/Count 1>>", 5: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]" + page + b">>", 9: b"/DCT"} | objects
    return made


def images():
    # With rows that are predicted, pdfimages writes something else.
    packings = {name: pack for name, pack in PACKINGS.items() if name != "rows"}
    for (filtered, (filters, encode)), (packing, pack) in itertools.product(FILTERS.items(), packings.items()):
        head, data = HEAD + b"/F" + filters, b" ID " + encode(EICAR)
        form = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]"
        # The fields of an image do not keep it from being contents.
        disguised = pack(head + data).replace(b"<<", b"<</Subtype/Image/Width 1/Height 1", 1)
        annotation = b"/Annots[<</Type/Annot/Subtype/Stamp/F 4/Rect[0 0 9 9]/AP %s>>]"
        for place, objects, page in (
            ("contents", {10: pack(head + data)}, b"/Contents 10 0 R"),
            ("last-contents", {10: pack(b"q Q "), 11: pack(head + data)}, b"/Contents[10 0 R 11 0 R]"),
            ("contents-behind", {10: b"[11 0 R]", 11: pack(head + data)}, b"/Contents 10 0 R"),
            ("cut-before-filter", {10: pack(HEAD + b"/F"), 11: pack(filters + data), 12: pack(b" EI Q")}, b"/Contents[10 0 R 11 0 R 12 0 R]"),
            ("cut-before-data", {10: pack(head), 11: pack(data)}, b"/Contents[10 0 R 11 0 R]"),
            ("cut-twice", {10: pack(b"q 9 0 0 9 0 0 cm BI"), 11: pack(b"/W 1/H 1/BPC 8/CS/G/F" + filters), 12: pack(data)}, b"/Contents[10 0 R 11 0 R 12 0 R]"),
            ("form", {10: pack(b"/A Do"), 11: pack(head + data).replace(b"<<", b"<<" + form, 1)}, b"/Contents 10 0 R/Resources<</XObject<</A 11 0 R>>>>"),
            ("appearance", {10: pack(head + data).replace(b"<<", b"<<" + form, 1)}, annotation % b"<</N 10 0 R>>"),
            ("disguised", {10: disguised}, b"/Contents[10 0 R]"),
            ("disguised-appearance", {10: disguised.replace(b"<<", b"<</BBox[0 0 9 9]", 1), 11: b"<</N 10 0 R>>"}, annotation % b"11 0 R"),
        ):
            yield f"image-{place}-{filtered}-{packing}", document(objects, page=page).bytes()


# pdf.js 5 knows parts by these names, and joins them in this order, between the first one of the array and the last one.
PARTS = ("template", "datasets", "config", "connectionSet", "localeSet", "stylesheet")


def forms():
    for kind, (packing, pack) in itertools.product(("eicar", "zip"), PACKINGS.items()):
        text = XFA % base64.b64encode(PAYLOADS[kind])
        data_at = text.index(b"image/png") + 11
        for name, n_parts, order in (("two", 2, None), ("three", 3, None), ("four", 4, None), ("eight", 8, None), ("four-turned", 4, (0, 2, 1, 3)), ("eight-turned", 8, (0, 6, 5, 4, 3, 2, 1, 7)), ("eight-mixed", 8, (0, 4, 1, 6, 2, 5, 3, 7))):
            cuts = [data_at + 12 * index for index in range(1, n_parts)]
            parts = [text[start:end] for start, end in itertools.pairwise((0, *cuts, len(text)))]
            objects = {20 + index: pack(part) for index, part in enumerate(parts)}
            names = ("xdp:xdp", *PARTS[:n_parts - 2], "/xdp:xdp")
            array = b"[" + b"".join(b"(%s)%d 0 R" % (names[index].encode(), 20 + index) for index in order or range(n_parts)) + b"]"
            for place, value in {"direct": array, "behind": b"10 0 R"}.items():
                catalog = b"/NeedsRendering true/AcroForm<</Fields[]/XFA %s>>" % value
                yield f"form-{name}-{place}-{packing}-{kind}", document(objects | {10: array}, catalog).bytes()


def scripts():
    for kind in ("eicar", "zip"):
        script = b"s(atob('%s'))" % base64.b64encode(PAYLOADS[kind])
        lines = b"\\\n".join(script[at:at + 20] for at in range(0, len(script), 20))
        for name, string in {
            "octal": b"(" + b"".join(b"\\%03o" % byte for byte in script) + b")", "lines": b"(" + lines + b")", "hexadecimal": b"<" + script.hex().encode() + b">",
            "utf-16": b"<feff" + script.decode().encode("utf-16-be").hex().encode() + b">", "spaced": b"<" + b"\n".join(script[at:at + 9].hex().encode() for at in range(0, len(script), 9)) + b">",
        }.items():
            for place, objects, catalog in (
                ("opened", {10: string}, b"/OpenAction<</S/JavaScript/JS%s>>" % string), ("behind", {10: string}, b"/OpenAction<</S/JavaScript/JS 10 0 R>>"), ("named", {10: b"<</S/JavaScript/JS%s>>" % string}, b"/Names<</JavaScript<</Names[(a)10 0 R]>>>>"),
            ):
                made = document(objects, catalog)
                yield f"script-{name}-{place}-{kind}", made.bytes()
                yield f"script-{name}-{place}-packed-{kind}", made.packed(hidden=(1, 2, 5, 10))


def variants():
    for name, data in itertools.chain(images(), forms(), scripts()):
        yield name, "pdf", data
