"""File systems as `mkfs` and its relatives write them, with super blocks that readers forgive, and behind other data."""

import itertools, struct

import superblocks
from base import EICAR, FRONTS, HIDDEN_ZIP, PAYLOADS, made_with
from packers import isos, iso

ID = "00000000-0000-0000-0000-000000000001"


def put(data, at, form, value):
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form):]


def ext(kind, data, block=1024):
    """Made of a directory; the file's dates are those of `E2FSPROGS_FAKE_TIME`."""
    return made_with(f"mke2fs -q -F -t {kind} -b {block} -U {ID} -E hash_seed={ID},lazy_itable_init=0 -O ^has_journal -d src ext.img {512 if block == 1024 else 2048}k", {"src/e.com": data}, "ext.img")


def exts():
    for kind, (payload, data) in itertools.product(("ext2", "ext3", "ext4"), PAYLOADS.items()):
        yield f"{kind}-{payload}", ext(kind, data)
    plain = ext("ext2", EICAR)
    # ext4(5) super block, at 1024: state 58, errors 60, creator 72, revision 76, compatible features 92.
    for field, at, form, values in (("state", 58, "<H", (0, 2, 3, 5, 0xFFFF)), ("errors", 60, "<H", (0, 9)), ("creator", 72, "<I", (1, 4, 99)), ("revision", 76, "<I", (0, 2)), ("features", 92, "<I", (0, 0x10, 0xFFFFFFFF)),
                                    ("read-only-features", 100, "<I", (0, 0x8000)), ("checks", 54, "<H", (0, 99)), ("reserved", 8, "<I", (0, 1 << 31)), ("free", 12, "<I", (0, 1 << 31)), ("journal", 224, "<I", (9,))):
        for value in values:
            yield f"ext2-{field}-{value:x}", put(plain, 1024 + at, form, value)
    for name, front in {"script": FRONTS["script"], "html": FRONTS["html"], "pe": FRONTS["pe"][:1024], "gif": FRONTS["gif"]}.items():
        yield f"ext2-begins-{name}", front + plain[len(front):]
    yield "ext2-4096", ext("ext2", EICAR, 4096)


