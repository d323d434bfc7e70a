"""Mail whose attachments mail programs save, in every shape of header, boundary, charset and transfer encoding (RFC 5322, 2045 to 2047, 2231, 4155)."""

import codecs, itertools
from encodings import aliases

from base import EICAR, HARMLESS, PAYLOADS, base64_lines, spoilt_lines, uuencoded

KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "hidden")}
TOP = 'From: a@example.org\r\nTo: b@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n'
ATTACHED = 'Content-Type: application/octet-stream; name="e.zip"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="e.zip"\r\n'
MBOX = "From a@example.org Mon Jan  1 00:00:00 2024\r\n"


def message(body, attached=ATTACHED, top=TOP, before="", more="", behind="", boundary="b"):
    text = f"{before}{top}{more}\r\n--{boundary}\r\nContent-Type: text/plain\r\n\r\nhello\r\n--{boundary}\r\n{attached}\r\n{body}--{boundary}--\r\n{behind}"
    return text.encode("latin-1")


def quoted(data):
    return "".join(f"={byte:02X}" + "=\r\n" * (index % 20 == 19) for index, byte in enumerate(data)) + "\r\n"


def bodies(data):
    """Each way to write the same bytes: its name, the transfer encoding, the lines."""
    pieces = "".join(base64_lines(data[start:start + 10]) for start in range(0, len(data), 10))
    return {
        "plain": ("base64", base64_lines(data)), "junk": ("base64", spoilt_lines(data)), "space": ("base64", spoilt_lines(data, " ")), "tab": ("base64", spoilt_lines(data, "\t")), "dash": ("base64", spoilt_lines(data, "-")),
        "nul": ("base64", spoilt_lines(data, "\0")), "8bit": ("base64", spoilt_lines(data, "\xe9")), "pieces": ("base64", pieces), "short": ("base64", base64_lines(data, 4)), "one-line": ("base64", base64_lines(data, 1 << 20)),
        "blank-lines": ("base64", base64_lines(data, 20, "\r\n\r\n")), "quoted": ("quoted-printable", quoted(data)), "uu": ("x-uuencode", uuencoded(data).decode("latin-1").replace("\n", "\r\n")),
        "binary": ("binary", data.decode("latin-1") + "\r\n"), "upper": ("BASE64", base64_lines(data)), "no-padding": ("base64", base64_lines(data).replace("=", "")),
    }


def charsets():
    names = ("", "utf-8", "utf-16", "utf-16le", "utf-16be", "utf-32", "utf-7", "iso-2022-jp", "gb18030", "big5", "us-ascii", "iso-8859-1", "macintosh", "x-unknown", "hz-gb-2312")
    kinds = ("text/plain", "text/html", "text/csv", "text/x-other", "application/zip")
    for (kind, data), charset, media, shape in itertools.product(KINDS.items(), names, kinds, ("plain", "junk", "quoted")):
        encoding, body = bodies(data)[shape]
        for disposition in ('attachment; filename="e.zip"', "inline"):
            if disposition == "inline" and media not in ("text/plain", "text/html"):
                continue
            given = f"; charset={charset}" if charset else ""
            attached = f"Content-Type: {media}{given}\r\nContent-Transfer-Encoding: {encoding}\r\nContent-Disposition: {disposition}\r\n"
            yield f"charset-{charset or 'none'}-{media}-{shape}-{disposition[:6]}-{kind}", message(body, attached)


def encodings():
    for kind, data in KINDS.items():
        for shape, (encoding, body) in bodies(data).items():
            yield f"body-{shape}-{kind}", message(body, ATTACHED.replace("base64", encoding))
            yield f"body-{shape}-lf-{kind}", message(body, ATTACHED.replace("base64", encoding)).replace(b"\r\n", b"\n")
            yield f"body-{shape}-alone-{kind}", f"MIME-Version: 1.0\r\n{ATTACHED.replace('base64', encoding)}\r\n{body}".encode("latin-1")
            yield f"body-{shape}-mbox-{kind}", message(body, ATTACHED.replace("base64", encoding), before=MBOX)
            yield f"body-{shape}-unclosed-{kind}", message(body, ATTACHED.replace("base64", encoding))[:-7]
        for name, field in {"folded": "Content-Transfer-Encoding:\r\n base64", "space": "Content-Transfer-Encoding : base64", "comment": "Content-Transfer-Encoding: (x) base64", "behind": "Content-Transfer-Encoding: base64 (x)",
                            "parameter": "Content-Transfer-Encoding: base64; x=y", "quotes": 'Content-Transfer-Encoding: "base64"', "nul": "Content-Transfer-Encoding: ba\0se64", "word": "Content-Transfer-Encoding: =?us-ascii?q?base64?=",
                            "x": "Content-Transfer-Encoding: x-base64", "twice": "Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64", "twice-first": "Content-Transfer-Encoding: base64\r\nContent-Transfer-Encoding: 7bit",
                            "tight": "content-transfer-encoding:base64", "tab": "Content-Transfer-Encoding:\tbase64", "underscore": "Content_Transfer_Encoding: base64", "trailing": "Content-Transfer-Encoding: base64 \t"}.items():
            for shape in ("plain", "junk"):
                attached = ATTACHED.replace("Content-Transfer-Encoding: base64", field)
                yield f"encoding-{name}-{shape}-{kind}", message(bodies(data)[shape][1], attached)
                yield f"encoding-{name}-{shape}-alone-{kind}", f"MIME-Version: 1.0\r\n{attached}\r\n{bodies(data)[shape][1]}".encode("latin-1")


