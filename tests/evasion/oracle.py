#!/usr/bin/env python3
"""Says which files some ordinary tool unpacks EICAR from: oracle.py < paths, one a line; prints `path<TAB>tool` for each that does.

Tools: unzip, 7z, bsdtar, Python's own modules, and jar where it is installed. What they unpack is unpacked again, three levels deep.
A tool's exit status does not matter: bytes on the disk do.
"""

import bz2, email, email.policy, gzip, io, lzma, os, resource, shutil, subprocess, sys, tarfile, tempfile, zipfile

# All of it: what a mutation has spoilt is not the test file, and no scanner must find it.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}" + b"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
WITH_JAR = os.environ.get("ORACLE_JAR") == "1" and shutil.which("jar")


def limit_processor_time():
    """Time on the wall says little on a busy machine."""
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))


def outside(*command):
    def extract(path, directory):
        name = os.path.join(directory, "in")
        words = [word.format(path=path, directory=name) for word in command]
        os.mkdir(name)
        # In a session of its own it has no terminal to ask for a password.
        subprocess.run(words, cwd=name, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=limit_processor_time,
                       start_new_session=True)
        for root, _, files in os.walk(name):
            for file in files:
                full = os.path.join(root, file)
                if os.path.isfile(full) and not os.path.islink(full):
                    with open(full, "rb") as opened:
                        yield opened.read(50_000_000)
    return extract


def python(path, _):
    data = open(path, "rb").read()
    for reader in (python_zip, python_tar, python_stream(gzip.decompress), python_stream(bz2.decompress), python_stream(lzma.decompress), python_partial, python_mail):
        try:
            yield from reader(data)
        except Exception:
            pass


def python_zip(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            try:
                with archive.open(info) as member:
                    yield member.read()
            except Exception:
                pass


def python_tar(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file:
                yield file.read()


def python_stream(decompress):
    def read(data):
        yield decompress(data)
    return read


def python_partial(data):
    """What comes out before an error."""
    for opened in (gzip.GzipFile(fileobj=io.BytesIO(data)), bz2.BZ2File(io.BytesIO(data)), lzma.LZMAFile(io.BytesIO(data))):
        out = b""
        try:
            while chunk := opened.read(64):
                out += chunk
        except Exception:
            pass
        if out:
            yield out


def python_mail(data):
    for policy in (email.policy.compat32, email.policy.default):
        for part in email.message_from_bytes(data, policy=policy).walk():
            payload = part.get_payload(decode=True)
            # Text as it stands, with nothing decoded, is the file itself.
            if payload and payload.strip() not in data:
                yield payload


TOOLS = {"unzip": outside("unzip", "-qqo", "-P", "x", "{path}", "-d", "{directory}"), "7z": outside("7z", "x", "-y", "-bd", "-px", "-o{directory}", "{path}"),
         "bsdtar": outside("bsdtar", "-xf", "{path}", "-C", "{directory}"), "python": python}
if WITH_JAR:
    TOOLS["jar"] = outside("jar", "xf", "{path}")


def finds(path, depth=0):
    for tool, extract in TOOLS.items():
        with tempfile.TemporaryDirectory() as directory:
            for index, content in enumerate(extract(path, directory)):
                if content.startswith(EICAR):
                    return tool
                if depth < 2 and 30 < len(content) < 5_000_000 and index < 50:
                    inner = os.path.join(directory, f"inner-{index}")
                    with open(inner, "wb") as file:
                        file.write(content)
                    deeper = finds(inner, depth + 1)
                    if deeper:
                        return f"{tool}, {deeper}"
    return None


for line in sys.stdin:
    tool = finds(line.rstrip("\n"))
    if tool:
        print(f"{line.rstrip()}\t{tool}", flush=True)
