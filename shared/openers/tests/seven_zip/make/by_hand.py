"""Archives that no free tool writes, in the simplest form of their formats: nothing is packed."""

import base64
import struct
import zlib


def crc16(data):
    """CRC-16/ARC, as LHA has it."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value


def make_lzh(maker):
    """Level 0 headers: size, sum, method, sizes, time, attributes, level, name, checksum of the data."""
    archive = b""
    for name, data in ((b"text.txt", maker.text), (b"noise.bin", maker.noise)):
        rest = b"-lh0-" + struct.pack("<IIHHBBB", len(data), len(data), 0, 0x5A21, 0x20, 0, len(name)) + name + struct.pack("<H", crc16(data))
        archive += struct.pack("<BB", len(rest), sum(rest) & 0xFF) + rest + data
    maker.made("lzh", archive + b"\0")


def make_rar(maker):
    """Version 4: blocks behind half of their CRC-32. Method 0x30 stores."""

    def block(kind, flags, rest, n_more=0):
        head = struct.pack("<BHH", kind, flags, 7 + len(rest) + n_more) + rest
        return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head

    archive = b"Rar!\x1a\x07\0" + block(0x73, 0, bytes(6))
    for name, data in ((b"text.txt", maker.text), (b"noise.bin", maker.noise)):
        archive += block(0x74, 0x8000, struct.pack("<IIBIIBBHI", len(data), len(data), 3, zlib.crc32(data), 0x5A210000, 20, 0x30, len(name), 0x81A4) + name) + data
    maker.made("rar4", archive + block(0x7B, 0x4000, b""))


def make_rar5(maker):
    """Version 5: numbers of seven bits a byte."""

    def number(value):
        out = b""
        while value > 0x7F:
            out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
        return out + bytes([value])

    def block(*fields):
        rest = b"".join(field if isinstance(field, bytes) else number(field) for field in fields)
        head = number(len(rest)) + rest
        return struct.pack("<I", zlib.crc32(head)) + head

    archive = b"Rar!\x1a\x07\x01\0" + block(1, 0, 0)
    for name, data in ((b"text.txt", maker.text), (b"noise.bin", maker.noise)):
        # A file with data; with a checksum; method 0; made on Unix.
        archive += block(2, 2, len(data), 4, len(data), 0o644, struct.pack("<I", zlib.crc32(data)), 0, 1, len(name), name) + data
    maker.made("rar5", archive + block(5, 0, 0))


def make_szdd(maker):
    """MS-DOS COMPRESS: flags of eight literals before eight bytes."""
    data = maker.text[:4096]
    packed = b"".join(b"\xff" + data[at : at + 8] for at in range(0, len(data), 8))
    maker.made("szdd", b"SZDD\x88\xf0\x27\x33A\0" + struct.pack("<I", len(data)) + packed, [data])


def make_dmg(maker):
    """A disk image of one partition, stored: its table in XML, and a trailer that says where that is."""
    data = maker.noise[: 64 * 512]
    run = struct.pack(">IIQQQQ", 1, 0, 0, 64, 0, len(data)) + struct.pack(">IIQQQQ", 0xFFFFFFFF, 0, 64, 0, len(data), 0)
    no_checksum = struct.pack(">II128x", 0, 0)
    table = struct.pack(">4sIQQQII24x", b"mish", 1, 0, 64, 0, 64, 0) + no_checksum + struct.pack(">I", 2) + run
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE plist PUBLIC "-//Apple Computer//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">'
        f'<plist version="1.0"><dict><key>resource-fork</key><dict><key>blkx</key><array><dict><key>Attributes</key><string>0x0050</string><key>Data</key><data>{base64.b64encode(table).decode()}</data>'
        "<key>ID</key><string>0</string><key>Name</key><string>whole disk</string></dict></array></dict></dict></plist>"
    ).encode()
    trailer = struct.pack(">4sIIIQQQQQII16x", b"koly", 4, 512, 1, 0, 0, len(data), 0, 0, 1, 1) + no_checksum
    trailer += struct.pack(">QQ120x", len(data), len(xml)) + no_checksum + struct.pack(">IQ12x", 1, 64)
    maker.made("dmg", data + xml + trailer, [data])
