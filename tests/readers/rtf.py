"""RTF files with OLE 1 packages, in every way to write their hexadecimal that readers take (RTF 1.9.1, "Objects"; [MS-OLEDS] 2.2)."""

import itertools, struct

from base import EICAR, FRONTS, PAYLOADS, Member, base64_lines, mail, png, zip_of
from office import compound, package


def ole1(data, class_name=b"Package", native=None):
    """An embedded object: version, format 2, class, topic, item, native data."""
    content = package(data)[4:] if native is None else native
    return struct.pack("<III", 0x501, 2, len(class_name) + 1) + class_name + b"\0" + struct.pack("<III", 0, 0, len(content)) + content


def ole2(data):
    """The same with a compound file as its native data."""
    return ole1(data, b"OLE2Link", compound([("\1Ole10Native", package(data))]))


def lines(text, width=64, newline="\r\n"):
    return newline.join(text[start:start + width] for start in range(0, len(text), width))


# How the digits stand in the file.
WRITINGS = {
    "plain": lambda digits: digits, "upper": str.upper, "lines": lines, "spaces": lambda digits: " ".join(digits[at:at + 2] for at in range(0, len(digits), 2)), "split": lambda digits: " ".join(digits), "tabs": lambda digits: lines(digits, 16, "\t"),
    "groups": lambda digits: "{}".join(digits[at:at + 32] for at in range(0, len(digits), 32)), "ignored": lambda digits: "{\\*\\x abc}".join(digits[at:at + 64] for at in range(0, len(digits), 64)), "words": lambda digits: "\\par ".join(digits[at:at + 64] for at in range(0, len(digits), 64)),
    "bin": lambda digits: "\\bin0 ".join(digits[at:at + 64] for at in range(0, len(digits), 64)), "nul": lambda digits: lines(digits, 64, "\0"), "cr": lambda digits: lines(digits, 64, "\r"), "zeros": lambda digits: digits + "0" * 100, "junk": lambda digits: lines(digits, 32, "zz"), "escaped": lambda digits: lines(digits, 64, "\\'"),
}
# What readers skip between digits, each in its own way; odd numbers of digits stand before some.
BETWEEN = {
    "escape-any": "\\'zz", "escape-brace": "\\'{}", "pict": "{\\pict 00ff}", "bold": "{\\b}", "number-huge": "\\b-12345678901234567890 ", "word-long": "\\" + "x" * 200 + " ", "bin-minus": "\\bin-5 ",
    "symbols": "\\~\\_\\-\\|", "escaped-braces": "\\{\\}", "form-feed": "\x0c\x0b", "high": "\xe9\xff", "deep": "{" * 30 + "}" * 30, "comment": "{\\*\\comment zz}", "property": "{\\sn 12}", "unicode": "\\u-30000?", "object": "{\\objdata 4142}",
}
HEADS = {"rtf1": "{\\rtf1", "rtf": "{\\rtf", "rt": "{\\rt", "rtf-other": "{\\rtfX1", "rtf-space": "{\\rtf1 ", "rtf-ansi": "{\\rtf1\\ansi\\deff0{\\fonttbl{\\f0 Arial;}}"}


def rtf(digits, head="{\\rtf1", group="{\\object\\objemb{\\*\\objclass Package}\\objw1\\objh1{\\*\\objdata %s}}", tail="}"):
    return (head + " hello " + group.replace("%s", digits) + tail).encode("latin-1")


def numbers(form, every=1):
    return lambda digits: "".join(form % ord(digit) if index % every == 0 else digit for index, digit in enumerate(digits))


# LibreOffice takes digits by their number in a character set. It makes an object only of one that shows a picture.
SHOWN = WRITINGS | {
    "hexadecimal": numbers("\\'%02x"), "hexadecimal-some": numbers("\\'%02x", 7), "unicode": lambda digits: "\\uc0 " + numbers("\\u%d ")(digits), "unicode-substitute": numbers("\\u%d?", 9), "unicode-substitutes": lambda digits: "\\uc3 " + numbers("\\u%dzzz", 9)(digits), "unicode-escaped": numbers("\\u%d\\'3f", 9),
    "group": "{{{}}}".format, "bold": lambda digits: "".join("{\\b %s}" % digits[at:at + 64] for at in range(0, len(digits), 64)), "halves": lambda digits: digits[:100] + "{\\b " + digits[100:] + "}", "lines-3": lambda digits: lines(digits, 3), "unicode-in-group": lambda digits: "{\\uc0{" + numbers("\\u%d ", 3)(digits) + "}}",
}
PICTURE = "{\\result{\\pict\\pngblip\\picw26\\pich26\\picwgoal15\\pichgoal15 %s}}" % png().hex()


