"""Documents as LibreOffice saves them: text, sheets, slides and drawings with objects and media, in each of its formats that keeps these, and hybrid PDF.

`tools/install soak` installs it, so that only the whole set has this family. Dates and identifiers differ from run to run.
"""

import itertools, os, shutil, subprocess, tempfile

from base import PAYLOADS, Member, png, zip_of
from office_libraries import by_pptx, objects

KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "zip", "hidden", "tgz")}
NAMES = {prefix: f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0" for prefix, name in (("office", "office"), ("draw", "drawing"), ("text", "text"), ("table", "table"), ("svg", "svg-compatible"))} | {"xlink": "http://www.w3.org/1999/xlink"}
BODIES = {
    "odt": ("text", "<office:text><text:p>An invoice.%s</text:p></office:text>"),
    "ods": ("spreadsheet", '<office:spreadsheet><table:table table:name="a"><table:shapes>%s</table:shapes><table:table-row><table:table-cell/></table:table-row></table:table></office:spreadsheet>'),
    "odp": ("presentation", '<office:presentation><draw:page draw:name="a">%s</draw:page></office:presentation>'),
    "odg": ("graphics", '<office:drawing><draw:page draw:name="a">%s</draw:page></office:drawing>'),
}
OLE, TEXT = "application/vnd.sun.star.oleobject", "application/vnd.oasis.opendocument.text"
OBJECT = '<draw:object-ole xlink:href="./Object 1" xlink:type="simple"/><draw:image xlink:href="./ObjectReplacements/Object 1" xlink:type="simple"/>'
DOCUMENT = '<draw:object xlink:href="./Object 1" xlink:type="simple"/><draw:image xlink:href="./ObjectReplacements/Object 1" xlink:type="simple"/>'
MEDIA = '<draw:plugin xlink:href="Media/a.mp4" xlink:type="simple" draw:mime-type="application/vnd.sun.star.media"/>'


def pdf(program):
    """A PDF file in which the document itself is, for LibreOffice to go on editing it."""
    return f'pdf:{program}_pdf_Export:{{"IsAddStream":{{"type":"boolean","value":"true"}}}}'


# What each document becomes. Left out are those formats that keep nothing: RTF, HTML, XLSX, the XML of Office 2003, UOF, EPUB.
FORMATS = {
    "odt": ["odt", "ott", "fodt", "doc", "dot", "docx", "dotx", "docm:MS Word 2007 XML VBA", pdf("writer")],
    "ods": ["ods", "ots", "fods", "xls", "xlt", pdf("calc")],
    "odp": ["odp", "otp", "fodp", "pptx", "potx", "ppsx", "pptm:Impress MS PowerPoint 2007 XML VBA", pdf("impress")],
    "odg": ["odg", "otg", "fodg", pdf("draw")],
    "pptx": ["ppt", "pps", "pot", "odp"],
}
# Of what a document holds, these formats keep no more than this.
KEPT = {
    **dict.fromkeys(("doc", "dot", "xls", "xlt"), ("contents", "package", "package-large")), **dict.fromkeys(("ppt", "pps", "pot"), ("contents",)),
    **dict.fromkeys(("docx", "dotx", "docm", "pptx", "potx", "ppsx", "pptm"), ("bare", "contents", "package", "package-large", "media")),
    **dict.fromkeys(("fodt", "fods", "fodp", "fodg"), ("bare", "contents", "package", "package-large", "document")),
}


def content(extension, inner):
    anchor = ' text:anchor-type="paragraph"' if extension == "odt" else ""
    frame = f'<draw:frame svg:x="1cm" svg:y="1cm" svg:width="3cm" svg:height="3cm"{anchor}>{inner}</draw:frame>'
    names = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in NAMES.items())
    return f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {names} office:version="1.3"><office:body>{BODIES[extension][1] % frame}</office:body></office:document-content>'.encode()


def document(extension, inner, parts, types):
    media = f"application/vnd.oasis.opendocument.{BODIES[extension][0]}"
    parts = {"content.xml": content(extension, inner), "ObjectReplacements/Object 1": png(), **parts}
    types = {"/": media, **{name: "text/xml" if name.endswith(".xml") else "image/png" for name in parts}, **types}
    manifest = "".join(f'<manifest:file-entry manifest:full-path="{name}" manifest:media-type="{type_}"/>' for name, type_ in types.items())
    manifest = f'<?xml version="1.0" encoding="UTF-8"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.3">{manifest}</manifest:manifest>'
    return zip_of(Member("mimetype", media.encode()), *(Member(name, data) for name, data in parts.items()), Member("META-INF/manifest.xml", manifest.encode()))


def seeds():
    """Extension, what it holds, the payload's name, bytes."""
    for extension, (kind, data) in itertools.product(BODIES, KINDS.items()):
        for form, object_ in objects(data).items():
            yield extension, form, kind, document(extension, OBJECT, {"Object 1": object_}, {"Object 1": OLE})
        yield extension, "media", kind, document(extension, MEDIA, {"Media/a.mp4": data}, {"Media/a.mp4": "video/mp4"})
        # A document in it, which has the object.
        parts = {"Object 1/content.xml": content("odt", OBJECT), "Object 1/Object 1": data, "Object 1/ObjectReplacements/Object 1": png()}
        yield extension, "document", kind, document(extension, DOCUMENT, parts, {"Object 1/": TEXT, "Object 1/Object 1": OLE})
    for name, extension, data in by_pptx():
        _, place, *form, kind = name.split("-")
        if place == "Pack":
            yield extension, "-".join(form), kind, data


def converted(files, format_, profile):
    """The bytes of each file, in the files' order, as one run of LibreOffice writes all of them in this format."""
    with tempfile.TemporaryDirectory() as source, tempfile.TemporaryDirectory() as target:
        paths = [os.path.join(source, f"{index:03}.{extension}") for index, (extension, _) in enumerate(files)]
        for path, (_, data) in zip(paths, files):
            with open(path, "wb") as file:
                file.write(data)
        words = ["soffice", f"-env:UserInstallation=file://{profile}", "--headless", "--convert-to", format_, "--outdir", target, *paths]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=1200)
        written = sorted(os.listdir(target))
        if len(written) != len(files):
            raise SystemExit(f"LibreOffice wrote {len(written)} of {len(files)} files as {format_}: {done.stderr.decode(errors='replace')[-300:]}")
        for name in written:
            with open(os.path.join(target, name), "rb") as file:
                yield file.read()


def variants():
    if not shutil.which("soffice"):
        raise SystemExit("`tools/install soak` installs LibreOffice")
    made = list(seeds())
    with tempfile.TemporaryDirectory() as profile:
        for source, formats in FORMATS.items():
            for format_ in formats:
                extension = format_.split(":")[0]
                chosen = [seed for seed in made if seed[0] == source and seed[1] in KEPT.get(extension, (seed[1],))]
                files = converted([(source, data) for _, _, _, data in chosen], format_, profile)
                for (_, form, kind, _), data in zip(chosen, files):
                    yield f"{source}-{extension}-{form}-{kind}", extension, data
