"""The readers that are Python modules: Python's own, and oletools, warcio and those of documents where they are installed."""

import bz2, contextlib, email, email.policy, gzip, importlib.util, io, logging, lzma, mailbox, os, plistlib, re, tarfile, warnings, zipfile

import documents

warnings.simplefilter("ignore")
logging.disable()


class Module:
    def __init__(self, read, wants=lambda data: True):
        self.read, self.may_read = read, wants

    def unpack(self, path, data, _):
        try:
            for content in self.read(path, data):
                if content:
                    yield content
        except Exception:  # noqa: BLE001: whatever a hostile file makes a module raise, it unpacked what it unpacked.
            return


def read_zip(_, data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            try:
                with archive.open(info) as member:
                    yield member.read(30_000_000)
            except Exception:  # noqa: BLE001
                pass


def read_tar(_, data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file:
                yield file.read(30_000_000)


def read_streams(_, data):
    """What comes out before an error."""
    for opened in (gzip.GzipFile(fileobj=io.BytesIO(data)), bz2.BZ2File(io.BytesIO(data)), lzma.LZMAFile(io.BytesIO(data))):
        out = b""
        try:
            while len(out) < 30_000_000 and (chunk := opened.read(64)):
                out += chunk
        except Exception:  # noqa: BLE001
            pass
        yield out


def read_mail(_, data):
    for policy in POLICIES:
        with contextlib.suppress(Exception):
            yield from attachments(email.message_from_bytes(data, policy=policy), data)
    with contextlib.suppress(Exception):
        yield from contents(email.message_from_bytes(data, policy=email.policy.default))


# The last one is that of programs that give up at the first defect.
POLICIES = (email.policy.compat32, email.policy.default, email.policy.SMTPUTF8, email.policy.HTTP, email.policy.strict)


def contents(message):
    """What newer programs save: text in its charset, messages as messages."""
    for part in message.walk():
        with contextlib.suppress(Exception):
            content = part.get_content()
            yield content.encode(errors="surrogateescape") if isinstance(content, str) else content if isinstance(content, bytes) else content.as_bytes()


def read_mbox(path, data):
    """Each message, by each of the kinds of mailbox files that Python knows, with `>From ` as it stands and without the `>` (mboxrd)."""
    for kind in (mailbox.mbox, mailbox.MMDF, mailbox.Babyl):
        with contextlib.suppress(Exception), contextlib.closing(kind(path, create=False)) as box:
            for key in box.keys():
                message = box.get_bytes(key)
                for written in {message, re.sub(rb"(?m)^>(>*From )", rb"\1", message)}:
                    yield from attachments(email.message_from_bytes(written), data)
    for message in counted_messages(data):
        yield from attachments(email.message_from_bytes(message), data)


def counted_messages(data):
    """The messages of a mailbox file that end where their Content-Length says (mboxcl2), as mutt reads them."""
    at = 0
    while data.startswith(b"From ", at):
        start = data.find(b"\n", at) + 1
        header = re.match(rb"(?s).*?\r?\n\r?\n", data[start:])
        if not start or not header:
            return
        length = re.search(rb"(?im)^content-length[ \t]*:[ \t]*(\d+)", header[0])
        end = start + header.end() + int(length[1]) if length else len(data)
        yield data[start:end]
        at = data.find(b"From ", end)
        if at < 0:
            return


def attachments(message, data):
    for part in message.walk():
        payload = part.get_payload(decode=True)
        # Text as it stands, with nothing decoded, is the file itself.
        if payload and payload.strip() not in data:
            yield payload


def read_uu(_, data):
    import uu
    out = io.BytesIO()
    try:
        uu.decode(io.BytesIO(data), out, quiet=True)
    finally:
        yield out.getvalue()


def read_property_list(_, data):
    """The data of a web archive, as pywebarchive writes them."""
    kept = [plistlib.loads(data)]
    while kept:
        value = kept.pop()
        if isinstance(value, bytes):
            yield value
        elif isinstance(value, (dict, list)):
            kept += value.values() if isinstance(value, dict) else value


# Those that need more than Python.
WANTED = {"rtfobj", "oleobj", "oleobj-ppt", "tnefparse", "warcio", *documents.READERS}
READERS = {
    "python-zip": Module(read_zip, lambda data: b"PK\5\6" in data), "python-tar": Module(read_tar), "python-streams": Module(read_streams, lambda data: data[:1] in b"\x1fB\xfd\x5d" or data[:1] < b"\xe1"),
    "python-plist": Module(read_property_list, lambda data: data.startswith(b"bplist")),
    "python-email": Module(read_mail, lambda data: b":" in data), "python-mbox": Module(read_mbox, lambda data: data.startswith(b"From ") or b"\nFrom " in data or b"\1\1\1\1" in data or b"\x1f" in data),
}

READERS |= {name: Module(read, wants) for name, (module, read, wants) in documents.READERS.items() if not module or importlib.util.find_spec(module)}

try:
    import uu  # noqa: F401: gone since Python 3.13
    READERS["python-uu"] = Module(read_uu, lambda data: b"begin" in data)
except ImportError:
    pass

try:
    import olefile
    from oletools import oleobj, rtfobj

    def read_rtf(_, data):
        parser = rtfobj.RtfObjParser(data)
        parser.parse()
        for found in parser.objects:
            yield from filter(None, (found.olepkgdata, found.oledata, found.rawdata))

    def streams(compound):
        for name in compound.listdir():
            content = compound.openstream(name).read()
            if name[-1].lower() == "\1ole10native":
                yield oleobj.OleNativeStream(content).data or b""
            yield content

    def read_ole(_, data):
        """Packages as oleobj saves them, and every stream as olefile reads it."""
        with olefile.OleFileIO(io.BytesIO(data)) as compound:
            yield from streams(compound)

    def read_ppt(path, _):
        """The objects of a presentation, as oleobj finds them."""
        for compound in oleobj.find_ole_in_ppt(path):
            yield from streams(compound)

    READERS["oleobj-ppt"] = Module(read_ppt, lambda data: data.startswith(olefile.MAGIC) and "PowerPoint Document".encode("utf-16-le") in data)
    READERS["rtfobj"] = Module(read_rtf, lambda data: b"{\\rt" in data)
    READERS["oleobj"] = Module(read_ole, lambda data: data.startswith(olefile.MAGIC))
except ImportError:
    pass

try:
    import tnefparse

    def read_tnef(_, data):
        parsed = tnefparse.TNEF(data, do_checksum=False)
        for attachment in parsed.attachments:
            yield attachment.data if isinstance(attachment.data, bytes) else b"".join(attachment.data)
        for body in (parsed.body, parsed.htmlbody, parsed.rtfbody):
            for text in body if isinstance(body, list) else [body]:
                yield text.encode() if isinstance(text, str) else text

    READERS["tnefparse"] = Module(read_tnef, lambda data: data.startswith(b"\x78\x9f\x3e\x22"))
except ImportError:
    pass

try:
    from warcio.archiveiterator import WARCIterator

    def read_warc(path, _):
        """Each record's block as it stands, without the header of the message in it, and with its encodings undone."""
        for read in (lambda record: record.raw_stream, lambda record: record.content_stream()):
            for is_parsed in (True, False):
                with open(path, "rb") as file, contextlib.suppress(Exception):
                    for record in WARCIterator(file, no_record_parse=not is_parsed):
                        yield read(record).read(30_000_000)

    READERS["warcio"] = Module(read_warc, lambda data: data.startswith(b"WARC/"))
except ImportError:
    pass
