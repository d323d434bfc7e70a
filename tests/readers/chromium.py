"""Chromium as a reader: pdf.js in it, and web pages with everything that a click saves. `node/chromium.mjs` runs it, one for each thread that asks."""

import atexit, json, os, re, select, signal, subprocess, tempfile, threading

from programs import NODE, PATH, anything, files_below

# More than `node/chromium.mjs` takes before it gives a file up.
TIMEOUT_SECONDS = 60
NEEDS = ["/usr/bin/chromium", f"{NODE}/node_modules/playwright-core/package.json", f"{NODE}/node_modules/pdfjs-dist/package.json"]
ELEMENT = re.compile(rb"(?i)<(!doctype html|html|head|body|script|iframe|a|area|svg|img|object|embed)\b")
GIVES = re.compile(rb"(?i)href|src|data=|action|<script")


OBJECT = re.compile(rb"\d\s+\d+\s+obj\b")


def is_document(data):
    """Without a header, pdf.js searches for objects (`XRef.indexObjects`)."""
    return b"obj" in data and (b"%PDF" in data or OBJECT.search(data) is not None)


def is_page(data):
    text = data.replace(b"\0", b"")
    return ELEMENT.search(text) is not None and GIVES.search(text) is not None


class Host:
    """A Chromium that opens file after file, and is replaced when it ends or does not answer."""

    def __init__(self):
        self.process, self.has_answered = None, False
        self.home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        atexit.register(self.end)

    def ask(self, reader, path, directory):
        if self.process is None or self.process.poll() is not None:
            if self.process and not self.has_answered:
                raise SystemExit(f"Chromium does not start: {self.process.returncode}")
            self.start()
        try:
            self.process.stdin.write(json.dumps({"reader": reader, "file": path, "directory": directory}).encode() + b"\n")
            self.process.stdin.flush()
            ready, _, _ = select.select([self.process.stdout], [], [], TIMEOUT_SECONDS)
            answered = bool(ready and self.process.stdout.readline())
        except BrokenPipeError:
            answered = False
        self.has_answered |= answered
        if not answered:
            self.stop()

    def start(self):
        environment = {"PATH": PATH, "HOME": self.home.name, "TMPDIR": self.home.name, "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(["node", f"{NODE}/chromium.mjs"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)

    def stop(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self):
        """Lets it close its browser."""
        if self.process and self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.stop()
        self.home.cleanup()


class Chromium:
    hosts = threading.local()

    def __init__(self, reader, wants=anything):
        self.reader, self.may_read = reader, wants

    def unpack(self, path, _, directory):
        if not hasattr(self.hosts, "host"):
            self.hosts.host = Host()
        self.hosts.host.ask(self.reader, path, directory)
        yield from files_below(directory)


WANTED = {"pdf.js in Chromium": Chromium("pdf.js", is_document), "Chromium": Chromium("page", is_page)}
READERS = WANTED if all(os.path.exists(path) for path in NEEDS) else {}