def recognition():
    """What stands in front of the headers or among them, so that a reader of mail goes on and a recogniser does not."""
    lines = {"no-colon": "this line has no colon\r\n", "8bit-name": "X-\xe4: 1\r\n", "space-name": "X Foo: 1\r\n", "no-name": ": 1\r\n", "control-name": "X\x01: 1\r\n", "nul": "X\0: 1\r\n", "vertical-tab": "\x0b: 1\r\n", "form-feed": "\x0c\r\n",
             "cr": "X: 1\r\r\n", "dashes": "--\r\n", "long-line": "X: " + "y" * 100_000 + "\r\n", "many": "X: 1\r\n" * 8000, "folded": "X: 1\r\n" + " 2\r\n" * 20_000, "from": ">From a@b Mon\r\n"}
    fronts = {"blank": "\r\n", "blank-3": "\r\n\r\n\r\n", "lf": "\n", "bom": "\xef\xbb\xbf", "bom-16": "\xff\xfe", "space": " \r\n", "nul": "\0", "from": ">From a@b Mon\r\n", "text": "hello\r\n\r\n", "tab": "\t", "emlx": "1234\n", "xml": "<?xml version='1.0'?>\r\n",
              "received": "Received: from x\r\n" * 2000, "http": "HTTP/1.1 200 OK\r\n", "form-feed": "\x0c\r\n", "mbox-twice": MBOX + MBOX, "mbox-blank": MBOX + "\r\n", "babyl": "BABYL OPTIONS:\n\x1f\n1,,\n", "mmdf": "\1\1\1\1\n", "pine": "*mbx*\r\n"}
    for (kind, data), shape in itertools.product(KINDS.items(), ("plain", "junk")):
        body = bodies(data)[shape][1]
        for name, line in lines.items():
            yield f"line-first-{name}-{shape}-{kind}", message(body, before=line)
            yield f"line-{name}-{shape}-{kind}", message(body, more=line)
        for name, front in fronts.items():
            yield f"front-{name}-{shape}-{kind}", message(body, before=front)
            yield f"mbox-behind-{name}-{shape}-{kind}", message(body, before=front + "\r\n" + MBOX)
        whole = message(body)
        for name, (old, new) in {"cr": (b"\r\n", b"\r"), "lf": (b"\r\n", b"\n"), "lf-cr": (b"\r\n", b"\n\r"), "cr-cr-lf": (b"\r\n", b"\r\r\n")}.items():
            yield f"lines-{name}-{shape}-{kind}", whole.replace(old, new)
        yield f"lines-cr-first-{shape}-{kind}", whole.replace(b"\r\n", b"\r", 2)
        first = MBOX.encode() + b"Subject: first\r\n\r\nhello\r\n\r\n"
        yield f"mbox-second-{shape}-{kind}", first + MBOX.encode() + whole
        yield f"mbox-second-lf-{shape}-{kind}", (first + MBOX.encode() + whole).replace(b"\r\n", b"\n")
        yield f"mbox-many-{shape}-{kind}", first * 500 + MBOX.encode() + whole
        yield f"type-late-{shape}-{kind}", message(body, top=TOP.replace("Content-Type", "X: " + "y" * 70 + "\r\n" * 1 + "Content-Type"), before="X-First: " + "z" * 70_000 + "\r\n")
        for field in ("Return-Path: <a@b>\r\n", "Delivered-To: a@b\r\n", "X-Odd: 1\r\n", "Content-Type: text/plain\r\n", "Mime-Version: 1.0\r\n", "Status: RO\r\n", "x:y\r\n", "DKIM-Signature: v=1\r\n", "ARC-Seal: i=1\r\n", "Date: x\r\n"):
            yield f"begins-{field.split(':')[0]}-{shape}-{kind}", message(body, before=field)


