"""Signed and literal messages that hold what they sign: CMS and S/MIME (RFC 5652, 8551), OpenPGP (RFC 4880), as openssl and gpg open them.

The key is made from two fixed primes, so that each run signs the same bytes; it protects nothing.
"""

import base64, bz2, hashlib, itertools, struct, zlib

from base import PAYLOADS, Member, base64_lines, mail, zip_of


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


def variants():
    for part in (smimes, pgps):
        yield from part()
