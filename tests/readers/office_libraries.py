"""Office documents as libraries write them: python-docx, python-pptx, openpyxl, XlsxWriter, odfpy, msoffcrypto-tool; and the formats of one XML file.

The XML formats are flat OPC, WordprocessingML 2003 (with its ActiveMime data) and flat ODF.
"""

import base64, datetime, io, itertools, struct, zipfile, zlib

import docx, odf.draw, odf.opendocument, odf.text, openpyxl, pptx, xlsxwriter
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from msoffcrypto.format.ooxml import OOXMLFile
from pptx.util import Inches

from base import PAYLOADS, Member, base64_lines, mail, png, zip_of
from documents import EXCEL_PASSWORD
from office import STREAMS, compound, package

KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "zip", "hidden", "tgz")}
FEW = {kind: PAYLOADS[kind] for kind in ("eicar", "hidden")}
DATE = datetime.datetime(2024, 1, 1)


def objects(data):
    """How an object's bytes stand in its part."""
    return {"bare": data, "package": compound([(STREAMS["package"], package(data))]), "contents": compound([("CONTENTS", data)]), "package-large": compound([(STREAMS["package"], package(data, more=bytes(5000)))])}


def written(save):
    out = io.BytesIO()
    save(out)
    return out.getvalue()


def changed(data, **parts):
    """The package with these parts in addition, or in place of those that it has, and with fixed dates."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        contents = {name: source.read(name) for name in source.namelist()} | parts
        for name, content in contents.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            target.writestr(info, content)
    return out.getvalue()


def by_docx():
    for (kind, data), (form, content) in ((pair, object_) for pair in KINDS.items() for object_ in objects(pair[1]).items()):
        for place, relationship in (("/word/embeddings/oleObject1.bin", RELATIONSHIP_TYPE.OLE_OBJECT), ("/word/media/image1.emf", RELATIONSHIP_TYPE.IMAGE), ("/word/embeddings/a.docx", RELATIONSHIP_TYPE.PACKAGE), ("/word/afchunk.mht", RELATIONSHIP_TYPE.A_F_CHUNK), ("/word/fonts/font1.odttf", RELATIONSHIP_TYPE.FONT)):
            document = docx.Document()
            document.core_properties.created = document.core_properties.modified = DATE
            document.add_paragraph("An invoice.")
            part = Part(PackURI(place), "application/octet-stream", content, document.part.package)
            document.part.relate_to(part, relationship)
            yield f"docx-{place.split('/')[-1].split('.')[0]}-{form}-{kind}", "docx", changed(written(document.save))


def by_pptx():
    for (kind, data), (form, content) in ((pair, object_) for pair in KINDS.items() for object_ in objects(pair[1]).items()):
        for program in ("Package", "Word.Document.8"):
            slides = pptx.Presentation()
            slide = slides.slides.add_slide(slides.slide_layouts[6])
            slide.shapes.add_ole_object(io.BytesIO(content), program, 0, 0, Inches(1), Inches(1), icon_file=io.BytesIO(png()))
            yield f"pptx-{program[:4]}-{form}-{kind}", "pptx", changed(written(slides.save))
    for kind, data in KINDS.items():
        slides = pptx.Presentation()
        slide = slides.slides.add_slide(slides.slide_layouts[6])
        slide.shapes.add_movie(io.BytesIO(data), 0, 0, 99, 99, poster_frame_image=io.BytesIO(png()), mime_type="video/mp4")
        yield f"pptx-movie-{kind}", "pptx", changed(written(slides.save))


def workbook():
    book = openpyxl.Workbook()
    book.active["A1"] = "An invoice."
    return changed(written(book.save))


def by_sheets():
    """openpyxl and XlsxWriter add a macro project as it is given; the other parts are put into the package that they wrote."""
    plain = workbook()
    places = ("xl/embeddings/oleObject1.bin", "xl/media/image1.png", "xl/vbaProject.bin", "xl/printerSettings/printerSettings1.bin", "xl/ctrlProps/ctrlProp1.xml", "customXml/item1.xml", "xl/externalLinks/externalLink1.xml")
    for (kind, data), (form, content) in ((pair, object_) for pair in KINDS.items() for object_ in objects(pair[1]).items()):
        for place in places:
            yield f"openpyxl-{place.split('/')[-1].split('.')[0]}-{form}-{kind}", "xlsx", changed(plain, **{place: content})
        book_bytes = io.BytesIO()
        book = xlsxwriter.Workbook(book_bytes, {"in_memory": True})
        book.set_properties({"created": DATE})
        book.add_worksheet().write(0, 0, "An invoice.")
        book.add_vba_project(io.BytesIO(content), is_stream=True)
        book.close()
        yield f"xlsxwriter-macros-{form}-{kind}", "xlsm", changed(book_bytes.getvalue())


def by_odfpy():
    for (kind, data), (form, content) in ((pair, object_) for pair in KINDS.items() for object_ in objects(pair[1]).items()):
        for place, media in (("picture", "image/png"), ("object", "application/vnd.sun.star.oleobject")):
            text = odf.opendocument.OpenDocumentText()
            frame = odf.draw.Frame(width="1cm", height="1cm")
            if place == "picture":
                frame.addElement(odf.draw.Image(href=text.addPictureFromString(content, media)))
            else:
                text._extra.append(odf.opendocument.OpaqueObject("Object 1", media, content))
                frame.addElement(odf.draw.ObjectOle(href="./Object 1"))
            paragraph = odf.text.P(text="An invoice.")
            paragraph.addElement(frame)
            text.text.addElement(paragraph)
            names = {"Pictures/1.png": content} if place == "picture" else {}
            found = written(text.write)
            if names:
                # Its own name for a picture is a number drawn at random.
                with zipfile.ZipFile(io.BytesIO(found)) as archive:
                    random_name = next(name for name in archive.namelist() if name.startswith("Pictures/"))
                    content_xml = archive.read("content.xml").replace(random_name.encode(), b"Pictures/1.png")
                found = without(found, random_name, {**names, "content.xml": content_xml})
            yield f"odfpy-{place}-{form}-{kind}", "odt", changed(found)


def without(data, name, parts):
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for other in source.namelist():
            if other != name:
                target.writestr(other, parts.get(other, source.read(other)))
        for other in parts.keys() - set(source.namelist()):
            target.writestr(other, parts[other])
    return out.getvalue()


def encrypted():
    """With the password that Excel tries first; keys are drawn at random. A program that does not know the password sees a compound file."""
    for kind, data in KINDS.items():
        for form, content in objects(data).items():
            for place in ("xl/embeddings/oleObject1.bin", "xl/media/image1.png"):
                plain = changed(workbook(), **{place: content})
                out = io.BytesIO()
                OOXMLFile(io.BytesIO(plain)).encrypt(EXCEL_PASSWORD, out)
                name = f"encrypted-{place.split('/')[1]}-{form}-{kind}"
                yield name, "xlsx", out.getvalue()
                if form == "bare":
                    yield f"{name}-mailed", "eml", mail(base64_lines(out.getvalue()))
                    yield f"{name}-zipped", "zip", zip_of(Member("a.xlsx", out.getvalue()))


def active_mime(data):
    """What Word 2003 keeps objects in (`oledata.mso`): a header of 50 bytes, a compressed compound file."""
    content = zlib.compress(data)
    return b"ActiveMime\0\0\1\xf0\4\0\0\0\xff\xff\xff\xff\0\0\7\xf0" + struct.pack("<I", len(content) + 12) + b"\4\0\0\0\4\0\0\0" + bytes(8) + struct.pack("<I", len(data)) + content


def one_file():
    encodings = {"lines": lambda data: base64_lines(data), "one-line": lambda data: base64.b64encode(data).decode(), "narrow": lambda data: base64_lines(data, 60, "\n"), "indented": lambda data: base64_lines(data, 76, "\n   ")}
    for (kind, data), (width, encode) in itertools.product(KINDS.items(), encodings.items()):
        for form, content in objects(data).items():
            text = encode(content)
            yield f"flat-opc-{width}-{form}-{kind}", "xml", flat_opc("/word/embeddings/oleObject1.bin", text)
            yield f"flat-odf-{width}-{form}-{kind}", "fodt", flat_odf(text)
            yield f"word-2003-{width}-{form}-{kind}", "xml", word_2003("oledata.mso", text)
    for kind, data in FEW.items():
        for form, content in objects(data).items():
            yield f"word-2003-active-{form}-{kind}", "xml", word_2003("oledata.mso", base64_lines(active_mime(content)))
            yield f"active-mime-{form}-{kind}", "mso", active_mime(content)
            yield f"flat-opc-attribute-{form}-{kind}", "xml", flat_opc("/word/media/image1.png", base64_lines(content), compression=True)
            yield f"flat-odf-utf-16-{form}-{kind}", "fodt", flat_odf(base64_lines(content)).decode().replace("UTF-8", "UTF-16").encode("utf-16")


def flat_opc(place, text, compression=False):
    attribute = ' pkg:compression="store"' if compression else ""
    return (f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n<?mso-application progid="Word.Document"?>\r\n<pkg:package xmlns:pkg="http://schemas.microsoft.com/office/2006/xmlPackage">'
            f'<pkg:part pkg:name="/word/document.xml" pkg:contentType="application/xml"><pkg:xmlData><document/></pkg:xmlData></pkg:part>'
            f'<pkg:part pkg:name="{place}" pkg:contentType="application/vnd.openxmlformats-officedocument.oleObject"{attribute}><pkg:binaryData>{text}</pkg:binaryData></pkg:part></pkg:package>').encode()


def flat_odf(text):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
            'office:mimetype="application/vnd.oasis.opendocument.text" office:version="1.3"><office:body><office:text><text:p>An invoice.<draw:frame><draw:object-ole>'
            f"<office:binary-data>{text}</office:binary-data></draw:object-ole></draw:frame></text:p></office:text></office:body></office:document>").encode()


def word_2003(name, text):
    return ('<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n<?mso-application progid="Word.Document"?>\r\n<w:wordDocument xmlns:w="http://schemas.microsoft.com/office/word/2003/wordml">'
            f'<w:docOleData><w:binData w:name="{name}" xml:space="preserve">{text}</w:binData></w:docOleData><w:body><w:p><w:r><w:t>An invoice.</w:t></w:r></w:p></w:body></w:wordDocument>').encode()


def variants():
    for part in (by_docx, by_pptx, by_sheets, by_odfpy, encrypted, one_file):
        yield from part()
