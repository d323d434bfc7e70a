"""7z archives whose members went through every chain of coders that 7-Zip reads, and headers that are as no program writes them.

Layout: 7-Zip's `7zFormat.txt`; coder ids: `Methods.txt`.
"""

import bz2, itertools, lzma, struct, zlib

from base import EICAR, FRONTS, HARMLESS, HIDDEN_ZIP, NOISE, TAR, ZIP, made_with

MAGIC = b"7z\xbc\xaf\x27\x1c"
RAW = lzma.FORMAT_RAW


def number(value):
    """7-Zip's numbers: the first byte's leading ones count the bytes that follow."""
    for n_more in range(8):
        if value < 1 << 7 * (n_more + 1):
            head = 0xFF00 >> n_more & 0xFF | value >> 8 * n_more
            return bytes([head]) + (value & (1 << 8 * n_more) - 1).to_bytes(n_more, "little")
    return b"\xff" + value.to_bytes(8, "little")


def lzma1(data):
    properties = bytes([93]) + struct.pack("<I", 1 << 16)
    return lzma.compress(data, RAW, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16}]), properties


def lzma2(data):
    return lzma.compress(data, RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}]), bytes([8])


def through(filter_id, properties=b"", **options):
    """What one of liblzma's filters makes of data: its chain with LZMA2, without LZMA2."""
    def encode(data):
        last = {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}
        packed = lzma.compress(data, RAW, filters=[{"id": filter_id, **options}, last])
        return lzma.decompress(packed, RAW, filters=[last]), properties
    return encode


def deflate(level):
    def encode(data):
        packer = zlib.compressobj(level, zlib.DEFLATED, -15)
        return packer.compress(data) + packer.flush(), b""
    return encode


def swap(width):
    def encode(data):
        whole = len(data) // width * width
        turned = b"".join(data[start:start + width][::-1] for start in range(0, whole, width))
        return turned + data[whole:], b""
    return encode


# Name: id, encoder. Deflate64 reads stored blocks as Deflate does.
CODERS = {
    "copy": (b"\0", lambda data: (data, b"")), "lzma": (b"\3\1\1", lzma1), "lzma2": (b"\x21", lzma2), "bcj": (b"\3\3\1\3", through(lzma.FILTER_X86)),
    "delta": (b"\3", through(lzma.FILTER_DELTA, b"\3", dist=4)), "delta1": (b"\3", through(lzma.FILTER_DELTA, b"\0", dist=1)),
    "ppc": (b"\3\3\2\5", through(lzma.FILTER_POWERPC)), "ia64": (b"\3\3\4\1", through(lzma.FILTER_IA64)), "arm": (b"\3\3\5\1", through(lzma.FILTER_ARM)),
    "armt": (b"\3\3\7\1", through(lzma.FILTER_ARMTHUMB)), "sparc": (b"\3\3\x08\5", through(lzma.FILTER_SPARC)),
    "deflate": (b"\4\1\x08", deflate(9)), "deflate64": (b"\4\1\x09", deflate(0)), "bzip2": (b"\4\2\2", lambda data: (bz2.compress(data), b"")),
    "swap2": (b"\2\3\2", swap(2)), "swap4": (b"\2\3\4", swap(4)),
}


def coder(code, properties=b"", streams=None):
    flags = len(code) | (0x20 if properties else 0) | (0x10 if streams else 0)
    return bytes([flags]) + code + (b"".join(map(number, streams)) if streams else b"") + (number(len(properties)) + properties if properties else b"")


class Folder:
    """Coders, their bonds, what they read and what each of them puts out."""

    def __init__(self, data, coders, bonds=b"", packed=(b"",), sizes=(), indexes=b""):
        self.data, self.packed, self.sizes = data, list(packed), list(sizes)
        self.record = number(len(coders)) + b"".join(coders) + bonds + indexes


def chain(data, names, explicit=False):
    """The first of NAMES puts out the member; each reads what the next one puts out."""
    coders, sizes, packed = [], [], data
    for name in names:
        code, encode = CODERS[name]
        sizes.append(len(packed))
        packed, properties = encode(packed)
        coders.append(coder(code, properties, (1, 1) if explicit else None))
    bonds = b"".join(number(index) + number(index + 1) for index in range(len(names) - 1))
    return Folder(data, coders, bonds, [packed], sizes)


def reversed_chain(data, names):
    """The same, with the coders listed the other way round."""
    n = len(names)
    coders, sizes, packed = [], [], data
    for name in names:
        code, encode = CODERS[name]
        sizes.insert(0, len(packed))
        packed, properties = encode(packed)
        coders.insert(0, coder(code, properties))
    bonds = b"".join(number(index + 1) + number(index) for index in range(n - 1))
    return Folder(data, coders, bonds, [packed], sizes)


