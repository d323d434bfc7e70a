"""Files in media: covers and objects in tags, attachments of Matroska, profiles, previews and texts of pictures.

ID3v2.2 to 2.4; APEv2; RFC 9639; RFC 9559; ISO/IEC 14496-12; PNG (3rd edition); ICC.1:2022 annex B; Exif 2.32; Adobe Photoshop File Formats.
"""

import base64, struct, zlib

from base import EICAR, HIDDEN_ZIP, png, png_chunk, riff

FILES = {"eicar": EICAR, "hidden": HIDDEN_ZIP}
SOUND = (b"\xff\xfb\x90\x64" + bytes(413)) * 8


def syncsafe(size):
    return bytes(size >> shift & 127 for shift in (21, 14, 7, 0))


def id3(version, frames, flags=0):
    return b"ID3" + bytes([version, 0, flags]) + syncsafe(len(frames)) + frames + SOUND


def frame(version, name, body, flags=0):
    size = syncsafe(len(body)) if version == 4 else struct.pack(">I", len(body))
    return name + size + bytes([0, flags]) + body


def block(data):
    return struct.pack(">II", 3, 10) + b"image/jpeg" + struct.pack(">IIIIII", 0, 1, 1, 24, 0, len(data)) + data


def sounds(data):
    bodies = {b"GEOB": b"\0a/b\0e.com\0x\0" + data, b"APIC": b"\0image/jpeg\0\3x\0" + data, b"PRIV": b"owner\0" + data}
    wide = b"\1a/b\0" + "\ufeffe.com\0".encode("utf-16-le") + "\ufeffx\0".encode("utf-16-le") + data
    for name, body in bodies.items():
        for version in (3, 4):
            yield f"id3-{version}-{name.decode().lower()}", "mp3", id3(version, frame(version, b"TIT2", b"\0t") + frame(version, name, body))
    yield "id3-2-pic", "mp3", id3(2, b"PIC" + struct.pack(">I", len(data) + 6)[1:] + b"\0JPG\3\0" + data)
    yield "id3-3-wide", "mp3", id3(3, frame(3, b"GEOB", wide))
    yield "id3-3-compressed", "mp3", id3(3, frame(3, b"APIC", struct.pack(">I", len(bodies[b"APIC"])) + zlib.compress(bodies[b"APIC"]), 0x80))
    yield "id3-3-unsynchronised", "mp3", id3(3, frame(3, b"GEOB", b"\0a/b\0\xff\0\0x\0" + data.replace(b"\xff\0", b"\xff\0\0")), 0x80)
    value = b"cover.jpg\0" + data
    items = struct.pack("<II", len(value), 2) + b"Cover Art (Front)\0" + value
    yield "ape", "mp3", SOUND + items + b"APETAGEX" + struct.pack("<IIII", 2000, len(items) + 32, 1, 0) + bytes(8)
    info = b"\0\0\0\x22" + struct.pack(">HH", 4096, 4096) + bytes(6) + bytes.fromhex("0ac442f000000000") + bytes(16)
    yield "flac", "flac", b"fLaC" + info + b"\x86" + struct.pack(">I", len(block(data)))[1:] + block(data)
    comment = b"METADATA_BLOCK_PICTURE=" + base64.b64encode(block(data))
    comments = struct.pack("<I", 1) + b"v" + struct.pack("<II", 1, len(comment)) + comment
    yield "flac-comment", "flac", b"fLaC" + info + b"\x84" + struct.pack(">I", len(comments))[1:] + comments
    yield "wave-id3", "wav", riff(b"WAVE", (b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8)), (b"data", b"\x80" * 400), (b"id3 ", id3(3, frame(3, b"APIC", bodies[b"APIC"]))))


def ebml(identifier, data):
    return identifier + struct.pack(">Q", 1 << 56 | len(data)) + data


def boxed(kind, *contents):
    content = b"".join(contents)
    return struct.pack(">I", len(content) + 8) + kind + content


