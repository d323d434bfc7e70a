"""cpio, ar, deb, rpm and xar with headers that some readers of them accept (cpio(5), ar(5), deb(5), the RPM V3 package format)."""

import bz2, gzip, hashlib, itertools, lzma, struct, zlib

import stored
from base import EICAR, FRONTS, GOOD_ZIP, HARMLESS, PAYLOADS, ar_of, made_with, mail, base64_lines, tar_of
from streams import lz4, lzip, zstd


def newc(data, name=b"e.com", magic=b"070701", mode=0o100644, size=None, links=1, checksum=0, form=b"%08X", name_size=None):
    fields = [1, mode, 0, 0, links, 0, len(data) if size is None else size, 0, 0, 0, 0, len(name) + 1 if name_size is None else name_size, checksum]
    head = magic + b"".join(form % field for field in fields) + name + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def odc(data, name=b"e.com", mode=0o100644, magic=b"070707"):
    return magic + b"%06o%06o%06o%06o%06o%06o%06o%011o%06o%011o" % (0, 1, mode, 0, 0, 1, 0, 0, len(name) + 1, len(data)) + name + b"\0" + data


def binary(data, name=b"e.com", order="<", mode=0o100644):
    words = struct.pack(order + "13H", 0o070707, 0, 1, mode, 0, 0, 1, 0, 0, 0, len(name) + 1, len(data) >> 16, len(data) & 0xFFFF)
    padded_name = name + b"\0"
    return words + padded_name + bytes(len(padded_name) % 2) + data + bytes(len(data) % 2)


CPIOS = {
    "newc": newc, "crc": lambda data, name=b"e.com": newc(data, name, b"070702", checksum=sum(data) & 0xFFFFFFFF), "odc": odc, "binary": binary,
    "binary-big": lambda data, name=b"e.com": binary(data, name, ">"), "newc-lower": lambda data, name=b"e.com": newc(data, name, form=b"%08x"),
    "afio": lambda data, name=b"e.com": odc(data, name, magic=b"070717"), "large": lambda data, name=b"e.com": odc(data, name, magic=b"070727"),
}


def cpio(make, *members, end=True):
    return b"".join(make(data, name) for name, data in members) + (make(b"", b"TRAILER!!!") if end else b"")


def cpios():
    for form, make in CPIOS.items():
        for kind, data in PAYLOADS.items():
            yield f"cpio-{form}-{kind}", "cpio", cpio(make, (b"e.com", data))
            yield f"cpio-{form}-second-{kind}", "cpio", cpio(make, (b"a.txt", HARMLESS), (b"e.com", data))
        whole = cpio(make, (b"e.com", EICAR))
        yield f"cpio-{form}-no-end", "cpio", cpio(make, (b"e.com", EICAR), end=False)
        yield f"cpio-{form}-behind-end", "cpio", cpio(make, (b"a.txt", HARMLESS)) + whole
        yield f"cpio-{form}-padded", "cpio", whole.ljust(5120, b"\0")
        yield f"cpio-{form}-junk-amid", "cpio", cpio(make, (b"a.txt", HARMLESS), end=False) + b"junk" * 5 + whole
        for front, data in FRONTS.items():
            yield f"cpio-{form}-behind-{front}", "bin", data + whole
        for other, second in CPIOS.items():
            yield f"cpio-{form}-then-{other}", "cpio", make(HARMLESS, b"a.txt") + cpio(second, (b"e.com", EICAR))
    for label, options in {"mode-0": {"mode": 0}, "mode-directory": {"mode": 0o40755}, "mode-link": {"mode": 0o120777}, "size-more": {"size": 200}, "size-less": {"size": 40}, "links-2": {"links": 2}, "checksum-wrong": {"checksum": 7, "magic": b"070702"},
                           "name-size-0": {"name_size": 0}, "name-long": {"name": b"x" * 5000}, "name-empty": {"name": b""}, "magic-07070x": {"magic": b"070703"}}.items():
        yield f"cpio-{label}", "cpio", newc(EICAR, **options) + newc(b"", b"TRAILER!!!")


