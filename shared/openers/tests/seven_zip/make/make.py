#!/usr/bin/env python3
"""Writes files in every format that can be made here, with what was put in: `make DIRECTORY`.

For each: DIRECTORY/NAME/archive, and one file for each member in DIRECTORY/NAME/members. `others` stands beside them where the format gives more than what was
put in, such as the tables of a file system.
"""

import pathlib
import random
import subprocess
import sys
import tempfile

import archives
import by_hand
import images
import streams

TEXT = "".join(f"{line}: the bytes that the recipient gets are the bytes that were judged.\n" for line in range(400)).encode()
NOISE = random.Random(7).randbytes(70_001)


class Maker:
    """What the recipes have: a tree of files, a place to work, and a way to say what came of it."""

    text, noise = TEXT, NOISE

    def __init__(self, directory, work):
        self.directory, self.work = directory, work
        self.tree = work / "tree"
        (self.tree / "sub").mkdir(parents=True)
        (self.tree / "text.txt").write_bytes(TEXT)
        (self.tree / "sub" / "noise.bin").write_bytes(NOISE)
        (self.tree / "empty").write_bytes(b"")

    def run(self, *command, cwd=None, **options):
        """Its output. The tools of file systems are often outside of the path."""
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.work), "TZ": "UTC", "LC_ALL": "C.UTF-8"}
        done = subprocess.run([str(word) for word in command], cwd=cwd or self.work, env=environment, capture_output=True, check=False, **options)
        if done.returncode != 0:
            sys.exit(f"{command}: {done.stdout.decode(errors='replace')}{done.stderr.decode(errors='replace')}")
        return done.stdout

    def made(self, name, archive, members=(TEXT, NOISE), others=False):
        """`archive` is the bytes or the path of a file."""
        place = self.directory / name
        (place / "members").mkdir(parents=True)
        data = archive if isinstance(archive, bytes) else pathlib.Path(archive).read_bytes()
        (place / "archive").write_bytes(data)
        for number, member in enumerate(members):
            (place / "members" / str(number)).write_bytes(member)
        if others:
            (place / "others").touch()


def main():
    with tempfile.TemporaryDirectory() as work:
        maker = Maker(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(work))
        for recipes in (streams, archives, by_hand, images):
            for name, recipe in vars(recipes).items():
                if name.startswith("make_"):
                    recipe(maker)


if __name__ == "__main__":
    main()
