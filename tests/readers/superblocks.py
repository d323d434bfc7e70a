"""File systems and images of disks that no opener opens, and those that 7-Zip would open but for what stands in their boot block.

Each is made of bytes alone: the super blocks of mkfs programs, with the test file where its content stands. Those of FAT are whole: mtools reads them.
"""

import struct

from base import EICAR, ZIP

# What a boot block may begin with: the signatures of formats that readers look for first.
STARTS = {"none": b"", "cpio": b"070701", "szdd": b"SZDD\x88\xf0\x27\x33", "lzip": b"LZIP", "rar": b"Rar!\x1a\x07", "lz4": b"\x04\x22\x4d\x18", "qcow": b"QFI\xfb", "vmdk": b"KDMV", "zip": b"PK\x05\x06" + bytes(18), "tar": b"e.com"}
# Name: where the mark stands, and the mark with what stands behind it.
MARKS = {
    "btrfs": (65600, b"_BHRfS_M"), "f2fs": (1024, b"\x10\x20\xf5\xf2\1\0"), "f2fs-second": (5120, b"\x10\x20\xf5\xf2\1\0"), "exfat": (3, b"EXFAT   "), "erofs": (1024, b"\xe2\xe1\xf5\xe0"), "cramfs-behind-boot": (512, b"\x45\x3d\xcd\x28"), "reiserfs": (65588, b"ReIsEr2Fs"),
    "jfs": (32768, b"JFS1"), "nilfs": (1024, b"\2\0\0\0\0\0\x34\x34"), "ufs": (9564, b"\x54\x19\1\0"), "minix": (1024, struct.pack("<HHHHHHIH", 64, 400, 1, 1, 8, 0, 1 << 28, 0x138F)), "minix-big": (1024, struct.pack(">HHHHHHIH", 64, 400, 1, 1, 8, 0, 1 << 28, 0x138F)),
    "high-sierra": (32776, b"\1CDROM\1"), "hfs": (1024, b"BD" + bytes(16) + struct.pack(">HI", 800, 512)), "hfs-says-plus": (1024, (b"BD" + bytes(16) + struct.pack(">HI", 800, 512)).ljust(124, b"\0") + b"H+"),
}
AT_START = {"amiga": b"DOS\1", "xfs": b"XFSB\0\0\x10\0", "romfs": b"-rom1fs-\0", "ewf": b"EVF\t\r\n\xff\0", "ntfsclone": b"\0ntfsclone-image", "partclone": b"partclone-image\0", "cloop": b"#!/bin/sh\n#V2.0 Format\n\0", "wim-pipable": b"WLPWM\0\0\0", "ubi": b"UBI#\1"}


def fat(label=b"FAT12   ", jump=b"\xeb\x3c\x90", mark=b"\x55\xaa", parameters=True, per_table=3, media=0xF9, root_entries=112, content=EICAR):
    """A floppy disk of 720 KiB that mtools reads; without parameters, as DOS 1 wrote them."""
    boot = bytearray(512)
    if parameters:
        boot[0:3], boot[3:11] = jump, b"MSDOS3.3"
        struct.pack_into("<HBHBHHBHHHII", boot, 11, 512, 2, 1, 2, root_entries, 1440, media, per_table, 9, 2, 0, 0)
        boot[54:62], boot[510:512] = label, mark
    table = (0xF00 | media | 0xFFF << 12 | 0xFFF << 24).to_bytes(per_table * 512, "little")
    entry = b"E       COM\x20" + bytes(14) + struct.pack("<HI", 2, len(content))
    return (bytes(boot) + table * 2 + entry.ljust(root_entries * 32, b"\0") + content).ljust(1440 * 512, b"\0")


def fats():
    for name, start in STARTS.items():
        for label, text in {"named": b"FAT12   ", "unnamed": bytes(8)}.items():
            whole = fat(text)
            yield f"super-fat-{label}-begins-{name}", start + whole[len(start):]
    for name, options in {"no-mark": {"mark": b"\0\0"}, "no-jump": {"jump": b"\x60\x38\0"}, "atari": {"jump": b"\x60\x38\0", "mark": b"\x12\x34"}, "dos-1": {"parameters": False}, "dos-1-320": {"parameters": False, "per_table": 1, "media": 0xFF}}.items():
        # 7-Zip searches what it does not open, and finds the archive.
        for kind, content in {"eicar": EICAR, "zip-behind": EICAR.ljust(1024, b"\0") + ZIP}.items():
            yield f"super-fat-{name}-{kind}", fat(bytes(8), content=content, **options)


def variants():
    for name, (at, mark) in MARKS.items():
        for start in ("none", "cpio", "zip"):
            front = STARTS[start][:at]
            image = front.ljust(at, b"\0") + mark
            yield f"super-{name}-begins-{start}", image.ljust(80 * 1024, b"\0") + EICAR
    for name, mark in AT_START.items():
        yield f"super-{name}", mark.ljust(80 * 1024, b"\0") + EICAR
    yield from fats()
