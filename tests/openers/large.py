#!/usr/bin/env python3
"""Writes large documents that are ordinary but for their size: `large.py DIRECTORY N_MEGABYTES`.

What each takes must grow with its size and no faster. Every second object of the PDF, and every message, has a stream of its own.
"""

import base64, os, random, struct, sys, zlib

MEGABYTE = 1 << 20
DIRECTORY, N_MEGABYTES = sys.argv[1], int(sys.argv[2])
RANDOM = random.Random(7)


def noise(n_bytes):
    """Nothing compresses it, and nothing takes its start for that of a container."""
    return b"noise " + RANDOM.randbytes(n_bytes - 6)


def write(name, pieces):
    with open(os.path.join(DIRECTORY, name), "wb") as file:
        file.writelines(pieces)


def pdf_stream(entries, data):
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(data), data)


def pdf_objects(n_objects, n_bytes):
    """Pages, what they show, fonts, images, forms with an alpha channel, and one embedded file in a hundred objects."""
    yield b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Names[(a)3 0 R]>>>>>>"
    yield b"<</Type/Pages/Count 1/Kids[4 0 R]>>"
    yield b"<</Type/Filespec/F(a)/EF<</F 6 0 R>>>>"
    for number in range(4, n_objects + 1):
        data = noise(n_bytes)
        if number % 2 == 0:
            yield b"<</Type/Page/Parent 2 0 R/Contents %d 0 R/Resources<</XObject<</I %d 0 R>>>>>>" % (number + 1, number + 3)
        elif number % 100 == 1:
            yield pdf_stream(b"/Subtype/Image/Width 9/Height 9/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/DCTDecode", b"\xff\xd8\xff\xe0" + data)
        elif number % 100 == 3:
            yield pdf_stream(b"/Length1 %d/Filter/FlateDecode" % n_bytes, zlib.compress(data, 1))
        elif number % 100 == 5:
            yield b"<</Type/FontDescriptor/FontFile2 %d 0 R>>" % (number - 2)
        elif number % 100 == 7:
            yield pdf_stream(b"/Type/EmbeddedFile/Filter/FlateDecode", zlib.compress(data, 1))
        elif number % 4 == 1:
            yield pdf_stream(b"/Subtype/Image/Width 9/Height 9/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/FlateDecode", zlib.compress(data, 1))
        else:
            yield pdf_stream(b"/Filter/FlateDecode", zlib.compress(data, 1))


def pdf(n_objects, n_bytes):
    at, places = 0, []

    def counted(piece):
        nonlocal at
        at += len(piece)
        return piece

    yield counted(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    for number, body in enumerate(pdf_objects(n_objects, n_bytes), 1):
        places.append(at)
        yield counted(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    yield b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
    yield from (b"%010d 00000 n \n" % place for place in places)
    yield b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(places) + 1, at)


def pdf_in_object_streams(n_objects, n_bytes):
    """Like `pdf`, as newer programs write it: what is no stream stands in object streams, and so does the cross reference."""
    at, places, waiting, n_written = 0, {}, [], n_objects
    yield b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
    at += 15

    def indirect(number, body):
        nonlocal at
        piece = b"%d 0 obj\n%s\nendobj\n" % (number, body)
        places[number] = (1, at, 0)
        at += len(piece)
        return piece

    def object_stream():
        nonlocal n_written
        n_written += 1
        heads, bodies = b"", b""
        for index, (number, body) in enumerate(waiting):
            heads += b"%d %d " % (number, len(bodies))
            bodies += body + b" "
            places[number] = (2, n_written, index)
        entries = b"/Type/ObjStm/N %d/First %d/Filter/FlateDecode" % (len(waiting), len(heads))
        waiting.clear()
        return indirect(n_written, pdf_stream(entries, zlib.compress(heads + bodies)))

    for number, body in enumerate(pdf_objects(n_objects, n_bytes), 1):
        if body.endswith(b"endstream"):
            yield indirect(number, body)
        else:
            waiting.append((number, body))
        if len(waiting) == 100:
            yield object_stream()
    if waiting:
        yield object_stream()
    table = b"".join(struct.pack(">BIH", *places.get(number, (0, 0, 0))) for number in range(n_written + 1))
    entries = b"/Type/XRef/W[1 4 2]/Root 1 0 R/Size %d/Filter/FlateDecode" % (n_written + 1)
    start = at
    yield indirect(n_written + 1, pdf_stream(entries, zlib.compress(table)))
    yield b"startxref\n%d\n%%%%EOF\n" % start


def base64_lines(n_bytes):
    for _ in range(n_bytes * 3 // 4 // MEGABYTE + 1):
        yield base64.encodebytes(noise(57 * (MEGABYTE // 57)))


def base64_run(n_bytes):
    for _ in range(n_bytes * 3 // 4 // MEGABYTE + 1):
        yield base64.b64encode(noise(3 * (MEGABYTE // 3)))


def mailbox(n_messages, n_bytes):
    for number in range(n_messages):
        boundary = b"%016x" % RANDOM.getrandbits(64)
        yield b"From a@example.com Mon Jan  1 00:00:00 2024\n"
        yield b"From: a@example.com\nTo: b@example.com\nSubject: message %d\nMIME-Version: 1.0\n" % number
        yield b"Content-Type: multipart/mixed; boundary=\"%s\"\n\n" % boundary
        yield b"--%s\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n" % boundary
        yield b"Hello =3D message %d, with some text.\n\n" % number
        yield b"--%s\nContent-Type: application/octet-stream; name=\"a.bin\"\nContent-Transfer-Encoding: base64\n" % boundary
        yield b"Content-Disposition: attachment; filename=\"a.bin\"\n\n%s\n" % base64.encodebytes(noise(n_bytes * 3 // 4))
        yield b"--%s--\n\n" % boundary


def markup(n_bytes):
    """Half of it is one text of base64 with references between its lines, half are cells of a table and links."""
    yield b'<?xml version="1.0"?>\n<office:document xmlns:office="a"><office:binary-data>'
    for _ in range(n_bytes * 3 // 8 // MEGABYTE + 1):
        yield base64.encodebytes(noise(57 * (MEGABYTE // 57))).replace(b"\n", b"&#10;")
    yield b"</office:binary-data>\n"
    for number in range(n_bytes // 2 // 250):
        yield b'<!-- row %d --><c r="A%d"><v>%d</v></c><a href="https://example.org/?number=%d&amp;source=a-long-word-without-meaning&amp;medium=mail"><![CDATA[An invoice, and %d more]]></a><p style="margin: 1em; color: #123456">It&#39;s fine.</p>\n' % ((number,) * 5)
    yield b"</office:document>\n"


write("pdf", pdf(N_MEGABYTES * 500, 4000))
write("pdf-object-streams", pdf_in_object_streams(N_MEGABYTES * 500, 4000))
write("base64-lines", base64_lines(N_MEGABYTES * MEGABYTE // 2))
write("base64-run", base64_run(N_MEGABYTES * MEGABYTE // 2))
write("mailbox", mailbox(N_MEGABYTES * 50, 4400))
write("markup", markup(N_MEGABYTES * MEGABYTE // 2))