# Parameters in several sections, with charsets and percent-encoding (RFC 2231), as programs write and misread them. The boundary is `bound`.
SECTIONS = {
    "charset": "boundary*=utf-8''bound", "language": "boundary*=us-ascii'en-us'%62ound", "bare-percent": "boundary*=%62ound", "no-charset": "boundary*=''%62ound", "one-quote": "boundary*=us-ascii'%62ound",
    "unknown": "boundary*=x-unknown''%62ound", "utf-16": "boundary*=utf-16be''%00%62%00%6F%00%75%00%6E%00%64", "utf-7": "boundary*=utf-7''bou+AG4-d", "quoted": 'boundary*="us-ascii\'\'%62ound"', "lower": "boundary*=us-ascii''%62%6f%75%6e%64",
    "half": "boundary*=us-ascii''bound%", "not-hex": "boundary*=us-ascii''bound%zz", "twice-encoded": "boundary*=us-ascii''%2562ound", "plain-percent": "boundary=%62ound", "plain-percent-quoted": 'boundary="us-ascii\'\'%62ound"',
    "sections": "boundary*0=bo;\r\n boundary*1=und", "reversed": "boundary*1=und;\r\n boundary*0=bo", "sections-quoted": 'boundary*0="bo";\r\n boundary*1="und"', "three": "boundary*0=b; boundary*1=ou; boundary*2=nd", "gap": "boundary*0=bound; boundary*2=zz", "from-one": "boundary*1=bo; boundary*2=und",
    "zeros": "boundary*00=bo; boundary*01=und", "same": "boundary*0=bound; boundary*0=zz", "ten": "; ".join(f"boundary*{index}={letter}" for index, letter in enumerate("bound")), "spaces": "boundary*0 = bo; boundary*1 = und", "upper": "BOUNDARY*0=bo; Boundary*1=und", "no-number": "boundary*x=bound",
    "all-encoded": "boundary*0*=us-ascii''%62o; boundary*1*=%75nd", "first-encoded": "boundary*0*=us-ascii''%62o; boundary*1=und", "later-encoded": "boundary*0=bo; boundary*1*=%75nd", "unasked-percent": "boundary*0*=us-ascii''bo; boundary*1=%75nd", "charset-later": "boundary*0*=bo; boundary*1*=us-ascii''und",
    "split-percent": "boundary*0*=us-ascii''bo%7; boundary*1*=5nd", "plain-before": 'boundary="zz"; boundary*=us-ascii\'\'bound', "plain-behind": "boundary*=us-ascii''bound; boundary=zz", "plain-right": "boundary=bound; boundary*=us-ascii''zz", "sections-before": "boundary*0=zz; boundary=bound", "sections-behind": "boundary=zz; boundary*0=bo; boundary*1=und",
}


def sections():
    for (kind, data), (name, parameter), shape in itertools.product(KINDS.items(), SECTIONS.items(), ("plain", "junk")):
        made = message(bodies(data)[shape][1], top=TOP.replace('boundary="b"', parameter), boundary="bound")
        yield f"sections-{name}-{shape}-{kind}", made
        yield f"sections-{name}-mbox-{shape}-{kind}", MBOX.encode() + made


