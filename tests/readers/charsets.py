"""Text in character sets in which ASCII looks different: with shift sequences, in UTF-7, HZ and EBCDIC, in words of two and four bytes; by the declaration of XML, by a page's `meta`, by the charset of a mail."""

import base64, itertools

from base import EICAR, PAYLOADS, Member, base64_lines, zip_of
from office import STREAMS, compound, package
from office_libraries import flat_odf, flat_opc

KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "hidden")}


def each(form):
    return lambda text: "".join(form.replace("@", character) for character in text)


def in_utf7(text, start="+", sign="/"):
    return "".join(start + base64.b64encode(character.encode("utf-16-be")).decode().rstrip("=").replace("/", sign) + "-" for character in text)


# The label, and how digits are written in it.
SHIFTED = {"jp": ("ISO-2022-JP", each("@\x1b(B")), "jp-roman": ("ISO-2022-JP", each("@\x1b(J")), "jp-once": ("ISO-2022-JP", lambda text: text[:40] + "\x1b(B" + text[40:]), "jp-empty": ("ISO-2022-JP", lambda text: "\x1b$B\x1b(B".join(text[at:at + 9] for at in range(0, len(text), 9)))}
DECLARED = SHIFTED | {"utf-7": ("UTF-7", in_utf7), "hz": ("HZ", each("@~{~}")), "kr": ("ISO-2022-KR", each("@\x0f")), "cn": ("ISO-2022-CN", each("@\x0f")), "jp-2": ("ISO-2022-JP-2", each("@\x1b(B"))}
WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


def xml():
    frames = {"odf": ("fodt", flat_odf), "opc": ("xml", lambda text: flat_opc("/word/embeddings/oleObject1.bin", text)), "own": ("xml", lambda text: f"<?xml version='1.0'?>\n<a b='c'>{text}</a>\n".encode())}
    for (kind, data), (frame, (extension, wrap)), (name, (label, write)) in itertools.product(KINDS.items(), frames.items(), DECLARED.items()):
        for object_, content in {"bare": data, "package": compound([(STREAMS["package"], package(data))])}.items():
            if object_ == "package" and frame != "odf":
                continue
            head, behind = wrap("@@@").decode().split("@@@")
            head = head.replace("UTF-8", label, 1) if "UTF-8" in head else head.replace("'1.0'", f"'1.0' encoding='{label}'", 1)
            written = head + write(base64.b64encode(content).decode()) + behind
            if label != "UTF-7" or "+" not in head + behind:
                yield f"xml-{frame}-{name}-{object_}-{kind}", extension, written.encode("latin-1")
        text = wrap(base64.b64encode(data).decode()).decode().replace("UTF-8", "UTF-16").replace("'1.0'", "'1.0' encoding='UTF-16'")
        if name == "jp":
            for encoding in WIDE:
                for mark in ("", "\ufeff"):
                    yield f"xml-{frame}-{encoding}{'-mark' if mark else ''}-{kind}", extension, (mark + text).encode(encoding)


def pages():
    places = {"address": '<a download="e.com" href="data:application/octet-stream;base64,%s">a</a>', "script": '<script>document.title = atob("%s")</script>'}
    for (kind, data), (place, page), (name, (label, write)) in itertools.product(KINDS.items(), places.items(), SHIFTED.items()):
        written = f'<!DOCTYPE html><meta charset="{label.lower()}">{page % write(base64.b64encode(data).decode())}'.encode()
        yield f"page-{place}-{name}-{kind}", "html", written
        if name == "jp":
            yield f"page-{place}-{name}-zipped-{kind}", "zip", zip_of(Member("a.html", written))
    for (kind, data), (place, page), encoding in itertools.product(KINDS.items(), places.items(), WIDE[:2]):
        for first in ("\u4e00 ", "Hello ", "\U0001f600 "):
            yield f"page-{place}-{encoding}-{ord(first[0]):x}-{kind}", "html", ("\ufeff" + first + page % base64.b64encode(data).decode()).encode(encoding)


def mails():
    wide = base64_lines(EICAR.decode().encode("utf-16-le"))
    forms = {"other-first": "x-charset=utf-8; charset=utf-16", "in-name": 'name="charset=utf-8"; charset=utf-16', "continued": 'charset*0="utf"; charset*1="-16"', "encoded": "charset*=us-ascii''utf-16", "percent": "charset*=us-ascii''%75tf-16", "pair": 'charset="utf\\-16"',
             "comment": "charset=(c)utf-16", "slash": 'charset="utf/16"', "space": 'charset="utf 16"', "double": "charset=utf--16", "plus": 'charset="utf+16"', "word": 'charset="=?us-ascii?q?utf-16?="'}
    for name, parameter in forms.items():
        yield f"mail-{name}", "eml", f"From: a@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; {parameter}\r\nContent-Transfer-Encoding: base64\r\n\r\n{wide}".encode()
    for label in ("mac-arabic", "mac_farsi", "cp037", "cp273", "cp500", "cp1026", "cp875"):
        data = EICAR.replace(b"!", b"\xa1") if label.startswith("mac") else EICAR.decode().encode(label)
        yield f"mail-{label}", "eml", f"From: a@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset={label}\r\nContent-Transfer-Encoding: base64\r\n\r\n{base64_lines(data)}".encode()


def variants():
    yield from xml()
    yield from pages()
    for name, extension, data in mails():
        yield name, extension, data
