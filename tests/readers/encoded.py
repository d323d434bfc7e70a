"""Text that stands for bytes: uuencode, base64 with a first line, yEnc, BinHex, Intel HEX, shell archives, calendars; alone, behind text, in mail."""

import base64, binascii, re, struct, zlib

from base import EICAR, HARMLESS, PAYLOADS, base64_lines, crc_ccitt, made_with, spoilt_lines

KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "zip", "hidden", "tgz")}
TEXT = "Some text in front.\r\n\r\n"


def uu(data, name="e.com", mode="644", newline="\r\n", trail="", lead="", space="`", begin="begin", end=None):
    lines = [binascii.b2a_uu(data[start:start + 45]).decode().rstrip("\n") for start in range(0, len(data), 45)]
    if space == "`":
        lines = [line[0] + line[1:].replace(" ", "`") for line in lines]
    end = f"`{newline}end{newline}" if end is None else end
    return f"{lead}{begin} {mode} {name}{newline}" + "".join(f"{line}{trail}{newline}" for line in lines) + end


def yenc(data, name="e.com", line=128, part="", crc=True, extra=""):
    out = bytearray()
    for byte in data:
        code = byte + 42 & 255
        out += bytes([61, code + 64 & 255]) if code in (0, 10, 13, 61) else bytes([code])
    head = f"=ybegin{part} line={line} size={len(data)} name={name}\r\n{extra}".encode()
    return head + bytes(out) + b"\r\n" + f"=yend size={len(data)}{f' crc32={zlib.crc32(data):08x}' if crc else ''}\r\n".encode()


def binhex(data, name=b"e.com", newline=b"\r", first=b"(This file must be converted with BinHex 4.0)", width=64, resource=b""):
    """RFC 1741."""
    head = bytes([len(name)]) + name + b"\0TEXTttxt" + struct.pack(">HII", 0, len(data), len(resource))
    raw = b"".join(part + struct.pack(">H", crc_ccitt(part)) for part in (head, data, resource)).replace(b"\x90", b"\x90\0")
    letters = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
    bits = "".join(format(byte, "08b") for byte in raw)
    bits += "0" * (-len(bits) % 6)
    text = b":" + bytes(letters[int(bits[start:start + 6], 2)] for start in range(0, len(bits), 6)) + b":"
    return first + newline * 2 + newline.join(text[start:start + width] for start in range(0, len(text), width)) + newline


def intel_hex(data, width=16, newline=b"\r\n", upper=True):
    records = [bytes([len(data[at:at + width])]) + struct.pack(">H", at & 0xFFFF) + b"\0" + data[at:at + width] for at in range(0, len(data), width)]
    lines = [(record + bytes([-sum(record) & 255])).hex() for record in [*records, bytes([0, 0, 0, 1])]]
    return b"".join(b":" + (line.upper() if upper else line).encode() + newline for line in lines)


def mailed(text, kind="text/plain"):
    data = text.encode("latin-1") if isinstance(text, str) else text
    return f"From: a@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: {kind}\r\n\r\nhello\r\n".encode() + data


def everywhere(name, text):
    """Alone, behind text, in mail."""
    data = text.encode("latin-1") if isinstance(text, str) else text
    yield name, data
    yield f"{name}-behind-text", TEXT.encode() + data
    yield f"{name}-mailed", mailed(data)


def uuencodes():
    modes = ("6", "64", "0644", "00644", "100644", "755", "0o644", "999", "-644", " 644", "", "644 ", "rw-", "644\t")
    trails = {"letter": "x", "tilde": "~", "ten": "x" * 10, "8bit": "\xe9", "tab": "\t", "spaces": "  ", "backtick": "`", "sum": "#"}
    for kind, data in KINDS.items():
        for index, mode in enumerate(modes):
            yield from everywhere(f"uu-mode-{index}-{kind}", uu(data, mode=mode))
        for name, trail in trails.items():
            yield from everywhere(f"uu-trail-{name}-{kind}", uu(data, trail=trail))
        options = {"cr": {"newline": "\r"}, "lf": {"newline": "\n"}, "spaces": {"space": " "}, "blank-lines": {"newline": "\r\n\r\n"}, "indented": {"newline": "\r\n "}, "no-end": {"end": ""}, "end-upper": {"end": "`\r\nEND\r\n"}, "no-backtick": {"end": "end\r\n"},
                   "upper": {"begin": "BEGIN"}, "tab": {"begin": "begin\t"}, "two-spaces": {"begin": "begin "}, "name-empty": {"name": ""}, "name-spaces": {"name": "a b c.com"}, "name-path": {"name": "../../e.com"}, "name-8bit": {"name": "\xe9.com"},
                   "name-long": {"name": "x" * 3000}, "quoted": {"lead": "> "}, "lead": {"lead": " "}, "lead-table": {"lead": "table\r\n" + "`!\"#$%&'()*+,-./0123456789:;<=>?\r\n@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_\r\n"}}
        for name, option in options.items():
            yield from everywhere(f"uu-{name}-{kind}", uu(data, **option))
        yield f"uu-second-{kind}", (uu(HARMLESS, "a.txt") + TEXT + uu(data)).encode("latin-1")
        short = [binascii.b2a_uu(data[start:start + 10]).decode().rstrip("\n") for start in range(0, len(data), 10)]
        yield f"uu-short-lines-{kind}", ("begin 644 e.com\n" + "\n".join(short) + "\n`\nend\n").encode()


