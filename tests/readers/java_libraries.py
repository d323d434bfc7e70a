"""PDF files as PDFBox and iText write them, and Office packages as Java's own zip classes do (docx4j and POI use these): `java/Write.java` makes them.

Dates, identifiers and keys differ from run to run.
"""

import os

import docx, pptx

from node_libraries import sources, written_by
from office_libraries import changed, workbook, written

HERE = os.path.dirname(os.path.abspath(__file__))
# Debian's packages, which `tools/install test` installs.
JARS = [f"/usr/share/java/{name}.jar" for name in ("pdfbox2", "fontbox2", "commons-logging", "itext5", "bcprov")]


def packages():
    """One of each kind, of the Python libraries."""
    return {"package-letter.docx": changed(written(docx.Document().save)), "package-sheet.xlsx": workbook(), "package-slides.pptx": changed(written(pptx.Presentation().save))}


def variants():
    yield from written_by(["java", "-Xshare:auto", "-cp", ":".join(JARS), os.path.join(HERE, "java", "Write.java")], sources() | packages())