def boundaries():
    types = ("mixed", "alternative", "related", "digest", "parallel", "signed", "encrypted", "report", "appledouble", "form-data", "x-other", "", "MIXED")
    parameters = {"percent": "boundary*=us-ascii''%62", "continued": 'boundary*0=b;\r\n boundary*1=""', "escaped": 'boundary="\\b"', "comment": "boundary=(c)b", "space": 'boundary= "b"', "tab": '\tboundary="b"', "twice": 'boundary="zz"; boundary="b"',
                  "twice-first": 'boundary="b"; boundary="zz"', "single": "boundary='b'", "trailing": 'boundary="b "', "nul": 'boundary="b\0"', "unclosed": 'boundary="b', "8bit": 'boundary="b\xff"', "upper": 'BOUNDARY="b"', "bare": "boundary=b",
                  "semicolons": ';; boundary="b"', "other-first": 'x="y\\"; boundary=z"; boundary="b"', "equals": 'boundary="b"="c"', "folded": '\r\n boundary="b"'}
    for (kind, data), shape in itertools.product(KINDS.items(), ("plain", "junk")):
        body = bodies(data)[shape][1]
        for name in types:
            yield f"multipart-{name or 'none'}-{shape}-{kind}", message(body, top=TOP.replace("multipart/mixed", f"multipart/{name}"))
        for media in ("message/rfc822", "message/partial", "message/global", "text/plain", "application/pkcs7-mime", "application/octet-stream"):
            yield f"boundary-of-{media}-{shape}-{kind}", message(body, top=TOP.replace("multipart/mixed", media))
        for name, parameter in parameters.items():
            yield f"boundary-{name}-{shape}-{kind}", message(body, top=TOP.replace('boundary="b"', parameter))
        yield f"boundary-none-{shape}-{kind}", message(body, top=TOP.replace('; boundary="b"', ""))
        yield f"boundary-trailing-space-{shape}-{kind}", message(body).replace(b"--b\r\n", b"--b \t\r\n")
        yield f"boundary-longer-{shape}-{kind}", message(body).replace(b"--b\r\nContent-Type: app", b"--bb\r\nContent-Type: app")
        inner = message(body).decode("latin-1").replace("--b", "--c").replace('"b"', '"c"')
        for encoding, lines in {"7bit": inner, "base64": base64_lines(inner.encode("latin-1")), "base64-junk": spoilt_lines(inner.encode("latin-1")), "quoted-printable": quoted(inner.encode("latin-1"))}.items():
            for media in ("message/rfc822", "message/global", "message/delivery-status", "text/rfc822-headers", 'application/octet-stream; name="a.eml"', 'multipart/mixed; boundary="c"'):
                attached = f"Content-Type: {media}\r\nContent-Transfer-Encoding: {encoding.removesuffix('-junk')}\r\n"
                yield f"nested-{encoding}-{media.split(';')[0]}-{shape}-{kind}", message(lines, attached)
        half = len(body) // 2
        for place, part in (("before", f"{TOP}\r\n{body}--b\r\n\r\n"), ("behind", None)):
            whole = message(base64_lines(HARMLESS), behind=f"\r\n--b\r\n{ATTACHED}\r\n{body}--b--\r\n") if part is None else message(base64_lines(HARMLESS), before=MBOX)
            yield f"part-{place}-{half % 2}-{shape}-{kind}", whole


def plain():
    """Bodies as they are, of messages that have no MIME: the body is the test file."""
    names = ("Subject", "From", "To", "Date", "Message-ID", "Received", "Content-Disposition", "Content-Location", "Content-Type", "Cc", "X-Mailer", "Hash", "MIME-Version", "Status", "x", "http", "")
    for name in names:
        for shape, field in {"": f"{name}: x", "tight": f"{name.lower()}:x", "space": f"{name} : x", "tab": f"{name}\t: x", "upper": f"{name.upper()}:", "no-colon": f"{name} x", "folded": f"{name}: x\n y", "long": f"{name}: {'x' * 70_000}"}.items():
            for front, text in {"": "", "dashes": "--b\n", "text": "hello\nreader\n", "paragraphs": "hello\n\nreader\n\n"}.items():
                yield f"plain-{name or 'none'}-{shape}-{front}", f"{text}{field}\n\n".encode() + EICAR
    header = b"Subject: x\nX-Other: y\n"
    for name, text in {"encoding": b"Content-Transfer-Encoding: x-other\n", "type": b"Content-Type: other\n", "multipart": b"Content-Type: multipart/mixed\n", "preamble": b"Content-Type: multipart/mixed; boundary=z\n", "word": b"=?us-ascii?Q?Subject?=: x\n", "odd": b"no field\n", "white": b" \t\n", "nul": b"\0\n"}.items():
        yield f"plain-more-{name}", header + text + b"\n" + EICAR
        yield f"plain-alone-{name}", text + b"\n" + EICAR
        yield f"plain-first-{name}", text + header + b"\n" + EICAR
    for name, lines in {"crlf": b"\r\n", "cr": b"\r", "cr-cr-lf": b"\r\r\n", "lf-cr": b"\n\r"}.items():
        for front in (b"", b"--b\n", b"hello\n\n"):
            yield f"plain-lines-{name}-{len(front)}", (front + header + b"\n").replace(b"\n", lines) + EICAR
    for name, blank in {"space": b" \n", "tab": b"\t\n", "space-blank": b" \n\n", "cr": b"\r\n", "none": b"", "form-feed": b"\x0c\n\n", "two": b"\n\n", "zero": b"\0\n\n"}.items():
        for front in (b"", b"--b\n"):
            yield f"plain-blank-{name}-{len(front)}", front + header + blank + EICAR
    for name, front in {"bom": b"\xef\xbb\xbf", "blank": b"\n\n", "from": b"From a@b Mon Jan  1 00:00:00 2024\n", "from-quoted": b">From a@b\n", "nul": b"\0\n", "space": b" \n", "line": b"hello\n", "500": b"hello\n\n" * 500, "records": b"a: 1\nb: 2\n\n" * 300, "mails": (header + b"\nhello\n") * 9, "mbox": b"From a\nX: y\n\nhello\n\nFrom b\n", "long": b"x" * 200_000 + b"\n\n"}.items():
        yield f"plain-front-{name}", front + header + b"\n" + EICAR
    for n in (2, 3):
        yield f"plain-nested-{n}", (header + b"\n") * n + EICAR
    part = b"--abc\nx: y\n\nhello\n"
    for name, front in {"second": part + b"--abc\nx: y\n\n", "no-header": part + b"--abc\n\n", "longer": part + b"--abcd\nx: y\n\n", "other": part + b"--zzz\nx: y\n\n", "close": b"--abc--\nx: y\n\n", "twice": b"--abc\n--abc\nx: y\n\n", "signed": b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA1\n\n",
                        "dash": b"---\nx: y\n\n", "space": b"--a b \nx: y\n\n", "vain": b"--abd\nfoo\n" * 5 + b"--abc\nx: y\n\n", "in-mail": header + b"\nhello\n--abc\nx: y\n\n", "in-mime": b"MIME-Version: 1.0\nContent-Type: text/plain\n\nhello\n--abc\nx: y\n\n", "type-second": part + b"--abc\nContent-Type: text/plain\n\n", "tenth": part * 9 + b"--abc\nx: y\n\n"}.items():
        for behind in (b"", b"\n--abc--\n"):
            yield f"plain-dashes-{name}-{len(behind)}", front + EICAR + behind


