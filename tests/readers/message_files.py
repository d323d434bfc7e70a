"""Message files of Outlook as libraries write them: Aspose.Email FOSS and msgforge; `mail_libraries` has those that are put together by hand.

Attachments by value, as objects in a storage of their own, and in messages that are attached; in bodies of HTML and compressed RTF.
"""

import datetime, email.policy, itertools

import compressed_rtf, msgforge
from aspose.email_foss.msg import MapiMessage, MsgStorage, MsgStream
from aspose.email_foss.msg.mapi_message import MapiAttachment

from base import HARMLESS, PAYLOADS, Member, base64_lines, mail, zip_of
from mail_libraries import message, shaped
from office import package
from rtf import ole1, rtf

KINDS = {kind: PAYLOADS[kind] for kind in ("eicar", "zip", "hidden", "tgz")}
# Small streams stand in sectors of 64 bytes, those of 4096 bytes and more do not.
PADDING = {"small": b"", "large": bytes(5000)}
NAMES = {"plain": "e.com", "accents": "Überweisung.exe", "japanese": "請求書.zip", "long": "x" * 200 + ".com", "path": "..\\e.com"}
BODY, HTML, RTF, OBJECT, VALUE, LINKED_VALUE, STORAGE = 0x1000, 0x1013, 0x1009, 0x0D, 1, 7, 6


def letter(unicode_strings=True):
    return MapiMessage.create("An invoice", "Hello", unicode_strings=unicode_strings)


def attached(data, name="e.com", **options):
    made = letter()
    made.add_attachment(name, data, **options)
    return made


def stored(data, stream="\1Ole10Native", inner=()):
    """An object that is embedded in the text: its streams stand in the attachment's storage, in storages of INNER where it is in such."""
    made, storage = letter(), MsgStorage(name=inner[-1] if inner else "__substg1.0_3701000D", streams=[MsgStream(stream, data)])
    for name in [*reversed(inner[:-1]), "__substg1.0_3701000D"] if inner else ():
        storage = MsgStorage(name=name, storages=[storage])
    made.attachments.append(MapiAttachment(filename="e", attach_method=STORAGE, custom_storage=storage))
    return made


def by_aspose():
    for (kind, data), (size, padding) in itertools.product(KINDS.items(), PADDING.items()):
        content = data + padding
        for name, text in NAMES.items():
            yield f"named-{name}-{size}-{kind}", attached(content, text)
        for form, options in {"typed": {"mime_type": "image/png"}, "inline": {"mime_type": "image/png", "content_id": "a@b"}}.items():
            yield f"{form}-{size}-{kind}", attached(content, **options)
        for method in (0, LINKED_VALUE, 2, 4, 99):
            made = attached(content)
            made.attachments[0].attach_method = method
            yield f"method-{method}-{size}-{kind}", made
        several = letter(unicode_strings=False)
        for index in range(20):
            several.add_attachment(f"{index}.txt", content if index == 12 else HARMLESS)
        yield f"among-{size}-{kind}", several
        outer = inner = attached(content)
        for depth in (1, 2, 3):
            outer = letter()
            outer.add_embedded_message_attachment(inner)
            yield f"attached-{depth}-{size}-{kind}", outer
            inner = outer
        for stream, object_ in {"\1Ole10Native": package(content), "CONTENTS": content, "Package": content}.items():
            yield f"stored-{stream.strip(chr(1))}-{size}-{kind}", stored(object_, stream)
            yield f"stored-deep-{stream.strip(chr(1))}-{size}-{kind}", stored(object_, stream, ("MBD0001", "ObjectPool"))
        yield f"from-mail-{size}-{kind}", MapiMessage.from_email_message(shaped("forwarded", content))
        parts = message(email.policy.SMTP)
        parts.add_attachment(content, maintype="application", subtype="zip", filename="e.zip")
        yield f"from-parts-{size}-{kind}", MapiMessage.from_email_message(parts)
        page = f"<html><img src='data:image/png;base64,{base64_lines(content, 1 << 20, '').strip()}'></html>"
        for form, value in {"binary": page.encode(), "text": page}.items():
            made = letter()
            made.set_property(HTML, 0x102 if form == "binary" else 0x1F, value)
            yield f"html-{form}-{size}-{kind}", made
        lines = letter()
        lines.body = f"begin 644 e.com\r\n{uu(content)}`\r\nend\r\n"
        yield f"body-uu-{size}-{kind}", lines
        for form, packed in {"packed": compressed_rtf.compress(rtf(ole1(content).hex())), "stored": compressed_rtf.compress(rtf(ole1(content).hex()), compressed=False)}.items():
            made = letter()
            made.set_property(RTF, 0x102, packed)
            yield f"rtf-{form}-{size}-{kind}", made


def uu(data):
    import binascii
    return "".join(binascii.b2a_uu(data[at:at + 45], backtick=True).decode().replace("\n", "\r\n") for at in range(0, len(data), 45))


def by_msgforge():
    for (kind, data), (size, padding) in itertools.product(KINDS.items(), PADDING.items()):
        for name, text in NAMES.items():
            made = msgforge.Message(subject="An invoice", text_body="Hello", to=["b@example.org"], sent=datetime.datetime(2024, 1, 1))
            yield f"named-{name}-{size}-{kind}", made.attach_bytes(text, data + padding)
        inline = msgforge.Message(subject="An invoice", html_body="<p>Hello <img src='cid:a'>", to=["b@example.org"])
        yield f"inline-{size}-{kind}", inline.attach_bytes("a.png", data + padding, "image/png", content_id="a")
        several = msgforge.Message(subject="An invoice", html_body="<p>Hello")
        for index in range(20):
            several.attach_bytes(f"{index}.txt", data + padding if index == 12 else HARMLESS)
        yield f"among-{size}-{kind}", several
        # It puts the page into the text of RTF.
        page = base64_lines(data + padding, 1 << 20, "").strip()
        yield f"page-{size}-{kind}", msgforge.Message(subject="An invoice", html_body=f"<img src='data:image/png;base64,{page}'>")


def variants():
    for name, made in by_aspose():
        written = made.to_bytes()
        yield f"aspose-{name}", "msg", written
        if name.startswith(("named-plain", "stored-Ole", "rtf-packed")):
            yield f"aspose-zipped-{name}", "zip", zip_of(Member("a.msg", written))
            yield f"aspose-mailed-{name}", "eml", mail(base64_lines(written))
    for name, made in by_msgforge():
        yield f"msgforge-{name}", "msg", made.as_bytes()