def base64s():
    encoded_name = base64.b64encode(b"e.com").decode()
    firsts = {"usual": "begin-base64 644 e.com", "encoded-name": f"begin-base64-encoded 644 {encoded_name}", "mode-1": "begin-base64 6 e.com", "mode-5": "begin-base64 00644 e.com", "uu-encoded-name": f"begin-encoded 644 {encoded_name}"}
    for kind, data in KINDS.items():
        for name, first in firsts.items():
            for shape, lines in {"plain": base64_lines(data, 76, "\n"), "junk": spoilt_lines(data, newline="\n"), "space": spoilt_lines(data, " ", "\n"), "short": base64_lines(data, 4, "\n"), "crlf": base64_lines(data)}.items():
                text = f"{first}\n{lines}====\n"
                yield from everywhere(f"base64-{name}-{shape}-{kind}", text)
        for shape, lines in {"plain": base64_lines(data), "junk": spoilt_lines(data), "one-line": base64_lines(data, 1 << 20)}.items():
            yield f"base64-alone-{shape}-{kind}", lines.encode("latin-1")
            yield f"pem-{shape}-{kind}", f"-----BEGIN DATA-----\r\n{lines}-----END DATA-----\r\n".encode("latin-1")


def others():
    for kind, data in KINDS.items():
        for name, option in {"plain": {}, "no-crc": {"crc": False}, "line-256": {"line": 256}, "part": {"part": " part=1 total=1", "extra": f"=ypart begin=1 end={len(data)}\r\n"}, "name-spaces": {"name": "a b.com"}}.items():
            yield from everywhere(f"yenc-{name}-{kind}", yenc(data, **option))
        for name, option in {"plain": {}, "lf": {"newline": b"\n"}, "crlf": {"newline": b"\r\n"}, "wide": {"width": 1 << 20}, "narrow": {"width": 10}, "first-8": {"first": b"(This file must be converted with BinHex 8.0)"},
                             "first-longer": {"first": b"(This file must be converted with BinHex 4.0) "}, "first-none": {"first": b""}, "fork": {"resource": b"resource fork"}}.items():
            yield from everywhere(f"binhex-{name}-{kind}", binhex(data, **option))
        for name, option in {"plain": {}, "lower": {"upper": False}, "wide": {"width": 32}, "lf": {"newline": b"\n"}}.items():
            yield f"ihex-{name}-{kind}", intel_hex(data, **option)
        folded = "\r\n ".join(base64.b64encode(data).decode()[start:start + 70] for start in range(0, len(base64.b64encode(data)), 70))
        event = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nATTACH;ENCODING=BASE64;VALUE=BINARY:{folded}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        yield f"calendar-{kind}", event.encode()
        yield f"calendar-mailed-{kind}", mailed(event, "text/calendar")
        inner = f"Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n{base64_lines(data)}"
        yield f"mht-{kind}", f"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\n{inner}\r\n--b--\r\n".encode()
    for options in ("", "-B", "-T", "-p", "-M", "-s a@example.org", "-n name", "-V", "-x", "-F", "-z", "-j -B"):
        shell = made_with(f"shar -q {options} e.com 2>/dev/null", {"e.com": EICAR}, None)
        # Process id, time, user and directory differ from run to run.
        shell = re.sub(rb"_sh\d+", b"_sh1", shell)
        shell = re.sub(rb"# Made on .*\n(# Source directory .*\n)?", b"", shell)
        shell = re.sub(rb"^(\s*\(set 20) .* 'e.com'$", rb"\1 80 01 01 00 00 00 'e.com'", shell, flags=re.MULTILINE)
        name = f"shar{options.split(' a@')[0].replace(' ', '')}"
        yield name, shell
        yield f"{name}-mailed", mailed(shell)


def variants():
    for part in (uuencodes, base64s, others):
        for name, data in part():
            yield name, "txt", data
