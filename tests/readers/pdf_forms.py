"""PDF files whose attachment readers find by rules of their own: long headers, odd numbers, parameters in several revisions, encryption dictionaries behind references, masks, signatures and metadata.

Rows are predicted, which keeps engines from finding the attachment by themselves.
"""

import base64, hashlib, itertools, struct, zlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from base import EICAR
from pdf import Document, stream

PARAMETERS = b"<</Predictor 12/Columns 17>>"
ZEROS = b"0" * 300


def rows(data, columns=17):
    """As PNG predicts from above."""
    out, above = b"", bytes(columns)
    for at in range(0, len(data), columns):
        row = data[at:at + columns].ljust(columns, b"\0")
        out += b"\2" + bytes(byte - before & 255 for byte, before in zip(row, above))
        above = row
    return out


PACKED = zlib.compress(rows(EICAR))


def attached(filters=b"/FlateDecode", parameters=PARAMETERS, data=PACKED, more=None, number=4):
    """With the attachment as object NUMBER."""
    document = Document()
    content = stream(data, b"/Filter" + filters + (b"/DecodeParms" + parameters if parameters else b""))
    document.objects[3] = document.objects[3].replace(b"4 0 R", b"%d 0 R" % number)
    document.objects.pop(4)
    document.objects |= {number: content} | (more or {})
    return document


def headers():
    plain = attached(number=10).bytes()
    for name, head in {
        "spaces": b"10" + b" " * 61 + b"0 obj", "spaces-more": b"10" + b" " * 5000 + b"0 obj", "comment": b"10 %" + b"c" * 80 + b" 5\n0 obj", "comment-short": b"10 %5\n0 obj", "comment-long": b"10 %" + b"c" * 5000 + b" 5\n0 obj",
        "comment-obj": b"10 %5 0 obj\n0 obj", "comment-behind": b"10 0 %5\nobj", "comments": b"10 %5\n%6\n0 %7\nobj", "zeros": ZEROS + b"10 0 obj", "real": b"10.0 0 obj", "minus": b"1-0 0 obj",
    }.items():
        yield f"header-{name}", plain.replace(b"10 0 obj", head)
        packed = attached(b" 10 0 R", more={10: b"[/FlateDecode]"}).bytes()
        yield f"header-of-filter-{name}", packed.replace(b"10 0 obj", head)
    for name, behind in {"spaces": b" " * 300, "comment": b" %" + b"c" * 300, "text": b"x" * 300, "spaces-more": b" " * 5000, "cr": b" " * 300 + b"\r"}.items():
        yield f"line-{name}", plain.replace(b">>stream\n", b">>stream" + behind + b"\n", 1)


def numbers():
    forms = {"zeros": lambda number: ZEROS + number, "real": lambda number: number + b".0", "point": lambda number: number + b".", "minus": lambda number: number[:1] + b"-" + number[1:], "sign": lambda number: b"+" + number, "line": lambda number: b"+\n" + number, "exponent": lambda number: number + b"e0"}
    for name, form in forms.items():
        yield f"number-parameters-{name}", attached(parameters=b"<</Predictor " + form(b"12") + b"/Columns " + form(b"17") + b">>").bytes()
        yield f"number-file-{name}", attached(number=10).bytes().replace(b"/EF<</F 10 0 R", b"/EF<</F " + form(b"10") + b" 0 R")
        yield f"number-filter-{name}", attached(b" " + form(b"10") + b" 0 R", more={10: b"/FlateDecode"}).bytes()


