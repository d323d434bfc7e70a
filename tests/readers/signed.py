"""Signed and literal messages that hold what they sign: CMS and S/MIME (RFC 5652, 8551), OpenPGP (RFC 4880), as openssl and gpg open them.

The key is made from two fixed primes, so that each run signs the same bytes; it protects nothing.
"""

import base64, bz2, hashlib, itertools, struct, zlib

from base import EICAR, ELF, FRONTS, GOOD_ZIP, PAYLOADS, ZIP, Member, base64_lines, mail, png, zip_of


def probable_prime(seed, bits=1024):
    """The first number from the seed's hash on that passes Fermat's test to three bases."""
    digest = b"".join(hashlib.sha512(seed + bytes([index])).digest() for index in range(bits // 512))
    number = int.from_bytes(digest, "big") | 3 << bits - 2 | 1
    while any(pow(base, number - 1, number) != 1 for base in (2, 3, 5)):
        number += 2
    return number


P, Q, EXPONENT = probable_prime(b"one"), probable_prime(b"two"), 65537
MODULUS = P * Q


def der(tag, *contents):
    content = b"".join(contents)
    n_bytes = (len(content).bit_length() + 7) // 8
    size = bytes([len(content)]) if len(content) < 128 else bytes([0x80 | n_bytes]) + len(content).to_bytes(n_bytes, "big")
    return bytes([tag]) + size + content


def integer(value):
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = bytes([first * 40 + second])
    for part in rest:
        digits = [part & 127]
        while part := part >> 7:
            digits.insert(0, part & 127 | 128)
        out += bytes(digits)
    return der(6, out)


SHA256 = der(0x30, oid("2.16.840.1.101.3.4.2.1"), der(5))
RSA = der(0x30, oid("1.2.840.113549.1.1.1"), der(5))
SHA256_RSA = der(0x30, oid("1.2.840.113549.1.1.11"), der(5))
DATA, SIGNED, DIGESTED = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.5"


def signature(data):
    """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2)."""
    info = der(0x30, SHA256, der(4, hashlib.sha256(data).digest()))
    n_bytes = (MODULUS.bit_length() + 7) // 8
    padded = b"\0\1" + b"\xff" * (n_bytes - 3 - len(info)) + b"\0" + info
    private = pow(EXPONENT, -1, (P - 1) * (Q - 1))
    return pow(int.from_bytes(padded, "big"), private, MODULUS).to_bytes(n_bytes, "big")


def certificate():
    name = der(0x30, der(0x31, der(0x30, oid("2.5.4.3"), der(0x0C, b"x"))))
    key = der(0x30, RSA, der(3, b"\0" + der(0x30, integer(MODULUS), integer(EXPONENT))))
    body = der(0x30, der(0xA0, integer(2)), integer(1), SHA256_RSA, name, der(0x30, der(0x17, b"200101000000Z"), der(0x17, b"490101000000Z")), name, key)
    return der(0x30, body, SHA256_RSA, der(3, b"\0" + signature(body))), name


def cms(data, pieces=False, certificates=True):
    """Opaque signed data. With PIECES, the content is a constructed string of pieces of 50 bytes, of indefinite length."""
    whole, issuer = certificate()
    content = der(4, data)
    if pieces:
        content = b"\x24\x80" + b"".join(der(4, data[at:at + 50]) for at in range(0, len(data), 50)) + b"\0\0"
    signer = der(0x30, integer(1), der(0x30, issuer, integer(1)), SHA256, RSA, der(4, signature(data)))
    inner = der(0x30, oid(DATA), der(0xA0, content))
    return der(0x30, oid(SIGNED), der(0xA0, der(0x30, integer(1), der(0x31, SHA256), inner, der(0xA0, whole) if certificates else b"", der(0x31, signer))))


def pgp_packet(tag, body, old=True):
    """RFC 4880, 4.2: a header in the old or the new form."""
    if old:
        return bytes([0x80 | tag << 2 | 2]) + struct.pack(">I", len(body)) + body
    return bytes([0xC0 | tag, 0xFF]) + struct.pack(">I", len(body)) + body


def pgp_partial(tag, body):
    """The new form with partial lengths: 512 bytes first, as the RFC wants, then the rest."""
    body = body.ljust(512, b"\n") if len(body) < 512 else body
    return bytes([0xC0 | tag, 0xE9]) + body[:512] + b"\xff" + struct.pack(">I", len(body) - 512) + body[512:]


def literal(data, form=b"b", name=b"e.com"):
    return form + bytes([len(name)]) + name + bytes(4) + data


def compressed(data, method):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return bytes([method]) + {0: lambda: data, 1: lambda: packer.compress(data) + packer.flush(), 2: lambda: zlib.compress(data), 3: lambda: bz2.compress(data)}[method]()


def armored(data, kind="MESSAGE", crc=True):
    total = 0xB704CE
    for byte in data:
        total ^= byte << 16
        for _ in range(8):
            total = (total << 1 ^ 0x1864CFB) & 0xFFFFFF if total & 0x800000 else total << 1
    sum_ = f"={base64.b64encode(total.to_bytes(3, 'big')).decode()}\n" if crc else ""
    return f"-----BEGIN PGP {kind}-----\n\n{base64_lines(data, 64, chr(10))}{sum_}-----END PGP {kind}-----\n".encode()


def smimes():
    for kind, data in PAYLOADS.items():
        inner = mail(base64_lines(data))
        for shape, options in {"plain": {}, "pieces": {"pieces": True}}.items():
            for what, content in (("bytes", data), ("mail", inner)):
                signed = cms(content, **options)
                yield f"cms-{shape}-{what}-{kind}", "p7m", signed
                yield f"cms-{shape}-{what}-pem-{kind}", "pem", f"-----BEGIN CMS-----\n{base64_lines(signed, 64, chr(10))}-----END CMS-----\n".encode()
                for media, label in (("application/pkcs7-mime; smime-type=signed-data", "usual"), ("application/x-pkcs7-mime; smime-type=signed-data", "x"), ("application/pkcs7-mime", "no-type"), ("application/octet-stream", "octets")):
                    head = f'From: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: {media}; name="smime.p7m"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="smime.p7m"\r\n\r\n'
                    yield f"smime-{shape}-{what}-{label}-{kind}", "eml", head.encode() + base64_lines(signed).encode()
                yield f"cms-{shape}-{what}-zipped-{kind}", "zip", zip_of(Member("smime.p7m", signed))


def pgps():
    for (kind, data), (form, packet) in itertools.product(PAYLOADS.items(), {"old": pgp_packet, "new": lambda tag, body: pgp_packet(tag, body, old=False), "partial": pgp_partial}.items()):
        message = packet(11, literal(data))
        yield f"pgp-{form}-{kind}", "pgp", message
        yield f"pgp-{form}-armored-{kind}", "asc", armored(message)
        yield f"pgp-{form}-armored-no-crc-{kind}", "asc", armored(message, crc=False)
        yield f"pgp-{form}-armored-behind-text-{kind}", "asc", b"Some text.\n\n" + armored(message)
        yield f"pgp-{form}-text-{kind}", "pgp", packet(11, literal(data, b"t"))
        yield f"pgp-{form}-mailed-{kind}", "eml", mail(armored(message).decode(), encoding="7bit")
        for method in range(4):
            squeezed = packet(8, compressed(pgp_packet(11, literal(data)), method))
            yield f"pgp-{form}-packed-{method}-{kind}", "pgp", squeezed
            yield f"pgp-{form}-packed-{method}-armored-{kind}", "asc", armored(squeezed)


# The payloads of the variants below; the others would show the same.
FEW = {kind: PAYLOADS[kind] for kind in ("eicar", "zip")}
MARKER, SIGNATURE = pgp_packet(10, b"PGP"), pgp_packet(2, b"\4" + bytes(30))
HEAD, END = b"-----BEGIN PGP MESSAGE-----\n", b"-----END PGP MESSAGE-----\n"


def unarmored(data):
    """Its lines of base64."""
    return base64_lines(data, 64, "\n").encode()


def odd_packets():
    """What gpg opens though the packets are not as the standard has them."""
    for kind, data in FEW.items():
        message, body = pgp_packet(11, literal(data)), literal(data)
        yield f"pgp-indeterminate-{kind}", b"\xaf" + body
        yield f"pgp-too-long-{kind}", b"\xae\0\1\0\0" + body
        yield f"pgp-second-{kind}", pgp_packet(11, literal(b"hello")) + message
        for mode in b"ulm1x\0":
            yield f"pgp-mode-{mode}-{kind}", pgp_packet(11, literal(data, bytes([mode])))
        for mode in b"tu":
            yield f"pgp-cr-{mode}-{kind}", pgp_packet(11, literal(b"".join(bytes([byte, 13]) for byte in data if byte != 13), bytes([mode])))
        for power in (0, 1, 4, 6):
            parts = [body[start:start + (1 << power)] for start in range(0, len(body) >> power << power, 1 << power)]
            rest = body[len(parts) << power:]
            yield f"pgp-parts-{power}-{kind}", b"\xcb" + b"".join(bytes([0xE0 | power]) + part for part in parts) + bytes([len(rest)]) + rest
        for tag in (2, 5, 6, 7, 12, 13, 14, 16, 17, 61):
            yield f"pgp-behind-{tag}-{kind}", pgp_packet(tag, b"\4abcde", old=False) + message
        for tag in (0, 15, 21, 40, 62):
            yield f"pgp-behind-marker-{tag}-{kind}", MARKER + pgp_packet(tag, b"abcdef", old=False) + message
        yield f"pgp-signed-{kind}", pgp_packet(4, b"\3\0\x08\1" + bytes(8) + b"\1") + message + SIGNATURE
        for method in range(4):
            packed = compressed(message, method)
            yield f"pgp-packed-{method}-indeterminate-{kind}", b"\xa3" + packed
            yield f"pgp-packed-{method}-short-{kind}", bytes([0xA0, 9]) + packed
            yield f"pgp-packed-{method}-long-{kind}", b"\xc8\xff\0\1\0\0" + packed
            yield f"pgp-packed-{method}-junk-{kind}", b"\xa3" + packed + b"junk" * 9
            yield f"pgp-packed-{method}-behind-unknown-{kind}", b"\xa3" + compressed(pgp_packet(40, b"?", old=False) + message, method)
            yield f"pgp-packed-{method}-twice-{kind}", b"\xa3" + compressed(b"\xa3" + packed, 2)
            yield f"pgp-packed-{method}-ten-times-{kind}", nested(packed, method)
        for n_cut in (1, 2, 4):
            yield f"pgp-packed-cut-{n_cut}-{kind}", b"\xa3" + compressed(message, 2)[:-n_cut]


def nested(packed, method):
    for _ in range(9):
        packed = compressed(b"\xa3" + packed, method)
    return b"\xa3" + packed


def odd_armors():
    """What gpg decodes though no search for lines of base64 would find it, and what it joins."""
    for kind, data in FEW.items():
        message = pgp_packet(11, literal(data))
        digits, lines = base64.b64encode(message), unarmored(message)
        for label in ("PUBLIC KEY BLOCK", "SIGNATURE", "PRIVATE KEY BLOCK", "SECRET KEY BLOCK", "ARMORED FILE", "MESSAGE, PART 1/2"):
            yield f"armor-{label}-{kind}", armored(message, label)
        for name, body in {
            "one-line": digits + b"\n", "short-first": digits[:4] + b"\n" + digits[4:] + b"\n", "single": b"".join(bytes([digit]) + b"\n" for digit in digits),
            "junk": lines.replace(b"A", b"!A"), "dashes": lines.replace(b"A", b"-A"), "colons": lines.replace(b"A", b":A"), "zeros": lines.replace(b"A", b"\0A"), "indented": b"  " + lines.replace(b"\n", b"\n  "),
            "blank-lines": lines.replace(b"\n", b"\n\n"), "checksum-behind": digits.rstrip(b"=") + b"=\n", "junk-behind-20000": junk_behind(digits),
        }.items():
            yield f"armor-{name}-{kind}", HEAD + b"\n" + body + END
            yield f"armor-{name}-no-blank-{kind}", HEAD + body + END
            yield f"armor-{name}-no-end-{kind}", HEAD + b"\n" + body
        for name, fields in {"fields": b"Version: 1\nComment: text\n\n", "fields-no-blank": b"Version: 1\n", "white": b" \t\n", "blanks": b"\n\n\n", "dash": b"-\n\n"}.items():
            yield f"armor-{name}-{kind}", HEAD + fields + lines + END
        for name, front in {"binary": bytes(range(128)), "elf": ELF, "png": png(), "high": b"\x80\0", "zip": ZIP, "pdf": FRONTS["pdf"]}.items():
            yield f"armor-behind-{name}-{kind}", front + b"\n" + armored(message)
        for name, (old, new) in {"crlf": (b"\n", b"\r\n"), "lf-cr": (b"\n", b"\n\r"), "white": (b"-\n", b"- \t\n")}.items():
            yield f"armor-lines-{name}-{kind}", armored(message).replace(old, new)
        for at in (3, 20, 50):
            for crc in (True, False):
                yield f"armor-split-{at}-{crc}-{kind}", armored(message[:at], crc=crc) + b"text\n" + armored(message[at:], "SIGNATURE", crc)
        yield f"armor-over-the-end-{kind}", HEAD + b"\n" + unarmored(b"\xaf" + literal(data[:30])).replace(b"=", b"") + b"\n" + armored(message)
        yield f"armor-second-{kind}", armored(SIGNATURE, "SIGNATURE") + armored(message)
        comment = b"\n" + armored(message)
        yield f"armor-in-zip-comment-{kind}", GOOD_ZIP[:-2] + struct.pack("<H", len(comment)) + comment


def junk_behind(digits):
    """gpg 2 cuts lines behind 19998 characters."""
    return b"!" * (19998 - len(digits) // 4 * 2) + digits[:len(digits) // 4 * 2] + b"AAAABBBBCCCC" * 9 + b"\n" + digits[len(digits) // 4 * 2:] + b"\n"


def cleartexts():
    for name, text in {"plain": EICAR + b"\n", "escaped": b"- " + EICAR + b"\n", "white": b"- " + EICAR + b" \t\n", "no-break": b"- " + EICAR}.items():
        for header, fields in {"hash": b"Hash: SHA512\n\n", "none": b"\n", "verbatim": b"NotDashEscaped: x\n\n", "white": b"Hash: SHA1\n \t\n"}.items():
            signed = b"-----BEGIN PGP SIGNED MESSAGE-----\n" + fields + text + (b"" if text.endswith(b"\n") else b"\n") + armored(SIGNATURE, "SIGNATURE")
            yield f"cleartext-{name}-{header}", signed
            yield f"cleartext-{name}-{header}-crlf", signed.replace(b"\n", b"\r\n")
            yield f"cleartext-{name}-{header}-behind-text", b"Some text.\n\n" + signed


def padded(n_zeros):
    """Sizes with so many zeros in front."""
    def value(tag, *contents):
        content = b"".join(contents)
        return bytes([tag, 0x84 + n_zeros]) + bytes(n_zeros) + len(content).to_bytes(4, "big") + content
    return value


def open_ended(tag, *contents):
    return bytes([tag, 0x80]) + b"".join(contents) + b"\0\0"


def wrapped(data, content=None, value=der, kind=DATA):
    """Signed data whose outer values are written with VALUE; gpgsm and `openssl cms` want no more to be right."""
    whole, issuer = certificate()
    signer = der(0x30, integer(1), der(0x30, issuer, integer(1)), SHA256, RSA, der(4, signature(data)))
    inner = value(0x30, oid(kind), value(0xA0, der(4, data) if content is None else content))
    return value(0x30, oid(SIGNED), value(0xA0, value(0x30, integer(1), der(0x31, SHA256), inner, der(0xA0, whole), der(0x31, signer))))


def odd_wrappers():
    for kind, data in FEW.items():
        cut = lambda n_bytes, value=der: [value(4, data[start:start + n_bytes]) for start in range(0, len(data), n_bytes)]
        whole = wrapped(data)
        yield f"cms-open-{kind}", wrapped(data, value=open_ended)
        for n_zeros in (0, 1, 2, 90):
            yield f"cms-size-{n_zeros}-{kind}", wrapped(data, value=padded(n_zeros))
        for size in (b"\x81\x09", b"\x82\0\x09"):
            yield f"cms-name-{len(size)}-{kind}", whole.replace(oid(SIGNED), b"\6" + size + oid(SIGNED)[2:])
        for n_bytes in (1, 7, 60):
            yield f"cms-pieces-{n_bytes}-{kind}", wrapped(data, der(0x24, *cut(n_bytes)))
            yield f"cms-open-pieces-{n_bytes}-{kind}", wrapped(data, open_ended(0x24, *cut(n_bytes)), open_ended)
            yield f"cms-nested-pieces-{n_bytes}-{kind}", wrapped(data, open_ended(0x24, *(open_ended(0x24, piece, der(4)) for piece in cut(n_bytes))))
        for name, content in {"string": der(0x0C, data), "bits": der(3, data), "tagged": der(0x80, data), "sequence": der(0x30, data), "open": der(0x30, oid(DATA), der(4, data))}.items():
            yield f"cms-as-{name}-{kind}", wrapped(data, content)
        yield f"cms-short-octets-{kind}", whole.replace(der(0xA0, der(4, data)), der(0xA0, b"\4\5" + data))
        yield f"cms-other-type-{kind}", wrapped(data, kind="1.2.3.4")
        yield f"cms-cut-{kind}", whole[:-90]
        yield f"cms-nested-{kind}", wrapped(whole, kind=SIGNED)
        yield f"cms-within-{kind}", wrapped(data, whole, kind=SIGNED)
        yield f"cms-data-{kind}", der(0x30, oid(DATA), der(0xA0, der(4, data)))
        yield f"cms-digested-{kind}", der(0x30, oid(DIGESTED), der(0xA0, der(0x30, integer(0), SHA256, der(0x30, oid(DATA), der(0xA0, der(4, data))), der(4, hashlib.sha256(data).digest()))))
        for label in ("PKCS7", "PKCS #7 SIGNED DATA", "CERTIFICATE", "X"):
            for shape, lines in odd_lines(whole).items():
                yield f"pem-{label}-{shape}-{kind}", f"-----BEGIN {label}-----\n{lines}-----END {label}-----\n".encode()
        for encoding, (shape, lines) in itertools.product(("", "Content-Transfer-Encoding: 7bit\n", "Content-Transfer-Encoding: base64\n"), odd_lines(whole).items()):
            head = f"MIME-Version: 1.0\nContent-Type: application/pkcs7-mime; smime-type=signed-data\n{encoding}\n"
            for place, text in {"": "", "-behind-text": "Some text, of course.\n\n"}.items():
                yield f"smime-{shape}-{encoding[27:].strip() or 'none'}{place}-{kind}", (head + text + lines).encode()


def odd_lines(data):
    """Base64 in lines of which no two are alike."""
    digits = base64.b64encode(data).decode()
    return {"usual": base64_lines(data, 64, "\n"), "short": base64_lines(data, 4, "\n"), "short-first": digits[:4] + "\n" + base64_lines(data, 64, "\n")[4:], "growing": growing(digits)}


def growing(digits):
    lines, start, width = [], 0, 1
    while start < len(digits):
        lines.append(digits[start:start + width] + "\n")
        start, width = start + width, width % 60 + 1
    return "".join(lines)


def variants():
    for part in (smimes, pgps):
        yield from part()
    for part, extension in ((odd_packets, "pgp"), (odd_armors, "asc"), (cleartexts, "asc")):
        for name, data in part():
            yield name, extension, data
    for name, data in odd_wrappers():
        yield name, {"c": "p7m", "p": "pem", "s": "eml"}[name[0]], data
