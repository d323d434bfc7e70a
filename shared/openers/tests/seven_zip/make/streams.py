"""One stream of bytes, packed."""

import base64
import bz2
import gzip
import lzma
import struct
import zlib


def make_by_python(maker):
    maker.made("gzip", gzip.compress(maker.text), [maker.text])
    maker.made("gzip-members", gzip.compress(maker.text) + gzip.compress(maker.noise), [maker.text + maker.noise])
    maker.made("bzip2", bz2.compress(maker.text), [maker.text])
    maker.made("bzip2-streams", bz2.compress(maker.noise) * 2, [maker.noise * 2])
    maker.made("xz", lzma.compress(maker.text), [maker.text])
    # Several blocks make 7-Zip start threads, where it may.
    big = maker.noise * 90
    maker.made("bzip2-long", bz2.compress(big, 1), [big])
    maker.made("base64", base64.encodebytes(maker.noise), [maker.noise])
    maker.made("base64-one-line", base64.b64encode(maker.text[:50]), [maker.text[:50]])


def make_by_tools(maker):
    source = maker.tree / "text.txt"
    maker.made("zstd", maker.run("zstd", "-qc", source), [maker.text])
    maker.made("zstd-long", maker.run("zstd", "-qc", "--long=27", source), [maker.text])
    maker.made("compress", maker.run("compress", "-c", source), [maker.text])
    maker.run("xz", "-k", "--block-size=8192", "-T2", source)
    maker.made("xz-blocks", source.with_suffix(".txt.xz"), [maker.text])
    source.with_suffix(".txt.xz").unlink()
    maker.run("objcopy", "-I", "binary", "-O", "ihex", source, maker.work / "text.hex")
    maker.made("ihex", maker.work / "text.hex", [maker.text])


def make_flash(maker):
    """A film of one tag, which holds data: version 8, an empty rectangle, a frame a second, one frame."""
    data = maker.text[:5000]
    define_binary = struct.pack("<HI", 87 << 6 | 63, len(data) + 6) + struct.pack("<HI", 1, 0) + data
    body = b"\0" + struct.pack("<HH", 256, 1) + define_binary + b"\0\0"
    length = struct.pack("<I", 8 + len(body))
    film = b"FWS\x08" + length + body
    maker.made("swf", film, [struct.pack("<HI", 1, 0) + data], others=True)
    maker.made("swf-deflated", b"CWS\x08" + length + zlib.compress(body), [film])