def ar(*members, magic=b"!<arch>\n", end=b"`\n"):
    out = magic
    for name, data, size in members:
        out += b"%-16s%-12d%-6d%-6d%-8s" % (name, 0, 0, 0, b"100644") + (b"%-10d" % len(data) if size is None else size.ljust(10)) + end + data + b"\n" * (len(data) % 2)
    return out


def ars():
    for kind, data in PAYLOADS.items():
        for label, name in {"gnu": b"e.com/", "bsd": b"e.com", "spaces": b"a b", "path": b"d/e.com/", "empty": b"", "slash": b"/", "table": b"//"}.items():
            yield f"ar-{label}-{kind}", "a", ar((name, data, None))
            yield f"ar-{label}-second-{kind}", "a", ar((b"a.txt/", HARMLESS, None), (name, data, None))
        yield f"ar-bsd-long-{kind}", "a", ar((b"#1/8", b"e.com\0\0\0" + data, None))
        yield f"ar-gnu-long-{kind}", "a", ar((b"//", b"a long name of a file.com/\n", None), (b"/0", data, None))
        yield f"ar-thin-{kind}", "a", ar((b"e.com/", data, None), magic=b"!<thin>\n")
        yield f"ar-big-{kind}", "a", ar((b"e.com/", data, None), magic=b"<bigaf>\n")
        yield f"ar-symbols-first-{kind}", "a", ar((b"/", struct.pack(">I", 0), None), (b"e.com/", data, None))
        yield f"ar-symbols-bsd-first-{kind}", "a", ar((b"__.SYMDEF", bytes(8), None), (b"e.com/", data, None))
    for label, size in {"octal": b"0104", "plus": b"+68", "space": b" 68", "more": b"200", "less": b"40", "hex": b"0x44", "text": b"68abc", "zeros": b"0000000068"}.items():
        yield f"ar-size-{label}", "a", ar((b"e.com/", EICAR, size))
    yield "ar-end-wrong", "a", ar((b"e.com/", EICAR, None), end=b"x\n")
    for front, data in FRONTS.items():
        yield f"ar-behind-{front}", "bin", data + ar_of()


