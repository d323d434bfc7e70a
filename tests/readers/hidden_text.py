"""Data in scripts, pages and records in a form that only the program which reads them undoes: escapes, long lines, elements that hold no text, and characters that decoders of base64 skip."""

import base64, itertools, json

from base import PAYLOADS

KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "hidden")}
# Lines are read in pieces of so many bytes.
PIECE = 65_536


def base64_of(data):
    return base64.b64encode(data).decode()


def pieces(text, n, joint):
    return joint.join(text[at:at + n] for at in range(0, len(text), n))


def some(text, every, write):
    return "".join(write(character) if index % every == 0 else character for index, character in enumerate(text))


ESCAPES = {
    "hex": lambda c: "\\x%02x" % ord(c), "octal": lambda c: "\\%03o" % ord(c), "unicode": lambda c: "\\u%04x" % ord(c), "braces": lambda c: "\\u{%x}" % ord(c), "braces-zeros": lambda c: "\\u{0000%x}" % ord(c), "perl": lambda c: "\\x{%x}" % ord(c), "long": lambda c: "\\U%08x" % ord(c),
    "percent": lambda c: "%%%02x" % ord(c), "percent-u": lambda c: "%%u%04x" % ord(c),
}
SAVE = "function s(b){var a=document.createElement('a');a.href=URL.createObjectURL(new Blob([b]));a.download='e.com';document.documentElement.appendChild(a);a.click()}"


def page(script):
    return f"<!DOCTYPE html><title>x</title><script>{SAVE}{script}</script>".encode()


def scripts():
    for (kind, data), (name, write) in itertools.product(KINDS.items(), ESCAPES.items()):
        raw, text = data.decode("latin-1"), base64_of(data)
        yield f"bytes-{name}-{kind}", "html", page(f's("{some(raw, 1, write)}")')
        for every in (1, 5, 63):
            yield f"base64-{name}-{every}-{kind}", "html", page(f's(atob("{some(text, every, write)}"))')
    for (kind, data), (name, joint) in itertools.product(KINDS.items(), {"comment": '"/* it\'s */+"', "line-comment": '"// it\'s\n+"', "separator": "\\\u2028", "slash": "\\\n"}.items()):
        yield f"joined-{name}-{kind}", "html", page(f's(atob("{pieces(base64_of(data), 9 if name == "separator" else 70, joint)}"))')


