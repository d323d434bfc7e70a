"""Data that readers find because they join, sort, decode or skip first: messages and posts in pieces, fields in encoded words and behind long ones, odd modes and blanks in front of data, patches."""

import base64, binascii, hashlib, itertools, zlib

import encoded, signed
from base import EICAR, HARMLESS, PAYLOADS, ZIP, base64_lines, spoilt_lines

KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "zip")}
TOP = "From: a@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
ATTACHED = "Content-Type: application/octet-stream; name=e.com\r\nContent-Disposition: attachment; filename=e.com\r\n"
FROM_LINE = "From a@b Mon Jan  1 00:00:00 2024\r\n"


def partials():
    """RFC 2046, 5.2.2: the base64 is cut between the pieces."""
    def piece(number, text, total, form='id="x@y"; number={n}; {t}'):
        said = form.format(n=number, t=f"total={total}" if number == total else "x=y")
        return f"Content-Type: message/partial; {said}\r\n\r\n{text}"

    forms = {"usual": 'id="x@y"; number={n}; {t}', "quotes": 'ID=x; Number="{n}"; {t}', "folded": "number={n};\r\n {t};\r\n id=x", "other-ids": "id=x{n}; number={n}; {t}"}
    for (kind, data), (name, form), n_pieces in itertools.product(KINDS.items(), forms.items(), (2, 3)):
        digits = base64.b64encode(data).decode()
        width = len(digits) // n_pieces + 1
        texts = [digits[at:at + width] for at in range(0, len(digits), width)]
        texts[0] = f"{TOP}{ATTACHED}Content-Transfer-Encoding: base64\r\n\r\n{texts[0]}"
        pieces = [piece(number, text, len(texts), form) for number, text in enumerate(texts, 1)]
        for order, ordered in {"in-order": pieces, "reversed": pieces[::-1]}.items():
            parts = "".join(f"--b\r\n{part}\r\n" for part in ordered)
            yield f"partial-{name}-{n_pieces}-{order}-{kind}", "eml", f"{TOP}Content-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n"
            yield f"partial-mbox-{name}-{n_pieces}-{order}-{kind}", "mbox", "".join(f"{FROM_LINE}{TOP}{part}\r\n\r\n" for part in ordered)
        yield f"partial-alone-{name}-{n_pieces}-{kind}", "eml", TOP + pieces[0] + "\r\n"


def posts():
    def part(data, number, start, end, name="e.com"):
        head = f" part={number} total=3"
        extra = f"=ypart begin={start + 1} end={end}\r\n"
        return encoded.yenc(data[start:end], name, part=head, crc=False, extra=extra)

    for kind, data in KINDS.items():
        third = len(data) // 3
        places = [(1, 0, third), (2, third, 2 * third), (3, 2 * third, len(data))]
        for order in itertools.permutations(places):
            name = "".join(str(number) for number, *_ in order)
            parts = [part(data, *place) for place in order]
            yield f"yenc-{name}-{kind}", "txt", b"".join(parts)
            mails = [f'{FROM_LINE}Subject: "e.com" yEnc ({number}/3)\r\n\r\n'.encode() + text + b"\r\n" for (number, *_), text in zip(order, parts)]
            yield f"yenc-mbox-{name}-{kind}", "mbox", b"".join(mails)
            other = part(HARMLESS, 1, 0, len(HARMLESS), "a.txt")
            yield f"yenc-two-{name}-{kind}", "txt", other.join(parts)


def modes():
    def line(chunk):
        text = binascii.b2a_uu(chunk).decode().rstrip("\n").replace(" ", "`")
        return chr(ord(text[0]) + 64) + text[1:] + "\n"

    for kind, data in KINDS.items():
        lines = "".join(line(data[at:at + 24]) for at in range(0, len(data), 24))
        for index, mode in enumerate(("644", "6_44", "+644", "-644", "0O644", "0o6_44", "\v644", "644e.com", "rw", "0x1a4")):
            text = f"begin {mode} e.com\n{lines}`\nend\n"
            yield f"uu-{index}-{kind}", "txt", text
            yield f"uu-mailed-{index}-{kind}", "eml", f"{TOP}{ATTACHED}Content-Transfer-Encoding: x-uuencode\r\n\r\n{text}"


def blanks():
    for (kind, data), (name, blank) in itertools.product(KINDS.items(), {"spaces": b" ", "tabs": b"\t", "lines": b"\n"}.items()):
        for n_blanks in (10, 600, 5_000):
            text = encoded.binhex(data, newline=b"\n")
            at = text.index(b":") + 1
            yield f"binhex-{name}-{n_blanks}-{kind}", "hqx", text[:at] + blank * n_blanks + text[at:]