def fat(data, label=b"FAT12   ", jump=b"\xeb\x3c\x90", mark=b"\x55\xaa", oem=b"MSDOS5.0", media=0xF0, signature=0x29, reserved=1, copies=2, name=b"E       COM"):
    """A floppy disk of 720 KiB: boot sector, two tables, root directory, data."""
    n_sectors, per_table, root_entries = 1440, 5, 224
    boot = bytearray(512)
    boot[0:3], boot[3:11] = jump, oem
    struct.pack_into("<HBHBHHBHHHII", boot, 11, 512, 1, reserved, copies, root_entries, n_sectors, media, per_table, 18, 2, 0, 0)
    boot[38] = signature
    boot[39:54] = b"1234NO NAME    "
    boot[54:62], boot[510:512] = label, mark
    n = -(-len(data) // 512)
    chain = [0xF00 | media, 0xFFF] + [cluster + 1 for cluster in range(2, n + 1)] + [0xFFF]
    bits = sum(value << 12 * index for index, value in enumerate(chain))
    table = bits.to_bytes(per_table * 512, "little")
    entry = name + b"\x20" + bytes(14) + struct.pack("<HI", 2, len(data))
    whole = bytes(boot).ljust(512 * reserved, b"\0") + table * copies + entry.ljust(root_entries * 32, b"\0") + data
    return whole.ljust(n_sectors * 512, b"\0")


def fats():
    for payload, data in PAYLOADS.items():
        yield f"fat12-{payload}", fat(data)
        for name, label in {"blank": b"        ", "nul": bytes(8), "fat16": b"FAT16   ", "text": b"whatever"}.items():
            yield f"fat12-label-{name}-{payload}", fat(data, label)
    for name, options in {"jump-e9": {"jump": b"\xe9\x3c\x90"}, "jump-other": {"jump": b"\xeb\x58\x90"}, "jump-none": {"jump": bytes(3)}, "jump-far": {"jump": b"\xeb\xfe\x90"}, "no-mark": {"mark": b"\0\0"}, "oem-blank": {"oem": b"        "}, "oem-nul": {"oem": bytes(8)},
                          "media-f8": {"media": 0xF8}, "media-00": {"media": 0}, "signature-28": {"signature": 0x28}, "signature-none": {"signature": 0}, "reserved-4": {"reserved": 4}, "copies-1": {"copies": 1}, "name-dotted": {"name": b"DOT     COM"}}.items():
        yield f"fat12-{name}", fat(EICAR, **options)
    for kind, size in (("12", 360), ("16", 16 * 1024), ("32", 34 * 1024)):
        made = made_with(f"mkfs.fat -F {kind} -i 12345678 -s 1 --invariant -C fat.img {size} >/dev/null && mcopy -m -i fat.img e.com ::", {"e.com": EICAR}, "fat.img")
        yield f"fat{kind}-made", made


def isos_and_udf():
    for name, data in isos(EICAR):
        yield name, data
    for payload, data in PAYLOADS.items():
        yield f"iso-of-{payload}", iso(data)
    for name, options in {"rock": "-R", "joliet": "-J", "both": "-R -J", "udf": "-udf", "udf-only": "-udf -hide e.com", "hfs": "-hfs -hide e.com", "hybrid": "-hfs -R -J", "level-4": "-iso-level 4", "relaxed": "-U", "no-version": "-N"}.items():
        # The dates are the file's and the volume's: the latter are overwritten (ISO 9660, 8.4.26 to 8.4.29).
        made = made_with(f"genisoimage -quiet {options} -o out.iso e.com 2>/dev/null", {"e.com": EICAR}, "out.iso")
        yield f"iso-{name}", made
        if name in ("udf", "udf-only"):
            # The volume recognition sequence (ECMA-167 2/8), which starts at byte 32,768: without it, 7-Zip finds UDF all the same.
            yield f"iso-{name}-unrecognised", made[:32768] + bytes(16 * 2048) + made[32768 + 16 * 2048:]
            marks = made
            for mark in (b"BEA01", b"NSR02", b"NSR03", b"TEA01"):
                marks = marks.replace(b"\0" + mark + b"\1", b"\0XXXXX\1")
            yield f"iso-{name}-no-marks", marks


def others():
    squashes = {"gzip": "", "xz": "-comp xz", "lzo": "-comp lzo", "lz4": "-comp lz4", "zstd": "-comp zstd", "stored": "-noI -noD -noF -noX", "fragments": "-no-fragments", "export": "-no-exports", "xattrs": "-no-xattrs"}
    for name, options in squashes.items():
        made = made_with(f"mksquashfs src out.sq -noappend -quiet -all-root {options} >/dev/null 2>&1", {"src/e.com": EICAR, "src/h.zip": HIDDEN_ZIP}, "out.sq")
        yield f"squashfs-{name}", made
        for front in ("script", "zeros", "pe", "jpeg"):
            yield f"squashfs-{name}-behind-{front}", FRONTS[front] + made
    for name, command in {"cramfs": "mkfs.cramfs src out.img", "cramfs-big": "mkfs.cramfs -N big src out.img", "cramfs-hole": "mkfs.cramfs -z src out.img"}.items():
        yield name, made_with(f"{command} >/dev/null 2>&1", {"src/e.com": EICAR}, "out.img")
    yield "hfs", made_with("dd if=/dev/zero of=hfs.img bs=1k count=800 2>/dev/null; hformat -l X hfs.img >/dev/null && hmount hfs.img >/dev/null && hcopy -r e.com : && humount", {"e.com": EICAR}, "hfs.img")
    yield "ntfs", made_with("dd if=/dev/zero of=n.img bs=1k count=2048 2>/dev/null; mkntfs -q -F -f -s 512 -c 512 n.img >/dev/null 2>&1; ntfscp -f n.img e.com e.com >/dev/null 2>&1", {"e.com": EICAR}, "n.img")


def variants():
    found = []
    for part in (exts, fats, isos_and_udf, others):
        for name, data in part():
            found.append((name, data))
            yield name, "img", data
    # 7-Zip looks for a few of them in other data, and in partitions.
    for name, data in found:
        if len(data) < 1_000_000 and name in ("ext2-eicar", "ext4-eicar", "fat12-eicar", "fat12-label-nul-eicar", "iso-plain", "iso-udf", "hfs", "cramfs", "squashfs-gzip"):
            for n_bytes in (17, 512, 2048, 65536):
                yield f"{name}-behind-{n_bytes}", "bin", (FRONTS["script"] + b"#" * n_bytes)[:n_bytes] + data
            for junk in (b"junk", bytes(4096)):
                yield f"{name}-then-{len(junk)}", "img", data + junk
            table = bytes(446) + struct.pack("<B3sB3sII", 0x80, b"\0\2\0", 0x83, b"\0\3\0", 1, len(data) // 512) + bytes(48) + b"\x55\xaa"
            yield f"{name}-partition", "img", table + data
    for name, data in superblocks.variants():
        yield name, "img", data
