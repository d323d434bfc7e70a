"""Mailbox files in the variants that programs write and misread (RFC 4155; mboxo, mboxrd, mboxcl, mboxcl2, MMDF, Babyl), and web archives (RFC 2557) that are mail as well."""

import itertools

from base import EICAR, HARMLESS, PAYLOADS, Member, base64_lines, spoilt_lines, tar_of, zip_of
from mail import ATTACHED, TOP, message, quoted

KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "hidden")}
# A member's name that is escaped where it stands at the start of a line. It comes first in a tar, and matters to the checksum.
FROM_TAR = tar_of(name="From e.com")
FROM_LINES = {
    "usual": "From a@example.org Mon Jan  1 00:00:00 2024", "zone": "From a@example.org Mon Jan  1 00:00:00 +0100 2024", "thunderbird": "From - Mon Jan 01 00:00:00 2024", "gmail": "From 1234567890@xxx Mon Jan 01 00:00:00 +0000 2024", "bare": "From a@b", "empty": "From ", "remote": "From a@b Mon Jan  1 00:00 2024 remote from c",
    "quoted": 'From "a b"@example.org Mon Jan  1 00:00:00 2024', "seconds": "From a Mon Jan 1 0:00:00 2024", "two-digits": "From a@b Mon Jan 1 00:00:00 24", "tab": "From\ta@b Mon Jan  1 00:00:00 2024", "lower": "from a@b Mon Jan  1 00:00:00 2024", "spaces": "From  Mon Jan  1 00:00:00 2024", "8bit": "From \xe4@b Mon Jan  1 00:00:00 2024", "colon": "From: a@b Mon Jan  1 00:00:00 2024",
    "long": f"From {'x' * 70_000} Mon Jan  1 00:00:00 2024", "iso": "From a@b 2024-01-01T00:00:00Z", "trailing": "From a@b Mon Jan  1 00:00:00 2024 \t", "escaped": ">From a@b Mon Jan  1 00:00:00 2024",
}
FIRST = "Subject: first\r\n\r\nhello\r\n"


def separations(data):
    """A message in front, and how the next one begins."""
    made = message(base64_lines(data)).decode("latin-1")
    for name, line in FROM_LINES.items():
        for between, text in {"blank": "\r\n", "none": "", "two": "\r\n\r\n", "space": " \r\n", "form-feed": "\x0c\r\n", "mmdf": "\1\1\1\1\r\n", "escaped": ">From here\r\n", "end": "--b--\r\n"}.items():
            yield f"from-{name}-{between}", f"{FROM_LINES['usual']}\r\n{FIRST}{text}{line}\r\n{made}"
            if between in ("blank", "none"):
                yield f"from-{name}-{between}-junk", f"{FROM_LINES['usual']}\r\n{FIRST}{text}{line}\r\n{message(spoilt_lines(data)).decode('latin-1')}"
        yield f"from-{name}-first", f"{line}\r\n{made}"
        yield f"from-{name}-twice", f"{line}\r\n{line}\r\n{made}"
    # The message before is a multipart that never ends, or whose boundary the next one uses.
    for name, before in {"unclosed": f"{TOP}\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n", "encoded": f"{TOP}\r\n--b\r\n{ATTACHED}\r\n{base64_lines(HARMLESS)}", "header": "Subject: x\r\nX: y\r\n", "empty": "", "rfc822": "Content-Type: message/rfc822\r\n\r\n"}.items():
        for kind, body in {"plain": base64_lines(data), "junk": spoilt_lines(data)}.items():
            yield f"behind-{name}-{kind}", f"{FROM_LINES['usual']}\r\n{before}{FROM_LINES['usual']}\r\n{message(body).decode('latin-1')}"