# What text in an encoding with states may have between any two letters without a change of its meaning.
IDLE = {
    "hz": b"~\n", "iso2022_jp": b"\x1b(B", "iso2022_jp_1": b"\x1b(B", "iso2022_jp_2": b"\x1b(B", "iso2022_jp_2004": b"\x1b(B", "iso2022_jp_3": b"\x1b(B", "iso2022_jp_ext": b"\x1b(B", "iso2022_kr": b"\x0f", "unicode_escape": b"\\\n",
}


def encoded_texts():
    """The test file in each of Python's encodings in which it is other bytes."""
    for name in sorted(set(aliases.aliases.values()) | {"hz", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf_8_sig"}):
        try:
            plain = codecs.encode(EICAR.decode(), name)
            written = {"plain": plain}
            if name in IDLE:
                written["idle"] = plain[:20] + IDLE[name] + plain[20:]
            if name == "unicode_escape":
                written["hexadecimal"] = b"".join(b"\\x%02x" % byte for byte in EICAR)
                written["octal"] = b"".join(b"\\%03o" % byte for byte in EICAR)
            if name == "raw_unicode_escape":
                written["escaped"] = b"".join(b"\\u%04x" % byte for byte in EICAR)
            if name == "utf_7":
                written["all"] = b"+" + codecs.encode(codecs.encode(EICAR.decode(), "utf-16-be"), "base64").replace(b"\n", b"").rstrip(b"=") + b"-"
            written = {form: text for form, text in written.items() if not text.startswith(EICAR) and codecs.decode(text, name).lstrip("\ufeff").startswith(EICAR.decode())}
        except (LookupError, ValueError, TypeError, AssertionError):
            continue
        for (form, text), (encoding, write), label in itertools.product(written.items(), {"base64": base64_lines, "quoted-printable": quoted, "8bit": lambda text: text.decode("latin-1") + "\r\n"}.items(), (name, name.replace("_", "-").upper())):
            attached = f"Content-Type: text/plain; charset={label}\r\nContent-Transfer-Encoding: {encoding}\r\nContent-Disposition: attachment; filename=e.txt\r\n"
            yield f"text-{label}-{form}-{encoding}", message(write(text), attached)
            yield f"text-{label}-{form}-{encoding}-alone", f"MIME-Version: 1.0\r\n{attached}\r\n{write(text)}".encode("latin-1")


def variants():
    for part in (encodings, recognition, boundaries, sections, charsets, encoded_texts, plain):
        for name, data in part():
            yield name, "eml", data
