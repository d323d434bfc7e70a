"""The readers of documents that are Python modules: PDF, message files, encrypted Office files, and bytes that stand in text."""

import base64, binascii, contextlib, html.parser, io, re, urllib.parse, urllib.request
import xml.etree.ElementTree as etree

COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# What Excel encrypts with, and tries before it asks ([MS-OFFCRYPTO] 2.4.2.3).
EXCEL_PASSWORD = "VelvetSweatshop"
# Scripts that decode base64 name one of these, and keep it in quotes.
DECODERS = (b"atob(", b"fromBase64(")
QUOTED_BASE64 = re.compile(rb"[\"'`]([A-Za-z0-9+/]{20,}={0,2})[\"'`]")
DATA_URI = re.compile(rb"data:[\w.+/;=\-]*,[^\"'<>\s)]+", re.IGNORECASE)


def is_pdf(data):
    return b"obj" in data and b"%PDF" in data


def read_with_pikepdf(_, data):
    """Every stream that some object names as an embedded file, whatever its place, and the document that LibreOffice puts in a hybrid file."""
    import pikepdf
    with pikepdf.open(io.BytesIO(data)) as document:
        for found in document.objects:
            if isinstance(found, pikepdf.Dictionary) and isinstance(found.get("/EF"), pikepdf.Dictionary):
                for stream in found.EF.values():
                    with contextlib.suppress(pikepdf.PdfError, AttributeError, TypeError):
                        yield stream.read_bytes()
        # Its media type, its stream.
        for found in document.trailer.get("/AdditionalStreams", ()):
            if isinstance(found, pikepdf.Stream):
                yield found.read_bytes()


def read_with_pypdf(_, data):
    import pypdf
    reader = pypdf.PdfReader(io.BytesIO(data))
    if reader.is_encrypted:
        reader.decrypt("")
    for contents in reader.attachments.values():
        yield from contents if isinstance(contents, list) else [contents]


def read_with_pymupdf(_, data):
    import pymupdf
    pymupdf.TOOLS.mupdf_display_errors(False)
    with pymupdf.open(stream=data, filetype="pdf") as document:
        for index in range(document.embfile_count()):
            yield document.embfile_get(index)
        for page in document:
            for annotation in page.annots(types=[pymupdf.PDF_ANNOT_FILE_ATTACHMENT]):
                yield annotation.get_file()


def read_message(path, _):
    import extract_msg
    with extract_msg.openMsg(path) as message:
        for attachment in message.attachments:
            content = attachment.data
            yield content if isinstance(content, bytes) else content.exportBytes()
        yield message.rtfBody
        yield message.htmlBody
        yield (message.body or "").encode()


def read_encrypted(_, data):
    import msoffcrypto
    office, out = msoffcrypto.OfficeFile(io.BytesIO(data)), io.BytesIO()
    office.load_key(password=EXCEL_PASSWORD)
    office.decrypt(out)
    yield out.getvalue()


def read_active_mime(_, data):
    from oletools import olevba
    if olevba.is_mso_file(data):
        yield olevba.mso_file_extract(data)


def read_xml(_, data):
    """Text that is base64, as `pkg:binaryData`, `w:binData` and `office:binary-data` have it."""
    for element in etree.fromstring(data).iter():
        with contextlib.suppress(binascii.Error):
            if element.text and len(element.text) > 30:
                yield base64.b64decode("".join(element.text.split()), validate=True)


def read_html(_, data):
    """What a page decodes: its `data:` addresses, and strings of base64 in its scripts."""
    for address in DATA_URI.findall(data):
        with contextlib.suppress(ValueError, OSError):
            # This opens no connection.
            yield urllib.request.DataHandler().data_open(urllib.request.Request(address.decode("latin-1"))).read()
    for text in QUOTED_BASE64.findall(data) if any(decoder in data for decoder in DECODERS) else ():
        with contextlib.suppress(binascii.Error):
            yield base64.b64decode(text)


class Addresses(html.parser.HTMLParser):
    """The `data:` addresses in attributes, and the pages in `srcdoc`."""

    def __init__(self):
        super().__init__()
        self.found, self.pages = [], []

    def handle_starttag(self, _, attributes):
        for name, value in attributes:
            # Browsers take line breaks and tabs out of an address, and spaces from its ends.
            address = re.sub(r"[\t\r\n]", "", value or "").strip()
            if address[:5].lower() == "data:":
                self.found.append(address)
            if name == "srcdoc":
                self.pages.append(value)


def read_attributes(_, data):
    """What a page's links lead to by themselves: references are resolved, then the address is decoded as browsers do."""
    pages = [data.decode("latin-1")]
    while pages:
        parser = Addresses()
        parser.feed(pages.pop())
        parser.close()
        pages += parser.pages[:9]
        for address in parser.found:
            head, _, content = address[5:].partition(",")
            content = urllib.parse.unquote_to_bytes(content)
            if head.lower().replace(" ", "").endswith(";base64"):
                with contextlib.suppress(binascii.Error):
                    content = base64.b64decode(b"".join(content.split()))
            yield content


def read_page(_, data):
    """A page as a browser decodes it (WHATWG Encoding, 4.2): by its mark, or in the one set of shift sequences that it knows."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "iso2022_jp"
    yield data.decode(encoding, "replace").encode()


def read_fields(_, data):
    """LDIF (RFC 2849) and vCard (RFC 2426): folded lines, whose value is base64."""
    for line in re.sub(rb"\r?\n[ \t]", b"", data).splitlines():
        name, colon, value = line.partition(b":")
        if colon and (value.startswith(b":") or re.search(rb"encoding=(b|base64)\b|;base64\b", name, re.IGNORECASE)):
            with contextlib.suppress(binascii.Error):
                yield base64.b64decode(value.lstrip(b":"))


# Name: the module that it needs, the function, and what a file must have.
READERS = {
    "pikepdf": ("pikepdf", read_with_pikepdf, is_pdf), "pypdf": ("pypdf", read_with_pypdf, is_pdf), "pymupdf": ("pymupdf", read_with_pymupdf, is_pdf),
    "extract-msg": ("extract_msg", read_message, lambda data: data.startswith(COMPOUND)), "msoffcrypto": ("msoffcrypto", read_encrypted, lambda data: data.startswith(COMPOUND)),
    "olevba": ("oletools", read_active_mime, lambda data: data.startswith(b"ActiveMime")),
    "xml-text": (None, read_xml, lambda data: data.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<")), "html-text": (None, read_html, lambda data: b"<" in data or b"data:" in data.lower()),
    "html-attributes": (None, read_attributes, lambda data: b"<" in data and b"=" in data),
    "html-charset": (None, read_page, lambda data: data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"iso-2022-jp" in data[:1024].lower()),
    "ldif-vcard": (None, read_fields, lambda data: b"\ndn:" in b"\n" + data or b"BEGIN:VCARD" in data.upper()),
}
