"""Mail in which several things are odd: each message combines a few oddities, drawn at random, of header fields, boundaries, line breaks, encodings and nesting.

One oddity alone is what `mail` has. Readers and scanners go apart where two meet: a body whose encoding is announced in one odd way, between delimiters that are odd in another.
"""

import binascii, random

from base import HARMLESS, PAYLOADS, base64_lines
from mail import MBOX, SECTIONS, quoted

N_VARIANTS = 1_200
KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "zip", "hidden", "tgz")}
# As usual half of the time, so that most messages have two or three oddities that a reader still undoes.
TYPE_NAMES = ("Content-Type:", "content-type:", "CONTENT-TYPE :", "Content-Type\t:", "Content-type:\r\n", "Content-Type:\r\n\t", "\ufeffContent-Type:", "Content-Type: text/plain\r\nContent-Type:", "X-A: 1\r\n 2\r\nContent-Type:", "Content-Type:text/html;\r\nContent-Type:")
ENCODING_NAMES = ("Content-Transfer-Encoding:", "content-transfer-encoding:", "Content-Transfer-Encoding :", "Content-Transfer-Encoding\t:", "Content-Transfer-Encoding:\r\n ", "Content-Transfer-Encoding:\r\n\t \r\n ", "CONTENT-TRANSFER-ENCODING:", "X: 1\r\nno field\r\nContent-Transfer-Encoding:", "Content-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding:", "Content-Transfer-Encoding:\0", "Content-Transfer-Encoding:(a comment (in it))")
ENCODING_WORDS = ("{}", " {}", "{} ", "(x) {}", "{} (x)", "{};", "{}; a=b", '"{}"', "{}.", "{}\t", "{}\r\n ", "'{}'", "x-{}", "{},", "{}\v")
MULTIPARTS = ("multipart/mixed", "MULTIPART/Mixed", "multipart/related", "multipart / mixed", "multipart/(x)mixed", "(x)multipart/mixed", "multipart/", "multipart", "multipart/x-y", "multipart/mixed\t", "multipart/signed; micalg=x; protocol=y", "multipart/digest", "multipart/alternative; charset=utf-8", "multipart/encrypted", "multipart/mixed;;", "multipart/mixed,", "multipart/mixed charset=x")
BOUNDARIES = ('; boundary="{}"', "; boundary={}", ";boundary='{}'", '; boundary = "{}"', '; BOUNDARY="{}"', '; boundary="{}" ', '; boundary="{}"; x=y', '; x="boundary=z"; boundary="{}"', '; boundary=(c)"{}"', '; boundary="{}"(c)', ';\r\n\tboundary="{}"', '; boundary*=utf-8\'\'{}', '; boundary="zz"; boundary="{}"', '; boundary="{}"; boundary="zz"', '; boundary="{} "', '; boundary={}; boundary*0=zz',
              '; boundary="{}', ' boundary="{}"', ', boundary="{}"', '; boundary="=?us-ascii?q?{}?="', '; boundary =\r\n "{}"', '; boundary=\\"{}\\"', '; boundary="\\{}"', '; boundary:{}', '; boundary==?us-ascii?q?{}?=')