def fields():
    def word(text, encoding="Q"):
        said = "".join("=%02X" % byte if chr(byte) in ":=?_" else "_" if byte == 32 else chr(byte) for byte in text.encode())
        return f"=?us-ascii?{encoding}?{said if encoding == 'Q' else base64.b64encode(text.encode()).decode()}?="

    said = "Content-Transfer-Encoding: base64"
    forms = {"q": word(said), "b": word(said, "B"), "name": word("Content-Transfer-Encoding:") + " base64", "two": word(said[:10]) + " " + word(said[10:]), "middle": "Content-" + word("Transfer") + "-Encoding: base64", "break": "X: " + word("y") + word("\n" + said), "lower": word(said).replace("?Q?", "?q?")}
    for kind, data in KINDS.items():
        for shape, body in {"plain": base64_lines(data), "junk": spoilt_lines(data)}.items():
            for name, field in forms.items():
                yield f"word-{name}-{shape}-{kind}", "eml", f"{TOP}{ATTACHED}{field}\r\n\r\n{body}\r\n"
                yield f"word-part-{name}-{shape}-{kind}", "eml", f"{TOP}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{ATTACHED}{field}\r\n\r\n{body}\r\n--b--\r\n"
            folded = "Subject: x\r\n" + (" " + "y" * 900 + "\r\n") * 4_700
            yield f"long-{shape}-{kind}", "eml", f"{TOP}{ATTACHED}{folded}{said}\r\n\r\n{body}\r\n"
        for n_lines in (10, 1_001):
            junk = "".join(f"(hello, reader {line})\r\n" for line in range(n_lines))
            digits = base64.b64encode(signed.cms(data)).decode()
            yield f"cms-{n_lines}-{kind}", "eml", f"{TOP}Content-Type: application/pkcs7-mime\r\n\r\n{junk}" + "".join(signed.growing(digits))


def patches():
    def base85(data, is_delta=False, size=None):
        packed = zlib.compress(data, 9)
        text = ("delta" if is_delta else "literal") + f" {len(data) if size is None else size}\n"
        for at in range(0, len(packed), 52):
            line = packed[at:at + 52]
            length = chr(ord("A") + len(line) - 1) if len(line) <= 26 else chr(ord("a") + len(line) - 27)
            text += length + base64.b85encode(line + bytes(-len(line) % 4)).decode() + "\n"
        return text + "\n"

    for kind, data in KINDS.items():
        number = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        head = f"diff --git a/e.com b/e.com\nnew file mode 100644\nindex {'0' * 40}..{number}\nGIT binary patch\n"
        nothing = "literal 0\nHcmV?d00001\n\n"
        for name, text in {"usual": head + base85(data) + nothing, "mailed": f"{FROM_LINE}From: a@b\nSubject: x\n\n---\n{head}{base85(data)}{nothing}-- \n2.39\n", "second": head.replace("e.com", "a.txt").replace(number, hashlib.sha1(b"blob %d\0" % len(HARMLESS) + HARMLESS).hexdigest()) + base85(HARMLESS) + nothing + head + base85(data) + nothing}.items():
            yield f"patch-git-{name}-{kind}", "patch", text
    text, end = EICAR.decode(), "\n\\ No newline at end of file\n"
    unified = "--- /dev/null\n+++ b/e.com\n@@ -0,0 +1 @@\n"
    context = "*** /dev/null\n--- b/e.com\n***************\n*** 0 ****\n--- 1 ----\n"
    forms = {"unified": f"{unified}+{text}{end}", "unified-break": f"{unified}+{text}\n", "git": f"diff --git a/e.com b/e.com\nnew file mode 100644\nindex 0000000..1111111\n{unified}+{text}{end}", "context": f"{context}+ {text}{end}", "normal": f"Index: e.com\n0a1\n> {text}{end}", "ed": f"0a\n{text}\n.\n",
             "behind": f"{unified.replace('e.com', 'a.txt')}+{HARMLESS.decode()}\n{unified}+{text}{end}", "indented": "".join(f"  {line}\n" for line in f"{unified}+{text}{end}".splitlines())}
    for name, patch in forms.items():
        yield f"patch-{name}", "patch", patch
        yield f"patch-crlf-{name}", "patch", patch.replace("\n", "\r\n")


def variants():
    for part in (partials, posts, modes, blanks, fields, patches):
        for name, extension, text in part():
            yield name, extension, text.encode("latin-1") if isinstance(text, str) else text