def films(data):
    attached = ebml(b"\x61\xa7", ebml(b"\x46\x6e", b"e.com") + ebml(b"\x46\x60", b"application/octet-stream") + ebml(b"\x46\x5c", data) + ebml(b"\x46\xae", b"\7"))
    head = ebml(b"\x1a\x45\xdf\xa3", ebml(b"\x42\x86", b"\1") + ebml(b"\x42\x82", b"matroska") + ebml(b"\x42\x87", b"\4") + ebml(b"\x42\x85", b"\2"))
    info = ebml(b"\x15\x49\xa9\x66", ebml(b"\x2a\xd7\xb1", b"\x0f\x42\x40") + ebml(b"\x4d\x80", b"x") + ebml(b"\x57\x41", b"x"))
    segment = info + ebml(b"\x19\x41\xa4\x69", attached)
    yield "matroska", "mkv", head + ebml(b"\x18\x53\x80\x67", segment)
    yield "matroska-unknown-size", "mkv", head + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" + segment
    cover = boxed(b"ilst", boxed(b"covr", boxed(b"data", struct.pack(">II", 13, 0), data)))
    handler = boxed(b"hdlr", bytes(8), b"mdirappl", bytes(10))
    yield "mp4", "m4a", boxed(b"ftyp", b"M4A \0\0\0\0") + boxed(b"moov", boxed(b"udta", boxed(b"meta", bytes(4), handler, cover)))


def segment(marker, data):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg(*segments):
    return b"\xff\xd8" + segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0") + b"".join(segments) + segment(0xDB, bytes(65)) + segment(0xC0, bytes.fromhex("080001000101011100")) + b"\xff\xd9"


def tiff(data):
    """A directory, and another one with a preview."""
    first = struct.pack(">HHHII", 1, 0x112, 3, 1, 1 << 16) + struct.pack(">I", 26)
    second = struct.pack(">H", 3) + struct.pack(">HHII", 0x103, 3, 1, 6 << 16) + struct.pack(">HHII", 0x201, 4, 1, 68) + struct.pack(">HHII", 0x202, 4, 1, len(data)) + bytes(4)
    return b"MM\0*\0\0\0\x08" + first + second + data


def pictures(data):
    half = len(data) // 2
    piece = lambda number, part: segment(0xE2, b"ICC_PROFILE\0" + bytes([number, 2]) + part)  # noqa: E731
    yield "jpeg-icc", "jpg", jpeg(segment(0xE2, b"ICC_PROFILE\0\1\1" + data))
    yield "jpeg-icc-two", "jpg", jpeg(piece(1, data[:half]), piece(2, data[half:]))
    yield "jpeg-icc-turned", "jpg", jpeg(piece(2, data[half:]), piece(1, data[:half]))
    yield "jpeg-comment", "jpg", jpeg(segment(0xFE, data))
    yield "jpeg-preview", "jpg", jpeg(segment(0xE1, b"Exif\0\0" + tiff(data)))
    resource = b"8BIM\x04\x0f\0\0" + struct.pack(">I", len(data)) + data
    yield "jpeg-resource", "jpg", jpeg(segment(0xED, b"Photoshop 3.0\0" + resource))
    yield "png-iccp", "png", png(png_chunk(b"iCCP", b"x\0\0" + zlib.compress(data)))
    yield "png-ztxt", "png", png(png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(data)))
    yield "png-text", "png", png(png_chunk(b"tEXt", b"Comment\0" + data))
    raw = f"\nicc\n{len(data):8}\n".encode() + data.hex().encode() + b"\n"
    yield "png-raw-profile", "png", png(png_chunk(b"zTXt", b"Raw profile type icc\0\0" + zlib.compress(raw)))
    yield "webp-icc", "webp", riff(b"WEBP", (b"VP8X", b"\x20\0\0\0" + bytes(6)), (b"ICCP", data))


def variants():
    for kind, data in FILES.items():
        for made in (sounds, films, pictures):
            for name, extension, content in made(data):
                yield f"{name}-{kind}", extension, content
