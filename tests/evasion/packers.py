"""Containers that Python's library does not write: cpio, and cabinets with everything that their headers can have ([MS-CAB])."""

import struct, zlib


def checksum(data, seed=0):
    whole = len(data) // 4 * 4
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        seed ^= word
    rest = 0
    for byte in data[whole:]:
        rest = rest << 8 | byte
    return seed ^ rest


def mszip(data):
    packer = zlib.compressobj(0, zlib.DEFLATED, -15)
    return b"CK" + packer.compress(data) + packer.flush()


def lzx(data):
    """One uncompressed block: no translation (1 bit), type 3 (3 bits), its size (24 bits), in words of 16 bits; three distances; the bytes."""
    head = 3 << 28 | len(data) << 4
    return struct.pack("<HHIII", head >> 16, head & 0xFFFF, 1, 1, 1) + data + bytes(len(data) % 2)


def block(data, method, reserve=b"", n_hidden=0):
    packed = {0: lambda data: data, 1: mszip, 3: lzx}[method & 0xFF](data)
    sizes = struct.pack("<HH", len(packed), len(data) - n_hidden)
    return struct.pack("<I", checksum(sizes + reserve, checksum(packed))) + sizes + reserve + packed


def cabinet(folders, header_reserve=b"", folder_reserve=b"", data_reserve=b"", signature=b"", block_bytes=32768, lies=None):
    """FOLDERS: (method, [(name, data)...])."""
    has_reserves = bool(header_reserve or folder_reserve or data_reserve)
    reserves = struct.pack("<HBB", len(header_reserve), len(folder_reserve), len(data_reserve)) + header_reserve if has_reserves else b""
    files_at = 36 + len(reserves) + len(folders) * (8 + len(folder_reserve))
    files, folder_data = b"", []
    for index, (method, members) in enumerate(folders):
        at = 0
        for name, data in members:
            files += struct.pack("<IIHHHH", len(data), at, index, 0, 0, 0x20) + name + b"\0"
            at += len(data)
        content = b"".join(data for _, data in members)
        folder_data.append([block(content[start:start + block_bytes], method, data_reserve) for start in range(0, len(content), block_bytes)])
    folder_records, at = b"", files_at + len(files)
    for (method, _), blocks in zip(folders, folder_data):
        folder_records += struct.pack("<IHH", at, len(blocks), method) + folder_reserve
        at += sum(map(len, blocks))
    body = folder_records + files + b"".join(map(b"".join, folder_data))
    size = 36 + len(reserves) + len(body)
    if signature:
        reserves = reserves[:8] + struct.pack("<II", size, len(signature)) + reserves[16:]
    header = struct.pack("<4sIIIIIBBHHHHH", b"MSCF", 0, size, 0, files_at, 0, 3, 1, len(folders), sum(len(members) for _, members in folders),
                         4 if has_reserves else 0, 7, 0)
    return header + reserves + body + signature