def bcj2(data, behind=("lzma", "copy", "copy", "copy")):
    """BCJ2 with a coder behind each of its four inputs. Data without branches goes into the first input alone."""
    inputs = [data, b"", b"", bytes(5)]
    coders, sizes, packed = [coder(b"\3\3\1\x1b", streams=(4, 1))], [len(data)], []
    bonds, indexes, at = b"", b"", 4
    for place, (name, stream) in enumerate(zip(behind, inputs)):
        if name is None:
            indexes += number(place)
            packed.append(stream)
            continue
        code, encode = CODERS[name]
        sizes.append(len(stream))
        content, properties = encode(stream)
        coders.append(coder(code, properties))
        bonds += number(place) + number(len(coders) - 1)
        indexes += number(at)
        packed.append(content)
        at += 1
    return Folder(data, coders, bonds, packed, sizes, indexes if len(packed) > 1 else b"")


def streams_info(folders, pack_pos=0, pack_crc=False, per_folder=None, digests=True):
    packed = [stream for folder in folders for stream in folder.packed]
    info = b"\6" + number(pack_pos) + number(len(packed)) + b"\x09" + b"".join(number(len(stream)) for stream in packed)
    if pack_crc:
        info += b"\x0a\1" + b"".join(struct.pack("<I", zlib.crc32(stream)) for stream in packed)
    info += b"\0\x07\x0b" + number(len(folders)) + b"\0" + b"".join(folder.record for folder in folders)
    info += b"\x0c" + b"".join(number(size) for folder in folders for size in folder.sizes)
    if per_folder is None:
        crcs = b"\x0a\1" + b"".join(struct.pack("<I", zlib.crc32(folder.data)) for folder in folders)
        return info + (crcs if digests else b"") + b"\0\x08\0\0"
    info += b"\0\x08\x0d" + b"".join(number(len(parts)) for parts in per_folder)
    info += b"\x09" + b"".join(number(size) for parts in per_folder for size in parts[:-1])
    return info + b"\0\0"


def names_property(names):
    text = b"".join((name + "\0").encode("utf-16-le") for name in names)
    return b"\x11" + number(1 + len(text)) + b"\0" + text


def archive(folders, names=("e.com",), before=b"", after=b"", properties=b"", info=None, version=b"\0\4", header_coder=None, archive_properties=b"", **options):
    """NAMES of the members in the order of the folders; PROPERTIES stand in front of the names."""
    body = before + b"".join(stream for folder in folders for stream in folder.packed) + after
    info = streams_info(folders, pack_pos=len(before), **options) if info is None else info
    named = names_property(names) if names else b""
    header = b"\1" + archive_properties + b"\4" + info + b"\5" + number(max(len(names), 1)) + properties + named + b"\0\0"
    if header_coder:
        packed = chain(header, header_coder)
        info = streams_info([packed], pack_pos=len(body))
        body += packed.packed[0]
        header = b"\x17" + info
    start = struct.pack("<QQI", len(body), len(header), zlib.crc32(header))
    return MAGIC + version + struct.pack("<I", zlib.crc32(start)) + start + body + header


def chains():
    for name in CODERS:
        for kind, data in (("eicar", EICAR), ("zip", ZIP), ("hidden", HIDDEN_ZIP), ("noise", EICAR + NOISE[:3000])):
            yield f"one-{name}-{kind}", archive([chain(data, [name])])
        yield f"explicit-{name}", archive([chain(EICAR, [name], explicit=True)])
        yield f"header-{name}", archive([chain(EICAR, ["lzma"])], header_coder=[name])
        yield f"header-copied-{name}", archive([chain(EICAR, ["copy", name])], header_coder=["copy", name])
        yield f"four-{name}", archive([chain(EICAR, [name, "copy", "copy", "lzma"])])
        for other in CODERS:
            yield f"two-{name}-{other}", archive([chain(EICAR, [name, other])])
    for names in itertools.product(("copy", "lzma", "lzma2", "bcj", "deflate", "bzip2"), repeat=3):
        yield f"three-{'-'.join(names)}", archive([chain(EICAR, names)])
    for names in itertools.product(("copy", "lzma2", "delta", "bcj"), repeat=2):
        yield f"turned-{'-'.join(names)}", archive([reversed_chain(EICAR, names)])
    for main, other in itertools.product(("copy", "lzma", "lzma2", "deflate", "bzip2", None), repeat=2):
        yield f"bcj2-{main}-{other}", archive([bcj2(EICAR, (main, other, other, other))])
        yield f"bcj2-{main}-{other}-range", archive([bcj2(EICAR, (main, other, other, None))])