def parameters():
    for name, (filters, parms) in {
        "null": (b"[null/FlateDecode]", b"[null" + PARAMETERS + b"]"), "null-counted": (b"[null/FlateDecode]", b"[" + PARAMETERS + b"]"), "unknown": (b"[/Foo/FlateDecode]", b"[null" + PARAMETERS + b"]"), "twice": (b"/FlateDecode", b"<</Predictor 1" + PARAMETERS[2:]), "behind": (b"/FlateDecode", PARAMETERS[:-2] + b"/Predictor 1>>"),
    }.items():
        yield f"parameters-{name}", attached(filters, parms).bytes()
    first = attached(b"[/FlateDecode]", b"[7 0 R]", more={7: b"<</Predictor 1>>"}).bytes()
    new = b"7 0 obj\n" + PARAMETERS + b"\nendobj\n"
    yield "parameters-updated", first + new + b"xref\n7 1\n%010d 00000 n \ntrailer\n<</Size 8/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (len(first), first.rindex(b"xref\n0 "), len(first) + len(new))
    for predictor in (0, 3, 9, 16, 99):
        yield f"parameters-predictor-{predictor}", attached(b"[/FlateDecode/FlateDecode]", b"[" + PARAMETERS + b"<</Predictor %d/Columns 5>>]" % predictor, zlib.compress(rows(zlib.compress(EICAR)))).bytes()
    text = b""
    for at in range(0, len(EICAR), 4):
        number, digits = int.from_bytes(EICAR[at:at + 4].ljust(4, b"\0"), "big"), []
        for _ in range(5):
            number, digit = divmod(number, 85)
            digits.insert(0, digit)
        if digits[3]:
            digits[3:] = [digits[3] - 1, digits[4] + 85]
        text += bytes(digit + 33 for digit in digits[:len(EICAR[at:at + 4]) + 1])
    yield "digits-large", attached(b"/ASCII85Decode", b"", text + b"~>").bytes()
    yield "digits-zero", attached(b"/ASCII85Decode", b"", base64.a85encode(EICAR).replace(b"P", b"P\0", 1) + b"~>").bytes()


PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
IDENTIFIER = b"0123456789abcdef"


def rc4(key, data):
    state, j, out = list(range(256)), 0, bytearray()
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) & 255
        state[i], state[j] = state[j], state[i]
    i = j = 0
    for byte in data:
        i = (i + 1) & 255
        j = (j + state[i]) & 255
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) & 255])
    return bytes(out)


def aes(key, data):
    start, n_padding = b"\7" * 16, 16 - len(data) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    return start + encryptor.update(data + bytes([n_padding]) * n_padding) + encryptor.finalize()


def encrypted(method, cf=None, more=None, content=None):
    """For an empty user password; CF in place of the crypt filters (ISO 32000-2, 7.6)."""
    owner = hashlib.md5(b"owner").digest() * 2
    key = hashlib.md5(PADDING + owner + struct.pack("<i", -4) + IDENTIFIER).digest()
    for _ in range(50):
        key = hashlib.md5(key).digest()
    user = hashlib.md5(PADDING + IDENTIFIER).digest()
    for index in range(20):
        user = rc4(bytes(byte ^ index for byte in key), user)
    crypt = aes if method == b"AESV2" else rc4

    def text(number, data):
        return crypt(hashlib.md5(key + struct.pack("<I", number)[:3] + b"\0\0" + b"sAlT" * (method == b"AESV2")).digest(), data)

    def name(number):
        return b"<" + text(number, b"e.com").hex().encode() + b">"

    filters = b"<</StdCF<</CFM/" + method + b"/AuthEvent/DocOpen/Length 16>>>>"
    document = attached(data=text(4, PACKED))
    document.objects = {number: content.replace(b"(e.com)", name(number)) for number, content in document.objects.items()}
    document.objects[6] = b"<</Filter/Standard/V 4/R 4/Length 128/P -4/O<" + owner.hex().encode() + b">/U<" + (user + bytes(16)).hex().encode() + b">/CF " + (cf or filters) + b"/StmF/StdCF/StrF/StdCF>>"
    document.objects[7] = filters
    document.objects |= ({4: content} if content else {}) | (more or {})
    identifier = b"<" + IDENTIFIER.hex().encode() + b">"
    return document.bytes(trailer=b"/Encrypt 6 0 R/ID[" + identifier * 2 + b"]")


