"""Cabinets with every method and every optional part, in other data, in installers, with headers that lie ([MS-CAB]; packers in `evasion/packers.py`)."""

import itertools, struct

from base import EICAR, FRONTS, HARMLESS, HIDDEN_ZIP, PAYLOADS, ZIP, Member, base64_lines, made_with, mail, packers, tar_of, zip_of

METHODS = {"stored": 0, "mszip": 1, "lzx-15": 15 << 8 | 3, "lzx-21": 21 << 8 | 3}


def changed(data, at, form, value):
    """The same cabinet with another number at this place."""
    size = struct.calcsize(form)
    return data[:at] + struct.pack(form, value) + data[at + size:]


def lies(plain):
    """[MS-CAB] 2.1: the fields of CFHEADER, of the first CFFOLDER and of the first CFFILE."""
    header = {"reserved-1": (4, "<I"), "size": (8, "<I"), "reserved-2": (12, "<I"), "reserved-3": (20, "<I"), "minor": (24, "B"), "major": (25, "B"), "n-folders": (26, "<H"), "n-files": (28, "<H"), "flags": (30, "<H"), "set": (32, "<H"), "index": (34, "<H")}
    rest = {"folder-n-blocks": (40, "<H"), "folder-method": (42, "<H"), "file-size": (44, "<I"), "file-at": (48, "<I"), "file-folder": (52, "<H"), "file-date": (54, "<H"), "file-attributes": (58, "<H")}
    for field, (at, form) in (header | rest).items():
        usual = struct.unpack_from(form, plain, at)[0]
        top = (1 << 8 * struct.calcsize(form)) - 1
        for value in sorted({0, 1, 2, 4, usual + 1 & top, max(usual - 1, 0), top, top - 1, top - 2} - {usual}):
            yield f"{field}-{value:x}", changed(plain, at, form, value)


def variants():
    for (method, code), (kind, data) in itertools.product(METHODS.items(), PAYLOADS.items()):
        two = [(b"a.txt", HARMLESS), (b"e.com", data)]
        yield f"{method}-{kind}", "cab", packers.cabinet([(code, [(b"e.com", data)])])
        yield f"{method}-two-{kind}", "cab", packers.cabinet([(code, two)])
        yield f"{method}-blocks-{kind}", "cab", packers.cabinet([(code, two)], block_bytes=64)
        yield f"{method}-reserves-{kind}", "cab", packers.cabinet([(code, two)], b"head", b"folder", b"data")
        for other, second in METHODS.items():
            yield f"{method}-{other}-{kind}", "cab", packers.cabinet([(code, two[:1]), (second, two[1:])])
        plain = packers.cabinet([(code, two)])
        yield f"{method}-in-zip-{kind}", "zip", zip_of(Member("a.cab", plain))
        yield f"{method}-in-tar-{kind}", "tar", tar_of(plain, "a.cab")
        yield f"{method}-in-mail-{kind}", "eml", mail(base64_lines(plain))
        yield f"{method}-in-cab-{kind}", "cab", packers.cabinet([(code, [(b"a.cab", plain)])])
    for method, code in METHODS.items():
        plain = packers.cabinet([(code, [(b"e.com", EICAR)])])
        for name, data in lies(plain):
            yield f"{method}-{name}", "cab", data
        for front, data in FRONTS.items():
            yield f"{method}-behind-{front}", "bin", data + plain
            yield f"{method}-hidden-behind-{front}", "bin", data + packers.cabinet([(code, [(b"h.zip", HIDDEN_ZIP)])])
        good = packers.cabinet([(code, [(b"a.txt", HARMLESS)])])
        yield f"{method}-second", "cab", good + plain
        yield f"{method}-second-behind-junk", "cab", good + b"junk" * 100 + plain
        for junk in (b"junk", bytes(600), ZIP):
            yield f"{method}-then-{len(junk)}", "cab", plain + junk
        for name in (b"../e.com", b"/e.com", b"d\\e.com", b"x" * 255, b"\xe9", b"a b", b"CON"):
            yield f"{method}-name-{name[:8].hex()}", "cab", packers.cabinet([(code, [(name, EICAR)])])
        body = plain.rfind(EICAR[:8]) if code == 0 else len(plain) - 5
        yield f"{method}-checksum-zero", "cab", changed(plain, struct.unpack_from("<I", plain, 36)[0], "<I", 0)
        yield f"{method}-checksum-wrong", "cab", changed(plain, struct.unpack_from("<I", plain, 36)[0], "<I", 7)
        yield f"{method}-cut", "cab", plain[:body]
    for name, options in {"plain": "-n", "packed": "-z -n"}.items():
        yield f"program-{name}", "cab", made_with(f"gcab -c {options} out.cab e.com a.txt", {"e.com": EICAR, "a.txt": HARMLESS}, "out.cab")
