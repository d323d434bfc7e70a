"""Pages that Outlook keeps in RTF ([MS-OXRTFEX]): a `data:` address in tags, with escapes, groups, and what is there for readers of RTF alone."""

import base64, itertools, struct

from base import HARMLESS, PAYLOADS
from mail_libraries import outlook
from office import compound

KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "hidden")}
HEAD = "{\\rtf1\\ansi\\ansicpg1252\\fromhtml1 \\deff0{\\fonttbl{\\f0\\fswiss Arial;}}{\\colortbl\\red0\\green0\\blue0;}\r\n{\\*\\htmltag64 <html>}{\\*\\htmltag64 <body>}"
TAIL = "x{\\*\\htmltag92 </a>}{\\*\\htmltag72 </body>}{\\*\\htmltag64 </html>}}"
START = '<a download="e.com" href="data:application/octet-stream;base64,'


def pieces(text, n=20):
    return [text[at:at + n] for at in range(0, len(text), n)]


# How the digits of the address are written in the tag.
WRITINGS = {
    "plain": lambda text: f"{{\\*\\htmltag84 {START}{text}\">}}", "escapes": lambda text: f"{{\\*\\htmltag84 {START}" + "".join(f"\\'{ord(character):02x}" for character in text) + '">}', "some-escapes": lambda text: f"{{\\*\\htmltag84 {START}" + "".join(f"\\'{ord(character):02x}" if index % 7 == 0 else character for index, character in enumerate(text)) + '">}',
    "groups": lambda text: "".join(f"{{\\*\\htmltag84 {piece}}}" for piece in [START, *pieces(text), '">']), "breaks": lambda text: f"{{\\*\\htmltag84 {START}" + "\r\n".join(pieces(text)) + '">}', "unicode": lambda text: f"{{\\*\\htmltag84 {START}" + "".join(f"\\u{ord(character)}?" for character in text) + '">}',
    "between-hidden": lambda text: "".join(f"{{\\*\\htmltag84 {piece}}}\\htmlrtf {{\\b x}}\\htmlrtf0 " for piece in [START, *pieces(text), '">']), "words": lambda text: f"{{\\*\\htmltag84 {START}" + "\\b0 ".join(pieces(text)) + '">}',
}


def stored(text):
    """Compressed RTF that is not compressed ([MS-OXRTFCP] 2.1.3.1.4)."""
    return struct.pack("<II", len(text) + 12, len(text)) + b"MELA" + bytes(4) + text


def variants():
    for (kind, data), (name, write) in itertools.product(KINDS.items(), WRITINGS.items()):
        text = (HEAD + write(base64.b64encode(data).decode()) + TAIL).encode()
        yield f"msg-{name}-{kind}", "msg", compound(outlook(HARMLESS, more=[("__substg1.0_10090102", stored(text))]))
        yield f"alone-{name}-{kind}", "rtf", text