def escapes():
    """Bodies with lines that a mailbox file escapes: what a reader saves depends on whether it undoes that."""
    bodies = {"tar": FROM_TAR.decode("latin-1"), "text": "From e.com: " + EICAR.decode(), "late": zip_of(Member("a.txt", b"\nFrom here on\n" * 9, method=0), Member()).decode("latin-1")}
    for (name, body), n_escapes, encoding, place in itertools.product(bodies.items(), (0, 1, 2, 3), ("binary", "8bit", "", "quoted-printable"), ("part", "alone")):
        escaped = body.replace("\nFrom ", "\n" + ">" * n_escapes + "From ")
        escaped = ">" * n_escapes + escaped if escaped.startswith("From ") else escaped
        if encoding == "quoted-printable":
            escaped = "".join(letter if letter in "\n" or " " <= letter <= "~" and letter != "=" else f"={ord(letter):02X}" for letter in escaped)
        fields = f"Content-Type: application/octet-stream; name=e.tar\r\n{f'Content-Transfer-Encoding: {encoding}' if encoding else 'X: y'}\r\n"
        if place == "alone":
            yield f"escaped-{name}-{n_escapes}-{encoding}-alone", f"{FROM_LINES['usual']}\r\nMIME-Version: 1.0\r\n{fields}\r\n{escaped}"
        else:
            yield f"escaped-{name}-{n_escapes}-{encoding}", f"{FROM_LINES['usual']}\r\n{TOP}\r\n--b\r\n{fields}\r\n{escaped}\r\n--b--\r\n"


def counted(data):
    """A Content-Length (mboxcl2) that agrees with the lines `From `, or does not: the rest is another message, or none."""
    for shape, body in {"plain": base64_lines(data), "junk": spoilt_lines(data)}.items():
        made = message(body).decode("latin-1")
        header, rest = made.split("\r\n\r\n", 1)
        for name, length in {"right": len(rest), "short": 20, "zero": 0, "long": len(rest) + 5000, "text": "x", "negative": -1, "past": 10**12, "spaces": f"  {len(rest)} "}.items():
            for field in ("Content-Length", "content-length", "Content-Length ", "Lines"):
                yield f"counted-{name}-{field}-{shape}", f"{FROM_LINES['usual']}\r\n{header}\r\n{field}: {length}\r\n\r\n{rest}\r\n{FROM_LINES['usual']}\r\n{FIRST}"
        # The text of one message, as it is counted, holds the next one as it is not.
        inner = f"hello\r\n\r\n{FROM_LINES['usual']}\r\n{made}"
        yield f"counted-whole-{shape}", f"{FROM_LINES['usual']}\r\nSubject: x\r\nContent-Length: {len(inner)}\r\n\r\n{inner}"
        yield f"counted-base64-{shape}", f"{FROM_LINES['usual']}\r\nSubject: x\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\nContent-Length: {len(base64_lines(inner.encode('latin-1')))}\r\n\r\n{base64_lines(inner.encode('latin-1'))}"


def other_kinds(data):
    for shape, body in {"plain": base64_lines(data), "junk": spoilt_lines(data)}.items():
        made = message(body).decode("latin-1")
        marks = "\1\1\1\1\r\n"
        for name, text in {"usual": f"{marks}{FIRST}{marks}{marks}{made}{marks}", "one": f"{marks}{made}{marks}", "unclosed": f"{marks}{made}", "from": f"{marks}{FROM_LINES['usual']}\r\n{made}{marks}", "single": f"{marks}{FIRST}{marks}{made}"}.items():
            yield f"mmdf-{name}-{shape}", text
        options = "BABYL OPTIONS:\r\nVersion: 5\r\nLabels:\r\n"
        for name, text in {"usual": f"{options}\x1f\x0c\r\n1,,\r\nSubject: x\r\n\r\n*** EOOH ***\r\n{made}\r\n\x1f", "original": f"{options}\x1f\x0c\r\n0, unseen,,\r\n{made.replace(TOP, TOP + 'X: y' + chr(13) + chr(10), 1)}\r\n*** EOOH ***\r\nSubject: x\r\n\r\nhello\r\n\x1f", "second": f"{options}\x1f\x0c\r\n1,,\r\n\r\n*** EOOH ***\r\n{FIRST}\x1f\x0c\r\n1,,\r\n\r\n*** EOOH ***\r\n{made}\x1f"}.items():
            yield f"babyl-{name}-{shape}", text
        for name, text in {"rmail": f"{FROM_LINES['usual']}\r\nX-Coding-System: nil\r\n{made}", "emlx": f"{len(made)}\n{made}<?xml version=\"1.0\"?><plist/>", "mbx": f"*mbx*\r\n12345678\r\n\r\n 1-Jan-2024 00:00:00 +0000,{len(made)};000000000000-00000001\r\n{made}", "news": f"#! rnews {len(made)}\r\n{made}", "article": f"Path: a!b\r\nNewsgroups: c\r\n{made}", "dot": f"{made}.\r\n", "stuffed": made.replace("\r\n", "\r\n.").replace("\r\n.", "\r\n", 8), "tab": f"HCL: 1\r\n{made}", "smtp": f"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n{made}.\r\nQUIT\r\n", "bsmtp": f"HELO a\nDATA\n{made}.\n", "imap": f"* 1 FETCH (BODY[] {{{len(made)}}}\r\n{made})\r\n", "pop": f"+OK {len(made)} octets\r\n{made}.\r\n", "quoted": "".join(f"> {line}\r\n" for line in made.split("\r\n"))}.items():
            yield f"kind-{name}-{shape}", text


