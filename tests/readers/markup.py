"""Base64 in XML and HTML that only a parser sees: with references, comments, instructions and CDATA in between, and what LibreOffice and browsers skip."""

import base64, itertools

from base import HARMLESS, PAYLOADS, Member, mail, base64_lines, zip_of
from office import STREAMS, compound, package
from office_libraries import flat_odf, flat_opc, word_2003

KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "hidden")}
FRAMES = {"opc": ("xml", lambda text: flat_opc("/word/embeddings/oleObject1.bin", text)), "odf": ("fodt", flat_odf), "word": ("xml", lambda text: word_2003("oledata.mso", text)), "own": ("xml", lambda text: f"<?xml version='1.0'?>\n<a b='c'>{text}</a>\n".encode())}


def pieces(text, n_digits):
    return [text[at:at + n_digits] for at in range(0, len(text), n_digits)]


def numbers(form, every):
    return lambda text: "".join(form % ord(character) if index % every == 0 else character for index, character in enumerate(text))


def joined(joint, n_digits=7):
    return lambda text: joint.join(pieces(text, n_digits))


# How the digits stand in the text of an element, for every parser.
TEXTS = {
    "decimal": numbers("&#%d;", 1), "decimal-some": numbers("&#%d;", 5), "hexadecimal": numbers("&#x%x;", 1), "hexadecimal-zeros": numbers("&#x000%X;", 5),
    "cdata": lambda text: f"<![CDATA[{text}]]>", "cdata-pieces": lambda text: "".join(f"<![CDATA[{piece}]]>" for piece in pieces(text, 16)), "cdata-some": lambda text: "".join(piece if index % 2 else f"<![CDATA[{piece}]]>" for index, piece in enumerate(pieces(text, 16))),
    "comments": joined("<!-- a > b -->"), "comments-digits": joined("<!--QUJD-->", 16), "instructions": joined("<?a b?>"), "spaces": joined(" ", 3), "lines": joined("\n", 1), "tabs": joined("\t\t", 20),
    "lines-by-number": joined("&#10;", 60), "breaks-by-number": joined("&#13;&#10;", 76), "empty-cdata": joined("<![CDATA[]]>"), "indented": joined("\n      ", 12),
}
# What LibreOffice skips in an element that holds data.
SKIPPED = {"stars": joined("*"), "hyphens": joined("-"), "dots": joined("."), "accents": joined("é"), "elements": joined("<a/>"), "elements-with-text": joined("<a>QUJD</a>"), "elements-in-elements": joined("<a><b/>QUJD</a>")}


def texts():
    for (kind, data), (frame, (extension, wrap)), (form, write) in itertools.product(KINDS.items(), FRAMES.items(), (TEXTS | SKIPPED).items()):
        if form in SKIPPED and frame != "odf":
            continue
        for object_, content in {"bare": data, "package": compound([(STREAMS["package"], package(data))])}.items():
            if object_ == "package" and frame != "odf":
                continue
            written = wrap(write(base64.b64encode(content).decode()))
            yield f"{frame}-{form}-{object_}-{kind}", extension, written
            if form in ("decimal-some", "spaces", "comments") and object_ == "bare":
                text = written.decode()
                for encoding in ("utf-16", "utf-16-be", "utf-16-le"):
                    yield f"{frame}-{form}-{encoding}-{kind}", extension, text.replace('"UTF-8"', '"UTF-16"').replace("'1.0'", "'1.0' encoding='UTF-16'").encode(encoding)
                yield f"{frame}-{form}-zipped-{kind}", "zip", zip_of(Member("content.xml", written))
                yield f"{frame}-{form}-mailed-{kind}", "eml", mail(base64_lines(written))


# How an address stands in an attribute.
ADDRESSES = {
    "decimal": numbers("&#%d;", 1), "decimal-some": numbers("&#%d;", 5), "no-semicolons": lambda text: "".join(f"&#{ord(character)}" if index % 4 == 0 and text[index + 1:index + 2].isalpha() else character for index, character in enumerate(text)),
    "hexadecimal": numbers("&#X%X;", 1), "percent": lambda text: text[:text.index(",") + 1] + "".join("%%%02x" % ord(character) for character in text[text.index(",") + 1:]), "percent-some": lambda text: text[:40] + "".join("%%%02X" % ord(character) if index % 6 == 0 else character for index, character in enumerate(text[40:])),
    "lines": joined("\n", 20), "tabs": joined("\t", 9), "named-breaks": joined("&NewLine;", 9), "spaces-behind-comma": lambda text: text[:40] + joined(" ")(text[40:]),
}
PLACES = {
    "quoted": '<!DOCTYPE html><title>a</title><a href="%s" download="e.com">b</a>', "single": "<p>Hello<a download=e.com href = '%s'>b</a>", "bare": "<html><body><a download=e.com href=%s>b</a>", "behind-text": 'Hello <a href="%s">b</a>',
    "behind-comment": '<!--><a href="%s">b</a>', "behind-marked-comment": '<html><!-- a --!><a href="%s">b</a>', "behind-script": '<html><script>a = "<!--";</script><a href="%s">b</a>', "behind-quote": '<html><p it\'s><a href="%s">it\'s</a>', "behind-instruction": '<?a><a href="%s">b</a>',
    "object": '<html><object data="%s"></object>', "svg": '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><a xlink:href="%s"><text>b</text></a></svg>',
}


def addresses():
    for (kind, data), (form, write), (place, page) in itertools.product(KINDS.items(), ADDRESSES.items(), PLACES.items()):
        if place == "bare" and form in ("lines", "tabs", "spaces-behind-comma"):
            continue
        address = write("data:application/octet-stream;base64," + base64.b64encode(data).decode())
        yield f"address-{place}-{form}-{kind}", "svg" if place == "svg" else "html", (page % address).encode()
    for (kind, data), form in itertools.product(KINDS.items(), ("decimal-some", "hexadecimal")):
        inner = f'<a href="{ADDRESSES[form]("data:;base64," + base64.b64encode(data).decode())}">b</a>'
        escaped = inner.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        yield f"page-in-attribute-{form}-{kind}", "html", f'<html><iframe srcdoc="{escaped}"></iframe>'.encode()
    yield "harmless-among", "html", ('<html>' + "".join(f'<a href="https://example.org/?a={index}&amp;b={"Q2F0" * 20}">{HARMLESS.decode()}</a>' for index in range(50)) + PLACES["quoted"] % ADDRESSES["decimal-some"]("data:;base64," + base64.b64encode(KINDS["eicar"]).decode())).encode()


def variants():
    yield from texts()
    yield from addresses()
