#!/usr/bin/env python3
"""Says which files an ordinary program gets EICAR out of: oracle.py < paths, one a line; prints `path<TAB>reader` for each that does.

What a reader unpacks is given to every reader again, three levels deep. Bytes on the disk count, not exit statuses.
`oracle.py --missing` prints the readers that this machine lacks; `--reader NAME`, more than once, asks no other one.
"""

import argparse, concurrent.futures, os, resource, sys, tempfile

import chromium, inprocess

# All of it: what a mutation has spoilt is not the test file, and no scanner must find it.
from base import EICAR
from programs import PROGRAMS, installed

MAX_DEPTH, MAX_MEMBERS, MAX_MEMBER_BYTES = 3, 50, 30_000_000
READERS = {name: program for name, program in PROGRAMS.items() if installed(program)} | inprocess.READERS | chromium.READERS
WANTED = set(PROGRAMS) | inprocess.WANTED | set(chromium.WANTED)


def unpacked_by(reader, path, data, scratch):
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        for index, content in enumerate(reader.unpack(path, data, directory)):
            if index >= MAX_MEMBERS:
                return
            yield content[:MAX_MEMBER_BYTES]


def finds(data, extension, scratch, depth=1, seen=None):
    """The readers, in their order, that get EICAR out; None where none does."""
    seen = set() if seen is None else seen
    inner = []
    # Some programs go by the name's extension.
    with tempfile.NamedTemporaryFile(dir=scratch, suffix=extension) as file:
        file.write(data)
        file.flush()
        for name, reader in READERS.items():
            if not reader.may_read(data):
                continue
            for content in unpacked_by(reader, file.name, data, scratch):
                if content.startswith(EICAR):
                    return name
                if len(content) > 30 and content != data and hash(content) not in seen:
                    seen.add(hash(content))
                    inner.append((name, content))
    if depth < MAX_DEPTH:
        for name, content in inner[:MAX_MEMBERS]:
            deeper = finds(content, ".bin", scratch, depth + 1, seen)
            if deeper:
                return f"{name} > {deeper}"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--missing", action="store_true")
    parser.add_argument("--reader", action="append", choices=READERS)
    arguments = parser.parse_args()
    if arguments.missing:
        print("".join(f"{name}\n" for name in sorted(WANTED - set(READERS))), end="")
        return
    for name in set(READERS) - set(arguments.reader or READERS):
        del READERS[name]
    # A hostile archive must not fill the disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000_000, 100_000_000))
    paths = [line.rstrip("\n") for line in sys.stdin]
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        def ask(path):
            with open(path, "rb") as file:
                return finds(file.read(), os.path.splitext(path)[1], scratch)
        for path, found in zip(paths, pool.map(ask, paths)):
            if found:
                print(f"{path}\t{found}", flush=True)


if __name__ == "__main__":
    main()
