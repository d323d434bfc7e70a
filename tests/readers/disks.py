"""Disk images: partition tables of three kinds with odd entries, and the containers of virtual machines and of macOS.

UEFI 2.10, chapter 5; Inside Macintosh: Devices, chapter 3; the qcow2, VMDK, VDI, VHD and Android sparse formats as QEMU, 7-Zip and AOSP read them.
"""

import base64, bz2, itertools, struct, uuid, zlib

from base import EICAR, FRONTS, HIDDEN_ZIP, PAYLOADS, TAR, tar_of

SECTOR = 512


def sectors(data, size=SECTOR):
    return data + bytes(-len(data) % size)


def entry(status=0x80, kind=0x83, start=1, count=20, first=b"\0\2\0", last=b"\0\3\0"):
    return struct.pack("<B3sB3sII", status, first, kind, last, start, count)


def mbr(content, *entries, mark=b"\x55\xaa", code=b""):
    return code.ljust(446, b"\0") + b"".join(entries).ljust(64, b"\0") + mark + sectors(content).ljust(20 * SECTOR, b"\0")


def mbrs():
    odd = {"none": b"", "empty-lba": entry(0, 0), "empty-chs": entry(0, 0, 0, 0, b"\1\2\3", b"\0\0\0"), "empty-status": entry(1, 0, 0, 0), "no-size": entry(0, 0x83, 1, 0), "at-zero": entry(0, 0x83, 0, 5), "beyond": entry(0, 0x83, 1 << 31, 5),
           "overlapping": entry(0, 7, 2, 10), "extended": entry(0, 5, 10, 10), "protective": entry(0, 0xEE, 1, 0xFFFFFFFF), "status-1": entry(1, 0x83, 3, 5)}
    for (name, other), (kind, data) in itertools.product(odd.items(), PAYLOADS.items()):
        content = sectors(data)
        own = entry(count=len(content) // SECTOR)
        yield f"mbr-{name}-second-{kind}", mbr(content, own, other)
        yield f"mbr-{name}-first-{kind}", mbr(content, other or bytes(16), own)
    for kind in (1, 4, 6, 7, 0x0B, 0x0C, 0x0E, 0x11, 0x27, 0x82, 0x83, 0x8E, 0xA5, 0xAF, 0xEF, 0xFB, 0xFF):
        yield f"mbr-kind-{kind:02x}", mbr(TAR, entry(kind=kind))
    for status in (0, 1, 0x7F, 0x81):
        yield f"mbr-status-{status:x}", mbr(TAR, entry(status=status))
    for name, front in FRONTS.items():
        if len(front) <= 446:
            yield f"mbr-code-{name}", mbr(TAR, entry(), code=front)
    yield "mbr-no-mark", mbr(TAR, entry(), mark=b"\0\0")


def gpt(content, size=SECTOR, kind=uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4"), protective=True, crc=True, revision=0x10000, entry_bytes=128):
    content = sectors(content, size)
    first = 2 + -(-4 * entry_bytes // size)
    last = first + len(content) // size - 1
    table = (kind.bytes_le + uuid.UUID(int=1).bytes_le + struct.pack("<QQQ", first, last, 0) + "x".encode("utf-16-le")).ljust(entry_bytes, b"\0").ljust(4 * entry_bytes, b"\0")
    def head(sum_):
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", revision, 92, sum_, 0, 1, last + 1, first, last, uuid.UUID(int=2).bytes_le, 2, 4, entry_bytes, zlib.crc32(table) if crc else 0)
    header = head(zlib.crc32(head(0)) if crc else 0)
    lead = bytes(446) + (entry(0, 0xEE, 1, 0xFFFFFFFF) if protective else b"").ljust(64, b"\0") + b"\x55\xaa"
    return lead.ljust(size, b"\0") + header.ljust(size, b"\0") + sectors(table, size) + content + header.ljust(size, b"\0")


def apm(content, size=SECTOR, mark=b"PM\0\0", kind=b"Apple_Free", count=2):
    driver = (b"ER" + struct.pack(">HI", size, 100)).ljust(size, b"\0")
    content = sectors(content, size)
    own = (mark + struct.pack(">III", count, 2, len(content) // size) + b"x".ljust(32, b"\0") + kind.ljust(32, b"\0") + struct.pack(">II", 0, len(content) // size)).ljust(size, b"\0")
    return driver + own + content


def tables():
    for size, (kind, data) in itertools.product((512, 1024, 2048, 4096), PAYLOADS.items()):
        yield f"gpt-{size}-{kind}", gpt(data, size)
        yield f"apm-{size}-{kind}", apm(data, size)
    yield "gpt-not-protected", gpt(TAR, protective=False)
    yield "gpt-no-crc", gpt(TAR, crc=False)
    yield "gpt-kind-unused", gpt(TAR, kind=uuid.UUID(int=0))
    yield "gpt-entries-256", gpt(TAR, entry_bytes=256)
    yield "gpt-revision-2", gpt(TAR, revision=0x20000)
    for kind in (b"Apple_HFS", b"Apple_partition_map", b"Apple_Driver43", b"x", b""):
        yield f"apm-kind-{kind.decode() or 'none'}", apm(TAR, kind=kind)
    yield "apm-mark-1", apm(TAR, mark=b"PM\0\1")
    yield "apm-count-1", apm(TAR, count=1)


def vhd(content, dynamic=False):
    """A fixed VHD is its bytes and a footer."""
    content = sectors(content)
    footer = struct.pack(">8sIIQI4sI4sQQHBBI", b"conectix", 2, 0x10000, 0xFFFFFFFFFFFFFFFF, 0, b"test", 0x10000, b"Wi2k", len(content), len(content), 1, 1, max(1, len(content) // SECTOR), 2)
    footer += bytes(4) + bytes(16) + b"\0"
    footer = footer.ljust(SECTOR, b"\0")
    total = ~sum(footer) & 0xFFFFFFFF
    return content + footer[:64] + struct.pack(">I", total) + footer[68:]


def vdi(content):
    content = content.ljust(1 << 20, b"\0")
    head = b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0") + struct.pack("<IIIII", 0xBEDA107F, 0x10001, 400, 1, 0) + bytes(256)
    head += struct.pack("<IIIIIIIQIIII", 512, 1024, 0, 0, 0, 512, 0, len(content), 1 << 20, 0, 1, 1) + uuid.UUID(int=3).bytes * 4
    return head.ljust(512, b"\0") + struct.pack("<I", 0).ljust(512, b"\0") + content


def qcow2(content, version=2, compressed=False):
    """One cluster of 64 KiB for each of: header, L1, L2, data, refcounts."""
    cluster = 1 << 16
    content = content.ljust(cluster, b"\0")
    head = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", version, 0, 0, 16, len(content), 0, 1, cluster, 3 * cluster, 1, 0, 0)
    if version == 3:
        head += struct.pack(">QQQII", 0, 0, 0, 4, 104)
    packer = zlib.compressobj(9, zlib.DEFLATED, -12)
    packed = packer.compress(content) + packer.flush()
    data = packed if compressed else content
    l2 = struct.pack(">Q", 5 * cluster | (1 << 62 | (-(-len(data) // 512) - 1) << 54 if compressed else 1 << 63))
    counts = struct.pack(">6H", 1, 1, 1, 1, 1, 1)
    return b"".join(part.ljust(cluster, b"\0") for part in (head, struct.pack(">Q", 2 * cluster | 1 << 63), l2, struct.pack(">Q", 4 * cluster), counts, data))


def vmdk(content):
    """A monolithic sparse extent with one grain table."""
    grain = 128
    content = content.ljust(grain * SECTOR, b"\0")
    descriptor = f'# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicSparse"\nRW {grain} SPARSE "e.vmdk"\n'.encode()
    head = struct.pack("<4sIIQQQQIQQQB4sH", b"KDMV", 1, 3, grain, grain, 1, 20, 512, 22, 21, 128, 0, b"\n \r\n", 0)
    return (head.ljust(SECTOR, b"\0") + descriptor.ljust(20 * SECTOR, b"\0") + struct.pack("<I", 22).ljust(SECTOR, b"\0") + struct.pack("<I", 128).ljust(4 * SECTOR, b"\0")).ljust(128 * SECTOR, b"\0") + content


def android_sparse(content):
    content = content + bytes(-len(content) % 4096)
    n = len(content) // 4096
    return struct.pack("<IHHHHIIII", 0xED26FF3A, 1, 0, 28, 12, 4096, n, 1, 0) + struct.pack("<HHII", 0xCAC1, 0, n, 12 + len(content)) + content


def dmg(content, kind=0x80000005, koly="last", behind=b""):
    """A UDIF image with one block of zlib, bzip2 or stored bytes."""
    content = sectors(content)
    packed, n = (zlib.compress(content) if kind == 0x80000005 else bz2.compress(content) if kind == 0x80000006 else content), len(content) // SECTOR
    table = b"mish" + struct.pack(">IQQQII", 1, 0, n, 0, 0, 0) + bytes(24) + struct.pack(">II", 2, 32) + bytes(128) + struct.pack(">I", 2)
    table += struct.pack(">IIQQQQ", kind, 0, 0, n, 0, len(packed)) + struct.pack(">IIQQQQ", 0xFFFFFFFF, 0, n, 0, len(packed), 0)
    plist = ('<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0">\n<dict>\n\t<key>resource-fork</key>\n\t<dict>\n\t\t<key>blkx</key>\n\t\t<array>\n\t\t\t<dict>\n\t\t\t\t<key>Attributes</key>\n\t\t\t\t<string>0x0050</string>\n'
             '\t\t\t\t<key>Data</key>\n\t\t\t\t<data>\n' + base64.encodebytes(table).decode() + '\t\t\t\t</data>\n\t\t\t\t<key>ID</key>\n\t\t\t\t<string>0</string>\n\t\t\t\t<key>Name</key>\n\t\t\t\t<string>whole</string>\n'
             "\t\t\t</dict>\n\t\t</array>\n\t</dict>\n</dict>\n</plist>\n").encode()
    first = koly == "first"
    start = SECTOR if first else 0
    trailer = b"koly" + struct.pack(">III", 4, 512, 1) + struct.pack(">QQQQQII", 0, start, len(packed), 0, 0, 1, 1) + bytes(16) + struct.pack(">II", 0, 0) + bytes(128)
    trailer += struct.pack(">QQ", start + len(packed), len(plist)) + bytes(120) + struct.pack(">II", 0, 0) + bytes(128) + struct.pack(">IQ", 1, n) + bytes(12)
    trailer = trailer[:SECTOR].ljust(SECTOR, b"\0")
    return trailer + packed + plist if first else packed + plist + trailer + behind


IMAGES = {
    "vhd": (vhd, "vhd"), "vdi": (vdi, "vdi"), "qcow2": (qcow2, "qcow2"), "qcow2-3": (lambda data: qcow2(data, 3), "qcow2"), "qcow2-packed": (lambda data: qcow2(data, compressed=True), "qcow2"), "vmdk": (vmdk, "vmdk"), "android": (android_sparse, "img"),
    "dmg": (dmg, "dmg"), "dmg-stored": (lambda data: dmg(data, 1), "dmg"), "dmg-bzip2": (lambda data: dmg(data, 0x80000006), "dmg"), "dmg-first": (lambda data: dmg(data, koly="first"), "dmg"), "dmg-junk": (lambda data: dmg(data, behind=b"x" * 100), "dmg"),
}


def images():
    for (name, (make, extension)), (kind, data) in itertools.product(IMAGES.items(), PAYLOADS.items()):
        yield f"{name}-{kind}", extension, make(data)
        yield f"{name}-of-mbr-{kind}", extension, make(mbr(data, entry()))
        yield f"{name}-of-tar-{kind}", extension, make(tar_of(data))
    for name, (make, _) in IMAGES.items():
        yield f"{name}-behind-script", "bin", FRONTS["script"] + make(TAR)
        yield f"{name}-of-zip", "bin", make(HIDDEN_ZIP)
        yield f"{name}-of-gpt", "bin", make(gpt(EICAR))


def variants():
    for part in (mbrs, tables):
        for name, data in part():
            yield name, "img", data
    yield from images()
