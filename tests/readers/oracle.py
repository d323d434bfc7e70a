#!/usr/bin/env python3
"""Says which files an ordinary program gets EICAR out of: oracle.py < paths, one a line; prints `path<TAB>reader` for each that does.

What a reader unpacks is given to every reader again, three levels deep. Bytes on the disk count, not exit statuses.
`oracle.py --readers` prints the readers that this machine has.
"""

import concurrent.futures, os, resource, sys, tempfile

import inprocess
from programs import PROGRAMS, installed

# All of it: what a mutation has spoilt is not the test file, and no scanner must find it.
from base import EICAR

MAX_DEPTH, MAX_MEMBERS, MAX_MEMBER_BYTES = 3, 50, 30_000_000


def readers():
    return {name: program for name, program in PROGRAMS.items() if installed(program)} | inprocess.READERS


def unpacked_by(reader, path, data, scratch):
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        for index, content in enumerate(reader.unpack(path, data, directory)):
            if index >= MAX_MEMBERS:
                return
            yield content[:MAX_MEMBER_BYTES]


def finds(data, scratch, depth=1, seen=None):
    """The readers, in their order, that get EICAR out; None where none does."""
    seen = set() if seen is None else seen
    inner = []
    with tempfile.NamedTemporaryFile(dir=scratch, suffix=".bin") as file:
        file.write(data)
        file.flush()
        for name, reader in readers().items():
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
            deeper = finds(content, scratch, depth + 1, seen)
            if deeper:
                return f"{name} > {deeper}"
    return None


def main():
    if sys.argv[1:] == ["--readers"]:
        print("\n".join(readers()))
        return
    # A hostile archive must not fill the disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000_000, 100_000_000))
    paths = [line.rstrip("\n") for line in sys.stdin]
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        def ask(path):
            with open(path, "rb") as file:
                return finds(file.read(), scratch)
        for path, found in zip(paths, pool.map(ask, paths)):
            if found:
                print(f"{path}\t{found}", flush=True)


if __name__ == "__main__":
    main()
