#!/usr/bin/env python3
"""Writes archives that are made to take time, memory or disk, or to reach files outside: `bombs.py DIRECTORY N_ENTRIES SECRET TARGET`.

N_ENTRIES is how many entries a long list has. SECRET is a file that links lead to; TARGET is a directory that names lead into. The files are named
EXPECTED-NAME: what is `large` unpacks to more than the limits and must be refused; of what is `odd`, only the cost and the reach count.
"""

import bz2, gzip, io, lzma, os, struct, subprocess, sys, tarfile, tempfile, zlib

MEGABYTE = 1 << 20
TERABYTE = 1 << 40
DIRECTORY, N_ENTRIES, SECRET, TARGET = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
# Of four megabytes each.
N_LINKS = N_ENTRIES // 500


def write(name, data):
    with open(os.path.join(DIRECTORY, name), "wb") as file:
        file.write(data)


def made_with(name, command, prepare):
    """What a program writes to the file `out`, in a directory that `prepare` has filled."""
    with tempfile.TemporaryDirectory() as work:
        prepare(work)
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "HOME": work}
        done = subprocess.run(["sh", "-c", command], cwd=work, env=environment, capture_output=True)
        if done.returncode != 0:
            sys.exit(f"{command}: {done.stdout.decode()}{done.stderr.decode()}")
        with open(os.path.join(work, "out"), "rb") as file:
            write(name, file.read())


def hole(n_bytes):
    def prepare(work):
        os.mkdir(os.path.join(work, "tree"))
        with open(os.path.join(work, "tree", "hole"), "wb") as file:
            file.truncate(n_bytes)
    return prepare


def zip_of(members):
    """Of (name, flags of the system, method, CRC, size, packed), each packed once for each different object."""
    local, directory, places = bytearray(), bytearray(), {}
    for name, mode, method, crc, size, packed in members:
        fields = struct.pack("<HHHHHIIIHH", 20, 0, method, 0, 0x21, crc, len(packed), size, len(name), 0)
        place = places.get(id(packed)) if len(packed) > 100 else None
        if place is None:
            place = places[id(packed)] = len(local)
            local += b"PK\3\4" + fields + name + packed
        directory += b"PK\1\2" + struct.pack("<H", 0x314) + fields + struct.pack("<HHHII", 0, 0, 0, mode << 16, place) + name
    n_in_end = min(len(members), 0xFFFF)
    end = b""
    if len(members) > n_in_end or n_in_end == 0xFFFF:
        end = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, len(members), len(members), len(directory), len(local))
        end += b"PK\6\7" + struct.pack("<IQI", 0, len(local) + len(directory), 1)
    end += b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, n_in_end, n_in_end, len(directory), len(local), 0)
    return bytes(local + directory + end)


def stored(name, data, mode=0o100644):
    return name, mode, 0, zlib.crc32(data), len(data), data