def shown():
    group = "{\\object\\objemb\\objw300\\objh300{\\*\\objclass Package}{\\*\\objdata %s}" + PICTURE + "}"
    head = "{\\rtf1\\ansi\\deff0{\\fonttbl{\\f0 Arial;}}\\pard "
    for (kind, data), (writing, write) in itertools.product({kind: PAYLOADS[kind] for kind in ("eicar", "hidden")}.items(), SHOWN.items()):
        for form, native in {"package": ole1(data), "compound": ole2(data), "contents": ole1(b"", b"Word.Document.8", compound([("CONTENTS", data)]))}.items():
            yield f"shown-{form}-{writing}-{kind}", "rtf", rtf(write(native.hex()), head, group)
    digits = numbers("\\u%d ", 5)(ole1(EICAR).hex())
    yield "shown-unicode-from-outside", "rtf", rtf(digits, head + "\\uc0 ", group)
    yield "shown-unicode-within-others", "rtf", rtf(digits, head + "\\uc0{\\uc2 a}", group)


def variants():
    yield from shown()
    groups = {"usual": "{\\object\\objemb{\\*\\objclass Package}{\\*\\objdata %s}}", "no-star": "{\\object\\objemb{\\objdata %s}}", "bare": "{\\objdata %s}", "update": "{\\object\\objautlink\\objupdate{\\*\\objdata %s}}", "html": "{\\object\\objhtml{\\*\\objdata %s}}", "ocx": "{\\object\\objocx{\\*\\objdata %s}}",
              "number": "{\\object\\objemb{\\*\\objdata123 %s}}", "nested": "{\\object\\objemb{{{{\\*\\objdata %s}}}}}", "upper": "{\\object\\objemb{\\*\\OBJDATA %s}}", "stylesheet": "{\\*\\stylesheet{\\*\\objdata %s}}", "datastore": "{\\*\\datastore %s}", "result": "{\\object\\objemb{\\result x}{\\*\\objdata %s}}"}
    for (kind, data), (writing, write) in itertools.product(PAYLOADS.items(), WRITINGS.items()):
        yield f"{writing}-{kind}", "rtf", rtf(write(ole1(data).hex()))
        yield f"compound-{writing}-{kind}", "rtf", rtf(write(ole2(data).hex()))
    for (name, group), (head_name, head) in itertools.product(groups.items(), HEADS.items()):
        yield f"group-{name}-{head_name}", "rtf", rtf(ole1(EICAR).hex(), head, group)
    digits = ole1(EICAR).hex()
    for (name, junk), every in itertools.product(BETWEEN.items(), (7, 40)):
        yield f"between-{name}-{every}", "rtf", rtf(junk.join(digits[at:at + every] for at in range(0, len(digits), every)))
    native = ole1(EICAR)
    for at in (0, 15, 60):
        head, rest = digits[:2 * at].encode(), native[at:]
        yield f"binary-at-{at}", "rtf", b"{\\rtf1{\\object{\\*\\objdata " + head + b"\\bin%d " % len(rest) + rest + b"}}}"
        yield f"binary-odd-{at}", "rtf", b"{\\rtf1{\\object{\\*\\objdata " + digits[:2 * at + 1].encode() + b"\\bin2 " + bytes.fromhex(digits[2 * at + 1:2 * at + 5]) + digits[2 * at + 5:].encode() + b"}}}"
    plain = rtf(lines(ole1(EICAR).hex()))
    for name, front in FRONTS.items():
        yield f"behind-{name}", "rtf", front + plain
    for name, tail in {"none": "", "two": "}}", "junk": "}junk", "nul": "}\0\0"}.items():
        yield f"tail-{name}", "rtf", rtf(ole1(EICAR).hex(), tail=tail)
    for class_name in (b"Package", b"package", b"Word.Document.8", b"", b"x" * 200):
        yield f"class-{class_name[:4].hex()}-{len(class_name)}", "rtf", rtf(ole1(EICAR, class_name).hex())
    for kind, data in PAYLOADS.items():
        whole = rtf(ole1(data).hex())
        yield f"zipped-{kind}", "zip", zip_of(Member("a.rtf", whole))
        yield f"mailed-{kind}", "eml", mail(base64_lines(whole))
        binary = ole1(data)
        yield f"binary-{kind}", "rtf", b"{\\rtf1 {\\object\\objemb{\\*\\objdata \\bin%d " % len(binary) + binary + b"}}}"
        yield f"second-{kind}", "rtf", rtf(ole1(b"harmless").hex(), tail="") + rtf(ole1(data).hex(), head="")