MARKS = ("b", "=_b", "b b", "----=_Part_1", "b--", "--b", "b:c", "'b'", "b" * 71, "=3D", "b=", "(b)", "b/c", "0", "b?", "From b")
FRONTS = ("", "\r\n", MBOX, ">From a@b\r\n", "\ufeff", "X: y\r\n" * 40, "Received: a\r\n\tb\r\n", "From: a\r\n\r\n", "\0", "hello\r\n", " \r\n", "--b\r\n", MBOX + ">From x Mon Jan  1 00:00:00 2024\r\n", "X-Mozilla-Status: 0001\r\n")
DELIMITERS = ("--{}", "--{}", "--{} ", "--{}\t", "--{}--", "--{}x", " --{}", "--{}\r\n--{}", "\r\n--{}", "--{}-", "--{}\0")
BLANKS = ("\r\n", "\r\n", " \r\n", "\t\r\n", "\r\n\r\n", "", "\n", "\r", "\0\r\n", "\x0c\r\n", "odd line\r\n", "\xa0\r\n")
ATTACHMENTS = ("application/octet-stream", "application/octet-stream; name=e.zip", "text/plain", "text/html; charset=utf-8", "image/png", "application/zip", "text/plain; charset=utf-16", "text/csv; charset=iso-2022-jp", "application/x-y; charset=utf-7", "text/plain; format=flowed; delsp=yes", "message/external-body; access-type=x", "audio/x; name*=utf-8''e.zip", "application/mac-binhex40", "text", "", "x", "application/ms-tnef", "text/calendar; charset=gb18030", "application/pgp-encrypted", "text/plain; charset=rot13")
DISPOSITIONS = ("", 'Content-Disposition: attachment; filename="e.zip"\r\n', "Content-Disposition: inline\r\n", "Content-ID: <a@b>\r\n", "Content-Location: e.zip\r\n", "Content-Disposition: attachment; filename*=utf-8''e.zip\r\n", 'Content-Disposition: attachment;\r\n\tfilename="=?utf-8?b?ZS56aXA=?="\r\n', "Content-Description: x\r\n y\r\n", "Content-MD5: x\r\n", "Content-Disposition: attachment\r\n")


def usual(rng, choices, chance=0.55):
    return choices[0] if rng.random() < chance else rng.choice(choices)


def base64_body(rng, data):
    text = base64_lines(data, rng.choice((76, 76, 76, 60, 4, 5, 77, 1_000_000)))
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        lines = text.split("\r\n")
        at = rng.randrange(len(lines))
        junk = rng.choice(("!", " ", "\t", "-", "\0", "\xe9", "--!!", "%", "\\", "\r\n", "\r\n\r\n", "\r\n \r\n", "\r\n--!\r\n", "\r\n>", "\v", "~", "<br>"[:1], "*", "=_"[1:], "\r\n.\r\n"))
        place = rng.randrange(len(lines[at]) + 1)
        lines[at] = lines[at][:place] + junk + lines[at][place:]
        text = "\r\n".join(lines)
    return usual(rng, ("", "====\r\n", "!!\r\n", "\r\n\r\n", " "), 0.8) + text + usual(rng, ("", "==\r\n", "This is a footer.\r\n", "\0" * 9, "-- \r\n_______\r\nlist\r\n"), 0.7)


def quoted_body(rng, data):
    text = rng.choice((quoted(data), binascii.b2a_qp(data, istext=False).decode().replace("\n", "\r\n"), binascii.b2a_qp(data, quotetabs=True, header=True).decode().replace("\n", "\r\n")))
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        lines = text.split("=\r\n")
        at = rng.randrange(len(lines))
        lines[at] += rng.choice(("=\r\n", "= \r\n=\r\n", "=\t\r\n", "= \t \r\n", "=\n", "=\r\n=\r\n", "=\r"))
        text = "=\r\n".join(lines)
    return text.lower().replace("=x", "=X") if rng.random() < 0.1 and data[:1] > b"\x80" else text + "\r\n" * rng.randrange(2)


def encoded(rng, data):
    """How the announcement names the encoding, and the body."""
    kind = rng.choice(("base64", "base64", "base64", "quoted-printable", "quoted-printable", "7bit", "x-uuencode"))
    if kind == "base64":
        return kind, base64_body(rng, data)
    if kind == "quoted-printable":
        return kind, quoted_body(rng, data)
    if kind == "7bit":
        return rng.choice(("7bit", "8bit", "binary", "")), data.decode("latin-1") + rng.choice(("", "\r\n"))
    lines = "".join(binascii.b2a_uu(data[at:at + 45]).decode().replace("\n", "\r\n") for at in range(0, len(data), 45))
    return rng.choice(("x-uuencode", "7bit", "uuencode", "x-uue")), f"begin 644 e.zip\r\n{lines}`\r\nend\r\n"


