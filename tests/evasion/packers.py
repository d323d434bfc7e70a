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


def block(data, method, reserve=b""):
    packed = mszip(data) if method == 1 else data
    sizes = struct.pack("<HH", len(packed), len(data))
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
    yield "cab-empty-member", cabinet([(0, [(b"nothing", b""), (b"e.com", bad)])])
    yield "cab-behind", b"MZ" + b"program" * 20 + cabinet([(0, [good]), (1, [(b"e.com", bad)])])