def encryptions():
    for method in (b"V2", b"AESV2"):
        name, plain = method.decode(), encrypted(method)
        yield f"encrypted-usual-{name}", plain
        yield f"encrypted-cf-{name}", encrypted(method, b"7 0 R")
        yield f"encrypted-cfm-{name}", encrypted(method, b"<</StdCF<</CFM 8 0 R/AuthEvent/DocOpen/Length 16>>>>", {8: b"/" + method})
        yield f"encrypted-filter-{name}", encrypted(method, b"<</StdCF 8 0 R>>", {8: b"<</CFM/" + method + b"/AuthEvent/DocOpen/Length 16>>"})
        for form, (old, new) in {"real": (b"/V 4/", b"/V 4.0/"), "second": (b"/V 4/", b"/V 4/X<</V 1>>/"), "array": (b"/V 4/", b"/V 4/X[/V 2]/"), "zeros": (b"/Encrypt 6", b"/Encrypt " + ZEROS + b"6"), "unknown": (b"/StmF/StdCF", b"/StmF/Other")}.items():
            yield f"encrypted-{form}-{name}", plain.replace(old, new, 1)
    for form, (fields, more) in {
        "crypt": (b"/Filter[/Crypt/FlateDecode]", {}), "crypt-behind": (b"/Filter 8 0 R", {8: b"[/Crypt/FlateDecode]"}), "crypt-item": (b"/Filter[8 0 R/FlateDecode]", {8: b"/Crypt"}), "references": (b"/Type/XRef/Filter[/Crypt/FlateDecode]", {}),
    }.items():
        yield f"encrypted-plain-{form}", encrypted(b"AESV2", content=stream(PACKED, fields + b"/DecodeParms[<</Name/Identity>>" + PARAMETERS + b"]"), more=more)
    yield "encrypted-plain-xref", encrypted(b"AESV2", content=stream(PACKED, b"/Type/XRef/Filter/FlateDecode/DecodeParms" + PARAMETERS))


def images():
    """What `mutool extract` saves, and strings that `pdfsig` does; more in the readers that only a command line reaches."""
    form = b"/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray"
    packed = b"/Filter[/FlateDecode/DCTDecode]/DecodeParms[" + PARAMETERS + b"null]"
    for name, (subtype, number) in {"direct": (b"/Subtype/Image", 9), "behind": (b"/Subtype 11 0 R", 9), "mask": (b"/Type/XObject", 10)}.items():
        document = Document()
        document.objects |= {1: b"<</Type/Catalog/Pages 2 0 R>>", 5: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 8 0 R/Resources<</XObject<</I 9 0 R>>>>>>", 8: stream(b"/I Do")}
        del document.objects[3], document.objects[4]
        if number == 10:
            document.objects[9] = stream(b"\x80", b"/Subtype/Image/SMask 10 0 R" + form)
        document.objects |= {number: stream(PACKED, subtype + form + packed), 11: b"/Im#61ge"}
        yield f"image-{name}", document.bytes()
    literal, lines = b"".join(b"\\%03o" % byte for byte in EICAR), b"\n".join(EICAR[at:at + 10].hex().encode() for at in range(0, len(EICAR), 10))
    for name, contents in {"literal": b"(" + literal + b")", "lines": b"<" + lines + b">", "behind": b" 12 0 R"}.items():
        document = Document()
        document.objects |= {1: b"<</Type/Catalog/Pages 2 0 R/AcroForm<</SigFlags 3/Fields[8 0 R]>>>>", 5: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Annots[8 0 R]>>", 8: b"<</FT/Sig/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/T(s)/P 5 0 R/V 9 0 R>>", 12: b"(" + literal + b")"}
        document.objects[9] = b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/adbe.pkcs7.detached/ByteRange[0 10 20 30]/Contents" + contents + b">>"
        del document.objects[3], document.objects[4]
        yield f"signature-{name}", document.bytes()
        yield f"signature-packed-{name}", document.packed(hidden=(1, 2, 5, 8, 9, 12))
    document = Document()
    document.objects[1] = b"<</Type/Catalog/Pages 2 0 R/Metadata 8 0 R>>"
    document.objects[8] = stream(PACKED, b"/Type/Metadata/Subtype/XML/Filter/FlateDecode/DecodeParms" + PARAMETERS)
    del document.objects[3], document.objects[4]
    yield "metadata", document.bytes()


def variants():
    for name, data in itertools.chain(headers(), numbers(), parameters(), encryptions(), images()):
        yield name, "pdf", data
