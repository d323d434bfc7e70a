#!/usr/bin/env python3
"""Writes one archive of every kind that an opener opens and that can be made here, with the EICAR test file inside: `seeds.py DIRECTORY` writes DIRECTORY/NAME/archive.

The recipes are those of the openers' own tests; beside them stand archives of programs that cannot be installed, and ClamAV's samples.
"""

import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OPENERS = ROOT / "shared" / "openers" / "tests"
sys.path.append(str(OPENERS / "seven_zip" / "make"))

import archives  # noqa: E402
import by_hand  # noqa: E402
import images  # noqa: E402
import make  # noqa: E402
import streams  # noqa: E402

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
# Longer than what the recipes cut off, and as long as what they expect.
TEXT = EICAR + b"\n" + make.TEXT[len(EICAR) + 1:]
# Of what nothing here makes: CHM, MSI, InstallShield, SIS.
SAMPLES = ("clam.chm", "clam.arj", "clam.sis", "clam_ISmsi_int.exe", "clam_IScab_int.exe", "clam-nsis.exe", "clam.ole.doc")


class Maker(make.Maker):
    """Puts the test file where the recipes have their text."""

    text = TEXT

    def __init__(self, directory, work):
        super().__init__(directory, work)
        (self.tree / "text.txt").write_bytes(TEXT)

    def made(self, name, archive, members=(), others=False):
        super().made(name, archive, members)


def make_filtered(maker):
    """What only libarchive opens."""
    for name, command in {"lz4": "lz4 -qc", "lzip": "lzip -c", "lzma": "xz --format=lzma -c"}.items():
        maker.made(name, maker.run("sh", "-c", f"{command} < {maker.tree}/text.txt"))
    for name, words in {"uuencode": ["--uuencode", "--format=newc"], "warc": ["--format=warc"], "lz4-cpio": ["--lz4", "--format=newc"]}.items():
        maker.made(name, maker.run("bsdtar", "-c", *words, "-f", "-", "text.txt", cwd=maker.tree))


def main():
    directory = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as work:
        maker = Maker(directory, pathlib.Path(work))
        for recipes in (streams, archives, by_hand, images):
            for name, recipe in vars(recipes).items():
                if name.startswith("make_"):
                    recipe(maker)
        make_filtered(maker)
    fixtures = [path for path in (OPENERS / "libarchive" / "fixtures").iterdir() if path.suffix in (".rar", ".lzh", ".cab", ".rpm")]
    samples = [pathlib.Path("/usr/share/clamav-testfiles") / name for name in SAMPLES]
    for path in fixtures + samples:
        place = directory / f"kept-{path.name}"
        place.mkdir()
        shutil.copy(path, place / "archive")


if __name__ == "__main__":
    main()