LOCATIONS = ("https://example.org/a.png", "cid:a@b", "file:///C:/a/oledata.mso", "", "https://example.org/\r\n a.png", "https://example.org/" + "x" * 70_000)


def web_archives(data):
    """As browsers, Word and Outlook save pages: every part with a location, of which some name the same thing."""
    bodies = {"base64": base64_lines(data), "junk": spoilt_lines(data), "quoted": quoted(data), "binary": data.decode("latin-1") + "\r\n"}
    tops = {
        "chromium": 'From: <Saved by Blink>\r\nSnapshot-Content-Location: https://example.org/\r\nSubject: A page\r\nDate: Mon, 1 Jan 2024 00:00:00 -0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n\ttype="text/html";\r\n\tboundary="BBB"\r\n\r\n\r\n', "word": 'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="BBB"\r\n\r\nThis document is a Single File Web Page, also known as a Web Archive file.\r\n\r\n',
        "explorer": 'From: "Saved by Windows Internet Explorer 11"\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n\ttype="text/html";\r\n\tboundary="BBB"\r\nX-MimeOLE: Produced By Microsoft MimeOLE\r\n\r\nThis is a multi-part message in MIME format.\r\n\r\n', "no-version": 'Content-Type: multipart/related; boundary="BBB"\r\n\r\n', "start": 'MIME-Version: 1.0\r\nContent-Type: multipart/related; start="<a@b>"; start-info="x"; boundary="BBB"\r\n\r\n', "base": 'Content-Base: https://example.org/\r\nContent-Location: index.html\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=BBB\r\n\r\n', "html": '<!-- a page -->\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="BBB"\r\n\r\n',
    }
    page = "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Location: https://example.org/\r\n\r\n<html><img src=3D\"a.png\"></html>\r\n"
    for (top_name, top), (shape, body), (index, location) in itertools.product(tops.items(), bodies.items(), enumerate(LOCATIONS)):
        encoding = {"junk": "base64", "quoted": "quoted-printable"}.get(shape, shape)
        attached = f"Content-Type: image/png\r\nContent-Transfer-Encoding: {encoding}\r\nContent-Location: {location}\r\n\r\n{body}"
        mark = "----MultipartBoundary--x----" if top_name == "chromium" else "----=_NextPart_01DA.B"
        parts = (page, attached) if index % 2 else (attached, page)
        yield f"web-{top_name}-{shape}-{index}", top.replace("BBB", mark) + "".join(f"--{mark}\r\n{part}\r\n" for part in parts) + f"--{mark}--\r\n"
        if index < 3:
            # One location twice: which of the two is shown differs.
            same = attached.replace(body, base64_lines(HARMLESS)).replace(f"Encoding: {encoding}", "Encoding: base64")
            yield f"web-{top_name}-{shape}-{index}-same", top.replace("BBB", mark) + "".join(f"--{mark}\r\n{part}\r\n" for part in (page, same, attached)) + f"--{mark}--\r\n"
            inner = f"Content-Type: multipart/alternative; boundary=inner\r\n\r\n--inner\r\n{page}\r\n--inner\r\n{attached}\r\n--inner--\r\n"
            yield f"web-{top_name}-{shape}-{index}-frames", top.replace("BBB", mark) + f"--{mark}\r\n{page}\r\n--{mark}\r\n{inner}--{mark}--\r\n"


def variants():
    for kind, data in KINDS.items():
        for part in (separations, counted, other_kinds, web_archives):
            for name, text in part(data):
                yield f"{name}-{kind}", "mhtml" if name.startswith("web") else "mbox", text.encode("latin-1")
                if kind == "eicar" and len(text) < 20_000:
                    yield f"{name}-lf-{kind}", "mht" if name.startswith("web") else "mbox", text.replace("\r\n", "\n").encode("latin-1")
    for name, text in escapes():
        yield name, "mbox", text.encode("latin-1")