PACKERS = {"": lambda data: data, ".gz": lambda data: gzip.compress(data, mtime=0), ".xz": lzma.compress, ".zst": zstd, ".lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE), ".bz2": bz2.compress, ".lz": lzip, ".lz4": lz4}


def debs():
    control = gzip.compress(tar_of(b"Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n", "./control"), mtime=0)
    for (extension, pack), (kind, data) in itertools.product(PACKERS.items(), PAYLOADS.items()):
        content = pack(tar_of(data, "./e.com"))
        yield f"deb{extension}-{kind}", "deb", ar((b"debian-binary", b"2.0\n", None), (b"control.tar.gz", control, None), (b"data.tar" + extension.encode(), content, None))
        yield f"deb-control{extension}-{kind}", "deb", ar((b"debian-binary", b"2.0\n", None), (b"control.tar" + extension.encode(), content, None), (b"data.tar.gz", control, None))
        yield f"deb-extra{extension}-{kind}", "deb", ar((b"debian-binary", b"2.0\n", None), (b"control.tar.gz", control, None), (b"data.tar.gz", control, None), (b"_x.tar" + extension.encode(), content, None))


def rpm_header(tags):
    index, store = b"", b""
    for tag, kind, count, data in tags:
        store += bytes(-len(store) % {3: 2, 4: 4, 5: 8}.get(kind, 1))
        index += struct.pack(">IIII", tag, kind, len(store), count)
        store += data
    return b"\x8e\xad\xe8\1" + bytes(4) + struct.pack(">II", len(tags), len(store)) + index + store


def rpm(payload, compressor=b"gzip", form=b"cpio", lead_version=3):
    lead = b"\xed\xab\xee\xdb" + bytes([lead_version, 0]) + struct.pack(">HH66sHH16s", 0, 1, b"x-1-1", 1, 5, b"")
    main = rpm_header([(1000, 6, 1, b"x\0"), (1001, 6, 1, b"1\0"), (1002, 6, 1, b"1\0"), (1124, 6, 1, form + b"\0"), (1125, 6, 1, compressor + b"\0")])
    signature = rpm_header([(1000, 4, 1, struct.pack(">I", len(main) + len(payload))), (1004, 7, 16, hashlib.md5(main + payload).digest())])
    return lead + signature + bytes(-len(signature) % 8) + main + payload


def rpms():
    names = {"": b"none", ".gz": b"gzip", ".xz": b"xz", ".zst": b"zstd", ".lzma": b"lzma", ".bz2": b"bzip2", ".lz": b"lzip", ".lz4": b"lz4"}
    for (extension, pack), (kind, data) in itertools.product(PACKERS.items(), PAYLOADS.items()):
        for form in ("newc", "crc", "odc"):
            yield f"rpm{extension}-{form}-{kind}", "rpm", rpm(pack(cpio(CPIOS[form], (b"./e.com", data))), names[extension])
        yield f"rpm{extension}-tar-{kind}", "rpm", rpm(pack(tar_of(data)), names[extension], b"tar")
        yield f"rpm{extension}-lead-4-{kind}", "rpm", rpm(pack(cpio(newc, (b"./e.com", data))), names[extension], lead_version=4)


def xar(data, style="application/octet-stream", pack=lambda data: data, junk=b"", magic=b"xar!"):
    packed = pack(data)
    toc = (f'<?xml version="1.0"?><xar><toc><checksum style="sha1"><size>20</size><offset>0</offset></checksum><file id="1"><data><length>{len(packed)}</length><offset>{20 + len(junk)}</offset><size>{len(data)}</size>'
           f'<encoding style="{style}"/><extracted-checksum style="sha1">{hashlib.sha1(data).hexdigest()}</extracted-checksum><archived-checksum style="sha1">{hashlib.sha1(packed).hexdigest()}</archived-checksum></data>'
           "<mode>0644</mode><type>file</type><name>e.com</name></file></toc></xar>").encode()
    squeezed = zlib.compress(toc)
    return magic + struct.pack(">HHQQI", 28, 1, len(squeezed), len(toc), 1) + squeezed + hashlib.sha1(squeezed).digest() + junk + packed


def xars():
    styles = {"stored": ("application/octet-stream", lambda data: data), "gzip": ("application/x-gzip", zlib.compress), "bzip2": ("application/x-bzip2", bz2.compress), "xz": ("application/x-xz", lzma.compress), "lzma": ("application/x-lzma", PACKERS[".lzma"])}
    for (label, (style, pack)), (kind, data) in itertools.product(styles.items(), PAYLOADS.items()):
        plain = xar(data, style, pack)
        yield f"xar-{label}-{kind}", "xar", plain
        yield f"xar-{label}-junk-amid-{kind}", "xar", xar(data, style, pack, junk=b"junk" * 9)
        yield f"xar-{label}-behind-{kind}", "bin", FRONTS["script"] + plain
        yield f"xar-{label}-mailed-{kind}", "eml", mail(base64_lines(plain))
    for compression in ("none", "XPRESS", "LZX"):
        for kind in ("eicar", "hidden"):
            image = made_with(f"wimlib-imagex capture src w.wim --compress={compression} --no-acls >/dev/null", {"src/e.com": PAYLOADS[kind], "src/a.zip": GOOD_ZIP}, "w.wim")
            # The identifier and the dates differ from run to run.
            image = image[:24] + bytes(16) + image[40:]
            yield f"wim-{compression}-{kind}", "wim", image
            for front in ("script", "mz-text", "zeros"):
                yield f"wim-{compression}-behind-{front}-{kind}", "bin", FRONTS[front] + image


def variants():
    for part in (cpios, ars, debs, rpms, xars):
        yield from part()
    yield from stored.variants()
