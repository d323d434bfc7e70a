"""PDF files, mail and Office documents as libraries of Node write them: pdf-lib, PDFKit, nodemailer, ExcelJS and docx, which `node/write.mjs` asks.

Dates, boundaries, identifiers and keys differ from run to run where a library draws them.
"""

import os, subprocess, tempfile

from base import HARMLESS, PAYLOADS
from pdf_libraries import PAGE, SAVED, saved, with_attachment

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node")
KINDS = ("eicar", "zip", "hidden", "tgz")
FORMS = ("plain", "objects", "no-objects", "linear", "readable", "old", "new")


def written_by(words, sources):
    """The name, extension and bytes of each file that the program of WORDS, given two directories, writes to the second one."""
    with tempfile.TemporaryDirectory() as source, tempfile.TemporaryDirectory() as target:
        for name, data in sources.items():
            with open(os.path.join(source, name), "wb") as file:
                file.write(data)
        done = subprocess.run([*words, source, target], capture_output=True, env={**os.environ, "TZ": "UTC"})
        if done.returncode:
            raise SystemExit(f"{words}: {done.stderr.decode(errors='replace')[-1000:]}")
        for name in sorted(os.listdir(target)):
            with open(os.path.join(target, name), "rb") as file:
                yield *name.rsplit(".", 1), file.read()


def sources():
    """The payloads, and PDF files of other libraries: with each of them attached, and with nothing of the kind."""
    made = {f"payload-{kind}": PAYLOADS[kind] for kind in KINDS} | {"seed-page-none.pdf": PAGE}
    for form in FORMS:
        made[f"seed-{form}-other-none.pdf"] = saved(with_attachment(HARMLESS, "a.txt"), static_id=True, **SAVED[form])
        for kind in KINDS:
            made[f"seed-{form}-{kind}.pdf"] = saved(with_attachment(PAYLOADS[kind]), static_id=True, **SAVED[form])
    return made


def variants():
    yield from written_by(["node", os.path.join(HERE, "write.mjs")], sources())