def long_lines():
    """Data that begins near the end of a piece of a line."""
    for kind, data in KINDS.items():
        text, hexes = base64_of(data), "".join(ESCAPES["hex"](chr(byte)) for byte in data)
        frames = {
            "address": ('<!DOCTYPE html><p>@<a download="e.com" href="data:application/octet-stream;base64,', text, '">x</a>', "html"), "atob": (f'<!DOCTYPE html><p>@<script>{SAVE}s(atob("', text, '"))</script>', "html"),
            "escapes": (f'<!DOCTYPE html><p>@<script>{SAVE}s("', hexes, '")</script>', "html"), "yaml": ('{p: "@", a: !!binary "', text, '"}\n', "yaml"), "plist": ('<?xml version="1.0"?><plist version="1.0"><dict><key>p</key><string>@</string><key>a</key><data>', text, "</data></dict></plist>", "plist"),
        }
        for (name, (before, body, behind, extension)), shift in itertools.product(frames.items(), (-40, -7, -3, 0, 1)):
            n_filler = PIECE - len(before) + 1 + shift
            yield f"line-{name}-{shift}-{kind}", extension, (before.replace("@", "a " * (n_filler // 2) + " " * (n_filler % 2)) + body + behind).encode()


def elements():
    fronts = {"svg-title": "<svg><title>", "svg-style": "<svg><style><p>", "svg-xmp": "<svg><xmp><p>", "math-style": "<math><style><p>", "noscript": "<noscript><textarea></noscript>", "double-escaped": "<script><!--<script></script><textarea>--></script>", "two-titles": "<svg><desc><title></title></desc><title>"}
    for (kind, data), (name, front), quote in itertools.product(KINDS.items(), fronts.items(), ('"', "'", "")):
        address = "data:application/octet-stream;base64," + some(base64_of(data), 4, lambda c: f"&#{ord(c)};")
        mark = {'"': "double", "'": "single", "": "bare"}[quote]
        yield f"element-{name}-{mark}-{kind}", "html", f"Hello {front}<a download=e.com href={quote}{address}{quote}>x</a>".encode()


def addresses():
    for (kind, data), (name, media_type) in itertools.product(KINDS.items(), {"octets": "application/octet-stream", "none": "", "long": "a/b;x=" + "a" * 300, "longer": "a/b;x=" + "a" * 5000, "odd": "a/b;x=~!(a)"}.items()):
        raw = "".join(chr(byte) if chr(byte).isalnum() or chr(byte) in "()'`-." else "%%%02x" % byte for byte in data)
        yield f"raw-{name}-{kind}", "html", f'<!DOCTYPE html><a download="e.com" href="data:{media_type},{raw}">x</a>'.encode()
        yield f"raw-case-{name}-{kind}", "html", page(f'var a=document.createElement("a");a.href="dAtA:{media_type},{"".join("%%%02x" % byte for byte in data)}";a.download="e.com"')
        odd = some(base64_of(data), 4, lambda c: f"&#{ord(c)};")
        yield f"type-{name}-{kind}", "html", f'<!DOCTYPE html><a download="e.com" href="data:{media_type};base64,{odd}">x</a>'.encode()
    for kind, data in KINDS.items():
        yield f"bare-{kind}", "html", f"<!DOCTYPE html><title>x</title><p id=k data-x={base64_of(data)}>x</p><script>{SAVE}s(atob(document.getElementById('k').getAttribute('data-x')))</script>".encode()


def markup():
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>%s</script></svg>'
    xhtml = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body><script>%s</script></body></html>'
    for kind, data in KINDS.items():
        text = base64_of(data)
        forms = {"zeros": some(text, 4, lambda c: "&#%07d;" % ord(c)), "hexadecimal": some(text, 3, lambda c: "&#x0000%x;" % ord(c)), "comments": pieces(text, 9, "<!-- -->"), "cdata": pieces(text, 9, "<![CDATA[]]>"), "instructions": pieces(text, 9, "<?a?>")}
        for (name, written), (frame, (around, extension)) in itertools.product(forms.items(), {"svg": (svg, "svg"), "xhtml": (xhtml, "xhtml")}.items()):
            yield f"script-{frame}-{name}-{kind}", extension, (around % f"{SAVE}s(atob('{written}'))").encode()
        for name in ("zeros", "hexadecimal"):
            yield f"handler-{name}-{kind}", "html", f"<!DOCTYPE html><title>x</title><body onload=\"{SAVE}s(atob('{forms[name]}'))\">".encode()
            yield f"address-of-script-{name}-{kind}", "html", f"<!DOCTYPE html><title>x</title><a href=\"javascript:{SAVE}s(atob('{forms[name]}'))\">x</a>".encode()


def records():
    for (kind, data), (name, joint) in itertools.product(KINDS.items(), {"stars": "*", "spaces": " ", "dots": ".", "hyphens": "-"}.items()):
        text = pieces(base64_of(data), 7, joint)
        card = "BEGIN:VCARD\r\nVERSION:%s\r\nN:Example;Ann\r\nFN:Ann Example\r\n%s\r\nEND:VCARD\r\n"
        yield f"card-2-{name}-{kind}", "vcf", (card % ("2.1", f"PHOTO;ENCODING=BASE64;TYPE=JPEG:{text}\r\n")).encode()
        yield f"card-3-{name}-{kind}", "vcf", (card % ("3.0", f"PHOTO;ENCODING=b;TYPE=JPEG:{text}")).encode()
        yield f"directory-{name}-{kind}", "ldif", f"version: 1\n\ndn: cn=Ann,dc=example\nobjectClass: person\njpegPhoto:: {text}\n\n".encode()
        yield f"yaml-{name}-{kind}", "yaml", f'a: !!binary "{text}"\n'.encode()
        yield f"plist-{name}-{kind}", "plist", f'<?xml version="1.0"?>\n<plist version="1.0"><dict><key>a</key><data>{text}</data></dict></plist>\n'.encode()
        yield f"rpc-{name}-{kind}", "xml", f"<?xml version='1.0'?>\n<methodResponse><params><param><value><base64>{text}</base64></value></param></params></methodResponse>\n".encode()
        notebook = {"cells": [{"cell_type": "code", "execution_count": 1, "metadata": {}, "source": ["1"], "outputs": [{"output_type": "display_data", "metadata": {}, "data": {"image/png": text}}]}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
        yield f"notebook-{name}-{kind}", "ipynb", json.dumps(notebook).encode()
    for kind, data in KINDS.items():
        text, lines, at, n = base64_of(data), [], 0, 3
        while at < len(text):
            lines.append(text[at:at + n])
            at, n = at + n, n + 1
        yield f"yaml-growing-{kind}", "yaml", ("a: !!binary |\n" + "".join(f"  {line}\n" for line in lines)).encode()
        quoted = "".join("=%02X" % byte for byte in data)
        for name, value in {"line": quoted, "lines": pieces(quoted, 60, "=\r\n")}.items():
            yield f"card-quoted-{name}-{kind}", "vcf", (f"BEGIN:VCARD\r\nVERSION:2.1\r\nN:Example;Ann\r\nFN:Ann Example\r\nNOTE;ENCODING=QUOTED-PRINTABLE:{value}\r\nEND:VCARD\r\n").encode()


def variants():
    for part in (scripts, long_lines, elements, addresses, markup, records):
        yield from part()