def deflated_zeros(n_megabytes):
    """The checksum of so many, and a stream of equal blocks."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = 0
    for _ in range(n_megabytes):
        crc = zlib.crc32(bytes(MEGABYTE), crc)
    return crc, block * n_megabytes + b"\3\0"


def flat():
    crc, packed = deflated_zeros(1024)
    write("large-zip-deflate", zip_of([(b"zeros", 0o100644, 8, crc, 1024 * MEGABYTE, packed)]))
    write("large-zip-deflate-says-1-byte", zip_of([(b"zeros", 0o100644, 8, crc, 1, packed)]))
    write("large-gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\3" + packed + struct.pack("<II", crc, 1024 * MEGABYTE))
    crc, packed = deflated_zeros(90)
    # One stream, to which many entries lead: each unpacks to the same.
    members = [(b"%06d" % number, 0o100644, 8, crc, 90 * MEGABYTE, packed) for number in range(2000)]
    write("large-zip-overlapping", zip_of(members))
    zeros = bytes(16 * MEGABYTE)
    write("large-bzip2-streams", bz2.compress(zeros) * 64)
    write("large-xz-streams", lzma.compress(zeros, preset=1) * 64)
    write("large-lzma", lzma.compress(bytes(120 * MEGABYTE), format=lzma.FORMAT_ALONE, preset=1))
    for name, command in {"zstd": "zstd -qc", "lz4": "lz4 -qc", "lzip": "lzip -1c", "compress": "compress -c"}.items():
        frame = subprocess.run(["sh", "-c", command], input=zeros, capture_output=True, check=True).stdout
        write(f"large-{name}-frames", frame * (1 if name == "compress" else 64))
    os.rename(os.path.join(DIRECTORY, "large-compress-frames"), os.path.join(DIRECTORY, "odd-compress"))
    for method in ("LZMA2", "PPMd", "BZip2"):
        made_with(f"large-7z-{method}", f"7z a -bd -t7z -mx1 -m0={method} out.7z tree/hole && mv out.7z out", hole(120 * MEGABYTE))
    made_with("large-wim", "wimlib-imagex capture tree out --compress=XPRESS --quiet", hole(120 * MEGABYTE))


def nested():
    def packed(data):
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        return packer.compress(data) + packer.flush()

    def level(depth, path):
        if depth == 0:
            return b"%d " % path + bytes(400 * 1024)
        members = []
        for number in range(12):
            inner = level(depth - 1, path * 12 + number)
            members.append((b"%d.zip" % number, 0o100644, 8, zlib.crc32(inner), len(inner), packed(inner)))
        return zip_of(members)

    write("large-zip-of-zips", level(3, 1))
    data, name = b"the innermost", "tree"
    for _ in range(40):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        data = gzip.compress(buffer.getvalue(), mtime=0)
    write("large-tar-gz-40-deep", data)
    data = b"the innermost"
    for _ in range(18):
        data = lzma.compress(data)
    write("large-xz-18-deep", data)

    def seven_zips(work):
        os.mkdir(os.path.join(work, "tree"))
        with open(os.path.join(work, "a"), "wb") as file:
            file.write(b"the innermost")

    made_with("large-7z-20-deep", "for n in $(seq 20); do 7z a -bd -t7z b.7z a >/dev/null && mv b.7z a; done && mv a out", seven_zips)


def sparse():
    made_with("large-tar-gnu-hole", "tar --sparse --format=gnu -cf out tree", hole(TERABYTE))
    made_with("large-tar-pax-hole", "tar --sparse --format=posix -cf out tree", hole(TERABYTE))
    made_with("large-squashfs-hole", "mksquashfs tree out -quiet -no-progress", hole(120 * MEGABYTE))
    made_with("large-ext4-hole", "mke2fs -q -t ext4 -d tree out 8M", hole(TERABYTE))
    for kind, size in {"qcow2": "1T", "vmdk": "50G", "vhdx": "1T", "vdi": "1T", "vpc": "1T"}.items():
        made_with(f"large-{kind}-disk", f"qemu-img create -q -f {kind} out {size}", lambda work: None)
    header = b"070701" + b"%08x" * 13
    fields = (1, 0o100644, 0, 0, 1, 0, 0xFFFFFFFF, 0, 0, 0, 0, 2, 0)
    write("odd-cpio-says-4-gigabytes", header % fields + b"a\0")
    write("odd-cpio-odc-says-8-gigabytes", b"070707" + b"000000" * 8 + b"00000000000" + b"000002" + b"77777777777" + b"a\0")


def both_endian(value, width):
    little = value.to_bytes(width, "little")
    return little + little[::-1]


def iso_record(name, place, size, flags):
    body = bytes([0]) + both_endian(place, 4) + both_endian(size, 4) + bytes(7) + bytes([flags, 0, 0]) + both_endian(1, 2) + bytes([len(name)]) + name
    body += bytes((len(body) + 1) % 2)
    return bytes([len(body) + 1]) + body


def iso(records, directory_place=20, extra=b""):
    """A volume descriptor, and a root directory of these records."""
    sector, directory = bytearray(), bytearray()
    for record in [iso_record(b"\0", directory_place, 0, 2), iso_record(b"\1", directory_place, 0, 2), *records]:
        if len(sector) + len(record) > 2048:
            directory += sector + bytes(2048 - len(sector))
            sector = bytearray()
        sector += record
    directory += sector + bytes(2048 - len(sector))
    n_sectors = directory_place + len(directory) // 2048 + len(extra) // 2048
    root = iso_record(b"\0", directory_place, len(directory), 2)
    volume = b"\1CD001\1\0" + b" " * 64 + bytes(8) + both_endian(n_sectors, 4) + bytes(32) + both_endian(1, 2) + both_endian(1, 2) + both_endian(2048, 2)
    volume += both_endian(10, 4) + struct.pack("<II", 19, 0) + struct.pack(">II", 19, 0) + root
    volume += b" " * (813 - len(volume)) + b"0" * 68 + bytes([1, 0])
    path_table = b"\1\0" + struct.pack("<IH", directory_place, 1) + b"\0\0"
    tables = path_table + bytes(2048 - len(path_table))
    return bytes(16 * 2048) + volume[:2048].ljust(2048, b"\0") + b"\xffCD001\1".ljust(2048, b"\0") + bytes(2048) + tables + bytes(directory) + extra


def seven_zip_of_empty_files(names):
    def number(value):
        return b"\xf0" + struct.pack("<I", value)

    text = b"\0" + b"".join((name + "\0").encode("utf-16-le") for name in names)
    empty = b"\xff" * (len(names) // 8) + (bytes([0xFF << (8 - len(names) % 8) & 0xFF]) if len(names) % 8 else b"")
    header = b"\1\5" + number(len(names)) + b"\x0e" + number(len(empty)) + empty + b"\x0f" + number(len(empty)) + empty + b"\x11" + number(len(text)) + text + b"\0\0"
    start = struct.pack("<QQI", 0, len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + header


def cpio(members):
    out = bytearray()
    for name, mode, data in [*members, (b"TRAILER!!!", 0, b"")]:
        out += b"070701" + b"%08x" * 13 % (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0) + name + b"\0"
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out)


def many():
    small = [b"%07d" % number for number in range(N_ENTRIES)]
    write("large-zip-entries", zip_of([stored(name, name) for name in small]))
    write("odd-zip-empty-entries", zip_of([stored(name, b"") for name in small]))
    write("large-cpio-entries", cpio([(name, 0o100644, name) for name in small]))
    write("odd-cpio-empty-entries", cpio([(name, 0o100644, b"") for name in small]))
    packer, header = gzip.GzipFile(os.path.join(DIRECTORY, "odd-tar-gz-empty-entries"), "wb", 1, mtime=0), tarfile.TarInfo("a").tobuf(tarfile.USTAR_FORMAT)
    for _ in range(min(N_ENTRIES, 190_000) // 1000):
        packer.write(header * 1000)
    packer.close()
    write("odd-7z-empty-entries", seven_zip_of_empty_files([f"{number}" for number in range(N_ENTRIES)]))
    write("odd-iso-empty-entries", iso([iso_record(b"%07d" % number, 20, 0, 0) for number in range(N_ENTRIES)]))
    # Every entry leads to the same ten megabytes, each to a little less.
    extra = os.urandom(1 << 16) * 160
    write("large-iso-overlapping", iso([iso_record(b"%07d" % number, 400, len(extra) - number, 0) for number in range(9000)], extra=bytes(600 * 2048) + extra))
    write("odd-iso-same-extent", iso([iso_record(b"%07d" % number, 400, len(extra), 0) for number in range(9000)], extra=bytes(600 * 2048) + extra))

    def linked(work):
        os.mkdir(os.path.join(work, "tree"))
        with open(os.path.join(work, "tree", "first"), "wb") as file:
            file.write(os.urandom(4 * MEGABYTE))
        for number in range(N_LINKS):
            os.link(os.path.join(work, "tree", "first"), os.path.join(work, "tree", f"{number}"))

    made_with("odd-ext4-hard-links", "mke2fs -q -t ext4 -d tree out 12M", linked)
    made_with("odd-squashfs-hard-links", "mksquashfs tree out -quiet -no-progress", linked)


def loops():
    write("odd-iso-directory-in-itself", iso([iso_record(b"SUB", 20, 2048, 2), iso_record(b"A", 21, 9, 0)], extra=b"some text".ljust(2048, b"\0")))
    write("odd-iso-directory-twice-in-itself", iso([iso_record(b"S%d" % number, 20, 2048, 2) for number in range(30)]))

    def tree(work):
        os.makedirs(os.path.join(work, "tree", "a", "b"))
        with open(os.path.join(work, "tree", "a", "b", "c"), "wb") as file:
            file.write(b"some text")

    command = 'mke2fs -q -t ext2 -d tree out 1M && debugfs -w -R "ln a a/b/again" out && debugfs -w -R "ln a/b a/twice" out'
    made_with("odd-ext2-directory-in-itself", command, tree)


def tar(members, tar_format=tarfile.GNU_FORMAT):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as archive:
        for name, kind, link, data in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, link, len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def names():
    long = "n" * MEGABYTE
    for name, tar_format in (("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)):
        write(f"odd-tar-{name}-name-of-a-megabyte", tar([(long, tarfile.REGTYPE, "", b"some text")], tar_format))
        write(f"odd-tar-{name}-link-of-a-megabyte", tar([("a", tarfile.SYMTYPE, long, b"")], tar_format))
    write("odd-cpio-name-of-a-megabyte", cpio([(long.encode(), 0o100644, b"some text")]))
    write("odd-zip-names-of-65535", zip_of([stored(b"%d" % number + b"n" * 65530, b"%d" % number) for number in range(100)]))
    write("odd-7z-name-of-a-megabyte", seven_zip_of_empty_files([long]))
    out = [f"../../../../../../..{TARGET}/up", f"{TARGET}/absolute", f"/..{TARGET}/both", f"a/../../..{TARGET}/amid", f"C:\\..\\..{TARGET}\\drive", "C:\\Windows\\System32\\a.dll",
           "\\\\server\\share\\a", "..\\..\\..\\a", "CON", "aux.txt", "NUL.", "a\0b", "COM1:", "a:stream", "", ".", "..", "/", "-rf", "a\nb", "\u202etxt.exe", "%s%n%x", "a" * 300]
    write("odd-zip-names-out", zip_of([stored(name.encode(), b"%d" % number) for number, name in enumerate(out)]))
    write("odd-cpio-names-out", cpio([(name.encode(), 0o100644, b"%d" % number) for number, name in enumerate(out)]))
    write("odd-tar-names-out", tar([(name, tarfile.REGTYPE, "", b"%d" % number) for number, name in enumerate(out)]))
    write("odd-7z-names-out", seven_zip_of_empty_files([name for name in out if "\0" not in name]))


def links():
    to = [SECRET, f"../../../../../../..{SECRET}", "/etc/passwd", "/proc/self/mem", "/proc/self/environ", "/dev/zero", "a", "a/a"]
    symbolic = [(f"s{number}", tarfile.SYMTYPE, target, b"") for number, target in enumerate(to)]
    hard = [(f"h{number}", tarfile.LNKTYPE, target, b"") for number, target in enumerate(to)]
    loop = [("a", tarfile.SYMTYPE, "b", b""), ("b", tarfile.SYMTYPE, "a", b""), ("c", tarfile.LNKTYPE, "c", b"")]
    # Through a link to a directory outside.
    through = [("d", tarfile.SYMTYPE, TARGET, b""), ("d/through", tarfile.REGTYPE, "", b"some text")]
    devices = [("n", tarfile.CHRTYPE, "", b""), ("f", tarfile.FIFOTYPE, "", b"")]
    for name, tar_format in (("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)):
        write(f"odd-tar-{name}-links", tar(symbolic + hard + loop + through + devices, tar_format))
    targets = [(b"s%d" % number, target.encode()) for number, target in enumerate(to)]
    write("odd-zip-links", zip_of([stored(name, target, 0o120777) for name, target in targets] + [stored(b"s0/through", b"some text")]))
    write("odd-cpio-links", cpio([(name, 0o120777, target) for name, target in targets]))

    def tree(work):
        os.mkdir(os.path.join(work, "tree"))
        for number, target in enumerate(to):
            os.symlink(target, os.path.join(work, "tree", f"s{number}"))

    made_with("odd-iso-links", "genisoimage -quiet -R -o out tree", tree)
    made_with("odd-squashfs-links", "mksquashfs tree out -quiet -no-progress", tree)
    made_with("odd-ext4-links", "mke2fs -q -t ext4 -d tree out 1M", tree)
    made_with("odd-7z-links", "7z a -bd -t7z -snl out.7z tree && mv out.7z out", tree)
    made_with("odd-xar-links", "bsdtar -cf out --format=xar tree", tree)


for bombs in (flat, nested, sparse, many, loops, names, links):
    bombs()