def attachment(rng, data):
    encoding, body = encoded(rng, data)
    word = usual(rng, ENCODING_WORDS, 0.7).format(encoding)
    fields = [usual(rng, TYPE_NAMES, 0.8) + " " + rng.choice(ATTACHMENTS) + "\r\n", usual(rng, ENCODING_NAMES, 0.7) + " " + word + "\r\n" if encoding else "", rng.choice(DISPOSITIONS)]
    if rng.random() < 0.3:
        rng.shuffle(fields)
    return "".join(fields) + usual(rng, BLANKS, 0.8) + body


def multipart(rng, part, depth):
    """The header's fields, and the body."""
    mark = usual(rng, MARKS, 0.6) + str(depth) * rng.randrange(2)
    parameter = usual(rng, BOUNDARIES, 0.6).replace("{}", mark)
    if rng.random() < 0.15:
        mark, parameter = "bound", "; " + rng.choice(list(SECTIONS.values()))
    delimiter = usual(rng, DELIMITERS, 0.8).replace("{}", mark) + "\r\n"
    first = usual(rng, (f"--{mark}\r\nContent-Type: text/plain\r\n\r\nhello\r\n", "", "This is MIME.\r\n", f"--{mark}\r\n\r\n{HARMLESS.decode()}\r\n", f"--{mark}--\r\n"), 0.7)
    end = usual(rng, (f"--{mark}--\r\n", "", f"--{mark}\r\n", f"--{mark}--", f"--{mark}--\r\nThe end.\r\n"), 0.7)
    names = usual(rng, TYPE_NAMES, 0.7) + " " + usual(rng, MULTIPARTS, 0.7) + parameter + "\r\n"
    return names, first + delimiter + part + usual(rng, ("\r\n", "", "\n"), 0.8) + end


def message(rng, data):
    part = attachment(rng, data)
    fields, body = multipart(rng, part, 1)
    for depth in range(2, 2 + rng.choice((0, 0, 0, 1, 1, 2))):
        inner = fields + usual(rng, BLANKS, 0.85) + body
        if rng.random() < 0.4:
            inner = f"From: a@b\r\nMIME-Version: 1.0\r\n{inner}"
            encoding = rng.choice(("", "", "base64", "quoted-printable"))
            written = {"": lambda: inner, "base64": lambda: base64_lines(inner.encode("utf-8", "replace")), "quoted-printable": lambda: quoted_body(rng, inner.encode("utf-8", "replace"))}[encoding]()
            inner = f"Content-Type: {rng.choice(('message/rfc822', 'message/global', 'message/news', 'message/partial; id=1', 'text/rfc822-headers'))}\r\n" + (f"Content-Transfer-Encoding: {encoding}\r\n" if encoding else "") + "\r\n" + written
        fields, body = multipart(rng, inner, depth)
    if rng.random() < 0.1:
        # The part alone, with no multipart around it.
        fields, body = "", part
    top = usual(rng, FRONTS, 0.6) + "From: a@example.org\r\nSubject: x\r\n" + usual(rng, ("MIME-Version: 1.0\r\n", "", "MIME-Version: 1.0 (x)\r\n", "Mime-version: 2\r\n"), 0.7)
    text = top + fields + (usual(rng, BLANKS, 0.9) if fields else "") + body
    made = text.encode("utf-8") if "\ufeff" in text and max(text.replace("\ufeff", "")) < "\x80" else text.replace("\ufeff", "\xef\xbb\xbf").encode("latin-1", "replace")
    breaks = rng.choice((b"\r\n",) * 6 + (b"\n",) * 3 + (b"\r", b"\r\r\n", b"\n\r"))
    return made.replace(b"\r\n", breaks)


def variants():
    for index in range(N_VARIANTS):
        rng = random.Random(index)
        kind = rng.choice(list(KINDS))
        yield f"{index}-{kind}", "eml", message(rng, KINDS[kind])