def cpio_newc(data, name=b"e.com"):
    def entry(name, data):
        fields = [1, 0o100644 if data else 0, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name + b"\0"
        return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
    return entry(name, data) + entry(b"TRAILER!!!", b"")


def cpio_odc(data, name=b"e.com"):
    def entry(name, data):
        return b"070707" + b"%06o%06o%06o%06o%06o%06o%06o%011o%06o%011o" % (0, 1, 0o100644 if data else 0, 0, 0, 1, 0, 0, len(name) + 1, len(data)) + name + b"\0" + data
    return entry(name, data) + entry(b"TRAILER!!!", b"")


def cabinets(bad):
    good, two = (b"a.txt", b"harmless\n" * 20), [(b"a.txt", b"harmless\n" * 20), (b"e.com", bad)]
    yield "cab-stored", cabinet([(0, [(b"e.com", bad)])])
    yield "cab-mszip", cabinet([(1, two)])
    yield "cab-two-folders", cabinet([(0, [good]), (1, [(b"e.com", bad)])])
    yield "cab-small-blocks", cabinet([(1, two)], block_bytes=50)
    yield "cab-stored-blocks", cabinet([(0, two)], block_bytes=50)
    yield "cab-reserves", cabinet([(0, two), (0, [good])], header_reserve=b"header", folder_reserve=b"folder", data_reserve=b"data")
    yield "cab-signed", cabinet([(0, two)], header_reserve=bytes(20), signature=b"signature" * 5)
    for window in range(14, 23):
        yield f"cab-lzx-{window}", cabinet([(3 | window << 8, two)])
    yield "cab-long-name", cabinet([(0, [(b"x" * 300, bad)])])
    longer = block(b"harmless" + bad, 1, n_hidden=len(bad))
    plain = cabinet([(1, [(b"a.txt", b"harmless")])])
    yield "cab-mszip-longer", (plain[:-len(block(b"harmless", 1))] + longer).replace(struct.pack("<I", len(plain)), struct.pack("<I", len(plain) + len(longer) - len(block(b"harmless", 1))), 1)
    yield "cab-empty-member", cabinet([(0, [(b"nothing", b""), (b"e.com", bad)])])
    yield "cab-behind", b"MZ" + b"program" * 20 + cabinet([(0, [good]), (1, [(b"e.com", bad)])])


SECTOR = 2048


def both(number, form):
    """A number in both byte orders, as ISO 9660 has them."""
    return struct.pack("<" + form, number) + struct.pack(">" + form, number)


def iso_record(name, sector, n_bytes, flags=0, extended=0, unit=0, gap=0, other_order=None, n_name=None):
    sizes = both(n_bytes, "I") if other_order is None else struct.pack("<I", n_bytes) + struct.pack(">I", other_order)
    body = bytes([extended]) + both(sector, "I") + sizes + bytes(7) + bytes([flags, unit, gap]) + both(1, "H") + bytes([len(name) if n_name is None else n_name]) + name
    body += bytes((len(body) + 1) % 2)
    return bytes([len(body) + 1]) + body


def iso(bad, file=None, subdirectory=False, boot=None, boot_system=b"EL TORITO SPECIFICATION", other=None, block=SECTOR, root_bytes=SECTOR, terminated=True):
    """Sectors: 16 volume, 17 boot record, 18 terminator, 20 root, 21 subdirectory, 22 boot catalog, 23 boot image, 24 the file."""
    at = {}
    root = iso_record(b"\0", 20, SECTOR, 2) + iso_record(b"\1", 20, SECTOR, 2)
    entry = iso_record(b"E.COM;1", 24, len(bad)) if file is None else file
    at[20] = root + (iso_record(b"SUB", 21, SECTOR, 2) if subdirectory else entry)
    at[21] = iso_record(b"\0", 21, SECTOR, 2) + iso_record(b"\1", 20, SECTOR, 2) + entry
    volume = b"\1CD001\1".ljust(80, b"\0") + both(25, "I")
    at[16] = volume.ljust(128, b"\0") + both(block, "H").ljust(28, b"\0") + iso_record(b"\0", 20, root_bytes, 2)
    at[17] = b"\0CD001\1" + boot_system.ljust(64, b"\0") + struct.pack("<I", 22) if boot is not None else (other or b"\x03CD001\1")
    at[18] = b"\xffCD001\1" if terminated else b""
    at[22] = (b"\1" + bytes(31)) + (boot if boot is not None else b"")
    at[23], at[24] = (b"", bad) if boot is None else (bad, b"harmless")
    return b"".join(at.get(sector, b"").ljust(SECTOR, b"\0") for sector in range(26))


def isos(bad):
    entry = lambda indicator, sector=23: bytes([indicator, 0]) + bytes(4) + struct.pack("<HI", 4, sector).ljust(26, b"\0")
    harmless = iso_record(b"A.TXT;1", 24, 8)
    yield "iso-plain", iso(bad)
    yield "iso-subdirectory", iso(bad, subdirectory=True)
    yield "iso-empty-file", iso(bad, iso_record(b"NOTHING;1", 0, 0) + iso_record(b"E.COM;1", 24, len(bad)))
    yield "iso-boot-image", iso(bad, harmless, boot=entry(0x88))
    yield "iso-boot-image-second", iso(bad, harmless, boot=entry(0x88, 24) + entry(0x00))
    yield "iso-boot-image-nowhere", iso(bad, harmless, boot=entry(0x88, 0))
    yield "iso-boot-entry-unknown", iso(bad, harmless, boot=entry(0x91))
    yield "iso-boot-system-unknown", iso(bad, harmless, boot=entry(0x88), boot_system=b"ANOTHER SYSTEM")
    for name in (b"BEA01", b"NSR02", b"NSR03", b"XXXXX"):
        yield f"iso-and-{name.decode()}", iso(bad, other=b"\0" + name + b"\1")
    yield "iso-small-blocks", iso(bad, block=512)
    yield "iso-not-terminated", iso(bad, terminated=False)
    yield "iso-root-16-mib", iso(bad, root_bytes=16 * 1024 * 1024 + 1)
    yield "iso-root-behind-end", iso(bad, root_bytes=1024 * 1024)
    yield "iso-file-behind-end", iso(bad, iso_record(b"E.COM;1", 24, 3 * SECTOR))
    for field, value in [("flags", 0x80), ("flags", 0x04), ("flags", 0x01), ("extended", 1), ("unit", 1), ("gap", 1), ("other_order", 0), ("n_name", 60), ("n_name", 8)]:
        yield f"iso-{field}-{value}", iso(bad, iso_record(b"E.COM;1", 24, len(bad), **{field: value}))


def number(value):
    """As 7z writes numbers below 2^14."""
    return bytes([value]) if value < 0x80 else bytes([0x80 | value >> 8, value & 0xFF])


def seven_zip(data, coder=b"\x01\0", packed=None, pack_pos=0, before=b"", after=b"", magic=b"7z\xbc\xaf\x27\x1c", start_crc=None):
    """One member, packed by one coder (7-Zip's `7zFormat.txt`): by default, copied."""
    packed, name = data if packed is None else packed, "e.com\0".encode("utf-16-le")
    streams = (b"\x06" + number(pack_pos) + b"\1\x09" + number(len(packed)) + b"\0" + b"\x07\x0b\1\0\1" + coder
               + b"\x0c" + number(len(data)) + b"\x0a\1" + struct.pack("<I", zlib.crc32(data)) + b"\0" + b"\x08\0\0")
    header = b"\1\4" + streams + b"\5\1\x11" + number(1 + len(name)) + b"\0" + name + b"\0\0"
    body = before + packed + after
    start = struct.pack("<QQI", len(body), len(header), zlib.crc32(header))
    return magic + b"\0\4" + struct.pack("<I", zlib.crc32(start) if start_crc is None else start_crc) + start + body + header


def seven_zips(bad, hidden):
    """HIDDEN: what must be refused wherever it is."""
    delta = bytes((byte - before) & 0xFF for before, byte in zip(b"\0" + bad, bad))
    yield "7z-plain", seven_zip(bad)
    yield "7z-of-hidden", seven_zip(hidden)
    yield "7z-delta", seven_zip(bad, b"\x21\3\1\0", delta)
    yield "7z-behind-bytes", seven_zip(bad, pack_pos=9, before=b"some more")
    yield "7z-between-bytes", seven_zip(bad, after=b"some more")
    yield "7z-between-archive", seven_zip(b"harmless", after=seven_zip(bad))
    yield "7z-reads-into-header", seven_zip(bad, pack_pos=9)
    yield "7z-unknown-coder", seven_zip(bad, b"\x03\4\xf7\1")
    yield "7z-encrypted", seven_zip(bad, b"\x24\6\xf1\7\1\2\x13\0")
    yield "7z-of-much-memory", seven_zip(bad, b"\x23\3\1\1\5\x5d" + struct.pack("<I", 1 << 30))
    yield "7z-wrong-start", seven_zip(bad, start_crc=0)
    yield "7z-amid-wrong-start", b"#!/bin/sh\nexit 0\n" + seven_zip(bad, start_crc=0) + b"y" * 9
    yield "7z-amid-cut", b"#!/bin/sh\nexit 0\n" + seven_zip(bad)[:-4]


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def lha(data, level, method=b"-lh0-", name=b"e.com"):
    """One stored member, with a header of level 0, 1 or 2."""
    fields = method + struct.pack("<III", len(data), len(data), 0x21 << 16) + bytes([0x20, level])
    if level == 2:
        extension = b"\x01" + name + struct.pack("<H", 0)
        rest = fields + struct.pack("<HBH", crc16(data), ord("U"), len(extension)) + extension
        return struct.pack("<H", 2 + len(rest)) + rest + data + b"\0"
    rest = fields + bytes([len(name)]) + name + struct.pack("<H", crc16(data)) + (b"U" + struct.pack("<H", 0) if level == 1 else b"")
    return bytes([len(rest), sum(rest) & 0xFF]) + rest + data + b"\0"


def signatures(bad):
    """Archives that nothing here can make, by their headers, and programs that hold signatures without archives."""
    rar = b"\x73\0\0\x0d\0" + bytes(6)
    rar5 = b"\x0b\x01\x05\x07\x80\x80\x80\x80\x80\x80\0\0"
    arj = bytes(range(34))
    whole = {
        "rar": b"Rar!\x1a\x07\0" + struct.pack("<H", zlib.crc32(rar) & 0xFFFF) + rar,
        "rar5": b"Rar!\x1a\x07\x01\0" + struct.pack("<I", zlib.crc32(rar5)) + rar5,
        "arj": b"\x60\xea" + struct.pack("<H", len(arj)) + arj + struct.pack("<I", zlib.crc32(arj)),
        "wim": b"MSWIM\0\0\0" + struct.pack("<I", 208) + bytes(200),
    }
    for name, header in whole.items():
        yield f"signature-{name}", header + bad
        yield f"signature-behind-{name}", b"#!/bin/sh\nexit 0\n" + header + bad
        # A number that is wrong makes it no header: no tool follows it.
        spoilt = header[:8] + bytes([header[8] ^ 0x40]) + header[9:]
        yield f"signature-spoilt-{name}", b"#!/bin/sh\nexit 0\n" + spoilt + b"\n"
    for name, archive in [*((f"lha-level-{level}", lha(bad, level)) for level in range(3)), ("lzs", lha(bad, 0, b"-lzs-")), ("pma", lha(bad, 0, b"-pm2-"))]:
        yield f"signature-{name}", archive
        yield f"signature-behind-{name}", b"#!/bin/sh\nexit 0\n" + archive
        yield f"signature-amid-{name}", b"#!/bin/sh\nexit 0\n" + archive + b"y" * 70000
    yield "signature-spoilt-lha", b"#!/bin/sh\nexit 0\n" + lha(bad, 0).replace(b"e.com", b"f.com")
    for index, start in enumerate((b"\x1c\x5b-lh5+", b"\x1c\x5b-xx5-", b"\x1c\x5b-lh5")):
        yield f"signature-no-lha-{index}", start + b" is what this text begins with" * (index < 2)
    alone = [b"Rar!\x1a\x07\0", b"Rar!\x1a\x07\1\0", b"\x60\xea", b"MSWIM\0\0\0", b"070701", b"070707", b"!<arch>\n", b"BZh", b"BZh9", b"\x1f\x8b\x08",
             b"\x1f\x8b\x08\xff", b"7z\xbc\xaf\x27\x1c", b"MSCF\0\0\0\0", b"\xfd7zXZ\0", b"PK\3\4", b"PK\5\6", b"begin", b"begin 644", b"ustar", b"-lh5-", b"-lzs-", b"-pm2-", b"CD001", b"\1CD001\1\0"]
    for index, signature in enumerate(alone):
        yield f"signature-alone-{index}", b"a program that knows of archives " * 20 + signature + b"\nand goes on like this " * 20