def headers():
    plain, good = chain(EICAR, ["copy"]), chain(HARMLESS, ["lzma"])
    for name, folder in (("copy", plain), ("lzma", chain(EICAR, ["lzma"])), ("twice", chain(EICAR, ["lzma", "lzma"]))):
        yield f"crc-none-{name}", archive([folder], digests=False)
        yield f"crc-packed-{name}", archive([folder], pack_crc=True)
        yield f"no-names-{name}", archive([folder], names=())
        yield f"before-{name}", archive([folder], before=b"some bytes in front")
        yield f"after-{name}", archive([folder], after=b"some bytes behind")
        yield f"dummy-{name}", archive([folder], properties=b"\x19\5" + bytes(5))
        yield f"attributes-{name}", archive([folder], properties=b"\x15\6\1\0" + struct.pack("<I", 0x20))
        yield f"directory-attribute-{name}", archive([folder], properties=b"\x15\6\1\0" + struct.pack("<I", 0x10))
        yield f"symlink-attribute-{name}", archive([folder], properties=b"\x15\6\1\0" + struct.pack("<I", 0xA1FF8000))
        yield f"date-{name}", archive([folder], properties=b"\x14\x0a\1\0" + struct.pack("<Q", 1 << 56))
        yield f"start-position-{name}", archive([folder], properties=b"\x18\x0a\1\0" + struct.pack("<Q", 0))
        yield f"unknown-property-{name}", archive([folder], properties=b"\x70\3abc")
        yield f"archive-properties-{name}", archive([folder], archive_properties=b"\2\x19\2\0\0\0")
        for version in (b"\0\0", b"\0\2", b"\0\3", b"\0\5", b"\0\xff", b"\1\4"):
            yield f"version-{version.hex()}-{name}", archive([folder], version=version)
        yield f"second-folder-{name}", archive([good, folder], names=("a.txt", "e.com"))
        yield f"first-folder-{name}", archive([folder, good], names=("e.com", "a.txt"))
        empty = b"\x0e\1\x80"
        yield f"empty-file-first-{name}", archive([folder], names=("nothing", "e.com"), properties=empty + b"\x0f\1\x80")
        yield f"empty-directory-first-{name}", archive([folder], names=("d", "e.com"), properties=empty)
        yield f"anti-first-{name}", archive([folder], names=("d", "e.com"), properties=empty + b"\x0f\1\x80\x10\1\x80")
        for place, member in (("/e.com", "absolute"), ("../e.com", "parent"), ("e.com\\", "backslash"), ("a:b", "colon"), ("\u202ee", "override"), ("x" * 250, "long"), ("", "empty")):
            yield f"name-{member}-{name}", archive([folder], names=(place,))
    for first, second in (("lzma", "lzma"), ("copy", "lzma"), ("lzma2", "copy"), ("lzma", "bcj")):
        both = chain(HARMLESS + EICAR, [first])
        yield f"solid-{first}-{second}", archive([both], ("a.txt", "e.com"), per_folder=[(len(HARMLESS), len(EICAR))])
        both = chain(EICAR + HARMLESS, [first, second])
        yield f"solid-chain-{first}-{second}", archive([both], ("e.com", "a.txt"), per_folder=[(len(EICAR), len(HARMLESS))])
        yield f"solid-longer-{first}-{second}", archive([both], ("e.com",), per_folder=[(len(EICAR),)])
    for names in (["copy"], ["lzma"], ["lzma", "lzma"], ["lzma2"], ["bcj", "lzma"]):
        whole = archive([chain(EICAR, names)], header_coder=None)
        zeroed, kind = whole[:8] + bytes(24) + whole[32:], "-".join(names)
        yield f"no-start-{kind}", zeroed
        yield f"no-start-header-{kind}", (lambda one: one[:8] + bytes(24) + one[32:])(archive([chain(EICAR, names)], header_coder=["lzma"]))
        for front, data in FRONTS.items():
            yield f"behind-{front}-{kind}", data + whole
        yield f"behind-script-no-start-{kind}", FRONTS["script"] + zeroed
        for junk in (b"\0" * 16, b"junk", b"x" * 3000):
            yield f"trailing-{len(junk)}-{kind}", whole + junk
        yield f"tar-{kind}", archive([chain(TAR, names)], names=("t.tar",))


def packed_by_program():
    """PPMd has no encoder in Python."""
    for name, options in {"ppmd": "-m0=PPMD", "ppmd-lzma": "-m0=PPMD -m1=LZMA", "lzma-ppmd": "-m0=LZMA -m1=PPMD", "bcj-ppmd": "-m0=BCJ -m1=PPMD", "copy-ppmd": "-m0=Copy -m1=PPMD", "ppmd-copy": "-m0=PPMD -m1=Copy",
                          "ppmd-small": "-m0=PPMD:o=2:mem=1m", "ppmd-large": "-m0=PPMD:o=32:mem=90m", "dictionary": "-m0=LZMA:d=96m", "ultra": "-mx=9", "stored": "-mx=0", "header-plain": "-mhc=off"}.items():
        yield f"program-{name}", made_with(f"7z a -bd -y -t7z -mtm=off {options} out.7z e.com a.txt", {"e.com": EICAR, "a.txt": HARMLESS}, "out.7z")


def variants():
    for part in (chains, headers, packed_by_program):
        for name, data in part():
            yield name, "7z", data
